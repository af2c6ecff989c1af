"""How fast a model answers on this machine: a file is typed, key by key, without a pause."""

import contextlib
import inspect
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

from ... import __version__
from ...completion import metrics, prompt
from ...completion.client import EngineClient
from ...completion.complete import Terms, by_model
from ...completion.cursor import Cursor
from .. import machine
from ..app import AUTOMATIC_MS, Startup
from ..evaluation import engines
from ..evaluation.contenders import ready
from .result import Figure, Figures, Run

# Longer than any key takes: what is measured is the time that an answer needs.
PATIENCE_MS = 60_000
# What is typed: a module of our own, from its middle on, in the language of the model that
# ships with Wicket.
SOURCE = Path(inspect.getfile(prompt))

# Times are milliseconds, memory is bytes, rates are tokens per second.
FIGURES = (
    Figure("load", "start until ready, ms", digits=0),
    Figure("cold", "first request in a file, ms", digits=0),
    Figure("key_p50", "key to answer, ms, half within"),
    Figure("key_p95", "key to answer, ms, 95 % within"),
    Figure("answered", "keys with a suggestion, %", 100, 0),
    Figure("tokens_per_key", "tokens evaluated per key"),
    Figure("cpu_per_key", "processor time per key, ms"),
    Figure("prefill_rate", "tokens read per second", digits=0),
    Figure("decode_rate", "tokens written per second", digits=0),
    Figure("memory", "memory, MB", 2**-20, 0),
)


async def once(startup: Startup, keys: int) -> Run:
    """Start an engine of the model that `startup` means, type, and stop it.

    Raises EngineGone and UnsafePath.
    """
    began = time.perf_counter()
    async with contextlib.AsyncExitStack() as stack:
        connect = await stack.enter_async_context(engines.connections(startup))
        client = EngineClient(connect, __version__)
        stack.push_async_callback(client.close)
        state = await ready(client)
        load = (time.perf_counter() - began) * 1000
        took: list[float] = []
        tokens: list[int] = []
        answered, cpu = 0, 0.0
        for cursor in typed(keys):
            sent = time.perf_counter()
            suggestion = await by_model(cursor, client, Terms(deadline_ms=PATIENCE_MS))
            took.append((time.perf_counter() - sent) * 1000)
            tokens.append(suggestion.tokens.get("prefill", 0))
            answered += bool(suggestion.text)
            if len(took) == 1:
                cpu = machine.cpu_seconds(state.pid)
        cpu = machine.cpu_seconds(state.pid) - cpu
        state = await client.refresh()
    return {
        "load": load,
        "cold": took[0],
        "key_p50": metrics.quantile(took[1:], 0.5),
        "key_p95": metrics.quantile(took[1:], 0.95),
        "answered": answered / len(took),
        "tokens_per_key": statistics.mean(tokens[1:]),
        "cpu_per_key": cpu * 1000 / keys,
        "prefill_rate": state.rates.get("prefill", 0.0),
        "decode_rate": state.rates.get("decode", 0.0),
        "memory": state.memory,
    }


def typed(keys: int) -> Iterator[Cursor]:
    """The cursor before the first of `keys` keys and after each of them.

    The lines that are typed are taken out, so that each is new when it comes.
    """
    text = SOURCE.read_text("utf-8")
    start = text.index("\n", len(text) // 2) + 1
    rest = text[text.find("\n", start + keys) :]
    for at in range(start, start + keys + 1):
        yield Cursor(SOURCE.name, "python", text[:at] + rest, at)


def fast_enough(figures: Figures) -> bool:
    """Whether an editor gets nearly every answer before it stops to wait."""
    return figures["key_p95"].median <= AUTOMATIC_MS


def verdict(model: str, figures: Figures) -> str:
    took = f"95 % of the keys are answered within {figures['key_p95'].median:.0f} ms"
    if fast_enough(figures):
        return f"{model} is fast enough here: {took}, of {AUTOMATIC_MS} granted"
    return (
        f"{model} is too slow here: {took}, and an editor waits for {AUTOMATIC_MS}; "
        "choose a smaller one with `wicket model use NAME`"
    )
