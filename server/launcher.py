"""Start our own processes for one that has limited itself.

What a process starts inherits its limits, and an engine needs other ones than the language
server.  So `fork` splits off a small twin before the limits are set: it has no document, it
reads no message of an editor, and all it does is to start what `permitted` lets pass.  It
leaves when its only client has gone.
"""

import array
import contextlib
import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from . import processes

# A request is a command line; the longest holds the description of a model.
LONGEST = 1 << 16
# What may be started, and with how many words: a process that is told everything in one
# value, or, where others may not see it, on its standard input.
STARTED = {"engine --started": 2, "gate --started": 3, "index --started": 3, "audit anchor": 2}


def permitted(argv: Sequence[str]) -> bool:
    """Whether this is one of our own processes, and none of its other verbs."""
    ours = processes.command("")[:-1]
    mine, rest = list(argv[: len(ours)]), argv[len(ours) :]
    return mine == ours and STARTED.get(" ".join(rest[:2])) == len(rest)


@dataclass(slots=True)
class Started:
    """A process that the launcher started, as `subprocess.Popen` would show it."""

    pid: int
    launcher: "Launcher"
    returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None:
            try:
                self.returncode = self.launcher.ask({"do": "poll", "pid": self.pid})["code"]
            except OSError:
                self.returncode = 1  # Nobody is left who could tell.
        return self.returncode


class Launcher:
    """Our side of the twin.  Raises OSError where it has gone or refuses."""

    def __init__(self, twin: socket.socket) -> None:
        self._twin = twin
        self._asking = threading.Lock()

    def spawn(self, argv: Sequence[str], log: BinaryIO, lock: BinaryIO, told: str = "") -> Started:
        """Like `processes.spawn`."""
        request = {"do": "start", "argv": list(argv), "told": told}
        answer = self.ask(request, log.fileno(), lock.fileno())
        return Started(answer["pid"], self)

    def ask(self, request: dict[str, Any], *descriptors: int) -> dict[str, Any]:
        body = json.dumps(request).encode()
        if len(body) > LONGEST:
            raise OSError(0, "the command line is too long")
        with self._asking:
            socket.send_fds(self._twin, [body], descriptors)
            said = self._twin.recv(LONGEST)
        if not said:
            raise OSError(0, "the launcher has gone")
        answer = cast(dict[str, Any], json.loads(said))
        if why := answer.get("error"):
            raise OSError(0, why)
        return answer


def fork(ahead: Callable[[], None]) -> Launcher:
    """Split off the twin, which calls `ahead` in a thread beside its work.

    To be called while there is one thread.  The twin never returns.  Raises OSError.
    """

    def serve(client: socket.socket) -> None:
        threading.Thread(target=ahead, daemon=True).start()
        _serve(client)

    return Launcher(split(serve))


def split(
    serve: Callable[[socket.socket], None], kind: int = socket.SOCK_SEQPACKET
) -> socket.socket:
    """Split off a twin that does nothing but `serve` the socket whose other end is returned.

    To be called while there is one thread.  The twin never returns.  Raises OSError.
    """
    ours, twins = socket.socketpair(socket.AF_UNIX, kind)
    if os.fork():
        twins.close()
        return ours
    ours.close()
    code = 1
    # Whatever happens, this copy must never go on as a language server.
    try:
        _settle(twins.fileno())
        serve(twins)
        code = 0
    finally:
        os._exit(code)


def _settle(kept: int) -> None:
    """Let go of the editor: its pipes, its terminal, its signals."""
    os.closerange(3, kept)
    os.closerange(kept + 1, max(kept + 1, os.sysconf("SC_OPEN_MAX")))
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _serve(client: socket.socket) -> None:
    children: dict[int, subprocess.Popen[bytes]] = {}
    room = socket.CMSG_SPACE(2 * array.array("i").itemsize)
    while True:
        body, extra, _flags, _address = client.recvmsg(LONGEST, room)
        if not body:
            return
        descriptors = _received(extra)
        try:
            answer = _obey(json.loads(body), descriptors, children)
        except Exception as error:  # A limited process may say anything.
            answer = {"error": getattr(error, "strerror", None) or type(error).__name__}
        for descriptor in descriptors:
            os.close(descriptor)
        client.send(json.dumps(answer).encode())


def _obey(
    request: dict[str, Any], descriptors: list[int], children: dict[int, subprocess.Popen[bytes]]
) -> dict[str, Any]:
    # Those that have ended are reaped, asked for or not.
    codes = {pid: child.poll() for pid, child in children.items()}
    if request["do"] == "poll":
        return {"code": codes[request["pid"]]}
    argv: list[str] = request["argv"]
    if not permitted(argv):
        return {"error": "this command may not be started"}
    log, lock = descriptors
    with contextlib.ExitStack() as opened:
        output, held = (opened.enter_context(open(os.dup(fd), "ab")) for fd in (log, lock))
        child = processes.spawn(argv, output, held, request["told"])
    for pid, code in codes.items():
        if code is not None:
            del children[pid]
    children[child.pid] = child
    return {"pid": child.pid}


def _received(extra: list[tuple[int, int, bytes]]) -> list[int]:
    found = array.array("i")
    for level, kind, data in extra:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return list(found)
