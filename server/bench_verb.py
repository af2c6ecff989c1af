"""`wicket bench`: is this machine fast enough, and for which model."""

import argparse
import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

from ..completion.client import EngineGone
from . import app, machine, terminal
from .bench.completion import fast_enough
from .bench.result import Result, Run
from .bench.table import BENCHES
from .evaluation import engines
from .paths import UnsafePath

# There is no more to type in the file that is typed, which `bench server` does twice.
MOST_KEYS = 15_000


def run(arguments: argparse.Namespace) -> int:
    name: str = arguments.what or "completion"
    bench = BENCHES[name]
    if arguments.runs < 1 or not 10 <= arguments.keys <= MOST_KEYS:
        why = f"--runs takes at least 1, --keys at least 10 and at most {MOST_KEYS}"
        print(f"wicket bench: {why}", file=sys.stderr)
        return 2
    if arguments.model and not bench.of_models:
        print(
            f"wicket bench: {name} is the same for every model; leave --model out", file=sys.stderr
        )
        return 2
    models: list[str | None] = list(dict.fromkeys(arguments.model or [None]))
    try:
        result = _measured(name, models, arguments.runs, arguments.keys)
        if arguments.append:
            result.append(Path(arguments.append))
    except (EngineGone, UnsafePath) as error:
        print(f"wicket bench: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"wicket bench: {error.filename}: {error.strerror}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(result.to_json()))
        return 0
    result.show(bench.figures)
    console = terminal.tables()
    for verdict in result.verdicts.values():
        console.print(verdict)
    fast = [model for model, of in result.subjects.items() if bench.of_models and fast_enough(of)]
    if len(models) > 1 and fast:
        names = ", ".join(fast)
        console.print(f"Of those that are fast enough ({names}), `wicket eval` says which is best.")
    return 0


def _measured(name: str, models: list[str | None], runs: int, keys: int) -> Result:
    """Every model `runs` times, in turns, so that whatever else the machine does falls on
    all of them alike.  Raises EngineGone and UnsafePath."""
    bench, before = BENCHES[name], machine.described()
    found: dict[str, list[Run]] = {}
    with terminal.progress() as bar, engines.apart() as own:
        task = bar.add_task(name, total=runs * len(models))
        startup = replace(app.start(), paths=own)
        for _ in range(runs):
            for model in models:
                chosen = startup.with_model(model)
                subject = engines.name_of(chosen) if bench.of_models else name
                said = asyncio.run(bench.once(chosen, keys))
                found.setdefault(subject, []).append(said)
                bar.advance(task)
    result = Result.of(name, found, before, keys=keys)
    verdicts = {subject: bench.verdict(subject, of) for subject, of in result.subjects.items()}
    return replace(result, verdicts=verdicts)
