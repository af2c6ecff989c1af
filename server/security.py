"""`wicket doctor --security`: what the kernel holds each process to here, tried out.

Each row of `limits` is taken on by a child of ours, which then tries what it may not.
"""

import ctypes
import json
import os
import socket
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import limits, processes
from .limits import Level, Limits
from .paths import Paths, UnsafePath, socket_directory

FIX = "run Linux 6.7 or newer with landlock among its security modules (lsm=landlock,...)"


@dataclass(frozen=True, slots=True)
class Trial:
    """A level, and for each thing that was tried whether the kernel refused it."""

    level: Level
    refused: Mapping[str, bool]

    @property
    def ok(self) -> bool:
        return all(self.refused.values())

    @property
    def shown(self) -> str:
        tries = [f"{what} {'refused' if no else 'POSSIBLE'}" for what, no in self.refused.items()]
        return "; ".join([f"{self.level.shown}: {', '.join(tries)}", *self.level.lacks])


def trials(paths: Paths) -> Iterator[Trial]:
    """One for each kind of process.  To be called while there is one thread."""
    sockets = paths.state / "run"
    rows = (
        limits.lsp(paths, sockets, [], []),
        limits.index([], [paths.cache / "index"]),
        limits.engine(paths, sockets, (), ()),
        limits.gate(paths, sockets, paths.state / "audit", [443]),
    )
    with tempfile.TemporaryDirectory(prefix="wicket-") as folder:
        outside = Path(folder) / "outside"
        outside.write_text("seen")
        for row in rows:
            yield tried(row, outside)


def tried(row: Limits, outside: Path) -> Trial:
    """Have a child take on `row` and try to get at what that leaves out."""
    reading, writing = os.pipe()
    if (pid := os.fork()) == 0:
        try:
            level = limits.apply(row)
            said = [level.landlock, level.seccomp, level.lacks, _tries(row, outside)]
            os.write(writing, json.dumps(said).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading, "rb") as answer:
        said = answer.read()
    os.waitpid(pid, 0)
    if not said:
        return Trial(Level(row.process, lacks=("the trial itself ended early",)), {"all": False})
    version, filtered, lacks, refused = json.loads(said)
    return Trial(Level(row.process, version, filtered, tuple(lacks)), refused)


def _tries(row: Limits, outside: Path) -> dict[str, bool]:
    """Native calls: Python's own would be stopped by the audit hook already."""
    libc = ctypes.CDLL(None, use_errno=True)
    refused = {
        "reading elsewhere": libc.open(bytes(outside), os.O_RDONLY) < 0,
        "writing elsewhere": libc.open(bytes(outside), os.O_WRONLY) < 0,
    }
    if row.ports:
        # Nobody listens on port 1; the kernel's refusal is another error than that.
        sock = libc.socket(socket.AF_INET, socket.SOCK_STREAM, 0)
        place = bytes((socket.AF_INET, 0, 0, 1, 127, 0, 0, 1)).ljust(16, b"\0")
        failed = libc.connect(sock, place, len(place)) < 0
        refused["other TCP ports"] = failed and ctypes.get_errno() == 13  # EACCES
    else:
        refused["network sockets"] = libc.socket(socket.AF_INET, socket.SOCK_STREAM, 0) < 0
    if not row.runs:
        refused["programs"] = _cannot_run(libc)
    return refused


def _cannot_run(libc: ctypes.CDLL) -> bool:
    """`execve` only comes back where it failed."""
    if (pid := os.fork()) == 0:
        arguments = (ctypes.c_char_p * 4)(b"sh", b"-c", b"exit 0", None)
        libc.execv(b"/bin/sh", arguments)
        os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 99


def unlimited(paths: Paths) -> list[processes.Running]:
    """The running processes of ours that no seccomp filter holds (Linux)."""
    try:
        found = processes.running(socket_directory(paths))
    except UnsafePath:
        return []
    return [process for process in found if not _filtered(process.pid)]


def _filtered(pid: int) -> bool:
    try:
        return "\nSeccomp:\t2\n" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True  # It left meanwhile.
