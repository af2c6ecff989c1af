"""What surrounds a cursor, read once for all that decide about text to put there."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

from .cursor import Cursor
from .syntax import Reading, Syntax, block_head, read, syntax_of

# How often the document's grammar makes no sense of something in it, once a text stands for
# so many code points behind the cursor; None where that is not known.
Troubles = Callable[[int, str], int | None]

# Code points read on either side, about 300 and 100 lines: 1 ms.
BEFORE, AFTER = 12_288, 4_096
TAB = 4  # Columns of a tab; the client writes four leading spaces as one, too.
NEAR = 100  # Lines on either side that show how a file is indented.
STEP = 4  # Columns of a step of indentation where the text shows none.


@dataclass(frozen=True, slots=True)
class Place:
    """The cursor's line, its neighbours with LF line breaks, and what was asked for.

    `previous` and `following` are the lines around it that are not blank.  `code` is what
    stands open at the cursor.  `ahead` are the closers that the text behind the cursor
    has for that, with offsets from the cursor on; it is None in a string of several lines
    that does not end on this one, as the next quote may end it or begin another.  `unseen`
    and `unread` say that the text before was read from its middle, and that behind not to
    its end.  `head` is the first line of the statement that asks for a block here.  `unit`
    is one step of indentation, "" where none is to be seen.  `words` is the text around
    without the word at the cursor.  `troubles` is None where there is no grammar to ask.
    """

    before: str
    after: str
    previous: tuple[str, ...]
    following: tuple[str, ...]
    syntax: Syntax
    code: Reading
    ahead: tuple[tuple[int, str], ...] | None
    unseen: bool
    unread: bool
    head: str | None
    unit: str
    words: str
    lines: int
    done: str
    troubles: Troubles | None = None

    @property
    def above(self) -> str:
        """The nearest line before this one that is not blank."""
        return self.previous[-1] if self.previous else ""

    @property
    def blank(self) -> bool:
        """Nothing but indentation stands before the cursor."""
        return not self.before.strip()

    @property
    def step(self) -> int:
        """Columns of one step of indentation."""
        return width(self.unit) or STEP


def place_of(
    cursor: Cursor, lines: int = 1, done: str = "stop", troubles: Troubles | None = None
) -> Place:
    place = _read_around(cursor)
    # Where text follows on the line, a block would tear that line apart.
    lines = 1 if place.after.strip() else max(lines, 1)
    return replace(place, lines=lines, done=done, troubles=troubles)


@lru_cache(maxsize=2)
def _read_around(cursor: Cursor) -> Place:
    """Several texts are tried at one cursor, one after the other."""
    syntax = syntax_of(cursor.language)
    prefix, unseen = _near(cursor.prefix)
    suffix = with_lf(cursor.suffix[:AFTER])
    before, after = cursor.line_before, cursor.line_after
    code = read(prefix, syntax)
    # These stay as they are while somebody types on a line.
    above = _above(prefix[: max(len(prefix) - len(before), 0)])
    below = _below(suffix[len(after) :])
    return Place(
        before=before,
        after=after,
        previous=above.lines,
        following=below.lines,
        syntax=syntax,
        code=code,
        ahead=_ahead(suffix, len(after), syntax, code),
        unseen=unseen,
        unread=len(cursor.suffix) > AFTER,
        head=None if code.inside else block_head(prefix, syntax, code),
        unit=_unit(above.indents, below.indents, indentation(before)),
        words=prefix[: len(prefix) - len(last_word(before))] + "\n" + suffix,
        lines=1,
        done="stop",
    )


@dataclass(frozen=True, slots=True)
class Lines:
    """Those that are not blank, and how the nearest of them are indented."""

    lines: tuple[str, ...]
    indents: tuple[str, ...]


@lru_cache(maxsize=4)
def _above(text: str) -> Lines:
    lines = text.split("\n")
    return Lines(tuple(line for line in lines if line.strip()), _indents(lines[-NEAR:]))


@lru_cache(maxsize=4)
def _below(text: str) -> Lines:
    lines = text.split("\n")
    return Lines(tuple(line.rstrip() for line in lines if line.strip()), _indents(lines[:NEAR]))


def _indents(lines: list[str]) -> tuple[str, ...]:
    return tuple(indentation(line) for line in lines if line.strip())


def indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def width(line: str) -> int:
    """Columns that the indentation of `line` takes."""
    return len(indentation(line).expandtabs(TAB))


def last_word(text: str) -> str:
    """The letters, digits and underscores at the end of `text`."""
    start = len(text)
    while start and (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
    return text[start:]


def known(place: Place, word: str) -> bool:
    """Whether the text around has a whole word, which is of letters, digits, underscores."""
    text, at = place.words, place.words.find(word)
    while at >= 0:
        around = text[at - 1 : at] + text[at + len(word) : at + len(word) + 1]
        if not last_word(around[:1]) and not last_word(around[1:]):
            return True
        at = text.find(word, at + 1)
    return False


def with_lf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _ahead(
    suffix: str, line: int, syntax: Syntax, code: Reading
) -> tuple[tuple[int, str], ...] | None:
    """See `Place.ahead`; the first `line` code points of `suffix` are the cursor's line."""
    ahead = read(suffix, syntax, code.inside).closers
    if code.inside is None or not code.inside.lines or (ahead and ahead[0][0] < line):
        return ahead
    return None


def _near(prefix: str) -> tuple[str, bool]:
    """The end of `prefix`, from a top-level line on if it has one, and whether it is cut."""
    if len(prefix) <= BEFORE:
        return with_lf(prefix), False
    near = with_lf(prefix[-BEFORE:])
    start = re.search(r"\n(?=\w)", near) or re.search(r"\n", near)
    return near[start.end() if start else 0 :], True


def _unit(above: tuple[str, ...], below: tuple[str, ...], margin: str) -> str:
    """One step of indentation as lines have it, "" where none is indented."""
    deep, tabs, columns = _steps(above, below)
    if margin.startswith("\t") or (len(margin) < 2 and 2 * tabs > deep):
        return "\t"
    return " " * columns


@lru_cache(maxsize=4)
def _steps(above: tuple[str, ...], below: tuple[str, ...]) -> tuple[int, int, int]:
    """How many lines are indented, how many of them with tabs, and the usual columns."""
    indents = above + below
    # One space is the margin of a comment's stars.
    deep = [indent for indent in indents if indent.startswith("\t") or len(indent) > 1]
    tabs = sum(indent.startswith("\t") for indent in deep)
    steps = Counter(len(deeper) - len(indent) for indent, deeper in pairwise(indents))
    common = max((2, 3, 4, 8), key=lambda columns: steps[columns])
    return len(deep), tabs, common if steps[common] else 0
