"""Who fills holes: an engine, asked as an editor asks it, and a search without a model."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from ... import __version__
from ...completion import earlier, families, trim
from ...completion.client import Connect, EngineClient, EngineGone, Generated, ignore
from ...completion.complete import Terms, by_model, complete
from ...completion.cursor import Snippet
from ...completion.earlier import Text
from ...completion.holes import Hole, digest
from ...completion.prompt import room_for_context
from ...completion.wire import Complete, State, write_request
from .. import grammar, machine
from ..app import refusal
from ..lookup import items_at, snippets
from ..settings import CompletionSettings
from .repositories import Repository

# The name of the search without a model in every table, and how that of the product begins.
EARLIER, PRODUCT = "earlier", "wicket with "
# An answer that takes longer is none.  Quality must not depend on how busy a machine is,
# so this is far beyond what an editor grants; the time that it took is reported.
PATIENCE_MS = 60_000
# How often an engine that loads its model is asked whether it is done.
LOADING_SECONDS = 0.05

# Settings that say when and whom to ask.
ASKING = ("enabled", "trigger", "debounce_ms", "model")

# Bits that a text costs a model where a request stands; None where it cannot say it.
Bits = Callable[[Complete, str], Awaitable[float | None]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a contender says to a hole: `text` would be shown, `raw` came before trimming.

    `confidence` is the mean log-probability of the tokens, or the length of the match;
    `asked` names everything that was given to the engine; `bits` is what the hidden text
    costs the model, None where nobody counts or it cannot be told; `cpu_ms` is the
    processor time of the engine, 0 for a server elsewhere.
    """

    text: str
    raw: str = ""
    filtered: str | None = None
    rules: tuple[str, ...] = ()
    confidence: float | None = None
    tokens: dict[str, int] = field(default_factory=dict[str, int])
    ms: float = 0.0
    asked: str = ""
    bits: float | None = None
    unsure: bool = False
    cpu_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Contender:
    """`about` is what the report says of it, and what its stored answers are kept under.

    `memory` says how many bytes it takes now.
    """

    name: str
    about: Mapping[str, Any]
    answer: Callable[[Hole, Repository], Awaitable[Answer]]
    memory: Callable[[], Awaitable[int]]


class Listening(EngineClient):
    """An engine client that keeps what it asked and heard last."""

    asked: Complete | None = None
    heard: Generated | None = None

    async def complete(self, request: Complete, hear: Callable[[str], None] = ignore) -> Generated:
        self.asked = request
        self.heard = await super().complete(request, hear)
        return self.heard


@contextlib.asynccontextmanager
async def engine(
    name: str,
    connect: Connect,
    wanted: CompletionSettings,
    bits: Bits | None = None,
    endpoint: str = "",
) -> AsyncGenerator[Contender]:
    """The engine that `connect` leads to.  Raises EngineGone where it cannot answer.

    `endpoint` tells servers elsewhere apart.
    """
    client = Listening(connect, __version__)
    try:
        state = await ready(client)
        told = {"endpoint": endpoint, "counts_bits": bits is not None}

        async def answer(hole: Hole, repository: Repository) -> Answer:
            before = machine.cpu_seconds(state.pid)
            context = context_for(hole, repository, wanted, state)
            said = await ask(client, hole, wanted, bits, context, _texts(hole, repository, wanted))
            return replace(said, cpu_ms=_cpu_ms(state, before))

        async def memory() -> int:
            # That of a server elsewhere cannot be seen from here.
            return 0 if state.served else (await client.refresh()).memory

        yield Contender(name, about(state) | told | _settings(wanted), answer, memory)
    finally:
        await client.close()


def about(state: State) -> dict[str, Any]:
    return {
        "model": state.model,
        "sha256": state.sha256,
        "family": state.family,
        "order": state.order,
        "context": state.context,
        "parameters": state.parameters,
        "served": state.served,
    }


async def ready(client: EngineClient) -> State:
    """What the engine is, once it has loaded its model.  Raises EngineGone."""
    # The engine tells nobody when it is done: it is asked.
    while (state := await client.refresh()).state == "loading":  # noqa: ASYNC110
        await asyncio.sleep(LOADING_SECONDS)
    if state.state == "off":
        fix = f"; run `{state.fix}`" if state.fix else ""
        raise EngineGone(f"{state.reason}{fix}")
    return state


