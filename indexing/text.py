"""The workspace's source in one file, to be searched for what stood behind the same words.

    NUL path LF content ...

for one file after the other, the nearest to the open files last: who looks for the last
match meets them first.  There is no NUL in a path or in a source.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from . import files
from .files import Skipped

# As much as is searched in a millisecond.
MOST_BYTES = 4 << 20
# A larger file would push out too many others.
LARGEST_FILE = 256 << 10


class Section(NamedTuple):
    """One file in the text: its content is `[start, end)`."""

    path: str
    start: int
    end: int


class Searchable(Protocol):
    """`bytes`, or a mapped file."""

    def find(self, sub: bytes, start: int = ..., /) -> int: ...

    def __getitem__(self, key: slice, /) -> bytes: ...

    def __len__(self) -> int: ...


def write(target: Path, root: Path, paths: Iterable[str], most: int = MOST_BYTES) -> int:
    """Write the text of the first of `paths` that fit into `most` bytes; how many they are.

    `target` is replaced as a whole: who reads the old one goes on reading it.
    Raises OSError.
    """
    pieces: list[bytes] = []
    left = most
    for path in paths:
        if left <= 0:
            break
        try:
            source, _stamp = files.read(root, path, LARGEST_FILE)
        except Skipped:
            continue
        if not source or b"\0" in source or files.left_out(path, source):
            continue
        piece = b"\0%b\n%b" % (os.fsencode(path).replace(b"\n", b"?"), source)
        if len(piece) <= left:
            pieces.append(piece)
            left -= len(piece)
    new = target.with_name(f"{target.name}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.writelines(reversed(pieces))
        new.replace(target)
    except OSError:
        with contextlib.suppress(OSError):
            new.unlink()
        raise
    return len(pieces)


def sections(text: Searchable) -> Iterator[Section]:
    """The files in a text, in their order; an open one is left out by its path."""
    at = 0
    while 0 <= at < len(text):
        line = text.find(b"\n", at)
        end = text.find(b"\0", at + 1)
        if line < 0:
            return
        yield Section(
            os.fsdecode(bytes(text[at + 1 : line])), line + 1, end if end >= 0 else len(text)
        )
        at = end
