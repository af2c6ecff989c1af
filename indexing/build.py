"""The flow that makes an index true: list, compare, parse what is new, commit, prune.

The disk is the truth and everything else a hint: whatever was missed or interrupted, the
next run finds.
"""

import contextlib
import gc
import hashlib
import json
import resource
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from . import files
from .facts import EXTRACTOR, Facts, unpack
from .files import Skipped
from .languages import LANGUAGES
from .pool import Job, Parsed, Pool
from .reconcile import by_nearness, reconcile
from .resolvers import resolve
from .store import Store

# A commit after so many files; or so many seconds, or a tenth of those that the run has taken
# if that is longer: each writes pages again that the one before wrote.
BATCH = 200
BATCH_SECONDS, BATCH_SHARE = 0.25, 0.1
# Files that are listed for each one that may be indexed: most of some repositories is no
# source at all.
LISTED = 4
# Of a file that is outlined only: a larger one is data.
LARGEST_OUTLINE = 256 << 10
# Of all sources together; more than any repository that one person works in.
MOST_BYTES = 3 << 30


class Cancelled(Exception):
    """Somebody asked for the end; what was committed stays."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """What is indexed.  `refuses` is the path policy and says by which rule; `language` is
    the name of the grammar for a path; `most_files` and `most_bytes` (of one file) bound the
    cost."""

    root: Path
    refuses: Callable[[str], str | None]
    language: Callable[[str], str | None]
    most_files: int
    most_bytes: int


@dataclass(frozen=True, slots=True)
class Listed:
    """The files of a workspace that the policy lets in, those without a grammar too."""

    paths: tuple[str, ...]
    excluded: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Progress:
    done: int
    total: int


@dataclass(slots=True)
class Interest:
    """What the user works on now; it may change while a run goes on."""

    files: Sequence[str] = ()


def list_files(workspace: Workspace, only: Sequence[str] = ()) -> Listed:
    found = files.list_files(workspace.root, workspace.most_files * LISTED, only)
    allowed = tuple(path for path in found.paths if workspace.refuses(path) is None)
    return Listed(allowed, len(found.paths) - len(allowed), found.whole)


def refresh(
    workspace: Workspace,
    listed: Listed,
    store: Store,
    pool: Pool,
    failures: "Failures",
    interest: Interest,
    *,
    only: Sequence[str] | None = None,
    progress: Callable[[Progress], None] = lambda _progress: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> int:
    """Make the index say what the disk says of `listed`, or of `only` these paths.

    Answers how many files are left out because there are too many of them.

    Raises Cancelled, StoreFailed and PoolFailed; a crash anywhere leaves what was committed,
    and the next run goes on from there.
    """
    known = store.catalogue(only)
    # A list that is cut says nothing of what is not on it.
    paths = dict.fromkeys((*listed.paths, *(() if listed.whole else known)))
    present = dict(files.stamps(workspace.root, filter(workspace.language, paths)))
    over = max(0, len(present) - workspace.most_files)
    if over:
        nearest = by_nearness(present, interest.files)[: workspace.most_files]
        present = {path: present[path] for path in nearest}
    plan = reconcile(known, present, interest.files)
    store.drop(plan.gone)
    store.commit()
    # From here on nothing is found that is not there any more.
    # Code first, what is only outlined last.
    ordered = sorted(plan.changed, key=lambda path: LANGUAGES[_language(workspace, path)].outline)
    queue = _Queue(workspace, store, failures, ordered)
    urgent, places = set(interest.files), _Places(listed.paths)
    began = committed = time.monotonic()
    uncommitted = 0
    # What is made here holds no cycles, and to look for some takes a tenth of the writer's time.
    gc.disable()
    try:
        for parsed in pool.parse(queue.take):
            _keep(store, failures, parsed)
            if parsed.packed is not None and parsed.job.path in urgent:
                queue.prefer(_imported(parsed.job.path, parsed.packed, places))
            uncommitted += 1
            now = time.monotonic()
            patience = max(BATCH_SECONDS, BATCH_SHARE * (now - began))
            if uncommitted >= BATCH or now - committed > patience:
                # What the user has open is among the first to be found.
                store.commit()
                committed, uncommitted = time.monotonic(), 0
                progress(Progress(len(plan.changed) - queue.left, len(plan.changed)))
                queue.prefer(interest.files)
            if cancelled():
                raise Cancelled
    except BaseException:
        pool.close()  # Answers that nobody waits for any more would be taken for others.
        raise
    finally:
        gc.enable()
        store.commit()
    store.prune()
    progress(Progress(len(plan.changed), len(plan.changed)))
    return over


def _language(workspace: Workspace, path: str) -> str:
    language = workspace.language(path)
    assert language
    return language


def _keep(store: Store, failures: "Failures", parsed: Parsed) -> None:
    job = parsed.job
    if parsed.packed is None:
        assert parsed.why
        if parsed.why != "failed":
            failures.add(job.digest, job.language, parsed.why)
        store.point(job.path, job.stamp, None, parsed.why)
        return
    # The same content may have come under two paths.
    blob = store.holds(job.digest, job.language)
    if blob is None:
        blob = store.put(job.digest, job.language, len(job.source), parsed.packed)
    store.point(job.path, job.stamp, blob)


def _imported(path: str, packed: bytes, places: "_Places") -> list[str]:
    """Files of the workspace that a file imports."""
    with contextlib.suppress(ValueError):
        facts = unpack(packed)
        modules = dict.fromkeys(one.module for one in facts.imports)
        return [f for m in modules for f in resolve(facts.language, m, path, places)]
    return []


class _Places:
    """The listed files, as resolvers look for them."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = frozenset(paths)
        self._named: dict[str, list[str]] | None = None
        self._inside: dict[str, list[str]] | None = None

    def exists(self, path: str) -> bool:
        return path in self._paths

    def named(self, base: str) -> Sequence[str]:
        if self._named is None:
            self._named = {}
            for path in self._paths:
                self._named.setdefault(path.rpartition("/")[2], []).append(path)
        return self._named.get(base, ())

    def inside(self, directory: str) -> Sequence[str]:
        if self._inside is None:
            self._inside = {}
            for path in sorted(self._paths):
                self._inside.setdefault(path.rpartition("/")[0], []).append(path)
        return self._inside.get(directory, ())

    def definers(self, name: str) -> Sequence[str]:
        """None: what manifests say is not known before they were read."""
        del name
        return ()

    def facts(self, path: str) -> Facts | None:
        del path
        return None


