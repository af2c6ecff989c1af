"""`wicket.toml` on disk: read it, hostile or not; write a setting into the user's."""

import copy
import os
import re
import stat
import tempfile
import tomllib
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, cast

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import InlineTable

from .paths import Paths, UnsafePath, private_directory
from .settings_checks import Unfit, plain
from .settings_rows import row_name
from .settings_table import KEYS, Key

# Bytes.  The files are written by hand; a repository could send one that takes long.
LARGEST_FILE = 64 * 1024


class Unreadable(Exception):
    """A settings file that cannot be used; the message is one line."""


class Forbidden(Unreadable):
    """There is a file, and this process may not read it."""


class Unwritten(Exception):
    """The user's settings stayed as they were; the message is one line."""


def read(path: Path, owner: int | None = None) -> dict[str, object]:
    """The tables of a settings file; nothing where there is no file.

    With `owner` the file is refused where another user id could have written it.

    Raises Unreadable, and Forbidden where it may not be read.
    """
    found = content(path, owner)
    return {} if found is None else _parsed(found, shown(path))


def content(path: Path, owner: int | None = None) -> bytes | None:
    """The bytes of a file as `read` reads it; None where there is no file.  Raises likewise."""
    where = shown(path)
    try:
        with open(path, "rb", opener=_at_once) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise Unreadable(f"{where} is not a regular file; it is ignored")
            if owner is not None:
                _refuse_writers(where, found, owner)
                _refuse_writers(shown(path.parent), os.stat(path.parent), owner)
            said = file.read(LARGEST_FILE + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise Forbidden(f"{where}: {error.strerror}; it is ignored") from error
    except OSError as error:
        raise Unreadable(f"{where}: {error.strerror}; it is ignored") from error
    except ValueError as error:  # A name that no file can have.
        raise Unreadable(f"{where}: {error}; it is ignored") from error
    if len(said) > LARGEST_FILE:
        raise Unreadable(f"{where} is larger than {LARGEST_FILE} bytes; it is ignored")
    return said


def set_user(paths: Paths, name: str, value: object) -> None:
    """Write one setting into the user's file; all else in it stays as it is.

    `name` is a setting, or `engine.models.NAME` for a row of that table; `value` is as
    TOML has it: text, number, truth, list or dict.  A symbolic link is followed, so
    that a file that is kept elsewhere stays there.  The file is replaced whole or not
    at all, and only its user can read it afterwards.

    Raises Unwritten.
    """
    key, place = _place(name)
    path = Path(os.path.realpath(paths.user_settings))
    by_hand = f"set {plain(name)} in {shown(path)} by hand"
    try:
        if key.rows:
            row_name(place[-1])
        key.check(value)
        expected = read(path)
        before = path.read_bytes().decode() if path.exists() else ""
        _put(expected, place, copy.deepcopy(value))
        after = _edited(before, place, value)
        # The editing library keeps comments; this keeps its mistakes off the disk.
        if tomllib.loads(after) != expected:
            raise Unwritten(f"the file has an unusual form; {by_hand}")
        if not path.parent.exists():
            private_directory(path.parent)
        replace(path, after.encode())
    except Unfit as error:
        raise Unwritten(f"{plain(name)} {error}") from error
    except Unreadable as error:
        raise Unwritten(f"{error}; mend it first") from error
    except (TOMLKitError, TypeError, tomllib.TOMLDecodeError) as error:
        raise Unwritten(f"the file cannot be edited: {plain(str(error))}; {by_hand}") from error
    except UnsafePath as error:
        raise Unwritten(str(error)) from error
    except OSError as error:
        raise Unwritten(f"{shown(path)}: {error.strerror}; nothing is written") from error


def shown(path: Path) -> str:
    """A path as part of one line."""
    return plain(str(path), 4096)


def _at_once(name: str, flags: int) -> int:
    """Open without waiting for the other end of a named pipe."""
    return os.open(name, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _parsed(content: bytes, where: str) -> dict[str, object]:
    try:
        return tomllib.loads(content.decode())
    except UnicodeDecodeError as error:
        line, reason = content.count(b"\n", 0, error.start) + 1, "the text is not UTF-8"
    except (ValueError, RecursionError) as error:  # TOMLDecodeError is a ValueError.
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        position = re.search(r" \(at line (\d+), column \d+\)$", reason)
        # Without a position the fault is at the end of the file.
        line = int(position[1]) if position else len(content.splitlines())
        reason = reason[: position.start()] if position else reason
    raise Unreadable(f"{where}:{line}: {plain(reason)}; the whole file is ignored")


def _refuse_writers(where: str, found: os.stat_result, owner: int) -> None:
    if found.st_uid != owner:
        who = "root" if owner == 0 else f"user id {owner}"
        raise Unreadable(f"{where} does not belong to {who}, so it is ignored; chown it")
    if found.st_mode & 0o022:
        raise Unreadable(f"{where} is writable by others, so it is ignored; chmod go-w it")


def _place(name: str) -> tuple[Key, tuple[str, ...]]:
    """The setting of a dotted name, and where its value stands in the file."""
    if (key := KEYS.get(name)) and not key.rows:
        return key, tuple(name.split("."))
    for key in KEYS.values():
        row = name.removeprefix(f"{key.name}.")
        if key.rows and row and row != name:
            return key, (*key.name.split("."), row)
    raise Unwritten(f"{plain(name)} is not a setting; `wicket config` lists them")


def _put(table: MutableMapping[str, Any], place: tuple[str, ...], value: object) -> None:
    for part in place[:-1]:
        inner: object = table.setdefault(part, {})
        if not isinstance(inner, MutableMapping):
            raise TypeError(f"{part} is not a table")
        table = cast(MutableMapping[str, Any], inner)
    table[place[-1]] = value


def _edited(text: str, place: tuple[str, ...], value: object) -> str:
    """`text` with `value` at `place`, everything else as it was."""
    document = tomlkit.parse(text)
    table = cast(MutableMapping[str, Any], document)
    for part in place[:-1]:
        if part not in table:
            table[part] = {} if isinstance(table, InlineTable) else tomlkit.table()
        table = table[part]
    last = place[-1]
    old = table.get(last)
    if isinstance(old, MutableMapping) and isinstance(value, MutableMapping):
        # A table with a heading of its own keeps it, and the comments under it.
        row = cast(MutableMapping[str, Any], old)
        for gone in set(row) - set(cast(MutableMapping[str, Any], value)):
            del row[gone]
        row.update(cast(MutableMapping[str, Any], value))
    else:
        table[last] = value
    return tomlkit.dumps(document)


def replace(path: Path, content: bytes) -> None:
    """Write a private file beside `path`, make it durable, then let it replace it."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
