"""The numbers on disk: one SQLite file with no word of code and no path in it.

Whatever shows a suggestion adds to it, for some seconds at a time and from several
processes.  Rows of single suggestions become counts per day after `SINGLE_DAYS`.
"""

import contextlib
import logging
import sqlite3
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields
from pathlib import Path

from ..paths import InsideWorkspace, Paths, UnsafePath, private_file, refuse_inside

logger = logging.getLogger(__name__)

FILE = "stats.db"
# 1: suggestion, answer, characters.  2: the chance of each suggestion.
FORMAT = 2
DAY = 86_400
SINGLE_DAYS = 90
FORGOTTEN_DAYS = 730
# How long another process's write is waited for.
BUSY_SECONDS = 0.5
# Names come from editors, which may call a language anything.
LONGEST_NAME = 64

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS suggestion (
  number TEXT UNIQUE, at INTEGER NOT NULL,
  language TEXT NOT NULL, model TEXT NOT NULL, source TEXT NOT NULL, rules TEXT NOT NULL,
  manual INTEGER NOT NULL, outcome TEXT NOT NULL, inserted INTEGER NOT NULL,
  kept_30 INTEGER, kept_300 INTEGER, count INTEGER NOT NULL, chance REAL
);
CREATE INDEX IF NOT EXISTS suggestion_at ON suggestion (at);
CREATE TABLE IF NOT EXISTS answer (
  day INTEGER, language TEXT, model TEXT, source TEXT, ms REAL, count INTEGER NOT NULL,
  PRIMARY KEY (day, language, model, source, ms)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS characters (
  day INTEGER, language TEXT,
  completed INTEGER NOT NULL, typed INTEGER NOT NULL, other INTEGER NOT NULL,
  PRIMARY KEY (day, language)
) WITHOUT ROWID;
PRAGMA user_version = {FORMAT};
"""
# Whatever a row says but when exactly it was, and how likely it seemed.
KIND = "language, model, source, rules, manual, outcome, kept_30, kept_300"


class Unusable(Exception):
    """The file cannot be read or written.  One line: what, why, what to do."""


@dataclass(slots=True)
class Row:
    """A suggestion that was shown; of a day long ago, `count` of a kind.

    `at` is in Unix seconds, `rules` are joined by blanks, `inserted` counts characters.
    `kept_30` and `kept_300` are 1 where accepted text still stood there after so many
    seconds, None where nobody could look; `manual` is 1 where it was asked for by hand.
    `chance` is the one that it was given, from 0 to 1; None where it is not known any more.
    """

    number: str | None
    at: int
    language: str
    model: str
    source: str
    rules: str
    manual: int
    outcome: str = "ignored"
    inserted: int = 0
    kept_30: int | None = None
    kept_300: int | None = None
    count: int = 1
    chance: float | None = None


MARKS = ", ".join("?" for _ in fields(Row))
# (Unix second at which the day began, language, model, source, milliseconds) of an answer.
AnswerKey = tuple[int, str, str, str, float]
# Characters completed, typed and inserted in other ways, by (day, language).
Characters = dict[tuple[int, str], tuple[int, int, int]]


@dataclass(slots=True)
class Numbers:
    """What is written at a time, and what is read."""

    rows: Sequence[Row] = ()
    answers: Mapping[AnswerKey, int] = field(default_factory=Counter[AnswerKey])
    characters: Characters = field(default_factory=Characters)

    def __bool__(self) -> bool:
        return bool(self.rows or self.answers or self.characters)


def place(paths: Paths, folders: Sequence[Path]) -> Path | None:
    """The file, or None where one of the open `folders` could have put it there."""
    path = paths.stats / FILE
    try:
        # The home directory, opened as a folder, is the user's own.
        own = (paths.home, *paths.home.parents)
        refuse_inside(path, [folder for folder in folders if folder not in own])
    except InsideWorkspace as error:
        logger.warning("stats: %s", error)
        return None
    return path


def write(path: Path, numbers: Numbers, now: int) -> None:
    """Add `numbers`; a row whose number is there already replaces it.  Raises Unusable."""
    with _errors(path):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        private_file(path).close()
        with _opened(str(path)) as database:
            if _format(database) < FORMAT:
                _make(database)
            # One transaction: a crash inside it leaves what was there before.
            with database:
                database.executemany(
                    f"INSERT OR REPLACE INTO suggestion VALUES ({MARKS})",  # noqa: S608
                    [astuple(row) for row in numbers.rows],
                )
                database.executemany(
                    "INSERT INTO answer VALUES (?, ?, ?, ?, ?, ?)"
                    " ON CONFLICT DO UPDATE SET count = count + excluded.count",
                    [(*key, count) for key, count in numbers.answers.items()],
                )
                database.executemany(
                    "INSERT INTO characters VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                    " completed = completed + excluded.completed,"
                    " typed = typed + excluded.typed, other = other + excluded.other",
                    [(*key, *counts) for key, counts in numbers.characters.items()],
                )
                _roll_up(database, now)


def read(path: Path, since: int = 0) -> Numbers:
    """Everything from the Unix second `since` on, of days the whole.  Raises Unusable."""
    if not path.exists():
        return Numbers()
    with _errors(path), _opened(f"{path.as_uri()}?mode=ro") as database:
        if not _format(database):
            return Numbers()
        found = database.execute("SELECT * FROM suggestion WHERE at >= ? ORDER BY at", (since,))
        rows = [Row(*row) for row in found]
        day = (since // DAY * DAY,)
        answers = Counter[AnswerKey]()
        for *key, count in database.execute("SELECT * FROM answer WHERE day >= ?", day):
            answers[tuple(key)] = count
        characters = {
            (row[0], row[1]): (row[2], row[3], row[4])
            for row in database.execute("SELECT * FROM characters WHERE day >= ?", day)
        }
    return Numbers(rows, answers, characters)


def name(said: str | None) -> str:
    """A name as it is kept: short, printable, and of a path the last part alone."""
    last = (said or "").rpartition("/")[2][:LONGEST_NAME]
    return "".join(letter for letter in last if letter.isprintable()) or "unknown"


def day(at: float) -> int:
    return int(at) // DAY * DAY


def _make(database: sqlite3.Connection) -> None:
    """Make the tables, or add to those of an older Wicket what they lack."""
    with database:
        database.execute("BEGIN IMMEDIATE")
        # Another process may have been first.
        if _format(database) == 1:
            database.execute("ALTER TABLE suggestion ADD COLUMN chance REAL")
            database.execute(f"PRAGMA user_version = {FORMAT}")
    if not _format(database):
        database.executescript(SCHEMA)


def _roll_up(database: sqlite3.Connection, now: int) -> None:
    old = day(now) - SINGLE_DAYS * DAY
    database.execute(
        f"INSERT INTO suggestion SELECT NULL, at / {DAY} * {DAY}, language, model, source,"  # noqa: S608
        " rules, manual, outcome, SUM(inserted), kept_30, kept_300, SUM(count), NULL"
        f" FROM suggestion WHERE at < ? AND number IS NOT NULL GROUP BY at / {DAY}, {KIND}",
        (old,),
    )
    database.execute("DELETE FROM suggestion WHERE at < ? AND number IS NOT NULL", (old,))
    forgotten = (day(now) - FORGOTTEN_DAYS * DAY,)
    database.execute("DELETE FROM suggestion WHERE at < ?", forgotten)
    database.execute("DELETE FROM answer WHERE day < ?", forgotten)
    database.execute("DELETE FROM characters WHERE day < ?", forgotten)


def _format(database: sqlite3.Connection) -> int:
    found: int = database.execute("PRAGMA user_version").fetchone()[0]
    if found > FORMAT:
        raise Unusable(f"its format {found} is of a newer Wicket; use that one, or remove the file")
    return found


@contextlib.contextmanager
def _opened(uri: str) -> Generator[sqlite3.Connection]:
    database = sqlite3.connect(uri, timeout=BUSY_SECONDS, uri=uri.startswith("file:"))
    try:
        yield database
    finally:
        database.close()


@contextlib.contextmanager
def _errors(path: Path) -> Generator[None]:
    try:
        yield
    except Unusable as error:
        raise Unusable(f"{path}: {error}") from None
    except UnsafePath as error:
        raise Unusable(str(error)) from error
    except sqlite3.OperationalError as error:
        raise Unusable(f"{path}: {error}; try again in a moment") from error
    except sqlite3.DatabaseError as error:
        raise Unusable(f"{path} is damaged ({error}); remove it to begin anew") from error
    except OSError as error:
        raise Unusable(f"{path}: {error.strerror}; make its folder writable for you") from error
