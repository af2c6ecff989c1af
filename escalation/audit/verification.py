"""`verify`: whether a log is whole and untouched, and if not, where and in what way.

Streams in constant memory, re-hashes every byte of leaves and payloads, works on a live
log and on a copy, and compares with every signed checkpoint it is given.  Section 8 of
`docs/audit-format.md`.
"""

import fcntl
import json
import multiprocessing
import os
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from .examination import Examined, Piece, examine
from .findings import Report
from .joining import Joined, end, join
from .layout import segments
from .note import BadNote, Checkpoint, Verifier, read

# Bytes of one piece: a fraction of a second's work.
PIECE_BYTES = 8 << 20
# Below this a second process costs more than it brings.
PARALLEL_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Expected:
    """A checkpoint to compare with: what it is called and its bytes, None where missing."""

    name: str
    note: bytes | None


def verify(
    directory: Path,
    expected: tuple[Expected, ...] = (),
    key: Verifier | None = None,
    payloads: bool = True,
    jobs: int = 0,
) -> Report:
    """Examine the log in `directory`.  Never raises for what it finds there.

    `key` is the log's verifier key from a trusted place; without one the key that the log
    states itself is used, and the report says so.  `jobs` 0 is one per core.
    """
    begun = time.perf_counter()
    report = Report(str(directory))
    try:
        _verify(report, directory, expected, key, payloads, jobs)
    except FileNotFoundError as error:
        report.find("incomplete", "nothing", None, str(error.filename), "there is nothing here")
    except OSError as error:
        place = str(error.filename or directory)
        report.find("incomplete", "unreadable", None, place, error.strerror or str(error))
    report.seconds = round(time.perf_counter() - begun, 3)
    return report


def _verify(
    report: Report,
    directory: Path,
    expected: tuple[Expected, ...],
    key: Verifier | None,
    payloads: bool,
    jobs: int,
) -> None:
    report.live = is_live(directory)
    # Notes are read before sizes are: a live log may only be longer than its checkpoint.
    own = _content(directory / "checkpoint")
    anchored = tuple(_anchors(directory))
    numbers = segments(os.listdir(directory), "jsonl")
    if not numbers:
        report.find("incomplete", "nothing", None, str(directory), "there is no log here")
        return
    sizes = {number: _leaves(directory, number).stat().st_size for number in numbers}
    report.segments = len(numbers)
    if numbers != list(range(1, len(numbers) + 1)):
        gone = sorted(set(range(1, numbers[-1])) - set(numbers))
        report.find("tampered", "segment", None, str(directory), f"segments {gone[:8]} are missing")
    key = _key(report, directory, key)
    # A log that has just begun has no checkpoint for an instant.
    mine = () if own is None and report.live else (Expected("checkpoint", own),)
    notes = _notes(report, (*mine, *anchored, *expected), key)
    joined = Joined(report, notes)
    wanted = tuple(sorted({note.size for _name, note in notes}))
    pieces = list(_pieces(directory, sizes, payloads, wanted))
    for found in _examined(pieces, jobs or os.cpu_count() or 1):
        join(joined, found, directory, last=found.piece == pieces[-1], live=report.live)
    end(joined, directory, numbers, payloads)


def _key(report: Report, directory: Path, key: Verifier | None) -> Verifier | None:
    """The given key, or the one in the genesis leaf."""
    with open(_leaves(directory, 1), "rb") as file:
        line = file.readline(1 << 16).rstrip(b"\n")
    try:
        stated = Verifier.of(json.loads(line)["data"]["key"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, BadNote):
        stated = None
    if key is None:
        report.key, report.key_from = str(stated or ""), "the log itself"
        return stated
    report.key, report.key_from = str(key), "given"
    if stated is not None and str(stated) != str(key):
        report.find("tampered", "key", 0, "genesis", f"the log is of another key: {stated}")
    return key


def _notes(
    report: Report, expected: tuple[Expected, ...], key: Verifier | None
) -> list[tuple[str, Checkpoint]]:
    notes: list[tuple[str, Checkpoint]] = []
    for one in expected:
        if one.note is None:
            report.find("incomplete", "checkpoint", None, one.name, "this checkpoint is missing")
        elif key is None:
            report.find("tampered", "key", 0, one.name, "the log states no key to check it with")
        else:
            try:
                notes.append((one.name, read(one.note, key)))
            except BadNote as error:
                report.find("tampered", "checkpoint", None, one.name, str(error))
    return notes


def _pieces(
    directory: Path, sizes: dict[int, int], payloads: bool, notes: tuple[int, ...]
) -> Iterator[Piece]:
    for number, size in sizes.items():
        begin = 0
        with open(_leaves(directory, number), "rb") as file:
            while begin < size:
                end = _line_end(file, begin + PIECE_BYTES, size)
                yield Piece(str(directory), number, begin, end, payloads, notes)
                begin = end
        if size == 0:
            yield Piece(str(directory), number, 0, 0, payloads, notes)


def _line_end(file: BinaryIO, position: int, size: int) -> int:
    """The byte behind the first newline at or after `position`, at most `size`."""
    while position < size:
        file.seek(position)
        block = file.read(1 << 16)
        newline = block.find(b"\n")
        if newline >= 0:
            return min(position + newline + 1, size)
        position += max(len(block), 1)
    return size


def _examined(pieces: list[Piece], jobs: int) -> Iterator[Examined]:
    """The pieces in order, examined by several processes where there is much to do."""
    total = sum(piece.end - piece.begin for piece in pieces)
    jobs = min(jobs, len(pieces))
    if jobs < 2 or total < PARALLEL_BYTES:
        yield from map(examine, pieces)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, mp_context=context) as pool:
        pending: deque[Future[Examined]] = deque()
        for piece in pieces:
            pending.append(pool.submit(examine, piece))
            if len(pending) > 2 * jobs:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def is_live(directory: Path) -> bool:
    """Whether a writer holds the log."""
    try:
        descriptor = os.open(directory / "lock", os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _leaves(directory: Path, number: int) -> Path:
    return directory / f"seg-{number:010}.jsonl"


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _anchors(directory: Path) -> Iterator[Expected]:
    for path in sorted((directory / "anchors").glob("*.note")):
        yield Expected(f"anchors/{path.name}", _content(path))
