"""SVG by hand: texts, bars, and the page around them, with nothing else needed."""

from collections.abc import Sequence
from html import escape

FONT = "font-family='system-ui, sans-serif'"
INK = "#222222"


def page(title: str, width: int, height: int, drawn: Sequence[str]) -> str:
    """A whole picture in pixels, on white: pages are read in the dark too, and the letters
    are dark."""
    return "\n".join(
        [
            f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height}' "
            f"width='{width}' height='{height}' role='img' {FONT}>",
            f"<title>{escape(title)}</title>",
            f"<rect width='{width}' height='{height}' fill='#ffffff'/>",
            *drawn,
            "</svg>\n",
        ]
    )


def text(
    x: float, y: float, said: str, size: int, *, anchor: str = "start", bold: bool = False
) -> str:
    weight = " font-weight='600'" if bold else ""
    return (
        f"<text x='{x:.0f}' y='{y:.0f}' font-size='{size}' text-anchor='{anchor}' fill='{INK}'"
        f"{weight}>{escape(said)}</text>"
    )


def bar(x: float, y: float, width: float, height: float, colour: str) -> str:
    return (
        f"<rect x='{x:.1f}' y='{y:.1f}' width='{width:.1f}' height='{height:.1f}' fill='{colour}'/>"
    )


def interval(low: float, high: float, y: float) -> str:
    """A horizontal line from `low` to `high` with small ends."""
    return (
        f"<path d='M{low:.1f} {y}H{high:.1f}M{low:.1f} {y - 4}v8M{high:.1f} {y - 4}v8' "
        f"stroke='{INK}' fill='none'/>"
    )