@dataclass(slots=True)
class _Queue:
    """What is still to be read.  Most of it needs no parsing after a switch of branches."""

    workspace: Workspace
    store: Store
    failures: "Failures"
    waiting: Iterable[str]
    bytes_left: int = MOST_BYTES
    _order: deque[str] = field(init=False)
    _waiting: set[str] = field(init=False)

    def __post_init__(self) -> None:
        self._order = deque(self.waiting)
        self._waiting = set(self._order)

    @property
    def left(self) -> int:
        return len(self._waiting)

    def prefer(self, paths: Iterable[str]) -> None:
        """Take these next, if they wait at all."""
        self._order.extendleft(path for path in paths if path in self._waiting)

    def take(self) -> Job | None:
        """The next source that has to be parsed."""
        while self._order:
            path = self._order.popleft()
            if path not in self._waiting:
                continue  # Preferred before.
            self._waiting.remove(path)
            if job := self._job(path):
                return job
        return None

    def _job(self, path: str) -> Job | None:
        language = _language(self.workspace, path)
        try:
            source, stamp = files.read(self.workspace.root, path, self.workspace.most_bytes)
        except Skipped as skipped:
            self._skip(path, str(skipped))
            return None
        if why := files.left_out(path, source):
            self.store.point(path, stamp, None, why)
            return None
        if len(source) > LARGEST_OUTLINE and LANGUAGES[language].outline:
            self.store.point(path, stamp, None, "data")
            return None
        digest = content_digest(source)
        if (blob := self.store.holds(digest, language)) is not None:
            self.store.point(path, stamp, blob)
        elif why := self.failures.known(digest, language):
            self.store.point(path, stamp, None, why)
        elif self.bytes_left < len(source):
            self.store.point(path, stamp, None, "over the budget")
        else:
            self.bytes_left -= len(source)
            return Job(path, stamp, digest, language, source)
        return None

    def _skip(self, path: str, why: str) -> None:
        """What cannot be read has the stamp that it was listed with, or none."""
        for _path, stamp in files.stamps(self.workspace.root, (path,)):
            self.store.point(path, stamp, None, why)
            return
        self.store.drop((path,))


def content_digest(source: bytes) -> bytes:
    """As git names contents, so that equal ones are parsed once wherever they lie."""
    head = b"blob %d\0" % len(source)
    return hashlib.sha1(head + source, usedforsecurity=False).digest()


class Failures:
    """Contents that crash or hang a grammar: noted in a file that outlives the index.

    They are known by content, so that a changed file gets another chance.
    """

    def __init__(self, file: BinaryIO) -> None:
        """`file` is read from its start and written at its end."""
        self._file = file
        self._known: dict[tuple[str, str], str] = {}
        file.seek(0)
        for line in file:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                row = json.loads(line)
                if row["extractor"] == EXTRACTOR:
                    self._known[row["content"], row["language"]] = row["why"]

    def known(self, digest: bytes, language: str) -> str | None:
        return self._known.get((digest.hex(), language))

    def add(self, digest: bytes, language: str, why: str) -> None:
        self._known[digest.hex(), language] = why
        row = {"content": digest.hex(), "language": language, "why": why, "extractor": EXTRACTOR}
        with contextlib.suppress(OSError):  # Then it is found out again.
            self._file.write(json.dumps(row).encode() + b"\n")
            self._file.flush()

    def close(self) -> None:
        self._file.close()


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did, in the words of `wicket index --json`."""

    files: int
    bytes: int
    symbols: int
    skipped: dict[str, int]
    seconds: float
    cpu_seconds: float
    db_bytes: int


class Clock:
    """Seconds and processor time, of this process and what it started, since it was made."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._began = time.monotonic(), self._spent()

    def report(self, store: Store, listed: Listed, over: int) -> Report:
        measured = store.measures()
        more = {"excluded": listed.excluded, "too many": over}
        skipped = measured.skipped | {why: count for why, count in more.items() if count}
        return Report(
            measured.files,
            measured.size,
            measured.symbols,
            skipped,
            round(time.monotonic() - self._began[0], 3),
            round(self._spent() - self._began[1], 3),
            measured.stored,
        )

    def _spent(self) -> float:
        # Of those that have ended, git among them.
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.process_time() + ended.ru_utime + ended.ru_stime + self._pool.cpu_seconds
