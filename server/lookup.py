"""What an index, and the open documents laid over it, hold for one place in a file."""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..completion.cursor import Cursor, Snippet
from ..indexing.facts import Facts
from ..indexing.languages import language_of
from ..indexing.parse import parse
from ..indexing.reader import Reader
from ..indexing.retrieval import Index, Item, Read, by_file, retrieve
from . import exclusions
from .documents import Document, Documents, difference
from .repositories import reading

# Code points of the largest open document that is parsed; of a larger one the index knows.
LARGEST = 256 << 10
# Files whose latest edits are remembered, and edits of each.
EDITED, EDITS = 8, 4


@dataclass(frozen=True, slots=True)
class Place:
    """Where a context is wanted: `room` tokens of it, and nothing of what `globs` exclude.

    `root` is the folder and `database` that of its index; `documents` are the other open ones
    of the folder, by their paths in it.
    """

    cursor: Cursor
    room: int
    globs: tuple[str, ...]
    root: Path
    database: Path
    documents: Mapping[str, Document]


class Lookup:
    """The indexes that one editor looks into.  One thread uses it."""

    def __init__(self) -> None:
        self._readers: dict[Path, Reader] = {}
        self._parsed: dict[str, tuple[Document, Facts]] = {}
        self._edits = Edits()

    def items(self, place: Place) -> list[Item]:
        """Empty where there is no index, or none yet."""
        reader = self._readers.setdefault(place.database, Reader(place.database))
        if not reader.refresh():
            return []
        self._parsed = {p: kept for p, kept in self._parsed.items() if p in place.documents}
        live = Live(place.documents, place.globs, self._parsed)
        typed = {path: document.text for path, document in place.documents.items()}
        self._edits.see(typed | {place.cursor.path: place.cursor.text})
        root = Path(os.path.realpath(place.root))

        def unsaved(file: Path) -> bytes | None:
            document = place.documents.get(file.relative_to(root).as_posix())
            return document and document.data

        read = reading(root, place.globs, LARGEST, unsaved)
        return items_at(
            reader, place.cursor, place.room, place.globs, live, texts(read), self._edits.places
        )


def items_at(
    index: Index,
    cursor: Cursor,
    room: int,
    globs: tuple[str, ...],
    live: Mapping[str, Facts] | None = None,
    read: Read | None = None,
    edited: Mapping[str, Sequence[int]] | None = None,
) -> list[Item]:
    """At most `room` tokens for a cursor, of files that no rule excludes; see `retrieve`."""
    language = language_of(cursor.path)
    if language is None or len(cursor.text) > LARGEST:
        return []
    rule = exclusions.policy(globs)
    found = retrieve(
        index, cursor.path, language, cursor.text, cursor.offset, room, live, read, edited
    )
    # An index that was made under other rules may still be there.
    return [item for item in found if not rule(item.path)]


def texts(read: Callable[[str], bytes | None]) -> Read:
    """Files as text, those that are not too large."""

    def text(path: str) -> str | None:
        source = read(path)
        return None if source is None or len(source) > LARGEST else source.decode(errors="replace")

    return text


class Edits:
    """Where files were edited lately, as far as one sees them change."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}
        self.places: OrderedDict[str, list[int]] = OrderedDict()

    def see(self, typed: Mapping[str, str]) -> None:
        """What each open document says now."""
        for path, text in typed.items():
            before = self._seen.get(path)
            if before is not None and before != text:
                line = text.count("\n", 0, difference(before, text).start)
                self.places[path] = [line, *self.places.get(path, [])][:EDITS]
                self.places.move_to_end(path)
                if len(self.places) > EDITED:
                    self.places.popitem(last=False)
        self._seen = {path: text for path, text in typed.items() if len(text) <= LARGEST}


def snippets(items: Iterable[Item]) -> tuple[Snippet, ...]:
    """What is put before the prompt, one piece for each file, in the order of their paths."""
    return tuple(Snippet(*piece) for piece in by_file(items))


def beside(documents: Documents, uri: str) -> dict[str, Document]:
    """The other open documents of the folder that `uri` lies in, by their paths there."""
    folder = documents.folder_of(uri)
    return {
        documents.relative_path(one.uri): one
        for one in documents.open_now.values()
        if one.uri != uri and documents.folder_of(one.uri) == folder
    }


class Live(Mapping[str, Facts]):
    """The facts of open documents, each parsed when it is asked for and has changed."""

    def __init__(
        self,
        documents: Mapping[str, Document],
        globs: tuple[str, ...],
        parsed: dict[str, tuple[Document, Facts]] | None = None,
    ) -> None:
        self._documents, self._globs = documents, globs
        self._parsed = {} if parsed is None else parsed

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
