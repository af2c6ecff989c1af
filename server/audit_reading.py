"""`wicket audit show`, `tail`, `search`, `doctor`: what the log says, without changing it."""

import argparse
import getpass
import json
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from ..escalation.audit import reading
from ..escalation.audit.errors import AuditError, NoKey
from ..escalation.audit.frame import ReaderKey
from ..escalation.audit.leaf import Leaf
from ..escalation.audit.note import unverified
from ..escalation.audit.projection import COLUMNS, Projection
from ..escalation.audit.records import Access
from ..escalation.audit.verification import is_live
from . import audit_noting, audit_place
from .audit_place import Place
from .paths import Paths, private_directory, private_file

# What a line of `tail` says of a record, where it has it.
SUMMARY = ("purpose", "model", "status", "reason", "http_status", "cost", "error", "key", "name")

# Of one range on the command line: a slip of the finger does not fill the memory.
MOST_NUMBERS = 1_000_000


def show(arguments: argparse.Namespace) -> int:
    """Records by number; with --payload also their content, which is put on record."""
    paths = Paths.of(os.environ)
    place = audit_place.the_one(paths, arguments.dir)
    seqs = numbers(arguments.what)
    if not seqs:
        print("wicket audit show: say which records, such as 12 or 12-15", file=sys.stderr)
        return 2
    found = [reading.one(place.directory, seq)[0] for seq in seqs]
    key = reader(paths, arguments) if arguments.payload else None
    if key is not None:
        put_access_on_record(place, tuple(seqs), "wicket audit show --payload")
    rows = [_row(place, leaf, key) for leaf in found]
    if arguments.json:
        print(json.dumps({"records": rows}))
    else:
        for row in rows:
            print(json.dumps(row, indent=2))
    return 0


def reader(paths: Paths, arguments: argparse.Namespace) -> ReaderKey:
    """The key to open payloads with.  Raises NoKey, OSError."""
    if arguments.reader:
        return ReaderKey.of(Path(arguments.reader).read_text())
    if (key := audit_place.reader_key(paths)) is None:
        raise NoKey(f"no key to open payloads with: {paths.reader_key} is missing")
    return key


def _row(place: Place, leaf: Leaf, key: ReaderKey | None) -> dict[str, object]:
    its = leaf.tail
    row: dict[str, object] = {"seq": its.seq, "type": its.type, "ts": its.ts, "id": its.id}
    row |= {"ref": its.ref, "h": its.h, "data": leaf.data}
    if its.pay is not None:
        row["payload_bytes"] = its.pay.len
    if key is not None and its.pay is not None:
        try:
            parts = reading.payload(place.directory, its, key)
            row["payload"] = {
                name: content.decode("utf-8", "backslashreplace") for name, content in parts.items()
            }
        except NoKey as error:
            row["payload"] = None
            row["why"] = str(error)
    return row


def put_access_on_record(place: Place, seqs: tuple[int, ...], purpose: str) -> None:
    """Write who opens payloads; where that cannot be, say so."""
    if place.head is None:
        print("wicket audit: a copy of a log; this access is not recorded in it", file=sys.stderr)
        return
    try:
        record = Access(getpass.getuser(), purpose, seqs)
        audit_noting.put(place, record)
    except AuditError as error:
        print(f"wicket audit: this access is not recorded: {error}", file=sys.stderr)


def numbers(texts: list[str]) -> list[int]:
    """`3 7-9` to 3, 7, 8, 9.  Raises ValueError, whose message is one line."""
    found: list[int] = []
    for text in texts:
        first, _, last = text.partition("-")
        if not (first.isdecimal() and (last or first).isdecimal()):
            raise ValueError(f"{text!r} is no record such as 12 or 12-15")
        named = range(int(first), int(last or first) + 1)
        if len(named) > MOST_NUMBERS:
            raise ValueError(f"{text!r} names more than {MOST_NUMBERS:,} records")
        found += named
    return found


