#!/usr/bin/env python3
"""Verify a Wicket audit log, or a bundle of its records, with Python alone.

    python3 verify.py BUNDLE.zip|LOG_DIRECTORY [--key FILE] [--expect CHECKPOINT]

Needs Python 3.9 and its standard library, shares no code with Wicket, opens no payload.
Exit codes: 0 whole, 1 tampered with, 2 usage, 3 incomplete.
The formats are specified in docs/audit-format.md of Wicket's source.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Curve and encoding of Ed25519: RFC 8032, section 5.1.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_ONE = pow(2, (P - 1) // 4, P)
Point = tuple[int, int, int, int]  # X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z.


def plus(a: Point, b: Point) -> Point:
    e, f = (a[1] - a[0]) * (b[1] - b[0]), (a[1] + a[0]) * (b[1] + b[0])
    c, d = 2 * a[3] * b[3] * D, 2 * a[2] * b[2]
    w, x, y, z = f - e, d - c, d + c, f + e
    return w * x % P, y * z % P, x * y % P, w * z % P


def times(n: int, point: Point) -> Point:
    result = (0, 1, 1, 0)
    while n:
        if n & 1:
            result = plus(result, point)
        point, n = plus(point, point), n >> 1
    return result


def decoded(text: bytes) -> Point | None:
    y = int.from_bytes(text, "little")
    sign, y = y >> 255, y & (1 << 255) - 1
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_ONE % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def encoded(point: Point) -> bytes:
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


BASE = decoded((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def signed_by(public: bytes, signature: bytes, message: bytes) -> bool:
    """Whether an Ed25519 signature is right (RFC 8032, 5.1.7)."""
    key = decoded(public) if len(public) == 32 else None
    s = int.from_bytes(signature[32:], "little")
    if key is None or BASE is None or len(signature) != 64 or s >= L:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    minus = (P - key[0], key[1], key[2], P - key[3])
    k = int.from_bytes(digest, "little") % L
    return encoded(plus(times(s, BASE), times(k, minus))) == signature[:32]


class Bad(Exception):
    """Tampered with: what and where."""


class Missing(Exception):
    """Incomplete: what and where."""


def b64(text: str) -> bytes:
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        raise Bad("malformed base64") from None
    if base64.b64encode(raw).decode() != text:
        raise Bad("malformed base64")
    return raw


def read_note(note: bytes, vkey: str) -> tuple[int, bytes]:
    """(size, root) of a checkpoint that the key has signed (C2SP signed-note)."""
    name, key_id, key = vkey.strip().split("+", 2)
    raw = b64(key)
    identifier = hashlib.sha256(name.encode() + b"\n" + raw).digest()[:4]
    if raw[:1] != b"\x01" or len(raw) != 33 or identifier.hex() != key_id:
        raise Bad("the key is not an Ed25519 verifier key")
    try:
        text, blank, signatures = note.decode().rpartition("\n\n")
    except UnicodeDecodeError:
        raise Bad("the checkpoint is not text") from None
    lines = text.split("\n")
    if not blank or not signatures.endswith("\n") or len(lines) < 3 or lines[0] != name:
        raise Bad("not a checkpoint of this log")
    if not re.fullmatch("0|[1-9][0-9]{0,18}", lines[1]) or len(b64(lines[2])) != 32:
        raise Bad("not a checkpoint")
    right = False
    for line in signatures[:-1].split("\n"):
        parts = line.split(" ")
        if len(parts) != 3 or parts[0] != "\u2014":
            raise Bad("a signature line is malformed")
        signature = b64(parts[2])
        if parts[1] == name and signature[:4] == identifier:
            if not signed_by(raw[1:], signature[4:], f"{text}\n".encode()):
                raise Bad("the signature of the checkpoint is wrong")
            right = True
    if not right:
        raise Bad("the checkpoint is not signed by this key")
    return int(lines[1]), b64(lines[2])


def node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_from(index: int, size: int, hashed: bytes, path: list[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162, 2.1.3.2)."""
    if not 0 <= index < size:
        raise Bad("the proof is for a record outside the tree")
    fn, sn = index, size - 1
    for sibling in path:
        if sn == 0:
            raise Bad("the proof is too long")
        if fn & 1 or fn == sn:
            hashed = node(sibling, hashed)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            hashed = node(hashed, sibling)
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise Bad("the proof is too short")
    return hashed


