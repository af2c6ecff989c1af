"""At most one piece of code that reads like the lines around the cursor.

Signatures say what there is; how it is used together is seen where somebody did the same.
What is little alike misleads more than it helps, so there is a threshold, and only one.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import log
from typing import NamedTuple

from .cursor import Spot
from .packing import CHARACTERS_PER_TOKEN, FILE_TOKENS, ITEM_TOKENS, Item
from .symbols import Index

# The text of a file, None where it is not there or nothing may be taken from it.
Read = Callable[[str], str | None]

# Lines of a window, and from one to the next.
WINDOW, STEP = 14, 7
# Files that are read, by the rare names that they share with the lines around.
FILES = 4
# Names that are looked up, the nearest first; one in so many files is not rare.
NAMES, COMMON = 30, 20
# Of the names of both, by rarity, so much is shared.  On flask, click and rich a fifth of the
# places have such a window, with 0.4 of the hidden line's names; less alike ones have 0.3.
LEAST = 0.2
# Code points of the largest file that is looked through, which takes some milliseconds.
LARGEST = 64 << 10
# An edited place counts for so much more, as one edit is often followed by one like it.
EDITED = 1.25
# The largest part of a budget that it may take.
SHARE = 0.25

_NAME = re.compile(r"[^\W\d]\w{2,}")


class Window(NamedTuple):
    """Lines `[first, last]` of a file, from 0, and how much they are alike, 0 to 1."""

    path: str
    first: int
    last: int
    score: float
    edited: bool = False


def similar(
    index: Index,
    spot: Spot,
    budget: int,
    read: Read,
    edited: Mapping[str, Sequence[int]] | None = None,
) -> list[Item]:
    """One item or none.  `edited` are lines, from 0, of other files that were edited lately."""
    places = edited or {}
    near = {n for n, far in spot.near.items() if far <= WINDOW and _NAME.fullmatch(n)}
    # A file that was edited lately is looked at in any case, and first.
    paths = list(dict.fromkeys([*places, *sharing(index, spot)]))
    texts = {
        path: text
        for path in paths
        if path != spot.path and (text := read(path)) and len(text) <= LARGEST
    }
    best = alike(texts, near, places)
    if best is None:
        return []
    rows = texts[best.path].replace("\r\n", "\n").split("\n")[best.first : best.last + 1]
    room = round(SHARE * budget) - FILE_TOKENS - ITEM_TOKENS
    while rows and sum(len(row) + 1 for row in rows) > room * CHARACTERS_PER_TOKEN:
        rows.pop()
    text = "\n".join(rows).rstrip()
    if text.count("\n") < 2:
        return []
    why = "like the lines around the cursor"
    lines = (best.first + 1, best.first + 1 + text.count("\n"))
    tokens = round(len(text) / CHARACTERS_PER_TOKEN) + ITEM_TOKENS
    why = f"edited lately and {why}" if best.edited else why
    return [Item(best.path, "", text, lines, why, 10 * best.score, tokens)]


def sharing(index: Index, spot: Spot) -> list[str]:
    """Files that use the rarest of the names near the cursor, those with the most first."""
    scores: Counter[str] = Counter()
    near = sorted(spot.near, key=lambda name: (spot.near[name], name))
    for name in [name for name in near if len(name) > 3][:NAMES]:
        users = index.users(name, COMMON + 1)
        if len(users) <= COMMON:
            for path in users:
                scores[path] += 1 / len(users)  # pyright: ignore[reportArgumentType]
    del scores[spot.path]
    return [path for path, _score in scores.most_common(FILES)]


def alike(
    texts: Mapping[str, str], near: set[str], edited: Mapping[str, Sequence[int]]
) -> Window | None:
    """The window that shares the most rare names with `near`, None below the threshold."""
    windows = [
        (path, start, names)
        for path, text in texts.items()
        for lines in [text.split("\n")]
        for start in range(0, len(lines), STEP)
        if (names := set(_NAME.findall("\n".join(lines[start : start + WINDOW]))))
    ]
    frequency = Counter(name for _path, _start, names in windows for name in names)
    rarity = {name: log(1 + len(windows) / count) for name, count in frequency.items()}
    # Names that are in no file are as rare as those of one window.
    most = sum(rarity.get(name, log(1 + len(windows))) for name in near)
    best: Window | None = None
    for path, start, names in windows:
        shared = sum(rarity[name] for name in names & near)
        every = sum(rarity[name] for name in names) + most - shared
        score = shared / (every or 1)
        hit = any(start <= line < start + WINDOW for line in edited.get(path, ()))
        score = min(1.0, score * EDITED) if hit else score
        if score >= LEAST and len(names & near) > 2 and (best is None or score > best.score):
            best = Window(path, start, start + WINDOW - 1, score, hit)
    return best