def tail(arguments: argparse.Namespace) -> int:
    """The last records; with --follow also those to come."""
    place = audit_place.the_one(Paths.of(os.environ), arguments.dir)
    at = max(0, reading.size(place.directory) - arguments.lines)
    while True:
        for leaf, line in reading.leaves(place.directory, at):
            print(line.decode() if arguments.json else summary(leaf), flush=True)
            at = leaf.tail.seq + 1
        if not arguments.follow:
            return 0
        time.sleep(0.25)


def summary(leaf: Leaf) -> str:
    """One line; everything in it is printable ASCII."""
    data, its = leaf.data, leaf.tail
    words = [f"{name}={json.dumps(data[name])}" for name in SUMMARY if data.get(name) is not None]
    if isinstance(actor := data.get("actor"), dict):
        words.insert(0, f"user={json.dumps(actor['user'])}")
    if isinstance(decision := data.get("decision"), dict):
        words.append(f"decision={json.dumps(decision['decision'])}")
    if isinstance(frozen := data.get("frozen"), bool):
        words.insert(0, "frozen" if frozen else "thawed")
    if isinstance(decision := data.get("decision"), str):
        words.insert(0, decision)
    about = "" if its.ref is None else f" of {its.ref}"
    return f"{its.seq:8} {its.ts} {its.type}{about}  {' '.join(words)}"


def search(arguments: argparse.Namespace) -> int:
    """Words and name:value filters, such as `type:denied user:ada`."""
    paths = Paths.of(os.environ)
    place = audit_place.the_one(paths, arguments.dir)
    seqs = projected(paths, place, arguments.what, arguments.since or "")
    found = [reading.one(place.directory, seq)[0] for seq in reversed(seqs)]
    if arguments.json:
        print(json.dumps({"records": [_row(place, leaf, None) for leaf in found]}))
    else:
        for leaf in found:
            print(summary(leaf))
        if not found:
            print("wicket audit search: no record is like that", file=sys.stderr)
    return 0 if found else 1


def projected(
    paths: Paths, place: Place, what: list[str], since: str = "", limit: int = 100
) -> list[int]:
    """Records that hold the words and filters; the projection in the cache is disposable."""
    pairs = [word.partition(":") for word in what]
    filters = {name: value for name, colon, value in pairs if colon and name in COLUMNS}
    words = [word for word in what if word.partition(":")[0] not in filters]
    private_directory(paths.cache)
    file = private_directory(paths.cache / "audit") / f"{place.directory.name}.db"
    private_file(file).close()
    projection = Projection(file, place.directory)
    try:
        return list(projection.search(words, filters, since, limit))
    finally:
        projection.close()


def doctor(arguments: argparse.Namespace) -> int:
    """What a log's owner wants to know before somebody asks."""
    paths = Paths.of(os.environ)
    rows = [_health(paths, place) for place in audit_place.places(paths, arguments.dir)]
    if arguments.json:
        print(json.dumps({"logs": rows}))
    else:
        for row in rows:
            for name, value in row.items():
                print(f"{name:12} {value}")
            print()
    return 0


def _health(paths: Paths, place: Place) -> dict[str, object]:
    directory = place.directory
    row: dict[str, object] = {"log": directory.name, "directory": str(directory)}
    try:
        row["records"] = reading.size(directory)
        row["live"] = is_live(directory)
        row["bytes"] = sum(path.stat().st_size for path in directory.glob("seg-*"))
        free = os.statvfs(directory)
        row["free_bytes"] = free.f_bavail * free.f_frsize
        row["signed"] = _signed(directory / "checkpoint")
    except (AuditError, OSError) as error:
        row["trouble"] = str(error)
    row["head"] = _signed(place.head) if place.head else "not on this machine: a copy"
    row["anchor"] = _last_anchor(directory)
    reader = paths.reader_key
    row["reader_key"] = str(reader) if reader.exists() else f"none at {reader}"
    return row


def _signed(path: Path) -> str:
    if not path.exists():
        return f"none at {path}"
    age = datetime.now(UTC) - datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return f"{unverified(path.read_bytes()).size} records, {int(age.total_seconds())} s ago"


def _last_anchor(directory: Path) -> str:
    found = sorted((directory / "anchors").glob("*.note"), key=lambda path: path.stat().st_mtime)
    return _signed(found[-1]) if found else "never; `wicket audit anchor --to PLACE`"
