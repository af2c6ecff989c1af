"""Draws the samples of `llama_vim.py`: on how many keys ghost text was there, and how soon.

python tests/benchmarks/latencies.py SAMPLES docs/pictures/latency.svg
"""

import json
import sys
from collections.abc import Mapping, Sequence
from math import log10
from pathlib import Path

from wicket.completion.metrics import quantile
from wicket.server.drawing import INK, page, text

# Pixels.
WIDTH, LEFT, TOP, WIDE, TALL = 720, 64, 64, 500, 260
# Milliseconds at both edges; what took less is drawn at the left one.
FAST, SLOW = 0.1, 1000.0
# Told apart without colours, too.
LINES = {
    "wicket": ("Wicket", "#2b6cb0", "none"),
    "llama_vim": ("llama-server, llama.vim's client", "#dd8a2c", "7 4"),
}
GRID = "#c9d3dd"

# By contender: how many keys were pressed, and the milliseconds of those with ghost text.
Samples = Mapping[str, tuple[int, Sequence[float]]]


def read(lines: Sequence[str]) -> Samples:
    """All runs together; each line is one."""
    runs = [json.loads(line) for line in lines]
    if not runs:
        raise ValueError("it is empty")
    return {
        name: (
            sum(run[name]["keys"] for run in runs),
            sorted(ms for run in runs for ms in run[name]["ms"]),
        )
        for name in LINES
    }


def svg(samples: Samples) -> str:
    most = max(len(ms) / keys for keys, ms in samples.values())
    tens = int(min(100, 10 * (100 * most // 10 + 1)))
    drawn = [
        text(12, 28, "Ghost text that is valid for the key just pressed", 15, bold=True),
        text(12, 48, "% of all keys that have it within so many milliseconds", 12),
        *_axes(tens),
    ]
    for number, (name, (keys, ms)) in enumerate(samples.items()):
        said, colour, dashes = LINES[name]
        points = [(_x(FAST), 0.0)]
        for count, one in enumerate(ms, 1):
            points += [(_x(one), points[-1][1]), (_x(one), 100 * count / keys)]
        points.append((_x(SLOW), points[-1][1]))
        path = "L".join(f"{x:.1f} {_y(share, tens):.1f}" for x, share in points)
        drawn.append(
            f"<path d='M{path}' fill='none' stroke='{colour}' stroke-width='2.5' "
            f"stroke-dasharray='{dashes}'/>"
        )
        for share in (0.5, 0.95):
            x, y = _x(quantile(ms, share)), _y(100 * share * len(ms) / keys, tens)
            drawn.append(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='4.5' fill='{colour}'/>")
        y = TOP + TALL + 62 + 20 * number
        drawn.append(
            f"<path d='M{LEFT} {y - 4}h34' stroke='{colour}' stroke-width='2.5' "
            f"stroke-dasharray='{dashes}'/>"
        )
        half, most = (f"{ms:.0f}" if ms >= 1 else "under 1" for ms in _quantiles(ms))
        share = f"{100 * len(ms) / keys:.0f} % of {keys} keys"
        label = f"{said}: {share}, p50 {half} ms, p95 {most} ms (dots)"
        drawn.append(text(LEFT + 42, y, label, 12))
    height = TOP + TALL + 62 + 20 * len(samples)
    return page("How soon ghost text is there, and how often", WIDTH, height, drawn)


def _quantiles(ms: Sequence[float]) -> tuple[float, float]:
    return quantile(ms, 0.5), quantile(ms, 0.95)


def _axes(tens: int) -> list[str]:
    drawn: list[str] = []
    for percent in range(0, tens + 1, 10):
        y = _y(percent, tens)
        drawn.append(f"<path d='M{LEFT} {y:.1f}h{WIDE}' stroke='{GRID}'/>")
        drawn.append(text(LEFT - 8, y + 4, str(percent), 12, anchor="end"))
    for ms in (0.1, 1, 10, 100, 1000):
        drawn.append(f"<path d='M{_x(ms):.1f} {TOP}v{TALL + 5}' stroke='{GRID}'/>")
        label = f"≤ {ms}" if ms == FAST else f"{ms}"
        drawn.append(text(_x(ms), TOP + TALL + 20, label, 12, anchor="middle"))
    drawn.append(f"<path d='M{LEFT} {TOP}v{TALL}h{WIDE}' stroke='{INK}' fill='none'/>")
    drawn.append(text(LEFT + WIDE + 44, TOP + TALL + 20, "ms", 12))
    return drawn


def _x(ms: float) -> float:
    inside = min(max(ms, FAST), SLOW)
    return LEFT + WIDE * log10(inside / FAST) / log10(SLOW / FAST)


def _y(percent: float, tens: int) -> float:
    return TOP + TALL * (1 - percent / tens)


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("latencies.py: give the file with samples, and the picture to write")
    try:
        samples = read(Path(sys.argv[1]).read_text().splitlines())
        Path(sys.argv[2]).write_text(svg(samples), "utf-8")
    except (OSError, ValueError, KeyError, TypeError) as error:
        sys.exit(f"latencies.py: {sys.argv[1]}: {error}; `llama_vim.py --samples FILE` makes one")


if __name__ == "__main__":
    main()
