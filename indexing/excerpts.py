"""What is around a place in a text: little enough to try things out in at every key.

A grammar takes the longer the more text there is, above all where something is wrong.  So
whole rows that are far from the place are left out: other members of a class, other
statements.  An excerpt stays while somebody types in it.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from tree_sitter import Node

from .trees import Known, Trees, difference, parsed, parser_of, spliced, troubles

# Bytes from which on something is worth looking for what can be left out of it.
WORTH = 1 << 10
# Nodes that hold statements, members or rows one after the other.
ROWS = re.compile(r"(?:block|body|list|statement|statements|chunk)\Z")


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The bytes `[low, high)` of the text `whole` stand in `known` in one piece, `shift`
    earlier.  `elsewhere` counts the trouble in what is left out."""

    whole: bytes
    known: Known
    low: int
    high: int
    shift: int
    elsewhere: int

    def followed(self, whole: bytes, at: int, seconds: float) -> "Excerpt | None":
        """What has become of it in the next text; None where that, or byte `at`, is not all
        in one piece here, or where it takes longer."""
        start, end, length = difference(self.whole, whole)
        high = self.high + length - (end - start)
        if start < self.low or self.high < end or not self.low <= at <= high:
            return None
        new = whole[start : start + length]
        known = spliced(self.known, start - self.shift, end - self.shift, new, seconds)
        return replace(self, whole=whole, known=known, high=high) if known else None


class Excerpts:
    """The latest excerpt of each of some texts, which go by a key.  One thread uses it."""

    def __init__(self, trees: Trees) -> None:
        self._trees = trees
        self._of: dict[str, Excerpt] = {}

    def around(self, key: str, language: str, text: str, at: int, seconds: float) -> Excerpt | None:
        """What is around byte `at`; None where the text has no tree, or not in time."""
        last, now = self._of.get(key), None
        # A text that has no tree any more is none of the latest.
        self._of = {other: one for other, one in self._of.items() if other in self._trees}
        if last and last.known.language == language and key in self._of:
            now = last.followed(text.encode("utf-8", "replace"), at, seconds)
        if now is None and (known := self._trees.next(key, language, text, seconds)):
            now = excerpt(known, at, seconds)
        if now is None:
            self._of.pop(key, None)
        elif now.known.source is not now.whole:
            self._of[key] = now
        return now


def excerpt(known: Known, at: int, seconds: float) -> Excerpt:
    """All of `known` where not half of it can be left out, or not without a tear."""
    source = known.source
    whole = Excerpt(source, known, 0, len(source), 0, 0)
    gone = sorted(_far(known.tree.root_node, source, at))
    if 2 * sum(end - start for start, end in gone) < len(source):
        return whole
    ends = [0, *(place for span in gone for place in span), len(source)]
    kept = list(pairwise(ends))[::2]
    low, high = next(span for span in kept if span[0] <= at <= span[1])
    left = b"".join(source[start:end] for start, end in kept)
    tree = parsed(parser_of(known.language), left, None, seconds)
    elsewhere = troubles(known.tree.root_node) - (troubles(tree.root_node) if tree else 0)
    if tree is None or elsewhere < 0:
        return whole
    shift = sum(end - start for start, end in gone if end <= low)
    return Excerpt(source, Known(known.language, left, tree), low, high, shift, elsewhere)


def _far(node: Node, source: bytes, at: int) -> Iterator[tuple[int, int]]:
    """Bytes of whole lines in `node` that hold nothing but rows far from `at`."""
    count = node.child_count
    if not count or node.end_byte - node.start_byte < WORTH:
        return

    def child(number: int) -> Node:
        found = node.child(min(max(number, 0), count - 1))
        assert found, "the number is that of a child"
        return found

    # Not by the node's own search: in this version of tree-sitter siblings of what it
    # finds may end the process.
    here = bisect_left(range(count), at, key=lambda number: child(number).end_byte)
    near = {child(here).id: child(here)}
    if node.parent is None or ROWS.search(node.type):
        # What stands behind the last statement of a block is in neither.
        near = {child(number).id: child(number) for number in (here - 1, here, here + 1)}
        first, last = child(0), child(count - 1)
        start = _line_of(source, first.start_byte)
        if not first.is_named or source[start : first.start_byte].strip():
            start = _line_behind(source, first.end_byte)
        yield from _span(start, _line_of(source, child(here - 1).start_byte))
        end = last.end_byte if last.is_named else _line_of(source, last.start_byte)
        yield from _span(_line_behind(source, child(here + 1).end_byte), end)
    for one in near.values():
        yield from _far(one, source, min(max(at, one.start_byte), one.end_byte))


def _span(start: int, end: int) -> Iterator[tuple[int, int]]:
    if start < end:
        yield start, end


def _line_of(source: bytes, at: int) -> int:
    return source.rfind(b"\n", 0, at) + 1


def _line_behind(source: bytes, at: int) -> int:
    return source.find(b"\n", at) + 1 or len(source)
