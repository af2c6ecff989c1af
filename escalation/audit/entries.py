"""Records and their content to entries: cut, spilled into the payload, sealed."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import get_args, get_type_hints

from .errors import Unwritable
from .frame import RecordKey, Sealed, seal
from .leaf import ENVELOPE_LIMIT, LEAF_LIMIT
from .records import Applied, Close, Freeze, Level, Outcome, Record, Spilled, Tool
from .shapes import dump, grammar, to_json
from .writer import Entry

# Kinds that end or describe what has begun; they may use the disk reserve.
ESSENTIAL = (Outcome, Tool, Applied, Freeze, Close)


@dataclass(frozen=True, slots=True)
class Sealing:
    """To whom and how much of the content is kept.  `log` is the log's identifier."""

    log: str
    recipients: tuple[bytes, ...]
    level: Level

    def entry(self, record: Record, id: str, parts: Mapping[str, bytes], ref: int | None) -> Entry:
        """Raises Unwritable where the record has no place in the format."""
        kind = type(record).__name__.lower()
        kept = dict(parts) if self._keeps(record) else {}
        key = RecordKey() if self.recipients else None
        value = to_json(record)
        data = dump(value)
        if grammar(type(record)).fullmatch(data) is None:
            raise Unwritable(f"a field of this {kind} is not what the format allows")
        if len(data) > LEAF_LIMIT - ENVELOPE_LIMIT:
            data = _spill(record, key, kept)
        sealed = self._sealed(key, parts, kept, id) if key and (parts or kept) else None
        essential = isinstance(record, ESSENTIAL)
        return Entry(kind, data, id, ref, sealed, essential)

    def _keeps(self, record: Record) -> bool:
        if self.level == "request":
            return not isinstance(record, Outcome)
        return self.level == "full"

    def _sealed(
        self, key: RecordKey, parts: Mapping[str, bytes], kept: Mapping[str, bytes], id: str
    ) -> Sealed:
        first = next(iter((parts or kept).values()))
        return seal(key, kept, key.commit(first), self.recipients, context(self.log, id))


def context(log: str, id: str) -> bytes:
    """What a payload frame is bound to."""
    return f"{log}\n{id}".encode()


def _spill(record: Record, key: RecordKey | None, kept: dict[str, bytes]) -> str:
    """Move lists into the payload, the longest first, until the rest fits into a leaf."""
    if key is None:
        raise Unwritable("the record is too long for a leaf, and there is no key to seal to")
    while len(data := dump(to_json(record))) > LEAF_LIMIT - ENVELOPE_LIMIT:
        lists = {name: dump(to_json(getattr(record, name))) for name in _spillable(record)}
        if not lists:
            raise Unwritable(f"the record has {len(data)} bytes, a leaf at most {LEAF_LIMIT}")
        name = max(lists, key=lambda one: len(lists[one]))
        content = lists[name].encode()
        kept[name] = content
        spilled = Spilled(name, len(getattr(record, name)), key.commit(content))
        record = replace(record, **{name: spilled})
    return data


def _spillable(record: Record) -> list[str]:
    hints = get_type_hints(type(record))
    return [
        field.name
        for field in fields(record)
        if Spilled in get_args(hints[field.name]) and isinstance(getattr(record, field.name), tuple)
    ]
