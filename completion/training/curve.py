"""The record of a training as a picture: loss, and what came right, over tokens.  In SVG."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

# Pixels; a panel's own heights are `PANEL`, `HEAD` above it and `FOOT` below it.
WIDTH, LEFT, RIGHT = 640, 56, 16
TITLE, HEAD, PANEL, FOOT = 30, 44, 200, 44

# Where a value of a row is drawn.
Place = Callable[[Mapping[str, float], str], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Panel:
    """`lines` are drawn of the rows of the record, each by its colour and what it means.

    `bounds` names the ends of an interval around the last line.
    """

    lines: Mapping[str, tuple[str, str]]
    unit: str
    scale: float = 1.0
    bounds: tuple[str, str] | None = None


PANELS = (
    Panel(
        {
            "loss": ("#9fb3c8", "training, all tokens"),
            "validation": ("#2b6cb0", "held out, all tokens"),
            "answers": ("#b8493f", "held out, the hidden text"),
        },
        "loss, nats per token",
    ),
    Panel(
        {"exact": ("#b8493f", "held-out line ends that it fills word for word, 95 %")},
        "exact match, %",
        scale=100.0,
        bounds=("low", "high"),
    ),
)


def drawn(record: Sequence[Mapping[str, float]], name: str) -> str:
    """A whole SVG document; a panel of which nothing is on record is left out."""
    panels = [one for one in PANELS if any(line in row for row in record for line in one.lines)]
    each = HEAD + PANEL + FOOT
    height = TITLE + each * len(panels)
    most = max((row.get("tokens", 0) for row in record), default=1) or 1
    title = f"{name}: {' and '.join(panel.unit for panel in panels) or 'nothing on record yet'}"
    shapes = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' "
        f"height='{height}' role='img' font-family='system-ui, sans-serif' fill='#222222'>",
        f"<title>{title}</title><rect width='{WIDTH}' height='{height}' fill='#ffffff'/>",
        f"<text x='8' y='22' font-size='15' font-weight='600'>{title}</text>",
    ]
    for number, panel in enumerate(panels):
        shapes += _panel(panel, record, most, TITLE + each * number)
    return "\n".join([*shapes, "</svg>\n"])


def _panel(
    panel: Panel, record: Sequence[Mapping[str, float]], most: float, above: float
) -> list[str]:
    names = (*panel.lines, *(panel.bounds or ()))
    values = [row[name] * panel.scale for row in record for name in names if name in row]
    low, high = min(values), max(values)
    high = max(high, low + 1e-6)
    top, bottom = above + HEAD, above + HEAD + PANEL

    def place(row: Mapping[str, float], name: str) -> tuple[float, float]:
        x = LEFT + row["tokens"] / most * (WIDTH - LEFT - RIGHT)
        return x, top + (high - row[name] * panel.scale) / (high - low) * PANEL

    shapes: list[str] = []
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = bottom - share * PANEL
        shapes.append(f"<path d='M{LEFT} {y:.1f}H{WIDTH - RIGHT}' stroke='#dddddd'/>")
        shapes.append(_text(LEFT - 6, y + 4, f"{low + share * (high - low):.2f}", "end"))
        x = LEFT + share * (WIDTH - LEFT - RIGHT)
        shapes.append(_text(x, bottom + 18, f"{share * most / 1e6:.2g} M", "middle"))
    shapes.append(_text(WIDTH / 2, bottom + 34, "tokens", "middle"))
    for number, (name, (colour, meaning)) in enumerate(panel.lines.items()):
        points = [place(row, name) for row in record if name in row and "tokens" in row]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        if points:
            shapes.append(f"<path d='M{path}' stroke='{colour}' stroke-width='2' fill='none'/>")
        if panel.bounds:
            shapes += _bars(panel.bounds, colour, record, place)
        x = LEFT + number * 190
        shapes.append(f"<rect x='{x}' y='{above + 14}' width='16' height='6' fill='{colour}'/>")
        shapes.append(_text(x + 22, above + 21, meaning, "start"))
    return shapes


def _bars(
    bounds: tuple[str, str],
    colour: str,
    record: Sequence[Mapping[str, float]],
    place: Place,
) -> list[str]:
    """An interval at each point, for who would read too much into one."""
    shapes: list[str] = []
    for row in record:
        if all(name in row for name in (*bounds, "tokens")):
            (x, low), (_x, high) = (place(row, name) for name in bounds)
            shapes.append(f"<path d='M{x:.1f} {low:.1f}V{high:.1f}' stroke='{colour}'/>")
    return shapes


def _text(x: float, y: float, said: str, anchor: str) -> str:
    return f"<text x='{x:.0f}' y='{y:.0f}' font-size='12' text-anchor='{anchor}'>{said}</text>"
