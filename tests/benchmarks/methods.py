"""Recall of called methods: `python tests/benchmarks/methods.py PACKAGE_DIR ... [--calls N]`.

A hole is a call `x.name(...)` in a real file: from the name on, its line is hidden.  jedi, which
runs its own type inference over the whole file, says where the method is defined; found is it
when an item of the context is that definition.  Needs `pip install jedi`, which nothing else
here does.  Packages are held out as long as nobody tunes receivers on them.
"""

import argparse
import ast
import json
import random
import statistics
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jedi
from wicket.indexing.memory import InMemory
from wicket.indexing.retrieval import retrieve

BUDGETS = (256, 512, 1024)
RESAMPLES = 2000


class Hole(NamedTuple):
    """A call: line and column of the method's name, both as `ast` counts them."""

    path: str
    line: int
    column: int
    kind: str  # "self" or "other"


def holes(files: dict[str, str]) -> Iterator[Hole]:
    for path, text in files.items():
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                value, line = node.func.value, node.func.end_lineno or 0
                column = (node.func.end_col_offset or 0) - len(node.func.attr)
                own = isinstance(value, ast.Name) and value.id in ("self", "cls")
                if text.split("\n")[line - 1].isascii():
                    yield Hole(path, line, column, "self" if own else "other")


def gold(root: Path, text: str, hole: Hole, project: jedi.Project) -> tuple[str, int] | None:
    """Path and line of the method, if it is defined in the package, in a class."""
    script = jedi.Script(text, path=root / hole.path, project=project)
    try:
        found = script.goto(hole.line, hole.column + 1, follow_imports=True)
    except Exception:  # jedi has mistakes of its own: such a call has no gold.
        return None
    for one in found:
        inside = one.parent()
        if one.type == "function" and inside is not None and inside.type == "class":
            place = Path(one.module_path or "/")
            if place.is_relative_to(root):
                return place.relative_to(root).as_posix(), one.line
    return None


def measured(root: Path, calls: int) -> dict[str, list[dict[int, bool]]]:
    files = {
        path.relative_to(root).as_posix(): path.read_text("utf-8", "replace")
        for path in sorted(root.rglob("*.py"))
    }
    repository, project = InMemory(files), jedi.Project(root.parent)
    chosen = list(holes(files))
    random.Random(5).shuffle(chosen)
    found: defaultdict[str, list[dict[int, bool]]] = defaultdict(list)
    for hole in chosen:
        if sum(map(len, found.values())) >= calls:
            break
        text = files[hole.path]
        if (wanted := gold(root, text, hole, project)) is None:
            continue
        lines = text.split("\n")
        before = "\n".join([*lines[: hole.line - 1], lines[hole.line - 1][: hole.column]])
        shown = before + "\n" + "\n".join(lines[hole.line :])
        hits: dict[int, bool] = {}
        for budget in BUDGETS:
            items = retrieve(repository, hole.path, "python", shown, len(before), budget)
            # The line of a decorated method is that of its name, for both.
            hits[budget] = any((item.path, item.lines[0]) == wanted for item in items)
        # What stands in the same file is before the model anyway, or near it.
        place = "same file" if wanted[0] == hole.path else "other file"
        found[f"{hole.kind}, {place}"].append(hits)
    return found


def interval(hits: list[bool]) -> dict[str, float]:
    """The share, with a 95 % bootstrap interval."""
    chance = random.Random(1)
    means = sorted(statistics.mean(chance.choices(hits, k=len(hits))) for _ in range(RESAMPLES))
    low, high = means[RESAMPLES // 40], means[-RESAMPLES // 40]
    return {"recall": round(statistics.mean(hits), 3), "low": round(low, 3), "high": round(high, 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("packages", nargs="+", type=Path)
    parser.add_argument("--calls", type=int, default=300, help="of each package")
    arguments = parser.parse_args()
    every: defaultdict[str, list[dict[int, bool]]] = defaultdict(list)
    for root in arguments.packages:
        for kind, hits in measured(root.resolve(), arguments.calls).items():
            every[kind] += hits
    figures: dict[str, Any] = {"jedi": jedi.__version__}
    for kind, hits in sorted(every.items()):
        figures[kind] = {"calls": len(hits)} | {
            f"at {budget}": interval([one[budget] for one in hits]) for budget in BUDGETS
        }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
