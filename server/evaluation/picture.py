"""The main tables as pictures, in SVG that needs nothing else: bars, curves, differences."""

from collections.abc import Callable, Sequence

from ...completion.metrics import Difference, Estimate
from ..drawing import bar, interval, page, text
from . import figures
from .figures import ALL, Part
from .pages import KINDS, SLICES
from .rows import Row
from .run import Report

# Pixels.
LETTER, PANEL, SIDE, GAP = 7, 190, 52, 14
BAR, ROW, HEAD, TITLE = 14, 20, 30, 52
CURVES = 190
# One hue per contender, told apart in shades of grey as well.
COLOURS = ("#2b6cb0", "#dd8a2c", "#7a9e3f", "#8d5fa8", "#5b6770", "#b8493f")


def drawn(report: Report) -> dict[str, str]:
    """Pictures by name; each is a whole SVG document."""
    rows = figures.with_bounds(report.scored)
    found = {name: draw(rows) for name, draw in PICTURES.items()}
    return {name: picture for name, picture in found.items() if picture}


def _exact(rows: Sequence[Row]) -> str:
    """Exact match of every contender: a column per kind of hole, a block per repository."""
    parts = figures.parts(rows)
    kinds = list(dict.fromkeys(part.kind for part in parts))
    top = max((one.exact.high for part in parts for one in part.figures), default=0)
    scale = PANEL / _round_up(top)
    edge = _room(figures.names(rows))
    lefts = {kind: edge + column * (PANEL + SIDE) for column, kind in enumerate(kinds)}
    shapes = [text(left, TITLE, KINDS[kind], 13, bold=True) for kind, left in lefts.items()]
    y = TITLE
    for place in dict.fromkeys((part.repository, part.language) for part in parts):
        block = [part for part in parts if (part.repository, part.language) == place]
        shapes.append(text(8, y + 20, _where(block[0]), 13, bold=True))
        y += HEAD
        for number, name in enumerate(one.contender for one in block[0].figures):
            shapes.append(text(edge - 10, y + 11, name, 12, anchor="end"))
            for part in block:
                left, one = lefts[part.kind], part.figures[number].exact
                shapes += _bar(left, y, one, scale, COLOURS[number % len(COLOURS)])
                shapes.append(
                    text(left + one.high * scale + 6, y + 11, f"{100 * one.value:.1f}", 11)
                )
            y += ROW
    title = "Exact match, % of holes, with 95 % intervals"
    return _document(title, edge + len(kinds) * (PANEL + SIDE), y + 10, shapes)


def _precision(rows: Sequence[Row]) -> str:
    """A panel per kind of hole: how many are right if only the surest are shown."""
    kinds = [
        (kind, curves)
        for kind in dict.fromkeys(row.kind for row in figures.plain(rows))
        if (curves := figures.precisions(rows, kind))
    ]
    if not kinds:
        return ""
    names = list(dict.fromkeys(name for _, curves in kinds for name in curves))
    shapes: list[str] = []
    bottom = TITLE + GAP + CURVES
    for column, (kind, curves) in enumerate(kinds):
        left = 50 + column * (CURVES + 50)
        shapes.append(text(left, TITLE, KINDS[kind], 13, bold=True))
        for share in (0, 50, 100):
            x, y = left + share * CURVES / 100, bottom - share * CURVES / 100
            shapes.append(f"<path d='M{left} {y}h{CURVES}M{x} {bottom}v5' stroke='#bbbbbb'/>")
            shapes.append(text(left - 6, y + 4, str(share), 11, anchor="end"))
            shapes.append(text(x, bottom + 18, str(share), 11, anchor="middle"))
        for number, name in enumerate(names):
            if name not in curves:
                continue
            colour = COLOURS[number % len(COLOURS)]
            known = [(share, p) for share, p in curves[name].items() if p is not None]
            at = [(left + s * CURVES, bottom - p.value * CURVES) for s, p in known]
            path = "L".join(f"{x:.1f} {y:.1f}" for x, y in at)
            shapes.append(f"<path d='M{path}' stroke='{colour}' stroke-width='2' fill='none'/>")
            for (x, _), (_, p) in zip(at, known, strict=True):
                low, high = bottom - p.low * CURVES, bottom - p.high * CURVES
                shapes.append(f"<path d='M{x:.1f} {low:.1f}V{high:.1f}' stroke='{colour}'/>")
    y = bottom + 40
    for number, name in enumerate(names):
        colour = COLOURS[number % len(COLOURS)]
        shapes.append(f"<rect x='50' y='{y - 9}' width='20' height='8' fill='{colour}'/>")
        shapes.append(text(78, y, name, 12))
        y += ROW
    title = "Right, % of what is shown, when so many % of all holes are shown, the surest first"
    return _document(title, 50 + len(kinds) * (CURVES + 50), y, shapes)


def _duels(rows: Sequence[Row]) -> str:
    found = figures.duels(rows)
    said = [(f"{one.second} against {one.first}", one.exact) for one in found]
    return _differences("All kinds together: exact match, points", said)


def _slices(rows: Sequence[Row]) -> str:
    found = figures.harms(rows)
    said = [(f"{one.contender}: {SLICES[one.slice]}", one.exact) for one in found]
    return _differences("Code that is not in order, rest of a line: exact match, points", said)


def _differences(title: str, said: Sequence[tuple[str, Difference]]) -> str:
    if not said:
        return ""
    names, width = _room([name for name, _ in said]), 300
    most = _round_up(max(max(abs(one.low), abs(one.high)) for _, one in said))
    zero, scale, y = names + width / 2, width / 2 / most, TITLE
    end = TITLE + ROW * len(said)
    shapes = [f"<path d='M{zero} {TITLE - 6}V{end}' stroke='#bbbbbb'/>"]
    for name, one in said:
        shapes.append(text(names - 10, y + 11, name, 12, anchor="end"))
        shapes += _bar(zero, y, one, scale, COLOURS[0] if one.certain else COLOURS[4])
        shapes.append(text(names + width + 8, y + 11, f"{100 * one.value:+.1f}", 11))
        y += ROW
    return _document(title, names + width + SIDE, end + 12, shapes)


PICTURES: dict[str, Callable[[Sequence[Row]], str]] = {
    "exact": _exact,
    "precision": _precision,
    "differences": _duels,
    "slices": _slices,
}


def _bar(left: float, y: int, one: Estimate | Difference, scale: float, colour: str) -> list[str]:
    """From `left` to the value, either way, with its interval."""
    value, low, high = (left + share * scale for share in (one.value, one.low, one.high))
    middle = y + BAR / 2
    return [
        bar(min(left, value), y, abs(value - left), BAR, colour),
        interval(low, high, middle),
    ]


def _where(part: Part) -> str:
    if part.language != ALL:
        return part.language
    return "all repositories" if part.repository == ALL else part.repository


def _room(names: Sequence[str]) -> int:
    """Pixels for the longest of some names at the left."""
    return 30 + LETTER * max(len(name) for name in names)


def _round_up(share: float) -> float:
    """To the next twentieth, at least one."""
    return max(1, -(-share * 20 // 1)) / 20


def _document(title: str, width: float, height: float, shapes: Sequence[str]) -> str:
    return page(title, round(width), round(height), [text(8, 24, title, 15, bold=True), *shapes])
