"""The self-test of a model: its holes filled by a real engine, on this machine."""

import asyncio
import math
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from .. import __version__
from ..completion import families
from ..completion.client import EngineClient, EngineGone
from ..completion.cursor import Cursor
from ..completion.models import Model, hashes, trial
from ..completion.models.trial import Probe, Score, Trial
from ..completion.private import make_private
from ..completion.wire import Complete, State
from .app import Startup
from .evaluation import engines
from .evaluation.contenders import PATIENCE_MS, ready
from .paths import Paths

# After an import no further language is begun after so long: one tells a useless model.
PATIENCE_SECONDS = 20.0

Progress = Callable[[str, int, int], None]


def tried(startup: Startup, model: Model, progress: Progress, seconds: float = math.inf) -> Trial:
    """Start an engine of its own for `model`, ask, and note what was found.

    No further language is begun after so many seconds.

    Raises EngineGone and UnsafePath.
    """
    with engines.apart() as own:
        found = asyncio.run(_tried(replace(startup, paths=own), model, progress, seconds))
    if model.sha256:
        file = _file(startup.paths)
        said = hashes.read_object(file) | {model.sha256: found.to_json()}
        make_private(file.parent)
        hashes.write_whole(file, hashes.as_json(said))
    return found


def noted(paths: Paths) -> dict[str, Trial]:
    """The latest trial of each file on this machine, by sha256."""
    said = hashes.read_object(_file(paths))
    found = {sha256: Trial.of_json(one) for sha256, one in said.items()}
    return {sha256: one for sha256, one in found.items() if one}


def in_words(name: str, found: Trial) -> list[str]:
    """A line for each language, then what it costs here."""
    lines = [
        f"{name}, {language}: {s.exact} of {s.holes} lines right, {s.alike:.0%} alike "
        f"({s.by_chance:.0%} by chance)"
        for language, s in found.scores.items()
    ]
    rates = found.rates
    cost = f"a line in {found.first_ms:.0f} ms (median)"
    cost += "".join(f", {what} {rate:.0f} tokens/s" for what, rate in rates.items() if rate)
    return [*lines, f"{name}: {cost}, {found.memory >> 20} MB of memory"]


async def _tried(startup: Startup, model: Model, progress: Progress, seconds: float) -> Trial:
    scores: dict[str, Score] = {}
    took: list[float] = []
    # By its path: a setting may give the name to another model.
    async with engines.connections(startup.with_model(str(model.path))) as connect:
        client = EngineClient(connect, __version__)
        try:
            state = await ready(client)
            until = time.monotonic() + seconds
            languages = trial.languages_for(model.languages)
            for language in languages:
                holes = trial.probes(language)
                answers: list[str] = []
                for number, probe in enumerate(holes):
                    progress(language, number, len(holes))
                    began = time.monotonic()
                    answers.append(await _answer(client, state, probe))
                    took.append((time.monotonic() - began) * 1000)
                scores[language] = trial.score(answers, [probe.gold for probe in holes])
                if time.monotonic() > until:
                    break
            state = await client.refresh()
        finally:
            await client.close()
    why = trial.verdict(scores, model.path.stat().st_size)
    median = round(statistics.median(took), 1) if took else 0.0
    return Trial(scores, why, median, state.rates, state.memory)


async def _answer(client: EngineClient, state: State, probe: Probe) -> str:
    request = Complete(
        id=0,
        path=probe.path,
        language=probe.language,
        prefix=probe.before,
        suffix=probe.after,
        priority="manual",
        deadline_ms=PATIENCE_MS,
    )
    said = await client.complete(request)
    if said.done.done == "failed":
        raise EngineGone(said.done.why or "the engine failed")
    cursor = Cursor(probe.path, probe.language, probe.before + probe.after, len(probe.before))
    return families.from_model(state.family, said.text, cursor)


def _file(paths: Paths) -> Path:
    return paths.cache / "trials.json"
