"""A repository as research sees it, and what research gives: passages with a reason each."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from ..facts import Facts
from ..reader import Reader
from ..retrieval.likeness import parts
from ..retrieval.packing import CHARACTERS_PER_TOKEN, FILE_TOKENS, ITEM_TOKENS
from ..retrieval.symbols import Names

# Words that a question has because it is a question.
_ASKING = frozenset(
    re.findall(
        r"\w+",
        "the and for are was were what which where when how why who does did can could should"
        " would will with from into that this these those there here all any each has have had"
        " not but you its use used using uses call called calls get make add change changes"
        " changed code file files function class method happen happens must need needs our"
        " please show find tell explain after before every",
    )
)
_WORD = re.compile(r"[^\W\d]\w+")


@dataclass(frozen=True, slots=True)
class Repository:
    """An index and what reads the files that are in it.

    `name` tells it apart from others.  `read` gives the bytes of a path of the index as
    UTF-8, None where they are not to be had or not to be shown; what the editor has open it
    gives as it is typed, and `live` has the facts of that.
    """

    name: str
    index: Reader
    read: Callable[[str], bytes | None]
    live: Mapping[str, Facts] = field(default_factory=dict[str, Facts])

    def facts(self, path: str) -> Facts | None:
        return self.live.get(path) or self.index.facts(path)

    def names(self) -> Names:
        return Names(self.index, self.live)

    def text(self, path: str) -> str | None:
        """A file's text, if the index has the file: whatever else a path leads to is not read."""
        if path not in self.live and not self.index.exists(path):
            return None
        source = self.read(path)
        return None if source is None else source.decode("utf-8", "replace")


class Passage(NamedTuple):
    """A piece of one file.  `lines` are its first and last, from 1; `tokens` are estimated."""

    repository: str
    path: str
    lines: tuple[int, int]
    text: str
    why: str
    value: float

    @property
    def tokens(self) -> int:
        return tokens_of(self.text)


def tokens_of(text: str) -> int:
    return round(len(text) / CHARACTERS_PER_TOKEN) + ITEM_TOKENS


def fitting(passages: Iterable[Passage], budget: int) -> list[Passage]:
    """Of passages in their order those that fit into `budget` tokens; no line comes twice."""
    kept: list[Passage] = []
    shown: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for one in passages:
        spans = shown.setdefault((one.repository, one.path), [])
        if any(a <= one.lines[0] and one.lines[1] <= b for a, b in spans):
            continue
        cost = one.tokens + (0 if spans else FILE_TOKENS)
        if cost <= budget:
            budget -= cost
            spans.append(one.lines)
            kept.append(one)
    return kept


def identifiers(question: str) -> frozenset[str]:
    """Names that a question spells as code does: `open_store`, OrderClient, store.find()."""
    quoted = " ".join(re.findall(r"`([^`]+)`", question))
    spelled = {
        word
        for word in _WORD.findall(question)
        if "_" in word.strip("_") or re.search(r"[a-z][A-Z]|^[A-Z]{2}|^[A-Z].*[A-Z]", word)
    }
    return frozenset(spelled | set(_WORD.findall(quoted)))


@lru_cache(1 << 15)
def stem(word: str) -> str:
    """A word without the ending that a plural or a verb gives it."""
    for ending, rest in (
        ("ies", "y"),
        ("ied", "y"),
        ("sses", "ss"),
        ("ing", ""),
        ("ed", ""),
        ("s", ""),
    ):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            return word.removesuffix(ending) + rest
    return word


def words(text: str) -> tuple[str, ...]:
    """The words in a text and in its identifiers, lower case, without their endings."""
    return tuple(stem(word) for word in parts(text))


def wanted(question: str) -> dict[str, float]:
    """The words of a question that say what it is about; those spelled as code count more."""
    spelled = {word for name in identifiers(question) for word in words(name)}
    about = {stem(word) for word in parts(question) if word not in _ASKING} | spelled
    return {word: 2.0 if word in spelled else 1.0 for word in about}
