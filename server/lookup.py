"""What an index, and the open documents laid over it, hold for one place in a file."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..completion.cursor import Cursor, Snippet
from ..indexing.facts import Facts
from ..indexing.languages import language_of
from ..indexing.parse import parse
from ..indexing.reader import Reader
from ..indexing.retrieval import Index, Item, by_file, retrieve
from . import exclusions
from .documents import Document

# Code points of the largest open document that is parsed; of a larger one the index knows.
LARGEST = 256 << 10


@dataclass(frozen=True, slots=True)
class Place:
    """Where a context is wanted: `room` tokens of it, and nothing of what `globs` exclude.

    `database` is that of the index; `documents` are the other open ones of the folder, by
    their paths in it.
    """

    cursor: Cursor
    room: int
    globs: tuple[str, ...]
    database: Path
    documents: Mapping[str, Document]


class Lookup:
    """The indexes that one editor looks into.  One thread uses it."""

    def __init__(self) -> None:
        self._readers: dict[Path, Reader] = {}
        self._parsed: dict[str, tuple[Document, Facts]] = {}

    def items(self, place: Place) -> list[Item]:
        """Empty where there is no index, or none yet."""
        reader = self._readers.setdefault(place.database, Reader(place.database))
        if not reader.refresh():
            return []
        self._parsed = {p: kept for p, kept in self._parsed.items() if p in place.documents}
        live = _Live(place.documents, self._parsed, place.globs)
        return items_at(reader, place.cursor, place.room, place.globs, live)


def items_at(
    index: Index,
    cursor: Cursor,
    room: int,
    globs: tuple[str, ...],
    live: Mapping[str, Facts] | None = None,
) -> list[Item]:
    """At most `room` tokens for a cursor, of files that no rule excludes."""
    language = language_of(cursor.path)
    if language is None or len(cursor.text) > LARGEST:
        return []
    rule = exclusions.policy(globs)
    found = retrieve(index, cursor.path, language, cursor.text, cursor.offset, room, live)
    # An index that was made under other rules may still be there.
    return [item for item in found if not rule(item.path)]


def snippets(items: Iterable[Item]) -> tuple[Snippet, ...]:
    """What is put before the prompt, one piece for each file, in the order of their paths."""
    return tuple(Snippet(*piece) for piece in by_file(items))


class _Live(Mapping[str, Facts]):
    """The facts of open documents, each parsed when it is asked for and has changed."""

    def __init__(
        self,
        documents: Mapping[str, Document],
        parsed: dict[str, tuple[Document, Facts]],
        globs: tuple[str, ...],
    ) -> None:
        self._documents, self._parsed, self._globs = documents, parsed, globs

    def __getitem__(self, path: str) -> Facts:
        document = self._documents[path]
        known = self._parsed.get(path)
        language = language_of(path)
        if known and known[0] is document:
            return known[1]
        if not language or exclusions.reason(path, document.text, self._globs):
            return NOTHING
        if len(document.text) > LARGEST:
            raise KeyError(path)
        facts = parse(language, document.data)
        self._parsed[path] = document, facts
        return facts

    def __contains__(self, path: object) -> bool:
        return path in self._documents and len(self._documents[str(path)].text) <= LARGEST

    def __iter__(self) -> Iterator[str]:
        return (path for path in self._documents if path in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


# Of an open file that is left alone.
NOTHING = Facts("", 0, 0.0)
