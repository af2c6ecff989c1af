"""How fast Wicket answers while a person types.

Starts `wicket lsp` as an editor does and types real lines of a file at a human pace (seeded
gaps: median 180 ms, bursts of 60 ms).
Measured from outside: request to answer over stdio, memory of both processes, CPU seconds.
"""

import asyncio
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import frame
import psutil
from lsprotocol import types
from pygls.lsp.client import LanguageClient
from wicket.completion.metrics import quantile

EXPLAIN = "wicket/explainSuggestion"
SOURCE = Path(asyncio.__file__).parent / "base_events.py"


class Editor:
    """An LSP client; what it does, it does to the document that was opened last."""

    def __init__(self, folder: str) -> None:
        self.client = LanguageClient("benchmark", "1")
        self.ready = asyncio.Event()
        self.environment = dict(os.environ) | {
            f"XDG_{name}_HOME": f"{folder}/{name.lower()}"
            for name in ("CONFIG", "DATA", "STATE", "CACHE")
        }
        self.environment["XDG_RUNTIME_DIR"] = folder
        self.version, self.uri = 0, ""

        @self.client.feature("wicket/status")
        def status(params: Any) -> None:
            if params.state == "ready":
                self.ready.set()

    async def start(self, folder: str | None = None) -> None:
        """Start the server, with `folder` open in it."""
        command = [sys.executable, "-I", "-m", "wicket.server", "lsp"]
        await self.client.start_io(*command, env=self.environment)
        uri = Path(folder).as_uri() if folder else None
        folders = [types.WorkspaceFolder(uri, "bench")] if uri else None
        await self.client.initialize_async(
            types.InitializeParams(
                types.ClientCapabilities(), os.getpid(), root_uri=uri, workspace_folders=folders
            )
        )
        self.client.initialized(types.InitializedParams())

    def open(self, text: str, uri: str = "file:///bench/base_events.py") -> None:
        self.uri, self.version = uri, self.version + 1
        self.client.text_document_did_open(
            types.DidOpenTextDocumentParams(
                types.TextDocumentItem(uri, "python", self.version, text)
            )
        )

    def insert(self, at: types.Position, text: str) -> None:
        self.change(types.Range(at, at), text)

    def change(self, place: types.Range, text: str) -> None:
        self.version += 1
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(self.version, self.uri),
                [types.TextDocumentContentChangePartial(place, text)],
            )
        )

    async def ask(self, at: types.Position) -> Any:
        return await self.client.text_document_inline_completion_async(
            types.InlineCompletionParams(
                types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic),
                types.TextDocumentIdentifier(self.uri),
                at,
            )
        )

    async def explain(self) -> Any:
        return await self.client.protocol.send_request_async(EXPLAIN, {})

    def accepted(self, item: types.InlineCompletionItem) -> None:
        assert item.command
        self.client.workspace_execute_command(
            types.ExecuteCommandParams(item.command.command, item.command.arguments)
        )

    def save(self) -> None:
        document = types.TextDocumentIdentifier(self.uri)
        self.client.text_document_did_save(types.DidSaveTextDocumentParams(document))

    def shut(self) -> None:
        document = types.TextDocumentIdentifier(self.uri)
        self.client.text_document_did_close(types.DidCloseTextDocumentParams(document))

    async def close(self) -> None:
        await self.client.shutdown_async(None)
        self.client.exit(None)
        await self.client.stop()


async def measure(keys: int, seed: int) -> dict[str, Any]:
    source = SOURCE.read_text()
    lines = source.splitlines(keepends=True)
    first = len(lines) // 2
    typed = "".join(lines[first : first + 60])[:keys]
    rest = "".join(lines[first:])[len(typed) :]
    before = "".join(lines[:first])
    with tempfile.TemporaryDirectory(prefix="wb", dir="/tmp") as folder:
        editor = Editor(folder)
        began = time.perf_counter()
        await editor.start()
        editor.open(before + rest)
        line, column = before.count("\n"), 0
        answer = await editor.ask(types.Position(line, column))
        cold = time.perf_counter() - began
        await asyncio.wait_for(editor.ready.wait(), 60)
        chance = random.Random(seed)
        walls: list[float] = []
        with_item: list[float] = []
        prefill: list[int] = []
        decoded: list[int] = []
        for key in typed:
            await asyncio.sleep(gap(chance))
            editor.insert(types.Position(line, column), key)
            line, column = (line + 1, 0) if key == "\n" else (line, column + 1)
            sent = time.perf_counter()
            answer = await editor.ask(types.Position(line, column))
            walls.append((time.perf_counter() - sent) * 1000)
            if answer and answer.items:
                with_item.append(walls[-1])
            tokens = (await editor.explain()).tokens
            prefill.append(getattr(tokens, "prefill", 0))
            decoded.append(getattr(tokens, "decoded", 0))
        lsp, engine = processes_of(folder)
        figures = {
            "cold_start_s": cold,
            "request_p50_ms": quantile(walls, 0.5),
            "request_p95_ms": quantile(walls, 0.95),
            "with_item_p50_ms": quantile(with_item, 0.5),
            "with_item_p95_ms": quantile(with_item, 0.95),
            "share_with_item": len(with_item) / len(walls),
            "share_without_engine": statistics.mean(
                read + written == 0 for read, written in zip(prefill, decoded, strict=True)
            ),
            "tokens_per_key_mean": statistics.mean(prefill[1:]),
            "tokens_per_key_p95": quantile(prefill[1:], 0.95),
            "lsp_private_mb": lsp.memory_full_info().uss / 1e6,
            "engine_private_mb": engine.memory_full_info().uss / 1e6,
            "lsp_cpu_s": sum(lsp.cpu_times()[:2]),
            "engine_cpu_s": sum(engine.cpu_times()[:2]),
        }
        await editor.close()
        engine.terminate()
        engine.wait(10)
    return figures


def gap(chance: random.Random) -> float:
    """Seconds from one key to the next."""
    pause = chance.lognormvariate(-1.71, 0.35)
    return 0.06 if chance.random() < 0.25 else min(pause, 0.5)


def processes_of(folder: str) -> tuple[psutil.Process, psutil.Process]:
    """The LSP process and its engine, by the runtime directory in their environment.

    The server's launcher has the same command line; it is the server's child.
    """
    found: dict[str, psutil.Process] = {}
    for process in psutil.process_iter():
        try:
            twin = process.ppid() != os.getpid() and "lsp" in process.cmdline()
            if process.environ().get("XDG_RUNTIME_DIR") == folder and not twin:
                found[next(v for v in ("lsp", "engine") if v in process.cmdline())] = process
        except (psutil.Error, StopIteration):
            continue
    return found["lsp"], found["engine"]


if __name__ == "__main__":
    frame.main(
        __doc__,
        lambda asked: asyncio.run(measure(asked.keys, asked.seed)),
        ("--keys", 200, "that are typed"),
    )
