"""The index as those see it who only read: by path and by name, never an error.

What is missing, being built or broken is an empty answer: completion goes on without it.
"""

import contextlib
import os
import re
import sqlite3
import zlib
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from . import schema
from .facts import Facts, unpack

# Facts kept unpacked: by bytes of their packed form, of which they take some ten times.
REMEMBERED_BYTES = 4 << 20
# A name in so many files says nothing about any of them.
COMMON = 200

# Contents in which a name occurs: those that define it are not among those that use it.
_USING = (
    "SELECT blob FROM name JOIN defined ON defined.name = name.id WHERE text = ? UNION ALL"
    " SELECT blob FROM name JOIN used ON used.name = name.id WHERE text = ?"
)

# Files that may define one name, so that it says which file uses which; and rows at most.
DEFINERS, MOST_LINKS = 3, 2_000_000
_LINKS = """
WITH rare AS (
  SELECT name, 1.0 / count(*) AS part FROM defined GROUP BY name HAVING count(*) <= ?
)
SELECT user.path, definer.path, sum(part) FROM rare
  JOIN defined ON defined.name = rare.name JOIN used ON used.name = rare.name
  JOIN file AS definer ON definer.blob = defined.blob
  JOIN file AS user ON user.blob = used.blob
  GROUP BY user.path, definer.path LIMIT ?
"""
_USE_COUNTS = (
    "SELECT text, (SELECT count(*) FROM used WHERE used.name = name.id) FROM name"
    " JOIN defined ON defined.name = name.id JOIN file ON file.blob = defined.blob"
)


