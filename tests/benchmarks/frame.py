"""What every benchmark here shares: runs of their own, in turns, their medians and their file.

    python tests/benchmarks/NAME.py [--runs N] [--against PYTHON] [--append FILE] [--json]

Each run is a process of its own.  PYTHON is the interpreter of another environment with
another Wicket and the development tools in it: then both take turns, run by run, each
pair with the same seed, so that whatever else the machine does falls on both.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import wicket

# Figures of one run, of what was asked for on the command line; `seed` is the run's own.
Measure = Callable[[argparse.Namespace], dict[str, float]]
HERE, AGAINST = "here", "against"


class Failed(Exception):
    """A run did not end well; the message is one line."""


def main(about: str, measure: Measure, *options: tuple[str, object, str], runs: int = 5) -> None:
    """Be the command line of a benchmark; `options` are a name, a default and a meaning."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    for name, default, meaning in options:
        parser.add_argument(
            name, type=type(default), default=default, help=f"{meaning} (default: {default})"
        )
    parser.add_argument("--runs", type=int, default=runs, help=f"of each (default: {runs})")
    parser.add_argument("--against", metavar="PYTHON", help="of another Wicket, in turns")
    parser.add_argument("--append", metavar="FILE", help="add the JSON as a line to a file")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--seed", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.seed is not None:
        # A run: whose Wicket it is, and its figures.
        began = time.process_time()
        figures = measure(arguments)
        # Servers are processes of their own, and who starts them measures them.
        own = {"run_cpu_s": time.process_time() - began}
        print(json.dumps({"wicket": str(Path(wicket.__file__).parent), "figures": own | figures}))
        return
    if arguments.runs < 1:
        parser.error("--runs takes at least 1")
    names = [name.lstrip("-") for name, *_ in options]
    asked = {name: getattr(arguments, name.replace("-", "_")) for name in names}
    try:
        compare(arguments, asked)
    except Failed as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error}")
    except OSError as error:
        sys.exit(f"{Path(sys.argv[0]).name}: {error.filename}: {error.strerror}")


def compare(arguments: argparse.Namespace, asked: dict[str, object]) -> None:
    """Measure, show, and add to the file.  Raises Failed and OSError."""
    # Only the process that shows needs this; the other Wicket may not have it.
    from wicket.server import machine  # noqa: PLC0415
    from wicket.server.bench.result import Figure, Result  # noqa: PLC0415

    pythons = {HERE: sys.executable}
    if arguments.against:
        pythons[AGAINST] = arguments.against
    before = machine.described()
    words = [f"--{name}={value}" for name, value in asked.items()]
    whose: dict[str, str] = {}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in pythons}
    for seed in range(arguments.runs):
        for name, python in pythons.items():
            whose[name], figures = once(python, [*words, f"--seed={seed}"])
            found[name].append(figures)
            if len(set(whose.values())) < len(whose):
                raise Failed(f"both interpreters run the Wicket in {whose[name]}")
    result = Result.of(Path(sys.argv[0]).stem, found, before, **asked)
    if arguments.append:
        result.append(Path(arguments.append))
    if arguments.json:
        print(json.dumps(result.to_json()))
    else:
        result.show([Figure(name, name, digits=2) for name in found[HERE][0]])


def once(python: str, words: Sequence[str]) -> tuple[str, dict[str, float]]:
    """One run: the folder of the Wicket that ran, and its figures.  Raises Failed, OSError."""
    done = subprocess.run([python, sys.argv[0], *words], capture_output=True, text=True)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise Failed(f"a run with {python} failed: {last}")
    said = json.loads(done.stdout.splitlines()[-1])
    return said["wicket"], said["figures"]
