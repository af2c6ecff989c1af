"""One record as one line of canonical JSON that carries its own hash and the one before.

Writer and reader stand side by side: `read` refuses every line that `write` would not
have written.  The layout is section 2 of `docs/audit-format.md`.
"""

import hashlib
import json
import re
import time
from dataclasses import dataclass
from typing import Any, cast

from .records import KINDS
from .shapes import check_of

# 1: first version.
FORMAT = 1
# The entry bundles of C2SP tlog-tiles give a leaf's length in 16 bits.
LEAF_LIMIT = 65_535
# Bytes of a leaf beside its `data`: all other members have bounded lengths.
ENVELOPE_LIMIT = 1_200
# `prev` of the first leaf.
NO_LEAF = "0" * 64

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)
_HASH = re.compile(rb'^,"h":"([0-9a-f]{64})"\}$')
_HASH_LENGTH = len(b',"h":""}') + 64
# The members after `data` have a fixed order and no free text, so that a scan reads them
# without parsing the line.
_TAIL = re.compile(
    rb'^,"g":(\d{1,16}),"id":"[0-9a-f-]{36}","log":"([0-9a-f]{32})","mono":(\d{1,16}),'
    rb'"pay":(?:null|\{"commit":"([0-9a-f]{64})","ct_sha256":"([0-9a-f]{64})","len":(\d{1,16}),'
    rb'"off":(\d{1,16}),"seg":(\d{1,16}),"slots_sha256":"([0-9a-f]{64})"\}),'
    rb'"prev":"([0-9a-f]{64})","ref":(null|\d{1,16}),"seq":(\d{1,16}),"ts":"([0-9TZ:.-]{24})",'
    rb'"type":"([a-z]{1,16})","v":1,"w":"[0-9a-f]{32}","h":"([0-9a-f]{64})"\}$'
)
_TAIL_LENGTH = 1_000
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_HEX64 = re.compile(r"[0-9a-f]{64}")
_HEX32 = re.compile(r"[0-9a-f]{32}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_MEMBERS = frozenset(
    ("boot", "data", "g", "id", "log", "mono", "pay", "prev", "ref", "seq", "ts", "type", "v",
     "w")
)  # fmt: skip


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


@dataclass(frozen=True, slots=True)
class Tail:
    """What a scan needs of a leaf; `group` is the seq of the first leaf written with it."""

    group: int
    log: str
    mono: int
    pay: Frame | None
    prev: str
    ref: int | None
    seq: int
    ts: str
    type: str
    h: str


@dataclass(frozen=True, slots=True)
class Leaf:
    """A leaf that was read and checked as a whole."""

    seq: int
    prev: str
    ref: int | None
    group: int
    id: str
    ts: str
    mono: int
    boot: str
    log: str
    type: str
    writer: str
    data: dict[str, Any]
    pay: Frame | None
    h: str


def dump(value: object) -> str:
    """Canonical JSON: members sorted, ASCII, no white space."""
    return _ENCODER.encode(value)


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
    """The members that a scan needs, after checking the line's own hash.  Raises BadLeaf."""
    start = line.rfind(b',"g":', -_TAIL_LENGTH)
    found = _TAIL.match(line[start:]) if start > 0 else None
    if found is None or len(line) > LEAF_LIMIT:
        raise BadLeaf("the end of the line is not that of a leaf")
    group, log, mono, commit, ct, length, off, seg, slots, prev, ref, seq, ts, kind, h = (
        value.decode() if value else "" for value in found.groups()
    )
    if hashlib.sha256(line[:-_HASH_LENGTH]).hexdigest() != h:
        raise BadLeaf("the line does not have the hash it states")
    pay = Frame(int(seg), int(off), int(length), slots, ct, commit) if seg else None
    number = None if ref == "null" else int(ref)
    return Tail(int(group), log, int(mono), pay, prev, number, int(seq), ts, kind, h)


def read(line: bytes) -> Leaf:
    """A leaf of a line without its newline.  Raises BadLeaf unless `write` could have made
    exactly these bytes of a known record."""
    if len(line) > LEAF_LIMIT:
        raise BadLeaf(f"the line has {len(line)} bytes, a leaf at most {LEAF_LIMIT}")
    stated = _HASH.match(line[-_HASH_LENGTH:])
    if stated is None:
        raise BadLeaf("the line does not end with its hash")
    body = line[:-_HASH_LENGTH]
    h = stated.group(1).decode()
    if hashlib.sha256(body).hexdigest() != h:
        raise BadLeaf("the line does not have the hash it states")
    members = _parse(body)
    if not _is_envelope(members):
        raise BadLeaf("the members are not those of a leaf of this format")
    kind = KINDS.get(members["type"])
    if kind is None:
        raise BadLeaf(f"there is no record of type {members['type']}")
    if not check_of(kind)(members["data"]):
        raise BadLeaf(f"the fields are not those of {members['type']}")
    pay = members["pay"]
    return Leaf(
        members["seq"], members["prev"], members["ref"], members["g"], members["id"],
        members["ts"], members["mono"], members["boot"], members["log"], members["type"],
        members["w"], members["data"], None if pay is None else Frame(**pay), h,
    )  # fmt: skip


def _parse(body: bytes) -> dict[str, Any]:
    try:
        members: object = _DECODER.decode(f"{body.decode('ascii')}}}")
    except (ValueError, RecursionError):
        raise BadLeaf("the line is not JSON of integers, texts, lists and objects") from None
    # One comparison finds white space, other orders and escapes, and repeated members.
    if dump(members).encode() != body + b"}":
        raise BadLeaf("the line is not canonical")
    if b"\\ud" in body:
        _refuse_lone_surrogates(members)
    return cast(dict[str, Any], members)


def _refuse_lone_surrogates(members: object) -> None:
    try:
        json.dumps(members, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise BadLeaf("a text is not Unicode") from None


def _no_float(text: str) -> object:
    raise ValueError(text)


_DECODER = json.JSONDecoder(parse_float=_no_float, parse_constant=_no_float)


def _is_envelope(of: dict[str, Any]) -> bool:
    return (
        of.keys() == _MEMBERS
        and of["v"] == FORMAT
        and all(_natural(of[name]) for name in ("g", "mono", "seq", "v"))
        and of["g"] <= of["seq"]
        and (of["ref"] is None or (_natural(of["ref"]) and of["ref"] < of["seq"]))
        and _matches(_UUID, of["id"])
        and _matches(_HEX32, of["log"], of["boot"], of["w"])
        and _matches(_HEX64, of["prev"])
        and _matches(_TIME, of["ts"])
        and type(of["type"]) is str
        and (of["pay"] is None or _is_frame(of["pay"]))
    )


def _is_frame(value: object) -> bool:
    if type(value) is not dict:
        return False
    of = cast(dict[str, object], value)
    return (
        of.keys() == {"commit", "ct_sha256", "len", "off", "seg", "slots_sha256"}
        and all(_natural(of[name]) for name in ("len", "off", "seg"))
        and _matches(_HEX64, of["commit"], of["ct_sha256"], of["slots_sha256"])
    )


def _natural(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 53


def _matches(pattern: re.Pattern[str], *values: object) -> bool:
    return all(type(value) is str and pattern.fullmatch(value) is not None for value in values)


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
