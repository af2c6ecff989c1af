"""An index process as editors start it: saves, a checkout, and what else happens meanwhile."""

import asyncio
import contextlib
import json
import os
import random
import shutil
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
from index_trees import git, two_branches
from index_whole import wicket
from lsprotocol import types
from pygls.lsp.client import LanguageClient
from wicket.indexing import files
from wicket.indexing.reader import Reader
from wicket.server import app, processes
from wicket.server.index import Order, order

PING_SECONDS = 0.002
# Between two keys; what is typed, and how long an answer may take.
KEY_SECONDS, TYPED = 0.12, "found = self.read_file(name)\n"
PATIENCE_SECONDS = 20.0


@contextlib.contextmanager
def index_process(told: Order) -> Iterator[psutil.Popen]:
    told.socket.unlink(missing_ok=True)
    command = processes.command("index", "--started", told.write())
    with psutil.Popen(command) as process:
        yield process
        process.terminate()


async def connected(told: Order) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    while True:
        try:
            return await asyncio.open_unix_connection(told.socket, limit=1 << 20)
        except OSError:
            await asyncio.sleep(0.02)


async def until(reader: asyncio.StreamReader, state: str) -> None:
    while json.loads(await reader.readline())["state"] != state:
        pass


async def settled(reader: asyncio.StreamReader) -> None:
    """Until it has nothing to say for a second."""
    await until(reader, "ready")
    with contextlib.suppress(TimeoutError):
        while True:
            await asyncio.wait_for(reader.readline(), 1.0)


async def visible(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.002)


async def saves(folder: Path, told: Order, times: int) -> dict[str, Any]:
    """From the end of writing a file until a reader finds the new name."""
    chance = random.Random(1)
    index = Reader(told.directory / "db")
    known = [path for path in files.list_files(folder, 1 << 30).paths if path.endswith(".py")]
    spent: list[float] = []
    with index_process(told):
        reader, writer = await connected(told)
        await settled(reader)
        for number in range(times):
            target = folder / chance.choice(known)
            before = target.read_bytes()
            name = f"saved_{number}_{time.time_ns()}"
            target.write_bytes(before + f"\ndef {name}(): pass\n".encode())
            began = time.perf_counter()
            await visible(lambda name=name: bool(index.definers(name)))
            spent.append((time.perf_counter() - began) * 1000)
            target.write_bytes(before)
            await asyncio.sleep(chance.uniform(0.5, 1.2))
        writer.close()
    return {"save_to_visible_ms": percentiles(spent, 50, 95, 100)}


async def checkout(folder: Path, changed: int) -> dict[str, Any]:
    """From the end of `git checkout` of that many files until all of it is found."""
    two_branches(folder, changed)
    told = order(app.start(None, [folder]), folder)
    index = Reader(told.directory / "db")
    spent: list[float] = []
    with index_process(told):
        reader, writer = await connected(told)
        await settled(reader)
        for branch in ("other", "-", "other"):
            git(folder, "checkout", "-q", branch)
            began = time.perf_counter()
            there = branch == "other"
            await visible(
                lambda there=there: all(
                    bool(index.definers(f"other_{number}")) == there for number in range(changed)
                )
            )
            spent.append(time.perf_counter() - began)
            await settled_quietly(reader)
        writer.close()
    return {
        "checkout_files": changed,
        "checkout_new_seconds": round(spent[0], 2),
        "checkout_known_seconds": [round(s, 2) for s in spent[1:]],
    }


