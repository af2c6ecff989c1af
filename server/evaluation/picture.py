"""The main table as a picture: bars with their intervals, in SVG that needs nothing else."""

from collections.abc import Sequence

from ..drawing import bar, interval, page, text
from . import figures
from .figures import Part
from .pages import KINDS
from .run import Report

# Pixels.
NAMES, BARS, RIGHT = 210, 380, 70
BAR, GAP, HEAD, TITLE = 16, 6, 34, 46
# One hue per contender, told apart in shades of grey as well.
COLOURS = ("#2b6cb0", "#dd8a2c", "#7a9e3f", "#8d5fa8", "#5b6770", "#b8493f")


def svg(report: Report) -> str:
    """Exact match of every contender, by kind of hole; whole in itself."""
    rows = figures.with_bounds(report.scored)
    parts = _shown(figures.parts(rows))
    top = max((one.exact.high for part in parts for one in part.figures), default=0) or 1
    scale = BARS / min(1.0, -(-top * 20 // 1) / 20)
    y, drawn = TITLE, list[str]()
    for part in parts:
        title = f"{_where(part)}{KINDS[part.kind]} ({part.count} holes)"
        drawn.append(text(12, y + 20, title, 13, bold=True))
        y += HEAD
        for number, one in enumerate(part.figures):
            drawn += _bar(y, one, COLOURS[number % len(COLOURS)], scale)
            y += BAR + GAP
        y += GAP
    width, height = NAMES + BARS + RIGHT, y + 10
    title = text(12, 28, "Exact match, % of holes, with 95 % intervals", 15, bold=True)
    return page("Exact match by contender and kind of hole", width, height, [title, *drawn])


def _shown(parts: Sequence[Part]) -> list[Part]:
    """All repositories together where there are several, else the only one."""
    whole = [part for part in parts if part.repository == figures.ALL]
    return [part for part in whole or parts if part.language == figures.ALL]


def _where(part: Part) -> str:
    return "" if part.repository == figures.ALL else f"{part.repository}: "


def _bar(y: int, one: figures.Figures, colour: str, scale: float) -> list[str]:
    value, low, high = (share * scale for share in (one.exact.value, one.exact.low, one.exact.high))
    middle = y + BAR / 2
    return [
        text(NAMES - 10, y + 12, one.contender, 12, anchor="end"),
        bar(NAMES, y, value, BAR, colour),
        interval(NAMES + low, NAMES + high, middle),
        text(NAMES + high + 8, y + 12, f"{100 * one.exact.value:.1f}", 12),
    ]
