"""What the LSP process costs by itself: everything but engine and context.

`wicket lsp` runs as an editor runs it, with an engine that has its answer ready.  Besides
keys it is asked things that need no work: how long they take tells how long its event loop
is busy with something else.
"""

import asyncio
import contextlib
import json
import os
import time
from asyncio import subprocess
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ... import __version__
from ...completion import metrics
from ...completion.client import EngineGone
from ...completion.engine import Answer, Engine, Halted
from ...completion.gguf import BadModel
from ...completion.serve import serve
from ...completion.wire import Complete, Done, Piece, State
from .. import app, machine, processes
from ..app import Startup
from ..explanations import EXPLAIN
from .result import Figure, Figures, Run

FIGURES = (
    Figure("start", "start until the first answer, ms", digits=0),
    Figure("key_p50", "key to answer, ms, half within"),
    Figure("key_p95", "key to answer, ms, 95 % within"),
    Figure("answered", "keys with a suggestion, %", 100, 0),
    Figure("cpu_per_key", "processor time per key, ms"),
    Figure("lag_p50", "event loop busy, ms, half within", digits=2),
    Figure("lag_p99", "event loop busy, ms, 99 % within", digits=2),
    Figure("memory", "private memory, MB", 2**-20),
    Figure("grown", "of which grown in the second half, MB", 2**-20, 2),
)

# What is typed into: a long file that every Python has, from its middle on.
SOURCE = Path(asyncio.__file__).parent / "base_events.py"
URI = "file:///bench/base_events.py"
# No key continues it, so that every key goes all the way.
SUGGESTED = "zone = self.measure(quick)"
# Between two questions that need no work.
QUESTION_SECONDS = 0.005
QUESTIONS = 100
# An LSP process that says nothing for so long hangs.
SILENCE_SECONDS = 30.0

# As much of an editor's settings as the figures are about.
OPTIONS = {
    "completion": {
        "enabled": True,
        "trigger": "auto",
        "languages": ["*"],
        "exclude": [],
        "debounce_ms": 0,
        "context": False,
    }
}


async def once(startup: Startup, keys: int) -> Run:
    """Type `keys` keys twice, the second time with questions beside.  Raises EngineGone."""
    text, typing = typed(keys * 2 + 1)
    began = time.perf_counter()
    async with instant_engine(startup), editing(text) as editor:
        await editor.press(next(typing))
        start = (time.perf_counter() - began) * 1000
        idle = [await editor.question() for _ in range(QUESTIONS)]
        cpu = machine.cpu_seconds(editor.pid)
        alone = [await editor.press(next(typing)) for _ in range(keys)]
        cpu = machine.cpu_seconds(editor.pid) - cpu
        halfway = machine.private_bytes(editor.pid)
        busy: list[float] = []
        asking = asyncio.create_task(_questions(editor, busy))
        for key in typing:
            await editor.press(key)
        asking.cancel()
        memory = machine.private_bytes(editor.pid)
    took = [milliseconds for milliseconds, _ in alone]
    nothing = metrics.quantile(idle, 0.5)
    return {
        "start": start,
        "key_p50": metrics.quantile(took, 0.5),
        "key_p95": metrics.quantile(took, 0.95),
        "answered": sum(shown for _, shown in alone) / len(alone),
        "cpu_per_key": cpu * 1000 / keys,
        "lag_p50": max(0.0, metrics.quantile(busy, 0.5) - nothing),
        "lag_p99": max(0.0, metrics.quantile(busy, 0.99) - nothing),
        "memory": memory,
        "grown": memory - halfway,
    }


def verdict(_name: str, figures: Figures) -> str:
    return (
        "An answer takes as long as the engine does, and for 95 % of the keys at most "
        f"{figures['key_p95'].median:.1f} ms more"
    )


class Instant:
    """An engine's backend that has its answer ready."""

    def load(self, progress: Callable[[float], None]) -> None:
        progress(1.0)

    def describe(self, state: State) -> State:
        return replace(state, family="wicket", order="spm", context=1024)

    def complete(self, request: Complete, halted: Halted) -> Iterator[Answer]:
        yield Piece(request.id, SUGGESTED, -0.1)
        yield Done(request.id, "stop", tokens={"prefill": 1, "reused": 0, "decoded": 8})

    def interrupt(self) -> None: ...

    def resume(self) -> None: ...


