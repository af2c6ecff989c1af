"""Anchors: a log's checkpoint copied to where its writer cannot quietly change it.

A directory (another disk, a mounted share, an object-lock bucket) or a git repository; for
a repository `git` does the carrying.
"""

import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .errors import AuditError
from .files import Disk, replace
from .note import Checkpoint, unverified

GIT = ("git", "-c", "user.name=wicket", "-c", "user.email=wicket@localhost")
GIT_SECONDS = 60


class NotAnchored(AuditError):
    """The copy was not made; the log itself is unharmed."""


@dataclass(frozen=True, slots=True)
class Anchored:
    kind: str
    place: str
    checkpoint: Checkpoint


def anchor(directory: Path, place: str, clones: Path) -> Anchored:
    """Copy the checkpoint of the log in `directory` to `place`, and beside the log.

    A bare repository, and a `place` that is no directory, is a git remote: it is cloned
    into `clones`.
    Raises NotAnchored, BadNote, OSError.
    """
    note = (directory / "checkpoint").read_bytes()
    checkpoint = unverified(note)
    name = f"{directory.name}/{checkpoint.size:012}.note"
    target = Path(place)
    bare = (target / "HEAD").is_file()
    kind = "git" if bare or not target.is_dir() or (target / ".git").exists() else "directory"
    if bare or not target.is_dir():
        target = _clone(str(target.absolute()) if bare else place, clones)
    _write(target / name, note)
    if kind == "git":
        _commit(target, name)
    _write(directory / "anchors" / f"{checkpoint.size:012}.note", note)
    return Anchored(kind, _without_credentials(place), checkpoint)


def _write(path: Path, note: bytes) -> None:
    if path.exists() and path.read_bytes() != note:
        raise NotAnchored(f"{path} holds another checkpoint of the same size: a forked log?")
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace(Disk(), str(path), note)


def _clone(remote: str, clones: Path) -> Path:
    target = clones / f"anchor-{hashlib.sha256(remote.encode()).hexdigest()[:16]}"
    if not target.exists():
        clones.mkdir(parents=True, exist_ok=True, mode=0o700)
        _git(clones, "clone", "--quiet", "--depth", "1", "--", remote, str(target))
    return target


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


def _without_credentials(place: str) -> str:
    scheme, mark, rest = place.partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}" if mark else place
