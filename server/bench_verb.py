"""`wicket bench`: is this machine fast enough, and for which model."""

import argparse
import asyncio
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from ..completion.client import EngineGone
from . import app
from .bench import Speed, measure
from .evaluation import engines
from .paths import UnsafePath

# Name in a run, what a person reads, its factor and digits.
ROWS = (
    ("load", "start until ready, ms", 1, 0),
    ("cold", "first request in a file, ms", 1, 0),
    ("key_p50", "key to answer, ms, half within", 1, 1),
    ("key_p95", "key to answer, ms, 95 % within", 1, 1),
    ("answered", "keys with a suggestion, %", 100, 0),
    ("tokens_per_key", "tokens evaluated per key", 1, 1),
    ("cpu_per_key", "processor time per key, ms", 1, 1),
    ("prefill_rate", "tokens read per second", 1, 0),
    ("decode_rate", "tokens written per second", 1, 0),
    ("memory", "memory, MB", 2**-20, 0),
)


def run(arguments: argparse.Namespace) -> int:
    if arguments.runs < 1 or arguments.keys < 10:
        print("wicket bench: --runs takes at least 1, --keys at least 10", file=sys.stderr)
        return 2
    models: list[str | None] = list(dict.fromkeys(arguments.model or [None]))
    machine = {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
    }
    try:
        speeds = _measured(models, arguments.runs, arguments.keys)
    except (EngineGone, UnsafePath) as error:
        print(f"wicket bench: {error}", file=sys.stderr)
        return 1
    said = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": machine,
        "runs": arguments.runs,
        "keys": arguments.keys,
        "models": [speed.to_json() for speed in speeds],
    }
    if arguments.append:
        try:
            with Path(arguments.append).open("a", encoding="utf-8") as file:
                file.write(json.dumps(said) + "\n")
        except OSError as error:
            print(f"wicket bench: {arguments.append}: {error.strerror}", file=sys.stderr)
            return 1
    if arguments.json:
        print(json.dumps(said))
    else:
        show(said, speeds)
    return 0


def _measured(models: list[str | None], runs: int, keys: int) -> list[Speed]:
    console = Console(stderr=True, highlight=False)
    with Progress(console=console, disable=not console.is_terminal) as bar:
        tasks: dict[str, Any] = {}

        def progress(done: int, total: int, name: str) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total)
            bar.update(tasks[name], completed=done)

        with engines.apart(app.start()) as startup:
            return asyncio.run(measure(startup, models, runs, keys, progress))


def show(said: dict[str, Any], speeds: list[Speed]) -> None:
    console = Console(highlight=False)
    machine = said["machine"]
    console.print(
        f"{machine['machine']}, {machine['cores']} cores, load before {machine['load_before']}; "
        f"{said['runs']} runs of {said['keys']} keys: median (least to greatest)"
    )
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("")
    for speed in speeds:
        table.add_column(speed.model, justify="right")
    for name, label, factor, digits in ROWS:
        spreads = [speed.figures[name] for speed in speeds]
        cells = [
            f"{factor * one.median:.{digits}f} "
            f"({factor * one.low:.{digits}f} to {factor * one.high:.{digits}f})"
            for one in spreads
        ]
        table.add_row(label, *cells)
    console.print(table)
    for speed in speeds:
        console.print(speed.verdict)
    fast = [speed for speed in speeds if speed.fast_enough]
    if len(speeds) > 1 and fast:
        names = ", ".join(speed.model for speed in fast)
        console.print(f"Of those that are fast enough ({names}), `wicket eval` says which is best.")
