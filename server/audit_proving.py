"""`wicket audit prove` and `export`: records for somebody else, with or without proofs."""

import argparse
import csv
import json
import os
import sys
from pathlib import Path
from typing import Any, cast

from ..escalation.audit import reading
from ..escalation.audit.leaf import Leaf
from ..escalation.audit.proof import Signed
from . import audit_place
from .audit_reading import numbers
from .paths import Paths

# A cell that begins with one of these is a formula to a spreadsheet (OWASP, CSV injection).
FORMULA = ("=", "+", "-", "@", "\t", "\r")
# Columns of the CSV and where they are in a record's data.
COLUMNS: dict[str, tuple[str, ...]] = {
    "exchange": ("exchange",),
    "user": ("actor", "user"),
    "identity": ("actor", "identity"),
    "purpose": ("purpose",),
    "provider": ("provider", "name"),
    "host": ("provider", "endpoint", "host"),
    "region": ("provider", "region"),
    "model": ("model",),
    "decision": ("decision", "decision"),
    "rule": ("decision", "rule"),
    "consent": ("consent", "mode"),
    "status": ("status",),
    "bytes": ("bytes",),
    "sent": ("sent",),
    "received": ("received",),
    "tokens_in": ("tokens_in",),
    "tokens_out": ("tokens_out",),
    "cost": ("cost",),
    "error": ("error",),
}


def prove(arguments: argparse.Namespace) -> int:
    """Write `SEQ.tlog-proof` beside `SEQ.json`, the record itself, into this directory."""
    place = audit_place.the_one(Paths.of(os.environ), arguments.dir)
    seqs = numbers(arguments.what)
    if not seqs:
        print("wicket audit prove: say which records, such as 12", file=sys.stderr)
        return 2
    signed = Signed.of(place.directory)
    for seq in seqs:
        proof = signed.proof(seq)
        Path(f"{seq}.tlog-proof").write_bytes(proof)
        Path(f"{seq}.json").write_bytes(reading.one(place.directory, seq)[1] + b"\n")
    files = [f"{seq}.tlog-proof" for seq in seqs]
    if arguments.json:
        print(json.dumps({"proofs": files, "size": signed.checkpoint.size, "key": str(signed.key)}))
    else:
        print(f"{', '.join(files)}: in the log of {signed.checkpoint.size} records, {signed.key}")
    return 0


def export(arguments: argparse.Namespace) -> int:
    """Records as they are, as rows of a table, or as a bundle with proofs."""
    place = audit_place.the_one(Paths.of(os.environ), arguments.dir)
    if arguments.bundle:
        file, *named = arguments.bundle
        seqs = numbers([*named, *arguments.what])
        signed = Signed.of(place.directory)
        seqs = seqs or list(range(signed.checkpoint.size))
        signed.bundle(Path(file), seqs)
        print(f"{file}: {len(seqs)} records; `python3 verify.py` in it verifies it")
        return 0
    wanted = set(numbers(arguments.what))
    table = csv.writer(sys.stdout) if arguments.csv else None
    if table is not None:
        table.writerow(["seq", "ts", "type", "ref", *COLUMNS, "payload_bytes", "h"])
    for leaf, line in reading.leaves(place.directory, min(wanted, default=0)):
        if wanted and leaf.tail.seq not in wanted:
            continue
        if table is not None:
            table.writerow(row(leaf))
        else:
            print(line.decode())
    return 0


def row(leaf: Leaf) -> list[object]:
    """A record as cells that no spreadsheet takes for a formula."""
    data, its = leaf.data, leaf.tail
    cells = [_at(data, path) for path in COLUMNS.values()]
    size = its.pay.len if its.pay else None
    return [its.seq, its.ts, its.type, its.ref, *map(_cell, cells), size, its.h]


def _at(data: dict[str, Any], path: tuple[str, ...]) -> object:
    value: Any = data
    for name in path:
        # Kinds share names: the `decision` of one is a text, that of another an object.
        value = cast(dict[str, Any], value).get(name) if isinstance(value, dict) else None
    return value


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    # Line breaks and control characters would let one record look like several.
    shown = json.dumps(value)[1:-1].replace('\\"', '"')
    return f"'{shown}" if value.startswith(FORMULA) else shown