async def ask(
    client: Listening,
    hole: Hole,
    wanted: CompletionSettings,
    bits: Bits | None = None,
    context: tuple[Snippet, ...] = (),
    texts: tuple[Text, ...] = (),
) -> Answer:
    """One hole, by the path that an editor's request takes.

    Raises EngineGone, also where the engine fails at it: a failure is no empty answer.
    """
    cursor = hole.cursor
    state = await client.open()
    if reason := refusal(cursor, wanted):
        return Answer("", filtered=reason)
    if state.languages and cursor.language not in state.languages:
        return Answer("", filtered=f"{state.model} does not know {cursor.language}")
    terms = replace(terms_for(hole, wanted, texts), context=context)
    suggestion = await by_model(cursor, client, terms)
    asked, heard = client.asked, client.heard
    assert asked is not None, "a suggestion was made without asking the engine"
    assert heard is not None, "a suggestion was made without hearing the engine"
    if heard.done.done == "failed":
        raise EngineGone(heard.done.why or "the engine failed")
    return Answer(
        suggestion.text,
        families.from_model(state.family, heard.text, cursor),
        suggestion.filtered,
        suggestion.rules,
        sum(heard.logprobs) / len(heard.logprobs) if heard.logprobs else None,
        suggestion.tokens,
        suggestion.ms["total"],
        digest(write_request(asked).decode()),
        await bits(asked, hole.gold) if bits else None,
    )


@contextlib.asynccontextmanager
async def product(
    name: str, connect: Connect, wanted: CompletionSettings
) -> AsyncGenerator[Contender]:
    """What an editor gets: copies and the engine that `connect` leads to, by their chances.

    Raises EngineGone where it cannot answer.
    """
    client = Listening(connect, __version__)
    try:
        state = await ready(client)

        async def answer(hole: Hole, repository: Repository) -> Answer:
            if reason := refusal(hole.cursor, wanted):
                return Answer("", filtered=reason)
            before = machine.cpu_seconds(state.pid)
            terms = terms_for(hole, wanted, _texts(hole, repository, wanted))
            context = context_for(hole, repository, wanted, state)
            said = await complete(hole.cursor, client, replace(terms, context=context))
            if client.heard and client.heard.done.done == "failed":
                raise EngineGone(client.heard.done.why or "the engine failed")
            return Answer(
                said.text,
                said.text,
                said.filtered,
                said.rules,
                said.chance,
                said.tokens,
                said.ms["total"],
                unsure=said.chance < wanted.least_chance / 100,
                cpu_ms=_cpu_ms(state, before),
            )

        async def memory() -> int:
            return 0 if state.served else (await client.refresh()).memory

        yield Contender(PRODUCT + name, about(state) | _settings(wanted), answer, memory)
    finally:
        await client.close()


@contextlib.asynccontextmanager
async def without_model(wanted: CompletionSettings) -> AsyncGenerator[Contender]:
    """The longest earlier occurrence of the text before the cursor."""

    async def answer(hole: Hole, repository: Repository) -> Answer:
        cursor = hole.cursor
        if reason := refusal(cursor, wanted):
            return Answer("", filtered=reason)
        lines = trim.lines_wanted(cursor, mode_for(hole, wanted), wanted.max_lines)
        texts = [*earlier.in_file(hole.before, hole.after), *repository.others(hole)]
        began = time.perf_counter()
        found = earlier.earlier(cursor.prefix.encode("utf-8", "replace"), texts, lines)
        if found is None:
            return Answer("", filtered="nothing before the cursor occurs anywhere else")
        draft = trim.trim(cursor, found.text, lines)
        took = round((time.perf_counter() - began) * 1000, 2)
        sure = float(found.length)
        return Answer(draft.text, found.text, draft.filtered, draft.rules, sure, ms=took)

    async def memory() -> int:
        return 0

    yield Contender(EARLIER, {"model": None} | _settings(wanted), answer, memory)


def terms_for(hole: Hole, wanted: CompletionSettings, texts: tuple[Text, ...] = ()) -> Terms:
    return Terms(
        priority="manual",
        deadline_ms=PATIENCE_MS,
        mode=mode_for(hole, wanted),
        max_lines=wanted.max_lines,
        texts=texts,
        troubles=grammar.at_once(hole.cursor),
        decoding=wanted.decoding,
    )


def _texts(hole: Hole, repository: Repository, wanted: CompletionSettings) -> tuple[Text, ...]:
    """Other files that may be copied from, or looked into."""
    return tuple(repository.others(hole)) if wanted.context else ()


def _cpu_ms(state: State, before: float) -> float:
    """Since the engine had used so many seconds of a processor."""
    return 0.0 if state.served else round((machine.cpu_seconds(state.pid) - before) * 1000, 1)


def context_for(
    hole: Hole, repository: Repository, wanted: CompletionSettings, state: State
) -> tuple[Snippet, ...]:
    """What an editor would show the model of other files, chosen at the hole."""
    room = room_for_context(state, wanted.context)
    if not room:
        return ()
    return snippets(items_at(repository.index, hole.cursor, room, wanted.exclude))


def mode_for(hole: Hole, wanted: CompletionSettings) -> trim.Mode:
    """Where one line is missing one line is asked for, else what the settings say."""
    return wanted.lines if hole.kind == "block" else "line"


def _settings(wanted: CompletionSettings) -> dict[str, Any]:
    """What may change an answer: all but when it is asked for, and the model, which is told."""
    said = asdict(wanted)
    return {"settings": {name: said[name] for name in said if name not in ASKING}}
