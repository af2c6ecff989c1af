"""One piece of a log, examined by itself: pieces can be examined side by side.

A piece is a byte range of one segment that begins and ends with whole lines.  What spans
pieces (the chain, the tree, intents and their outcomes) is handed on as values that
`verification.py` joins in order.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .files import Disk, lines
from .findings import FINDINGS_LIMIT, Finding, Severity
from .frame import hashes
from .leaf import NO_LEAF, BadLeaf, Frame, Leaf, Tail, read
from .tree import Span, leaf_hash


@dataclass(frozen=True, slots=True)
class Piece:
    """A byte range of a segment.  `notes` are tree sizes whose root is wanted."""

    directory: str
    segment: int
    begin: int
    end: int
    payloads: bool = True
    notes: tuple[int, ...] = ()


@dataclass(slots=True)
class Examined:
    """What a piece holds, and what must fit to the pieces beside it."""

    piece: Piece
    first: tuple[int, str, int] | None = None  # Its seq, its `prev`, its group.
    log: str = ""
    next_seq: int = 0
    last_h: str = NO_LEAF
    group: int = 0
    span: Span | None = None
    spans: dict[int, Span] = field(default_factory=dict[int, Span])
    pay_begin: int | None = None
    pay_end: int = 0
    pay_count: int = 0
    pay_bytes: int = 0
    pay_gone: list[int] = field(default_factory=list[int])
    zeroed: list[int] = field(default_factory=list[int])
    intents: set[int] = field(default_factory=set[int])
    outcomes: set[int] = field(default_factory=set[int])
    erased: list[int] = field(default_factory=list[int])
    retired: list[int] = field(default_factory=list[int])
    genesis: dict[str, Any] | None = None
    last_type: str = ""
    last_ts: str = ""
    kinds: dict[str, int] = field(default_factory=dict[str, int])
    unreadable: int = 0
    torn_at: int | None = None  # The first unreadable line, if only its own group follows.
    findings: list[Finding] = field(default_factory=list[Finding])

    def find(self, severity: Severity, what: str, seq: int | None, place: str, text: str) -> None:
        if len(self.findings) < FINDINGS_LIMIT:
            self.findings.append(Finding(severity, what, seq, place, text))


def examine(piece: Piece) -> Examined:
    """Read every byte of a piece, and every byte of the payloads its leaves name."""
    found = Examined(piece)
    files = Disk()
    name = f"seg-{piece.segment:010}"
    wanted = set(piece.notes)
    with _Payloads(piece, name) as payloads:
        descriptor = files.open(f"{piece.directory}/{name}.jsonl", os.O_RDONLY)
        try:
            for offset, line, whole in lines(files, descriptor, piece.begin, piece.end):
                place = f"{name}.jsonl, byte {offset}"
                try:
                    if not whole:
                        raise BadLeaf("the line does not end")
                    leaf = read(line)
                except BadLeaf as error:
                    _unreadable(found, place, str(error))
                    continue
                one = leaf.tail
                _follow(found, one, place)
                _take(found, leaf, line)
                if one.pay is not None:
                    _payload(found, one, one.pay, payloads, place)
                assert found.span is not None
                if found.next_seq in wanted:
                    found.spans[found.next_seq] = found.span.copy()
        finally:
            files.close(descriptor)
    return found


def _unreadable(found: Examined, place: str, why: str) -> None:
    expected = found.next_seq if found.first else None
    if found.unreadable == 0:
        found.torn_at = expected or 0
    found.unreadable += 1
    found.find("tampered", "leaf", expected, place, why)


def _follow(found: Examined, one: Tail, place: str) -> None:
    """Whether a leaf fits to the one before it in this piece."""
    if found.first is None:
        found.first, found.log = (one.seq, one.prev, one.group), one.log
        found.span = Span(one.seq, one.seq)
        return
    if one.log != found.log:
        found.find("tampered", "spliced", one.seq, place, "it is a leaf of another log")
    if found.unreadable and one.seq > found.next_seq:
        return  # What is between was found unreadable already.
    if (
        one.seq == found.next_seq
        and one.prev == found.last_h
        and one.group
        in (
            found.group,
            one.seq,
        )
    ):
        return
    for what, text in misfits(one, found.next_seq, found.last_h, found.group):
        found.find("tampered", what, one.seq, place, text)


def misfits(
    one: Tail | tuple[int, str, int], seq: int, h: str, group: int
) -> Iterator[tuple[str, str]]:
    """In what ways a leaf does not follow one that had `seq` - 1, `h` and `group`."""
    its = (one.seq, one.prev, one.group) if isinstance(one, Tail) else one
    if its[0] > seq:
        yield "missing", f"records {seq} to {its[0] - 1} are missing before it"
    elif its[0] < seq:
        yield "repeated", f"record {seq} was expected: it is repeated, moved or inserted"
    elif its[1] != h:
        yield "chain", "it does not carry the hash of the record before it"
    elif its[2] not in (group, seq):
        yield "group", "its group is neither that of the record before it nor new"


def _take(found: Examined, leaf: Leaf, line: bytes) -> None:
    one = leaf.tail
    assert found.span is not None
    if one.seq != found.span.end:
        # The tree is lost here; a root over what is left would be compared in vain.
        found.span = Span(one.seq, one.seq)
    found.span.add(leaf_hash(line))
    found.next_seq, found.last_h, found.group = one.seq + 1, one.h, one.group
    if found.torn_at is not None and one.group > found.torn_at:
        found.torn_at = None
    found.last_type, found.last_ts = one.type, one.ts
    found.kinds[one.type] = found.kinds.get(one.type, 0) + 1
    if one.type == "intent":
        found.intents.add(one.seq)
    elif one.type == "outcome" and one.ref is not None:
        if one.ref in found.intents:
            found.intents.remove(one.ref)
        else:
            found.outcomes.add(one.ref)
    elif one.type == "erasure":
        found.erased += leaf.data["seqs"]
    elif one.type == "retention":
        found.retired += leaf.data["segments"]
    elif one.type == "genesis":
        found.genesis = leaf.data


def _payload(found: Examined, one: Tail, frame: Frame, payloads: "_Payloads", place: str) -> None:
    segment = found.piece.segment
    expected = found.pay_end if found.pay_begin is not None else frame.off
    if found.pay_begin is None:
        found.pay_begin = frame.off
    if frame.seg != segment or frame.off != expected:
        found.find("tampered", "payload", one.seq, place, "its payload is not where it belongs")
    found.pay_end = frame.off + frame.len
    found.pay_count += 1
    if not found.piece.payloads:
        return
    content = payloads.read(frame.off, frame.len)
    if content is None:
        found.pay_gone.append(one.seq)
        return
    found.pay_bytes += len(content)
    if hashes(content) == (frame.slots_sha256, frame.ct_sha256):
        return
    place = f"seg-{segment:010}.pay, byte {frame.off}"
    if len(content) == frame.len and not content.strip(b"\0"):
        found.zeroed.append(one.seq)
    elif len(content) < frame.len:
        found.find("tampered", "payload", one.seq, place, "its payload was cut short")
    else:
        found.find("tampered", "payload", one.seq, place, "its payload was changed")


class _Payloads:
    """The payload file of a piece, read in order."""

    def __init__(self, piece: Piece, name: str) -> None:
        path = f"{piece.directory}/{name}.pay"
        self._file = open(path, "rb", 1 << 20) if os.path.exists(path) else None  # noqa: SIM115

    def __enter__(self) -> "_Payloads":
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def read(self, offset: int, size: int) -> bytes | None:
        """None where the whole file is gone."""
        if self._file is None:
            return None
        if self._file.tell() != offset:
            self._file.seek(offset)
        # A forged length must not ask for all the memory there is.
        left = os.fstat(self._file.fileno()).st_size - offset
        return self._file.read(min(size, max(left, 0)))
