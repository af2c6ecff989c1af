"""The flow of one suggestion: copies -> the model -> the likelier one -> shown or not."""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from . import arbiter, chances, families, trim
from .arbiter import Written
from .client import EngineClient, Generated, ignore
from .copies import copies
from .cursor import Cursor, Snippet, Suggestion
from .earlier import Text, in_file
from .place import Troubles
from .trim import Drafts, Mode
from .wire import PREFIX_LIMIT, SUFFIX_LIMIT, Complete, Decoding, Priority, State

# What is said of a suggestion that is likely enough to be wrong.
UNSURE = "unsure"


@dataclass(frozen=True, slots=True)
class Terms:
    """How a suggestion is asked for.

    `hold_ms` is waited before text is generated; `context` goes before the prompt, `texts`
    are other places to copy from, the nearest first, and `troubles` asks the grammar.  So
    many `alternatives` at most are looked for.  What is less likely than `least_chance` is
    shown only to who asks by hand.  With another `decoding` than plain a model on this
    machine looks into the `texts`, too.
    """

    priority: Priority = "auto"
    deadline_ms: int | None = None
    hold_ms: float = 0.0
    mode: Mode = "auto"
    max_lines: int = 8
    context: tuple[Snippet, ...] = ()
    texts: tuple[Text, ...] = ()
    troubles: Troubles | None = None
    alternatives: int = 1
    least_chance: float = chances.SHOWN
    decoding: Decoding = "plain"

    @property
    def by_hand(self) -> bool:
        """Somebody waits for whatever there is."""
        return self.priority == "manual"


async def complete(
    cursor: Cursor,
    engine: EngineClient | None,
    terms: Terms,
    hear: Callable[[str], None] = ignore,
) -> Suggestion:
    """The likeliest suggestion at `cursor`, empty where none is likely enough.

    Without an `engine` there are copies only.  Raises EngineGone where it cannot be
    reached.  A cancelled caller cancels the work.
    """
    began = time.monotonic()
    lines = trim.lines_wanted(cursor, terms.mode, terms.max_lines)
    before = cursor.prefix[-PREFIX_LIMIT:].encode("utf-8", "replace")
    found = copies(before, [*in_file(cursor.prefix, cursor.suffix), *terms.texts], lines)
    best, by_hand = Suggestion(""), terms.by_hand
    drafts = Drafts(cursor, terms.troubles)
    first_look = arbiter.glance(found)
    if engine is None or (first_look.sure and not by_hand):
        best = arbiter.choose(drafts, lines, found, None, by_hand=by_hand)
    written = list[Written]()
    if engine is not None and not (best.text and best.chance >= chances.SURE):
        state = await engine.open()
        if state.languages and cursor.language not in state.languages:
            best = arbiter.choose(drafts, lines, found, None, by_hand=by_hand)
            why = None if best.text else f"{state.model} does not know {cursor.language}"
            best = replace(best, model=state.model, filtered=why)
        else:
            asking = asyncio.ensure_future(ask(cursor, engine, terms, lines, hear))
            try:
                await _trim_ahead(drafts, first_look.lines, asking)
                generated = await asking
            finally:
                asking.cancel()
            said = (read(cursor, state, one) for one in (generated, *generated.others))
            written = [one for one in said if one]
            first = next(iter(written), None)
            best = arbiter.choose(drafts, lines, found, first, by_hand=by_hand)
            why = None if best.text else generated.done.why or best.filtered
            best = replace(
                best,
                model=generated.done.model or state.model,
                filtered=why,
                tokens=generated.done.tokens,
                ms=generated.done.ms,
                context=terms.context,
            )
    if best.model is None and engine is not None and engine.state is not None:
        best = replace(best, model=engine.state.model)
    if best.text and best.chance < terms.least_chance and not terms.by_hand:
        best = replace(best, text="", replace=0, source="none", filtered=UNSURE)
    if best.text and terms.alternatives > 1:
        most = terms.alternatives - 1
        others = arbiter.others(drafts, lines, found, written, best, most)
        best = replace(best, others=tuple(_beside(best, other) for other in others))
    total = round((time.monotonic() - began) * 1000, 2)
    return replace(best, ms=best.ms | {"total": total})


