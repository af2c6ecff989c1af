"""Where the audit logs of this user are, and the key pair of their reader."""

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from ..escalation.audit.errors import NotALog
from ..escalation.audit.frame import ReaderKey
from .paths import Paths, private_directory, private_file

_LOG_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Place:
    """One log: its directory, and its head where this is not a copy."""

    directory: Path
    head: Path | None

    @property
    def note(self) -> bytes | None:
        """The head's bytes."""
        return self.head.read_bytes() if self.head and self.head.exists() else None


def places(paths: Paths, given: str | None = None) -> list[Place]:
    """The logs in `given`, a log's directory or one of several; else this user's own.

    A log of which only the head is left is among them.  Raises NotALog where none is.
    """
    parent = paths.audit
    if given is not None and any(Path(given).glob("seg-*.jsonl")):
        return [_place(paths, Path(given))]
    names = {path.name for path in paths.heads.glob("*")} if given is None else set[str]()
    if given is not None:
        parent = Path(given)
    names |= {path.name for path in parent.glob("*") if path.is_dir()}
    found = [_place(paths, parent / name) for name in sorted(names) if _LOG_ID.fullmatch(name)]
    if not found:
        raise NotALog(f"there is no log in {parent}")
    return found


def the_one(paths: Paths, given: str | None = None) -> Place:
    """The only log there is.  Raises NotALog where there are none or several."""
    found = places(paths, given)
    if len(found) > 1:
        names = ", ".join(place.directory.name[:8] for place in found)
        raise NotALog(f"there are {len(found)} logs ({names}); say which with --dir")
    return found[0]


def current(paths: Paths) -> Place:
    """The log that the gate writes: the only one there is, or the place for a new one.

    Raises NotALog where there are several.
    """
    try:
        return the_one(paths)
    except NotALog:
        if any((paths.audit).glob("*")) or any(paths.heads.glob("*")):
            raise
        name = secrets.token_hex(16)
        return Place(paths.audit / name, paths.heads / name)


def _place(paths: Paths, directory: Path) -> Place:
    own = os.path.realpath(directory.parent) == os.path.realpath(paths.audit)
    return Place(directory, paths.heads / directory.name if own else None)


def reader_key(paths: Paths, make: bool = False) -> ReaderKey | None:
    """This user's own key pair, to which payloads are sealed where no other is named.

    With `make` it is created where it is missing.  Raises NoKey, OSError, UnsafePath.
    """
    path = paths.reader_key
    if path.exists():
        return ReaderKey.of(path.read_text())
    if not make:
        return None
    for place in (paths.data, path.parent):
        private_directory(place)
    made = ReaderKey.new()
    with private_file(path, "xb") as file:
        file.write(f"{made}\n".encode())
        file.flush()
        os.fsync(file.fileno())
    return made
