"""One row per hole: what it was, and how well each contender filled it.

Rows hold numbers and names of files, never source code, so a report may be shown around.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...completion import metrics
from ...completion.holes import Hole
from .contenders import Answer


@dataclass(frozen=True, slots=True)
class Score:
    """How well one hole was filled.

    `shown` is whether an editor would get the answer unasked; the others are about the
    answer, shown or not.  `similarity` is 1 for the same text; `saved` counts characters;
    `raw` is whether the untrimmed text was right.  `tokens` were evaluated for it, `ms` is
    the time from request to answer, `cpu_ms` the engine's processor time.  `bits` is what the
    hidden text costs the model, None where nobody asked or it cannot be told.
    """

    shown: bool
    exact: bool
    raw: bool
    similarity: float
    saved: int
    confidence: float | None = None
    tokens: int = 0
    ms: float = 0.0
    bits: float | None = None
    cpu_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Row:
    """A hole without its text: `length` of it in characters, `bytes` in UTF-8.

    `plain` is the id of the same hole in sound surroundings.
    """

    id: str
    plain: str
    repository: str
    file: str
    language: str
    kind: str
    slice: str
    length: int
    bytes: int
    scores: Mapping[str, Score]

    @property
    def group(self) -> tuple[str, str]:
        """Holes of one file are no independent witnesses."""
        return self.repository, self.file


def score(hole: Hole, answer: Answer) -> Score:
    said = bool(answer.text)
    # Who was not asked took no tokens and no time.
    tokens = sum(answer.tokens.get(what, 0) for what in ("prefill", "decoded", "guessed"))
    return Score(
        shown=said and not answer.unsure,
        exact=said and metrics.exact(answer.text, hole.gold),
        raw=metrics.exact(answer.raw, hole.gold),
        similarity=round(metrics.similarity(answer.text, hole.gold), 4) if said else 0.0,
        saved=metrics.saved(answer.text, hole.gold) if said else 0,
        confidence=answer.confidence if said else None,
        tokens=tokens,
        ms=answer.ms,
        bits=answer.bits,
        cpu_ms=answer.cpu_ms,
    )


def either(first: Score, second: Score) -> Score:
    """What an arbiter that always knew better could reach."""
    return Score(
        shown=first.shown or second.shown,
        exact=first.exact or second.exact,
        raw=first.raw or second.raw,
        similarity=max(first.similarity, second.similarity),
        saved=max(first.saved, second.saved),
    )


def row(hole: Hole, plain: str, scores: Mapping[str, Score]) -> Row:
    return Row(
        id=hole.id,
        plain=plain,
        repository=hole.repository,
        file=hole.path,
        language=hole.language,
        kind=hole.kind,
        slice=hole.slice,
        length=len(hole.gold),
        bytes=len(hole.gold.encode("utf-8", "replace")),
        scores=scores,
    )


def to_json(rows: Sequence[Row]) -> list[dict[str, Any]]:
    return [asdict(row) for row in rows]


def from_json(said: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Raises TypeError or KeyError where a report is not one."""
    found: list[Row] = []
    for one in said:
        members = dict(one)
        members["scores"] = {name: Score(**told) for name, told in one["scores"].items()}
        found.append(Row(**members))
    return found
