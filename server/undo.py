"""What it takes to undo applied edits: the files before and after, kept for their user alone.

The name of what is kept says how far it is, and what a kill there leaves:

    N-EXCHANGE.applying.json     some files may be written, nothing has to be on record
    N-EXCHANGE.json              all are, and it is on record as applied
    N-EXCHANGE.undoing.json      some may be as they were, and it is on record as applied
"""

import fcntl
import json
import os
import stat
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from .change import Change
from .paths import Paths, UnsafePath, private_directory, private_file

# Of those from the terminal, and of those from editors; the oldest are forgotten first.
KEPT = 20
# Beside a file, what it will be.
FRESH = "wicket-new"
State = Literal["applying", "applied", "undoing"]
# Of all files together: as before, as after, some as the one and some as the other, or changed.
Stand = Literal["before", "after", "between", "other"]


class Changed(Exception):
    """A file is not what it should be before it is written; one line."""


class Elsewhere(UnsafePath):
    """A file lies, or a link leads, outside of the folder; nothing was written."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An exchange whose changes are written to `folder`, by us or by an editor; `place` is
    where that is kept."""

    place: Path
    exchange: str
    digest: str
    folder: Path
    changes: tuple[Change, ...] = field(repr=False)
    by_editor: bool = False

    @property
    def state(self) -> State:
        match self.place.suffixes[-2:-1]:
            case [".applying"]:
                return "applying"
            case [".undoing"]:
                return "undoing"
            case _:
                return "applied"

    @property
    def stand(self) -> Stand:
        """What the disk says of it."""
        now = [content(self.folder, one.path) for one in self.changes]
        pairs = list(zip(now, self.changes, strict=True))
        if all(text == one.before for text, one in pairs):
            return "before"
        if all(text == one.after for text, one in pairs):
            return "after"
        return "between" if all(t in (one.before, one.after) for t, one in pairs) else "other"

    @property
    def files(self) -> str:
        return ", ".join(one.path for one in self.changes)


def keep(
    paths: Paths, exchange: str, digest: str, folder: Path, changes: Sequence[Change],
    by_editor: bool = False,
) -> Kept:  # fmt: skip
    """As `applying`, before anything is written.  Raises OSError and UnsafePath."""
    home = private_directory(paths.undone_in_editors if by_editor else paths.undo)
    place = home / f"{time.time_ns():020}-{exchange}.applying.json"
    rows = [{"path": c.path, "before": c.before, "after": c.after} for c in changes]
    body = {"exchange": exchange, "digest": digest, "folder": str(folder), "files": rows}
    with private_file(place, "xb") as file:
        file.write(json.dumps(body).encode())
        os.fsync(file.fileno())
    for old in sorted(home.glob("*.json"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return Kept(place, exchange, digest, folder, tuple(changes), by_editor)


def marked(kept: Kept, state: State) -> Kept:
    """The same, and its name says so."""
    stem = kept.place.name.partition(".")[0]
    place = kept.place.with_name(f"{stem}.json" if state == "applied" else f"{stem}.{state}.json")
    # Who looks after what was left, and a purge, may have been quicker.
    with suppress(FileNotFoundError):
        kept.place.rename(place)
    return replace(kept, place=place)


def all_kept(paths: Paths) -> list[Kept]:
    """The oldest first.  Raises OSError and UnsafePath."""
    found: list[Kept] = []
    for home in (paths.undo, paths.undone_in_editors):
        if home.is_dir():
            for place in private_directory(home).glob("*.json"):
                found += filter(None, [_read(place, home == paths.undone_in_editors)])
    return sorted(found, key=lambda one: one.place.name)


def latest(paths: Paths) -> Kept | None:
    """The last one that was applied and not undone.  Raises OSError and UnsafePath."""
    return next(reversed(all_kept(paths)), None)


def _read(place: Path, by_editor: bool) -> Kept | None:
    with private_file(place, "r+b") as file:
        content = file.read()
    try:
        body: dict[str, Any] = json.loads(content)
        changes = tuple(
            Change(_text(row["path"]), _text(row["before"]), _text(row["after"]))
            for row in body["files"]
        )
        exchange, digest, folder = (_text(body[name]) for name in ("exchange", "digest", "folder"))
        return Kept(place, exchange, digest, Path(folder), changes, by_editor)
    except (ValueError, KeyError, TypeError, RecursionError):
        # A crash while it was kept: nothing of it had been written yet.
        return None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


@contextmanager
def held(paths: Paths) -> Generator[None]:
    """One process at a time applies, undoes, or looks at what another one left.

    Raises OSError and UnsafePath.
    """
    descriptor = os.open(private_directory(paths.undo), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def write(folder: Path, changes: Sequence[Change], force: bool = False) -> None:
    """Every file as it is after, each at once and whole.

    Raises Elsewhere and, where a file is not as it was before, Changed before anything is
    written, and OSError; what was written until then stays, and `revert` undoes it.
    """
    for one in changes:
        # Also by `..`, and by a directory that became a link since.
        place = folder / one.path
        if place.resolve() != place or not place.is_relative_to(folder):
            raise Elsewhere(f"{one.path} leads out of {folder}; nothing was written")
    for one in changes:
        if not force and content(folder, one.path) not in (one.before, one.after):
            raise Changed(f"{one.path} changed meanwhile")
    for one in changes:
        _replace(folder / one.path, one.after)


def sweep(kept: Kept) -> None:
    """Take away what a kill in the middle of writing a file has left beside it."""
    for one in kept.changes:
        place = kept.folder / one.path
        if place.resolve() == place and place.is_relative_to(kept.folder):
            with suppress(OSError):
                _fresh(place).unlink()


def content(folder: Path, path: str) -> str | None:
    """The text of a file; None where it is gone or no text."""
    try:
        return (folder / path).read_bytes().decode()
    except (OSError, UnicodeDecodeError):
        return None


def _replace(path: Path, text: str) -> None:
    """The file has this text, or the one that it had; its mode stays."""
    found = os.lstat(path)
    if not stat.S_ISREG(found.st_mode):
        raise UnsafePath(f"{path} is no regular file any more")
    fresh = _fresh(path)
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(text.encode())
            os.fchmod(file.fileno(), stat.S_IMODE(found.st_mode))
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except BaseException:
        fresh.unlink()
        raise


def _fresh(path: Path) -> Path:
    # A name has 255 bytes at most, and a character up to four.
    return path.with_name(f".{path.name[:60]}.{FRESH}")
