"""What surrounds a cursor, read once for all that decide about text to put there."""

import re
from collections import Counter
from dataclasses import dataclass

from .cursor import Cursor
from .syntax import Reading, Syntax, block_head, read, syntax_of

# Code points read on either side: 16 K take 1 ms and hold about 400 lines.
BEFORE, AFTER = 16_384, 8_192
TAB = 4  # Columns of a tab; the client writes four leading spaces as one, too.


@dataclass(frozen=True, slots=True)
class Place:
    """The line of the cursor and its neighbours, with LF line breaks.

    `above` is the nearest line before it that is not blank, `previous` and `following`
    are all such lines within reach.  `code` is what is open at the cursor, `ahead` are
    the closers that the text after it holds for that (offsets from the cursor on), or
    None where these do not belong together and nothing can be told from them.  `unseen`
    says that the text before was read from its middle.  `head` is the first line of the
    statement that asks for a block at the cursor.  `unit` is one step of indentation.
    """

    before: str
    after: str
    previous: tuple[str, ...]
    following: tuple[str, ...]
    syntax: Syntax
    code: Reading
    unseen: bool
    ahead: tuple[tuple[int, str], ...] | None
    head: str | None
    unit: str
    words: str

    @property
    def above(self) -> str:
        return self.previous[-1] if self.previous else ""

    @property
    def blank(self) -> bool:
        """Nothing but indentation stands before the cursor."""
        return not self.before.strip()

    @property
    def step(self) -> int:
        return width(self.unit)


def place_of(cursor: Cursor) -> Place:
    syntax = syntax_of(cursor.language)
    prefix, unseen = _near(_breaks(cursor.prefix))
    suffix = _breaks(cursor.suffix[:AFTER])
    before, after = cursor.line_before, cursor.line_after
    code = read(prefix, syntax)
    ahead = read(suffix, syntax, code.inside).closers
    if not matches(code.due, ahead, unseen):
        ahead = tuple(closer for closer in ahead if closer[0] < len(after))
    above = prefix[: max(len(prefix) - len(before), 0)].split("\n")
    below = suffix[len(after) :].split("\n")
    in_code = code.inside is None
    return Place(
        before=before,
        after=after,
        previous=tuple(line for line in above if line.strip()),
        following=tuple(line.rstrip() for line in below if line.strip()),
        syntax=syntax,
        code=code,
        unseen=unseen,
        ahead=ahead if matches(code.due, ahead, unseen) else None,
        head=block_head(prefix, syntax, code) if in_code else None,
        unit=_unit([*above, before, *below]),
        words=f"{prefix}\n{suffix}",
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


# What stands too far up to be read has opened a class, a module or a table of data.
HIDDEN = ("}", "]")


def indentation(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


def width(space: str) -> int:
    """Columns that a line's indentation takes."""
    return len(space.expandtabs(TAB))


def _breaks(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _near(prefix: str) -> tuple[str, bool]:
    """The last part of `prefix` from the start of a top-level line, and whether it is cut."""
    if len(prefix) <= BEFORE:
        return prefix, False
    cut = prefix[-BEFORE:]
    start = re.search(r"\n(?=\w)", cut) or re.search(r"\n", cut)
    return cut[start.end() if start else 0 :], True


def _unit(lines: list[str]) -> str:
    """One step of indentation as these lines have it, "" where none is indented."""
    indents = [indentation(line) for line in lines if line.strip() or line == lines[-1]]
    if sum(i.startswith("\t") for i in indents) > sum(i.startswith(" ") for i in indents):
        return "\t"
    steps = Counter[int]()
    for one, next_one in zip(indents, indents[1:], strict=False):
        if len(next_one) - len(one) in (2, 3, 4, 8):
            steps[len(next_one) - len(one)] += 1
    return " " * steps.most_common(1)[0][0] if steps else ""
