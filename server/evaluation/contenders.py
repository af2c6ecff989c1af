"""Who fills holes: an engine, asked as an editor asks it, and a search without a model."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ... import __version__
from ...completion import earlier, families, trim
from ...completion.client import Connect, EngineClient, EngineGone, Generated
from ...completion.complete import complete
from ...completion.holes import Hole, digest
from ...completion.wire import Complete, write_request
from ..app import refusal
from ..settings import CompletionSettings
from .repositories import Repository

# The name of the search without a model in every table.
EARLIER = "earlier"
# An answer that takes longer is none.  Quality must not depend on how busy a machine is,
# so this is far beyond what an editor grants; the time that it took is reported.
PATIENCE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What a contender says to a hole: `text` would be shown, `raw` came before trimming.

    `confidence` is the mean log-probability of the tokens, or the length of the match;
    `asked` names everything that was given to the engine.
    """

    text: str
    raw: str = ""
    filtered: str | None = None
    rules: tuple[str, ...] = ()
    confidence: float | None = None
    tokens: dict[str, int] = field(default_factory=dict[str, int])
    ms: float = 0.0
    asked: str = ""


@dataclass(frozen=True, slots=True)
class Contender:
    """`about` is what the report says of it, and what its stored answers are kept under."""

    name: str
    about: Mapping[str, Any]
    answer: Callable[[Hole, Repository], Awaitable[Answer]]
    memory: Callable[[], Awaitable[int]]


class Listening(EngineClient):
    """An engine client that keeps what it asked and heard last."""

    asked: Complete | None = None
    heard: Generated | None = None

    async def complete(self, request: Complete) -> Generated:
        self.asked = request
        self.heard = await super().complete(request)
        return self.heard


@contextlib.asynccontextmanager
async def engine(
    name: str, connect: Connect, wanted: CompletionSettings
) -> AsyncGenerator[Contender]:
    """The engine that `connect` leads to.  Raises EngineGone where it cannot answer."""
    client = Listening(connect, __version__)
    try:
        await client.open()
        while (state := await client.refresh()).state == "loading":
            await asyncio.sleep(0.05)
        if state.state == "off":
            fix = f"; run `{state.fix}`" if state.fix else ""
            raise EngineGone(f"{state.reason}{fix}")
        settings = {"lines": wanted.lines, "max_lines": wanted.max_lines}
        about = {
            "model": state.model,
            "sha256": state.sha256,
            "family": state.family,
            "order": state.order,
            "context": state.context,
            "settings": settings,
        }

        async def answer(hole: Hole, _repository: Repository) -> Answer:
            return await ask(client, hole, wanted)

        async def memory() -> int:
            return (await client.refresh()).memory

        yield Contender(name, about, answer, memory)
    finally:
        await client.close()


async def ask(client: Listening, hole: Hole, wanted: CompletionSettings) -> Answer:
    """One hole, by the path that an editor's request takes.

    Raises EngineGone, also where the engine fails at it: a failure is no empty answer.
    """
    cursor = hole.cursor
    state = await client.open()
    if reason := refusal(cursor, wanted):
        return Answer("", filtered=reason)
    if state.languages and cursor.language not in state.languages:
        return Answer("", filtered=f"{state.model} does not know {cursor.language}")
    client.asked = client.heard = None
    suggestion = await complete(
        cursor,
        client,
        priority="manual",
        deadline_ms=PATIENCE_MS,
        mode=mode_for(hole, wanted),
        max_lines=wanted.max_lines,
    )
    asked, heard = client.asked, client.heard
    assert asked and heard
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
        digest(write_request(replace(asked, id=0)).decode()),
    )


def mode_for(hole: Hole, wanted: CompletionSettings) -> trim.Mode:
    """Where one line is missing one line is asked for, else what the settings say."""
    return wanted.lines if hole.kind == "block" else "line"


def without_model(wanted: CompletionSettings) -> Contender:
    """The longest earlier occurrence of the text before the cursor."""

    async def answer(hole: Hole, repository: Repository) -> Answer:
        cursor = hole.cursor
        if reason := refusal(cursor, wanted):
            return Answer("", filtered=reason)
        lines = trim.lines_wanted(cursor, mode_for(hole, wanted), wanted.max_lines)
        texts = [*earlier.in_file(hole.before, hole.after), *repository.others(hole)]
        found = earlier.earlier(cursor.prefix.encode("utf-8", "replace"), texts, lines)
        if found is None:
            return Answer("", filtered="nothing before the cursor occurs anywhere else")
        draft = trim.trim(cursor, found.text, lines)
        sure = float(found.length)
        return Answer(draft.text, found.text, draft.filtered, draft.rules, sure)

    async def memory() -> int:
        return 0

    settings = {"lines": wanted.lines, "max_lines": wanted.max_lines}
    return Contender(EARLIER, {"model": None, "settings": settings}, answer, memory)


@contextlib.contextmanager
def own_engines() -> Iterator[Path]:
    ...


def as_json(answer: Answer) -> dict[str, Any]:
    return asdict(answer)
