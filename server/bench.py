"""How fast a model answers on this machine: a file is typed, key by key, without a pause.

Runs of several models take turns, so that whatever else the machine does falls on all of
them alike.
"""

import contextlib
import inspect
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..completion import metrics, prompt
from ..completion.client import EngineClient
from ..completion.complete import complete
from ..completion.cursor import Cursor
from .app import AUTOMATIC_MS, Startup
from .evaluation import engines
from .evaluation.contenders import ready

# Longer than any key takes: what is measured is the time that an answer needs.
PATIENCE_MS = 60_000
# What is typed: a module of our own, from its middle on, in the language of the model that
# ships with Wicket.
SOURCE = Path(inspect.getfile(prompt))

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Run:
    """One model, typed with once.  Times are milliseconds, memory is bytes, rates are
    tokens per second; `cold` is the first request, `load` the start before it."""

    load: float
    cold: float
    key_p50: float
    key_p95: float
    answered: float
    tokens_per_key: float
    cpu_per_key: float
    prefill_rate: float
    decode_rate: float
    memory: float


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of several runs, the least and the greatest."""

    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Speed:
    """What was measured of one model."""

    model: str
    figures: dict[str, Spread]

    @property
    def fast_enough(self) -> bool:
        """Whether an editor gets nearly every answer before it stops to wait."""
        return self.figures["key_p95"].median <= AUTOMATIC_MS

    @property
    def verdict(self) -> str:
        took = f"95 % of the keys are answered within {self.figures['key_p95'].median:.0f} ms"
        if self.fast_enough:
            return f"{self.model} is fast enough here: {took}, of {AUTOMATIC_MS} granted"
        return (
            f"{self.model} is too slow here: {took}, and an editor waits for {AUTOMATIC_MS}; "
            "choose a smaller one with `wicket model use NAME`"
        )

    def to_json(self) -> dict[str, Any]:
        return {"model": self.model, "fast_enough": self.fast_enough} | asdict(self)


async def measure(
    startup: Startup,
    models: Sequence[str | None],
    runs: int,
    keys: int,
    progress: Progress,
) -> list[Speed]:
    """Every model `runs` times, in turns.  Raises EngineGone and UnsafePath."""
    found: dict[str, list[Run]] = {}
    for number in range(runs):
        for model in models:
            name, run = await once(startup.with_model(model), keys)
            found.setdefault(name, []).append(run)
            progress(number + 1, runs, name)
    return [Speed(name, spreads(of)) for name, of in found.items()]


async def once(startup: Startup, keys: int) -> tuple[str, Run]:
    """Start an engine, type, and stop it."""
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
            suggestion = await complete(cursor, client, deadline_ms=PATIENCE_MS)
            took.append((time.perf_counter() - sent) * 1000)
            tokens.append(suggestion.tokens.get("prefill", 0))
            answered += bool(suggestion.text)
            if len(took) == 1:
                cpu = cpu_seconds(state.pid)
        cpu = cpu_seconds(state.pid) - cpu
        state = await client.refresh()
    return engines.name_of(startup), Run(
        load=load,
        cold=took[0],
        key_p50=metrics.quantile(took[1:], 0.5),
        key_p95=metrics.quantile(took[1:], 0.95),
        answered=answered / len(took),
        tokens_per_key=statistics.mean(tokens[1:]),
        cpu_per_key=cpu * 1000 / keys,
        prefill_rate=state.rates.get("prefill", 0.0),
        decode_rate=state.rates.get("decode", 0.0),
        memory=state.memory,
    )


def typed(keys: int) -> Iterator[Cursor]:
    """The cursor before the first of `keys` keys and after each of them.

    The lines that are typed are taken out, so that each is new when it comes.
    """
    text = SOURCE.read_text("utf-8")
    start = text.index("\n", len(text) // 2) + 1
    rest = text[text.find("\n", start + keys) :]
    for at in range(start, start + keys + 1):
        yield Cursor(SOURCE.name, "python", text[:at] + rest, at)


def spreads(runs: Sequence[Run]) -> dict[str, Spread]:
    """The median, least and greatest of each figure."""
    said = [asdict(run) for run in runs]
    return {
        name: Spread(
            statistics.median(one[name] for one in said),
            min(one[name] for one in said),
            max(one[name] for one in said),
        )
        for name in said[0]
    }


def cpu_seconds(pid: int) -> float:
    """What a process has used of the processors so far (Linux; 0 elsewhere)."""
    with contextlib.suppress(OSError, IndexError, ValueError):
        # The name, second, is in brackets and may hold spaces (proc(5)).
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0
