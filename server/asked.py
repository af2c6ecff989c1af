"""How often people are asked before something leaves, and how fast they answer.

A question that is always answered in a second is not read: that is why it is counted.
"""

import contextlib
import sqlite3
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ..completion.private import make_private
from .app import Startup
from .paths import UnsafePath, private_file

FILE = "asked.db"
BUSY_SECONDS = 0.5
# Whoever answers faster cannot have read six lines.
UNREAD_SECONDS = 2.0

SCHEMA = "CREATE TABLE IF NOT EXISTS asked (at INTEGER, seconds REAL, granted INTEGER)"


@dataclass(frozen=True, slots=True)
class Asked:
    """Questions since a moment: how many, how many with a yes, and seconds to the answer.

    `unread` are those answered faster than anybody reads.
    """

    questions: int
    granted: int
    median: float
    p90: float
    unread: int


def remember(startup: Startup, seconds: float, granted: bool) -> None:
    """Keep that somebody was asked, unless `stats.enabled` says no.  Never raises."""
    if not startup.effective.settings.stats.enabled:
        return
    path = startup.paths.stats / FILE
    with contextlib.suppress(OSError, UnsafePath, sqlite3.Error):
        make_private(path.parent)
        private_file(path).close()
        with contextlib.closing(sqlite3.connect(path, timeout=BUSY_SECONDS)) as database, database:
            database.execute(SCHEMA)
            row = (int(time.time()), round(seconds, 2), int(granted))
            database.execute("INSERT INTO asked VALUES (?, ?, ?)", row)


def read(stats: Path, since: int = 0) -> Asked | None:
    """What is kept in a directory of numbers; None where nobody was asked."""
    path = stats / FILE
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
        ) as database:
            query = "SELECT seconds, granted FROM asked WHERE at >= ?"
            rows: list[tuple[float, int]] = database.execute(query, (since,)).fetchall()
    except sqlite3.Error:
        return None
    return figures(rows) if rows else None


def to_json(stats: Path, since: int = 0) -> dict[str, float] | None:
    found = read(stats, since)
    return asdict(found) if found else None


def figures(rows: Sequence[tuple[float, int]]) -> Asked:
    """Of (seconds, granted); at least one row."""
    seconds = sorted(second for second, _ in rows)
    p90 = seconds[min(len(seconds) - 1, int(0.9 * len(seconds)))]
    unread = sum(second < UNREAD_SECONDS for second in seconds)
    granted = sum(granted for _, granted in rows)
    return Asked(len(rows), granted, statistics.median(seconds), p90, unread)


def shown(found: Asked) -> str:
    return (
        f"asked {found.questions} times before something left, {found.granted} times yes; "
        f"an answer took {found.median:.1f} s in the middle, {found.p90:.1f} s for the slowest "
        f"tenth; {found.unread} times less than {UNREAD_SECONDS:.0f} s, too fast to read"
    )
