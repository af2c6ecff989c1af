"""Holes: text cut out of real files, for a model to put back.

Everything is pure and depends on nothing but the texts and a seed: each possible hole has
a rank, a hash, and the lowest ranks are taken.  So a larger set holds the smaller one, and
an edit to one file moves no hole in another.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal, get_args

from .cursor import Cursor

# 1: first version.
HOLES_VERSION = 1

# The rest of a line from a random column on; a line after its indentation; the body of a
# block after the indentation of its first line.
Kind = Literal["rest", "line", "block"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# Lines of a block.
SHORTEST_BLOCK, LONGEST_BLOCK = 2, 6
# A longer line is data or generated.
LONGEST_LINE = 200


@dataclass(frozen=True, slots=True)
class Source:
    """A file to make holes in; line breaks are LF.

    `old` is the same file before an edit that led to `text`: then holes are made only in
    lines that the edit added, and behind a hole stands what stood there before, as if
    somebody had made the edit from top to bottom.  `revision` names the edit.
    """

    repository: str
    path: str
    language: str
    text: str
    old: str | None = None
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Hole:
    """`gold` was cut out between `before` and `after`; the cursor stands there.

    `slice` is "plain", or says what was done to the surroundings (see `blemishes`).
    """

    repository: str
    path: str
    language: str
    kind: Kind
    slice: str
    before: str
    gold: str
    after: str

    @property
    def id(self) -> str:
        """16 hexadecimal digits that no other hole has."""
        return digest(
            str(HOLES_VERSION),
            self.repository,
            self.path,
            self.language,
            self.kind,
            self.slice,
            self.before,
            self.gold,
            self.after,
        )[:16]

    @property
    def cursor(self) -> Cursor:
        return Cursor(self.path, self.language, self.before + self.after, len(self.before))


def choose(sources: Iterable[Source], kind: Kind, count: int, seed: int) -> list[Hole]:
    """At most `count` holes of one kind, the same for the same texts and seed."""
    ranked = [
        (digest(str(seed), kind, source.path, source.revision, str(spot.start)), source, spot)
        for source in sources
        for spot in SPOTS[kind](source, seed)
    ]
    ranked.sort(key=lambda row: row[0])
    return [_cut(source, kind, spot) for _rank, source, spot in ranked[:count]]


def hash_of(holes: Sequence[Hole]) -> str:
    """What names a set of holes in a report: 64 hexadecimal digits."""
    return digest(str(HOLES_VERSION), *sorted(hole.id for hole in holes))


def digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Spot:
    """What to cut out of a source: from `start` to `end`; `after` is what remains."""

    start: int
    end: int
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """Offsets of a line: its start, its first and behind its last visible character, and
    its end before the line break.  `after` is what stands behind a hole in this line."""

    start: int
    first: int
    last: int
    end: int
    after: str | None = None


def _rests(source: Source, seed: int) -> Iterator[Spot]:
    for line in _lines(source):
        if (inner := line.last - line.first - 1) > 0:
            drawn = int(digest(str(seed), source.path, source.revision, str(line.start))[:12], 16)
            yield Spot(line.first + 1 + drawn % inner, line.last, line.after)


def _whole_lines(source: Source, _seed: int) -> Iterator[Spot]:
    for line in _lines(source):
        if line.last - line.first > 2 and re.search(r"\w", source.text[line.first : line.last]):
            yield Spot(line.first, line.last, line.after)


def _blocks(source: Source, _seed: int) -> Iterator[Spot]:
    """Bodies of two to six lines below a line that opens a block.

    A body ends where a line stands no deeper than its head, so how much is missing can be
    told from what is there.
    """
    if source.old is not None:
        return  # Its head may be new and its end old: nothing says where it would end.
    lines = list(_all_lines(source.text))
    opens = ":" if source.language == "python" else (":", "{")
    for number, head in enumerate(lines[:-1]):
        if not source.text[head.first : head.last].endswith(opens):
            continue
        body: list[Line] = []
        for line in lines[number + 1 :]:
            if line.last > line.first and _depth(source, line) <= _depth(source, head):
                break
            body.append(line)
        while body and body[-1].last == body[-1].first:
            body.pop()
        whole = SHORTEST_BLOCK <= len(body) <= LONGEST_BLOCK
        if whole and body[0].last > body[0].first and all(_readable(line) for line in body):
            yield Spot(body[0].first, body[-1].last)


SPOTS: dict[Kind, Callable[[Source, int], Iterator[Spot]]] = {
    "rest": _rests,
    "line": _whole_lines,
    "block": _blocks,
}


def _cut(source: Source, kind: Kind, spot: Spot) -> Hole:
    end = source.text.find("\n", spot.end)
    rest = "" if end < 0 else source.text[end:]
    return Hole(
        source.repository,
        source.path,
        source.language,
        kind,
        "plain",
        before=source.text[: spot.start],
        gold=source.text[spot.start : spot.end],
        after=rest if spot.after is None else spot.after,
    )


def _lines(source: Source) -> Iterator[Line]:
    """The lines that may get a hole."""
    lines = _all_lines(source.text) if source.old is None else _added(source.text, source.old)
    return (line for line in lines if _readable(line))


def _all_lines(text: str) -> Iterator[Line]:
    for found in re.finditer(r"[^\n]*(?:\n|\Z)", text):
        line = found[0].rstrip("\n")
        if found[0]:
            first = found.start() + len(line) - len(line.lstrip())
            last = found.start() + len(line.rstrip())
            yield Line(found.start(), min(first, last), last, found.start() + len(line))


def _added(new: str, old: str) -> Iterator[Line]:
    """Lines of `new` that `old` has not, each with what follows it while it is typed."""
    lines = list(_all_lines(new))
    old_lines = old.splitlines(keepends=True)
    matcher = SequenceMatcher(None, old_lines, new.splitlines(keepends=True), autojunk=False)
    for tag, _first, end, new_first, new_end in matcher.get_opcodes():
        if tag in ("insert", "replace"):
            after = "\n" + "".join(old_lines[end:])
            for line in lines[new_first:new_end]:
                yield Line(line.start, line.first, line.last, line.end, after)


def _readable(line: Line) -> bool:
    return line.end - line.start <= LONGEST_LINE


def _depth(source: Source, line: Line) -> int:
    return len(source.text[line.start : line.first].expandtabs(4))