class Reader:
    """Looks into the index whose database is `path`, which need not exist yet.

    Paths are relative to the workspace, with forward slashes.  Each call sees what was
    committed last; one thread uses it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database: sqlite3.Connection | None = None
        self._inode = 0
        self._facts: OrderedDict[int, tuple[Facts | None, int]] = OrderedDict()
        self._bytes = 0

    def refresh(self) -> bool:
        """Whether there is an index; found again where it was replaced.

        Once per request is enough.
        """
        try:
            inode = os.stat(self._path).st_ino
        except OSError:
            inode = 0
        if inode != self._inode:
            self.close()
        if inode and self._database is None:
            self._open(inode)
        return self._database is not None

    def close(self) -> None:
        if self._database is not None:
            self._database.close()
        self._database, self._inode, self._bytes = None, 0, 0
        self._facts.clear()

    def facts(self, path: str) -> Facts | None:
        """What a file says, as of its last parse."""
        rows = self._rows("SELECT blob FROM file WHERE path = ?", os.fsencode(path))
        return self._blob(rows[0][0]) if rows and rows[0][0] is not None else None

    def exists(self, path: str) -> bool:
        """Whether a file is in the index, with facts or without."""
        return bool(self._rows("SELECT 1 FROM file WHERE path = ?", os.fsencode(path)))

    def named(self, base: str) -> tuple[str, ...]:
        """The files whose last component is `base`: "http.py", not "lib/http.py"."""
        query = "SELECT path FROM file WHERE base = ? AND blob IS NOT NULL LIMIT ?"
        return self._paths(query, os.fsencode(base), COMMON)

    def inside(self, directory: str, most: int = COMMON) -> tuple[str, ...]:
        """Files that lie in `directory` itself ("" for the root), in order of their names."""
        start = os.fsencode(f"{directory}/" if directory else "")
        # Of a directory below, one file is looked at: then comes what follows "below/".
        found: list[str] = []
        at = start
        while len(found) < most:
            rows = self._rows(
                "SELECT path, blob FROM file WHERE path >= ? AND path < ? ORDER BY path LIMIT 64",
                at,
                # The largest path that starts so.
                start + b"\xff",
            )
            for path, blob in rows:
                below, slash, _rest = path[len(start) :].partition(b"/")
                if slash:
                    at = start + below + b"0"  # The byte after the slash.
                    break
                at = path + b"\0"
                if blob is not None:
                    found.append(os.fsdecode(path))
            else:
                if len(rows) < 64:
                    break
        return tuple(found[:most])

    def definers(self, name: str, most: int = 20) -> tuple[str, ...]:
        """Files that define `name` somewhere."""
        query = (
            "SELECT path FROM name JOIN defined ON defined.name = name.id"
            " JOIN file ON file.blob = defined.blob WHERE text = ? LIMIT ?"
        )
        return self._paths(query, _bytes(name), most)

    def users(self, name: str, most: int = COMMON) -> tuple[str, ...]:
        """Files in which `name` occurs as code: where it is used, imported or defined."""
        query = f"SELECT path FROM ({_USING}) JOIN file USING (blob) LIMIT ?"  # noqa: S608 - ours
        return self._paths(query, _bytes(name), _bytes(name), most)

    def popularity(self, name: str) -> int:
        """In how many contents `name` occurs; those beyond COMMON are not counted."""
        rows = self._rows(
            f"SELECT count(*) FROM (SELECT 1 FROM ({_USING}) LIMIT ?)",  # noqa: S608 - ours
            _bytes(name),
            _bytes(name),
            COMMON,
        )
        return rows[0][0] if rows else 0

    def defined_names(self, prefix: str, most: int = 50) -> tuple[str, ...]:
        """Names that start with `prefix` and are defined somewhere."""
        start = _bytes(prefix)
        rows = self._rows(
            "SELECT text FROM name WHERE text >= ? AND text < ?"
            " AND EXISTS (SELECT 1 FROM defined WHERE defined.name = name.id) LIMIT ?",
            start,
            start + b"\xff",
            most,
        )
        return tuple(_text(name) for (name,) in rows)

    def paths(self) -> tuple[str, ...]:
        """Every file that has facts, in order."""
        return self._paths("SELECT path FROM file WHERE blob IS NOT NULL ORDER BY path")

    def links(self) -> list[tuple[str, str, float]]:
        """Which file uses names that another one defines, and how many of them.

        A name that several files define counts as a part of one; those that more than
        DEFINERS files define say nothing.
        """
        rows = self._rows(_LINKS, DEFINERS, MOST_LINKS)
        return [(os.fsdecode(user), os.fsdecode(used), weight) for user, used, weight in rows]

    def use_counts(self, paths: Sequence[str]) -> dict[str, int]:
        """For each name that one of these files defines, how many contents name it."""
        found: dict[str, int] = {}
        for start in range(0, len(paths), 500):
            some = [os.fsencode(path) for path in paths[start : start + 500]]
            places = ", ".join("?" * len(some))
            query = f"{_USE_COUNTS} WHERE file.path IN ({places}) GROUP BY name.id"
            found |= {_text(name): count for name, count in self._rows(query, *some)}
        return found

    def spelled_like(self, letters: str, most: int = 100) -> tuple[str, ...]:
        """Defined names that have these letters in this order, in any case: equal ones first,
        then those that start so, those that hold them, and short ones before long ones."""
        said = re.sub(r"([\\%_])", r"\\\1", letters)
        whole = re.findall(r"\\.|.", said)
        rows = self._rows(
            "SELECT said FROM (SELECT CAST(text AS TEXT) AS said, id FROM name)"
            " WHERE said LIKE ? ESCAPE '\\'"
            " AND EXISTS (SELECT 1 FROM defined WHERE defined.name = id)"
            " ORDER BY said = ? DESC, said LIKE ? ESCAPE '\\' DESC, said LIKE ? ESCAPE '\\' DESC,"
            " length(said), said LIMIT ?",
            f"%{'%'.join(whole)}%",
            letters,
            f"{said}%",
            f"%{said}%",
            most,
        )
        return tuple(name for (name,) in rows)

    def files(self) -> int:
        """How many files have facts."""
        rows = self._rows("SELECT count(*) FROM file WHERE blob IS NOT NULL")
        return rows[0][0] if rows else 0

    def _open(self, inode: int) -> None:
        address = f"file:{quote(os.fsencode(self._path))}?mode=ro"
        try:
            database = sqlite3.connect(address, uri=True, timeout=0.05, isolation_level=None)
            if schema.matches(database):
                database.execute(f"PRAGMA mmap_size = {schema.MAPPED_BYTES}")
                database.execute(f"PRAGMA cache_size = -{schema.CACHE_KB}")
                self._database, self._inode = database, inode
            else:
                database.close()
        except sqlite3.Error:
            return

    def _rows(self, query: str, *values: object) -> Sequence[Any]:
        if self._database is None and not self.refresh():
            return ()
        assert self._database is not None
        try:
            return self._database.execute(query, values).fetchall()
        except sqlite3.OperationalError:
            return ()  # Busy, or the disk is failing: the next call may do better.
        except sqlite3.Error:
            self.close()  # Broken; whoever writes it replaces it.
            return ()

    def _paths(self, query: str, *values: object) -> tuple[str, ...]:
        return tuple(os.fsdecode(path) for (path,) in self._rows(query, *values))

    def _blob(self, number: int) -> Facts | None:
        if known := self._facts.get(number):
            self._facts.move_to_end(number)
            return known[0]
        rows = self._rows("SELECT facts FROM blob WHERE id = ?", number)
        if not rows:
            return None
        facts, packed = None, b""
        with contextlib.suppress(ValueError, zlib.error):
            packed = zlib.decompress(rows[0][0])
            facts = unpack(packed)
        self._facts[number] = facts, len(packed)
        self._bytes += len(packed)
        while self._bytes > REMEMBERED_BYTES and len(self._facts) > 1:
            _number, (_facts, size) = self._facts.popitem(last=False)
            self._bytes -= size
        return facts


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
