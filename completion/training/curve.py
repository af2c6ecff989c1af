"""The record of a training as a picture: loss over tokens, in SVG that needs nothing else."""

from collections.abc import Mapping, Sequence

# Pixels.
WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 640, 320, 56, 44, 56
# What is drawn of each row of the record, and its colour.
LINES = {
    "loss": ("#9fb3c8", "training, all tokens"),
    "validation": ("#2b6cb0", "held out, all tokens"),
    "answers": ("#b8493f", "held out, the hidden text"),
}


def drawn(record: Sequence[Mapping[str, float]], title: str) -> str:
    """A whole SVG document; axes without lines where the record is empty."""
    values = [row[name] for row in record for name in LINES if name in row]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    high = max(high, low + 1e-6)
    most = max((row["tokens"] for row in record), default=1) or 1

    def place(tokens: float, value: float) -> tuple[float, float]:
        x = LEFT + tokens / most * (WIDTH - LEFT - 16)
        y = TOP + (high - value) / (high - low) * (HEIGHT - TOP - BOTTOM)
        return x, y

    shapes = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' width='{WIDTH}' "
        f"height='{HEIGHT}' role='img' font-family='system-ui, sans-serif' fill='#222222'>",
        f"<title>{title}</title><rect width='{WIDTH}' height='{HEIGHT}' fill='#ffffff'/>",
        f"<text x='8' y='22' font-size='15' font-weight='600'>{title}</text>",
    ]
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        value = low + share * (high - low)
        _, y = place(0, value)
        shapes.append(f"<path d='M{LEFT} {y:.1f}H{WIDTH - 16}' stroke='#dddddd'/>")
        shapes.append(_text(LEFT - 6, y + 4, f"{value:.2f}", "end"))
        x, _ = place(share * most, low)
        shapes.append(_text(x, HEIGHT - BOTTOM + 18, f"{share * most / 1e6:.2g} M", "middle"))
    shapes.append(_text(WIDTH / 2, HEIGHT - 8, "tokens", "middle"))
    for number, (name, (colour, meaning)) in enumerate(LINES.items()):
        points = [place(row["tokens"], row[name]) for row in record if name in row]
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        if points:
            shapes.append(f"<path d='M{path}' stroke='{colour}' stroke-width='2' fill='none'/>")
        x = LEFT + number * 190
        shapes.append(f"<rect x='{x}' y='34' width='16' height='6' fill='{colour}'/>")
        shapes.append(_text(x + 22, 41, meaning, "start"))
    return "\n".join([*shapes, "</svg>\n"])


def _text(x: float, y: float, said: str, anchor: str) -> str:
    return f"<text x='{x:.0f}' y='{y:.0f}' font-size='12' text-anchor='{anchor}'>{said}</text>"
