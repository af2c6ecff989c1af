"""One editor's conversation: its settings, its engine, its status, its latest requests."""

import asyncio
import logging

from ..completion.client import EngineGone
from ..completion.cursor import Cursor, Suggestion
from ..completion.wire import Priority
from .app import Completions
from .explanations import Explanations, explain
from .status import Status, StatusLine, of_engine

logger = logging.getLogger(__name__)

# How often the progress of a loading model is asked for.
LOADING_POLL_SECONDS = 0.1


class Session:
    """State that lives as long as one `wicket lsp`."""

    def __init__(self, completions: Completions, status: StatusLine) -> None:
        self.completions = completions
        self.status = status
        self.explanations = Explanations()
        self._newest: dict[str, asyncio.Task[Suggestion]] = {}
        self._language: str | None = None
        self._wanted = asyncio.Event()

    async def suggest(
        self, uri: str, cursor: Cursor, priority: Priority
    ) -> Suggestion | None:
        """The suggestion for the newest request of a document; None when superseded.

        A newer request for the same document cancels the older one's work.
        """
        if older := self._newest.pop(uri, None):
            older.cancel()
        task = asyncio.ensure_future(self._suggest(cursor, priority))
        self._newest[uri] = task
        try:
            return await task
        except asyncio.CancelledError:
            if self._newest.get(uri) is task:
                # Nobody superseded it: the editor itself cancelled the request.
                task.cancel()
                raise
            return None
        finally:
            if self._newest.get(uri) is task:
                del self._newest[uri]

    async def _suggest(self, cursor: Cursor, priority: Priority) -> Suggestion:
        self._language = cursor.language
        try:
            suggestion = await self.completions.suggest(cursor, priority)
        except EngineGone as error:
            self._wanted.set()
            return Suggestion("", filtered=str(error))
        if state := self.completions.engine.state:
            self.status.show(of_engine(state, cursor.language))
        return suggestion

    def remember(self, cursor: Cursor, suggestion: Suggestion) -> str:
        """The id under which the editor may ask about this answer."""
        return self.explanations.remember(explain(cursor, suggestion))

    async def watch_engine(self) -> None:
        """Keep the status true: connect, follow the loading, notice the end, start anew.

        Runs until cancelled and never raises.
        """
        engine, starter = self.completions.engine, self.completions.starter
        while True:
            self._wanted.clear()
            try:
                state = await engine.refresh()
                while state.state == "loading":
                    self.status.show(of_engine(state, self._language))
                    await asyncio.sleep(LOADING_POLL_SECONDS)
                    state = await engine.refresh()
                self.status.show(of_engine(state, self._language))
                await engine.ended()
                self.status.show(Status("off", reason="the engine stopped"))
            except EngineGone as error:
                logger.warning("engine: %s", error)
                self.status.show(Status("off", reason=str(error), fix="wicket doctor"))
            pause = starter.pause()
            if starter.left or pause in (0.0, float("inf")):
                # Stopped on purpose, or broken for good: the next request tries again.
                await self._wanted.wait()
            else:
                await asyncio.sleep(pause)

