"""The table of docs/performance.md: every figure about completion, its mark, its command.

    python tests/benchmarks/performance.py              # write the table from what was measured
    python tests/benchmarks/performance.py --measure    # measure it all first (about two hours)
    python tests/benchmarks/performance.py --measure --only neovim_keys,idle
    python tests/benchmarks/performance.py --picture    # draw docs/pictures/latency.svg anew

Measurements are lines of JSON in `docs/performance.jsonl`; the last one of each benchmark
counts.  `wicket` and Python are those that run this.  `llama_vim`, where it is measured,
draws the picture too; `--picture` measures nothing else.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wicket.server import machine

ROOT = Path(__file__).parents[2]
PAGE, MEASURED = ROOT / "docs/performance.md", ROOT / "docs/performance.jsonl"
TABLE = re.compile(r"(?<=<!-- table: `performance.py` writes it -->\n).*?(?=<!-- end)", re.DOTALL)

HERE = "tests/benchmarks"
# By the name that a benchmark gives its measurements: how it is run.
COMMANDS = {
    "keystrokes": f"python {HERE}/keystrokes.py",
    "neovim_keys": f"python {HERE}/neovim_keys.py",
    "vscode_keys": f"python {HERE}/vscode_keys.py",
    "llama_vim": f"python {HERE}/llama_vim.py",
    "cancel": f"python {HERE}/cancel.py",
    "rates": f"python {HERE}/rates.py",
    "server": "wicket bench server",
    "idle": f"python {HERE}/idle.py",
    "soak": f"python {HERE}/soak.py",
}
# The one that the picture shows.
PICTURED, PICTURE = "llama_vim", ROOT / "docs/pictures/latency.svg"
# Figures of a result by name.
Figures = Mapping[str, Mapping[str, float]]
# Whether a median reaches its mark.
Mark = tuple[Callable[[float, float], bool], float]


def most(value: float) -> Mark:
    return (lambda median, mark: median <= mark), value


def least(value: float) -> Mark:
    return (lambda median, mark: median >= mark), value


@dataclass(frozen=True, slots=True)
class Row:
    """`figure` of `bench`, times `factor`, with its mark in the unit that is shown."""

    label: str
    bench: str
    figure: str
    mark: Mark | None = None
    factor: float = 1
    digits: int = 1


ROWS = (
    Row(
        "request to answer with an item, half within, ms",
        "keystrokes",
        "with_item_p50_ms",
        most(25),
    ),
    Row("the same, 95 % within, ms", "keystrokes", "with_item_p95_ms", most(80)),
    Row("keys with an item, %", "keystrokes", "share_with_item", least(30), 100, 0),
    Row(
        "keys for which the engine evaluated nothing, %",
        "keystrokes",
        "share_without_engine",
        None,
        100,
        0,
    ),
    Row("tokens evaluated per key, mean", "keystrokes", "tokens_per_key_mean", most(3)),
    Row("tokens evaluated per key, 95 % within", "keystrokes", "tokens_per_key_p95", most(6), 1, 0),
    Row("start of the process to the first suggestion, s", "keystrokes", "cold_start_s", most(1.5)),
    Row(
        "Neovim 0.12, key to ghost text on the screen, half within, ms",
        "neovim_keys",
        "all_p50_ms",
        most(60),
    ),
    Row("the same, 95 % within, ms", "neovim_keys", "all_p95_ms", most(150)),
    Row(
        "the same where the ghost text goes on, 95 % within, ms", "neovim_keys", "continued_p95_ms"
    ),
    Row(
        "VS Code, key to ghost text on the screen, half within, ms",
        "vscode_keys",
        "all_p50_ms",
        most(60),
    ),
    Row("the same, 95 % within, ms", "vscode_keys", "all_p95_ms", most(150)),
    Row(
        "frames without ghost text though the key goes on in it",
        "vscode_keys",
        "continued_frames_without",
        most(0),
        1,
        0,
    ),
    Row(
        "key to valid ghost text, Wicket / llama.vim, p50",
        "llama_vim",
        "ratio_p50_ms",
        most(0.7),
        1,
        2,
    ),
    Row("the same, p95", "llama_vim", "ratio_p95_ms", most(0.7), 1, 2),
    Row(
        "the same where it was not there at once, p50",
        "llama_vim",
        "ratio_asked_p50_ms",
        None,
        1,
        2,
    ),
    Row(
        "the same where it was not there at once, p95",
        "llama_vim",
        "ratio_asked_p95_ms",
        None,
        1,
        2,
    ),
    Row("processor time, Wicket / llama.vim's server", "llama_vim", "ratio_cpu_s", None, 1, 2),
    Row("keys with ghost text, Wicket, %", "llama_vim", "wicket_with_ghost_text", None, 100, 0),
    Row(
        "keys with ghost text, llama.vim, %", "llama_vim", "llama_vim_with_ghost_text", None, 100, 0
    ),
    Row(
        "of these the line was typed exactly so, Wicket, %",
        "llama_vim",
        "wicket_right",
        None,
        100,
        0,
    ),
    Row(
        "of these the line was typed exactly so, llama.vim, %",
        "llama_vim",
        "llama_vim_right",
        None,
        100,
        0,
    ),
    Row("cancel to idle, 95 % within, ms", "cancel", "idle_p95_ms", most(25)),
    Row(
        "tokens of a prompt a second, Wicket / llama.cpp's bench, 0.5 billion weights",
        "rates",
        "prefill_ratio",
        least(0.95),
        1,
        2,
    ),
    Row("the same by processor time", "rates", "prefill_ratio_by_cpu", None, 1, 2),
    Row(
        "tokens written a second, Wicket / llama.cpp's bench",
        "rates",
        "decode_ratio",
        least(0.95),
        1,
        2,
    ),
    Row("the same by processor time", "rates", "decode_ratio_by_cpu", None, 1, 2),
    Row(
        "processor time per token that is not llama.cpp's, shipped model, ms",
        "rates",
        "own_ms_per_token",
        most(0.25),
        1,
        2,
    ),
    Row("everything but engine and context, 95 % within, ms", "server", "key_p95", most(4)),
    Row("the same, processor time per key, ms", "server", "cpu_per_key"),
    Row("nobody types: processor time, ms a minute", "idle", "cpu_ms_per_minute", most(0), 1, 0),
    Row(
        "nobody types: times that a process runs, a minute", "idle", "woken_per_minute", None, 1, 0
    ),
    Row("private memory of the LSP process, most, MB", "soak", "lsp_most_mb", most(120)),
    Row(
        "all of its own memory, second quarter of the time, MB", "soak", "lsp_own_second_quarter_mb"
    ),
    Row("the same, last quarter of the time, MB", "soak", "lsp_own_last_quarter_mb"),
)


def table(measured: Mapping[str, Mapping[str, Any]]) -> str:
    """Markdown; `measured` is the last result of each benchmark."""
    lines = [
        "",
        "| figure | mark | median (least to greatest) | | measured by |",
        "|---|---:|---:|---|---|",
    ]
    for row in ROWS:
        figures: Figures = {}
        if result := measured.get(row.bench):
            figures = next(iter(result["subjects"].values()))
        said, met = cells(row, figures.get(row.figure))
        lines.append(f"| {row.label} | {mark(row)} | {said} | {met} | `{row.bench}` |")
    lines += ["", "| | command | when | on |", "|---|---|---|---|"]
    for bench, command in COMMANDS.items():
        result = measured.get(bench)
        when = f"{result['time'][:10]}, {result['runs']} runs{options(result)}" if result else "-"
        where = machine.in_words(result["machine"]) if result else "-"
        lines.append(f"| `{bench}` | `{command}` | {when} | {where} |")
    return "\n".join(lines) + "\n\n"


def options(result: Mapping[str, Any]) -> str:
    """What was asked for, but for the names of files."""
    known = {k: v for k, v in result["options"].items() if not isinstance(v, str)}
    return "".join(f", {name} {value:g}" for name, value in known.items())


def mark(row: Row) -> str:
    if row.mark is None:
        return ""
    at_most = row.mark[0](0, 1)
    return f"{'≤' if at_most else '≥'} {row.mark[1]:g}"


def cells(row: Row, figure: Mapping[str, float] | None) -> tuple[str, str]:
    """The figure, and whether it reaches its mark."""
    if figure is None:
        return "not measured", ""
    median, low, high = (row.factor * figure[name] for name in ("median", "low", "high"))
    said = f"{median:.{row.digits}f} ({low:.{row.digits}f} to {high:.{row.digits}f})"
    if row.mark is None:
        return said, ""
    reaches, value = row.mark
    return said, "yes" if reaches(median, value) else "**no**"


def latest(lines: Sequence[str]) -> dict[str, dict[str, Any]]:
    return {result["bench"]: result for result in map(json.loads, lines)}


def page(text: str, measured: Mapping[str, Mapping[str, Any]]) -> str:
    return TABLE.sub(lambda _found: table(measured), text)


def measure(names: Sequence[str]) -> None:
    """Raises SystemExit where a benchmark fails; what was measured before it stays."""
    for name in names:
        program, *arguments = COMMANDS[name].split()
        starts = {
            "python": [sys.executable],
            "wicket": [sys.executable, "-I", "-m", "wicket.server"],
        }
        print(COMMANDS[name], flush=True)
        command = [*starts[program], *arguments, "--append", str(MEASURED)]
        if name != PICTURED:
            run(command, COMMANDS[name])
            continue
        with tempfile.TemporaryDirectory() as folder:
            samples = f"{folder}/samples"
            run([*command, "--samples", samples], COMMANDS[name])
            run([sys.executable, f"{HERE}/latencies.py", samples, str(PICTURE)], "latencies.py")


def run(command: Sequence[str], name: str) -> None:
    if subprocess.run(command, cwd=ROOT).returncode:
        sys.exit(f"performance.py: {name} failed")


def chosen(words: str) -> list[str]:
    """Names of benchmarks with commas between them.  Raises ArgumentTypeError."""
    names = words.split(",")
    if unknown := [name for name in names if name not in COMMANDS]:
        known = ", ".join(COMMANDS)
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {known}")
    return names


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--measure", action="store_true", help="first, all or `--only` some")
    parser.add_argument("--only", type=chosen, metavar="BENCH,BENCH", help="with --measure")
    parser.add_argument("--picture", action="store_true", help=f"measure {PICTURED} and draw it")
    arguments = parser.parse_args()
    if arguments.only and not arguments.measure:
        parser.error("--only says what --measure measures; give both")
    if arguments.measure:
        measure(arguments.only or tuple(COMMANDS))
    elif arguments.picture:
        measure([PICTURED])
    lines = MEASURED.read_text().splitlines() if MEASURED.exists() else []
    PAGE.write_text(page(PAGE.read_text(), latest(lines)))


if __name__ == "__main__":
    main()
