"""Anchors: a log's checkpoint copied to where its writer cannot quietly change it.

A directory (another disk, a mounted share, an object-lock bucket) or a git repository; for
a repository `git` does the carrying.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .errors import AuditError
from .files import Disk, replace
from .note import Checkpoint, unverified
from .reading import backwards

GIT = ("git", "-c", "user.name=wicket", "-c", "user.email=wicket@localhost")
GIT_SECONDS = 60
# Another machine may push between our fetch and our push; so often, and no more.
PUSHES = 4


class NotAnchored(AuditError):
    """The copy was not made; the log itself is unharmed."""


@dataclass(frozen=True, slots=True)
class Anchored:
    kind: str
    place: str
    checkpoint: Checkpoint


def anchor(directory: Path, place: str, clones: Path) -> Anchored:
    """Copy the checkpoint of the log in `directory` to `place`, and beside the log.

    A bare repository, and a `place` that is no directory, is a git remote: a clone of it is
    kept in `clones`.  Several logs may share one.
    Raises NotAnchored, BadNote, OSError.
    """
    note = (directory / "checkpoint").read_bytes()
    checkpoint = unverified(note)
    name = f"{directory.name}/{checkpoint.size:012}.note"
    target = Path(place)
    bare = (target / "HEAD").is_file()
    kind = "git" if bare or not target.is_dir() or (target / ".git").exists() else "directory"
    if bare or not target.is_dir():
        _push(str(target.absolute()) if bare else place, clones, name, note)
    else:
        _write(target / name, note)
        if kind == "git":
            _commit(target, name)
    _write(directory / "anchors" / f"{checkpoint.size:012}.note", note)
    return Anchored(kind, shown(place), checkpoint)


def last_reached(directory: Path, places: Collection[str], since: str) -> dict[str, str]:
    """When each of `places` was reached last, as records say that are not older than `since`.

    Reads the log from its end.  Raises NotALog, OSError.
    """
    found: dict[str, str] = {}
    for leaf in backwards(directory):
        if leaf.tail.ts < since or len(found) == len(places):
            break
        if leaf.tail.type == "anchor" and (place := leaf.data["place"]) in places:
            found.setdefault(place, leaf.tail.ts)
    return found


def _write(path: Path, note: bytes) -> None:
    if path.exists() and path.read_bytes() != note:
        raise NotAnchored(f"{path} holds another checkpoint of the same size: a forked log?")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace(Disk(), str(path), note)


def _push(remote: str, clones: Path, name: str, note: bytes) -> None:
    """Add the note to what the remote has; other logs may be anchored there meanwhile."""
    clone = clones / f"anchor-{hashlib.sha256(remote.encode()).hexdigest()[:16]}"
    clones.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(f"{clone}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (clone / ".git").is_dir():
            shutil.rmtree(clone, ignore_errors=True)
            _git(clones, "clone", "--quiet", "--", remote, str(clone))
        for _ in range(PUSHES):
            _follow(clone)
            _write(clone / name, note)
            with suppress(NotAnchored):
                _commit(clone, name)
                return
        _follow(clone)
        _write(clone / name, note)
        _commit(clone, name)


def _follow(clone: Path) -> None:
    """Take what the remote has; what we could not push is made anew."""
    _git(clone, "fetch", "--quiet", "origin")
    # An empty repository has no branch yet.
    if _git(clone, "branch", "--remotes", "--list", "origin/*"):
        _git(clone, "remote", "set-head", "origin", "--auto")
        _git(clone, "reset", "--quiet", "--hard", "origin/HEAD")


def _commit(repository: Path, name: str) -> None:
    _git(repository, "add", "--", name)
    if _git(repository, "status", "--porcelain", "--", name):
        _git(repository, "commit", "--quiet", "-m", f"anchor {name}", "--", name)
    if _git(repository, "remote"):
        _git(repository, "push", "--quiet", "origin", "HEAD")


def _git(folder: Path, *arguments: str) -> str:
    # No terminal: a question about a password must not hang a timer.
    environment = os.environ | {"GIT_TERMINAL_PROMPT": "0"}
    try:
        done = subprocess.run(
            [*GIT, "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            env=environment,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotAnchored(f"git {arguments[0]} does not work: {error}") from None
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise NotAnchored(f"git {arguments[0]}: {reason}")
    return done.stdout.strip()


def shown(place: str) -> str:
    """A place without what may be a password in its URL: so it stands in the log."""
    scheme, mark, rest = place.partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}" if mark else place
