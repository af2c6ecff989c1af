"""Which chance a suggestion must have here to be shown: told from what became of those shown.

Each suggestion that is right (taken whole or in part, or typed by hand) is a gain, and
each that is shown costs `WORTH` of that; the threshold with the most gain is wanted among
those that leave `TARGET` of what is shown right.  It is chosen on the older two thirds of
the suggestions and has to prove itself on the latest third.  What is less likely than the
threshold of now was never shown, and nothing is known of it: a lower one is proposed in one
small step, where even the least likely suggestions of now are right often enough.  Pure
functions.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Any

from ...completion.chances import SHOWN
from .figures import Share, share_json
from .store import Row

# The share of shown suggestions that is to be right: the mark of our own measurements.
TARGET = 0.4
# What is right this seldom is just worth a look, as without any tuning.
WORTH = SHOWN
RIGHT, WRONG = ("accepted", "partial", "typed"), ("rejected",)
# Thresholds are percents, tried in such steps.
STEP, LEAST, MOST = 5, 5, 95
# Suggestions without which nothing is proposed, and those that a threshold has to keep.
FEWEST, ENOUGH = 300, 30
# Percents above the threshold that tell what is just below it.
BAND = 10


@dataclass(frozen=True, slots=True)
class Tuning:
    """What is proposed instead of `now`, both in percent; `proposed` is None for no change.

    `before` and `after` are the right ones among those shown with either threshold, of the
    latest suggestions, on which it was not chosen.  `known` counts all that were used.
    """

    now: int
    proposed: int | None
    known: int
    before: Share
    after: Share
    why: str


def tuned(rows: Sequence[Row], now: int) -> Tuning:
    """The threshold that suits these rows, now being `now`."""
    known = sorted((row for row in rows if judged(row)), key=lambda row: row.at)
    cut = len(known) * 2 // 3
    fit, held = known[:cut], known[cut:]
    before = right(held, now)
    if len(known) < FEWEST:
        return Tuning(now, None, len(known), before, before, f"{FEWEST} are needed")
    wanted = _best(fit, now)
    if wanted is None:
        least, why = None, f"no threshold leaves {100 * TARGET:.0f} % of enough suggestions right"
    elif wanted > now:
        least, why = _higher(held, now, wanted)
    else:
        least, why = _lower(fit, held, now)
    after = before if least is None else right(held, least)
    return Tuning(now, least, len(known), before, after, why)


def to_json(one: Tuning) -> dict[str, Any]:
    """Shares as {value, low, high, part, whole}."""
    return {
        "now": one.now,
        "proposed": one.proposed,
        "why": one.why,
        "known": one.known,
        "held_out": {"before": share_json(one.before), "after": share_json(one.after)},
    }


def judged(row: Row) -> bool:
    """Whether a row tells if a suggestion that came by itself was right."""
    return row.chance is not None and not row.manual and row.outcome in RIGHT + WRONG


def right(rows: Sequence[Row], least: float, most: float = 101) -> Share:
    """The right ones among those with a chance of `least` up to less than `most` percent."""
    within = [row for row in rows if least <= 100 * (row.chance or 0) < most]
    return Share(sum(row.outcome in RIGHT for row in within), len(within))


def _best(fit: Sequence[Row], now: int) -> int | None:
    """The threshold from `now` on that gains most, None where none leaves enough right."""
    shown = {least: right(fit, least) for least in range(now, MOST + 1, STEP)}
    gains = {
        least: kept.part - WORTH * kept.whole
        for least, kept in shown.items()
        if kept.whole >= ENOUGH and kept.part >= TARGET * kept.whole
    }
    return max(gains, key=lambda least: gains[least], default=None)


def _higher(held: Sequence[Row], now: int, least: int) -> tuple[int | None, str]:
    kept, dropped = right(held, least), right(held, now, least)
    too_few = (right(held, now).value or 0) < TARGET
    if not _better(kept, dropped) or not (too_few or dropped.bounds[1] < WORTH):
        return None, f"{least} seemed better, but on the latest suggestions that could be chance"
    return least, "less likely ones are seldom right, the latest ones too"


def _lower(fit: Sequence[Row], held: Sequence[Row], now: int) -> tuple[int | None, str]:
    least = max(LEAST, now - STEP)
    enough = "what is shown is right often enough"
    if least >= now or right(fit, now, now + BAND).bounds[0] < TARGET:
        return None, enough
    chances = sorted(100 * (row.chance or 0) for row in held)
    middle = chances[len(chances) // 2]
    # Only where likelier ones are right more often does a chance say anything.
    tells = _better(right(held, middle), right(held, now, middle))
    if (right(held, now, now + BAND).value or 0) < TARGET or not tells:
        return None, enough
    return least, "even the least likely ones were right; what is below was never shown"


def _better(one: Share, other: Share) -> bool:
    """Whether the first share is greater, with 97.5 % confidence (Newcombe 1998, method 10)."""
    if one.value is None or other.value is None:
        return False
    apart = one.value - other.value
    low = one.value - one.bounds[0]
    high = other.bounds[1] - other.value
    return apart - sqrt(low * low + high * high) > 0
