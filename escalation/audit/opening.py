"""How a log is opened for writing: locks, key, head, recovery, and the first records."""

import os
import re
import secrets
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from .errors import NotALog, RolledBack, SecondWriter, Tampered, Unusable
from .files import Files, close, content, replace, sync_directory
from .layout import ORIGIN, Layout
from .leaf import FORMAT
from .note import BadNote, Checkpoint, Signer, read
from .records import Genesis, Open, Outcome, Rollback
from .recovery import Scan, mend, scan, undescribed
from .stamps import Clock
from .writer import Writer

# Seconds: whoever verifies a log holds its lock for an instant, to see whether it is live.
LOCK_PAUSES = (0.01, 0.03, 0.1, 0.0)
_LOG_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Secrets:
    """What is kept beside the head: the signing key and the key of the pseudonyms."""

    signer: Signer
    pseudonyms: bytes = field(repr=False)

    @property
    def text(self) -> str:
        return f"{self.signer.secret}\npseudonyms+{self.pseudonyms.hex()}\n"

    @classmethod
    def of(cls, text: bytes) -> "Secrets":
        """Raises ValueError, BadNote."""
        signing, pseudonyms = text.decode().splitlines()
        return cls(Signer.of(signing), bytes.fromhex(pseudonyms.removeprefix("pseudonyms+")))


@dataclass(frozen=True, slots=True)
class Accepted:
    """Somebody's decision to go on with a log that is older than its head."""

    who: str
    reason: str


@dataclass(slots=True)
class Opened:
    """A writer, what it needs to be let go, and the key of the pseudonyms."""

    writer: Writer
    pseudonyms: bytes
    locks: list[int]
    files: Files

    def release(self) -> None:
        self.writer.close()
        close(self.files, *self.locks)


def begin(
    files: Files,
    layout: Layout,
    clock: Clock,
    opened: Open,
    segment_bytes: int,
    reserve_bytes: int,
    accepted: Accepted | None = None,
) -> Opened:
    """Open the log for writing, or begin it.  Raises AuditError; then nothing is held."""
    locks: list[int] = []
    try:
        with disk_errors():
            _make_directories(files, layout)
            # Either lock is let go by the kernel when this process ends, however it ends.
            for path in (layout.head_lock, layout.lock):
                locks.append(_lock(files, path))
            known = _secrets(files, layout)
            found, head = _scan(files, layout, known, accepted)
            mend(files, layout, found)
            writer = Writer(
                files, layout, known.signer, found.state, clock, secrets.token_hex(16),
                segment_bytes, reserve_bytes,
            )  # fmt: skip
            _first_records(writer, files, layout, known, found, head, opened, accepted)
        return Opened(writer, known.pseudonyms, locks, files)
    except BaseException:
        close(files, *locks)
        raise


def _first_records(
    writer: Writer,
    files: Files,
    layout: Layout,
    known: Secrets,
    found: Scan,
    head: Checkpoint | None,
    opened: Open,
    accepted: Accepted | None,
) -> None:
    try:
        if found.state.seq == 0:
            # A crash before the head is kept leaves a log of one leaf, which is accepted.
            verifier = known.signer.verifier
            writer.commit([writer.entry(Genesis(str(verifier), verifier.name, FORMAT))])
            writer.checkpoint()
        entries = [writer.entry(record) for record in undescribed(files, layout, found)]
        if accepted is not None and (head is None or _differs(found, head)):
            was, root = (head.size, head.root.hex()) if head else (0, "")
            size = found.state.seq
            entries.append(writer.entry(Rollback(was, root, size, accepted.who, accepted.reason)))
        for seq in sorted(found.state.unanswered):
            # Bytes may have left before the crash: nobody can know.
            entries.append(writer.entry(Outcome("unknown_crash"), seq))
        entries.append(writer.entry(opened))
        writer.commit(entries)
        writer.checkpoint()
    except BaseException:
        writer.close()
        raise


def _scan(
    files: Files, layout: Layout, known: Secrets, accepted: Accepted | None
) -> tuple[Scan, Checkpoint | None]:
    log = known.signer.name.removeprefix(ORIGIN)
    head = _checkpoint(files, str(layout.head), known)
    here = _checkpoint(files, layout.checkpoint, known)
    notes = [note for note in (head, here) if note is not None]
    floor = 0 if accepted else max((note.size for note in notes), default=0)
    found = scan(files, layout, log, floor, frozenset(note.size for note in notes))
    if accepted is not None:
        return found, head
    if head is None and found.state.seq > 1:
        raise RolledBack(
            f"the head of this log is gone ({layout.head}), so nobody can tell whether the "
            "log is whole; if you know why, `wicket audit accept-rollback`"
        )
    if head is not None and _differs(found, head):
        raise RolledBack(
            f"the log has {found.state.seq} records and is not the one whose head was kept at "
            f"{head.size}: an older copy? If you know why, `wicket audit accept-rollback`"
        )
    if here is not None and _differs(found, here):
        raise Tampered(f"the log does not agree with its own checkpoint at {here.size} records")
    return found, head


def _differs(found: Scan, note: Checkpoint) -> bool:
    return found.roots.get(note.size) != note.root


def _checkpoint(files: Files, path: str, known: Secrets) -> Checkpoint | None:
    note = content(files, path)
    if note is None:
        return None
    try:
        return read(note, known.signer.verifier)
    except BadNote as error:
        raise Tampered(f"{path} is not a checkpoint of this log: {error}") from None


def _make_directories(files: Files, layout: Layout) -> None:
    for path in (str(layout.directory), str(layout.head.parent)):
        missing: list[str] = []
        while not os.path.lexists(path):
            missing.append(path)
            path = os.path.dirname(path)
        for each in reversed(missing):
            # Another writer that begins in this moment may be the first.
            with suppress(FileExistsError):
                files.make_directory(each)
            sync_directory(files, os.path.dirname(each))


def _lock(files: Files, path: str) -> int:
    descriptor = files.open(path, os.O_RDWR | os.O_CREAT)
    try:
        for pause in LOCK_PAUSES:
            with suppress(BlockingIOError):
                files.lock(descriptor)
                return descriptor
            time.sleep(pause)
        raise SecondWriter(f"another process writes this log ({path} is locked)")
    except BaseException:
        close(files, descriptor)
        raise


def _secrets(files: Files, layout: Layout) -> Secrets:
    """The keys beside the head; new ones where there is no log yet."""
    text = content(files, layout.secrets)
    if text is None:
        names = files.list(str(layout.directory))
        if any(name.startswith("seg-") for name in names) or content(files, str(layout.head)):
            raise NotALog(f"the signing key of this log is gone ({layout.secrets})")
        log = layout.directory.name
        if not _LOG_ID.fullmatch(log):
            raise NotALog(f"a log's directory is named by 32 hexadecimal digits, not {log!r}")
        made = Secrets(Signer(ORIGIN + log, secrets.token_bytes(32)), secrets.token_bytes(32))
        replace(files, layout.secrets, made.text.encode())
        return made
    try:
        return Secrets.of(text)
    except (ValueError, BadNote):
        raise NotALog(f"{layout.secrets} does not hold the keys of a log") from None


@contextmanager
def disk_errors() -> Generator[None]:
    """What the operating system refuses while nothing is written yet."""
    try:
        yield
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        raise Unusable(f"the log cannot be opened: {name}{error.strerror or error}") from error
