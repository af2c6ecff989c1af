"""Whole runs of `wicket index`, by turns with a parser that does nothing else and with ctags."""

import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from wicket.indexing import files
from wicket.indexing.languages import LANGUAGES, indexed_as
from wicket.server.index import Order

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
# The most that it tells of a definition; of references it knows imports only.
CTAGS = ("--sort=no", "--fields=+nKzSe", "--extras=+r", "-L", "-", "-f", "-")


def wicket(*arguments: str) -> list[str]:
    return [sys.executable, "-I", "-m", "wicket.server", *arguments]


def spread(values: list[float], digits: int = 3) -> dict[str, float]:
    ordered = sorted(values)
    return {
        "median": round(statistics.median(ordered), digits),
        "min": round(ordered[0], digits),
        "max": round(ordered[-1], digits),
    }


class Cost:
    """A finished process: seconds, its processor time with that of its children, output; the
    peaks of its own memory and of the largest of its children."""

    def __init__(self, command: list[str], text: str = "") -> None:
        self.peak, self.child_peak = 0, 0
        began = time.perf_counter()
        with tempfile.TemporaryFile("w+") as given, tempfile.TemporaryFile("wb+") as out:
            given.write(text)
            given.seek(0)
            process = subprocess.Popen(
                command, stdin=given, stdout=out, stderr=subprocess.DEVNULL if text else None
            )
            ended = os.WEXITED | os.WNOHANG | os.WNOWAIT
            while os.waitid(os.P_PID, process.pid, ended) is None:
                self.peak = max(self.peak, _most_memory(process.pid))
                for child in _children(process.pid):
                    self.child_peak = max(self.child_peak, _most_memory(child))
                time.sleep(0.05)
            _pid, status, used = os.wait4(process.pid, 0)
            self.seconds = time.perf_counter() - began
            self.cpu = used.ru_utime + used.ru_stime
            out.seek(0)
            self.output = out.read()
        assert status == 0, command


def _most_memory(pid: int) -> int:
    """Bytes that a process has had at most so far."""
    with contextlib.suppress(OSError):
        if found := re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()):
            return int(found[1]) << 10
    return 0


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def whole_runs(folder: Path, told: Order, runs: int) -> dict[str, Any]:
    chosen = read_and_parsed(folder)
    ctags = has_universal_ctags()
    found: dict[str, list[float]] = {}
    said: dict[str, Any] = {}
    tags = stored = 0
    peaks: list[tuple[int, int]] = []
    for _ in range(runs):
        figures = {"parse_only_cpu_seconds": (parsed := parse_alone(folder, chosen)).cpu}
        shutil.rmtree(told.directory, ignore_errors=True)
        built = Cost(wicket("index", str(folder), "--json"))
        said = json.loads(built.output)
        peaks.append((built.peak, built.child_peak))
        stored = (told.directory / "db").stat().st_size
        again = json.loads(Cost(wicket("index", str(folder), "--json")).output)
        figures |= {
            "cold_seconds": built.seconds,
            "cold_cpu_seconds": built.cpu,
            "cpu_to_parse_only": built.cpu / parsed.cpu,
            "warm_seconds": again["seconds"],
            "warm_cpu_seconds": again["cpu_seconds"],
        }
        if ctags:
            other = Cost(["ctags", *CTAGS], "\n".join(str(folder / path) for path in chosen))
            tags = other.output.count(b"\n")
            figures |= {
                "ctags_cpu_seconds": other.cpu,
                "cpu_to_ctags": built.cpu / max(other.cpu, 0.001),
            }
        for name, value in figures.items():
            found.setdefault(name, []).append(value)
    return {
        "files": said["files"],
        "megabytes": round(said["bytes"] / MEGABYTE, 1),
        "definitions": said["symbols"],
        **({"ctags_tags": tags} if ctags else {}),
        **{name: spread(values) for name, values in found.items()},
        "size_to_source": round(stored / said["bytes"], 3),
        "writer_peak_mb": round(max(peaks)[0] / MEGABYTE),
        "worker_peak_mb": round(max(peak[1] for peak in peaks) / MEGABYTE),
    }


def read_and_parsed(folder: Path) -> list[str]:
    """The files that the index parses: what others are given, too."""
    listed = files.list_files(folder, 1 << 30).paths
    chosen = [path for path in listed if (name := indexed_as(path)) and LANGUAGES[name].grammar[0]]
    chosen = [path for path, _stamp in files.stamps(folder, chosen)]
    return [path for path in chosen if _is_read(folder, path)]


def parse_alone(folder: Path, paths: list[str]) -> Cost:
    names = "\0".join(str(folder / path) for path in paths)
    return Cost([sys.executable, "-I", "-c", FLOOR], names)


def has_universal_ctags() -> bool:
    """Whether it is here; a line says so where it is not."""
    with contextlib.suppress(OSError):
        said = subprocess.run(["ctags", "--version"], capture_output=True, text=True).stdout
        if said.startswith("Universal Ctags"):
            return True
    print("index.py: no universal-ctags here, so nothing is compared with it", file=sys.stderr)
    return False


def _is_read(folder: Path, path: str) -> bool:
    try:
        source, _stamp = files.read(folder, path, 1 << 20)
    except files.Skipped:
        return False
    return files.left_out(path, source) is None
