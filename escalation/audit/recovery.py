"""What a log's directory holds at a start, and how the torn end of a crash is moved away.

A crash can only tear the last group of records, which nobody was told of.  Any other
damage is tampering, and the log is refused.  Section 6 of `docs/audit-format.md`.
"""

import hashlib
import json
import os
from dataclasses import dataclass, field
from datetime import datetime

from .errors import Tampered
from .files import CHUNK, Files, create, lines, opened, sync_directory, write_all
from .frame import hashes
from .layout import Layout, segments
from .leaf import BadLeaf, Frame, Stamp, Tail, tail
from .records import Recovery
from .tree import leaf_hash
from .writer import State


@dataclass(slots=True)
class Scan:
    """A log read from its first leaf to its last good one.

    `roots` holds the tree's root at the sizes that were asked for; `leaf_end` and
    `pay_end` are what the last segment's files hold, -1 for no file; `described` are the
    quarantined pieces that a recovery record speaks of.
    """

    state: State
    sizes: frozenset[int] = frozenset()
    roots: dict[int, bytes] = field(default_factory=dict[int, bytes])
    described: set[str] = field(default_factory=set[str])
    leaf_end: int = 0
    pay_end: int = -1
    rotated: bool = False
    last: Tail | None = None

    def take(self, one: Tail, line: bytes, end: int) -> None:
        """Go past one good leaf whose line, with its newline, ends at byte `end`."""
        state = self.state
        state.seq, state.prev, state.leaf_bytes = one.seq + 1, one.h, end
        state.span.add(leaf_hash(line))
        if state.seq in self.sizes:
            self.roots[state.seq] = state.span.root
        if one.pay is not None:
            state.pay_bytes = one.pay.off + one.pay.len
        if one.type == "intent":
            state.unanswered.add(one.seq)
        elif one.type == "outcome" and one.ref is not None:
            state.unanswered.discard(one.ref)
        elif one.type == "recovery" and (name := json.loads(line)["data"]["quarantine"]):
            self.described.add(name)
        self.rotated = one.type == "rotate"
        self.last = one


@dataclass(slots=True)
class _Group:
    """The good leaves of the group that is being read, and where they lead."""

    seq: int
    prev: str
    pay_bytes: int = 0
    leaves: list[tuple[Tail, bytes, int]] = field(default_factory=list[tuple[Tail, bytes, int]])
    rotated: bool = False

    def add(self, one: Tail, line: bytes, end: int) -> None:
        self.leaves.append((one, line, end))
        self.seq, self.prev, self.rotated = one.seq + 1, one.h, one.type == "rotate"
        if one.pay is not None:
            self.pay_bytes = one.pay.off + one.pay.len

    def flush(self, into: Scan) -> None:
        for leaf in self.leaves:
            into.take(*leaf)
        self.leaves.clear()


def scan(files: Files, layout: Layout, log: str, floor: int, sizes: frozenset[int]) -> Scan:
    """Read the whole log.  `floor` leaves are known to have been durable.

    Raises Tampered where the chain is broken in a way that no crash explains.
    """
    numbers = segments(files.list(str(layout.directory)), "jsonl")
    if numbers != list(range(1, len(numbers) + 1)):
        raise Tampered(f"segment files are missing: there are only {numbers[:8]}")
    found = Scan(State(log), sizes)
    found.roots[0] = found.state.span.root
    for number in numbers:
        if number > 1 and not found.rotated:
            raise Tampered(f"segment {number - 1} does not end with `rotate`")
        found.state.segment, found.state.leaf_bytes, found.state.pay_bytes = number, 0, 0
        found.rotated, found.leaf_end = False, 0
        last = number == len(numbers)
        group = _read_segment(files, layout, found, last, floor)
        found.pay_end = _size(files, layout.payloads(number))
        if last:
            _drop_unwritten(files, layout, group, floor)
        group.flush(found)
        if max(found.pay_end, 0) < found.state.pay_bytes and (last or found.pay_end >= 0):
            raise Tampered(f"the payloads of segment {number} were cut short")
    return found


def _read_segment(files: Files, layout: Layout, found: Scan, last: bool, floor: int) -> _Group:
    """Read one segment; all but its last group is taken into `found`."""
    number, bad = found.state.segment, ""
    group = _Group(found.state.seq, found.state.prev)
    with opened(files, layout.leaves(number)) as descriptor:
        for offset, line, whole in lines(files, descriptor):
            found.leaf_end = offset + len(line) + whole
            try:
                one = tail(line)
                if bad:
                    _refuse_later_group(one, group.seq, bad)
                    continue
                _refuse_misfit(one, whole, number, found.state.log, group)
            except BadLeaf as error:
                bad = bad or f"segment {number}, byte {offset}: {error}"
                if not last or group.seq < floor:
                    raise Tampered(f"record {group.seq} is damaged ({bad})") from None
                continue
            if group.leaves and group.leaves[0][0].group != one.group:
                group.flush(found)
            group.add(one, line, found.leaf_end)
    return group


def _refuse_misfit(one: Tail, whole: bool, segment: int, log: str, after: _Group) -> None:
    if not whole:
        raise BadLeaf("the line does not end")
    if one.log != log:
        raise BadLeaf("it is a leaf of another log")
    if one.seq != after.seq or one.prev != after.prev:
        raise BadLeaf("it does not follow the record before it")
    if after.rotated:
        raise BadLeaf("it follows `rotate` in the same segment")
    if one.pay and (one.pay.seg, one.pay.off) != (segment, after.pay_bytes):
        raise BadLeaf("its payload does not follow the one before it")


