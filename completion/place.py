"""What surrounds a cursor, read once for all that decide about text to put there."""

import re
from collections import Counter
from dataclasses import dataclass

from .cursor import Cursor
from .syntax import Reading, Syntax, block_head, read, syntax_of

# Code points read on either side: 16 K take 1 ms and hold about 400 lines.
BEFORE, AFTER = 16_384, 8_192
TAB = 4  # Columns of a tab; the client writes four leading spaces as one, too.
STEP = 4  # Columns of a step of indentation where the text shows none.
# What stands too far up to be read has opened a class, a module or a table of data.
HIDDEN = ("}", "]")


@dataclass(frozen=True, slots=True)
class Place:
    """The line of the cursor, its neighbours with LF line breaks, and what was asked for.

    `previous` and `following` are the lines around it that are not blank.  `code` is what
    stands open at the cursor.  `ahead` are the closers that the text behind the cursor
    holds for that, with offsets from the cursor on, or None where the two do not belong
    together and nothing can be told from them.  `unseen`: the text before was read from
    its middle.  `head` is the first line of the statement that asks for a block here.
    `unit` is one step of indentation, "" where the text shows none.  `words` is the text
    around without the word at the cursor.
    """

    before: str
    after: str
    previous: tuple[str, ...]
    following: tuple[str, ...]
    syntax: Syntax
    code: Reading
    ahead: tuple[tuple[int, str], ...] | None
    unseen: bool
    head: str | None
    unit: str
    words: str
    lines: int
    done: str

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


def place_of(cursor: Cursor, lines: int = 1, done: str = "stop") -> Place:
    syntax = syntax_of(cursor.language)
    prefix, unseen = _near(cursor.prefix)
    suffix = with_lf(cursor.suffix[:AFTER])
    before, after = cursor.line_before, cursor.line_after
    code = read(prefix, syntax)
    ahead = read(suffix, syntax, code.inside).closers
    if not matches(code.due, ahead, unseen):
        ahead = tuple(closer for closer in ahead if closer[0] < len(after))
    above = prefix[: max(len(prefix) - len(before), 0)].split("\n")
    below = suffix[len(after) :].split("\n")
    word = re.search(r"\w*\Z", prefix)
    return Place(
        before=before,
        after=after,
        previous=tuple(line for line in above if line.strip()),
        following=tuple(line.rstrip() for line in below if line.strip()),
        syntax=syntax,
        code=code,
        ahead=ahead if matches(code.due, ahead, unseen) else None,
        unseen=unseen,
        head=None if code.inside else block_head(prefix, syntax, code),
        unit=_unit([*above, before, *below]),
        words=prefix[: word.start() if word else None] + "\n" + suffix,
        # Where text follows on the line, a block would tear that line apart.
        lines=1 if after.strip() else max(lines, 1),
        done=done,
    )


def matches(
    due: tuple[str, ...], closers: tuple[tuple[int, str], ...], unseen: bool
) -> bool:
    """Whether each closer finds its own among those `due`; some may still be missing."""
    left = list(due)
    for _, closer in closers:
        while left and left[-1] != closer:
            left.pop()
        if left:
            left.pop()
        elif not (unseen and closer in HIDDEN):
            return False
    return True


def indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def width(line: str) -> int:
    """Columns that the indentation of `line` takes."""
    return len(indentation(line).expandtabs(TAB))


def with_lf(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _near(prefix: str) -> tuple[str, bool]:
    """The last part of `prefix` from the start of a top-level line, and whether it is cut."""
    if len(prefix) <= BEFORE:
        return with_lf(prefix), False
    cut = with_lf(prefix[-BEFORE:])
    start = re.search(r"\n(?=\w)", cut) or re.search(r"\n", cut)
    return cut[start.end() if start else 0 :], True


def _unit(lines: list[str]) -> str:
    """One step of indentation as these lines have it, "" where none is indented."""
    indents = [indentation(line) for line in lines if line.strip()]
    tabs = sum(indent.startswith("\t") for indent in indents)
    if 2 * tabs > sum(bool(indent) for indent in indents):
        return "\t"
    steps = Counter(
        len(deeper) - len(indent)
        for indent, deeper in zip(indents, indents[1:], strict=False)
    )
    common = max((2, 3, 4, 8), key=lambda columns: steps[columns])
    return " " * common if steps[common] else ""
