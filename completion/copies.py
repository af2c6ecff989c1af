"""The model-free tier: what stood behind the same text elsewhere, and how often.

Every place that goes on from the last bytes before the cursor is a vote for what follows
there, and the more text before it agrees the more the vote says.  Places are found by
`rfind` alone, so any buffer will do, a mapped file too, and nothing has to be built.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from .earlier import Text, common_end, earlier, following

# Bytes before the cursor that have to be the same for a place to count at all, and those
# from which on it counts more.
REACHES = (8, 16, 32)
# Places looked at: the nearest texts' first, in each the last first.
PLACES = 64


@dataclass(frozen=True, slots=True)
class Copy:
    """`text` stands behind the same bytes in `where`, from byte `at` on.

    The most bytes before it that agree are `length`.  Of `places[i]` places that agree in
    REACHES[i] bytes, `votes[i]` go on with this text.  `origin` is what `at` counts in.
    """

    text: str
    length: int
    where: str
    at: int
    votes: tuple[int, ...]
    places: tuple[int, ...]
    origin: Text | None = field(default=None, compare=False, repr=False)

    @property
    def line(self) -> int:
        """Where `text` begins in its file, from 1."""
        return self.origin.line(self.at) if self.origin else 1


class Place(NamedTuple):
    length: int
    where: str
    at: int
    origin: Text | None


def copies(before: bytes, texts: Sequence[Text], lines: int = 1) -> list[Copy]:
    """What may follow `before`, the text with the longest agreement first.

    Texts go over `lines` line ends.  Empty where nothing agrees in the least of REACHES.
    """
    found: defaultdict[str, list[Place]] = defaultdict(list)
    for text, place in _places(before, texts):
        found[following(text.data, place.at, lines)].append(place)
    longest = earlier(before, texts, lines)
    if longest is not None and longest.length >= REACHES[0]:
        places = found[longest.text]
        if not any(p.at == longest.at and p.where == longest.where for p in places):
            places.append(Place(longest.length, longest.where, longest.at, longest.origin))
    lengths = [place.length for places in found.values() for place in places]
    total = tuple(sum(length >= reach for length in lengths) for reach in REACHES)
    rows: list[Copy] = []
    for text, places in found.items():
        best = max(places, key=lambda place: place.length)
        votes = tuple(sum(p.length >= reach for p in places) for reach in REACHES)
        rows.append(Copy(text, best.length, best.where, best.at, votes, total, best.origin))
    return sorted(rows, key=lambda row: (-row.length, -row.votes[0]))


def _places(before: bytes, texts: Sequence[Text]) -> Iterator[tuple[Text, Place]]:
    key = before[-REACHES[0] :]
    left = PLACES if len(key) == REACHES[0] else 0
    for text in texts:
        end = None
        while left > 0:
            at = text.data.rfind(key) if end is None else text.data.rfind(key, 0, end)
            if at < 0:
                break
            left -= 1
            end = at + len(key) - 1
            behind = at + len(key)
            length = common_end(before, text.data, behind)
            yield text, Place(length, text.path(behind), behind, text)
