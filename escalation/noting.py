"""Notes of readers and owners: records that other processes write while the gate holds the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from .audit.records import Access, Anchor, Annotation, Erasure, Hold, Record, Retention
from .audit.shapes import dump, grammar, to_json
from .task import Malformed

# What people do to a log.  What the gate itself does is not for others to claim.
KINDS: dict[str, type[Record]] = {
    kind.__name__.lower(): kind for kind in (Access, Anchor, Annotation, Erasure, Hold, Retention)
}
# An erasure of two thousand records has some 20 KB; this is fifty of them.
LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Note:
    """A record and the number of the one that it speaks about."""

    record: Record
    ref: int | None = None


def written(log: str, notes: Sequence[Note]) -> dict[str, object]:
    """What `read` reads: the body of `POST /v1/notes`."""
    rows: list[dict[str, object]] = []
    for note in notes:
        kind = type(note.record).__name__.lower()
        rows.append({"kind": kind, "data": to_json(note.record), "ref": note.ref})
    return {"log": log, "notes": rows}


def read(body: object) -> tuple[str, list[Note]]:
    """The log that is meant, and the notes.  Raises Malformed."""
    said = cast(dict[str, Any], body) if isinstance(body, dict) else {}
    log, rows = said.get("log"), said.get("notes")
    if not isinstance(log, str) or not isinstance(rows, list):
        raise Malformed("the body must be {log, notes: [{kind, data, ref}]}")
    return log, [_note(row) for row in cast(list[object], rows)]


def _note(row: object) -> Note:
    said = cast(dict[str, Any], row) if isinstance(row, dict) else {}
    kind, data, ref = KINDS.get(str(said.get("kind"))), said.get("data"), said.get("ref")
    if kind is None:
        raise Malformed(f"a note is one of {', '.join(sorted(KINDS))}")
    if not isinstance(data, dict) or not (ref is None or type(ref) is int):
        raise Malformed("a note has data, and a number or null as ref")
    values = cast(dict[str, Any], data)
    try:
        fits = grammar(kind).fullmatch(dump(values)) is not None
    except (ValueError, RecursionError):
        fits = False
    # What does not fit into a leaf is for the log itself to put into a payload.
    if not fits or any(isinstance(value, dict) for value in values.values()):
        raise Malformed(f"this is no {kind.__name__.lower()} record")
    return Note(kind(**{name: _field(value) for name, value in values.items()}), ref)


def _field(value: object) -> Any:
    return tuple(cast(list[object], value)) if isinstance(value, list) else value
