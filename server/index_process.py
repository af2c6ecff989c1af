"""`wicket index` as editors start it: keeps one folder's index true while they need it.

A connection says what is open and what changed, one JSON object per line; it is told how
far a run is.  All connections gone and some time past, the process leaves.

    -> {"do": "open", "paths": [...]}      what the editor has open, most recent first
    -> {"do": "changed", "paths": [...]}   hints; {"do": "watching"}: the editor watches itself
    -> {"do": "refresh"}, told {"state": "asked", "look": 7} first | {"do": "cancel"}
    <- {"state": "indexing", "done": 120, "total": 4000} | {"state": "waiting"}
    <- {"state": "ready", "look": 7, "report": {...}} | {"state": "off", "reason": "..."}
"""

import asyncio
import contextlib
import json
import math
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from typing import Any

from ..completion.wire import LINE_LIMIT
from ..indexing import watch
from ..indexing.build import Cancelled, Progress, Report
from . import limits, processes
from .index import Busy, Index, IndexFailed, Order
from .paths import UnsafePath, private_directory

# A hint waits for others until none has come for so long, and never longer than that.
QUIET_SECONDS, PATIENCE_SECONDS = 0.08, 1.0
# More of them are one look at everything: a switch of branches, a build, a storm.
MANY_HINTS = 200
# Everything is looked at again after this time, hints or not; and where nothing gives
# hints, after that time or, if it is longer, so many times what the look takes.
AGAIN_SECONDS, POLL_SECONDS, POLL_TIMES = 600.0, 10.0, 20
# While another process has the lock; after a failure at first.
RETRY_SECONDS = 5.0
# Between two versions of the text that the model-free tier searches.
TEXT_SECONDS = 5.0
IDLE_SECONDS = 120.0
# Told at most so often.
PROGRESS_SECONDS = 0.1


def run(order: Order, idle: float | None) -> int:
    """Serve until nobody has needed the index for `idle` seconds.  An exit code.

    The caller holds the lock of the socket, or was started by who gave it to us.
    """
    os.nice(10)
    os.umask(0o077)
    listening = processes.bind(order.socket)
    # A rule can only speak of what exists; what cannot be made is said when it is needed.
    with contextlib.suppress(UnsafePath):
        private_directory(order.directory)
    level = limits.apply(limits.index([order.root], [order.directory, order.socket.parent]))
    print(f"wicket index: {level.shown}", file=sys.stderr)
    keeper = Keeper(order)

    async def until_idle() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        seconds = IDLE_SECONDS if idle is None else idle
        await serve(keeper, listening, seconds, stop, partial(order.socket.unlink, missing_ok=True))

    asyncio.run(until_idle())
    return 0


