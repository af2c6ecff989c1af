"""A report for people: tables as cells, and the page of Markdown that holds them."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...completion.metrics import SHARES, Difference, Estimate
from .. import machine
from ..settings_table import KEYS
from . import figures
from .figures import ALL, Figures, Part
from .rows import Row
from .run import Report

KINDS = {"rest": "rest of a line", "line": "whole line", "block": "block of 2 to 6 lines"}
SLICES = {
    "broken": "broken code around the hole",
    "typo": "a typo in a name before it",
    "remark": "a comment that is not in English above it",
    "plain remark": "the same comment in English",
}
NONE = "–"  # noqa: RUF001  A dash is what stands for nothing in a table.

LEGEND = (
    "exact: answers that are the hidden text, %; similar: 100 less the edit distance, %; saved: "
    "of all hidden characters, %; shown: answers that an editor gets unasked, %; right: exact "
    "among shown, %; bits: per byte of the hidden text; tokens: evaluated and decoded per hole; "
    "cpu: milliseconds of a processor that the engine used per hole; ms: half of the answers/"
    "95 % of them came within; 95 % intervals by drawing whole files"
)

# An estimate as text: what its value is multiplied by, and its digits.
Written = Callable[[Estimate, float, int], str]


@dataclass(frozen=True, slots=True)
class Table:
    """Cells as text; the first column names, the others hold figures."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(report: Report, written: Written) -> list[Table]:
    """Every table of a report, the main ones first; `written` is how intervals look."""
    rows = figures.with_bounds(report.scored)
    parts = figures.parts(rows)
    found = [_main(part, written) for part in parts]
    kinds = dict.fromkeys(part.kind for part in parts)
    found += [_precision(rows, kind, written) for kind in kinds]
    found.append(_duels(rows))
    if harms := figures.harms(rows):
        found.append(_harms(harms))
    return found


def markdown(report: Report) -> str:
    """The whole page."""
    lines = ["# Evaluation", "", *(f"- {fact}" for fact in facts(report)), ""]
    for table in tables(report, bounds):
        lines += [f"## {table.title}", "", *_table(table), ""]
    return "\n".join(lines)


def facts(report: Report) -> list[str]:
    """What was measured, of whom and on what, and what the columns mean."""
    holes = report.holes
    return [
        f"Made by `{report.command}`",
        f"Holes: {holes['count']}, from {holes['from']}, seed {holes['seed']}, version "
        f"{holes['version']}, sha256 `{holes['hash'][:16]}`",
        *(f"Repository {_repository(one)}" for one in report.repositories),
        *(f"{name}: {_contender(one)}" for name, one in report.contenders.items()),
        f"Machine: {machine.in_words(report.machine)}",
        LEGEND,
    ]


def _repository(one: Mapping[str, Any]) -> str:
    revision = f", at {one['revision']}" if one["revision"] else ""
    out = ", ".join(f"{count} {reason}" for reason, count in one["left_out"].items())
    left = f"; left out: {out}" if out else ""
    return f"{one['name']}: {one['files']} files{revision}, sha256 `{one['hash'][:16]}`{left}"


def _contender(one: Mapping[str, Any]) -> str:
    settings = _settings(one["settings"])
    if not one["model"]:
        return f"the longest earlier occurrence of the text before the cursor; {settings}"
    if one["served"]:
        where = f"served elsewhere by {one['served']}"
    else:
        where = f"weights sha256 `{one['sha256'][:16]}`, {one['memory'] >> 20} MB of memory"
    return (
        f"{one['model']}, family {one['family']} ({one['order']}), context {one['context']}, "
        f"{where}, prompts sha256 `{one['prompts'][:16]}`; {settings}"
    )


def _settings(said: Mapping[str, Any]) -> str:
    """Those that are not as they come."""
    own = [
        f"{name} = {value}"
        for name, value in said.items()
        if json.dumps(value) != json.dumps(KEYS[f"completion.{name}"].default)
    ]
    return ", ".join(own) or "settings as they come"


def _main(part: Part, written: Written) -> Table:
    where = "All repositories" if part.repository == ALL else part.repository
    language = "" if part.language == ALL else f", {part.language}"
    return Table(
        f"{where}{language}: {KINDS[part.kind]}, {part.count} holes in {part.files} files",
        ("", "exact", "similar", "saved", "shown", "right", "bits", "tokens", "cpu", "ms"),
        [_figures(one, written) for one in part.figures],
    )


def _figures(one: Figures, written: Written) -> list[str]:
    asked = one.tokens or one.ms_p50
    return [
        one.contender,
        *(written(value, 100, 1) for value in (one.exact, one.similarity, one.saved)),
        f"{100 * one.shown.value:.0f}",
        written(one.precision, 100, 1),
        NONE if one.bits is None else written(one.bits, 1, 2),
        f"{one.tokens:.0f}" if asked else NONE,
        f"{one.cpu_ms:.0f}" if one.cpu_ms else NONE,
        f"{one.ms_p50:.0f}/{one.ms_p95:.0f}" if asked else NONE,
    ]


def _precision(rows: Sequence[Row], kind: str, written: Written) -> Table:
    curves = figures.precisions(rows, kind)
    return Table(
        f"Right if shown, when only the surest are shown: {KINDS[kind]}",
        ("shown of all holes %", *(f"{100 * share:.0f}" for share in SHARES)),
        [
            [name, *(NONE if p is None else written(p, 100, 0) for p in curve.values())]
            for name, curve in curves.items()
        ],
    )


def _duels(rows: Sequence[Row]) -> Table:
    return Table(
        "Is the second better than the first? All kinds together, points and p",
        ("first", "second", "exact", "p", "similarity", "p"),
        [
            [
                one.first,
                one.second,
                points(one.exact),
                chance(one.exact),
                points(one.similarity),
                chance(one.similarity),
            ]
            for one in figures.duels(rows)
        ],
    )


def _harms(harms: Sequence[figures.Harm]) -> Table:
    return Table(
        "Code that is not in order: the rest of a line, the same holes with and without it",
        ("", "what", "holes", "exact %", "with it", "points", "p", "similarity, points"),
        [
            [
                one.contender,
                SLICES[one.slice],
                str(one.exact.count),
                f"{100 * one.sound.value:.1f}",
                f"{100 * one.blemished.value:.1f}",
                points(one.exact),
                chance(one.exact),
                points(one.similarity),
            ]
            for one in harms
        ],
    )


def bounds(one: Estimate, scale: float, digits: int) -> str:
    """With both ends of the interval: 12.3 [10.1, 14.4]."""
    value, low, high = (f"{scale * x:.{digits}f}" for x in (one.value, one.low, one.high))
    return f"{value} [{low}, {high}]"


def about(one: Estimate, scale: float, digits: int) -> str:
    """With half the width of the interval, for a narrow terminal: 12±2."""
    half, digits = scale * (one.high - one.low) / 2, max(0, digits - 1)
    return f"{scale * one.value:.{digits}f}±{half:.{digits}f}"


def points(one: Difference) -> str:
    return f"{100 * one.value:+.1f} [{100 * one.low:+.1f}, {100 * one.high:+.1f}]"


def apart(one: Difference) -> str:
    return f"{one.value:+.3f} [{one.low:+.3f}, {one.high:+.3f}]"


def chance(one: Difference) -> str:
    return "< 0.001" if one.p < 0.001 else f"{one.p:.3f}"


def _table(table: Table) -> list[str]:
    right = ["---", *("---:" for _ in table.header[1:])]
    return [f"| {' | '.join(row)} |" for row in (table.header, right, *table.rows)]
