"""Runs of a benchmark: each figure's median, least and greatest; shown, or added to a file."""

import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.table import Table

from .. import machine, terminal

# Figures of one run by their names.
Run = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Figure:
    """How a figure is shown: its name in a run, what a person reads, its factor, its digits."""

    name: str
    label: str
    factor: float = 1
    digits: int = 1


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several runs, the least and the greatest."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        return cls(statistics.median(values), min(values), max(values))

    def text(self, factor: float = 1, digits: int = 1) -> str:
        median, low, high = (
            f"{factor * value:.{digits}f}" for value in (self.median, self.low, self.high)
        )
        return f"{median} ({low} to {high})"


Figures = Mapping[str, Spread]


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured of each subject, by its name.

    `ratios` are those of each subject to the first, run by run, so that what the machine
    did besides falls on both sides; a figure that was ever 0 has none.  `options` are what
    the runs were asked for, `verdicts` a sentence about each subject.
    """

    bench: str
    runs: int
    subjects: Mapping[str, Figures]
    ratios: Mapping[str, Figures]
    options: Mapping[str, Any]
    machine: dict[str, Any]
    verdicts: Mapping[str, str] = field(default_factory=dict[str, str])
    time: str = field(default_factory=lambda: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()))

    @classmethod
    def of(
        cls,
        bench: str,
        runs: Mapping[str, Sequence[Run]],
        machine: dict[str, Any],
        **options: Any,
    ) -> "Result":
        """`machine` was described before the first run.  Every subject has as many runs,
        made in turns."""
        first, *others = runs
        return cls(
            bench,
            len(runs[first]),
            {name: spreads(of) for name, of in runs.items()},
            {name: ratios(runs[first], runs[name]) for name in others},
            options,
            machine,
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def append(self, path: Path) -> None:
        """Add the result as a line of JSON.  Raises OSError."""
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(self.to_json()) + "\n")

    def show(self, shown: Sequence[Figure]) -> None:
        """Print what a person wants to see; figures that were not measured are left out."""
        console = terminal.tables()
        asked = "".join(f", {name} {value}" for name, value in self.options.items())
        console.print(
            f"{machine.in_words(self.machine)}; {self.runs} runs{asked}: median (least to greatest)"
        )
        table = Table(box=None, padding=(0, 2, 0, 0))
        table.add_column("")
        for name in self.subjects:
            table.add_column(name, justify="right")
        for name in self.ratios:
            table.add_column(f"{name} / {next(iter(self.subjects))}", justify="right")
        for row in shown:
            cells = [
                figures[row.name].text(row.factor, row.digits) if row.name in figures else ""
                for figures in self.subjects.values()
            ]
            apart = [
                of[row.name].text(digits=2) if row.name in of else "" for of in self.ratios.values()
            ]
            if any(cells):
                table.add_row(row.label, *cells, *apart)
        console.print(table)


def spreads(runs: Sequence[Run]) -> dict[str, Spread]:
    """The median, least and greatest of each figure that every run has."""
    common = [name for name in runs[0] if all(name in run for run in runs)]
    return {name: Spread.of([run[name] for run in runs]) for name in common}


def ratios(first: Sequence[Run], second: Sequence[Run]) -> dict[str, Spread]:
    """How many times as great the figures of the second are, run by run."""
    pairs = list(zip(first, second, strict=True))
    common = [name for name in first[0] if all(run.get(name) for pair in pairs for run in pair)]
    return {name: Spread.of([b[name] / a[name] for a, b in pairs]) for name in common}
