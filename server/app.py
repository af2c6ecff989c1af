"""The composition root of completion: settings, the engine process, one suggestion."""

from dataclasses import dataclass, field
from pathlib import Path

from .. import __version__
from ..completion import models
from ..completion.client import EngineClient, EngineGone
from ..completion.complete import complete
from ..completion.cursor import Cursor, Suggestion
from ..completion.models import Model
from ..completion.wire import Priority
from . import exclusions, processes
from .paths import Paths, UnsafeDirectory
from .settings import CompletionSettings, Settings

# From request to the first line, as a person at a keyboard bears it.
AUTOMATIC_MS = 400
MANUAL_MS = 3_000


class Completions:
    """Suggestions from the engine that the settings name."""

    def __init__(self, paths: Paths, settings: Settings) -> None:
        self.model = chosen_model(paths, settings)
        self.starter = engine_starter(paths, settings, self.model)
        self.engine = EngineClient(self.starter.connect, __version__, self._lost)

    def _lost(self, left: bool) -> None:
        self.starter.left = left

    async def suggest(
        self,
        cursor: Cursor,
        settings: CompletionSettings,
        priority: Priority = "auto",
        deadline_ms: int | None = None,
    ) -> Suggestion:
        """One suggestion, or an empty one whose `filtered` says why.

        Raises EngineGone where no engine can be reached.
        """
        if reason := refusal(cursor, settings):
            return Suggestion("", filtered=reason)
        state = await self.engine.open()
        if state.languages and cursor.language not in state.languages:
            return Suggestion(
                "", filtered=f"{state.model} does not know {cursor.language}"
            )
        limit = MANUAL_MS if priority == "manual" else AUTOMATIC_MS
        return await complete(
            cursor,
            self.engine,
            priority=priority,
            deadline_ms=deadline_ms or limit,
            mode=settings.lines,
            max_lines=settings.max_lines,
        )


def refusal(cursor: Cursor, settings: CompletionSettings) -> str | None:
    """Why nothing is offered at `cursor` whatever the model says, or None."""
    if not settings.enabled:
        return "completion.enabled is false"
    if settings.languages and cursor.language not in settings.languages:
        return f"completion.languages leaves out {cursor.language}"
    if rule := exclusions.excluded(cursor.path, settings.exclude):
        return f"the path is excluded by {rule}"
    if len(cursor.text) > exclusions.LARGEST_TEXT:
        return "the file is too large"
    if "\0" in cursor.text[:8192]:
        return "the file is binary"
    return None
