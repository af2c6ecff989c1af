"""`wicket stats`: what became of the suggestions here, in numbers and plots; `stats tune`."""

import argparse
import json
import re
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from . import app, asked, settings_file
from .app import Startup
from .settings_file import Unwritten
from .stats import figures, picture, store, tuning
from .stats.figures import Figures, Share, Summary
from .stats.picture import percent
from .stats.store import DAY
from .stats.tuning import Tuning

# Characters of the longest bar, and how many days are drawn.
BAR, DAYS = 40, 14
SINCE = re.compile(r"(\d{1,4})d")
# The setting that `tune` proposes.
THRESHOLD = "completion.least_chance"


class BadArguments(Exception):
    """What was asked for makes no sense; the message is one line."""


def run(arguments: argparse.Namespace) -> int:
    startup = app.start()
    path = startup.paths.stats / store.FILE
    try:
        refuse(arguments)
        since = begin(arguments.since, time.time()) if arguments.since else 0
        numbers = store.read(path, since)
        if arguments.action == "tune":
            return tune(startup, numbers, arguments)
        found = figures.summary(numbers, since)
        if arguments.picture:
            Path(arguments.picture).write_text(picture.svg(found), "utf-8")
    except BadArguments as error:
        print(f"wicket stats: {error}", file=sys.stderr)
        return 2
    except (store.Unusable, Unwritten) as error:
        print(f"wicket stats: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"wicket stats: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(figures.to_json(found), ensure_ascii=False))
        return 0
    if not startup.effective.settings.stats.enabled:
        print("stats.enabled is false: nothing new is kept.", file=sys.stderr)
    show(found)
    if questions := asked.read(startup.paths.stats, since):
        print(f"\n{asked.shown(questions)}")
    return 0


def refuse(arguments: argparse.Namespace) -> None:
    """Raises BadArguments for those that do not go together."""
    changes = arguments.apply or arguments.to is not None
    if changes and arguments.action != "tune":
        raise BadArguments("--apply and --to belong to `wicket stats tune`")
    if arguments.apply and arguments.to is not None:
        raise BadArguments("--apply takes what is proposed, --to another value; say one of them")
    if arguments.picture and arguments.action == "tune":
        raise BadArguments("--picture draws what `wicket stats` tells, without `tune`")


def tune(startup: Startup, numbers: store.Numbers, arguments: argparse.Namespace) -> int:
    """Show which threshold would be better; write it if that is asked.  Raises Unwritten."""
    now = startup.effective.settings.completion.least_chance
    found = tuning.tuned(numbers.rows, now)
    wanted = found.proposed if arguments.apply else arguments.to
    if wanted is not None and wanted != now:
        if THRESHOLD in startup.effective.locked:
            raise Unwritten(f"{THRESHOLD} is locked by the administrator; it stays {now}")
        settings_file.set_user(startup.paths, THRESHOLD, wanted)
    written = wanted is not None and wanted != now
    if arguments.json:
        print(json.dumps(tuning.to_json(found) | {"written": wanted if written else None}))
        return 0
    console = Console(highlight=False)
    for line in proposal(found):
        console.print(line, markup=False, soft_wrap=True)
    if written:
        console.print(
            f"{THRESHOLD} is {wanted} from the next start of an editor's server on; "
            f"back with: wicket stats tune --to {now}",
            markup=False,
            soft_wrap=True,
        )
    elif found.proposed is not None:
        console.print("To take it: wicket stats tune --apply", markup=False)
    return 0


def proposal(found: Tuning) -> list[str]:
    lines = [
        f"{THRESHOLD} is {found.now}: what is less likely to be right, in percent, does not "
        "come by itself.",
        f"{found.known} suggestions tell whether they were right.",
    ]
    if found.proposed is None:
        return [*lines, f"No change: {found.why}."]
    before, after = found.before, found.after
    lines.append(f"Better here: {found.proposed}; {found.why}.")
    lines.append("On the latest third, which did not choose it, in percent with 95 % intervals:")
    lines.append(f"  {found.now}: {with_bounds(before)} right of {before.whole} shown")
    if found.proposed > found.now:
        lines.append(f"  {found.proposed}: {with_bounds(after)} right of {after.whole} shown")
    return lines


def begin(said: str, now: float) -> int:
    """The Unix second that `7d` or `2026-08-31` means.  Raises BadArguments."""
    if found := SINCE.fullmatch(said):
        return int(now) - int(found[1]) * DAY
    try:
        return int(datetime.strptime(said, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise BadArguments(
            f"--since takes days (7d) or a date (2026-08-31), not {said!r}"
        ) from None


def show(found: Summary) -> None:
    console = Console(highlight=False)
    if not found.total.shown and not found.latencies:
        console.print("Nothing was suggested yet; an editor with `wicket lsp` begins to count.")
        return
    for line in picture.headlines(found):
        console.print(line, markup=False, soft_wrap=True)
    console.print("", "in percent of those shown, with 95 % intervals", sep="\n")
    for kind, groups in found.groups.items():
        console.print("", table(kind, groups))
    console.print("", "accepted, each day", *days(found), sep="\n", markup=False)
    console.print("", "milliseconds to a suggestion", *latencies(found), sep="\n", markup=False)


def table(kind: str, groups: Sequence[Figures]) -> Table:
    """Shares in percent."""
    shown = Table(box=None, padding=(0, 1, 0, 0), collapse_padding=True)
    names = ("shown", "accepted", "partly", "typed", "rejected", "30 s", "5 min", "ms p50/95")
    shown.add_column(f"by {kind}", no_wrap=True)
    for name in names:
        shown.add_column(name, justify="right", no_wrap=True)
    for one in groups:
        shares = (one.share("partial"), one.share("typed"), one.share("rejected"))
        shown.add_row(
            one.name,
            str(one.shown),
            with_bounds(one.share("accepted")),
            *(percent(share, "") for share in (*shares, one.kept_30, one.kept_300)),
            f"{one.latency[50]:.0f}/{one.latency[95]:.0f}" if one.latency else "",
        )
    return shown


def with_bounds(share: Share) -> str:
    """With both ends of the interval: 31 (27-35)."""
    low, high = share.bounds
    bounds = f" ({100 * low:.0f}-{100 * high:.0f})" if share.whole else ""
    return percent(share, "") + bounds


def days(found: Summary) -> list[str]:
    return [
        f"{figures.date(today.start)} {plot(today.accepted.value or 0):{BAR}} "
        f"{percent(today.accepted)} of {today.accepted.whole}"
        for today in found.days[-DAYS:]
    ]


def latencies(found: Summary) -> list[str]:
    columns = picture.histogram(found)
    most = max((count for _ms, count in columns), default=1)
    return [f"up to {ms:5.3g} {plot(count / most):{BAR}} {count}" for ms, count in columns]


def plot(share: float) -> str:
    """A bar in eighths of a character."""
    eighths = round(8 * BAR * share)
    part = " ▏▎▍▌▋▊▉"[eighths % 8].strip()
    return "█" * (eighths // 8) + part
