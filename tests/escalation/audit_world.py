"""A log on a disk, what was acknowledged of it, and the check that nothing of it is lost."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wicket.escalation.audit import leaf
from wicket.escalation.audit.entries import Sealing, context
from wicket.escalation.audit.errors import AuditError
from wicket.escalation.audit.files import Disk, Files
from wicket.escalation.audit.findings import Report
from wicket.escalation.audit.frame import ReaderKey, recipient, unseal
from wicket.escalation.audit.layout import Layout
from wicket.escalation.audit.leaf import Leaf
from wicket.escalation.audit.note import Signer, Verifier
from wicket.escalation.audit.opening import Accepted, Opened, begin
from wicket.escalation.audit.records import (
    Actor,
    Client,
    Consent,
    Decision,
    Endpoint,
    Intent,
    Open,
    Outcome,
    Provider,
    Record,
)
from wicket.escalation.audit.recovery import frame_bytes
from wicket.escalation.audit.stamps import identifier
from wicket.escalation.audit.verification import Expected, verify
from wicket.escalation.audit.writer import Position

LOG = "0123456789abcdef" * 2
READER = ReaderKey(bytes(range(32)))
# Syncs cost nothing in memory: a thousand faults are tried in seconds.
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None


def intent(exchange: str = "e1", **changes: object) -> Intent:
    values: dict[str, object] = {
        "exchange": exchange,
        "actor": Actor("ada", 1000, "laptop"),
        "client": Client("neovim", "0.11"),
        "workspace": None,
        "purpose": "explain",
        "provider": Provider("anthropic", Endpoint("https", "api.anthropic.com", 443, "/v1")),
        "model": "claude",
        "decision": Decision("0" * 64, "allow"),
        "consent": Consent("c1", "auto"),
        "bytes": 5,
        "server_version": "0.1.0",
    }
    return Intent(**(values | changes))  # type: ignore[arg-type]


class World:
    """One log with its head, in directories of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.layout = Layout(root / "audit" / LOG, root / "heads" / LOG)
        self.acked: dict[int, tuple[Position, bytes | None]] = {}

    @property
    def directory(self) -> Path:
        return self.layout.directory

    @property
    def verifier(self) -> Verifier:
        text = Path(self.layout.secrets).read_text()
        return Signer.of(text.splitlines()[0]).verifier

    def begin(
        self,
        files: Files | None = None,
        clock: object = None,
        accepted: Accepted | None = None,
        segment_bytes: int = 4000,
    ) -> Opened:
        return begin(
            files or Disk(), self.layout, clock or StillClock(), Open("0.1.0"),  # type: ignore
            segment_bytes, 1 << 16, accepted,
        )  # fmt: skip

    def write(self, opened: Opened, *records: tuple[Record, bytes | None, int | None]) -> list:
        """Commit one group of (record, content, ref), and remember what was acknowledged."""
        sealing = Sealing(LOG, (recipient(READER.public),), "full")
        entries = [
            sealing.entry(record, identifier(0), {"request": content} if content else {}, ref)
            for record, content, ref in records
        ]
        results = opened.writer.commit(entries)
        for result, (_record, content, _ref) in zip(results, records, strict=True):
            if not isinstance(result, AuditError):
                self.acked[result.seq] = (result, content)
        return results

    def exchange(self, opened: Opened, content: bytes = b"bytes that leave") -> None:
        """An intent, durable, and then its outcome."""
        [position] = self.write(opened, (intent(), content, None))
        if not isinstance(position, AuditError):
            self.write(opened, (Outcome("ok", sent=5), b"answer " + content, position.seq))

    def head(self) -> Expected:
        path = self.layout.head
        return Expected("head", path.read_bytes() if path.exists() else None)

    def verify(self, **options: object) -> Report:
        return verify(self.directory, (self.head(),), self.verifier, jobs=1, **options)  # type: ignore

    def leaves(self) -> Iterator[tuple[Leaf, bytes]]:
        for path in sorted(self.directory.glob("*.jsonl")):
            for line in path.read_bytes().splitlines():
                yield leaf.read(line), line

    def check_nothing_lost(self) -> None:
        """Every acknowledged record is there, and its payload opens."""
        found = {one.tail.seq: one for one, _line in self.leaves()}
        for seq, (position, content) in self.acked.items():
            one = found[seq].tail
            assert (one.id, one.h) == (position.id, position.h)
            if content is not None:
                frame = frame_bytes(Disk(), self.layout, one.pay)
                _key, parts = unseal(frame, READER, context(LOG, one.id))
                assert parts["request"] == content

    def check_sound(self) -> None:
        """After any honest crash: the log opens, nothing is lost, verify is content."""
        opened = self.begin()
        self.exchange(opened)
        opened.writer.checkpoint()
        opened.release()
        self.check_nothing_lost()
        report = self.verify()
        assert report.code == 0, report.findings


@contextmanager
def world_in_memory(like: World | None = None) -> Iterator[World]:
    """A world that is gone afterwards; `like` is copied."""
    root = Path(tempfile.mkdtemp(dir=MEMORY, prefix="wicket-audit-"))
    try:
        if like is not None:
            shutil.copytree(like.root, root, dirs_exist_ok=True)
        made = World(root)
        made.acked = dict(like.acked) if like else {}
        yield made
    finally:
        shutil.rmtree(root)


class StillClock:
    """A clock that the test moves."""

    def __init__(self, wall_ms: int = 1_790_000_000_000, mono_us: int = 1_000_000) -> None:
        self.wall, self.mono, self.name = wall_ms, mono_us, "b" * 32

    def wall_ms(self) -> int:
        return self.wall

    def mono_us(self) -> int:
        return self.mono

    def boot(self) -> str:
        return self.name
