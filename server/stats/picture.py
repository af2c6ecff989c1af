"""The figures as a picture: acceptance, days and latencies, in SVG that needs nothing else."""

from collections.abc import Sequence
from math import ceil, log

from ..drawing import bar, interval, page, text
from .figures import Figures, Share, Summary, date

# Pixels.
WIDTH, LEFT, RIGHT = 720, 200, 110
BAR, GAP, PANEL = 16, 6, 110
BLUE, ORANGE, GREY = "#2b6cb0", "#dd8a2c", "#c9d3dd"
# The picture shows the last days, and the first groups of each kind.
DAYS, GROUPS = 30, 6
# Latencies are drawn in these steps: so many to each doubling.
PER_OCTAVE = 2


def svg(one: Summary) -> str:
    """The whole picture."""
    drawn = [
        text(12, 28, "Suggestions of Wicket on this machine", 15, bold=True),
        *(text(12, 48 + 17 * n, line, 12) for n, line in enumerate(headlines(one))),
    ]
    y = 48 + 17 * len(headlines(one)) + 14
    for title, draw in (
        ("Accepted, % of those shown, with 95 % intervals", _groups),
        ("Each day: suggestions shown (grey), accepted of them (blue)", _days),
        ("Milliseconds from request to suggestion", _latencies),
    ):
        pieces, height = draw(one, y + 30)
        drawn += [text(12, y + 16, title, 13, bold=True), *pieces]
        y += 30 + height + 20
    return page("Acceptance and latency of suggestions", WIDTH, y, drawn)


def headlines(one: Summary) -> list[str]:
    """The whole in a few lines."""
    total = one.total
    latency = ", ".join(f"p{percent} {ms:.0f} ms" for percent, ms in total.latency.items())
    return [
        f"{total.shown} shown: {percent(total.share('accepted'))} accepted, "
        f"{percent(total.share('partial'))} partly, {percent(total.share('typed'))} typed through, "
        f"{percent(total.share('rejected'))} rejected, {percent(total.share('ignored'))} ignored",
        f"still there: {percent(total.kept_30)} after 30 s, {percent(total.kept_300)} after 5 min",
        f"completed code: {percent(one.completed)} of what was completed or typed, "
        f"{percent(one.of_all)} of all that was inserted",
        f"from request to suggestion: {latency or 'unknown'}",
    ]


def percent(share: Share, unit: str = " %") -> str:
    return "–" if share.value is None else f"{100 * share.value:.0f}{unit}"  # noqa: RUF001


def _groups(one: Summary, y: int) -> tuple[list[str], int]:
    begun, drawn = y, list[str]()
    scale = (WIDTH - LEFT - RIGHT) / 100
    for kind, groups in one.groups.items():
        for figures in [group for group in groups if group.shown][:GROUPS]:
            drawn += _group(f"{kind} {figures.name}", figures, y, scale)
            y += BAR + GAP
        y += GAP
    return drawn, y - begun


def _group(name: str, one: Figures, y: int, scale: float) -> list[str]:
    share = one.share("accepted")
    low, high = (LEFT + 100 * scale * bound for bound in share.bounds)
    return [
        text(LEFT - 10, y + 12, name, 12, anchor="end"),
        bar(LEFT, y, 100 * scale * (share.value or 0), BAR, BLUE),
        interval(low, high, y + BAR / 2),
        text(high + 8, y + 12, f"{percent(share)} of {share.whole}", 12),
    ]


def _days(one: Summary, y: int) -> tuple[list[str], int]:
    days = one.days[-DAYS:]
    most = max((today.accepted.whole for today in days), default=0) or 1
    step, drawn = (WIDTH - 24) / max(len(days), 7), list[str]()
    for number, today in enumerate(days):
        x = 12 + number * step
        for count, colour in ((today.accepted.whole, GREY), (today.accepted.part, BLUE)):
            tall = (PANEL - 14) * count / most
            drawn.append(bar(x, y + PANEL - tall, step * 0.85, tall, colour))
        shown = (PANEL - 14) * today.accepted.whole / most
        drawn.append(text(x, y + PANEL - shown - 3, str(today.accepted.whole), 10))
        if len(days) <= 14 or number % 7 == 0:
            drawn.append(text(x, y + PANEL + 14, date(today.start)[5:], 10))
    return drawn, PANEL + 18


def _latencies(one: Summary, y: int) -> tuple[list[str], int]:
    columns = histogram(one)
    most = max((count for _ms, count in columns), default=0) or 1
    step, drawn = (WIDTH - 24) / max(len(columns), 8), list[str]()
    for number, (ms, count) in enumerate(columns):
        x, tall = 12 + number * step, (PANEL - 14) * count / most
        drawn.append(bar(x, y + PANEL - tall, step * 0.9, tall, ORANGE))
        drawn.append(text(x, y + PANEL + 14, f"{ms:.3g}", 10))
        if count:
            drawn.append(text(x, y + PANEL - tall - 3, str(count), 10))
    return drawn, PANEL + 18


def histogram(one: Summary) -> Sequence[tuple[float, int]]:
    """Answers by the upper end of a range of milliseconds, the ranges without gaps."""
    counts: dict[int, int] = {}
    for ms, count in one.latencies.items():
        column = ceil(PER_OCTAVE * log(max(ms, 1), 2) - 1e-9)
        counts[column] = counts.get(column, 0) + count
    if not counts:
        return []
    columns = range(min(counts), max(counts) + 1)
    return [(2 ** (column / PER_OCTAVE), counts.get(column, 0)) for column in columns]