async def serve(
    keeper: "Keeper",
    listening: socket.socket,
    idle_seconds: float,
    stop: asyncio.Event,
    leave: Callable[[], None],
) -> None:
    """`leave` is called before connections end, so that leaving is not taken for a crash."""
    loop = asyncio.get_running_loop()
    idle = loop.call_later(idle_seconds, stop.set)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal idle
        if not processes.same_user(writer.get_extra_info("socket")):
            writer.close()
            return
        idle.cancel()
        keeper.join(writer)
        try:
            while line := await reader.readline():
                with contextlib.suppress(ValueError, TypeError, AttributeError):
                    keeper.hear(writer, json.loads(line))
        except (ConnectionError, ValueError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            if keeper.leave(writer):
                idle = loop.call_later(idle_seconds, stop.set)

    server = await asyncio.start_unix_server(connected, sock=listening, limit=LINE_LIMIT)
    keeping = asyncio.ensure_future(keeper.keep())
    await stop.wait()
    leave()
    server.close()
    keeper.stop()
    await keeping


class Keeper:
    """Decides when to look at what, and tells who listens.

    One thread at a time works on the index, and beside it one writes the text; everything
    else happens on the event loop.
    """

    def __init__(self, order: Order, index: Callable[[Order], Index] = Index) -> None:
        self._order, self._made = order, index
        self._index: Index | None = None
        self._open: dict[asyncio.StreamWriter, list[str]] = {}
        self._watching: set[asyncio.StreamWriter] = set()
        self._hints: set[str] = set()
        # Something may have changed that no hint names.
        self._anything = True
        self._woken = asyncio.Event()
        self._cancelled = threading.Event()
        self._stopped = False
        self._stopping = asyncio.Event()
        self._told: dict[str, Any] = {"state": "waiting"}
        self._watch: watch.Watch | None = None
        self._retry_seconds = RETRY_SECONDS
        self._looks = 0
        # What the latest look at everything found and how long it took.
        self._report: Report | None = None
        self._looked_seconds = 0.0
        # When everything is looked at again, and when the text is to be written.
        self._again = self._text_due = 0.0
        self._writing: asyncio.Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def join(self, writer: asyncio.StreamWriter) -> None:
        self._open[writer] = []
        _tell(writer, self._told)

    def leave(self, writer: asyncio.StreamWriter) -> bool:
        """Whether it was the last one."""
        self._open.pop(writer, None)
        self._watching.discard(writer)
        return not self._open

    def hear(self, writer: asyncio.StreamWriter, said: dict[str, Any]) -> None:
        paths = [path for path in said.get("paths", ()) if isinstance(path, str)]
        match said.get("do"):
            case "open":
                self._open[writer] = paths
                if self._index:
                    self._index.interest.files = self._interest()
            case "changed":
                for path in paths:
                    self.hint(path)
            case "watching":
                self._watching.add(writer)
            case "refresh":
                self.hint(None)
                # A look that has begun already may have missed what was changed since.
                _tell(writer, {"state": "asked", "look": self._looks + 1})
            case "cancel":
                self._cancelled.set()
            case _:
                pass

    def hint(self, path: str | None) -> None:
        """A path may have changed; None: any may have."""
        self._anything = self._anything or path is None or len(self._hints) >= MANY_HINTS
        if path and path.isprintable() and not {"", ".", ".."} & set(path.split("/")):
            self._hints.add(path)
        self._woken.set()

    def stop(self) -> None:
        self._stopped = True
        self._cancelled.set()
        self._woken.set()
        self._stopping.set()

    async def keep(self) -> None:
        """Keep the index true until `stop`; what fails is told and tried again."""
        self._loop = asyncio.get_running_loop()
        while not self._stopped:
            try:
                if self._index is None:
                    self._index = self._made(self._order)
                    self._index.interest.files = self._interest()
                await self._look()
            except Busy as busy:
                self._say({"state": "waiting", "reason": str(busy)})
                await self._pause(RETRY_SECONDS)
            except IndexFailed as failed:
                await self._fail(str(failed))
            except Exception as error:
                # A mistake of ours ends neither the process nor what else it does.
                await self._fail(f"an error of {type(error).__name__}")
            else:
                self._retry_seconds = RETRY_SECONDS
                await self._rest()
                await self._gather()
        if self._watch:
            await asyncio.to_thread(self._watch.close)
        if self._writing:
            # The lock is held until nobody writes any more.
            await asyncio.wait([self._writing])
        if self._index:
            await asyncio.to_thread(self._index.close)

    async def _look(self) -> None:
        """One run over what the hints name, or over everything."""
        assert self._index
        everything, self._anything = self._anything, False
        only = None if everything else sorted(self._hints)
        self._hints.clear()
        if not everything and not only:
            return
        began = self._now()
        self._looks += 1
        self._cancelled.clear()
        if everything and self._watch is None and self._watches():
            # Watched before it is compared: what changes from here on is hinted at.
            await asyncio.to_thread(self._start_watch)
        try:
            report = await asyncio.to_thread(
                self._index.refresh, only, self._progress(), self._cancelled.is_set
            )
        except Cancelled:
            # Whoever cancelled wants quiet; single files go on being looked at.
            self._say({"state": "off", "reason": "cancelled"})
            return
        if report:
            self._report, self._looked_seconds = report, self._now() - began
        # After a first look that was cancelled, single files make no whole index.
        if self._report:
            self._say({"state": "ready", "look": self._looks, "report": asdict(self._report)})
        if everything or self._index.grown():
            await asyncio.to_thread(self._cover)
        if everything:
            self._again = self._now() + self._patience()
        if not self._text_due or self._text_due == math.inf:
            # The first at once.
            self._text_due = self._now() + (TEXT_SECONDS if self._text_due else 0)

    def _watches(self) -> bool:
        """Whether changes are ours to notice, and not the editor's."""
        all_watch = bool(self._open) and self._watching >= self._open.keys()
        return self._order.watch == "auto" and not all_watch

    def _start_watch(self) -> None:
        """Watch the directories that there are before the first look.  In a thread."""
        assert self._index
        self._index.look_around()
        try:
            self._watch = watch.start(self._order.root, self._from_thread(self.hint))
            self._watch.cover(self._index.directories())
        except watch.CannotWatch:
            self._end_watch()

    def _cover(self) -> None:
        """Watch the directories that there are now.  In a thread."""
        assert self._index
        if not self._watches():
            self._end_watch()
        if self._watch is None:
            return
        try:
            for directory in self._watch.cover(self._index.directories()):
                # What changed in it before it was watched.
                self._from_thread(self.hint)(directory)
        except watch.CannotWatch:
            self._end_watch()

    def _end_watch(self) -> None:
        if self._watch:
            self._watch.close()
        self._watch = None

    def _patience(self) -> float:
        """Seconds until everything is looked at again, without a hint."""
        if self._watch or self._order.watch == "off" or self._watching:
            return AGAIN_SECONDS
        return max(POLL_SECONDS, POLL_TIMES * self._looked_seconds)

    async def _fail(self, reason: str) -> None:
        """Tell it, and wait for longer each time before everything is looked at again."""
        self._say({"state": "off", "reason": reason})
        self._anything = True
        await self._pause(self._retry_seconds)
        self._retry_seconds = min(2 * self._retry_seconds, AGAIN_SECONDS)

    async def _pause(self, seconds: float) -> None:
        """Before another try; a hint does not make it any likelier to succeed."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def _rest(self) -> None:
        """Until something is to be looked at; the text is written meanwhile."""
        while not (self._hints or self._anything or self._stopped):
            self._woken.clear()
            due = min(self._again, self._text_due) - self._now()
            try:
                await asyncio.wait_for(self._woken.wait(), max(due, 0))
            except TimeoutError:
                self._anything = self._now() >= self._again
            if self._now() >= self._text_due and self._index:
                if self._writing and not self._writing.done():
                    self._text_due = self._now() + TEXT_SECONDS
                    continue
                self._text_due = math.inf
                # Seconds, in a large folder: nobody who saves a file waits for it.
                self._writing = asyncio.ensure_future(asyncio.to_thread(self._index.text()))

    async def _gather(self) -> None:
        """Wait for the hints that come together with the first."""
        began = self._now()
        while not self._stopped and self._now() - began < PATIENCE_SECONDS:
            self._woken.clear()
            try:
                await asyncio.wait_for(self._woken.wait(), QUIET_SECONDS)
            except TimeoutError:
                return

    def _interest(self) -> list[str]:
        return list(dict.fromkeys(path for paths in self._open.values() for path in paths))

    def _progress(self) -> Callable[[Progress], None]:
        told = self._now()

        def progress(made: Progress) -> None:
            nonlocal told
            if self._now() - told > PROGRESS_SECONDS:
                told = self._now()
                said = {"state": "indexing", "done": made.done, "total": made.total}
                self._from_thread(self._say)(said)

        return progress

    def _say(self, said: dict[str, Any]) -> None:
        self._told = said
        for writer in self._open:
            _tell(writer, said)

    def _from_thread(self, call: Callable[[Any], None]) -> Callable[[Any], None]:
        def soon(argument: Any) -> None:
            with contextlib.suppress(RuntimeError):  # The loop is closed.
                assert self._loop
                self._loop.call_soon_threadsafe(partial(call, argument))

        return soon

    def _now(self) -> float:
        assert self._loop
        return self._loop.time()


def _tell(writer: asyncio.StreamWriter, said: dict[str, Any]) -> None:
    if not writer.is_closing():
        writer.write(json.dumps(said).encode() + b"\n")


def to_line(do: str, paths: Iterable[str] = ()) -> bytes:
    """What a connection says.  Paths that are no text are nobody's to send."""
    shown = [path for path in paths if path.isprintable()]
    return json.dumps({"do": do, "paths": shown}).encode() + b"\n"
