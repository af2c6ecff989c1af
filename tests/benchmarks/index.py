"""What the index costs: `python tests/benchmarks/index.py [DIR ...] [--files N]`.

Every figure is measured from outside, on the same files in one run: cold and warm runs of
`wicket index` against a process that only reads and parses, interleaved; then an index
process as editors start it, with saves and a checkout of 1,500 files; then `wicket lsp`
answering pings while its folder is indexed, beside one that has no folder.
"""

import argparse
import asyncio
import contextlib
import json
import os
import platform
import random
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
from lsprotocol import types
from pygls.lsp.client import LanguageClient
from wicket.indexing import files
from wicket.indexing.languages import LANGUAGES, indexed_as
from wicket.indexing.reader import Reader
from wicket.server import app, processes
from wicket.server.index import Order, order

MEGABYTE = 1_000_000
# Reads and parses the files that its standard input names, and does nothing else.
FLOOR = """
import sys
from wicket.indexing.grammars import grammar_of
from wicket.indexing.languages import indexed_as
for path in sys.stdin.read().split("\\0"):
    with open(path, "rb") as file:
        grammar_of(indexed_as(path)).parser.parse(file.read())
"""
PING_SECONDS = 0.002
# Of the names in the synthetic tree.
VERBS = [
    "read",
    "write",
    "open",
    "close",
    "find",
    "take",
    "drop",
    "send",
    "parse",
    "check",
    "make",
    "join",
    "split",
]
NOUNS = [
    "file",
    "name",
    "path",
    "line",
    "user",
    "order",
    "stock",
    "price",
    "token",
    "table",
    "field",
    "index",
    "cache",
    "page",
]


def wicket(*arguments: str) -> list[str]:
    return [sys.executable, "-I", "-m", "wicket.server", *arguments]


def spread(values: list[float], digits: int = 3) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "median": round(statistics.median(ordered), digits),
        "min": round(ordered[0], digits),
        "max": round(ordered[-1], digits),
    }


def percentiles(values: list[float], *wanted: float) -> dict[str, float]:
    ordered = sorted(values)
    at = {f"p{w:g}": ordered[min(len(ordered) - 1, int(len(ordered) * w / 100))] for w in wanted}
    return {name: round(value, 2) for name, value in at.items()} | {"count": len(ordered)}


class Cost:
    """A finished process: seconds, its processor time with that of its children, output."""

    def __init__(self, command: list[str], text: str = "", watch: bool = False) -> None:
        # Peaks of the process itself and of the largest of its children.
        self.peak, self.child_peak = 0, 0
        began = time.perf_counter()
        with tempfile.TemporaryFile("w+") as out:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=out, text=True)
            assert process.stdin
            with process.stdin:
                process.stdin.write(text)
            while watch and process.poll() is None and not self._look(process.pid):
                time.sleep(0.02)
            _pid, status, used = os.wait4(process.pid, 0) if not watch else (0, 0, None)
            self.seconds = time.perf_counter() - began
            self.cpu = used.ru_utime + used.ru_stime if used else 0.0
            out.seek(0)
            self.output = out.read()
        assert status == 0

    def _look(self, pid: int) -> bool:
        with contextlib.suppress(psutil.Error):
            process = psutil.Process(pid)
            self.peak = max(self.peak, process.memory_info().rss)
            for child in process.children():
                self.child_peak = max(self.child_peak, child.memory_info().rss)
        return False


def whole_runs(folder: Path, told: Order, runs: int) -> dict[str, Any]:
    listed = files.list_files(folder, 1 << 30).paths
    chosen = [path for path in listed if (name := indexed_as(path)) and LANGUAGES[name].grammar[0]]
    chosen = [path for path, _stamp in files.stamps(folder, chosen)]
    chosen = [path for path in chosen if _is_read(folder, path)]
    names = "\0".join(str(folder / path) for path in chosen)
    ratios, cold, cpu, floor, warm, warm_cpu = [], [], [], [], [], []
    said: dict[str, Any] = {}
    for _ in range(runs):
        parsed = Cost([sys.executable, "-I", "-c", FLOOR], names)
        shutil.rmtree(told.directory, ignore_errors=True)
        built = Cost(wicket("index", str(folder), "--json"))
        said = json.loads(built.output)
        stored = (told.directory / "db").stat().st_size
        again = json.loads(Cost(wicket("index", str(folder), "--json")).output)
        floor.append(parsed.cpu)
        cpu.append(built.cpu)
        cold.append(built.seconds)
        ratios.append(built.cpu / parsed.cpu)
        warm.append(again["seconds"])
        warm_cpu.append(again["cpu_seconds"])
    shutil.rmtree(told.directory, ignore_errors=True)
    memory = Cost(wicket("index", str(folder), "--json"), watch=True)
    return {
        "files": said["files"],
        "megabytes": round(said["bytes"] / MEGABYTE, 1),
        "cold_seconds": spread(cold),
        "cold_cpu_seconds": spread(cpu),
        "parse_only_cpu_seconds": spread(floor),
        "cpu_to_parse_only": spread(ratios),
        "warm_seconds": spread(warm),
        "warm_cpu_seconds": spread(warm_cpu),
        "size_to_source": round(stored / said["bytes"], 3),
        "writer_peak_mb": round(memory.peak / MEGABYTE),
        "worker_peak_mb": round(memory.child_peak / MEGABYTE),
    }


def _is_read(folder: Path, path: str) -> bool:
    try:
        source, _stamp = files.read(folder, path, 1 << 20)
    except files.Skipped:
        return False
    return files.left_out(path, source) is None


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


