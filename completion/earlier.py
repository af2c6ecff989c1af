"""What stood behind the same text the last time: completion without a model.

The longest end of the text before the cursor that occurs in earlier lines is looked for,
in the file first and then in others, and what follows it there is the answer.  One
`rfind` for each step up in length: no index, no dependency, and any buffer that has
`rfind` will do, a mapped file too.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

# Bytes of a match beyond which a longer one says no more.
LONGEST_MATCH = 1024


class Buffer(Protocol):
    """`bytes`, or a mapped file."""

    def rfind(self, sub: bytes, start: int = 0, end: int = ..., /) -> int: ...

    def __getitem__(self, key: slice, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Text:
    """UTF-8 to look in; `where` is for a person: a path.

    Of several files in one text, `parts` has where each begins, and its path.  `first` is
    the number that the first line has in its file.
    """

    where: str
    data: Buffer
    parts: tuple[tuple[int, str], ...] = ()
    first: int = 1

    def path(self, at: int) -> str:
        """Of the file that byte `at` is in."""
        return self._part(at)[1]

    def line(self, at: int) -> int:
        """Of byte `at` in its file, from 1."""
        return self.first + bytes(self.data[self._part(at)[0] : at]).count(b"\n")

    def _part(self, at: int) -> tuple[int, str]:
        number = bisect_right(self.parts, at, key=lambda part: part[0])
        return self.parts[number - 1] if number else (0, self.where)


@dataclass(frozen=True, slots=True)
class Earlier:
    """`text` followed there; `length` bytes before it are as those before the cursor.

    `at` is the offset in bytes at which `text` begins in `where`, a file of `origin`.
    """

    text: str
    length: int
    where: str
    at: int
    origin: Text | None = field(default=None, compare=False, repr=False)


def earlier(before: bytes, texts: Iterable[Text], lines: int = 1) -> Earlier | None:
    """What followed the longest match of the end of `before`, to the end of a line.

    Of matches equally long the first text's counts, and in one text the last.  With more
    `lines` what follows goes on over so many line ends.  None where nothing matches.
    """
    best: tuple[int, Text, int] | None = None
    length = 0
    for text in texts:
        while length < min(len(before), LONGEST_MATCH):
            found = text.data.rfind(before[-length - 1 :])
            if found < 0:
                break
            end = found + length + 1
            length = common_end(before, text.data, end)
            best = (length, text, end)
    if best is None:
        return None
    length, text, at = best
    return Earlier(following(text.data, at, lines), length, text.path(at), at, text)


def in_file(before: str, after: str) -> tuple[Text, ...]:
    """A file as texts to look in: the lines before the cursor's, then those behind it."""
    above = before[: before.rfind("\n") + 1]
    below = after[after.find("\n") + 1 :] if "\n" in after else ""
    first = before.count("\n") + 2
    return (Text("", above.encode()), Text("", below.encode(), first=first))


def common_end(before: bytes, data: Buffer, end: int) -> int:
    """How many bytes before `end` are as those at the end of `before`."""
    mine = len(before)
    limit = min(mine, LONGEST_MATCH, end)
    # Most agree in a few bytes, some in all.
    same, step = 0, 8
    while step and same < limit:
        more = min(same + step, limit)
        if before[mine - more : mine - same] == data[end - more : end - same]:
            same, step = more, step * 2
        else:
            step = (more - same) // 2
    return same


def following(data: Buffer, at: int, lines: int) -> str:
    """The text from `at` over `lines` line ends, without the last of them."""
    # A line that is longer is data.
    ahead = bytes(data[at : at + 512 * lines])
    end = -1
    for _ in range(lines):
        end = ahead.find(b"\n", end + 1)
        if end < 0:
            return ahead.decode("utf-8", "ignore")
    return ahead[:end].decode("utf-8", "ignore")
