"""What the numbers say: shares with their intervals, percentiles, days.  Pure functions."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import sqrt
from typing import Any

from .store import Numbers, Row, day

OUTCOMES: tuple[str, ...] = ("accepted", "partial", "typed", "rejected", "ignored")
# By what suggestions are grouped; a suggestion counts under each rule that changed it.
GROUPS: Mapping[str, Callable[[Row], Sequence[str]]] = {
    "language": lambda row: [row.language],
    "model": lambda row: [row.model],
    "source": lambda row: [row.source],
    "rule": lambda row: row.rules.split() or ["none"],
}
# Where in a key of `Numbers.answers` these groups are; rules are not kept there.
IN_ANSWERS = {"language": 1, "model": 2, "source": 3}
PERCENTILES = (50, 90, 95, 99)
# Half the width of a 95 % interval in standard deviations.
Z = 1.96


@dataclass(frozen=True, slots=True)
class Share:
    """`part` of `whole`, with Wilson's 95 % interval; `value` is None of nothing."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        return self.part / self.whole if self.whole else None

    @property
    def bounds(self) -> tuple[float, float]:
        if not self.whole:
            return 0.0, 1.0
        share, n = self.part / self.whole, self.whole
        middle, stretch = share + Z * Z / (2 * n), 1 + Z * Z / n
        half = Z * sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
        return max(0.0, (middle - half) / stretch), min(1.0, (middle + half) / stretch)


@dataclass(frozen=True, slots=True)
class Figures:
    """One group.  `latency` is milliseconds from request to answer by percentile, empty
    where none are known."""

    name: str
    outcomes: Mapping[str, int]
    inserted: int
    kept_30: Share
    kept_300: Share
    latency: Mapping[int, float]

    @property
    def shown(self) -> int:
        return sum(self.outcomes.values())

    def share(self, outcome: str) -> Share:
        return Share(self.outcomes[outcome], self.shown)


@dataclass(frozen=True, slots=True)
class Day:
    """`start` is the Unix second at which it began (UTC)."""

    start: int
    accepted: Share
    completed: Share


@dataclass(frozen=True, slots=True)
class Summary:
    """Everything that `wicket stats` tells.

    `completed` is the share of completion in what was completed or typed, `of_all` in all
    that was inserted, pastes and undos included.  `latencies` counts answers by
    milliseconds.
    """

    since: int
    total: Figures
    completed: Share
    of_all: Share
    groups: Mapping[str, Sequence[Figures]]
    days: Sequence[Day]
    latencies: Mapping[float, int]


def summary(numbers: Numbers, since: int = 0) -> Summary:
    answers = Counter[float]()
    for (*_where, ms), count in numbers.answers.items():
        answers[ms] += count
    completed, typed, other = _sum(numbers.characters.values())
    return Summary(
        since,
        figures("all", numbers.rows, answers),
        Share(completed, completed + typed),
        Share(completed, completed + typed + other),
        {group: _grouped(numbers, group) for group in GROUPS},
        _days(numbers),
        dict(sorted(answers.items())),
    )


def figures(name: str, rows: Iterable[Row], latencies: Mapping[float, int]) -> Figures:
    outcomes, inserted = dict.fromkeys(OUTCOMES, 0), 0
    kept = {"kept_30": Counter[int](), "kept_300": Counter[int]()}
    for row in rows:
        outcomes[row.outcome] = outcomes.get(row.outcome, 0) + row.count
        inserted += row.inserted
        for when, counts in kept.items():
            if (there := getattr(row, when)) is not None:
                counts[there] += row.count
    stays = {when: Share(counts[1], counts.total()) for when, counts in kept.items()}
    return Figures(name, outcomes, inserted, **stays, latency=percentiles(latencies))


def percentiles(counts: Mapping[float, int]) -> dict[int, float]:
    """The smallest value that so many percent do not exceed, by percentile."""
    found: dict[int, float] = {}
    total, seen = sum(counts.values()), 0
    for value, count in sorted(counts.items()):
        seen += count
        for percent in PERCENTILES:
            if 100 * seen >= percent * total:
                found.setdefault(percent, value)
    return found


def to_json(one: Summary) -> dict[str, Any]:
    """Shares as {value, low, high, part, whole}."""
    return {
        "since": date(one.since) if one.since else None,
        **_figures(one.total),
        "completed_code": share_json(one.completed) | {"of_all_inserted": one.of_all.value},
        "by": {
            group: {figures.name: _figures(figures) for figures in found}
            for group, found in one.groups.items()
        },
        "days": [
            {
                "day": date(today.start),
                "shown": today.accepted.whole,
                "acceptance": today.accepted.value,
                "completed_code": today.completed.value,
            }
            for today in one.days
        ],
        "latency_counts": [{"ms": ms, "answers": n} for ms, n in one.latencies.items()],
    }


def _figures(one: Figures) -> dict[str, Any]:
    return {
        "shown": one.shown,
        **one.outcomes,
        "acceptance": share_json(one.share("accepted")),
        "characters": one.inserted,
        "kept_30_seconds": share_json(one.kept_30),
        "kept_5_minutes": share_json(one.kept_300),
        "latency_ms": {f"p{percent}": ms for percent, ms in one.latency.items()},
    }


def share_json(one: Share) -> dict[str, Any]:
    low, high = one.bounds
    return {"value": one.value, "low": low, "high": high, "part": one.part, "whole": one.whole}


def _grouped(numbers: Numbers, group: str) -> list[Figures]:
    """The groups of a kind, the most shown first."""
    rows: dict[str, list[Row]] = {}
    answers: dict[str, Counter[float]] = {}
    for row in numbers.rows:
        for name in GROUPS[group](row):
            rows.setdefault(name, []).append(row)
    if place := IN_ANSWERS.get(group):
        for key, count in numbers.answers.items():
            answers.setdefault(str(key[place]), Counter())[key[-1]] += count
    names = dict.fromkeys([*rows, *answers])
    found = [figures(name, rows.get(name, []), answers.get(name, {})) for name in names]
    return sorted(found, key=lambda one: -one.shown)


def _days(numbers: Numbers) -> list[Day]:
    rows: dict[int, list[Row]] = {}
    characters: dict[int, list[tuple[int, int, int]]] = {}
    for row in numbers.rows:
        rows.setdefault(day(row.at), []).append(row)
    for (start, _language), counts in numbers.characters.items():
        characters.setdefault(start, []).append(counts)
    found = list[Day]()
    for start in sorted({*rows, *characters}):
        completed, typed, _other = _sum(characters.get(start, []))
        accepted = figures("", rows.get(start, []), {}).share("accepted")
        found.append(Day(start, accepted, Share(completed, completed + typed)))
    return found


def _sum(characters: Iterable[tuple[int, int, int]]) -> tuple[int, int, int]:
    columns = list(zip(*characters, strict=True)) or [(0,), (0,), (0,)]
    # A correction may have come a day after what it corrects.
    completed, typed, other = (max(0, sum(column)) for column in columns)
    return completed, typed, other


def date(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).date().isoformat()