@contextlib.asynccontextmanager
async def instant_engine(startup: Startup) -> AsyncGenerator[None]:
    """Listen where `startup` looks for its engine, so that it starts none."""
    try:
        told = app.order(startup)
    except BadModel as error:
        raise EngineGone(str(error)) from None
    lock = processes.try_lock(told.socket)
    assert lock is not None, "the directory is the benchmark's own"
    engine = Engine(Instant(), State(told.model.name, told.model.sha256, "loading"))
    engine.start()
    stop = asyncio.Event()
    serving = asyncio.create_task(
        serve(
            processes.bind(told.socket),
            engine,
            version=__version__,
            idle_seconds=SILENCE_SECONDS,
            allowed=processes.same_user,
            stop=stop,
            leave=lambda: told.socket.unlink(missing_ok=True),
        )
    )
    try:
        yield
    finally:
        stop.set()
        engine.close()
        await serving
        lock.close()


@dataclass(frozen=True, slots=True)
class Key:
    """What is typed, and where; 0-based, as in LSP."""

    line: int
    column: int
    typed: str

    @property
    def after(self) -> dict[str, int]:
        if self.typed == "\n":
            return {"line": self.line + 1, "character": 0}
        return {"line": self.line, "character": self.column + len(self.typed)}


def typed(keys: int) -> tuple[str, Iterator[Key]]:
    """The text before the first of `keys` keys, and the keys; their lines are taken out."""
    text = SOURCE.read_text("utf-8")
    start = text.index("\n", len(text) // 2) + 1
    rest = text[text.find("\n", start + keys) :]
    line = text.count("\n", 0, start)

    def pressed() -> Iterator[Key]:
        lines = text[start : start + keys].splitlines(keepends=True)
        for number, one in enumerate(lines):
            yield from (Key(line + number, column, key) for column, key in enumerate(one))

    return text[:start] + rest, pressed()


class Editor:
    """Speaks LSP over pipes with as little work of its own as can be: it is measured too."""

    def __init__(self, process: subprocess.Process) -> None:
        self.pid = process.pid
        assert process.stdin is not None, "it was asked for a pipe"
        assert process.stdout is not None, "it was asked for a pipe"
        self._writing, self._reading = process.stdin, process.stdout
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._version = 0
        self._hearing = asyncio.create_task(self._hear())

    async def press(self, key: Key) -> tuple[float, bool]:
        """Milliseconds from the question to the answer, and whether it is a suggestion."""
        self._version += 1
        place = {"line": key.line, "character": key.column}
        change = {"range": {"start": place, "end": place}, "text": key.typed}
        document = {"uri": URI, "version": self._version}
        self.tell("textDocument/didChange", textDocument=document, contentChanges=[change])
        sent = time.perf_counter()
        answer = await self.ask(
            "textDocument/inlineCompletion",
            textDocument={"uri": URI},
            position=key.after,
            context={"triggerKind": 2},  # Automatic.
        )
        return (time.perf_counter() - sent) * 1000, bool(answer and answer["items"])

    async def question(self) -> float:
        """Milliseconds until something is answered that needs no work."""
        sent = time.perf_counter()
        await self.ask(EXPLAIN)
        return (time.perf_counter() - sent) * 1000

    async def ask(self, method: str, **params: Any) -> Any:
        """Raises EngineGone where no answer comes.  Who is cancelled withdraws the question."""
        number = len(self._waiting)
        self._waiting[number] = asyncio.get_running_loop().create_future()
        self._send({"id": number, "method": method, "params": params})
        try:
            return await asyncio.wait_for(self._waiting[number], SILENCE_SECONDS)
        except TimeoutError:
            raise EngineGone("`wicket lsp` does not answer; run `wicket doctor`") from None
        except asyncio.CancelledError:
            self.tell("$/cancelRequest", id=number)
            raise

    def tell(self, method: str, **params: Any) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._writing.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))

    async def _hear(self) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                head = await self._reading.readuntil(b"\r\n\r\n")
                size = int(head.lower().partition(b"content-length:")[2].split()[0])
                said = json.loads(await self._reading.readexactly(size))
                # What the server says of its own accord is passed over, and an answer
                # that nobody waits for any more.
                if "method" not in said and not self._waiting[said["id"]].done():
                    self._waiting[said["id"]].set_result(said.get("result"))


@contextlib.asynccontextmanager
async def editing(text: str) -> AsyncGenerator[Editor]:
    """An editor with `text` open in a `wicket lsp` of its own, which ends with it."""
    process = await subprocess.create_subprocess_exec(
        *processes.command("lsp"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        editor = Editor(process)
        await editor.ask(
            "initialize", processId=os.getpid(), capabilities={}, initializationOptions=OPTIONS
        )
        editor.tell("initialized")
        document = {"uri": URI, "languageId": "python", "version": 0, "text": text}
        editor.tell("textDocument/didOpen", textDocument=document)
        yield editor
        await editor.ask("shutdown")
        editor.tell("exit")
        await asyncio.wait_for(process.wait(), SILENCE_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _questions(editor: Editor, took: list[float]) -> None:
    """Ask until cancelled; what is open then is not counted."""
    while True:
        took.append(await editor.question())
        await asyncio.sleep(QUESTION_SECONDS)
