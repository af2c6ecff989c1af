"""Which files git counts to a folder, asked so that nothing the folder brings is run.

A repository's own configuration may name programs: a file system monitor, hooks, filters,
transports.  Only `ls-files` and `ls-tree` are asked, which compare no content and need no filter;
what it could start is switched off, and what it could ask of a person is refused.
"""

import contextlib
import hashlib
import os
import resource
import selectors
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

# Until then even a repository of 80,000 files has been listed many times over.
SECONDS = 20.0
# Address space of one git; a million untracked files were measured to need a third of it.
MEMORY_BYTES = 1 << 30
# Submodules of submodules, and how many of them.
DEPTH = 4
SUBMODULES = 100

_COMMAND = (
    "git",
    "--no-pager",
    "--literal-pathspecs",
    # Said on the command line, these win over what the repository says.
    *("-c", "core.fsmonitor=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "protocol.allow=never"),
    *("-c", "safe.bareRepository=explicit"),
    *("-c", "credential.helper="),
)
_ENVIRONMENT = {
    "LC_ALL": "C",
    "GIT_OPTIONAL_LOCKS": "0",
    # The indexing process may not read it, and nothing in it matters here.
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "/bin/false",
    "SSH_ASKPASS": "/bin/false",
    # A sparse index could want a directory from a remote.
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
}
# All that git gets of ours; no GIT_* among them.
_KEPT = ("PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR")

_LINK, _SUBMODULE = b"120000", b"160000"


class NoGit(Exception):
    """Git cannot list this folder: one line that says why."""


class Listing(NamedTuple):
    """Paths relative to the folder; `whole` is false where there were more."""

    paths: list[str]
    whole: bool


def list_files(folder: Path, most: int, only: Sequence[str] = ()) -> Listing:
    """Tracked files first, then others that are not ignored; of submodules, too.

    With `only`, those of these paths (files or directories) that count.  No path leads
    through `..`, but one may lead through a symbolic link.

    Raises NoGit, also where git counts nothing at all to the folder.
    """
    deadline = time.monotonic() + SECONDS
    paths: dict[str, None] = {}
    # A folder below, its depth, and what is wanted of it.
    folders = [("", 0, tuple(only))]
    seen = 0
    for below, depth, wanted in folders:
        place = folder / below
        if below and not os.path.lexists(place / ".git"):
            continue  # Never checked out; git would look at the repository around it.
        tracked: list[bytes] = []
        try:
            for row in _rows(place, ("-s",), wanted, deadline, most + 1):
                mode, _tab, path = row.partition(b"\t")
                if mode.startswith(_SUBMODULE):
                    seen += 1
                    if depth < DEPTH and seen <= SUBMODULES:
                        inside = os.path.join(below, os.fsdecode(path))
                        folders.append((inside, depth + 1, ()))
                elif not mode.startswith(_LINK):
                    tracked.append(path)
            others = _rows(place, ("-o", "--exclude-standard"), wanted, deadline, most + 1)
            tracked += (path for path in others if not path.endswith(b"/"))
        except NoGit:
            if not below:
                raise
            continue
        for path in tracked:
            if len(paths) >= most:
                return Listing(list(paths), False)
            if b".." not in path.split(b"/"):
                paths[os.path.join(below, os.fsdecode(path))] = None
    if not paths and not only:
        # As for a project that lies in a home directory kept in git, which ignores it.
        raise NoGit(f"git counts no file to {folder}")
    return Listing(list(paths), True)


def is_committed(folder: Path, path: str, content: bytes) -> bool:
    """Whether the last commit holds a file of the folder with this very content.

    It is told by the hash, so that no filter of the repository's is run: what it would
    write otherwise than it is on the disk counts as not committed, line ends aside.

    Raises NoGit where the folder is in no repository, or that has no commit.
    """
    deadline = time.monotonic() + SECONDS
    rows = list(_rows(folder, ("HEAD",), (path,), deadline, 2, "ls-tree"))
    for row in rows:
        wanted = row.partition(b"\t")[0].split(b" ")[-1].decode()
        kind = hashlib.sha256 if len(wanted) == 64 else hashlib.sha1
        for text in (content, content.replace(b"\r\n", b"\n")):
            if kind(b"blob %d\0" % len(text) + text).hexdigest() == wanted:
                return True
    return False


def _rows(
    folder: Path,
    options: Sequence[str],
    wanted: Sequence[str],
    deadline: float,
    most: int,
    what: str = "ls-files",
) -> Iterator[bytes]:
    """What `git ls-files -z` prints, at most `most` rows of it.  Raises NoGit."""
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ} | _ENVIRONMENT
    command = [*_COMMAND, "-C", str(folder), what, "-z", *options, "--", *wanted]
    try:
        # Not from within the folder: `.` in PATH would mean its files.
        git = subprocess.Popen(
            command,
            cwd="/",
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError as error:
        raise NoGit(f"git cannot be started: {error.strerror}") from None
    with git:
        try:
            _limit_memory(git.pid)
            rest, count = b"", 0
            for piece in _pieces(git, deadline):
                *rows, rest = (rest + piece).split(b"\0")
                yield from rows[: most - count]
                count += len(rows)
                if count >= most:
                    return
            if git.wait(max(0.1, deadline - time.monotonic())) != 0:
                raise NoGit(f"git cannot list {folder} (exit code {git.returncode})")
        except subprocess.TimeoutExpired:
            raise NoGit(f"git did not list {folder} in {SECONDS:.0f} s") from None
        finally:
            git.kill()


def _pieces(git: subprocess.Popen[bytes], deadline: float) -> Iterator[bytes]:
    assert git.stdout
    with selectors.DefaultSelector() as selector:
        selector.register(git.stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                raise subprocess.TimeoutExpired("git", SECONDS)
            if not (piece := os.read(git.stdout.fileno(), 1 << 16)):
                return
            yield piece


def _limit_memory(pid: int) -> None:
    if hasattr(resource, "prlimit"):  # Linux
        with contextlib.suppress(OSError):
            resource.prlimit(pid, resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
