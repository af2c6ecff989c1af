"""Standard input and output as message bodies, and how a conversation over them ends.

Reading and writing have threads of their own: a large message or an editor that does
not read stops nobody, and a thread that still waits for input keeps no process alive.
"""

import asyncio
import contextlib
import itertools
import os
import queue
import re
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

from . import discreet

# A message beyond this is a broken header; no editor sends a quarter of a gigabyte.
LARGEST_BODY = 1 << 28
# Lines that are no header are read in pieces, so that they cannot fill the memory.
LONGEST_HEADER = 1 << 13
# Searched anywhere in a line: after a wrong length, the rest of a body comes before it.
CONTENT_LENGTH = re.compile(rb"content-length:\s*(\d{1,12})\s*$", re.IGNORECASE)
# How often the editor's process is looked at.
WATCH_SECONDS = 1.0
# Seconds from the order to stop: to an editor that reads late, and to everything else.
# VS Code kills two seconds after its order.
OUTPUT_SECONDS = 0.3
LEAVE_SECONDS = 1.5


# Told the first message before there are threads, so that limits can be set by it.
Heard = Callable[[bytes], None]


def nothing(_first: bytes) -> None:
    """A `Heard` that does not care."""


class Conversation(Protocol):
    """What is talked, as opposed to over what."""

    def begin(self, send: Callable[[bytes], None]) -> None:
        """From now on messages may come, and be sent."""

    def receive(self, body: bytes) -> None: ...

    def stop(self, code: int | None = None) -> None:
        """End soon, with `code` or one of its own; the first order counts."""

    async def stopped(self) -> int:
        """Wait for the order to stop; the exit code."""
        ...

    async def finish(self) -> None:
        """Answer what is open and end what runs, within a second."""


def run(talk: Conversation, client_process_id: int | None = None, heard: Heard = nothing) -> int:
    """Talk over standard input and output until the end is ordered; the exit code.

    The process itself is gone `LEAVE_SECONDS` after that, whatever still runs in it.  A
    client process that is given is outlived by `WATCH_SECONDS` at most.
    """
    incoming, outgoing = claim()
    messages = bodies(incoming)
    first = list(itertools.islice(messages, 1))
    heard(first[0] if first else b"")
    with asyncio.Runner() as runner:
        messages = itertools.chain(first, messages)
        return runner.run(_run(talk, messages, outgoing, client_process_id))


async def _run(
    talk: Conversation, incoming: Iterator[bytes], outgoing: BinaryIO, pid: int | None
) -> int:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(discreet.in_loop)
    loop.add_signal_handler(signal.SIGINT, talk.stop, 130)
    loop.add_signal_handler(signal.SIGTERM, talk.stop)
    outbox = Outbox(outgoing, talk.stop)
    talk.begin(outbox.write)
    Inbox(incoming, talk.receive, talk.stop)
    watch = asyncio.ensure_future(outlive(pid, talk.stop))
    code = await talk.stopped()
    threading.Thread(target=_leave, args=(code,), daemon=True).start()
    watch.cancel()
    await talk.finish()
    outbox.close(OUTPUT_SECONDS)
    return code


def _leave(code: int) -> None:
    time.sleep(LEAVE_SECONDS)
    os._exit(code)


def claim() -> tuple[BinaryIO, BinaryIO]:
    """Take standard input and output for the protocol alone.

    From then on `print`, descriptor 1 and child processes write to stderr, and whoever
    reads standard input finds its end.
    """
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return incoming, outgoing


def bodies(stream: BinaryIO) -> Iterator[bytes]:
    """Message bodies until the end of `stream`; b"" for one that is too large.

    Never raises on bad framing: what is no header is passed over up to the next one.
    """
    size = None
    while line := stream.readline(LONGEST_HEADER):
        if found := CONTENT_LENGTH.search(line):
            size = int(found[1])
        elif size is not None and not line.strip():
            wanted = size if size <= LARGEST_BODY else 0
            body, size = stream.read(wanted), None
            if len(body) < wanted:
                return
            yield body


class Inbox:
    """Hands messages to `take` on the event loop, in order, and calls `ended` at the end.

    The loop is told that there is a body, not which: in debug mode asyncio logs the
    arguments of slow callbacks.
    """

    def __init__(
        self,
        messages: Iterator[bytes],
        take: Callable[[bytes], None],
        ended: Callable[[], None],
    ) -> None:
        self._messages, self._take, self._ended = messages, take, ended
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[bytes] = deque()
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    def _read(self) -> None:
        # RuntimeError: the loop is closed, nobody waits any more.
        with contextlib.suppress(RuntimeError):
            with contextlib.suppress(OSError):
                for body in self._messages:
                    self._waiting.append(body)
                    self._loop.call_soon_threadsafe(self._deliver)
            self._loop.call_soon_threadsafe(self._ended)

    def _deliver(self) -> None:
        self._take(self._waiting.popleft())


class Outbox:
    """Frames and writes bodies in order; calls `lost` when nobody reads any more."""

    def __init__(self, stream: BinaryIO, lost: Callable[[], None]) -> None:
        self._stream, self._lost = stream, lost
        self._loop = asyncio.get_running_loop()
        self._waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="stdout", daemon=True)
        self._thread.start()

    def write(self, body: bytes) -> None:
        self._waiting.put(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    def close(self, seconds: float) -> None:
        """Wait until all is written, but not longer than `seconds`."""
        self._waiting.put(None)
        self._thread.join(seconds)

    def _write(self) -> None:
        try:
            while (message := self._waiting.get()) is not None:
                self._stream.write(message)
                self._stream.flush()
        except OSError:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._lost)


async def outlive(pid: int | None, gone: Callable[[], None]) -> None:
    """Call `gone` when the editor's process has ended.

    Never for our own number, which clients send that do not know theirs, nor for one
    that cannot be seen from the start: then the editor lives in another container.
    """
    if pid is None or not 0 < pid < 1 << 31 or pid == os.getpid() or not alive(pid):
        return
    try:
        process = os.pidfd_open(pid)
    except (AttributeError, OSError):  # Only Linux can tell without being asked.
        while alive(pid):  # noqa: ASYNC110
            await asyncio.sleep(WATCH_SECONDS)
    else:
        await _readable(process)
    gone()


async def _readable(process: int) -> None:
    """Wait until the process behind a descriptor has ended; closes the descriptor."""
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(process, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(process)
        os.close(process)


def alive(pid: int) -> bool:
    """Whether a process exists, ours or not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
