"""Which provider gets a task: its kind's tiers in order, and one pure decision with its reason.

    the kind's tiers, or those of [routes]  ->  the user's wish  ->  what is in the way

What may not be is passed over: a tier that cannot do it, a policy, a budget, a freeze.
What is only doubtful (it failed lately, it is slow, the task is large for it) comes last
instead, so that it is still there where nothing else is.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .kinds import KINDS, TIERS, Kind, Tier

# More is a stronger model, less one that is nearer.
WISHES = ("more", "less")

# Bytes that models of a tier usually take in, at four bytes of code for a token: half of the
# 64,000 tokens that servers at home are commonly started with, and three quarters of the
# 200,000 that Anthropic and OpenAI document for their large models.
ROOM: Mapping[Tier, int] = {"local": 24 << 10, "on-prem": 128 << 10, "frontier": 600 << 10}
# Requests that failed one after the other until a provider counts as ill.
ILL_AFTER = 2
# A first word that takes so long, and so many times as long as another's, is slow.
SLOW_MS = 5_000
SLOW_TIMES = 3


# What never goes to a provider.
COMPLETE = Kind("complete", tiers=("local",), largest=30 << 10)
EVERY = {COMPLETE.name: COMPLETE} | KINDS
# What the model on this machine can do: it fills in the middle, and follows no instruction.
LOCAL = frozenset({COMPLETE.name})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A provider as the decision sees it.

    `barred` is why it may not get this task (policy, budget, freeze).  `failures` are those
    in a row until now, `latency_ms` the usual time to its first word; `room` is in bytes.
    """

    name: str
    tier: Tier
    barred: str | None = None
    failures: int = 0
    latency_ms: int | None = None
    room: int | None = None


@dataclass(frozen=True, slots=True)
class Passed:
    """A tier or provider that was not chosen, or comes later, and why."""

    name: str
    why: str


@dataclass(frozen=True, slots=True)
class Route:
    """Providers in the order in which they are asked; none where the task goes nowhere.

    `tier` is that of the first; it is local where the model on this machine does it.
    """

    kind: str
    tier: Tier | None
    order: tuple[str, ...]
    reason: str
    passed: tuple[Passed, ...] = ()

    @property
    def others(self) -> str:
        """Who was passed over, as one line; empty where nobody was."""
        return "; ".join(f"{one.name}: {one.why}" for one in self.passed)

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "tier": self.tier,
            "order": list(self.order),
            "reason": self.reason,
            "passed": [{"name": one.name, "why": one.why} for one in self.passed],
        }


def decide(
    kind: Kind,
    size: int,
    candidates: Sequence[Candidate],
    tiers: Sequence[Tier] | None = None,
    wish: str | None = None,
    local: Collection[str] = LOCAL,
) -> Route:
    """Who gets a task of `size` bytes.

    `candidates` are in the order of the settings, `tiers` what [routes] says of the kind.
    `wish` is the name of a candidate, a tier, more, less or None; one that names nobody
    leaves nobody.
    """
    if size > kind.largest:
        why = f"{_size(size)} is more than {kind.name} takes ({_size(kind.largest)})"
        return Route(kind.name, None, (), why)
    ordered, why = _ordered(kind, tiers, candidates, wish)
    passed: list[Passed] = []
    good: list[Candidate] = []
    doubtful: list[Candidate] = []
    for tier in ordered:
        if tier == "local":
            if kind.name in local:
                done = f"the model on this machine can {kind.name}"
                return Route(kind.name, "local", (), done, tuple(passed))
            passed.append(Passed("local", "the model on this machine completes code only"))
            continue
        rows = [row for row in candidates if row.tier == tier and _means(wish, row)]
        for row in rows:
            if row.barred is not None:
                passed.append(Passed(row.name, row.barred))
            elif doubt := _doubt(row, rows, size):
                passed.append(Passed(row.name, doubt))
                doubtful.append(row)
            else:
                good.append(row)
    for row in candidates:
        if not _means(wish, row):
            passed.append(Passed(row.name, f"you asked for {wish}"))
        elif row.tier not in ordered:
            passed.append(Passed(row.name, f"{kind.name} does not go to {row.tier}"))
    if not (order := [*good, *doubtful]):
        return Route(kind.name, None, (), f"nobody that is set up may {kind.name}", tuple(passed))
    if not good:
        why = f"{why}, though {_doubt(order[0], order, size)}"
    return Route(kind.name, order[0].tier, tuple(c.name for c in order), why, tuple(passed))


def _ordered(
    kind: Kind, said: Sequence[Tier] | None, candidates: Sequence[Candidate], wish: str | None
) -> tuple[tuple[Tier, ...], str]:
    """Tiers in the order in which they are tried, and why in this one.

    What is wished for is chosen among them: nobody gets a tier that is not there.
    """
    tiers = kind.tiers if said is None else tuple(said)
    if wish == "more":
        return tuple(sorted(tiers, key=TIERS.index, reverse=True)), "you asked for more"
    if wish == "less":
        return tuple(sorted(tiers, key=TIERS.index)), "you asked for less"
    if wish is not None:
        meant = {wish, *(row.tier for row in candidates if row.name == wish)}
        return tuple(tier for tier in tiers if tier in meant), f"you asked for {wish}"
    if len(candidates) == 1:
        return tiers, "the only provider in your settings"
    there = [tier for tier in tiers if any(row.tier == tier for row in candidates)]
    where = "as [routes] says" if said is not None else "the nearest first"
    if len(there) < 2:
        where = "the first in your settings"
    return tiers, f"{kind.name} goes to {' before '.join(there)}, {where}"


def _means(wish: str | None, row: Candidate) -> bool:
    return wish in (None, *WISHES, row.name, row.tier)


def _doubt(row: Candidate, rivals: Sequence[Candidate], size: int) -> str | None:
    """Why a provider comes behind others that may have the task as well."""
    if row.failures >= ILL_AFTER:
        return f"its last {row.failures} requests failed"
    room = ROOM[row.tier] if row.room is None else row.room
    if size > room:
        return f"{_size(size)} is much for it ({_size(room)})"
    known = [r.latency_ms for r in rivals if r.latency_ms is not None and r.barred is None]
    mine, fastest = row.latency_ms or 0, min(known, default=0)
    if mine > max(SLOW_MS, SLOW_TIMES * fastest):
        return f"its first word takes {_seconds(mine)}, another's {_seconds(fastest)}"
    return None


def _size(number: int) -> str:
    return f"{number} bytes" if number < 1000 else f"{number / 1000:.0f} kB"


def _seconds(ms: int) -> str:
    return f"{ms / 1000:.1f} s"
