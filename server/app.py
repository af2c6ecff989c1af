"""The composition root of completion: settings, the engine process, one suggestion."""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import __version__
from ..completion import models
from ..completion.client import EngineClient, EngineGone, Streams
from ..completion.complete import Terms, complete, warm
from ..completion.cursor import Cursor, Snippet, Suggestion
from ..completion.earlier import Text
from ..completion.flight import Flight, Hear
from ..completion.gguf import BadModel
from ..completion.models import Model
from ..completion.models.catalogue import SHIPPED
from ..completion.pace import Pace
from ..completion.place import Troubles
from ..completion.recent import Recent, before
from ..completion.shelf import Profile
from ..completion.wire import Priority, State
from . import exclusions, processes, settings
from .engine import Order
from .machine import memory_bytes
from .paths import Paths, UnsafePath, socket_directory
from .settings import CompletionSettings, Effective
from .settings_rows import is_path

# From request to answer.  A newer key ends an automatic request long before; the limit is
# for a machine so slow that the person has moved on.
AUTOMATIC_MS = 1_500
MANUAL_MS = 3_000
# Texts to choose from for who asks by hand; further ones are hardly ever looked at.
ALTERNATIVES = 3


# Other texts that may be copied from for a path, the nearest first.
Texts = Callable[[str], Sequence[Text]]
# What goes before the prompt at a cursor, with these settings and this engine; the last
# argument says whether somebody typed, or is only thought to go on here.
Context = Callable[[Cursor, CompletionSettings, State | None, bool], Sequence[Snippet]]


# How the document's grammar judges texts at a cursor.
Judge = Callable[[Cursor], Troubles | None]


def no_texts(_path: str) -> Sequence[Text]:
    """No other file is open."""
    return ()


def no_context(
    _cursor: Cursor, _wanted: CompletionSettings, _state: State | None, _typed: bool
) -> Sequence[Snippet]:
    """No other file is shown."""
    return ()


def no_grammar(_cursor: Cursor) -> Troubles | None:
    """No text is judged."""
    return None


@dataclass(frozen=True, slots=True)
class Startup:
    """What a process of ours knows when it starts.  `model` is a name or a path."""

    paths: Paths
    effective: Effective
    model: str

    def with_model(self, name: str | None) -> "Startup":
        """One that was asked for by name answers everywhere, whatever the profiles say."""
        if not name:
            return self
        settings = self.effective.settings
        completion = replace(settings.completion, profiles={})
        effective = replace(self.effective, settings=replace(settings, completion=completion))
        return replace(self, effective=effective, model=name)


def start(editor: Mapping[str, Any] | None = None, folders: Sequence[Path] = ()) -> Startup:
    """Read the settings of this user, this editor and these folders."""
    paths = Paths.of(os.environ)
    effective = settings.load(paths, editor, folders)
    return Startup(paths, effective, effective.settings.completion.model)


def chosen_model(startup: Startup) -> Model:
    """The model that the settings mean.  Raises BadModel with one line."""
    cache = startup.paths.cache / "models.json"
    name = startup.model or SHIPPED.name
    own = startup.effective.settings.engine.models
    if is_path(name):
        named = {name: {"path": name}}
    else:
        named = {
            name: {"endpoint": source.endpoint} if source.endpoint else {"path": str(source.path)}
            for name, source in own.items()
        }
    model = models.find(name, startup.paths.models, named, cache)
    if model.endpoint is None:
        return model
    source, network = own[name], startup.effective.settings.network
    ca_file = source.ca_file or network.ca_file
    return replace(model, token_command=source.token_command, ca_file=ca_file)


def fallback_models(startup: Startup, first: Model) -> tuple[Model, ...]:
    """Who speaks after `first` in this order: more servers, then one model of this machine.

    One that is not there is left out.
    """
    chain = [first]
    for name in startup.effective.settings.engine.fallback:
        with contextlib.suppress(BadModel):
            if chain[-1].endpoint:
                chain.append(chosen_model(replace(startup, model=name)))
    return tuple(chain[1:])


def profile_models(startup: Startup, first: Model) -> tuple[tuple[Profile, ...], tuple[Model, ...]]:
    """The profiles in force, and the models that they add to `first`.

    One whose model is not there is left out; `wicket doctor` says so.
    """
    models = {first.name: first}
    profiles: list[Profile] = []
    for profile in startup.effective.settings.completion.profiles.values():
        with contextlib.suppress(BadModel):
            if profile.model not in models:
                models[profile.model] = chosen_model(replace(startup, model=profile.model))
            profiles.append(profile)
    if len(models) == 1:
        return (), ()
    return tuple(profiles), tuple(models.values())[1:]


def order(startup: Startup) -> Order:
    """What the engine of this startup is told.  Raises BadModel and UnsafePath."""
    wanted, model = startup.effective.settings.engine, chosen_model(startup)
    fallback = fallback_models(startup, model)
    profiles, others = profile_models(startup, model)
    megabytes = memory_bytes() >> 21 if wanted.memory_mb == "auto" else wanted.memory_mb
    name = processes.socket_name(
        "engine",
        *(model.endpoint or model.sha256 for model in (model, *fallback)),
        *(f"{model.token_command} {model.ca_file}" for model in (model, *fallback)),
        f"{wanted.threads} {wanted.gpu_layers} {wanted.patience_ms}",
        *(model.endpoint or model.sha256 for model in others),
        f"{profiles} {megabytes}" if profiles else "",
    )
    return Order(
        socket_directory(startup.paths) / name,
        model,
        fallback,
        wanted.patience_ms,
        wanted.threads,
        wanted.gpu_layers,
        wanted.idle_minutes,
        others,
        profiles,
        megabytes << 20,
    )


