"""The open documents as the editor has them, and where they lie in its folders.

Line breaks are CRLF, LF and CR, nothing else: `str.splitlines` knows more, and an edit
counted in such lines lands in the wrong place.
"""

import os
import posixpath
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import unquote, unquote_to_bytes

from lsprotocol import types
from lsprotocol.types import PositionEncodingKind

# How a position counts: in units of this codec, each so many bytes wide.
UNITS = {
    PositionEncodingKind.Utf8: ("utf-8", 1),
    PositionEncodingKind.Utf16: ("utf-16-le", 2),
    PositionEncodingKind.Utf32: ("utf-32-le", 4),
}
BREAK = re.compile(r"\r\n?|\n")
SURROGATE = re.compile("[\ud800-\udfff]")
# Scheme, authority and path, after RFC 3986, appendix B.
URI = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)")


@dataclass(frozen=True, slots=True)
class Edit:
    """The code points `[start, end)` of a text become `text`."""

    start: int
    end: int
    text: str = field(repr=False)


@dataclass(frozen=True)
class Document:
    """One state of an open document.

    `language` is an LSP language identifier; `text` holds no lone surrogate, so that it
    can always be encoded.  Offsets count code points, positions what `encoding` says.
    """

    uri: str
    language: str
    version: int | None
    text: str = field(repr=False)

    @cached_property
    def data(self) -> bytes:
        """The text in UTF-8."""
        return self.text.encode()

    @cached_property
    def lines(self) -> "Lines":
        starts = [0, *(found.end() for found in BREAK.finditer(self.text))]
        return Lines(starts, len(starts), 0)

    def offset_at(self, position: types.Position, encoding: PositionEncodingKind) -> int:
        """The offset of `position`.

        Past the end of a line means its end, past the last line the end of the text;
        inside a character means before it.
        """
        if position.line >= self.lines.count:
            return len(self.text)
        start, end = self._line(position.line)
        # A code point is at least one unit wide.
        before = self.text[start : min(end, start + position.character)]
        if before.isascii():
            return start + len(before)
        codec, width = UNITS[encoding]
        units = before.encode(codec)[: position.character * width]
        return start + len(units.decode(codec, "ignore"))

    def position_at(self, offset: int, encoding: PositionEncodingKind) -> types.Position:
        """The position of `offset`; between CR and LF means before both."""
        offset = min(max(offset, 0), len(self.text))
        line = self.lines.at(offset)
        start, end = self._line(line)
        before = self.text[start : min(offset, end)]
        if before.isascii():
            return types.Position(line, len(before))
        codec, width = UNITS[encoding]
        return types.Position(line, len(before.encode(codec)) // width)

    def changed(
        self,
        changes: Iterable[types.TextDocumentContentChangeEvent],
        version: int | None,
        encoding: PositionEncodingKind,
    ) -> "Document":
        """The document after `changes`, each counted in what the one before it left."""
        document = self._as(self.text, version, vars(self).get("lines"))
        for _edit, after in document.steps(changes, encoding):
            document = after
        return document

    def steps(
        self,
        changes: Iterable[types.TextDocumentContentChangeEvent],
        encoding: PositionEncodingKind,
    ) -> Iterator[tuple[Edit, "Document"]]:
        """Each change as an edit of the state before it, and the state after it."""
        document = self
        for change in changes:
            edit, document = document._with(change, encoding)
            yield edit, document

    def _with(
        self,
        change: types.TextDocumentContentChangeEvent,
        encoding: PositionEncodingKind,
    ) -> tuple[Edit, "Document"]:
        new = encodable(change.text)
        if isinstance(change, types.TextDocumentContentChangeWholeDocument):
            return difference(self.text, new), self._as(new, self.version, None)
        start = self.offset_at(change.range.start, encoding)
        end = max(start, self.offset_at(change.range.end, encoding))
        text = self.text[:start] + new + self.text[end:]
        lines = self.lines.after(text, start, end, len(new))
        return Edit(start, end, new), self._as(text, self.version, lines)

    def _as(self, text: str, version: int | None, lines: "Lines | None") -> "Document":
        document = Document(self.uri, self.language, version, text)
        if lines:
            # Where `cached_property` looks first: the text is not scanned again.
            vars(document)["lines"] = lines
        return document

    def _line(self, line: int) -> tuple[int, int]:
        """Offsets of a line's start and of its end before the line break."""
        start = self.lines.start(line)
        last = line + 1 >= self.lines.count
        end = len(self.text) if last else self.lines.start(line + 1)
        while end > start and self.text[end - 1] in "\r\n":
            end -= 1
        return start, end


@dataclass(frozen=True, slots=True)
class Lines:
    """Offsets at which the lines of a text start.

    Those from line `settled` on are kept `drift` too small: an edit rewrites the starts
    between it and the edit before, which is near, instead of all that follow.  `starts`
    is shared between states and never changed.
    """

    starts: list[int]
    settled: int
    drift: int

    @property
    def count(self) -> int:
        return len(self.starts)

    def start(self, line: int) -> int:
        return self.starts[line] + (self.drift if line >= self.settled else 0)

    def at(self, offset: int) -> int:
        """The line on which `offset` is; -1 before the text."""
        if self.settled < self.count and self.start(self.settled) <= offset:
            return bisect_right(self.starts, offset - self.drift, lo=self.settled) - 1
        return bisect_right(self.starts, offset, hi=self.settled) - 1

    def after(self, text: str, start: int, end: int, length: int) -> "Lines":
        """The lines of `text`, where `length` code points replaced `[start, end)`.

        Whether a line starts at an offset depends on the characters on its two sides,
        so the offsets from `start` to `start + length` are looked at anew, no others.
        """
        window = max(0, start - 1), min(start + length + 1, len(text))
        ends = (found.end() for found in BREAK.finditer(text, *window))
        fresh = [offset for offset in ends if start <= offset <= start + length]
        first, last = max(1, self.at(start - 1) + 1), self.at(end) + 1
        starts, drift = self.starts, self.drift
        # Without a drift every start is right either way.
        settled = self.settled if drift else first
        head = starts[: min(first, settled)]
        head += [offset + drift for offset in starts[settled:first]]
        head += fresh
        tail = [offset - drift for offset in starts[last:settled]]
        tail += starts[max(last, settled) :]
        return Lines(head + tail, len(head), drift + length - (end - start))


class Listener(Protocol):
    """Hears what becomes of documents, after it has become of them."""

    def changed(self, before: Document, edit: Edit, after: Document) -> None: ...

    def closed(self, document: Document) -> None: ...


class Documents:
    """Every open document, and the workspace's folders.

    `open_now` is replaced and never changed, so whoever keeps it keeps that moment.
    """

    def __init__(self) -> None:
        self.encoding = PositionEncodingKind.Utf16
        self.open_now: Mapping[str, Document] = {}
        self.listener: Listener | None = None
        self._folders: dict[str, PurePosixPath] = {}
        # Where open documents lie is asked at every key.
        self._places: dict[str, tuple[str | None, str]] = {}

    def get(self, uri: str) -> Document | None:
        return self.open_now.get(uri)

    def open(self, item: types.TextDocumentItem) -> None:
        self.close(item.uri)  # A client that opens twice means another text.
        text = encodable(item.text)
        document = Document(item.uri, item.language_id, item.version, text)
        self.open_now = {**self.open_now, item.uri: document}

    def change(self, params: types.DidChangeTextDocumentParams) -> None:
        """Apply edits; those to a document that is not open are passed over."""
        identifier = params.text_document
        if known := self.get(identifier.uri):
            before = known.changed((), identifier.version, self.encoding)
            steps = list(before.steps(params.content_changes, self.encoding))
            newest = steps[-1][1] if steps else before
            self.open_now = {**self.open_now, identifier.uri: newest}
            for edit, after in steps:
                if self.listener:
                    self.listener.changed(before, edit, after)
                before = after

    def close(self, uri: str) -> None:
        document = self.get(uri)
        self.open_now = {u: d for u, d in self.open_now.items() if u != uri}
        self._places.pop(uri, None)
        if self.listener and document:
            self.listener.closed(document)

    @property
    def folders(self) -> tuple[str, ...]:
        """URIs of the workspace's folders, in the editor's order."""
        return tuple(self._folders)

    def change_folders(self, added: Iterable[str], removed: Iterable[str] = ()) -> None:
        self._places = {}
        for uri in removed:
            self._folders.pop(uri, None)
        self._folders.update((uri, path_in(uri)) for uri in added)

    def relative_path(self, uri: str) -> str:
        """The path below the innermost workspace folder, with forward slashes.

        Outside of all folders only the name, `untitled:Untitled-1` being `Untitled-1`:
        where else on the disk a file lies is nobody's business.
        """
        return self._place(uri)[1]

    def folder_of(self, uri: str) -> str | None:
        """The URI of the innermost workspace folder around, None outside of all."""
        return self._place(uri)[0]

    def _place(self, uri: str) -> tuple[str | None, str]:
        """The folder, and the path below it."""
        if known := self._places.get(uri):
            return known
        path = path_in(uri)
        around = [name for name, folder in self._folders.items() if folder in path.parents]
        folder = max(around, key=lambda name: len(self._folders[name].parts), default=None)
        below = path.relative_to(self._folders[folder]) if folder else path.name or "untitled"
        if uri in self.open_now:
            self._places[uri] = folder, str(below)
        return folder, str(below)


def difference(before: str, after: str) -> Edit:
    """The smallest edit between two whole texts, as far to the right as it can be."""
    start = _shared(before, after, 0)
    end = _shared(before[::-1], after[::-1], start)
    return Edit(start, len(before) - end, after[start : len(after) - end])


def _shared(one: str, other: str, taken: int) -> int:
    """How many first characters are the same, leaving alone `taken` ones at the end."""
    low, high = 0, min(len(one), len(other)) - taken
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def encodable(text: str) -> str:
    """`text` with U+FFFD for lone surrogates: as wide as they are in every encoding."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return SURROGATE.sub("\ufffd", text)
    return text


def path_in(uri: str) -> PurePosixPath:
    """The path in a URI of any scheme, decoded, without `.` and `..`."""
    _scheme, _authority, path = _parts(uri)
    return PurePosixPath(posixpath.normpath(unquote(path)) if path else "")


def file_path(uri: str) -> Path | None:
    """The file that a URI names on this machine, None where it names none."""
    scheme, authority, path = _parts(uri)
    if scheme != "file" or authority not in ("", "localhost"):
        return None
    path = os.fsdecode(unquote_to_bytes(path))
    return Path(path) if path.startswith("/") else None


def _parts(uri: str) -> tuple[str, str, str]:
    found = URI.match(uri)
    assert found  # Each part may be empty, so everything matches.
    return found[1] or "", found[2] or "", found[3]
