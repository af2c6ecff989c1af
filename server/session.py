"""One editor's conversation: its settings, its engine, its status, its latest requests."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..completion.client import EngineGone
from ..completion.cursor import Cursor, Snippet, Suggestion
from ..completion.recent import accepted
from ..completion.wire import Priority
from . import app, build, settings
from .app import Completions
from .explanations import Explanations, explain
from .settings import CompletionSettings, Effective
from .stats import store
from .stats.observer import Observer, number_of
from .status import Status, StatusLine, of_engine

logger = logging.getLogger(__name__)

# How often the progress of a loading model or of a compilation is asked for.
PROGRESS_SECONDS = 0.1
BUILD_SECONDS = 1.0
# Typing goes on within this time, or the suggestion is being looked at.
PREFETCH_SECONDS = 0.05
# Files whose settings are remembered.
FILES = 256

DISABLED = Status("off", reason="completion.enabled is false")


class Session:
    """State that lives as long as one `wicket lsp`."""

    def __init__(self, completions: Completions) -> None:
        self.completions = completions
        self.status = StatusLine()
        self.explanations = Explanations()
        self.observer = Observer(self.explanations.find)
        self._editor: Mapping[str, Any] = {}
        self._newest: dict[str, asyncio.Task[Suggestion]] = {}
        self._ahead: dict[str, asyncio.Task[None]] = {}
        self._foreseen: Cursor | None = None
        self._language: str | None = None
        # What each file got of the settings in force, which takes long to put together.
        self._tightened: tuple[Effective | None, dict[Path, CompletionSettings]] = None, {}
        self._wanted = asyncio.Event()
        self._configured = asyncio.Event()

    def configure(self, editor: Mapping[str, Any] | None, folders: Sequence[Path]) -> None:
        """Hear the editor's settings and folders; None keeps what it said before."""
        if editor is not None:
            self._editor = editor
        startup = app.start(self._editor, folders)
        logging.getLogger().setLevel(startup.effective.settings.log.level.upper())
        old = self.completions.startup
        engine = startup.effective.settings.engine
        before = old.effective.settings
        profiles = startup.effective.settings.completion.profiles
        if (startup.model, engine, profiles) != (
            old.model,
            before.engine,
            before.completion.profiles,
        ):
            # The old engine stays for other editors, or leaves when nobody needs it.
            self._closing = asyncio.ensure_future(self.completions.engine.close())
            self.completions = self.completions.anew(startup)
            self._wanted.set()
        self.completions.startup = startup
        keep = startup.effective.settings.stats.enabled
        self.observer.path = store.place(startup.paths, folders) if keep else None
        self._configured.set()
        if not startup.effective.settings.completion.enabled:
            self.status.show(DISABLED)
        warnings = startup.effective.warnings
        for warning in warnings:
            logger.warning("settings: %s", warning)
        more = f" ({len(warnings) - 1} more)" if len(warnings) > 1 else ""
        self.status.say_aside(f"settings: {warnings[0]}{more}" if warnings else "")

    def wanted(self, file: Path | None) -> CompletionSettings:
        """The settings for a file, tightened by the folder it lies in."""
        effective = self.completions.startup.effective
        if file is None:
            return effective.settings.completion
        if self._tightened[0] is not effective or len(self._tightened[1]) > FILES:
            self._tightened = effective, {}
        known = self._tightened[1]
        if file not in known:
            known[file] = settings.for_folder(effective, file).settings.completion
        return known[file]

    async def suggest(
        self, uri: str, cursor: Cursor, wanted: CompletionSettings, priority: Priority
    ) -> Suggestion | None:
        """The suggestion for the newest request of a document; None when superseded.

        A newer request for the same document cancels the older one's work.
        """
        if older := self._newest.pop(uri, None):
            older.cancel()
        if ahead := self._ahead.pop(uri, None):
            ahead.cancel()
        rejections = self.observer.rejections(uri)
        task = asyncio.ensure_future(self._suggest(cursor, wanted, priority, rejections))
        self._newest[uri] = task
        try:
            suggestion = await task
        except asyncio.CancelledError:
            if self._newest.get(uri) is task:
                # Nobody superseded it: the editor itself cancelled the request.
                raise
            return None
        finally:
            if self._newest.get(uri) is task:
                del self._newest[uri]
        behind = accepted(cursor, suggestion)
        # The rest of a suggestion ends where the whole of it did.
        if suggestion.text and behind != self._foreseen:
            self._ahead[uri] = asyncio.ensure_future(self._prefetch(behind, wanted))
        return suggestion

    async def _suggest(
        self, cursor: Cursor, wanted: CompletionSettings, priority: Priority, rejections: int
    ) -> Suggestion:
        self._language = cursor.language
        self._wanted.set()
        if priority == "manual":
            self.completions.forgive()
        try:
            suggestion = await self.completions.suggest(
                cursor, wanted, priority, rejections=rejections
            )
        except EngineGone as error:
            return Suggestion("", filtered=str(error))
        engine = self.completions.engine
        if engine.connected and (state := engine.state) and state.state != "loading":
            self.status.show(of_engine(state, cursor.language))
        return suggestion

    async def _prefetch(self, cursor: Cursor, wanted: CompletionSettings) -> None:
        """Ask for what follows if the suggestion is accepted, so that it is there at once."""
        await asyncio.sleep(PREFETCH_SECONDS)
        with contextlib.suppress(EngineGone):
            await self.completions.suggest(cursor, wanted, "prefetch")
            self._foreseen = cursor

    async def warm(
        self, cursor: Cursor, wanted: CompletionSettings, context: Sequence[Snippet]
    ) -> bool:
        """See `Completions.warm`; those of now are asked."""
        return await self.completions.warm(cursor, wanted, context)

    def remember(self, cursor: Cursor, suggestion: Suggestion) -> str:
        """The id under which the editor may ask about this answer."""
        return self.explanations.remember(explain(cursor, suggestion))

    def took(self, item: object, units: object) -> None:
        """The editor says that it inserted the beginning of an answer."""
        self.observer.took(item, units)
        if known := self.explanations.find(number_of(item)):
            self.completions.prefer(known["text"])

    async def watch_engine(self) -> None:
        """Keep the status true: connect, follow the loading, notice the end, start anew.

        Runs until cancelled and never raises.
        """
        while True:
            self._wanted.clear()
            if not self.completions.startup.effective.settings.completion.enabled:
                self.status.show(DISABLED)
                await self._configured.wait()
                self._configured.clear()
                continue
            try:
                await self._follow()
                # Requests up to here were answered by the engine that has gone.
                self._wanted.clear()
                starter = self.completions.starter
                starter.note_loss()
                pause, left = starter.pause(), starter.left
            except EngineGone as error:
                logger.warning("engine: %s", error)
                self.status.show(Status("off", reason=str(error), fix="wicket doctor"))
                pause, left = self._pause(), False
            if left or pause in (0.0, float("inf")):
                # Gone on purpose, or broken for good: the next request tries again.
                await self._wanted.wait()
            else:
                await asyncio.sleep(pause)

    def _pause(self) -> float:
        try:
            return self.completions.starter.pause()
        except EngineGone:
            return float("inf")

    async def _follow(self) -> None:
        """Show what the engine is until its connection ends.  Raises EngineGone."""
        engine = self.completions.engine
        state = await engine.refresh()
        while state.state == "loading":
            self.status.show(of_engine(state, self._language))
            await asyncio.sleep(PROGRESS_SECONDS)
            state = await engine.refresh()
        self.status.show(of_engine(state, self._language))
        ended = asyncio.ensure_future(engine.ended())
        try:
            while state.state == "off" and not ended.done():
                self._show_build(of_engine(state, self._language))
                await asyncio.wait([ended], timeout=BUILD_SECONDS)
                state = await engine.refresh()
            self.status.show(of_engine(state, self._language))
            await ended
        finally:
            ended.cancel()
        self.status.show(Status("off", state.model, "the engine stopped"))

    def _show_build(self, otherwise: Status) -> None:
        """While llama-cpp-python is compiled, that is why the engine is off."""
        building = build.current(self.completions.startup.paths)
        if building and building.state == "running":
            reason = "llama-cpp-python is being compiled"
            status = Status("loading", otherwise.model, reason, None, building.share)
            self.status.show(status)
        else:
            self.status.show(otherwise)
