"""How the gate asks the hook of `[redaction] hook`: a command, or an HTTPS server.

The gate itself may start no program.  So a twin is split off before its limits are set; it
can do one thing, which is to run this one command with a question on its standard input.
"""

import asyncio
import os
import signal
import socket
import struct
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ..escalation.hook import LARGEST_ANSWER, Ask, Hook, HookFailed, over_http
from ..escalation.reach import Network
from . import launcher, processes
from .settings import RedactionSettings
from .settings_checks import command_of

# Length of what follows, number of the question; for an answer also how the command ended.
ASKED, ANSWERED = struct.Struct("!II"), struct.Struct("!IIi")
NOT_RUN = -1000


def place(said: RedactionSettings) -> tuple[str, int] | None:
    """Host and port of a hook that is a server, which the gate's limits have to let be."""
    if not said.hook or said.hook.startswith("command:"):
        return None
    url = urlsplit(said.hook)
    return url.hostname or "", url.port or (443 if url.scheme == "https" else 80)


def twin(said: RedactionSettings) -> socket.socket | None:
    """The process that runs the command, split off while there is one thread."""
    if not said.hook.startswith("command:"):
        return None
    argv, seconds = command_of(said.hook), float(said.hook_seconds)
    return launcher.split(lambda client: _serve(client, argv, seconds), socket.SOCK_STREAM)


def hook(
    said: RedactionSettings,
    runner: socket.socket | None,
    network: Network,
) -> Hook | None:
    """None where the settings name no hook."""
    if not said.hook:
        return None
    if runner is not None:
        ask: Ask = _Runner(runner).ask
    else:
        ask = over_http(said.hook, network)
    return Hook(ask, float(said.hook_seconds), said.hook_bytes)


@dataclass(slots=True)
class _Runner:
    """Our side of the twin: many questions at once, answered in any order."""

    twin: socket.socket
    _waiting: dict[int, asyncio.Future[tuple[int, bytes]]] = field(
        default_factory=dict[int, asyncio.Future[tuple[int, bytes]]]
    )
    _opened: asyncio.Future[asyncio.StreamWriter] = field(init=False)
    _reading: asyncio.Task[None] | None = None
    _count: int = 0

    async def ask(self, question: bytes) -> bytes:
        if self._reading is None:
            # Before anything is awaited, as two may ask for the first time at once.
            self._opened = asyncio.get_running_loop().create_future()
            self._reading = asyncio.ensure_future(self._read())
        writer = await asyncio.shield(self._opened)
        self._count = number = (self._count + 1) % (1 << 32)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            writer.write(ASKED.pack(len(question), number) + question)
            await writer.drain()
            code, said = await answer
        except OSError:
            raise HookFailed("nobody is left who could run it") from None
        finally:
            self._waiting.pop(number, None)
        if code == NOT_RUN:
            raise HookFailed(f"it cannot be run: {said.decode('utf-8', 'replace')}")
        if code:
            raise HookFailed(f"it ended with code {code}")
        return said

    async def _read(self) -> None:
        reader, writer = await asyncio.open_connection(sock=self.twin)
        self._opened.set_result(writer)
        try:
            while True:
                length, number, code = ANSWERED.unpack(await reader.readexactly(ANSWERED.size))
                said = await reader.readexactly(length)
                if (answer := self._waiting.get(number)) is not None and not answer.done():
                    answer.set_result((code, said))
        except (OSError, asyncio.IncompleteReadError):
            for answer in self._waiting.values():
                if not answer.done():
                    answer.set_exception(OSError(0, "gone"))


def _serve(client: socket.socket, argv: Sequence[str], seconds: float) -> None:
    """In the twin: until the gate has gone."""
    writing = threading.Lock()
    stream = client.makefile("rb")
    while len(head := stream.read(ASKED.size)) == ASKED.size:
        length, number = ASKED.unpack(head)
        question = stream.read(length)

        def answer(number: int = number, question: bytes = question) -> None:
            code, said = _run(argv, question, seconds)
            with writing:
                client.sendall(ANSWERED.pack(len(said), number, code) + said)

        threading.Thread(target=answer, daemon=True).start()


def _run(argv: Sequence[str], question: bytes, seconds: float) -> tuple[int, bytes]:
    """No shell, an environment of our own, and the question on standard input alone."""
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=processes.own_environment(),
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        return NOT_RUN, (error.strerror or "").encode()
    try:
        said, _ = process.communicate(question, timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return NOT_RUN, b"it took too long"
    return process.returncode, said[: LARGEST_ANSWER + 1]
