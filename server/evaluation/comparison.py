"""Which of two reports is better, and whether that is noise."""

from collections.abc import Sequence
from dataclasses import dataclass

from ...completion import metrics
from ...completion.metrics import Difference
from .contenders import EARLIER
from .rows import Row, Score
from .run import Report

# Fewer holes in common say nothing.
FEWEST = 20


class NotComparable(Exception):
    """Two reports that have nothing in common; the message is one line."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How much greater the means of the second report are, hole by hole.

    `before` and `after` are the contenders' names in the two reports.  `bits` are per byte
    of hidden text, None unless both reports counted them.  `tokens` is the mean number of
    tokens evaluated and decoded for a hole.
    """

    before: str
    after: str
    holes: int
    exact: Difference
    similarity: Difference
    saved: Difference
    bits: Difference | None
    tokens: tuple[float, float]
    ms: tuple[float, float]

    @property
    def verdict(self) -> str:
        """What the second is: "better", "worse", or "alike" where that may be noise.

        Similarity decides: it moves with every answer, exact match only with a few.  Bits
        do too, where they were counted: they see what no answer shows yet.
        """
        judged = [(self.similarity, 1)] + ([(self.bits, -1)] if self.bits else [])
        certain = [one.value * sign for one, sign in judged if one.certain]
        if not certain:
            return "alike"
        return "worse" if min(certain) < 0 else "better"


def compare(first: Report, second: Report) -> list[Comparison]:
    """Contenders of the same name are compared; where there is one model in each report,
    these two, whatever they are called.  Raises NotComparable."""
    rows = {row.id: row for row in first.scored}
    pairs = [(rows[row.id], row) for row in second.scored if row.id in rows]
    if len(pairs) < FEWEST:
        raise NotComparable(
            f"the two reports have {len(pairs)} holes in common, {FEWEST} are needed; measure "
            "the same folders with the same --seed"
        )
    found: list[Comparison] = []
    for before, after in _names(first, second):
        scores = [(a.scores[before], b.scores[after]) for a, b in pairs]
        found.append(_comparison(before, after, scores, [row for row, _ in pairs]))
    if not found:
        raise NotComparable("no contender is in both reports; measure one with the same --model")
    return found


def _names(first: Report, second: Report) -> list[tuple[str, str]]:
    models = [[name for name in one.contenders if name != EARLIER] for one in (first, second)]
    if all(len(names) == 1 for names in models):
        pairs = [(models[0][0], models[1][0])]
    else:
        pairs = [(name, name) for name in models[0] if name in models[1]]
    if EARLIER in first.contenders and EARLIER in second.contenders:
        pairs.append((EARLIER, EARLIER))
    return pairs


def _comparison(
    before: str, after: str, scores: Sequence[tuple[Score, Score]], rows: Sequence[Row]
) -> Comparison:
    groups = [row.group for row in rows]
    count = max(1, len(scores))
    return Comparison(
        before,
        after,
        len(scores),
        metrics.difference(
            [float(a.exact) for a, _ in scores], [float(b.exact) for _, b in scores], groups
        ),
        metrics.difference(
            [a.similarity for a, _ in scores], [b.similarity for _, b in scores], groups
        ),
        metrics.difference(
            [float(a.saved) for a, _ in scores],
            [float(b.saved) for _, b in scores],
            groups,
            [float(row.length) for row in rows],
        ),
        _bits(scores, rows),
        (sum(a.tokens for a, _ in scores) / count, sum(b.tokens for _, b in scores) / count),
        (
            metrics.quantile([a.ms for a, _ in scores], 0.5),
            metrics.quantile([b.ms for _, b in scores], 0.5),
        ),
    )


def _bits(scores: Sequence[tuple[Score, Score]], rows: Sequence[Row]) -> Difference | None:
    counted = [
        (a.bits, b.bits, row)
        for (a, b), row in zip(scores, rows, strict=True)
        if a.bits is not None and b.bits is not None
    ]
    if not counted:
        return None
    return metrics.difference(
        [first for first, _, _ in counted],
        [second for _, second, _ in counted],
        [row.group for _, _, row in counted],
        [float(row.bytes) for _, _, row in counted],
    )