def _refuse_later_group(one: Tail, seq: int, bad: str) -> None:
    """A good leaf behind a bad one must belong to the same torn group."""
    if one.group > seq:
        raise Tampered(f"record {seq} is damaged ({bad}), and others were written after it")


def _drop_unwritten(files: Files, layout: Layout, group: _Group, floor: int) -> None:
    """Cut the last group before its first leaf whose payload is not there."""
    for index, (one, _line, _end) in enumerate(group.leaves):
        if one.pay is None:
            continue
        if hashes(frame_bytes(files, layout, one.pay)) == (one.pay.slots_sha256, one.pay.ct_sha256):
            continue
        if one.seq < floor:
            raise Tampered(f"the payload of record {one.seq} is damaged or gone")
        del group.leaves[index:]
        return


def frame_bytes(files: Files, layout: Layout, frame: Frame) -> bytes:
    """A frame as it is on the disk; shorter where the file ends, empty where it is gone."""
    try:
        with opened(files, layout.payloads(frame.seg)) as descriptor:
            return _bytes(files, descriptor, frame.off, frame.len)
    except FileNotFoundError:
        return b""


def _bytes(files: Files, descriptor: int, offset: int, size: int) -> bytes:
    pieces: list[bytes] = []
    while size > 0 and (piece := files.read(descriptor, min(size, CHUNK), offset)):
        pieces.append(piece)
        offset, size = offset + len(piece), size - len(piece)
    return b"".join(pieces)


def _size(files: Files, path: str) -> int:
    try:
        return files.look_at(path).st_size
    except FileNotFoundError:
        return -1


def mend(files: Files, layout: Layout, found: Scan) -> None:
    """Move what is torn to quarantine and make the files that a torn rotation lacks.

    Everything here can be done twice: a crash in it is mended by the next start.
    """
    state = found.state
    if found.leaf_end > state.leaf_bytes or found.pay_end > state.pay_bytes:
        _move_to_quarantine(files, layout, found)
    if found.rotated:
        state.segment, state.leaf_bytes, state.pay_bytes = state.segment + 1, 0, 0
    for path in (layout.leaves(state.segment), layout.payloads(state.segment)):
        if _size(files, path) < 0:
            create(files, path)
            sync_directory(files, str(layout.directory))
        files.chmod(path, 0o600)
    if found.last is not None:
        one = found.last
        state.last = Stamp(_wall_ms(one.ts), one.mono, one.boot, one.writer)


def _move_to_quarantine(files: Files, layout: Layout, found: Scan) -> None:
    state = found.state
    paths = (layout.leaves(state.segment), layout.payloads(state.segment))
    keep = (state.leaf_bytes, state.pay_bytes)
    ends = (found.leaf_end, max(found.pay_end, 0))
    pieces: list[bytes] = []
    for path, start, end in zip(paths, keep, ends, strict=True):
        with opened(files, path) as descriptor:
            pieces.append(_bytes(files, descriptor, start, end - start))
    name = hashlib.sha256(b"\0".join(pieces)).hexdigest()[:16]
    _make_directory(files, layout.quarantine)
    # A crash in here leaves a copy beside the torn end; the next start writes it again.
    for piece, suffix in zip(pieces, ("jsonl", "pay"), strict=True):
        path = f"{layout.quarantine}/{name}.{suffix}"
        with opened(files, path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as descriptor:
            write_all(files, descriptor, piece)
            files.sync(descriptor)
    sync_directory(files, layout.quarantine)
    # A crash after this leaves a copy that no record describes; the next start does.
    for path, start in zip(paths, keep, strict=True):
        with opened(files, path, os.O_WRONLY) as descriptor:
            files.truncate(descriptor, start)
            files.sync(descriptor)


def undescribed(files: Files, layout: Layout, found: Scan) -> list[Recovery]:
    """Records for quarantined pieces that the log does not speak of yet."""
    try:
        names = sorted(files.list(layout.quarantine))
    except FileNotFoundError:
        names = []
    stems = sorted({name.partition(".")[0] for name in names} - found.described)
    return [_recovery(files, layout, stem, len(found.state.unanswered)) for stem in stems]


def _recovery(files: Files, layout: Layout, stem: str, unanswered: int) -> Recovery:
    sizes: list[int] = []
    digests: list[str | None] = []
    for suffix in ("jsonl", "pay"):
        path = f"{layout.quarantine}/{stem}.{suffix}"
        size = _size(files, path)
        digest = None
        if size > 0:
            with opened(files, path) as descriptor:
                digest = hashlib.sha256(_bytes(files, descriptor, 0, size)).hexdigest()
        sizes.append(max(size, 0))
        digests.append(digest)
    return Recovery(sizes[0], digests[0], sizes[1], digests[1], stem, unanswered)


def _make_directory(files: Files, path: str) -> None:
    try:
        files.make_directory(path)
    except FileExistsError:
        return
    sync_directory(files, os.path.dirname(path))


def _wall_ms(ts: str) -> int:
    moment = datetime.fromisoformat(ts)
    return int(moment.timestamp()) * 1000 + moment.microsecond // 1000
