"""Records read back: by number, from an end, as they come; payloads with a reader's key."""

import os
from collections.abc import Iterator
from pathlib import Path

from .entries import context
from .errors import NotALog
from .files import Disk, lines
from .frame import ReaderKey, unseal
from .layout import Layout, segments
from .leaf import BadLeaf, Leaf, Tail, read, tail
from .recovery import frame_bytes


def leaves(directory: Path, start: int = 0) -> Iterator[tuple[Leaf, bytes]]:
    """Every whole leaf from record `start` on, with its line.

    Raises NotALog where a line is not a leaf and is not the last: `verify` says more.
    """
    for number in _segments(directory):
        path = _path(directory, number)
        yield from _from(path, _offset(path, start), start)


def _from(path: Path, offset: int, start: int) -> Iterator[tuple[Leaf, bytes]]:
    files = Disk()
    descriptor = files.open(str(path), os.O_RDONLY)
    try:
        for place, line, whole in lines(files, descriptor, offset):
            if not whole:
                return  # Being written, or torn.
            try:
                one = read(line)
            except BadLeaf as error:
                raise NotALog(f"{path.name}, byte {place}: {error}; run `audit verify`") from None
            if one.tail.seq >= start:
                yield one, line
    finally:
        files.close(descriptor)


def backwards(directory: Path) -> Iterator[Leaf]:
    """Every whole leaf, the last one first.  Raises NotALog at a line that is no leaf."""
    for number in reversed(_segments(directory)):
        path = _path(directory, number)
        for line in _lines_backwards(path):
            try:
                yield read(line)
            except BadLeaf as error:
                raise NotALog(f"{path.name}: {error}; run `audit verify`") from None


def _lines_backwards(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as file:
        end, rest = file.seek(0, os.SEEK_END), None
        while end > 0:
            begin = max(0, end - (1 << 16))
            file.seek(begin)
            first, *lines = (file.read(end - begin) + (rest or b"")).split(b"\n")
            if rest is None and lines:
                del lines[-1]  # Behind the last newline: being written, or torn.
            elif rest is None:
                first = b""
            yield from reversed(lines)
            end, rest = begin, first
        if rest:
            yield rest


def one(directory: Path, seq: int) -> tuple[Leaf, bytes]:
    """Record `seq` and its line.  Raises NotALog where there is none."""
    for leaf, line in leaves(directory, seq):
        if leaf.tail.seq == seq:
            return leaf, line
        break
    raise NotALog(f"there is no record {seq}; the log has {size(directory)}")


def size(directory: Path) -> int:
    """The number of whole records, as the last of them says."""
    for number in reversed(_segments(directory)):
        if last := _last(_path(directory, number)):
            return last.seq + 1
    return 0


def _last(path: Path) -> Tail | None:
    """The last whole leaf of a segment; None in an empty one."""
    with open(path, "rb") as file:
        length = file.seek(0, os.SEEK_END)
        file.seek(max(0, length - (1 << 17)))
        whole = file.read().split(b"\n")[:-1]
    try:
        return tail(whole[-1]) if whole else None
    except BadLeaf as error:
        raise NotALog(f"{path.name}: {error}; run `audit verify`") from None


def payload(directory: Path, record: Tail, reader: ReaderKey) -> dict[str, bytes]:
    """The parts of a record's payload.  Raises NoKey: sealed to others, or erased."""
    if record.pay is None:
        return {}
    layout = Layout(directory, directory / "head")
    frame = frame_bytes(Disk(), layout, record.pay)
    return unseal(frame, reader, context(record.log, record.id))[1]


def _segments(directory: Path) -> list[int]:
    try:
        numbers = segments(os.listdir(directory), "jsonl")
    except OSError:
        numbers = []
    if not numbers:
        raise NotALog(f"there is no log in {directory}")
    return numbers


def _path(directory: Path, number: int) -> Path:
    return directory / f"seg-{number:010}.jsonl"


def _offset(path: Path, seq: int) -> int:
    """A byte at which a line begins, at or before record `seq`, found by halving."""
    low, high = 0, path.stat().st_size
    with open(path, "rb") as file:
        while high - low > 1 << 17:
            middle = (low + high) // 2
            file.seek(middle)
            file.readline()  # The rest of a line that began before.
            begin = file.tell()
            line = file.readline().rstrip(b"\n")
            try:
                before = begin < high and tail(line).seq <= seq
            except BadLeaf:
                return low
            low, high = (begin, high) if before else (low, middle)
    return low
