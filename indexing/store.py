"""The one writer of an index: what each path holds, and the facts of each content once.

Rows gather in a transaction until `commit`; a process that is killed loses those since the
last one and nothing else.  `sqlite3.Error` never leaves this module: what cannot be written
is `StoreFailed`, and a database that is of another format, of other rules or broken is
replaced by an empty one.
"""

import contextlib
import os
import sqlite3
import zlib
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from . import schema
from .facts import names

# A third of the size for a fiftieth of the time that parsing takes.
SQUEEZE = 1
# Bits of the window: to set up a larger one for each of thousands of files takes longer.
WINDOW = 13
# Longer ones are data that some parser took for code.
LONGEST_NAME = 200
# Numbers of names kept in memory, so that a name costs one look-up in many files.
REMEMBERED_NAMES = 150_000
# A posting is one number until it is written: that of the name, then so many bits of the blob's.
_BLOB_BITS = 32
# Blobs that no path points to are kept for the next switch of the branch: so many, or as
# many as half of those in use.
KEPT_BLOBS = 2_000


class StoreFailed(Exception):
    """The index cannot be written: one line that says why."""


class StoreBroken(StoreFailed):
    """What the database's file holds makes no sense; `remove` it and begin anew."""


class Entry(NamedTuple):
    """What the index knows of a path; without a `blob` there is a reason `why`."""

    blob: int | None
    stamp: int
    why: str | None


@dataclass(frozen=True, slots=True)
class Measures:
    """`size` is bytes of source, `stored` of the database; `skipped` counts reasons."""

    files: int
    size: int
    symbols: int
    skipped: dict[str, int]
    stored: int


