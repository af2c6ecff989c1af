"""Trees of texts that are being typed: each is made from the one before, which takes little.

A tree is made within a time that the caller gives, or not at all: a grammar that meets
what it cannot cope with holds nobody up.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from threading import Lock

from tree_sitter import Node, Parser, Point, Tree

from .grammars import CHUNK, Steps, grammar_of
from .languages import LANGUAGES

# Documents whose tree is kept; a tree takes some 24 times the bytes of its text.
TREES = 12
# Bytes of the largest text that gets one.
LARGEST = 256 << 10
# For a text that has no tree yet.
FIRST_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Known:
    """A text and its tree."""

    language: str
    source: bytes = field(repr=False)
    tree: Tree = field(repr=False)


class Trees:
    """The latest tree of each of some texts, which go by a key.

    `first` may be called in any thread, the rest in one alone.
    """

    def __init__(self) -> None:
        self._of: OrderedDict[str, Known] = OrderedDict()
        self._changing = Lock()

    def __contains__(self, key: str) -> bool:
        return key in self._of

    def first(self, key: str, language: str, text: str, seconds: float = FIRST_SECONDS) -> bool:
        """Make the tree of a text that has none; whether there is one now."""
        source = text.encode("utf-8", "replace")
        if language not in LANGUAGES or len(source) > LARGEST:
            return False
        if tree := parsed(Parser(grammar_of(language).parser.language), source, None, seconds):
            self._keep(key, Known(language, source, tree))
        return tree is not None

    def next(self, key: str, language: str, text: str, seconds: float) -> Known | None:
        """The tree of `text` made from the one before; None where there is none, or it would
        take longer."""
        before = self._of.get(key)
        if before is None:
            return None
        source, known = text.encode("utf-8", "replace"), None
        if before.language == language and len(source) <= LARGEST:
            start, end, length = difference(before.source, source)
            known = spliced(before, start, end, source[start : start + length], seconds)
        if known is None:
            with self._changing:
                self._of.pop(key, None)
            return None
        self._keep(key, known)
        return known

    def _keep(self, key: str, known: Known) -> None:
        with self._changing:
            self._of[key] = known
            self._of.move_to_end(key)
            while len(self._of) > TREES:
                self._of.popitem(last=False)


def spliced(known: Known, start: int, end: int, new: bytes, seconds: float) -> Known | None:
    """The text in which `new` stands for the bytes `[start, end)`, None where its tree takes
    longer."""
    old = known.source
    if old[start:end] == new:
        return known
    source = old[:start] + new + old[end:]
    tree = known.tree.copy()
    first = _point(old, start)
    tree.edit(
        start, end, start + len(new), first, _after(first, old[start:end]), _after(first, new)
    )
    made = parsed(parser_of(known.language), source, tree, seconds)
    return Known(known.language, source, made) if made else None


def parsed(parser: Parser, source: bytes, old: Tree | None, seconds: float) -> Tree | None:
    """The tree of `source`, None where it is not made in time."""
    until = time.monotonic() + seconds
    if len(source) <= CHUNK and seconds > 0:
        # One step is not divided.
        return parser.parse(source, old) if old else parser.parse(source)

    def late(_offset: int, _has_error: bool) -> bool:
        return time.monotonic() > until

    with Steps(source) as read:
        try:
            if old is None:
                return parser.parse(read, progress_callback=late)
            return parser.parse(read, old, progress_callback=late)
        except ValueError:
            parser.reset()
            return None


def troubles(root: Node) -> int:
    """How often the grammar made no sense of something, or missed something."""
    count = 0
    waiting = [root] if root.has_error else []
    while waiting:
        node = waiting.pop()
        if node.is_error or node.is_missing:
            count += 1
        if node.has_error:
            waiting += (child for child in node.children if child.has_error)
    return count


def difference(before: bytes, after: bytes) -> tuple[int, int, int]:
    """The bytes `[start, end)` of `before` for which `length` bytes of `after` stand."""
    left = min(len(before), len(after))
    start = _shared(lambda low, high: before[low:high] == after[low:high], left)
    ends = len(before), len(after)

    def same(low: int, high: int) -> bool:
        return before[ends[0] - high : ends[0] - low] == after[ends[1] - high : ends[1] - low]

    end = _shared(same, left - start)
    return start, ends[0] - end, ends[1] - end - start


def _shared(same: Callable[[int, int], bool], most: int) -> int:
    """How many bytes are the same, where `same` compares those from one on up to another."""
    low, high = 0, most
    while low < high:
        middle = (low + high + 1) // 2
        if same(low, middle):
            low = middle
        else:
            high = middle - 1
    return low


def _point(source: bytes, offset: int) -> Point:
    return Point(source.count(b"\n", 0, offset), offset - source.rfind(b"\n", 0, offset) - 1)


def _after(point: Point, text: bytes) -> Point:
    rows = text.count(b"\n")
    return Point(
        point.row + rows, len(text) - text.rfind(b"\n") - 1 + (0 if rows else point.column)
    )


@cache
def parser_of(language: str) -> Parser:
    """One of its own: others may be in the middle of a text."""
    return Parser(grammar_of(language).parser.language)
