"""What it takes to undo applied edits: the files before and after, kept for their user alone."""

import json
import os
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .change import Change
from .paths import Paths, UnsafePath, private_directory, private_file

# Further ones are forgotten, the oldest first.
KEPT = 20


class Changed(Exception):
    """A file is not what it should be before it is written; one line."""


class Elsewhere(UnsafePath):
    """A file lies, or a link leads, outside of the folder; nothing was written."""


@dataclass(frozen=True, slots=True)
class Applied:
    """An exchange whose changes were written to `folder`; `place` is where that is kept."""

    place: Path
    exchange: str
    digest: str
    folder: Path
    changes: tuple[Change, ...] = field(repr=False)


def keep(
    paths: Paths, exchange: str, digest: str, folder: Path, changes: Sequence[Change]
) -> Applied:
    """Before anything is written.  Raises OSError and UnsafePath."""
    place = private_directory(paths.undo) / f"{time.time_ns():020}-{exchange}.json"
    rows = [{"path": c.path, "before": c.before, "after": c.after} for c in changes]
    body = {"exchange": exchange, "digest": digest, "folder": str(folder), "files": rows}
    with private_file(place, "xb") as file:
        file.write(json.dumps(body).encode())
        os.fsync(file.fileno())
    for old in sorted(paths.undo.glob("*.json"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return Applied(place, exchange, digest, folder, tuple(changes))


def latest(paths: Paths) -> Applied | None:
    """The last one that was applied and not undone.  Raises OSError and UnsafePath."""
    return next(every(paths), None)


def every(paths: Paths) -> Iterator[Applied]:
    """All of them, the last one first.  Raises OSError and UnsafePath."""
    if not paths.undo.is_dir():
        return
    for place in sorted(private_directory(paths.undo).glob("*.json"), reverse=True):
        with private_file(place, "r+b") as file:
            content = file.read()
        try:
            body: dict[str, Any] = json.loads(content)
            rows = tuple(Change(r["path"], r["before"], r["after"]) for r in body["files"])
            yield Applied(place, body["exchange"], body["digest"], Path(body["folder"]), rows)
        except (ValueError, KeyError, TypeError):
            # A crash while it was kept: nothing of it had been written yet.
            continue


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
    descriptor, fresh = tempfile.mkstemp(prefix=f".{path.name[:80]}.", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:
            file.write(text.encode())
            os.fchmod(file.fileno(), stat.S_IMODE(found.st_mode))
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except BaseException:
        os.unlink(fresh)
        raise
