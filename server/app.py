"""The composition root of completion: settings, the engine process, one suggestion."""

import asyncio
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import __version__
from ..completion import models
from ..completion.client import EngineClient, EngineGone, Streams
from ..completion.complete import complete
from ..completion.cursor import Cursor, Suggestion
from ..completion.gguf import BadModel
from ..completion.models import Model
from ..completion.models.catalogue import SHIPPED
from ..completion.recent import Recent
from ..completion.wire import Priority
from . import exclusions, processes, settings
from .engine import Order
from .paths import Paths, UnsafePath, socket_directory
from .settings import CompletionSettings, Effective
from .settings_checks import is_path

# From request to answer.  A newer key ends an automatic request long before; the limit is
# for a machine so slow that the person has moved on.
AUTOMATIC_MS = 1_500
MANUAL_MS = 3_000


@dataclass(frozen=True, slots=True)
class Startup:
    """What a process of ours knows when it starts.  `model` is a name or a path."""

    paths: Paths
    effective: Effective
    model: str

    def with_model(self, name: str | None) -> "Startup":
        return replace(self, model=name) if name else self


def start(editor: Mapping[str, Any] | None = None, folders: Sequence[Path] = ()) -> Startup:
    """Read the settings of this user, this editor and these folders."""
    paths = Paths.of(os.environ)
    effective = settings.load(paths, editor, folders)
    return Startup(paths, effective, effective.settings.completion.model)


def chosen_model(startup: Startup) -> Model:
    """The model that the settings mean.  Raises BadModel with one line."""
    cache = startup.paths.cache / "models.json"
    name = startup.model or SHIPPED.name
    if is_path(name):
        named = {name: {"path": name}}
    else:
        named = {
            own: {"endpoint": source.endpoint} if source.endpoint else {"path": str(source.path)}
            for own, source in startup.effective.settings.engine.models.items()
        }
    return models.find(name, startup.paths.models, named, cache)


def order(startup: Startup) -> Order:
    """What the engine of this startup is told.  Raises BadModel and UnsafePath."""
    wanted, model = startup.effective.settings.engine, chosen_model(startup)
    name = processes.socket_name(
        "engine",
        model.endpoint or model.sha256,
        f"{wanted.threads} {wanted.gpu_layers}",
    )
    return Order(
        socket_directory(startup.paths) / name,
        model,
        wanted.threads,
        wanted.gpu_layers,
        wanted.idle_minutes,
    )


class Completions:
    """Suggestions from the engine that the settings name."""

    def __init__(self, startup: Startup, spawn: processes.Spawn = processes.spawn) -> None:
        self.startup, self.spawn = startup, spawn
        self.engine = EngineClient(self._connect, __version__)
        self._recent = Recent()
        self._starter: processes.Starter | None = None
        self._choosing = threading.Lock()

    @property
    def starter(self) -> processes.Starter:
        """How the engine is started.  Raises EngineGone where it cannot be.

        The first time may take long: a model that was never hashed is hashed now.
        """
        with self._choosing:
            return self._chosen()

    def _chosen(self) -> processes.Starter:
        if self._starter is None:
            try:
                told = order(self.startup)
            except (BadModel, UnsafePath) as error:
                raise EngineGone(str(error)) from None
            self._starter = processes.Starter(
                told.socket,
                processes.command("engine", "--started", told.write()),
                self.startup.paths.logs / "engine.log",
                spawn=self.spawn,
            )
        return self._starter

    def forgive(self) -> None:
        """The user asks by hand: an engine that stayed off after crashes may try again."""
        if self._starter is not None:
            self._starter.forgive()

    async def _connect(self) -> Streams:
        starter = await asyncio.to_thread(lambda: self.starter)
        return await starter.connect()

    async def suggest(
        self,
        cursor: Cursor,
        wanted: CompletionSettings,
        priority: Priority = "auto",
        deadline_ms: int | None = None,
    ) -> Suggestion:
        """One suggestion, or an empty one whose `filtered` says why.

        Raises EngineGone where no engine can be reached.
        """
        if reason := refusal(cursor, wanted):
            return Suggestion("", filtered=reason)
        state = await self.engine.open()
        if state.languages and cursor.language not in state.languages:
            reason = f"{state.model} does not know {cursor.language}"
            return Suggestion("", model=state.model, filtered=reason)
        if known := self._recent.find(cursor, state.model, wanted.lines):
            return known
        limit = MANUAL_MS if priority == "manual" else AUTOMATIC_MS
        suggestion = await complete(
            cursor,
            self.engine,
            priority=priority,
            deadline_ms=deadline_ms or limit,
            mode=wanted.lines,
            max_lines=wanted.max_lines,
        )
        self._recent.remember(cursor, state.model, wanted.lines, suggestion)
        return suggestion


def refusal(cursor: Cursor, wanted: CompletionSettings) -> str | None:
    """Why nothing is offered at `cursor` whatever the model says, or None."""
    if not wanted.enabled:
        return "completion.enabled is false"
    if not wanted.speaks(cursor.language):
        return f"completion.languages leaves out {cursor.language}"
    if rule := exclusions.excluded(cursor.path, wanted.exclude):
        return f"the path is excluded by {rule}"
    if len(cursor.text) > exclusions.LARGEST_TEXT:
        return "the file is too large"
    if "\0" in cursor.text[:8192]:
        return "the file is binary"
    return None
