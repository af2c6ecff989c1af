"""Near-duplicates of texts, told by their shingles: runs of eight words, hashed.

Renamed here and there, indented or wrapped anew, a copy still shares most of them.  To find
copies within a large corpus one in sixteen is enough, chosen by the hash itself, so that all
texts keep the same ones.
"""

import re
import zlib

import numpy as np
from numpy.typing import NDArray

# Words of a shingle: shorter ones are shared by chance, longer ones break at every change.
WORDS = 8
KEPT = 16
WORD = re.compile(r"\w+|[^\w\s]")
# Odd constants of a multiplicative hash; any would do.
FACTORS = np.array([pow(0x9E3779B97F4A7C15, n + 1, 1 << 64) for n in range(WORDS)], np.uint64)

Shingles = NDArray[np.uint64]


def shingles(text: str) -> Shingles:
    """Every shingle of a text once, as 64 bits; the same on every machine."""
    words = [zlib.crc32(word.encode("utf-8", "replace")) for word in WORD.findall(text)]
    count = len(words) - WORDS + 1
    if count < 1:
        return np.empty(0, np.uint64)
    ids = np.array(words, np.uint64)
    mixed = np.zeros(count, np.uint64)
    for n in range(WORDS):
        mixed += ids[n : n + count] * FACTORS[n]
    # The low bits of a product hang on the low bits of its factors alone.
    return np.unique(mixed ^ (mixed >> np.uint64(29)))


def few(found: Shingles) -> Shingles:
    """One in sixteen, the same ones wherever they occur."""
    return found[(found >> np.uint64(7)) % np.uint64(KEPT) == 0]


class Seen:
    """Shingles of the texts that were taken, and how much of another is among them."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def add(self, found: Shingles) -> None:
        self._seen.update(found.tolist())

    def share(self, found: Shingles) -> float:
        """The part of a text's shingles that were seen; 0 for one too short to tell."""
        if not len(found):
            return 0.0
        return sum(one in self._seen for one in found.tolist()) / len(found)
