"""The gate's emergency brake: files that say what may not be sent, for as long as they are there.

Files work where no gate runs, outlive every gate, and an administrator can put them, too:
`frozen` stops everything, whatever it says; rows of `freezes.toml` stop what they name.
"""

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import tomlkit

from ..escalation import freezes
from ..escalation.freezes import SCOPES, Frozen
from . import settings_file
from .paths import Paths, UnsafePath, private_directory, private_file
from .settings_checks import plain

# Seconds between two looks at the files: sends end within one second.
LOOK_SECONDS = 0.25
LONGEST_REASON = 200
LARGEST_FILE = 1 << 16
# Of a folder's path, as Linux has it.
LONGEST_NAME = 4096
ADMINISTRATOR, USER = "by the administrator", "by you"


class BadFreezes(ValueError):
    """A file that says what is frozen, and does not; the message is one line."""


def rows(paths: Paths) -> tuple[Frozen, ...]:
    """What is frozen now.  A file that cannot be read, or understood, freezes everything."""
    return tuple(_rows(paths.managed, ADMINISTRATOR)) + tuple(_rows(paths.gate, USER))


def why(paths: Paths) -> str | None:
    """Why nothing at all may be sent, or None."""
    return freezes.everything(rows(paths))


def change(paths: Paths, frozen: bool, reason: str, scope: Mapping[str, str] | None = None) -> None:
    """Freeze, or thaw what this user froze: everything, or what `scope` names.

    Thawing without a scope thaws all.  Raises OSError and UnsafePath.
    """
    place = paths.gate / "frozen"
    private_directory(place.parent)
    if scope:
        kept = [row for row in _own(paths) if row.scope != dict(scope)]
        if not all(_is_name(value) for value in scope.values()):
            raise UnsafePath("what is to be frozen has no name in Unicode, or too long a one")
        if frozen:
            reason = reason.encode("utf-8", "replace").decode()
            kept.append(Frozen(reason[:LONGEST_REASON], **scope))
        _write(paths, kept)
    elif not frozen:
        place.unlink(missing_ok=True)
        _some(paths.gate).unlink(missing_ok=True)
    else:
        with private_file(place, "wb") as file:
            file.write(reason[:LONGEST_REASON].encode("utf-8", "replace"))
            file.flush()
            os.fsync(file.fileno())


def _rows(folder: Path, who: str) -> Iterator[Frozen]:
    place = folder / "frozen"
    try:
        if (said := _content(place)) is not None:
            yield Frozen(_why(who, said.decode("utf-8", "replace")))
        place = _some(folder)
        if (said := _content(place)) is not None:
            for row in _read(said):
                yield Frozen(_why(who, row.why), **row.scope)
    except OSError as error:
        yield Frozen(f"{place} cannot be read: {error.strerror}")
    except ValueError as error:
        yield Frozen(f"{who}: {place} is not understood: {plain(str(error))}")


def _own(paths: Paths) -> list[Frozen]:
    """The user's rows.  Raises UnsafePath for a file that nobody understands."""
    place = _some(paths.gate)
    try:
        return list(_read(_content(place) or b""))
    except ValueError as error:
        why = f"{place} is not understood: {plain(str(error))}"
        raise UnsafePath(f"{why}; `wicket gate thaw` takes it away") from None


def _read(content: bytes) -> Iterator[Frozen]:
    """The rows of `freezes.toml`; their `why` is the reason alone.  Raises ValueError."""
    said = tomllib.loads(content.decode())
    if unknown := said.keys() - {"freeze"}:
        raise BadFreezes(f"unknown key {min(unknown)}")
    found: object = said.get("freeze", [])
    if not isinstance(found, list):
        raise BadFreezes("freeze must be a list of tables")
    for row in cast(list[object], found):
        if not isinstance(row, dict):
            raise BadFreezes("freeze must be a list of tables")
        one = cast(dict[str, Any], row)
        if unknown := one.keys() - {"reason", *SCOPES}:
            raise BadFreezes(f"unknown key {min(unknown)}")
        if not all(isinstance(value, str) for value in one.values()):
            raise BadFreezes("what a freeze names must be text")
        yield Frozen(one.pop("reason", "")[:LONGEST_REASON], **one)


def _is_name(value: str) -> bool:
    """Not so, everything would be frozen by a file that nobody understands."""
    try:
        return len(value.encode()) <= LONGEST_NAME
    except UnicodeEncodeError:
        return False


def _write(paths: Paths, kept: list[Frozen]) -> None:
    """At once: what reads it never sees half of it, or less than was there."""
    place = _some(paths.gate)
    if not kept:
        place.unlink(missing_ok=True)
        return
    said = tomlkit.dumps({"freeze": [{"reason": row.why} | row.scope for row in kept]})
    settings_file.replace(place, said.encode())


def _content(place: Path) -> bytes | None:
    try:
        with open(place, "rb") as file:
            said = file.read(LARGEST_FILE + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if len(said) > LARGEST_FILE:
        raise BadFreezes(f"it is larger than {LARGEST_FILE} bytes")
    return said


def _why(who: str, said: str) -> str:
    said = said[:LONGEST_REASON].strip()
    return f"{who}{f': {plain(said)}' if said else ''}"


def _some(folder: Path) -> Path:
    return folder / "freezes.toml"
