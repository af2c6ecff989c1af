"""How good suggestions are, and how sure one may be of it.  Pure functions over numbers.

A suggestion is compared with the text that was hidden, trailing space aside.  Holes of one
file are no independent witnesses, so intervals and tests draw whole groups (files).
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Intervals alone need it, and import it: a thin client has none.
    import numpy as np
    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]

# Draws of a bootstrap: intervals then move by less than a tenth of their width.
ROUNDS = 2_000
# Shares of all holes at which precision is reported.
SHARES = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0)


def exact(text: str, gold: str) -> bool:
    """Whether `text` is what was hidden."""
    return bare(text) == bare(gold)


def similarity(text: str, gold: str) -> float:
    """1 for the same text, 0 for nothing in common: the normalised edit distance."""
    a, b = bare(text), bare(gold)
    return 1 - distance(a, b) / max(len(a), len(b)) if a or b else 1.0


def saved(text: str, gold: str) -> int:
    """Characters that need not be typed if what is right of `text` is accepted.

    Whole lines count while they are right, and the start of one where `text` ends in it;
    accepting takes one key.
    """
    shown, hidden = bare(text).split("\n"), bare(gold).split("\n")
    kept = 0
    for number, (line, wanted) in enumerate(zip(shown, hidden, strict=False)):
        if line != wanted and not (number == len(shown) - 1 and wanted.startswith(line)):
            break
        kept += len(line) + (number > 0)
        if line != wanted:
            break
    return max(0, kept - 1)


def bare(text: str) -> str:
    """`text` without trailing space, on each line and at the end."""
    return "\n".join(line.rstrip() for line in text.split("\n")).rstrip()


def distance(a: str, b: str) -> int:
    """Levenshtein's: insertions, deletions and substitutions, one each."""
    row = list(range(len(b) + 1))
    for number, letter in enumerate(a, start=1):
        before, row = row, [number]
        for column, other in enumerate(b):
            same = before[column] + (letter != other)
            row.append(min(same, before[column + 1] + 1, row[column] + 1))
    return row[-1]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean, the bounds of its 95 % interval, and over how many holes."""

    value: float
    low: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class Difference:
    """How much greater the mean of the second is, with its 95 % interval.

    `p` is the share of draws, doubled, in which the sign is the other.
    """

    value: float
    low: float
    high: float
    p: float
    count: int

    @property
    def certain(self) -> bool:
        """Whether 0 lies outside the interval."""
        return self.low > 0 or self.high < 0


def estimate(
    values: Sequence[float],
    groups: Sequence[Hashable],
    weights: Sequence[float] | None = None,
) -> Estimate:
    """The mean of `values`, or their sum over that of `weights`.

    `groups` says for each value to which group it belongs.
    """
    if not values:
        return Estimate(0.0, 0.0, 0.0, 0)
    top, bottom = _sums(values, groups), _sums(weights or [1.0] * len(values), groups)
    drawn = _drawn(len(top))
    low, high = _bounds(_ratio(drawn @ top, drawn @ bottom))
    mean = float(_ratio(top.sum(keepdims=True), bottom.sum(keepdims=True))[0])
    return Estimate(mean, low, high, len(values))


def difference(
    first: Sequence[float],
    second: Sequence[float],
    groups: Sequence[Hashable],
    weights: Sequence[float] | None = None,
) -> Difference:
    """The paired bootstrap test: values at the same index belong to the same hole."""
    if not first:
        return Difference(0.0, 0.0, 0.0, 1.0, 0)
    apart = [b - a for a, b in zip(first, second, strict=True)]
    top, bottom = _sums(apart, groups), _sums(weights or [1.0] * len(apart), groups)
    drawn = _drawn(len(top))
    means = _ratio(drawn @ top, drawn @ bottom)
    low, high = _bounds(means)
    mean = float(_ratio(top.sum(keepdims=True), bottom.sum(keepdims=True))[0])
    other = min(float((means <= 0).mean()), float((means >= 0).mean()))
    return Difference(mean, low, high, min(1.0, 2 * other), len(apart))


def precision_at(
    shares: Iterable[float],
    confidences: Sequence[float | None],
    right: Sequence[bool],
    groups: Sequence[Hashable],
) -> dict[float, Estimate | None]:
    """The share of right suggestions among the surest, for shares of all holes.

    A confidence of None means that nothing was offered; a share that is not reached has
    no precision.  Among equally sure ones the order is nobody's choice: where only some of
    them belong to the share, all count with that part of their weight.  Intervals hold for
    the threshold that led to the share here.
    """
    told = zip(confidences, right, groups, strict=True)
    offered = [(sure, found, group) for sure, found, group in told if sure is not None]
    order = sorted((sure for sure, _, _ in offered), reverse=True)
    shown: dict[float, Estimate | None] = {}
    for share in shares:
        wanted = round(share * len(right))
        if not 0 < wanted <= len(order):
            shown[share] = None
            continue
        last = order[wanted - 1]
        part = (wanted - sum(sure > last for sure in order)) / order.count(last)
        among = [
            (found, group, part if sure == last else 1.0)
            for sure, found, group in offered
            if sure >= last
        ]
        shown[share] = estimate(
            [found * weight for found, _, weight in among],
            [group for _, group, _ in among],
            [weight for _, _, weight in among],
        )
    return shown


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of all lie, between two by parts; 0 where there is none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    below, part = divmod(share * (len(ordered) - 1), 1)
    low = ordered[int(below)]
    high = ordered[min(int(below) + 1, len(ordered) - 1)]
    return float(low + (high - low) * part)


def _sums(values: Sequence[float], groups: Sequence[Hashable]) -> "Numbers":
    """One sum for each group, in order of first appearance."""
    import numpy as np  # noqa: PLC0415

    number = {group: n for n, group in enumerate(dict.fromkeys(groups))}
    index = np.array([number[group] for group in groups])
    return np.bincount(index, np.asarray(values, np.float64), len(number)).astype(np.float64)


def _drawn(groups: int) -> "Numbers":
    """How often each of `groups` is drawn in each round; the same numbers every time."""
    import numpy as np  # noqa: PLC0415

    chance = np.random.default_rng(groups)
    return chance.multinomial(groups, np.full(groups, 1 / groups), ROUNDS).astype(np.float64)


def _ratio(top: "Numbers", bottom: "Numbers") -> "Numbers":
    import numpy as np  # noqa: PLC0415

    return np.divide(top, bottom, out=np.zeros_like(top), where=bottom != 0)


def _bounds(means: "Numbers") -> tuple[float, float]:
    import numpy as np  # noqa: PLC0415

    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)
