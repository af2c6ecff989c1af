"""Engines whose answers are known: real sockets, a real engine thread, a planted backend."""

import asyncio
import contextlib
import dataclasses
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from wicket import __version__
from wicket.completion import wire
from wicket.completion.client import Connect, Streams
from wicket.completion.engine import Answer, Backend, BackendError, Engine, Halted
from wicket.completion.serve import serve
from wicket.completion.wire import Complete, Done, Piece, State
from wicket.server.app import Startup
from wicket.server.evaluation import contenders
from wicket.server.evaluation.run import Plan, Report, evaluate
from wicket.server.paths import Paths
from wicket.server.settings import load

# Small files of our own, as they were once: holes in them stay the same.
REPOSITORY = Path(__file__).parents[1] / "evaluation" / "repository"


def oracle(request: Complete) -> str:
    """What was cut out, told by the two texts around it."""
    text = (REPOSITORY / request.path).read_text()
    return text[len(request.prefix) : len(text) - len(request.suffix)]


def unusual_files(folder: Path) -> Path:
    """Files in which each line has a word of its own, and a copy of one of them."""
    number = 0
    for name in ("a.py", "b.py", "sub/c.py"):
        lines: list[str] = []
        for _ in range(12):
            lines.append(f"def work_{number}(value):")
            for _ in range(3):
                number += 1
                lines.append(f"    value.zq{number}x(value, zq{number}x)")
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(lines) + "\n")
    (folder / "copy.py").write_text((folder / "b.py").read_text() + "# A copy.\n")
    return folder


class Planted:
    """A backend that says what `say` makes of a request, and keeps every request.

    It fails for good at request number `fails_at`.
    """

    def __init__(self, say: Callable[[Complete], str], fails_at: int = -1) -> None:
        self.say = say
        self.fails_at = fails_at
        self.requests: list[Complete] = []

    def load(self, progress: Callable[[float], None]) -> None:
        progress(1.0)

    def describe(self, state: State) -> State:
        return dataclasses.replace(state, family="wicket", order="spm", context=1024)

    def complete(self, request: Complete, halted: Halted) -> Iterator[Answer]:
        if len(self.requests) == self.fails_at:
            raise BackendError("the planted engine fails")
        self.requests.append(request)
        if text := self.say(request):
            yield Piece(request.id, text, -0.5)
        yield Done(request.id, "stop", tokens={"prefill": 7, "reused": 0, "decoded": 1})

    def interrupt(self) -> None: ...

    def resume(self) -> None: ...


@contextlib.asynccontextmanager
async def serving(folder: Path, backend: Backend, sha256: str = "0") -> AsyncIterator[Connect]:
    """Streams to an engine of `backend`, over a socket in `folder`."""
    path = folder / f"{secrets.token_hex(4)}.sock"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()
    engine = Engine(backend, State("planted", sha256, "loading", languages=("python",)))
    engine.start()
    stop = asyncio.Event()
    task = asyncio.create_task(
        serve(
            listening,
            engine,
            version=__version__,
            idle_seconds=60,
            allowed=bool,
            stop=stop,
            leave=lambda: None,
        )
    )

    async def connect() -> Streams:
        return await asyncio.open_unix_connection(path, limit=wire.LINE_LIMIT)

    try:
        yield connect
    finally:
        stop.set()
        engine.close()
        await task
        await asyncio.sleep(0.05)


def startup_in(folder: Path) -> Startup:
    """A user without any settings."""
    paths = dataclasses.replace(
        Paths.of({"HOME": str(folder / "home"), "XDG_RUNTIME_DIR": str(folder)}),
        managed=folder / "etc",
    )
    return Startup(paths, load(paths, None, []), "")


async def measured(
    folder: Path, backend: Backend, plan: Plan, name: str = "planted", sha256: str = "0"
) -> Report:
    """A report about one engine and the search without a model."""
    startup = startup_in(folder)
    wanted = startup.effective.settings.completion
    async with serving(folder, backend, sha256) as connect:
        entered = [contenders.engine(name, connect, wanted), contenders.without_model(wanted)]
        return await evaluate(plan, startup, entered)


def environment(folder: Path) -> dict[str, str]:
    """That of a user whose home is `folder`."""
    return {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}


def wicket(
    folder: Path, *arguments: str, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """The command line, by a user whose home is `folder`."""
    done = subprocess.run(
        [sys.executable, "-I", "-m", "wicket.server", *arguments],
        env=environment(folder),
        cwd=cwd or folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done


def means(report: Report, name: str) -> dict[str, float]:
    """Mean of each figure over all holes."""
    scores = [row.scores[name] for row in report.scored]
    figures: Sequence[str] = ("shown", "exact", "raw", "similarity", "saved", "tokens")
    return {one: sum(float(getattr(s, one)) for s in scores) / len(scores) for one in figures}


def without_times(said: dict[str, Any]) -> dict[str, Any]:
    """A report without what a clock, a machine and its load put in."""
    said = json.loads(json.dumps(said))
    for row in said["scored"]:
        for score in row["scores"].values():
            score["ms"] = score["cpu_ms"] = 0
    for contender in said["contenders"].values():
        contender["memory"] = 0
    return said | {"machine": None}