def read_leaf(line: bytes) -> dict[str, Any]:
    """The members of a leaf whose own hash is right and whose form is canonical."""
    body, mark, h = line.rpartition(b',"h":"')
    if not mark or h != hashlib.sha256(body).hexdigest().encode() + b'"}':
        raise Bad("the line does not have the hash it states")
    try:
        members = json.loads(body + b"}", parse_float=refuse, parse_constant=refuse)
    except ValueError:
        raise Bad("the line is not JSON as the log writes it") from None
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    if canonical != body + b"}" or members.get("v") != 1:
        raise Bad("the line is not canonical, or of another format")
    members["h"] = h[:-2].decode()
    return members


def refuse(text: str) -> None:
    raise ValueError(text)


def check_frame(pay: dict[str, Any], frame: bytes) -> bool:
    """Whether a payload is what the leaf says; False where it was erased."""
    if len(frame) != pay["len"]:
        raise Bad("its payload was cut short")
    if not frame.strip(b"\0"):
        return False
    end = 5 + 88 * frame[4]
    head, sealed = hashlib.sha256(frame[:end]), hashlib.sha256(frame[end:])
    if (head.hexdigest(), sealed.hexdigest()) != (pay["slots_sha256"], pay["ct_sha256"]):
        raise Bad("its payload was changed")
    return True


def lines_of(directory: Path) -> Iterator[tuple[int, bytes]]:
    """(segment, line) of every line; the last may lack its newline."""
    names = sorted(directory.glob("seg-*.jsonl"))
    wanted = [f"seg-{number:010}.jsonl" for number in range(1, len(names) + 1)]
    if not names:
        raise Missing("there is no log here")
    if [path.name for path in names] != wanted:
        raise Bad("segment files are missing")
    for number, path in enumerate(names, 1):
        with open(path, "rb") as file:
            for line in file:
                yield number, line


def verify_directory(directory: Path, vkey: str | None, expected: list[bytes]) -> str:
    """One pass over leaves and payloads; the tree is a stack of (level, hash)."""
    notes: list[tuple[int, bytes]] = []
    stack: list[tuple[int, bytes]] = []
    seq, prev, log, segment, end = 0, "0" * 64, "", 1, 0
    last, torn = "", False
    erased: set[int] = set()
    zeroed: set[int] = set()
    retired: set[int] = set()
    gone: set[int] = set()
    unanswered: set[int] = set()
    for number, line in lines_of(directory):
        where = f"record {seq}, segment {number}: "
        if torn := not line.endswith(b"\n"):
            break
        try:
            leaf = read_leaf(line[:-1])
            log = log or leaf["log"]
            if (leaf["seq"], leaf["prev"], leaf["log"]) != (seq, prev, log):
                raise Bad("it does not follow the record before it")
            if number != segment + (last == "rotate"):
                raise Bad("the segments do not follow one another")
        except Bad as error:
            raise Bad(where + str(error)) from None
        if seq == 0:
            stated = leaf["data"]["key"]
            if vkey and vkey.strip() != stated:
                raise Bad(f"the log is of another key: {stated}")
            found = [directory / "checkpoint", *sorted((directory / "anchors").glob("*.note"))]
            if not found[0].exists():
                raise Missing("there is no checkpoint")
            notes = [read_note(n, stated) for n in [*map(Path.read_bytes, found), *expected]]
        if number != segment:
            segment, end = number, 0
        if pay := leaf["pay"]:
            if (pay["seg"], pay["off"]) != (number, end):
                raise Bad(where + "its payload is not where it belongs")
            end += pay["len"]
            path = directory / f"seg-{number:010}.pay"
            if not path.exists():
                gone.add(number)
            else:
                with open(path, "rb") as file:
                    file.seek(pay["off"])
                    frame = file.read(min(pay["len"], path.stat().st_size))
                try:
                    if not check_frame(pay, frame):
                        zeroed.add(seq)
                except Bad as error:
                    raise Bad(where + str(error)) from None
        kind, last = leaf["type"], leaf["type"]
        erased.update(leaf["data"]["seqs"] if kind == "erasure" else ())
        retired.update(leaf["data"]["segments"] if kind == "retention" else ())
        if kind == "intent":
            unanswered.add(seq)
        elif kind == "outcome":
            unanswered.discard(leaf["ref"])
        level, hashed = 0, hashlib.sha256(b"\x00" + line[:-1]).digest()
        while stack and stack[-1][0] == level:
            level, hashed = level + 1, node(stack.pop()[1], hashed)
        stack.append((level, hashed))
        seq, prev = seq + 1, leaf["h"]
        for size, root in notes:
            if size == seq and root != folded(stack):
                raise Bad(f"the first {size} records are not those that were signed")
    if longest := max((size for size, _root in notes if size > seq), default=0):
        raise Bad(f"{longest - seq} records that were signed are missing at the end")
    if zeroed - erased or gone - retired:
        raise Bad("payloads were wiped, and no record says so")
    if torn:
        raise Missing(f"the line of record {seq} does not end: torn by a crash?")
    if seq == 0 or (last == "rotate" and segment == len(list(directory.glob("seg-*.jsonl")))):
        raise Missing("the log is empty" if seq == 0 else "the last segment is missing")
    if unanswered:
        raise Missing(f"{len(unanswered)} intents have no outcome")
    signed = max((size for size, _root in notes), default=0)
    return f"whole: {seq} records, {signed} signed, {len(zeroed)} payloads erased on record"


