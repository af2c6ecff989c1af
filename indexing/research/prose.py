"""Sections of documents and documentation in code, ranked by BM25 over their words.

They are read when they are asked for, within bounds: kept in the index, the words of every
sentence would take more room than everything else there.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from math import log
from typing import NamedTuple

from .named import Found, like
from .repository import Passage, Repository, stem, tokens_of, wanted

DOCUMENTS = (".md", ".markdown", ".rst", ".txt", ".adoc")
# Bytes of documents, and of code, that are read; files of code, too.
MOST_BYTES, MOST_CODE = 16 << 20, 400
# Of the text itself, and of the heading's words, which count as often as this.
K, B, HEADED = 1.2, 0.75, 3
# Characters of a piece; longer ones are cut at an empty line.
LONGEST = 2400
# A piece with fewer words says nothing.
LEAST_WORDS = 6

_WORD = re.compile(r"[^\W\d_]{2,}")
_FENCE = re.compile(r"\s{0,3}(```|~~~)")
_HEADING = re.compile(r"\s{0,3}(#{1,6})\s+(.+?)\s*#*\s*$")
_UNDERLINE = re.compile(r"\s{0,3}(=+|-{3,}|~{3,}|\^{3,}|\"{3,}|\*{3,})\s*$")
_STRING = re.compile(r'[rRuU]?("""|\'\'\')(.*?)\1', re.DOTALL)
_COMMENT = re.compile(r"/\*\*(.*?)\*/", re.DOTALL)
_LINES = re.compile(r"(?:^[ \t]*(?:///?|#)!?[ \t].*\n){3,}", re.MULTILINE)


class Piece(NamedTuple):
    """A section: `line` is its first, from 0; `heading` the headings above it, joined."""

    path: str
    line: int
    heading: str
    text: str


def prose(
    repositories: Iterable[Repository], question: str, budget: int, most: int = 12
) -> list[Passage]:
    """The pieces of prose that a question is about, the likeliest first, within a budget."""
    sources = [(one, piece) for one in repositories for piece in pieces(one, question)]
    scores = bm25([f"{(p.heading + ' ') * HEADED}{p.text}" for _r, p in sources], wanted(question))
    ranked = sorted(
        (pair for pair in zip(scores, sources, strict=True) if pair[0] > 0),
        key=lambda pair: (-pair[0], pair[1][1].path, pair[1][1].line),
    )
    kept: list[Passage] = []
    for score, (repository, piece) in ranked[: most * 3]:
        text = piece.text.strip("\n")
        lines = piece.line + 1, piece.line + piece.text.rstrip("\n").count("\n") + 1
        why = f"about the question: {piece.heading}" if piece.heading else "about the question"
        if (cost := tokens_of(text)) <= budget and len(kept) < most:
            budget -= cost
            kept.append(Passage(repository.name, piece.path, lines, text, why, score))
    return kept


def pieces(repository: Repository, question: str) -> Iterator[Piece]:
    """What there is to rank: documents whole, and code that is named like the question."""
    left = MOST_BYTES
    for path in repository.index.paths():
        if path.lower().endswith(DOCUMENTS) and left > 0:
            text = repository.text(path) or ""
            left -= len(text)
            yield from sections(path, text)
    left = MOST_BYTES
    for path in _code(like(repository, question, MOST_CODE)):
        text = repository.text(path) or ""
        left -= len(text)
        if left <= 0:
            return
        yield from documentation(path, text)


def sections(path: str, text: str) -> Iterator[Piece]:
    """A document cut at its headings (Markdown's and reStructuredText's)."""
    above: list[tuple[int, str]] = []
    begin, lines, fenced = 0, text.split("\n"), False
    underlines: list[str] = []
    starts: list[tuple[int, str]] = []
    for number, line in enumerate(lines):
        if _FENCE.match(line):
            fenced = not fenced
        if fenced:
            continue
        level, title, first = 0, "", number
        if found := _HEADING.match(line):
            level, title = len(found[1]), found[2]
        elif (found := _UNDERLINE.match(line)) and number:
            title = lines[number - 1].strip()
            if not title or len(found[1]) < min(len(title), 3) or _HEADING.match(title):
                continue
            # In the order in which a document first uses them, as reStructuredText has it.
            if found[1][0] not in underlines:
                underlines.append(found[1][0])
            level, first = underlines.index(found[1][0]) + 1, number - 1
        if level:
            above = [pair for pair in above if pair[0] < level] + [(level, title)]
            starts.append((first, " > ".join(heading for _level, heading in above)))
    heading = ""
    for at, following in [*starts, (len(lines), "")]:
        yield from _cut(path, begin, heading, lines[begin:at])
        begin, heading = at, following


def documentation(path: str, text: str) -> Iterator[Piece]:
    """The docstrings and the comments of several lines in code."""
    patterns = (_STRING,) if path.endswith((".py", ".pyi")) else (_COMMENT, _LINES)
    for pattern in patterns:
        for found in pattern.finditer(text):
            line = text.count("\n", 0, found.start())
            before = text[: found.start()].rstrip().rpartition("\n")[2].strip()
            heading = before if before.endswith(":") else ""
            yield from _cut(path, line, heading, found[0].split("\n"))


def bm25(texts: Iterable[str], query: Mapping[str, float]) -> list[float]:
    """How much each text is about the words of a query, which have weights."""
    counts: list[tuple[Counter[str], int]] = []
    having: Counter[str] = Counter()
    for text in texts:
        found = [stem(word) for word in _WORD.findall(text.lower())]
        count = Counter(word for word in found if word in query)
        counts.append((count, len(found)))
        having.update(count.keys())
    mean = sum(size for _count, size in counts) / (len(counts) or 1) or 1
    rarity = {
        word: query[word] * log(1 + (len(counts) - number + 0.5) / (number + 0.5))
        for word, number in having.items()
    }
    return [
        sum(
            rarity[word] * times * (K + 1) / (times + K * (1 - B + B * size / mean))
            for word, times in count.items()
        )
        for count, size in counts
    ]


def _cut(path: str, line: int, heading: str, lines: list[str]) -> Iterator[Piece]:
    """Pieces of at most LONGEST characters, cut at empty lines where there are some."""
    begin, size = 0, 0
    for number, text in enumerate(lines):
        size += len(text) + 1
        if size > LONGEST and (not text.strip() or size > 2 * LONGEST):
            yield from _piece(path, line + begin, heading, lines[begin : number + 1])
            begin, size = number + 1, 0
    yield from _piece(path, line + begin, heading, lines[begin:])


def _piece(path: str, line: int, heading: str, lines: list[str]) -> Iterator[Piece]:
    text = "\n".join(lines)[: 2 * LONGEST]
    if len(_WORD.findall(text)) >= LEAST_WORDS:
        yield Piece(path, line, heading, text)


def _code(found: Iterable[Found]) -> list[str]:
    return list(dict.fromkeys(one.path for one in found))
