"""The Merkle tree of RFC 6962 over the leaves, kept as a handful of hashes.

A `Span` stands for a run of consecutive leaves by the roots of its largest aligned
subtrees: O(log n) hashes for any number of leaves, and spans that touch can be joined.
Proofs are lists of runs whose roots they need (RFC 6962, 2.1.1 and 2.1.2).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

Run = tuple[int, int]  # Leaves [begin, end).

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


@dataclass(slots=True)
class Span:
    """Leaves [begin, end) as (level, index, hash) of aligned subtrees, left to right."""

    begin: int = 0
    end: int = 0
    nodes: list[tuple[int, int, bytes]] = field(default_factory=list[tuple[int, int, bytes]])

    def add(self, hashed: bytes) -> None:
        """Append the leaf at `end`, given by its leaf hash."""
        self._push(0, self.end, hashed)
        self.end += 1

    def join(self, following: "Span") -> None:
        """Append the leaves of a span that begins where this one ends."""
        assert self.end == following.begin
        for node in following.nodes:
            self._push(*node)
        self.end = following.end

    def _push(self, level: int, index: int, hashed: bytes) -> None:
        # A right child completes its parent when its sibling is what came before.
        while index & 1 and self.nodes and self.nodes[-1][:2] == (level, index - 1):
            hashed = node_hash(self.nodes.pop()[2], hashed)
            level, index = level + 1, index >> 1
        self.nodes.append((level, index, hashed))

    def copy(self) -> "Span":
        return Span(self.begin, self.end, self.nodes.copy())

    @property
    def root(self) -> bytes:
        """RFC 6962's MTH of the leaves; right where `begin` is as aligned as in a proof."""
        if not self.nodes:
            return EMPTY_ROOT
        hashed = self.nodes[-1][2]
        for _level, _index, left in reversed(self.nodes[:-1]):
            hashed = node_hash(left, hashed)
        return hashed


def inclusion(index: int, size: int) -> list[Run]:
    """The runs whose roots prove that leaf `index` is in the tree of `size` leaves."""
    runs: list[Run] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            runs.append((middle, end))
            end = middle
        else:
            runs.append((begin, middle))
            begin = middle
    return runs[::-1]


def consistency(old: int, size: int) -> list[Run]:
    """The runs whose roots prove that the tree of `old` leaves began the one of `size`."""
    runs: list[Run] = []
    begin, end = 0, size
    while end != old:
        middle = begin + _split(end - begin)
        if old <= middle:
            runs.append((middle, end))
            end = middle
        else:
            runs.append((begin, middle))
            begin = middle
    if begin:
        runs.append((begin, end))
    return runs[::-1]


def _split(count: int) -> int:
    """The largest power of two below `count`."""
    return 1 << ((count - 1).bit_length() - 1)


class Tree:
    """All nodes over some leaves, 64 bytes per leaf, for any number of proofs."""

    def __init__(self, leaf_hashes: list[bytes]) -> None:
        self._levels = [leaf_hashes]
        while len(below := self._levels[-1]) > 1:
            pairs = zip(below[::2], below[1::2], strict=False)
            self._levels.append([node_hash(left, right) for left, right in pairs])

    def root(self, run: Run) -> bytes:
        """RFC 6962's MTH of leaves [begin, end)."""
        begin, end = run
        count = end - begin
        if count & (count - 1) == 0 and begin % count == 0:
            return self._levels[count.bit_length() - 1][begin // count]
        middle = begin + _split(count)
        return node_hash(self.root((begin, middle)), self.root((middle, end)))


def root_of_inclusion(index: int, size: int, hashed: bytes, path: Sequence[bytes]) -> bytes | None:
    """The root that `path` leads to from a leaf hash; None where its length is wrong."""
    runs = inclusion(index, size) if 0 <= index < size else None
    if runs is None or len(runs) != len(path):
        return None
    for (begin, _end), sibling in zip(runs, path, strict=True):
        hashed = node_hash(hashed, sibling) if begin > index else node_hash(sibling, hashed)
    return hashed


def consistent(old: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> bool:
    """Whether `path` proves that the tree of `old` leaves began the one of `size`."""
    if not 0 < old <= size:
        return False
    runs = consistency(old, size)
    if len(runs) != len(path):
        return False
    # The old tree consists of the runs before `old`, the new one of all of them.
    known = list(zip(runs, path, strict=True))
    first = known[0] if known and known[0][0][1] == old else None
    seen_old = seen_new = first[1] if first else old_root
    for (begin, _end), sibling in known[1:] if first else known:
        if begin >= old:
            seen_new = node_hash(seen_new, sibling)
        else:
            seen_old, seen_new = node_hash(sibling, seen_old), node_hash(sibling, seen_new)
    return seen_old == old_root and seen_new == root