def folded(stack: list[tuple[int, bytes]]) -> bytes:
    hashed = stack[-1][1]
    for _level, left in reversed(stack[:-1]):
        hashed = node(left, hashed)
    return hashed


def verify_bundle(bundle: zipfile.ZipFile, vkey: str | None, expected: list[bytes]) -> str:
    names = set(bundle.namelist())
    key = bundle.read("log.vkey").decode().strip()
    if vkey and vkey.strip() != key:
        raise Bad("the bundle is signed with another key than yours")
    checkpoint = bundle.read("checkpoint")
    size, root = read_note(checkpoint, key)
    for note in expected:
        if read_note(note, key) == (size, root):
            continue
        raise Missing("the bundle is of another checkpoint than the expected one")
    seqs = sorted(int(name[7:-5]) for name in names if name.startswith("leaves/"))
    erased = 0
    for seq in seqs:
        try:
            erased += verify_record(bundle, names, seq, checkpoint, size, root)
        except Bad as error:
            raise Bad(f"record {seq}: {error}") from None
    if not seqs:
        raise Missing("the bundle has no records")
    return f"whole: {len(seqs)} records of a log of {size}, {erased} payloads erased"


def verify_record(
    bundle: zipfile.ZipFile, names: Any, seq: int, checkpoint: bytes, size: int, root: bytes
) -> bool:
    """Check one record of a bundle; whether its payload was erased."""
    line = bundle.read(f"leaves/{seq}.json")
    leaf = read_leaf(line.rstrip(b"\n"))
    if leaf["seq"] != seq:
        raise Bad(f"it is record {leaf['seq']}")
    head, _, note = bundle.read(f"proofs/{seq}.tlog-proof").decode().partition("\n\n")
    first, index, *path = head.split("\n")
    if first != "c2sp.org/tlog-proof@v1" or index != f"index {seq}" or note.encode() != checkpoint:
        raise Bad("its proof is of another record or checkpoint")
    hashed = hashlib.sha256(b"\x00" + line.rstrip(b"\n")).digest()
    if root_from(seq, size, hashed, [b64(each) for each in path]) != root:
        raise Bad("its proof does not lead to the signed root")
    if leaf["pay"] is None or f"payloads/{seq}.frame" not in names:
        return False
    return not check_frame(leaf["pay"], bundle.read(f"payloads/{seq}.frame"))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("what", type=Path, help="a bundle or a log's directory")
    parser.add_argument("--key", type=Path, help="the log's public key, from a trusted place")
    parser.add_argument("--expect", type=Path, action="append", default=[], help="a checkpoint")
    given = parser.parse_args(argv)
    try:
        key = given.key.read_text() if given.key else None
        expected = [path.read_bytes() for path in given.expect]
        if given.what.is_dir():
            print(verify_directory(given.what, key, expected))
        else:
            with zipfile.ZipFile(given.what) as bundle:
                print(verify_bundle(bundle, key, expected))
    except Bad as error:
        print(f"TAMPERED WITH: {error}")
        return 1
    except (KeyError, TypeError, ValueError, RecursionError, zipfile.BadZipFile) as error:
        print(f"TAMPERED WITH: it is not of the form of a log: {error}")
        return 1
    except (Missing, OSError) as error:
        print(f"incomplete: {error}")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
