"""Writes the tables of docs/indexing.md from what `index.py --append docs/indexing.jsonl` kept.

    python tests/benchmarks/index_page.py

The last figure of each tree counts, whichever run it is of.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wicket.server import machine

ROOT = Path(__file__).parents[2]
PAGE, MEASURED = ROOT / "docs/indexing.md", ROOT / "docs/indexing.jsonl"
TABLE = re.compile(r"(?<=<!-- table: `index_page.py` writes it -->\n).*?(?=<!-- end)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Row:
    """A figure of a tree by the names that lead to it, and the most that it may be."""

    label: str
    path: tuple[str, ...]
    digits: int = 0
    mark: float | None = None


ROWS = (
    Row("files", ("files",)),
    Row("MB", ("megabytes",), 1),
    Row("definitions", ("definitions",)),
    Row("cold, processor seconds", ("cold_cpu_seconds", "median"), 1),
    Row("parsing alone, processor seconds", ("parse_only_cpu_seconds", "median"), 1),
    Row("cold / parsing alone", ("cpu_to_parse_only", "median"), 2, 1.7),
    Row("universal-ctags, processor seconds", ("ctags_cpu_seconds", "median"), 1),
    Row("its tags", ("ctags_tags",)),
    Row("cold / universal-ctags", ("cpu_to_ctags", "median"), 1),
    Row("nothing changed, s", ("warm_seconds", "median"), 2),
    Row("the same, processor seconds", ("warm_cpu_seconds", "median"), 2),
    Row("index / source", ("size_to_source",), 2, 0.6),
    Row("writer's memory, most, MB", ("writer_peak_mb",), 0, 150),
    Row("a parser's memory, most, MB", ("worker_peak_mb",), 0, 110),
    Row("save to visible, half within, ms", ("save_to_visible_ms", "p50")),
    Row("the same, 95 % within, ms", ("save_to_visible_ms", "p95"), 0, 300),
    Row("event loop, p99.9 above a bare one, ms", ("lag_ms_p99.9",), 1, 20),
    Row("key to answer while indexing, half within, ms", ("key_to_answer_ms_indexing", "p50")),
    Row("the same after it, ms", ("key_to_answer_ms_idle", "p50")),
    Row("key to answer while indexing, 95 % within, ms", ("key_to_answer_ms_indexing", "p95")),
    Row("the same after it, ms", ("key_to_answer_ms_idle", "p95")),
)


def table(runs: Sequence[Mapping[str, Any]]) -> str:
    """Markdown, a column for each tree."""
    trees: dict[str, dict[str, Any]] = {}
    lines: list[str] = []
    for run in runs:
        for name, figures in run["trees"].items():
            trees[name] = trees.get(name, {}) | figures
    lines += ["", f"| | mark | {' | '.join(trees)} |", f"|---|---:|{'---:|' * len(trees)}"]
    for row in ROWS:
        cells = [cell(row, figures) for figures in trees.values()]
        mark = "" if row.mark is None else f"≤ {row.mark:g}"
        if any(cells):
            lines.append(f"| {row.label} | {mark} | {' | '.join(cells)} |")
    lines += ["", "| trees | when | on |", "|---|---|---|"]
    lines += [
        f"| {', '.join(run['trees'])} | {run['time'][:10]}, {run['runs']} runs |"
        f" {machine.in_words(run)}, after {run['load_after']} |"
        for run in runs
    ]
    return "\n".join(lines) + "\n\n"


def cell(row: Row, figures: Mapping[str, Any]) -> str:
    """The figure, in bold where it misses its mark; "" where it was not measured."""
    value: Any = figures
    for name in row.path:
        value = value.get(name, {})
    if value == {}:
        return ""
    said = f"{value:,.{row.digits}f}"
    return f"**{said}**" if row.mark is not None and value > row.mark else said


def main() -> None:
    runs = [json.loads(line) for line in MEASURED.read_text().splitlines()]
    PAGE.write_text(TABLE.sub(lambda _found: table(runs), PAGE.read_text()))


if __name__ == "__main__":
    main()
