"""What is put before the prompt of each open document: chosen beside the typing, then frozen.

No request waits for a choice, and the event loop makes none: a thread does, with database
connections of its own.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ..completion.cursor import Cursor, Snippet
from ..completion.prompt import room_for_context
from ..completion.wire import State
from ..indexing.retrieval import Item
from ..indexing.retrieval.cursor import focus
from ..indexing.retrieval.freezing import (
    AT_REST,
    PAUSE_MS,
    Moment,
    Reason,
    around,
    in_time,
    reason_to_choose,
)
from . import index
from .app import Startup
from .documents import Documents, file_path
from .lookup import Lookup, Place, beside, snippets
from .settings import CompletionSettings

logger = logging.getLogger(__name__)

# Documents whose context is remembered.
DOCUMENTS = 32
# What stands at the cursor needs an item of such a value (`retrieval.candidates`).
NEEDED = 50
# Of code; for an estimate of what a prompt costs.
CHARACTERS_PER_TOKEN = 3.5

# Has the engine read the prompt at a cursor ahead of its need; whether that was done.
Warm = Callable[[Cursor, CompletionSettings, Sequence[Snippet]], Awaitable[bool]]


@dataclass(slots=True)
class Frozen:
    """The context of a document, and the latest moment at which one was looked for."""

    moment: Moment | None = None
    items: frozenset[Item] = frozenset()
    snippets: tuple[Snippet, ...] = ()
    pause: asyncio.TimerHandle | None = field(default=None, repr=False)
    choosing: "asyncio.Task[None] | None" = field(default=None, repr=False)
    reading: bool = False

    def stop(self, looking: bool = True) -> None:
        """End the wait for a pause and what was begun in one; `looking` too."""
        if self.pause:
            self.pause.cancel()
        if self.choosing and (looking or self.reading):
            self.choosing.cancel()


class Contexts:
    """The contexts of one editor's documents.  Its methods run in the event loop."""

    def __init__(
        self,
        documents: Documents,
        startup: Callable[[], Startup],
        warm: Warm,
    ) -> None:
        self._documents, self._startup, self._warm = documents, startup, warm
        self._of: OrderedDict[str, Frozen] = OrderedDict()
        self._saves: dict[str, int] = {}
        self._here, self._visit = "", 0
        self._lookup = Lookup()
        self._thread = ThreadPoolExecutor(1, "context")

    def saved(self, uri: str) -> None:
        path = self._documents.relative_path(uri)
        self._saves[path] = self._saves.get(path, 0) + 1

    def of(
        self, cursor: Cursor, wanted: CompletionSettings, state: State | None, typed: bool = True
    ) -> tuple[Snippet, ...]:
        """The context in force for this document.

        Where somebody has `typed`, it is found out beside it whether there is a better one.
        """
        if not typed:
            return self._of[cursor.path].snippets if cursor.path in self._of else ()
        place = self._place(cursor, wanted, state)
        if place is None or state is None:
            return ()
        if cursor.path != self._here:
            self._here, self._visit = cursor.path, self._visit + 1
        frozen = self._of.setdefault(cursor.path, Frozen())
        self._of.move_to_end(cursor.path)
        if len(self._of) > DOCUMENTS:
            self._of.popitem(last=False)[1].stop()
        now = Moment(
            around(cursor.text, cursor.offset),
            focus(cursor.text, cursor.offset),
            self._saves.get(cursor.path, 0),
            self._visit,
        )
        reason = reason_to_choose(frozen.moment, now)
        frozen.stop(looking=reason is not None)
        fits = in_time(_tokens(place, state), state.rates.get("prefill", 0.0))

        def begin(reason: Reason) -> None:
            work = self._choose(frozen, place, wanted, reason, fits)
            frozen.moment, frozen.choosing = now, asyncio.ensure_future(work)

        if reason:
            begin(reason)
        loop = asyncio.get_running_loop()
        frozen.pause = loop.call_later(PAUSE_MS / 1000, begin, "pause")
        return frozen.snippets

    async def choose(
        self, cursor: Cursor, wanted: CompletionSettings, state: State | None
    ) -> tuple[Snippet, ...]:
        """The context for a cursor at which somebody waits instead of typing."""
        place = self._place(cursor, wanted, state)
        return snippets(await self._look(place)) if place else ()

    def close(self) -> None:
        for frozen in self._of.values():
            frozen.stop()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _choose(
        self,
        frozen: Frozen,
        place: Place,
        wanted: CompletionSettings,
        reason: Reason,
        fits: bool,
    ) -> None:
        """Look, and put what is found in force where that costs no key its answer."""
        try:
            found = await self._look(place)
            new = frozenset(found) - frozen.items
            if not new or (reason == "focus" and all(item.value < NEEDED for item in new)):
                return
            chosen = snippets(found)
            if fits:
                frozen.items, frozen.snippets = frozenset(found), chosen
            # The engine reads it while nobody types; the next request ends that.
            if reason in AT_REST and await self._read(frozen, place, wanted, chosen):
                frozen.items, frozen.snippets = frozenset(found), chosen
        except Exception as error:
            # Completion goes on without it.
            logger.error("choosing a context failed: %s", type(error).__name__)

    async def _read(
        self,
        frozen: Frozen,
        place: Place,
        wanted: CompletionSettings,
        chosen: Sequence[Snippet],
    ) -> bool:
        frozen.reading = True
        try:
            return await self._warm(place.cursor, wanted, chosen)
        finally:
            frozen.reading = False

    async def _look(self, place: Place) -> list[Item]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._lookup.items, place)

    def _place(
        self, cursor: Cursor, wanted: CompletionSettings, state: State | None
    ) -> Place | None:
        """None where there is nothing to choose from, or no use for it."""
        startup = self._startup()
        room = room_for_context(state, wanted.context) if state else 0
        if not room or not index.readable(startup):
            return None
        documents = self._documents
        open_now = {documents.relative_path(d.uri): d for d in documents.open_now.values()}
        if (document := open_now.pop(cursor.path, None)) is None:
            return None
        folder = documents.folder_of(document.uri)
        if folder is None or (root := file_path(folder)) is None:
            return None
        globs = (*startup.effective.settings.index.exclude, *wanted.exclude)
        others = beside(documents, document.uri)
        return Place(cursor, room, globs, root, _database(startup, root), others)


def _database(startup: Startup, root: Path) -> Path:
    return index.directory(startup.paths, root) / "db"


def _tokens(place: Place, state: State) -> int:
    """Of a prompt of which nothing is cached, roughly."""
    own = int(len(place.cursor.text) / CHARACTERS_PER_TOKEN)
    return min(state.context, own + place.room)