class Completions:
    """Suggestions from the open files and from the engine that the settings name."""

    def __init__(
        self,
        startup: Startup,
        texts: Texts = no_texts,
        spawn: processes.Spawn = processes.spawn,
        context: Context = no_context,
        grammar: Judge = no_grammar,
    ) -> None:
        self.startup, self.texts, self.spawn = startup, texts, spawn
        self.context, self.grammar = context, grammar
        self.engine = EngineClient(self._connect, __version__)
        self._recent = Recent()
        self._pace = Pace()
        self._flights: list[Flight] = []
        self._starter: processes.Starter | None = None
        self._choosing = threading.Lock()

    def anew(self, startup: Startup) -> "Completions":
        """Another engine's, from the same documents."""
        return Completions(startup, self.texts, self.spawn, self.context, self.grammar)

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
                processes.command("engine", "--started"),
                self.startup.paths.logs / "engine.log",
                told.write(),
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
        rejections: int = 0,
    ) -> Suggestion:
        """One suggestion, or an empty one whose `filtered` says why.

        `rejections` is how many suggestions in a row were typed over.  Where no engine can
        be reached there are copies; raises EngineGone where there are none either.
        """
        if reason := refusal(cursor, wanted):
            return Suggestion("", filtered=reason)
        if priority == "auto":
            self._pace.key(time.monotonic())
        model = self._model(cursor, wanted, priority)
        # Before anything that waits: what was suggested and is being typed.
        known = self._recent.find(cursor, model, wanted.lines)
        if known and priority != "manual":
            return known
        if priority != "manual":
            for flight in self._flights:
                if flight.carries(cursor, wanted.lines):
                    suggestion = await flight.land(cursor, wanted.lines)
                    known = self._recent.find(cursor, model, wanted.lines)
                    if known or (suggestion and flight.began_at(cursor)):
                        return known or suggestion or Suggestion("")
        terms = self._terms(cursor, wanted, priority, deadline_ms, rejections)
        flight = Flight(cursor, wanted.lines, lambda hear: self._ask(cursor, terms, model, hear))
        self._take_off(flight)
        try:
            suggestion = await flight.land(cursor, wanted.lines)
        except EngineGone:
            if not known:
                raise
            suggestion = None
        if known and suggestion and suggestion.text:
            return before(known, suggestion, ALTERNATIVES)
        return known or suggestion or Suggestion("", filtered="superseded")

    def prefer(self, text: str) -> None:
        """Of suggestions that begin alike, this one was chosen."""
        self._recent.prefer(text)

    def _take_off(self, flight: Flight) -> None:
        """Let go of what the newest request has no use for."""
        for other in self._flights:
            if other.path == flight.path or not other.awaited:
                other.cancel()
        self._flights = [flight, *(other for other in self._flights if not other.over)]

    def _model(self, cursor: Cursor, wanted: CompletionSettings, priority: Priority) -> str:
        """Who answers: what one model said is no answer of another."""
        found = wanted.model_for(cursor.language, priority)
        return self.startup.model if found == wanted.model else found

    def _terms(
        self,
        cursor: Cursor,
        wanted: CompletionSettings,
        priority: Priority,
        deadline_ms: int | None,
        rejections: int,
    ) -> Terms:
        hold = 0.0
        if priority == "auto":
            adaptive = wanted.debounce_ms == "adaptive"
            hold = self._pace.wait_ms(rejections) if adaptive else float(wanted.debounce_ms)
        limit = MANUAL_MS if priority == "manual" else AUTOMATIC_MS
        return Terms(
            priority=priority,
            deadline_ms=deadline_ms or limit,
            hold_ms=hold,
            mode=wanted.lines,
            max_lines=wanted.max_lines,
            context=tuple(self.context(cursor, wanted, self.engine.state, priority != "prefetch")),
            texts=tuple(self.texts(cursor.path)),
            troubles=self.grammar(cursor),
            alternatives=ALTERNATIVES if priority == "manual" else 1,
            least_chance=wanted.least_chance / 100,
            decoding=wanted.decoding,
        )

    async def warm(
        self, cursor: Cursor, wanted: CompletionSettings, context: Sequence[Snippet]
    ) -> bool:
        """Have the engine read a prompt that may be asked for next; whether it did.

        No engine is started for it.
        """
        if not self.engine.connected:
            return False
        terms = Terms("warm", mode=wanted.lines, max_lines=wanted.max_lines, context=tuple(context))
        with contextlib.suppress(EngineGone):
            return await warm(cursor, self.engine, terms)
        return False

    async def _ask(self, cursor: Cursor, terms: Terms, model: str, hear: Hear) -> Suggestion:
        try:
            suggestion = await complete(cursor, self.engine, terms, hear)
        except EngineGone:
            suggestion = await complete(cursor, None, terms)
            if not suggestion.text:
                raise
        if spent := suggestion.ms.get("decode"):
            self._pace.generated(spent)
        self._recent.remember(cursor, model, terms.mode, suggestion)
        return suggestion


def refusal(cursor: Cursor, wanted: CompletionSettings) -> str | None:
    """Why nothing is offered at `cursor` whatever the model says, or None."""
    if not wanted.enabled:
        return "completion.enabled is false"
    if not wanted.speaks(cursor.language):
        return f"completion.languages leaves out {cursor.language}"
    return exclusions.reason(cursor.path, cursor.text, wanted.exclude)