def two_branches(folder: Path, changed: int) -> None:
    """A repository on its first branch, whose second has other content in so many files."""
    synthetic(folder, max(2000, changed + 500))
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "1"]):
        git(folder, *arguments)
    git(folder, "checkout", "-q", "-b", "other")
    for number, path in enumerate(sorted(folder.rglob("*.py"))[:changed]):
        path.write_text(path.read_text() + f"\ndef other_{number}(): pass\n")
    git(folder, "commit", "-q", "-a", "-m", "2")
    git(folder, "checkout", "-q", "-")


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "gc.auto=0")
    subprocess.run(["git", *who, "-C", str(folder), *arguments], check=True)


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
    index = Reader(told.directory / "db")
    spent: dict[str, list[float]] = {"indexing": [], "bare": []}
    done = asyncio.Event()

    async def ping(name: str, client: LanguageClient) -> None:
        while not done.is_set():
            began = time.perf_counter()
            await client.protocol.send_request_async("wicket/explainSuggestion", {"id": "0"})
            spent[name].append((time.perf_counter() - began) * 1000)
            await asyncio.sleep(PING_SECONDS)

    async def ended() -> None:
        files_before, quiet = -1, 0
        while quiet < 10:
            await asyncio.sleep(0.1)
            index.refresh()
            now = index.files()
            quiet = quiet + 1 if now == files_before and now else 0
            files_before = now
        done.set()

    async def served(folders: list[types.WorkspaceFolder], name: str) -> Awaitable[None]:
        client = LanguageClient("benchmark", "1")
        client.feature("wicket/status")(lambda _params: None)
        await client.start_io(*wicket("lsp"))
        await client.initialize_async(
            types.InitializeParams(
                types.ClientCapabilities(), os.getpid(), workspace_folders=folders
            )
        )
        client.initialized(types.InitializedParams())
        clients.append(client)
        return ping(name, client)

    clients: list[LanguageClient] = []
    bare = await served([], "bare")
    indexing = await served([types.WorkspaceFolder(folder.as_uri(), folder.name)], "indexing")
    await asyncio.gather(bare, indexing, ended())
    for client in clients:
        await client.shutdown_async(None)
        client.exit(None)
        await client.stop()
    for process in processes.running(told.socket.parent):
        processes.stop(process)
    return {
        f"round_trip_ms_{name}": percentiles(times, 50, 99, 99.9) for name, times in spent.items()
    }


def synthetic(folder: Path, count: int) -> Path:
    """A tree of modules that define, import and call each other."""
    chance = random.Random(7)
    verbs = [f"{verb}_{noun}" for verb in VERBS for noun in NOUNS]
    for number in range(count):
        place = folder / f"package{number // 400}" / f"part{number // 20 % 20}"
        if number % 20 == 0:
            place.mkdir(parents=True, exist_ok=True)
        other = chance.randrange(count)
        lines = [f'"""Module {number}."""', "", "import os", f"from .. import module{other}", ""]
        for name in chance.sample(verbs, chance.randrange(4, 24)):
            noun, called = chance.choice(NOUNS), chance.choice(verbs)
            lines += [
                f"def {name}({noun}: str, limit: int = {chance.randrange(99)}) -> bool:",
                f'    """Say whether the {noun} is one, and no more than `limit` of them."""',
                f"    found = module{other}.{called}({noun}, limit + 1)",
                f"    if not found or limit > {chance.randrange(999)}:",
                f"        raise ValueError('no {noun} of that name was found here')",
                f"    return os.path.exists({noun}) and found.{chance.choice(NOUNS)} > limit",
                "",
            ]
        (place / f"module{number}.py").write_text("\n".join(lines))
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, help="default: the standard library")
    parser.add_argument("--files", type=int, default=2000, help="of the synthetic tree")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--saves", type=int, default=40)
    parser.add_argument("--checkout", type=int, default=1500)
    parser.add_argument("--only", choices=("whole", "saves", "checkout", "lag"))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "load_before": round(os.getloadavg()[0], 2),
    }
    with tempfile.TemporaryDirectory(prefix="wb", dir="/tmp") as place:
        os.environ |= {
            f"XDG_{name}_HOME": f"{place}/{name.lower()}" for name in ("CACHE", "STATE", "CONFIG")
        } | {"XDG_RUNTIME_DIR": place}
        trees = [copied(folder, Path(place)) for folder in arguments.folders or [library()]]
        trees.append(synthetic(Path(place) / f"synthetic{arguments.files}", arguments.files))
        for tree in trees:
            figures[tree.name] = measured(tree, arguments)
        if arguments.only in (None, "checkout"):
            figures |= asyncio.run(checkout(Path(place) / "checkout", arguments.checkout))
    figures["load_after"] = round(os.getloadavg()[0], 2)
    print(json.dumps(figures, indent=None if arguments.json else 2))


def measured(tree: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    told, found = order(app.start(None, [tree]), tree), {}
    if arguments.only in (None, "whole"):
        found |= whole_runs(tree, told, arguments.runs)
    if arguments.only in (None, "saves"):
        found |= asyncio.run(saves(tree, told, arguments.saves))
    if arguments.only in (None, "lag"):
        found |= asyncio.run(lag(tree, told))
    return found


def library() -> Path:
    return Path(sysconfig.get_path("stdlib"))


def copied(folder: Path, place: Path) -> Path:
    """A copy that may be written to, without what others installed into it."""
    left_out = shutil.ignore_patterns("site-packages", "dist-packages", "__pycache__", "*.so")
    target = place / folder.name
    shutil.copytree(folder, target, ignore=left_out, symlinks=True)
    return target


if __name__ == "__main__":
    main()
