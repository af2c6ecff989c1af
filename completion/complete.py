"""The flow of one suggestion: cursor -> engine -> text of this document -> trimmed."""

import time
from collections.abc import Sequence

from . import families, trim
from .client import EngineClient
from .cursor import Cursor, Snippet, Suggestion
from .trim import Mode
from .wire import PREFIX_LIMIT, SUFFIX_LIMIT, Complete, Priority


async def complete(
    cursor: Cursor,
    engine: EngineClient,
    *,
    priority: Priority = "auto",
    deadline_ms: int | None = None,
    mode: Mode = "auto",
    max_lines: int = 8,
    context: Sequence[Snippet] = (),
) -> Suggestion:
    """One suggestion at `cursor`, empty where there is none to offer.

    Raises EngineGone where no engine can be reached.  A cancelled caller cancels the work.
    """
    began = time.monotonic()
    lines = trim.lines_wanted(cursor, mode, max_lines)
    state = await engine.open()
    generated = await engine.complete(
        Complete(
            id=0,
            path=cursor.path,
            language=cursor.language,
            prefix=cursor.prefix[-PREFIX_LIMIT:],
            suffix=cursor.suffix[:SUFFIX_LIMIT],
            priority=priority,
            deadline_ms=deadline_ms,
            lines=lines,
            context=tuple(context),
        )
    )
    done = generated.done
    if done.done == "failed":
        return Suggestion("", model=done.model or state.model, filtered=done.why, ms=done.ms)
    raw = families.from_model(done.family or state.family, generated.text, cursor)
    draft = trim.trim(cursor, raw, lines, done.done)
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
        context=tuple(context),
    )
