"""Standard input and output as message bodies; the parent process as a thing to outlive.

Reading and writing have threads of their own: a large message or an editor that does not
read stops nobody, and a thread that still waits for input keeps no process alive.
"""

import asyncio
import contextlib
import os
import queue
import re
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import BinaryIO

# A message beyond this is a broken header; no editor sends a quarter of a gigabyte.
LARGEST_BODY = 1 << 28
# Lines that are no header are read in pieces, so that they cannot fill the memory.
LONGEST_HEADER = 1 << 13
# Searched anywhere in a line: after a wrong length a header follows on the rest of a body.
CONTENT_LENGTH = re.compile(rb"content-length:\s*(\d{1,12})\s*$", re.IGNORECASE)
# How often the parent is looked at.
WATCH_SECONDS = 1.0


def claim() -> tuple[BinaryIO, BinaryIO]:
    """Take standard input and output for the protocol alone.

    From then on `print` and descriptor 1 of this process and its children are stderr, and
    reading standard input finds its end.
    """
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return incoming, outgoing


def bodies(stream: BinaryIO) -> Iterator[bytes]:
    """Message bodies until the end of `stream`; b"" for one that cannot be taken.

    Never raises on bad framing: what is no header is passed over up to the next one.
    """
    size = None
    while line := stream.readline(LONGEST_HEADER):
        if found := CONTENT_LENGTH.search(line):
            size = int(found[1])
        elif size is not None and not line.strip():
            body = stream.read(size) if size <= LARGEST_BODY else b""
            if len(body) < size <= LARGEST_BODY:
                return
            yield body
            size = None


class Inbox:
    """Hands bodies to `take` on the event loop, in order, and calls `ended` after the last.

    The loop is told that there is a body, not which: debugging output of asyncio shows the
    arguments of callbacks.
    """

    def __init__(
        self,
        stream: BinaryIO,
        take: Callable[[bytes], None],
        ended: Callable[[], None],
    ) -> None:
        self._stream, self._take, self._ended = stream, take, ended
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[bytes] = deque()
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    def _read(self) -> None:
        # RuntimeError: the loop has closed, so nobody waits any more.
        with contextlib.suppress(RuntimeError):
            with contextlib.suppress(OSError):
                for body in bodies(self._stream):
                    self._waiting.append(body)
                    self._loop.call_soon_threadsafe(self._deliver)
            self._loop.call_soon_threadsafe(self._ended)

    def _deliver(self) -> None:
        self._take(self._waiting.popleft())


class Outbox:
    """Writes in order; calls `lost` on the event loop when nobody reads any more."""

    def __init__(self, stream: BinaryIO, lost: Callable[[], None]) -> None:
        self._stream, self._lost = stream, lost
        self._loop = asyncio.get_running_loop()
        self._waiting: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="stdout", daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> None:
        self._waiting.put(data)

    def close(self, seconds: float = 0.0) -> None:
        """Wait until all is written, but not longer than `seconds`."""
        self._waiting.put(None)
        self._thread.join(seconds)

    def _write(self) -> None:
        try:
            while (data := self._waiting.get()) is not None:
                self._stream.write(data)
                self._stream.flush()
        except OSError:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._lost)


def alive(pid: int) -> bool:
    """Whether a process exists, ours or not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def watchable(pid: int | None) -> bool:
    """Whether the end of `pid` would mean that our editor is gone.

    A process that cannot be seen from the start lives in another container, and one's own
    number is what a client sends that does not know its own.
    """
    if pid is None or not 0 < pid < 1 << 31 or pid == os.getpid():
        return False
    return alive(pid)


async def outlive(pid: int, gone: Callable[[], None]) -> None:
    """Call `gone` when `pid` has ended."""
    while alive(pid):
        await asyncio.sleep(WATCH_SECONDS)
    gone()