async def settled_quietly(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(TimeoutError):
        while True:
            await asyncio.wait_for(reader.readline(), 1.0)


async def lag(folder: Path, told: Order) -> dict[str, Any]:
    """Round trips of a small request while the folder is indexed, and beside it."""
    shutil.rmtree(told.directory, ignore_errors=True)
    spent: dict[str, list[float]] = {"indexing": [], "bare": []}
    done = asyncio.Event()

    async def ping(name: str, client: LanguageClient) -> None:
        while not done.is_set():
            began = time.perf_counter()
            await client.protocol.send_request_async("wicket/explainSuggestion", {"id": "0"})
            spent[name].append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(PING_SECONDS)

    async with served(told) as bare, served(told, folder) as indexing:
        pings = asyncio.gather(ping("bare", bare), ping("indexing", indexing))
        await indexed(told)
        done.set()
        await pings
    found = {name: percentiles(times, 50, 99, 99.9) for name, times in spent.items()}
    return {f"round_trip_ms_{name}": of for name, of in found.items()} | {
        "lag_ms_p99.9": round(found["indexing"]["p99.9"] - found["bare"]["p99.9"], 2)
    }


async def completing(folder: Path, told: Order) -> dict[str, Any]:
    """Keys typed into a file of the folder while it is indexed, and the same ones after it."""
    target = folder / sorted(p for p in files.list_files(folder, 1 << 30).paths if ".py" in p)[0]
    text = target.read_text()
    uri = target.as_uri()
    spent: dict[str, list[float]] = {"indexing": [], "idle": []}
    done = asyncio.Event()

    async def types_into(name: str, client: LanguageClient, version: int) -> None:
        typed = ""
        while not done.is_set() if name == "indexing" else len(spent[name]) < count:
            typed = typed + TYPED[len(typed)] if len(typed) < len(TYPED) else ""
            version += 1
            client.text_document_did_change(
                types.DidChangeTextDocumentParams(
                    types.VersionedTextDocumentIdentifier(version, uri),
                    [types.TextDocumentContentChangeWholeDocument(f"{text}\n{typed}")],
                )
            )
            line = f"{text}\n{typed}".count("\n")
            began = time.perf_counter()
            await asyncio.wait_for(
                client.text_document_inline_completion_async(
                    types.InlineCompletionParams(
                        types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic),
                        types.TextDocumentIdentifier(uri),
                        types.Position(line, len(typed.rpartition("\n")[2])),
                    )
                ),
                PATIENCE_SECONDS,
            )
            spent[name].append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(KEY_SECONDS)

    shutil.rmtree(told.directory, ignore_errors=True)
    async with served(told, folder) as client:
        client.text_document_did_open(
            types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, "python", 0, text))
        )
        typing = asyncio.ensure_future(types_into("indexing", client, 0))
        await indexed(told)
        done.set()
        await typing
        count = len(spent["indexing"])
        await types_into("idle", client, count)
    found = {name: percentiles(times, 50, 95) for name, times in spent.items()}
    return {f"key_to_answer_ms_{name}": of for name, of in found.items()}


async def indexed(told: Order) -> None:
    """Until there are files in the index and no more come for a second."""
    index = Reader(told.directory / "db")
    before, quiet = -1, 0
    while quiet < 10:
        await asyncio.sleep(0.1)
        index.refresh()
        now = index.files()
        quiet = quiet + 1 if now == before and now else 0
        before = now
    index.close()


@contextlib.asynccontextmanager
async def served(told: Order, folder: Path | None = None) -> AsyncGenerator[LanguageClient]:
    """A `wicket lsp` of its own, with one folder open or none."""
    client = LanguageClient("benchmark", "1")
    client.feature("wicket/status")(lambda _params: None)
    await client.start_io(*wicket("lsp"))
    folders = [types.WorkspaceFolder(folder.as_uri(), folder.name)] if folder else []
    await client.initialize_async(
        types.InitializeParams(types.ClientCapabilities(), os.getpid(), workspace_folders=folders)
    )
    client.initialized(types.InitializedParams())
    try:
        yield client
    finally:
        await client.shutdown_async(None)
        client.exit(None)
        await client.stop()
        for process in processes.running(told.socket.parent):
            processes.stop(process)


def percentiles(values: list[float], *wanted: float) -> dict[str, float]:
    ordered = sorted(values)
    at = {f"p{w:g}": ordered[min(len(ordered) - 1, int(len(ordered) * w / 100))] for w in wanted}
    return {name: round(value, 2) for name, value in at.items()} | {"count": len(ordered)}