class Store:
    """An open index.  One thread uses it, in the process that holds the lock.

    `rules` says which files may be in it: an index that was made under others could hold
    what is excluded now, so it is thrown away.
    """

    def __init__(self, path: Path, rules: str, *, shared_memory: bool = True) -> None:
        """`shared_memory` is false on a network file system, where WAL does not work.

        Raises StoreFailed.
        """
        self.path, self._rules = path, rules
        self._journal = "WAL" if shared_memory else "TRUNCATE"
        self._names: dict[bytes, int] = {}
        # By table, blobs and their names: until they are written.
        self._postings: dict[str, list[tuple[int, set[bytes]]]] = {"defined": [], "used": []}
        with _failures():
            self._database = self._open()
            self._next_name = self._one("SELECT coalesce(max(id), 0) + 1 FROM name")
            # In an index that is empty so far, a name not remembered is a new one.
            self._all_remembered = self._next_name == 1

    def catalogue(self, only: Iterable[str] | None = None) -> dict[str, Entry]:
        """What is known of every path, or of `only` these and what lies in them."""
        select = "SELECT path, blob, stamp, why FROM file"
        found: list[tuple[bytes, *tuple[Any, ...]]] = []
        with _failures():
            if only is None:
                found += self._database.execute(select)
            for path in map(os.fsencode, only or ()):
                below = path + b"/", path + b"0"  # The byte after the slash.
                found += self._database.execute(f"{select} WHERE path = ?", (path,))
                found += self._database.execute(f"{select} WHERE path >= ? AND path < ?", below)
        return {os.fsdecode(path): Entry(*rest) for path, *rest in found}

    def holds(self, digest: bytes, language: str) -> int | None:
        """The number of a content that was parsed before."""
        with _failures():
            found = self._database.execute(
                "SELECT id FROM blob WHERE hash = ? AND language = ?", (digest, language)
            ).fetchone()
        return found and found[0]

    def put(self, digest: bytes, language: str, size: int, packed: bytes) -> int:
        """Keep the facts of a content; its number."""
        defined, used = names(packed)
        with self._writing():
            made = self._database.execute(
                "INSERT INTO blob (hash, language, size, symbols, facts) VALUES (?, ?, ?, ?, ?)",
                (digest, language, size, len(defined), zlib.compress(packed, SQUEEZE, WINDOW)),
            )
        assert made.lastrowid
        here = _short(defined)
        # What is defined here counts as used here without being written twice.
        self._postings["defined"].append((made.lastrowid, here))
        self._postings["used"].append((made.lastrowid, _short(used) - here))
        return made.lastrowid

    def point(self, path: str, stamp: int, blob: int | None, why: str | None = None) -> None:
        """Say what a path holds, or why it holds nothing."""
        name = os.fsencode(path)
        with self._writing():
            self._database.execute(
                "REPLACE INTO file VALUES (?, ?, ?, ?, ?)",
                (name, name.rpartition(b"/")[2], blob, stamp, why),
            )

    def drop(self, paths: Iterable[str]) -> None:
        with self._writing():
            self._database.executemany(
                "DELETE FROM file WHERE path = ?", ((os.fsencode(path),) for path in paths)
            )

    def commit(self) -> None:
        """Make what was written since the last time visible, and safe from a crash."""
        if not self._database.in_transaction:
            return
        with _failures():
            self._write_postings()
            self._database.execute("COMMIT")

    def prune(self, kept: int = KEPT_BLOBS) -> int:
        """Commit, and forget contents that no path has had for long; how many."""
        self.commit()
        with self._writing():
            unused = self._database.execute(
                "SELECT id, facts FROM blob WHERE id NOT IN"
                " (SELECT blob FROM file WHERE blob IS NOT NULL) ORDER BY id DESC LIMIT -1 OFFSET"
                " max(?, (SELECT count(*) FROM blob) / 3)",
                (kept,),
            ).fetchall()
            for blob, packed in unused:
                self._forget(blob, zlib.decompress(packed))
        self.commit()
        return len(unused)

    def measures(self) -> Measures:
        with _failures():
            files, size, symbols = self._database.execute(
                "SELECT count(*), coalesce(sum(size), 0), coalesce(sum(symbols), 0)"
                " FROM file JOIN blob ON blob.id = file.blob"
            ).fetchone()
            skipped = self._database.execute(
                "SELECT why, count(*) FROM file WHERE why IS NOT NULL GROUP BY why ORDER BY why"
            )
            return Measures(files, size, symbols, dict(skipped), self._stored())

    def close(self) -> None:
        with _failures():
            self.commit()
            self._database.execute("REPLACE INTO about VALUES ('closed', '')")
            # Readers then find one file, and a full log does not wait for the next writer.
            self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._database.close()

    def _open(self) -> sqlite3.Connection:
        with contextlib.suppress(sqlite3.DatabaseError):
            database = self._connect()
            if schema.matches(database) and self._sound(database):
                database.execute("DELETE FROM about WHERE key = 'closed'")
                return database
            database.close()
        remove(self.path)
        database = self._connect()
        schema.create(database)
        database.execute("INSERT INTO about VALUES ('rules', ?)", (self._rules,))
        return database

    def _connect(self) -> sqlite3.Connection:
        # SQLite gives its other files the mode of this one.
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
        database = sqlite3.connect(
            self.path, timeout=3.0, isolation_level=None, check_same_thread=False
        )
        database.executescript(
            f"PRAGMA journal_mode = {self._journal}; PRAGMA synchronous = NORMAL;"
            f"PRAGMA temp_store = MEMORY; PRAGMA cache_size = -{schema.CACHE_KB};"
        )
        return database

    def _sound(self, database: sqlite3.Connection) -> bool:
        about = dict(database.execute("SELECT key, value FROM about"))
        if about.get("rules") != self._rules:
            return False
        # Reading all of it takes seconds in a large repository.
        return "closed" in about or database.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)

    def _one(self, query: str) -> int:
        return self._database.execute(query).fetchone()[0]

    def _stored(self) -> int:
        files = (Path(f"{self.path}{suffix}") for suffix in ("", "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    @contextlib.contextmanager
    def _writing(self) -> Generator[None]:
        with _failures():
            if not self._database.in_transaction:
                self._database.execute("BEGIN IMMEDIATE")
            yield

    def _write_postings(self) -> None:
        every = chain.from_iterable(self._postings.values())
        numbers = self._numbers(set[bytes]().union(*(found for _blob, found in every)))
        for table, postings in self._postings.items():
            rows: list[int] = []
            for blob, found in postings:
                rows += map(blob.__add__, map(numbers.__getitem__, found))
            # In the order of the tree: neighbouring rows go to the same page.
            rows.sort()
            # One statement for all of them takes a third of the time of one for each.
            self._database.execute(
                f"INSERT OR IGNORE INTO {table}"  # noqa: S608 - one of two names
                f" SELECT value >> {_BLOB_BITS}, value & {(1 << _BLOB_BITS) - 1} FROM json_each(?)",
                (str(rows),),
            )
            postings.clear()

    def _numbers(self, wanted: set[bytes]) -> dict[bytes, int]:
        """The numbers of names, which get one where they have none; to the left of a blob's."""
        if len(self._names) > REMEMBERED_NAMES:
            self._names.clear()
            self._all_remembered = False
        missing = sorted(wanted.difference(self._names))
        if not self._all_remembered:
            missing = [name for name in missing if not self._recall(name)]
        numbers = range(self._next_name, self._next_name + len(missing))
        self._next_name = numbers.stop
        self._names.update(zip(missing, (n << _BLOB_BITS for n in numbers), strict=True))
        self._database.executemany(
            "INSERT INTO name VALUES (?, ?)", zip(missing, numbers, strict=True)
        )
        return self._names

    def _recall(self, name: bytes) -> bool:
        """Whether a name has a number, which is remembered from now on."""
        query = "SELECT id FROM name WHERE text = ?"
        if found := self._database.execute(query, (name,)).fetchone():
            self._names[name] = found[0] << _BLOB_BITS
        return found is not None

    def _forget(self, blob: int, packed: bytes) -> None:
        for table, found in zip(("defined", "used"), names(packed), strict=True):
            self._database.executemany(
                f"DELETE FROM {table} WHERE blob = ?"  # noqa: S608 - one of two names
                " AND name = (SELECT id FROM name WHERE text = ?)",
                ((blob, name) for name in set(found)),
            )
        self._database.execute("DELETE FROM blob WHERE id = ?", (blob,))


def remove(path: Path) -> None:
    """Take an index away, whatever it is."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def _short(found: Iterable[bytes]) -> set[bytes]:
    """The names among them, each once."""
    once = set(found)
    if max(map(len, once), default=0) > LONGEST_NAME:
        once = {name for name in once if len(name) <= LONGEST_NAME}
    return once


@contextlib.contextmanager
def _failures() -> Generator[None]:
    try:
        yield
    except (sqlite3.OperationalError, OSError) as error:
        raise StoreFailed(f"the index cannot be written: {error}") from error
    except sqlite3.Error as error:
        raise StoreBroken(f"the index is broken: {error}") from error
