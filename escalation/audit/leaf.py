"""One record as one line of canonical JSON that carries its own hash and the one before.

Writer and reader stand side by side: `read` refuses every line that `write` would not
have written.  The layout is section 2 of `docs/audit-format.md`.
"""

import hashlib
import json
import re
import time
from dataclasses import dataclass
from typing import Any

from .records import KINDS
from .shapes import grammar

# 1: first version.
FORMAT = 1
# The entry bundles of C2SP tlog-tiles give a leaf's length in 16 bits.
LEAF_LIMIT = 65_535
# Bytes of a leaf beside its `data`: all other members have bounded lengths.
ENVELOPE_LIMIT = 1_200
# `prev` of the first leaf.
NO_LEAF = "0" * 64

_HASH_LENGTH = len(b',"h":""}') + 64
# All members but `data` have a fixed form: only `data` needs a parser.  The order is that
# of the names, with `h` last.
_HEAD = re.compile(r'\{"boot":"([0-9a-f]{32})","data":')
_NATURAL = r"(0|[1-9]\d{0,14})"
_TAIL = re.compile(
    rf',"g":{_NATURAL},'
    r'"id":"([0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})",'
    rf'"log":"([0-9a-f]{{32}})","mono":{_NATURAL},'
    r'"pay":(?:null|\{"commit":"([0-9a-f]{64})","ct_sha256":"([0-9a-f]{64})",'
    rf'"len":{_NATURAL},"off":{_NATURAL},"seg":{_NATURAL},"slots_sha256":"([0-9a-f]{{64}})"\}}),'
    rf'"prev":"([0-9a-f]{{64}})","ref":(null|{_NATURAL}),"seq":{_NATURAL},'
    r'"ts":"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)",'
    r'"type":"([a-z]{1,16})","v":1,"w":"([0-9a-f]{32})","h":"([0-9a-f]{64})"\}',
    re.ASCII,
)
_TAIL_LENGTH = 1_000


class BadLeaf(Exception):
    """A line that the writer would not have written; the message says in what way."""


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a record's sealed payload is and what it must hash to.

    Segment number, byte offset and length of the whole frame; SHA-256 of its head (the key
    slots) and of its ciphertext; the keyed commitment to the first part's plaintext.
    """

    seg: int
    off: int
    len: int
    slots_sha256: str
    ct_sha256: str
    commit: str


@dataclass(frozen=True, slots=True)
class Stamp:
    """When and by whom: wall clock (milliseconds since 1970), time since boot including
    sleep (microseconds), the boot's and the writer's random identifiers (32 hex digits)."""

    wall_ms: int
    mono: int
    boot: str
    writer: str


@dataclass(slots=True)
class Tail:
    """A leaf without its `data`; `group` is the seq of the first leaf written with it."""

    boot: str
    group: int
    id: str
    log: str
    mono: int
    pay: Frame | None
    prev: str
    ref: int | None
    seq: int
    ts: str
    type: str
    writer: str
    h: str


@dataclass(slots=True)
class Leaf:
    """A leaf that was read and checked as a whole."""

    tail: Tail
    text: str

    @property
    def data(self) -> dict[str, Any]:
        """The record's fields."""
        return json.loads(self.text)


def write(
    log: str,
    seq: int,
    prev: str,
    group: int,
    id: str,
    kind: str,
    data: str,
    stamp: Stamp,
    ref: int | None,
    pay: Frame | None,
) -> tuple[bytes, str]:
    """The line, without its newline, and its own hash.  `data` is canonical JSON already."""
    frame = "null"
    if pay is not None:
        frame = (
            f'{{"commit":"{pay.commit}","ct_sha256":"{pay.ct_sha256}","len":{pay.len},'
            f'"off":{pay.off},"seg":{pay.seg},"slots_sha256":"{pay.slots_sha256}"}}'
        )
    body = (
        f'{{"boot":"{stamp.boot}","data":{data},"g":{group},"id":"{id}","log":"{log}",'
        f'"mono":{stamp.mono},"pay":{frame},"prev":"{prev}",'
        f'"ref":{"null" if ref is None else ref},"seq":{seq},"ts":"{timestamp(stamp.wall_ms)}",'
        f'"type":"{kind}","v":{FORMAT},"w":"{stamp.writer}"'
    ).encode("ascii")
    h = hashlib.sha256(body).hexdigest()
    return b'%b,"h":"%b"}' % (body, h.encode()), h


def tail(line: bytes) -> Tail:
    """All but the data of a line without its newline, after checking the line's own hash.

    Raises BadLeaf.
    """
    return _envelope(line)[0]


def read(line: bytes) -> Leaf:
    """A leaf of a line without its newline.  Raises BadLeaf unless `write` could have made
    exactly these bytes of a known record."""
    found, text = _envelope(line)
    kind = KINDS.get(found.type)
    if kind is None:
        raise BadLeaf(f"there is no record of type {found.type}")
    if grammar(kind).fullmatch(text) is None:
        raise BadLeaf(f"its data is not the canonical JSON of a record of type {found.type}")
    return Leaf(found, text)


def _envelope(line: bytes) -> tuple[Tail, str]:
    """The members with a fixed form, and the text of `data`."""
    if len(line) > LEAF_LIMIT:
        raise BadLeaf(f"the line has {len(line)} bytes, a leaf at most {LEAF_LIMIT}")
    try:
        text = line.decode("ascii")
    except UnicodeDecodeError:
        raise BadLeaf("the line is not ASCII") from None
    end = text.rfind(',"g":', -_TAIL_LENGTH)
    head = _HEAD.match(text)
    found = _TAIL.fullmatch(text, end) if end > 0 else None
    if head is None or found is None:
        raise BadLeaf("the line does not have the members of a leaf, in their order")
    (
        group, id, log, mono, commit, ct, length, offset, segment, slots, prev, ref, _ref, seq,
        ts, kind, writer, h,
    ) = found.groups()  # fmt: skip
    if hashlib.sha256(line[:-_HASH_LENGTH]).hexdigest() != h:
        raise BadLeaf("the line does not have the hash it states")
    pay = None
    if segment is not None:
        pay = Frame(int(segment), int(offset), int(length), slots, ct, commit)
    number = None if ref == "null" else int(ref)
    one = Tail(
        head.group(1), int(group), id, log, int(mono), pay, prev, number, int(seq), ts, kind,
        writer, h,
    )  # fmt: skip
    if one.group > one.seq or (number is not None and number >= one.seq):
        raise BadLeaf("it refers to a record that comes after it")
    return one, text[head.end() : end]


def timestamp(wall_ms: int) -> str:
    """UTC with milliseconds, as RFC 3339 writes it; clocks beyond the years 1 to 9999 are
    held at the nearer end."""
    wall_ms = min(max(wall_ms, -62_135_596_800_000), 253_402_300_799_999)
    seconds, milliseconds = divmod(wall_ms, 1000)
    parts = time.gmtime(seconds)
    return (
        f"{parts.tm_year:04}-{parts.tm_mon:02}-{parts.tm_mday:02}T"
        f"{parts.tm_hour:02}:{parts.tm_min:02}:{parts.tm_sec:02}.{milliseconds:03}Z"
    )
