"""What choosing contexts costs who types: the lag of the event loop beside it, and the choosing.

A file is typed into whose folder is indexed, and every key makes a choice necessary, which is
far more often than in an editor.  A task sleeps a millisecond at a time: how much later it
wakes is the lag, once beside the choices and once, in turns of a second, beside nothing.
"""

import argparse
import asyncio
import os
import random
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import frame
from lsprotocol import types
from wicket.completion.cursor import Cursor
from wicket.completion.metrics import quantile
from wicket.completion.wire import State
from wicket.server.app import Startup, start
from wicket.server.contexts import Contexts
from wicket.server.documents import Documents
from wicket.server.index import Index, order
from wicket.server.lookup import Lookup, Place
from wicket.server.lsp import SWITCH_SECONDS

PACKAGES = ("asyncio", "concurrent", "email", "http", "json", "logging", "unittest", "urllib")
OPENED = "asyncio/base_events.py"
STATE = State(
    "any", "", "ready", family="wicket", context=8192, parameters=1 << 30, rates={"prefill": 1e5}
)


class Measured(Lookup):
    """Looks up as always, and remembers the processor time that it took."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []

    def items(self, place: Place) -> list:
        began = time.thread_time()
        found = super().items(place)
        self.seconds.append(time.thread_time() - began)
        return found


def indexed(folder: Path) -> tuple[Startup, Path]:
    root = folder / "tree"
    for package in PACKAGES:
        shutil.copytree(Path(os.__file__).parent / package, root / package)
    os.environ |= {f"XDG_{name}_HOME": f"{folder}/{name.lower()}" for name in ("CONFIG", "CACHE")}
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    startup = start(folders=[root])
    index = Index(order(startup, root))
    index.refresh()
    index.close()
    return startup, root


async def lag(until: float) -> list[float]:
    """Milliseconds by which one wakes too late."""
    late: list[float] = []
    while (began := time.perf_counter()) < until:
        await asyncio.sleep(0.001)
        late.append((time.perf_counter() - began) * 1000 - 1)
    return late


async def typing(startup: Startup, root: Path, seconds: int, seed: int) -> dict[str, float]:
    documents = Documents()
    documents.change_folders([root.as_uri()])
    text = (root / OPENED).read_text()
    uri = (root / OPENED).as_uri()
    documents.open(types.TextDocumentItem(uri, "python", 1, text))
    # A file beside it is open, too, and changes with every key.
    other = (root / "asyncio/events.py").as_uri()

    async def warm(*_about: object) -> bool:
        return True

    contexts = Contexts(documents, lambda: startup, warm)
    contexts._lookup = lookup = Measured()
    sys.setswitchinterval(SWITCH_SECONDS)
    wanted = replace(startup.effective.settings.completion, context=True)
    chance = random.Random(seed)
    places = [at for at, letter in enumerate(text) if letter == "."]
    beside: list[float] = []
    bare: list[float] = []
    for _turn in range(seconds):
        bare += await lag(time.perf_counter() + 1)
        until = time.perf_counter() + 1
        ticking = asyncio.ensure_future(lag(until))
        while time.perf_counter() < until:
            documents.open(types.TextDocumentItem(other, "python", 1, f"# {chance.random()}\n"))
            cursor = Cursor(OPENED, "python", text, chance.choice(places) + 1)
            contexts.saved(uri)
            contexts.of(cursor, wanted, STATE)
            await asyncio.sleep(0.03)
        beside += await ticking
    contexts.close()
    spent = [1000 * one for one in lookup.seconds]
    return {
        "choices": len(spent),
        "choice_cpu_p50_ms": quantile(spent, 0.5),
        "choice_cpu_p95_ms": quantile(spent, 0.95),
        "choice_cpu_max_ms": max(spent),
        **{
            f"lag_{name}_{label}_ms": quantile(values, share)
            for name, values in (("beside", beside), ("bare", bare))
            for label, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0))
        },
    }


def measure(asked: argparse.Namespace) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="wb", dir="/tmp") as folder:
        startup, root = indexed(Path(folder))
        return asyncio.run(typing(startup, root, asked.seconds, asked.seed))


if __name__ == "__main__":
    frame.main(__doc__, measure, ("--seconds", 10, "of typing, and as many without"))
