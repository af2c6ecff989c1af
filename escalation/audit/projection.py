"""A SQLite copy of the log's fields for searching: disposable, rebuilt when in doubt."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from .errors import NotALog
from .leaf import Leaf
from .reading import leaves, one

# 1: first version.  A file of another version is thrown away.
PROJECTION_FORMAT = 1
# What can be asked for by name; the paths lead into a record's data.
COLUMNS = {
    "type": (),
    "exchange": ("exchange",),
    "user": ("actor", "user"),
    "provider": ("provider", "name"),
    "model": ("model",),
    "purpose": ("purpose",),
    "status": ("status",),
    "decision": ("decision", "decision"),
}


class Projection:
    """Opens, or makes, the projection at `path` and brings it up to the log's end."""

    def __init__(self, path: Path, directory: Path) -> None:
        self._directory = directory
        self._db = sqlite3.connect(path)
        if self._db.execute("PRAGMA user_version").fetchone()[0] != PROJECTION_FORMAT:
            self._start_over()
        last = self._db.execute("SELECT seq, h FROM record ORDER BY seq DESC LIMIT 1").fetchone()
        if last is not None and not self._is_of_this_log(*last):
            self._start_over()
            last = None
        self._catch_up(0 if last is None else last[0] + 1)

    def close(self) -> None:
        self._db.close()

    def search(
        self, words: Sequence[str], filters: dict[str, str], since: str = "", limit: int = 100
    ) -> Iterator[int]:
        """Records, newest first, that hold all words (or their beginnings) and filters."""
        where, values = ["ts >= ?"], [since]
        for name, value in filters.items():
            where.append(f"{name} = ?")
            values.append(value)
        if words:
            where.append("seq IN (SELECT rowid FROM words WHERE words MATCH ?)")
            values.append(" AND ".join('"' + word.replace('"', '""') + '"*' for word in words))
        rows = self._db.execute(
            f"SELECT seq FROM record WHERE {' AND '.join(where)} "  # noqa: S608 - names of ours
            "ORDER BY seq DESC LIMIT ?",
            (*values, limit),
        )
        for (seq,) in rows:
            yield seq

    def _start_over(self) -> None:
        columns = ", ".join(f"{name} TEXT" for name in COLUMNS)
        self._db.executescript(
            "DROP TABLE IF EXISTS record; DROP TABLE IF EXISTS words;"
            f"CREATE TABLE record (seq INTEGER PRIMARY KEY, h TEXT, ts TEXT, {columns});"
            "CREATE VIRTUAL TABLE words USING fts5(text, content='');"
            f"PRAGMA user_version = {PROJECTION_FORMAT};"
        )

    def _is_of_this_log(self, seq: int, h: str) -> bool:
        try:
            return one(self._directory, seq)[0].tail.h == h
        except NotALog:
            return False

    def _catch_up(self, start: int) -> None:
        marks = ", ".join("?" * (3 + len(COLUMNS)))
        with self._db:
            for leaf, _line in leaves(self._directory, start):
                its = leaf.tail
                row = (its.seq, its.h, its.ts, *(_field(leaf, name) for name in COLUMNS))
                self._db.execute(f"INSERT INTO record VALUES ({marks})", row)  # noqa: S608
                self._db.execute(
                    "INSERT INTO words (rowid, text) VALUES (?, ?)", (its.seq, leaf.text)
                )


def _field(leaf: Leaf, name: str) -> str | None:
    if name == "type":
        return leaf.tail.type
    value: object = leaf.data
    for step in COLUMNS[name]:
        value = value.get(step) if isinstance(value, dict) else None  # type: ignore[union-attr]
    return value if isinstance(value, str) else None