async def _trim_ahead(
    drafts: Drafts, texts: Iterable[str], asking: asyncio.Future[Generated]
) -> None:
    """While the engine works on its answer, look at the texts that will be compared with it."""
    for text in texts:
        await asyncio.sleep(0)  # What has come is heard first.
        if asking.done():
            return
        drafts.of(text, 1)


def _beside(best: Suggestion, other: Suggestion) -> Suggestion:
    """One search found both."""
    return replace(other, model=best.model, tokens=best.tokens, ms=best.ms, context=best.context)


async def by_model(cursor: Cursor, engine: EngineClient, terms: Terms) -> Suggestion:
    """What the model alone would suggest, likely or not.  Raises as `complete` does."""
    began = time.monotonic()
    lines = trim.lines_wanted(cursor, terms.mode, terms.max_lines)
    state = await engine.open()
    generated = await ask(cursor, engine, terms, lines)
    done, written = generated.done, read(cursor, state, generated)
    if written is None:
        model = done.model or state.model
        return Suggestion("", model=model, filtered=done.why, ms=done.ms)
    draft = trim.trim(cursor, written.text, lines, done.done, terms.troubles)
    total = round((time.monotonic() - began) * 1000, 2)
    return Suggestion(
        text=draft.text,
        replace=draft.replace,
        source="model" if draft.text else "none",
        model=done.model or state.model,
        filtered=draft.filtered,
        rules=draft.rules,
        tokens=done.tokens,
        ms=done.ms | {"total": total},
        context=terms.context,
    )


async def warm(cursor: Cursor, engine: EngineClient, terms: Terms) -> bool:
    """Have the prompt at a cursor read ahead of its need; whether that came to its end.

    `terms` have the priority "warm".  Raises EngineGone.
    """
    lines = trim.lines_wanted(cursor, terms.mode, terms.max_lines)
    return (await ask(cursor, engine, terms, lines)).done.done == "stop"


async def ask(
    cursor: Cursor,
    engine: EngineClient,
    terms: Terms,
    lines: int,
    hear: Callable[[str], None] = ignore,
) -> Generated:
    """What the engine says.  Raises EngineGone."""
    request = Complete(
        id=0,
        path=cursor.path,
        language=cursor.language,
        prefix=cursor.prefix[-PREFIX_LIMIT:],
        suffix=cursor.suffix[:SUFFIX_LIMIT],
        priority=terms.priority,
        deadline_ms=terms.deadline_ms,
        lines=lines,
        context=terms.context,
        alternatives=terms.alternatives,
    )
    if terms.decoding != "plain" and not (await engine.open()).served:
        texts = await engine.learn(terms.texts)
        request = replace(request, decoding=terms.decoding, texts=texts)
    if terms.hold_ms:
        # The prompt is evaluated while a next key may still come.
        warm = replace(request, priority="warm")
        await asyncio.gather(engine.complete(warm), asyncio.sleep(terms.hold_ms / 1000))
    return await engine.complete(request, hear)


def read(cursor: Cursor, state: State, generated: Generated) -> Written | None:
    """The model's text as it would stand in this document, line by line.

    None where it could not say anything; to say nothing is something else.
    """
    if not generated.text and generated.done.done not in ("stop", "length"):
        return None
    logprobs = [0.0]
    for piece, logprob in zip(generated.pieces, generated.logprobs, strict=True):
        logprobs[-1] += logprob
        logprobs += [0.0] * piece.count("\n")
    done = generated.done
    text = families.from_model(done.family or state.family, generated.text, cursor)
    # Where another model took over, nothing is known of its file.
    sha256 = state.sha256 if done.model in ("", state.model) else ""
    return Written(text, tuple(logprobs), done.done, sha256)
