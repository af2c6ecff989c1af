"""A log on one page: HTML that runs no script, fetches nothing, and hides no character."""

import base64
import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from .. import __version__
from ..escalation.audit.findings import Report
from ..escalation.audit.summary import Request, Summary, Table

# Rows of a table on the page; the rest is in `audit export --csv`.
ROWS_LIMIT = 50
FINDINGS_LIMIT = 20
CHECKPOINTS_SHOWN = 5
DAYS_SHOWN = 60
# Characters of one text.
TEXT_LIMIT = 300
# The chart's pixels; with few days the bars stay narrow.
CHART_WIDTH, CHART_HEIGHT, FEWEST_DAYS = 1000, 130, 14
# A group of combining marks beyond this is there to hide what is below it.
MARKS_LIMIT = 2


@dataclass(frozen=True, slots=True)
class Bar:
    """A day in the chart: heights from the ground up, in pixels."""

    x: float
    width: float
    ok: float
    failed: float
    denied: float
    title: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A request with its content, or why that cannot be shown."""

    request: Request
    parts: Sequence[tuple[str, str]] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the page says."""

    log: str
    made: datetime
    summary: Summary
    report: Report
    narrowed: Sequence[tuple[str, str]] = ()
    copy: bool = False
    anchors: Sequence[dict[str, object]] = ()
    opened: Sequence[Opened] | None = None
    version: str = __version__


def page(facts: Facts) -> str:
    """One HTML page without scripts, and without anything that is fetched."""
    environment = Environment(
        loader=PackageLoader(__package__ or "", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    filters: dict[str, Any] = {
        "plain": plain, "number": number, "size": size, "money": money, "when": when,
        "age": partial(age, facts.made), "top": top,
    }  # fmt: skip
    environment.filters.update(filters)
    style = (Path(__file__).parent / "pages" / "audit_report.css").read_text()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template("audit_report.html").render(
        facts=facts,
        summary=facts.summary,
        report=facts.report,
        total=facts.summary.total,
        style=Markup(style),  # noqa: S704 - a file of ours; the policy names its hash.
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; "
        "form-action 'none'",
        hosts=_by_bytes(facts.summary),
        checkpoints=_notable(facts.report),
        bars=bars(facts.summary),
        most=_most(facts.summary),
        chart=(CHART_WIDTH, CHART_HEIGHT),
        findings_limit=FINDINGS_LIMIT,
    )


def shown(value: object) -> object:
    """What every expression of the page goes through before it is escaped.

    Texts come from the log, and it records what callers said: characters that are invisible,
    reorder others or pile up on them are named instead, and no text is endless.
    """
    return value if isinstance(value, Markup) or not isinstance(value, str) else visible(value)


def visible(text: str, limit: int = TEXT_LIMIT, keep: str = "") -> str:
    """`text` with what would not be seen as it is written `[U+202E]`; `keep` is let through."""
    pieces: list[str] = []
    marks = 0
    for character in text[:limit]:
        kind = unicodedata.category(character)
        marks = marks + 1 if kind[0] == "M" else 0
        plain_space = character == " " or character in keep
        odd = kind[0] == "C" or (kind[0] == "Z" and not plain_space) or marks > MARKS_LIMIT
        hidden = odd and character not in keep
        pieces.append(f"[U+{ord(character):04X}]" if hidden else character)
    more = len(text) - limit
    return "".join(pieces) + (f" … {more} more characters" if more > 0 else "")


def plain(text: str | None) -> str:
    """A name that machines obey: letters that only look like ASCII are named, too."""
    return "".join(c if c.isascii() else f"[U+{ord(c):04X}]" for c in text or "")


def number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"  # noqa: RUF001 - a dash for nothing known.


def size(value: int | None) -> str:
    """Bytes as people read them; powers of ten."""
    if value is None:
        return "–"  # noqa: RUF001
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("KB", 10**3)):
        if value >= factor:
            return f"{value / factor:,.1f} {unit}"
    return f"{value} B"


def money(micro: int) -> str:
    return f"${micro / 1_000_000:,.2f}"


def when(ts: str) -> str:
    """`2026-01-31T12:00:00.000Z` to the second."""
    return ts[:19].replace("T", " ")


def age(now: datetime, ts: str) -> str:
    """How long ago, in the two largest units."""
    try:
        seconds = int((now - datetime.fromisoformat(ts)).total_seconds())
    except ValueError:
        return "unknown"
    if seconds < 0:
        return "in the future"
    days, hours, minutes = seconds // 86_400, seconds // 3600 % 24, seconds // 60 % 60
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{seconds} s"


def top(table: Table[Any, Any], by: str) -> list[tuple[Any, Any]]:
    """The rows of a table with the most of an attribute, as many as the page shows."""
    rows = sorted(table.rows.items(), key=lambda row: getattr(row[1], by), reverse=True)
    return rows[:ROWS_LIMIT]


def _by_bytes(summary: Summary) -> list[tuple[Any, Any]]:
    rows = sorted(summary.hosts.rows.items(), key=lambda row: row[1].tally.sent, reverse=True)
    return rows[:ROWS_LIMIT]


def _notable(report: Report) -> list[dict[str, Any]]:
    """Checkpoints that do not agree, and the newest that do."""
    bad = [row for row in report.checkpoints if not row["agrees"]][:FINDINGS_LIMIT]
    return bad + [row for row in report.checkpoints if row["agrees"]][-CHECKPOINTS_SHOWN:]


def _most(summary: Summary) -> int:
    """Requests of the busiest day, at least one."""
    days = summary.days.values()
    return max((day.ok + day.failed + day.denied for day in days), default=0) or 1


def bars(summary: Summary) -> list[Bar]:
    """The last days up to the newest record's, one bar each."""
    try:
        end = date.fromisoformat(max(summary.days))
        first = date.fromisoformat(min(summary.days))
    except ValueError:
        return []
    count = min(DAYS_SHOWN, (end - first).days + 1)
    step = CHART_WIDTH / max(count, FEWEST_DAYS)
    days = [end - timedelta(count - 1 - n) for n in range(count)]
    made: list[Bar] = []
    for index, day in enumerate(days):
        if (its := summary.days.get(str(day))) is None:
            continue
        unit = CHART_HEIGHT / _most(summary)
        title = f"{day}: {its.ok} sent, {its.failed} failed or unknown, {its.denied} denied"
        made.append(
            Bar(
                round(index * step, 1), round(step * 0.8, 1), round(its.ok * unit, 1),
                round(its.failed * unit, 1), round(its.denied * unit, 1), title,
            )
        )  # fmt: skip
    return made
