"""Where a text stands: every file that the index has is looked through, the nearest first."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pathspec

from ..reconcile import by_nearness
from .repository import Passage, Repository

# Bytes that are read, and seconds that it may take.
MOST_BYTES, SECONDS = 256 << 20, 5.0
# Of one file; more of the same says nothing new.
PER_FILE = 20
LONGEST_LINE = 300


@dataclass(frozen=True, slots=True)
class Hits:
    """`whole` is false where files were left unread, or hits left out."""

    passages: tuple[Passage, ...]
    files: int
    whole: bool


def search(
    repositories: Iterable[Repository],
    text: str,
    *,
    globs: Sequence[str] = (),
    near: Sequence[str] = (),
    around: int = 0,
    most: int = 100,
) -> Hits:
    """The lines that hold `text` as it is; in any case where it has no capital letter.

    It is plain text, not a pattern: whoever asks may be a stranger, and there are patterns
    that take forever.  `globs` (as in .gitignore) say which paths are looked at, `near` which
    come first, `around` how many lines are shown above and below.
    """
    wanted, any_case = text.encode(), text == text.lower()
    chosen = pathspec.PathSpec.from_lines("gitignore", globs) if globs else None
    deadline, left = time.monotonic() + SECONDS, MOST_BYTES
    found: list[Passage] = []
    files = 0
    for repository in repositories if text.strip() else ():
        for path in by_nearness(repository.index.paths(), near):
            if chosen is not None and not chosen.match_file(path):
                continue
            if left <= 0 or time.monotonic() > deadline or len(found) >= most:
                return Hits(tuple(found[:most]), files, False)
            source = repository.read(path)
            if source is None:
                continue
            files += 1
            left -= len(source)
            if wanted in (source.lower() if any_case else source):
                found += _in_file(repository.name, path, source, wanted, any_case, around)
    return Hits(tuple(found[:most]), files, len(found) <= most)


def _in_file(
    repository: str, path: str, source: bytes, wanted: bytes, any_case: bool, around: int
) -> list[Passage]:
    lines: list[bytes] = source.split(b"\n")
    hits: list[int]
    hits = [n for n, line in enumerate(lines) if wanted in (line.lower() if any_case else line)]
    if b"\n" in wanted:  # Of a text of several lines, the first line of each place.
        text, hits, at = source.lower() if any_case else source, [], 0
        while (at := text.find(wanted, at)) >= 0 and len(hits) < PER_FILE:
            hits.append(text.count(b"\n", 0, at))
            at += len(wanted)
        around = max(around, wanted.count(b"\n"))
    spans: list[tuple[int, int]] = []
    for hit in hits[:PER_FILE]:
        first, last = max(0, hit - around), min(len(lines) - 1, hit + around)
        if spans and first <= spans[-1][1]:
            spans[-1] = spans[-1][0], last
        else:
            spans.append((first, last))
    return [
        Passage(
            repository,
            path,
            (first + 1, last + 1),
            "\n".join(
                line[:LONGEST_LINE].decode("utf-8", "replace") for line in lines[first : last + 1]
            ),
            "holds the text",
            1.0,
        )
        for first, last in spans
    ]
