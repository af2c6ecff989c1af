"""What the grammars make of open documents: one tree for each, made anew as it is typed.

The first tree of a document is made in a thread.  From then on a key costs little, and it
costs it only where there is a text to be judged.
"""

import time
from concurrent.futures import ThreadPoolExecutor

from ..completion.cursor import Cursor
from ..completion.place import Troubles
from ..indexing.excerpts import Excerpt, Excerpts
from ..indexing.languages import language_of
from ..indexing.trees import LARGEST, Trees, spliced, troubles

# What judging all texts of one request may take; after that nothing more is known.  Of who
# waits anyway, the second.
SECONDS, PATIENCE_SECONDS = 0.01, 2.0


class Grammar:
    """Trees of the documents of one editor; `seconds` are granted to each request."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._trees = Trees()
        self._excerpts = Excerpts(self._trees)
        self._thread = ThreadPoolExecutor(1, "grammar")
        self._begun: set[str] = set()

    def of(self, cursor: Cursor) -> Troubles | None:
        """How texts at a cursor are judged; None where no grammar can, or not yet."""
        language = language_of(cursor.path)
        if language is None or len(cursor.text) > LARGEST:
            return None
        if cursor.path not in self._trees:
            if cursor.path not in self._begun:
                self._begun.add(cursor.path)
                self._thread.submit(self._first, cursor.path, language, cursor.text)
            return None
        return judge(self._excerpts, cursor, language, self._seconds)

    def _first(self, path: str, language: str, text: str) -> None:
        if self._trees.first(path, language, text):
            self._begun.discard(path)  # Where it takes too long, it is not tried again.

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


def at_once(cursor: Cursor) -> Troubles | None:
    """How texts at a cursor are judged, for who can wait for the tree."""
    language, trees = language_of(cursor.path), Trees()
    if language is None or not trees.first(cursor.path, language, cursor.text):
        return None
    return judge(Excerpts(trees), cursor, language, PATIENCE_SECONDS)


def troubles_of(path: str, text: str) -> int | None:
    """How much of a text the grammar of its file's language makes no sense of; None where
    there is no grammar, or it takes too long."""
    language, trees = language_of(path), Trees()
    if language is None or not trees.first(path, language, text, PATIENCE_SECONDS):
        return None
    known = trees.next(path, language, text, PATIENCE_SECONDS)
    return troubles(known.tree.root_node) if known else None


def judge(excerpts: Excerpts, cursor: Cursor, language: str, seconds: float) -> Troubles:
    """Counts for the whole document, though a text is tried only in what is around it."""
    known: dict[tuple[int, str], int | None] = {}
    left = seconds
    around: Excerpt | None = None

    def count(replace: int, text: str) -> int | None:
        nonlocal left, around
        if left <= 0 or (replace, text) in known:
            return known.get((replace, text))
        began = time.perf_counter()
        at = len(cursor.prefix.encode("utf-8", "replace"))
        if around is None:
            around = excerpts.around(cursor.path, language, cursor.text, at, left)
        known[replace, text] = _with(around, at, cursor, replace, text, left) if around else None
        left -= time.perf_counter() - began
        return known[replace, text]

    return count


def _with(
    around: Excerpt, at: int, cursor: Cursor, replace: int, text: str, seconds: float
) -> int | None:
    start = at - around.shift
    taken = cursor.text[cursor.offset : cursor.offset + replace]
    end = start + len(taken.encode("utf-8", "replace"))
    tried = spliced(around.known, start, end, text.encode("utf-8", "replace"), seconds)
    return around.elsewhere + troubles(tried.tree.root_node) if tried else None
