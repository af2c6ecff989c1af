"""Start, find and stop the processes that all editors of a user share.

The socket's name says what must match (version, model, context), so that a wrong engine is
never met.  Beside it lies a lock file, held from before a process is spawned until that
process ends: who has the lock may spawn, and who has not waits for the socket.  Whatever
crashes, the kernel frees the lock, and two engines never stand behind one name.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from .. import __version__
from ..completion.client import EngineGone, Streams
from ..completion.wire import LINE_LIMIT
from .paths import UnsafePath, private_directory, private_file

# A process that does not listen by then is not coming; an overloaded machine was seen to
# need more than ten seconds.
START_SECONDS = 30.0
# Pauses before starts that follow a crash; three crashes in CRASH_SECONDS end it.
BACK_OFF = (0.5, 2.0, 8.0)
CRASH_SECONDS = 60.0
# A log that has grown past this is put aside at the next start.
LOG_BYTES = 1_000_000
# What a shared process may know of the environment that started it.
ENVIRONMENT = ("PATH", "HOME", "LANG", "TZ", "TMPDIR")
ENVIRONMENT_PREFIXES = ("LC_", "XDG_")


def socket_name(process: str, *matching: str) -> str:
    """`engine-<12 hex>.sock` for the values that both sides must agree on."""
    text = "\0".join((__version__, *matching))
    return f"{process}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.sock"


def command(process: str, *arguments: str) -> list[str]:
    """How one of our processes is started: isolated, so that no PYTHONPATH is obeyed."""
    return [sys.executable, "-I", "-m", "wicket.server", process, *arguments]


class Child(Protocol):
    """A process that was started; `returncode` is what the latest `poll` found."""

    returncode: int | None

    def poll(self) -> int | None: ...


def spawn(
    argv: Sequence[str], log: BinaryIO, lock: BinaryIO, told: str = ""
) -> subprocess.Popen[bytes]:
    """Start a process away from us; it holds `lock` from here on, to its end.

    It reads `told` as its standard input.  Raises OSError.
    """
    child = subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        start_new_session=True,
        env=environment(os.environ),
        cwd="/",
        pass_fds=(lock.fileno(),),
    )
    assert child.stdin is not None, "it was asked for"
    with contextlib.suppress(BrokenPipeError), child.stdin as said:
        said.write(told.encode())
    return child


# A command line, the log for its output, the lock that it is to hold, and what it is told.
Spawn = Callable[[Sequence[str], BinaryIO, BinaryIO, str], Child]


@dataclass(slots=True)
class Starter:
    """Connects to a process, starting it where it does not run.

    `told` is what the process reads as its standard input: argv can be seen by everybody.
    `crashes` holds the times of its latest deaths; after three in a minute it stays off
    until `forgive`.  `spawn` is another one where we may start nothing ourselves.
    """

    path: Path
    argv: Sequence[str]
    log: Path
    told: str = ""
    crashes: list[float] = field(default_factory=list[float])
    spawn: Spawn = spawn
    _child: Child | None = None
    _connected_before: bool = False
    # `ahead` runs in a thread beside the event loop that calls `connect`.
    _spawning: threading.Lock = field(default_factory=threading.Lock)

    @property
    def name(self) -> str:
        """Which process: `engine` of `engine-0123456789ab.sock`."""
        return self.path.name.partition("-")[0]

    def ahead(self) -> None:
        """Start the process now, if it does not run, without waiting for it.

        Raises EngineGone where it cannot be started.  `connect` goes on from here.
        """
        if not _listens(self.path):
            self._spawn()

    async def connect(self) -> Streams:
        """Streams to the process.  Raises EngineGone with the reason."""
        with contextlib.suppress(OSError):
            return await self._open()
        self.note_loss()
        self._refuse_while_crashing()
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            # Whoever holds the lock is starting it, or it runs by now.
            with contextlib.suppress(OSError):
                return await self._open()
            self._spawn()
            if self._child is not None and self._child.poll() is not None:
                code, self._child = self._child.returncode or 0, None
                self.crashes.append(time.monotonic())
                why = f"the {self.name} ended at start ({_ending(code)}); see {self.log}"
                raise EngineGone(why)
            await asyncio.sleep(0.01)
        raise EngineGone(f"the {self.name} is still starting after {START_SECONDS:.0f} s")

    def forgive(self) -> None:
        """The user acted: crashes so far no longer count."""
        self.crashes.clear()

    def pause(self) -> float:
        """Seconds until the next start is due; infinite after too many crashes."""
        now = time.monotonic()
        self.crashes = [when for when in self.crashes if now - when < CRASH_SECONDS]
        if not self.crashes:
            return 0.0
        if len(self.crashes) >= len(BACK_OFF):
            return float("inf")
        due = self.crashes[-1] + BACK_OFF[len(self.crashes) - 1]
        return max(0.0, due - now)

    async def _open(self) -> Streams:
        streams = await asyncio.open_unix_connection(self.path, limit=LINE_LIMIT)
        if not same_user(streams[1].get_extra_info("socket")):
            streams[1].close()
            raise EngineGone(f"{self.path} belongs to another user")
        self._connected_before = True
        return streams

    @property
    def left(self) -> bool:
        """Whether it went on purpose: then it took its socket away, a crash leaves it."""
        return not self.path.exists()

    def note_loss(self) -> None:
        """The connection has ended: unless the process left on purpose, it crashed."""
        if not self._connected_before:
            return
        self._child, self._connected_before = None, False
        if self.left:
            return
        self.crashes.append(time.monotonic())

    def _refuse_while_crashing(self) -> None:
        pause = self.pause()
        if pause == float("inf"):
            raise EngineGone(
                f"the {self.name} crashed {len(self.crashes)} times in a minute and stays off; "
                f"see {self.log}, then restart the editor's language server"
            )
        if pause > 0:
            raise EngineGone(f"the {self.name} crashed; next start in {pause:.1f} s")

    def _spawn(self) -> None:
        """Spawn the process unless we did or somebody holds the lock."""
        with self._spawning:
            if self._child is not None or (lock := try_lock(self.path)) is None:
                return
            # We have the lock, so nobody listens there any more.
            self.path.unlink(missing_ok=True)
            try:
                with lock, self._open_log() as log:
                    self._child = self.spawn(self.argv, log, lock, self.told)
            except OSError as error:
                raise EngineGone(f"the {self.name} cannot be started: {error.strerror}") from None
            # Earlier children that have ended since are reaped here.
            _children[:] = [child for child in _children if child.poll() is None]
            _children.append(self._child)

    def _open_log(self) -> BinaryIO:
        try:
            private_directory(self.log.parent.parent)
            self.log.parent.mkdir(exist_ok=True, mode=0o700)
            if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
                self.log.replace(self.log.with_suffix(".log.1"))
            return private_file(self.log)
        except (OSError, UnsafePath):
            # A full disk or a read-only home must not keep the engine from starting.
            return open(os.devnull, "ab")


# What this process started: kept, because a child forgotten while it runs stays a zombie.
_children: list[Child] = []


def own_environment() -> dict[str, str]:
    """The allowed part of this process's environment."""
    return environment(os.environ)


