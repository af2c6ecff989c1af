"""What an index costs on this machine: files of Python's library, against parsing them alone."""

import asyncio
import hashlib
import json
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from ...completion import metrics
from ...completion.client import EngineGone
from ..app import Startup
from ..index import Index, IndexFailed, Order
from .result import Figure, Figures, Run

LIBRARY = Path(sysconfig.get_path("stdlib"))
# For each of the keys that other benchmarks type: some tenth of a megabyte.
FILES_PER_KEY = 10
# Files that are saved, one after the other.
SAVES = 20

# Reads and parses the files that its standard input names, and does nothing else.
FLOOR = """
import json, sys, time
from wicket.indexing.grammars import grammar_of
parser, began, size = grammar_of("python").parser, time.process_time(), 0
for path in sys.stdin.read().split("\\0"):
    with open(path, "rb") as file:
        source = file.read()
        parser.parse(source)
        size += len(source)
print(json.dumps([time.process_time() - began, size]))
"""

FIGURES = (
    Figure("files", "files", digits=0),
    Figure("seconds", "all of them indexed, s", digits=2),
    Figure("cpu_rate", "MB of source per processor second", 1e-6),
    Figure("to_parsing", "processor time, times that of parsing alone", digits=2),
    Figure("warm", "looked at again, nothing changed, ms"),
    Figure("save_p50", "one file saved, ms, half within"),
    Figure("save_p95", "one file saved, ms, 95 % within"),
    Figure("size", "index, % of the source", 100, 0),
)


async def once(_startup: Startup, keys: int) -> Run:
    """Index ten files for each key, in a directory of its own.  Raises EngineGone."""
    with tempfile.TemporaryDirectory(prefix="wicket-index-", dir="/tmp") as name:
        place = Path(name)
        files = copied(place / "files", keys * FILES_PER_KEY)
        told = Order(
            place / "files", place / "index", place / "socket", (), len(files), 1024, "off"
        )
        try:
            return await asyncio.to_thread(_measured, told, files)
        except IndexFailed as error:
            raise EngineGone(str(error)) from None


def copied(folder: Path, count: int) -> list[Path]:
    """Copies of so many modules, always the same ones, large and small."""
    modules = [
        path
        for path in LIBRARY.rglob("*.py")
        if "-packages" not in str(path) and path.stat().st_size < 1 << 20
    ]
    modules.sort(key=lambda path: hashlib.sha1(str(path.relative_to(LIBRARY)).encode()).digest())  # noqa: S324 - a shuffle
    found: list[Path] = []
    for path in modules[:count]:
        target = folder / path.relative_to(LIBRARY)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
        found.append(target)
    return found


def _measured(told: Order, files: list[Path]) -> dict[str, float]:
    parsing, size = _parse_alone(files)
    index = Index(told)
    try:
        cold = index.refresh()
        assert cold
        began = time.perf_counter()
        index.refresh()
        warm = time.perf_counter() - began
        took: list[float] = []
        for number, path in enumerate(files[:SAVES]):
            path.write_bytes(path.read_bytes() + b"\n\ndef saved%d(): pass\n" % number)
            began = time.perf_counter()
            index.refresh([str(path.relative_to(told.root))])
            took.append((time.perf_counter() - began) * 1000)
    finally:
        index.close()
    return {
        "files": cold.files,
        "seconds": cold.seconds,
        "cpu_rate": size / cold.cpu_seconds,
        "to_parsing": cold.cpu_seconds / parsing,
        "warm": warm * 1000,
        "save_p50": metrics.quantile(took, 0.5),
        "save_p95": metrics.quantile(took, 0.95),
        "size": (told.directory / "db").stat().st_size / size,
    }


def _parse_alone(files: list[Path]) -> tuple[float, int]:
    """Processor seconds and bytes."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", FLOOR],
        input="\0".join(map(str, files)),
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, size = json.loads(done.stdout)
    return seconds, size


def verdict(_name: str, figures: Figures) -> str:
    rate = figures["cpu_rate"].median / 1e6
    return (
        f"A repository is indexed at {rate:.1f} MB per processor second, "
        f"which is {figures['to_parsing'].median:.1f} times the work of parsing it"
    )
