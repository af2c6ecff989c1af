"""Does a model complete at all here: twenty fixed holes per language, and a pure verdict.

A wrong prompt format or a chat model gives fluent text that has nothing to do with the
hole.  So an answer is compared with what was hidden, and with what was hidden elsewhere:
only a model that understood the question is more like the former.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .. import metrics

# LSP language identifiers of the sources in `trials/`, and the path that a model is told.
SOURCES = {
    "python": "store.py",
    "typescript": "store.ts",
    "go": "store.go",
    "rust": "store.rs",
    "java": "Store.java",
    "c": "store.c",
}
HOLE = re.compile("«(.*?)»")

# A model of fewer bytes is tiny.
TINY_BYTES = 64 << 20
# Mean likeness to the hidden text, and how much less like the others' it must be.  The
# shipped model, among the weakest that are of use, has 0.34 and 0.16 in Python; with four
# wrong prompt formats it has at most 0.16 and 0.05.
TINY_FLOOR = (0.22, 0.08)
# Models of half a billion parameters and more fill over 70 % of single-line holes of
# HumanEval exactly (Qwen2.5-Coder report, table 7); these here are no harder.
FLOOR = (0.45, 0.2)


@dataclass(frozen=True, slots=True)
class Probe:
    """A source with a hole in one of its lines."""

    path: str
    language: str
    before: str
    gold: str
    after: str


@dataclass(frozen=True, slots=True)
class Score:
    """How the answers of one language were.  `alike` and `by_chance` are from 0 to 1."""

    holes: int
    exact: int
    alike: float
    by_chance: float


@dataclass(frozen=True, slots=True)
class Trial:
    """What a trial found.  `why` is empty for a model that passes.

    `first_ms` is the median time to a whole first line, rates are tokens per second,
    `memory` is bytes.
    """

    scores: Mapping[str, Score]
    why: str
    first_ms: float
    rates: Mapping[str, float] = field(default_factory=dict[str, float])
    memory: int = 0

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def of_json(cls, said: Mapping[str, Any]) -> "Trial | None":
        """None for what another version wrote."""
        try:
            scores = {name: Score(**score) for name, score in said["scores"].items()}
            rest = {name: said[name] for name in ("why", "first_ms", "rates", "memory")}
            return cls(scores, **rest)
        except (TypeError, KeyError, AttributeError):
            return None


def probes(language: str) -> list[Probe]:
    """The holes of a language in SOURCES."""
    text = (Path(__file__).parent / "trials" / f"{language}.txt").read_text("utf-8")
    return [
        Probe(SOURCES[language], language, _bare(text[: m.start()]), m[1], _bare(text[m.end() :]))
        for m in HOLE.finditer(text)
    ]


def languages_for(languages: Sequence[str]) -> list[str]:
    """In which languages a model is tried; it may know any."""
    return [name for name in SOURCES if not languages or name in languages]


def score(answers: Sequence[str], golds: Sequence[str]) -> Score:
    """Compare first lines.  There are at least two answers."""
    lines = [answer.partition("\n")[0] for answer in answers]
    own = [metrics.similarity(line, gold) for line, gold in zip(lines, golds, strict=True)]
    others = [
        metrics.similarity(line, gold)
        for i, line in enumerate(lines)
        for j, gold in enumerate(golds)
        if i != j
    ]
    exact = sum(metrics.exact(line, gold) for line, gold in zip(lines, golds, strict=True))
    count = len(lines)
    return Score(count, exact, round(sum(own) / count, 3), round(sum(others) / len(others), 3))


def verdict(scores: Mapping[str, Score], size: int) -> str:
    """Why a model of `size` bytes is of no use, or "": it need not know every language."""
    alike, gain = TINY_FLOOR if size < TINY_BYTES else FLOOR
    if any(s.alike >= alike and round(s.alike - s.by_chance, 3) >= gain for s in scores.values()):
        return ""
    if not scores:
        return "there was no language to try it in"
    name, best = max(scores.items(), key=lambda row: row[1].alike - row[1].by_chance)
    return (
        f"its best, in {name}, is {best.exact} of {best.holes} right and {best.alike:.0%} alike "
        f"({best.by_chance:.0%} by chance, {alike:.0%} wanted): it may be a chat model, or need "
        "another prompt format"
    )


def _bare(text: str) -> str:
    return text.replace("«", "").replace("»", "")