def environment(of: Mapping[str, str]) -> dict[str, str]:
    """The allowed part of an environment."""
    return {
        name: value
        for name, value in of.items()
        if name in ENVIRONMENT or name.startswith(ENVIRONMENT_PREFIXES)
    }


def bind(path: Path) -> socket.socket:
    """A listening socket that only this user can reach."""
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        listening.bind(str(path))
    finally:
        os.umask(before)
    listening.listen(64)
    return listening


def same_user(sock: socket.socket) -> bool:
    """Whether the other end runs as this user (SO_PEERCRED: pid, uid, gid)."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True  # The directory's mode is the guard where the kernel does not tell.
    peer = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return struct.unpack("3i", peer)[1] == os.getuid()


@dataclass(frozen=True, slots=True)
class Running:
    """A process of ours found by its socket."""

    process: str
    pid: int
    path: Path


def running(directory: Path) -> list[Running]:
    """Every process that listens in `directory`; stale sockets are passed over."""
    found: list[Running] = []
    for path in sorted(directory.glob("*.sock")):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(1.0)
            try:
                sock.connect(str(path))
                peer = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
            except OSError:
                continue
            pid = struct.unpack("3i", peer)[0]
            found.append(Running(path.name.split("-")[0], pid, path))
    return found


def stop(process: Running, seconds: float = 5.0) -> bool:
    """Ask a process to end, then make it; whether it is gone."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            # Looked at by its number: a hung process listens, but answers nobody.
            if not _runs(process.pid):
                return True
            time.sleep(0.02)
    return False


def _runs(pid: int) -> bool:
    """Whether a process exists and has not ended; a zombie has ended."""
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    return True


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(1.0)
        try:
            sock.connect(str(path))
        except OSError:
            return False
        return True


def try_lock(path: Path) -> BinaryIO | None:
    """The open lock file of a socket while we hold it; None while somebody else does.

    Raises EngineGone where there cannot be a lock file.
    """
    try:
        file = private_file(Path(f"{path}.lock"))
    except (OSError, UnsafePath) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise EngineGone(f"cannot write {path}.lock: {reason}") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    with contextlib.suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"
