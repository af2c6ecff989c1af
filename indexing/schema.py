"""What the index's database holds.  A cache: where its number differs it is built anew."""

import sqlite3

from .facts import EXTRACTOR

# 1: facts packed by content, postings of the names they define and use.  2: signed numbers.
FORMAT = 2
# "wckt": what tells the file apart from other databases.
APPLICATION = 0x77636B74
VERSION = FORMAT * 1000 + EXTRACTOR

# Readers map so much of the file; the rest is read as usual.
MAPPED_BYTES = 32 << 20
CACHE_KB = 8192

# Paths and names are bytes: a file name or an identifier need not be UTF-8.  A file points
# to what is in it, so that a branch switch or a rename moves rows and parses nothing.  Its
# `stamp` tells whether it was touched since; `why` says why there is no blob.
# What a blob defines counts as used there, without a second row.
# The numbers of names and blobs are never used again: readers keep what they mean.
TABLES = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE file (
  path BLOB PRIMARY KEY, base BLOB NOT NULL, blob INTEGER, stamp INTEGER NOT NULL, why TEXT
) WITHOUT ROWID;
CREATE INDEX file_base ON file (base);
CREATE INDEX file_blob ON file (blob);
CREATE TABLE blob (
  id INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL, language TEXT NOT NULL,
  size INTEGER NOT NULL, symbols INTEGER NOT NULL, facts BLOB NOT NULL,
  UNIQUE (hash, language)
);
CREATE TABLE name (text BLOB PRIMARY KEY, id INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE defined (name INTEGER, blob INTEGER, PRIMARY KEY (name, blob)) WITHOUT ROWID;
CREATE TABLE used (name INTEGER, blob INTEGER, PRIMARY KEY (name, blob)) WITHOUT ROWID;
"""


def create(database: sqlite3.Connection) -> None:
    """Lay out an empty database."""
    database.executescript(
        f"PRAGMA application_id = {APPLICATION}; {TABLES} PRAGMA user_version = {VERSION};"
    )


def matches(database: sqlite3.Connection) -> bool:
    """Whether a database is of this format.  Raises sqlite3.Error where it is none."""
    (application,) = database.execute("PRAGMA application_id").fetchone()
    (version,) = database.execute("PRAGMA user_version").fetchone()
    return (application, version) == (APPLICATION, VERSION)
