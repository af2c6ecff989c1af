"""Texts that a suggestion may be copied from: other open files, then those of the index."""

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from ..completion.earlier import Text
from ..indexing import text as indexed
from . import exclusions, index
from .app import Startup
from .documents import Document, Documents, file_path
from .settings import CompletionSettings

# Characters; a larger file is not searched at every key.
LARGEST = 1_000_000
# Bytes of the index's text, those of the nearest files: what is searched in a millisecond.
INDEXED = 1 << 20


class Nearby:
    """What may be copied from for a file of one editor, the nearest first.

    A file that gets no ghost text gives none either, and what is open counts as it is in
    the editor, not as it is on the disk.
    """

    def __init__(
        self,
        documents: Documents,
        wanted: Callable[[Path | None], CompletionSettings],
        startup: Callable[[], Startup],
    ) -> None:
        self._documents = documents
        self._wanted = wanted
        self._startup = startup
        self._indexed: dict[Path, IndexedText] = {}

    def texts(self, path: str) -> list[Text]:
        """Texts for the open file `path`, itself not among them."""
        documents = self._documents
        open_now = {documents.relative_path(d.uri): d for d in documents.open_now.values()}
        if path in open_now and not self._wanted(file_path(open_now[path].uri)).context:
            return []
        found: list[Text] = []
        for other, document in open_now.items():
            globs = self._wanted(file_path(document.uri)).exclude if other != path else ()
            if other != path and _allowed(other, document, globs):
                found.append(Text(other, document.data))
        found.sort(key=lambda text: distance(path, text.where))
        startup = self._startup()
        folders = documents.folders if index.readable(startup) else ()
        for folder in filter(None, map(file_path, folders)):
            if folder not in self._indexed:
                place = index.directory(startup.paths, folder) / "text"
                self._indexed[folder] = IndexedText(place)
            if (text := self._indexed[folder].text(frozenset(open_now))) is not None:
                found.append(text)
        return found


def _allowed(path: str, document: Document, globs: Sequence[str]) -> bool:
    return len(document.text) <= LARGEST and not exclusions.reason(path, document.text, globs)


class IndexedText:
    """The text that the index process keeps of a folder, read anew when it has changed."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._read: tuple[int, int, int] | None = None
        self._without: frozenset[str] = frozenset()
        self._text: Text | None = None

    def text(self, without: frozenset[str]) -> Text | None:
        """The nearest files but those in `without`; None where there is no index."""
        try:
            found = self._file.stat()
            stamp = (found.st_ino, found.st_mtime_ns, found.st_size)
            if (stamp, without) != (self._read, self._without):
                self._text = join(self._file.read_bytes(), without)
                self._read, self._without = stamp, without
        except OSError:
            return None
        return self._text


def join(data: bytes, without: frozenset[str]) -> Text | None:
    """The last files of the index's text, which are the nearest, as one text."""
    kept: list[indexed.Section] = []
    room = INDEXED
    for section in reversed(list(indexed.sections(data))):
        if section.path not in without:
            room -= section.end - section.start
            if room < 0:
                break
            kept.append(section)
    parts: list[tuple[int, str]] = []
    pieces: list[bytes] = []
    at = 0
    for section in reversed(kept):
        parts.append((at, section.path))
        # No match reaches over the end of a file: there is no NUL in a source.
        pieces.append(data[section.start : section.end] + b"\n\0")
        at += len(pieces[-1])
    return Text("", b"".join(pieces), tuple(parts)) if parts else None


def distance(path: str, other: str) -> tuple[int, int, str]:
    """Sorts `other` by how many steps through folders lead to it."""
    mine, theirs = PurePosixPath(path).parts[:-1], PurePosixPath(other).parts[:-1]
    same = 0
    while same < min(len(mine), len(theirs)) and mine[same] == theirs[same]:
        same += 1
    return len(mine) - same, len(theirs) - same, other
