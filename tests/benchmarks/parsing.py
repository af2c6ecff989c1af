"""What understanding source costs beside parsing alone, in processor time seen from outside.

    python tests/benchmarks/parsing.py [DIR ...]

The floor reads the files and lets tree-sitter parse them; the other run makes packed facts,
as a worker of the index does.  Both run in processes of their own, one after the other.
"""

import argparse
import gc
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import sysconfig
from pathlib import Path

from wicket.indexing.facts import pack
from wicket.indexing.grammars import grammar_of
from wicket.indexing.languages import language_of
from wicket.indexing.parse import parse

LARGEST = 1 << 20  # Larger files are in no index.


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="*", default=[sysconfig.get_path("stdlib")])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--do", choices=("nothing", "floor", "facts"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.do:
        work(options.do, options.folders)
        return
    spent: dict[str, list[float]] = {"nothing": [], "floor": [], "facts": []}
    for _ in range(options.rounds):
        for what, seconds in spent.items():
            command = [sys.executable, __file__, "--do", what, *options.folders]
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(command, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    size = sum(path.stat().st_size for path in files(options.folders))
    ratios = [
        (full - start) / (floor - start) for start, floor, full in zip(*spent.values(), strict=True)
    ]
    said = {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "megabytes": round(size / 1e6, 1),
        **{f"{what}_cpu_s": summary(seconds) for what, seconds in spent.items()},
        "facts_over_floor": summary(ratios),
    }
    if options.json:
        print(json.dumps(said))
    else:
        for key, value in said.items():
            print(f"{key:20} {value}")


def work(what: str, folders: list[str]) -> None:
    gc.disable()  # As in the processes that parse: what they make refers to nothing in a ring.
    for path in files(folders):
        source = path.read_bytes()
        language = language_of(path.name) or ""
        if what == "floor":
            grammar_of(language).parser.parse(source)
        elif what == "facts":
            pack(parse(language, source))


def files(folders: list[str]) -> list[Path]:
    return [
        path
        for folder in folders
        for path in sorted(Path(folder).rglob("*"))
        if language_of(path.name)
        and path.is_file()
        and "site-packages" not in path.parts
        and path.stat().st_size <= LARGEST
    ]


def summary(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
    }


if __name__ == "__main__":
    main()
