"""The composition root of completion: settings, the engine process, one suggestion."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..completion import models
from ..completion.client import EngineClient, EngineGone
from ..completion.complete import complete
from ..completion.cursor import Cursor, Suggestion
from ..completion.models import Model
from ..completion.wire import Priority
from . import exclusions, processes, settings
from .paths import Paths, UnsafePath, socket_directory
from .settings import CompletionSettings, Effective

# From request to the first line, as a person at a keyboard bears it.
AUTOMATIC_MS = 400
MANUAL_MS = 3_000


@dataclass(frozen=True, slots=True)
class Startup:
    """What a process of ours knows when it starts."""

    paths: Paths
    effective: Effective
    model: str

    def with_model(self, name: str) -> "Startup":
        return Startup(self.paths, self.effective, name)


def start(
    editor: Mapping[str, Any] | None = None, folders: Sequence[Path] = ()
) -> Startup:
    """Read the settings of this user, this editor and these folders."""
    paths = Paths.of(os.environ)
    effective = settings.load(paths, editor, folders)
    return Startup(paths, effective, effective.settings.completion.model)


class Completions:
    """Suggestions from the engine that the settings name."""

    def __init__(self, startup: Startup) -> None:
        self.startup = startup
        self.starter: processes.Starter | None = None
        self.engine = EngineClient(self._connect, __version__)

    async def _connect(self) -> Streams:
        if self.starter is None:
            self.starter = engine_starter(self.startup)
        return await self.starter.connect()

    async def suggest(
        self,
        cursor: Cursor,
        priority: Priority = "auto",
        deadline_ms: int | None = None,
    ) -> Suggestion:
        """One suggestion, or an empty one whose `filtered` says why.

        Raises EngineGone where no engine can be reached.
        """
        wanted = self.startup.effective.settings.completion
        if reason := refusal(cursor, wanted):
            return Suggestion("", filtered=reason)
        state = await self.engine.open()
        if state.languages and cursor.language not in state.languages:
            reason = f"{state.model} does not know {cursor.language}"
            return Suggestion("", model=state.model, filtered=reason)
        limit = MANUAL_MS if priority == "manual" else AUTOMATIC_MS
        return await complete(
            cursor,
            self.engine,
            priority=priority,
            deadline_ms=deadline_ms or limit,
            mode=wanted.lines,
            max_lines=wanted.max_lines,
        )


def refusal(cursor: Cursor, wanted: CompletionSettings) -> str | None:
    """Why nothing is offered at `cursor` whatever the model says, or None."""
    if not wanted.enabled:
        return "completion.enabled is false"
    if wanted.languages and cursor.language not in wanted.languages:
        return f"completion.languages leaves out {cursor.language}"
    if rule := exclusions.excluded(cursor.path, wanted.exclude):
        return f"the path is excluded by {rule}"
    if len(cursor.text) > exclusions.LARGEST_TEXT:
        return "the file is too large"
    if "\0" in cursor.text[:8192]:
        return "the file is binary"
    return None
