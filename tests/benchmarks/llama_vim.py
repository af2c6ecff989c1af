"""Key press to valid ghost text: Wicket, and llama-server as llama.vim drives it, in turns.

Both have the same model file, type the same lines with the same pauses, and take turns line
by line (ABBA), so that whatever else the machine does falls on both.  Wicket is the real
`wicket lsp` with its defaults, driven as our Neovim plugin does: what is shown goes on with
the key that continues it, and every key asks anew.  llama-server gets what llama.vim would
send (`LlamaVim`), as `/infill` over a new connection each time, but without the `curl` that
llama.vim starts for it.  A key counts where ghost text that is valid for it stands when the
next key comes; its time is when that began.

The model's window of 1,024 tokens leaves no room for llama.vim's other files, so they are
left out.  `--samples FILE` keeps each key's time for `latencies.py`, which draws them.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import random
import re
import sys
import tempfile
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import frame
from keystrokes import SOURCE, gap, processes_of
from wicket.completion.metrics import quantile
from wicket.server import machine
from wicket.server.bench.server import URI, Editor
from wicket.server.explanations import EXPLAIN

sys.path.insert(0, str(Path(__file__).parents[1] / "completion"))
from llama_servers import CACHE, MODEL, free_port, serving

# The server's own window for a prompt is `BATCH`: three quarters before the cursor, one
# behind it.  The rest of the model's 1,024 tokens is for the answer.  Reuse of shifted
# pieces is on, as in the presets for llama.vim.
BATCH = 512
SERVER = (
    "-c",
    "1024",
    "-b",
    str(BATCH),
    "-np",
    "1",
    "-t",
    "1",
    "--cache-reuse",
    "256",
    "--spm-infill",
)
# What work for later a line leaves behind has ended by then.
SETTLE_SECONDS = 0.3


@dataclass(slots=True)
class Buffer:
    """The text of an editor, and its cursor."""

    before: str
    after: str

    def type(self, key: str) -> None:
        self.before += key


class Contender(Protocol):
    async def key(self, key: str) -> None:
        """The key is in the buffer now; returns before any answer."""
        ...

    @property
    def shown(self) -> tuple[str, float] | None:
        """The ghost text that is valid now, and when it began to be shown."""
        ...

    async def told(self) -> int:
        """Tokens of prompts that were evaluated since the last call, as far as it says."""
        ...

    @property
    def cpu(self) -> float:
        """Processor seconds of its processes so far."""
        ...


class Wicket:
    """The real server, driven as our Neovim plugin does."""

    def __init__(self, editor: Editor, buffer: Buffer, folder: str) -> None:
        self._editor, self._buffer, self._folder = editor, buffer, folder
        self._ghost: tuple[str, float] | None = None
        self._asking: asyncio.Task[None] | None = None
        self._version = 0

    @property
    def shown(self) -> tuple[str, float] | None:
        return self._ghost

    @property
    def cpu(self) -> float:
        return sum(machine.cpu_seconds(one.pid) for one in processes_of(self._folder))

    async def key(self, key: str) -> None:
        now = time.perf_counter()
        rest = self._ghost[0].removeprefix(key) if self._ghost else ""
        going_on = self._ghost is not None and self._ghost[0].startswith(key) and rest != ""
        self._ghost = (rest, now) if going_on else None
        at = place(self._buffer.before.removesuffix(key))
        self._version += 1
        self._editor.tell(
            "textDocument/didChange",
            textDocument={"uri": URI, "version": self._version},
            contentChanges=[{"range": {"start": at, "end": at}, "text": key}],
        )
        if self._asking:
            self._asking.cancel()
        self._asking = asyncio.ensure_future(self.ask())

    async def ask(self) -> None:
        """The question before it is withdrawn by cancelling this."""
        found = await self._editor.ask(
            "textDocument/inlineCompletion",
            textDocument={"uri": URI},
            position=place(self._buffer.before),
            context={"triggerKind": 2},
        )
        if found is None:
            return
        text = found["items"][0]["insertText"] if found["items"] else ""
        if not text:
            self._ghost = None
        elif self._ghost is None:
            self._ghost = (text, time.perf_counter())
        else:
            self._ghost = (text, self._ghost[1])

    async def told(self) -> int:
        said = await self._editor.ask(EXPLAIN)
        return (said or {}).get("tokens", {}).get("prefill", 0)


def place(before: str) -> dict[str, int]:
    """The source that is typed is ASCII."""
    return {"line": before.count("\n"), "character": len(before) - before.rfind("\n") - 1}


# llama.vim's defaults (its documentation, `g:llama_config`).
PREFIX_LINES, SUFFIX_LINES, LINE_SUFFIX = 256, 64, 8
PREDICT, FIRST_MS, LATER_MS, PROMPT_MS = 128, 250, 1000, 500
BUSY_SECONDS, KEYS, BACK, TRIMMED = 0.1, 250, 128, 3


@dataclass(frozen=True, slots=True)
class Around:
    """What llama.vim makes of a buffer: whole lines before, the line up to the cursor, the
    rest."""

    prefix: str
    middle: str
    suffix: str
    indent: int

    def key(self, drop: int = 0) -> str:
        """What an answer is remembered by, as if its first `drop` lines were not there."""
        return digest(self.prefix.split("\n", drop)[-1] + self.middle, self.suffix)


def digest(before: str, after: str) -> str:
    return hashlib.sha256(f"{before}\0{after}".encode()).hexdigest()


@dataclass(slots=True)
class LlamaVim:
    """llama.vim's client in our words.

    On each key: what is remembered for this text, or for one up to 128 characters ago that
    has come true since, is shown at once, and what would follow it is asked for ahead.
    Otherwise the server is asked; while it is busy, again 100 ms later.  A running request
    is never cancelled.  Answers are remembered for this text and for three that begin some
    lines later; an answer is shown if it fits the text of now and nothing is shown.
    """

    url: str
    buffer: Buffer
    pid: int
    prefix_lines: int = PREFIX_LINES
    ghost: tuple[str, float] | None = None
    evaluated: int = 0
    requests: int = 0
    remembered: OrderedDict[str, str] = field(default_factory=OrderedDict[str, str])
    running: asyncio.Task[None] | None = None
    retry: asyncio.TimerHandle | None = None
    indent: int = 0

    @property
    def shown(self) -> tuple[str, float] | None:
        return self.ghost

    @property
    def cpu(self) -> float:
        return machine.cpu_seconds(self.pid)

    async def told(self) -> int:
        said, self.evaluated = self.evaluated, 0
        return said

    async def key(self, key: str) -> None:
        self.ghost = None
        self.hint()
        self.ask("")

    def around(self, ahead: str = "") -> Around:
        """The buffer, as if the ghost text `ahead` had been accepted."""
        *lines, line = (self.buffer.before + ahead).split("\n")
        rest, *below = self.buffer.after.split("\n")
        indent = self.indent if ahead else len(line) - len(line.lstrip())
        if not ahead and not (line + rest).strip():
            line, rest, indent = "", "", 0
        return Around(
            "\n".join(lines[-self.prefix_lines :]) + "\n",
            line,
            rest + "\n" + "\n".join(below[:SUFFIX_LINES]) + "\n",
            indent,
        )

    def hint(self) -> None:
        """Show what is remembered, and ask for what would follow it."""
        here = self.around()
        text = self.remember(here.key())
        if text is None:
            before = here.prefix + here.middle
            for back in range(1, min(BACK, len(before) - 1) + 1):
                known = self.remember(digest(before[:-back], here.suffix))
                if known and known.startswith(before[-back:]):
                    rest = known[back:]
                    text = rest if len(rest) > len(text or "") else text
        if text and (ghost := rendered(text, self.buffer)):
            self.ghost = (ghost, time.perf_counter())
            self.ask(ghost)

    def remember(self, key: str) -> str | None:
        if key in self.remembered:
            self.remembered.move_to_end(key)
        return self.remembered.get(key)

    def ask(self, ahead: str) -> None:
        if self.running:
            if self.retry:
                self.retry.cancel()
            loop = asyncio.get_running_loop()
            self.retry = loop.call_later(BUSY_SECONDS, self.again, ahead)
            return
        here = self.around(ahead)
        rest = "" if ahead else self.buffer.after.split("\n", 1)[0]
        keys = [here.key(drop) for drop in range(TRIMMED + 1)]
        if len(rest) > LINE_SUFFIX or any(self.remember(key) is not None for key in keys):
            return
        self.indent = here.indent
        body = {
            "id_slot": 0,
            "input_prefix": here.prefix,
            "input_suffix": here.suffix,
            "input_extra": [],
            "prompt": here.middle,
            "n_predict": PREDICT,
            "n_indent": here.indent,
            "top_k": 40,
            "top_p": 0.9,
            "samplers": ["top_k", "top_p", "infill"],
            "stream": False,
            "cache_prompt": True,
            "t_max_prompt_ms": PROMPT_MS,
            "t_max_predict_ms": LATER_MS if ahead else FIRST_MS,
            "response_fields": ["content", "timings/prompt_n"],
        }
        self.running = asyncio.ensure_future(self.send(body, keys))

    def again(self, ahead: str) -> None:
        self.retry = None
        self.ask(ahead)

    async def send(self, body: dict[str, Any], keys: Sequence[str]) -> None:
        try:
            said = await post(self.url, body)
            self.take(said, keys)
        finally:
            # Only now: an answer is heard before the process that brought it has ended.
            self.running = None

    def take(self, said: dict[str, Any], keys: Sequence[str]) -> None:
        self.requests += 1
        self.evaluated += said["timings/prompt_n"]
        for key in keys:
            self.remembered.pop(key, None)
            self.remembered[key] = said["content"]
            if len(self.remembered) > KEYS:
                self.remembered.popitem(last=False)
        if not self.ghost:
            self.hint()

    async def settle(self) -> None:
        if self.retry:
            self.retry.cancel()
        if self.running:
            await self.running


def rendered(content: str, buffer: Buffer) -> str:
    """What llama.vim draws of an answer: "" where it only repeats what stands there."""
    lines = content.rstrip("\n").split("\n")
    line = buffer.before.rpartition("\n")[2]
    rest, *below = buffer.after.split("\n")
    if not (line + rest).strip():
        lead = min(len(lines[0]) - len(lines[0].lstrip()), len(line))
        lines[0] = lines[0][lead:]
    if lines == [rest] or (lines[0] == "" and lines[1:] == below[: len(lines) - 1]):
        return ""
    while below and not below[0].strip():
        below.pop(0)
    if below and line + lines[0] == below[0]:
        if len(lines) == 1 or (len(lines) == 2 and below[1:2] and below[1].startswith(lines[1])):
            return ""
        if len(lines) > 2 and lines[1:] == below[1 : len(lines)]:
            return ""
    return "\n".join(lines)


async def post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    content = json.dumps(body).encode()
    head = f"POST /infill HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Connection: close\r\nContent-Length: {len(content)}\r\n\r\n".encode())
    writer.write(content)
    answer = await reader.read()
    writer.close()
    status, _, said = answer.partition(b"\r\n\r\n")
    if b" 200 " not in status.split(b"\r\n")[0]:
        raise frame.Failed(f"llama-server refuses /infill: {said[:200]!r}")
    return json.loads(said)


@contextlib.asynccontextmanager
async def wicket(buffer: Buffer) -> AsyncGenerator[Wicket]:
    with tempfile.TemporaryDirectory(prefix="wb", dir="/tmp") as folder:
        environment = dict(os.environ, XDG_RUNTIME_DIR=folder)
        for name in ("CONFIG", "DATA", "STATE", "CACHE"):
            environment[f"XDG_{name}_HOME"] = f"{folder}/{name.lower()}"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", "wicket.server", "lsp"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env=environment,
        )
        editor = Editor(process)
        await editor.ask("initialize", processId=os.getpid(), capabilities={})
        editor.tell("initialized")
        document = {"uri": URI, "languageId": "python", "version": 0}
        text = buffer.before + buffer.after
        editor.tell("textDocument/didOpen", textDocument=document | {"text": text})
        one = Wicket(editor, buffer, folder)
        # The first request waits for the model; the second is as any other.
        for _ in range(2):
            await one.ask()
            await asyncio.sleep(2)
        yield one
        engine = processes_of(folder)[1]
        await editor.ask("shutdown")
        editor.tell("exit")
        await process.wait()
        engine.terminate()
        engine.wait(10)


@contextlib.asynccontextmanager
async def llama_vim(buffer: Buffer, prefix_lines: int) -> AsyncGenerator[LlamaVim]:
    programs = sorted(CACHE.glob("llama-server/*/llama-server"))
    if not programs:
        raise frame.Failed("no llama-server in the cache: run `make test`, which builds it")
    port = free_port()
    with serving("/health", programs[-1], "-m", MODEL, *SERVER, port=port) as url:
        one = LlamaVim(url, buffer, listening(port), prefix_lines)
        one.ask("")
        await one.settle()
        yield one
        await one.settle()


def listening(port: int) -> int:
    """The process of ours that was started with this port."""
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_bytes().split(b"\0")
            if str(port).encode() in words and words[0].endswith(b"llama-server"):
                return int(folder.name)
    raise frame.Failed("llama-server has gone")


def typed(lines: int, seed: int) -> tuple[Buffer, list[list[str]]]:
    """The text around some lines of a file, and the keys of each; a new line and its
    indentation are one key, as editors indent by themselves."""
    text = SOURCE.read_text().splitlines(keepends=True)
    first = len(text) // 2 + seed * lines
    body = "".join(text[first : first + lines])[:-1]
    keys = re.findall(r"(?:^|\n)[ \t]*|.", body)
    buffer = Buffer("".join(text[:first]), "\n" + "".join(text[first + lines :]))
    rows: list[list[str]] = [[]]
    for key in filter(None, keys):
        if key[0] == "\n":
            rows.append([])
        rows[-1].append(key)
    return buffer, [row for row in rows if row]


@dataclass(slots=True)
class Typed:
    """What one contender did: milliseconds of the keys with ghost text, and counts."""

    times: dict[int, float] = field(default_factory=dict[int, float])
    asked: list[float] = field(default_factory=list[float])
    keys: int = 0
    right: int = 0
    evaluated: int = 0


async def line(
    one: Any, buffer: Buffer, keys: Sequence[str], pauses: Iterator[float], to: Typed
) -> None:
    rest = "".join(keys)
    for key in keys:
        rest = rest[len(key) :]
        buffer.type(key)
        pressed = time.perf_counter()
        await one.key(key)
        at_once = one.shown is not None
        await asyncio.sleep(max(0.0, next(pauses) - (time.perf_counter() - pressed)))
        if one.shown:
            text, since = one.shown
            to.times[to.keys] = (since - pressed) * 1000
            to.right += bool(rest.strip()) and text.split("\n")[0].rstrip() == rest.rstrip()
            if not at_once:
                to.asked.append(to.times[to.keys])
        to.keys += 1
        to.evaluated += await one.told()


async def measure(asked: argparse.Namespace) -> tuple[dict[str, Typed], dict[str, float]]:
    """What each did, and the processor seconds that its processes took."""
    start, rows = typed(asked.lines, asked.seed)
    ours, theirs = (Buffer(start.before, start.after) for _ in range(2))
    found = {"wicket": Typed(), "llama_vim": Typed()}
    async with wicket(ours) as a, llama_vim(theirs, asked.prefix_lines) as b:
        await a.told(), await b.told()
        sides = [("wicket", a, ours), ("llama_vim", b, theirs)]
        before = {name: one.cpu for name, one, _ in sides}
        for number, keys in enumerate(rows):
            for name, one, buffer in sides if number % 2 else reversed(sides):
                chance = random.Random(1000 * asked.seed + number)
                pauses = iter(lambda chance=chance: gap(chance), None)
                await line(one, buffer, keys, pauses, found[name])
                await asyncio.sleep(SETTLE_SECONDS)
        spent = {name: one.cpu - before[name] for name, one, _ in sides}
    return found, spent


def run(asked: argparse.Namespace) -> dict[str, float]:
    found, spent = asyncio.run(measure(asked))
    if asked.samples:
        of_each = {n: {"keys": of.keys, "ms": list(of.times.values())} for n, of in found.items()}
        with open(asked.samples, "a") as file:
            print(json.dumps(of_each), file=file)
    figures = {k: v for name, of in found.items() for k, v in told(name, of, spent[name]).items()}
    for part in ("p50_ms", "p95_ms", "asked_p50_ms", "asked_p95_ms", "cpu_s"):
        if whole := figures[f"llama_vim_{part}"]:
            figures[f"ratio_{part}"] = figures[f"wicket_{part}"] / whole
    return figures


def told(name: str, of: Typed, cpu: float) -> dict[str, float]:
    """`asked`: where the ghost text was not there at once, of what was shown or remembered."""
    times = list(of.times.values())
    return {
        f"{name}_p50_ms": quantile(times, 0.5),
        f"{name}_p95_ms": quantile(times, 0.95),
        f"{name}_asked_p50_ms": quantile(of.asked, 0.5),
        f"{name}_asked_p95_ms": quantile(of.asked, 0.95),
        f"{name}_keys": of.keys,
        f"{name}_with_ghost_text": len(times) / of.keys,
        f"{name}_at_once": (len(times) - len(of.asked)) / of.keys,
        f"{name}_right": of.right / max(1, len(times)),
        f"{name}_tokens_per_key": of.evaluated / of.keys,
        f"{name}_cpu_s": cpu,
    }


if __name__ == "__main__":
    frame.main(
        __doc__,
        run,
        ("--lines", 12, "that are typed in each run, other ones each time"),
        ("--prefix-lines", PREFIX_LINES, "before the cursor that llama.vim sends"),
        ("--samples", "", "a file for each key's milliseconds, a line of JSON for each run"),
    )
