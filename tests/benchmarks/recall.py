"""How often the definition that the next line calls is in the context that is put before it.

A hole is a statement that calls something which the file imports from another file of the
same package, as Python's own parser and a resolver that is not Wicket's see it.  The
statement is hidden; found is whether the definition is among what is retrieved in a budget.

    pip install --no-deps --target DIR werkzeug jinja2 fastapi
    python tests/benchmarks/recall.py DIR/werkzeug DIR/jinja2 DIR/fastapi

The numbers in `indexing/retrieval/candidates.py` were fitted on flask, click and rich; those
for what is not imported yet on requests, httpx, starlette, uvicorn, pytest, hypothesis, anyio,
black and aiohttp, too.
"""

import argparse
import ast
import json
import math
import os
import platform
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from wicket.completion.metrics import Estimate, estimate, quantile
from wicket.indexing.memory import InMemory
from wicket.indexing.retrieval import Item, retrieve
from wicket.indexing.retrieval.packing import (
    CHARACTERS_PER_TOKEN,
    FILE_TOKENS,
    ITEM_TOKENS,
    alone,
)

BUDGETS = (256, 512, 1024)
MODES = ("warm", "first", "cold")
HOPS = 5


@dataclass(frozen=True)
class Hole:
    """`text` without the hidden statement; `offset` is where it stood.

    `wanted` is the path and the line (from 1) of the definition, `name` what it is called.
    `entry` and `leave` are where the body of the top-level definition around begins and ends.
    """

    path: str
    text: str
    offset: int
    entry: int
    leave: int
    wanted: tuple[str, int]
    name: str
    mode: str


def main() -> None:
    options = _options()
    rows: dict[str, dict[str, dict[int, Estimate]]] = {}
    seconds: list[float] = []
    holes: dict[Path, tuple[InMemory, list[Hole]]] = {}
    for folder in options.folders:
        files = {
            str(path.relative_to(folder.parent)): path.read_text("utf-8", "replace")
            for path in sorted(folder.rglob("*.py"))
        }
        chosen = list(sampled(holes_of(files), options.holes))
        holes[folder] = InMemory(files), chosen
    for name, retriever in RETRIEVERS.items():
        if options.only and name not in options.only:
            continue
        for mode in options.mode or MODES:
            values: dict[int, list[bool]] = {budget: [] for budget in BUDGETS}
            groups: list[str] = []
            for repository, chosen in holes.values():
                for hole in chosen:
                    if hole.mode != mode:
                        continue
                    hole = FROZEN[options.frozen](hole)
                    groups.append(hole.path)
                    for budget in BUDGETS:
                        started = time.process_time()
                        found = hole.wanted in retriever(repository, hole, budget)
                        if name == "wicket" and budget == 1024:
                            seconds.append(time.process_time() - started)
                            if options.missed and not found:
                                print(mode, hole.path, hole.name, hole.wanted, file=sys.stderr)
                        values[budget].append(found)
            rows.setdefault(name, {})[mode] = {
                budget: estimate([float(one) for one in found], groups)
                for budget, found in values.items()
            }
    report(rows, seconds, options)


def report(rows: dict[str, dict[str, dict[int, Estimate]]], seconds: list[float], options) -> None:
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    if options.json:
        table = {
            name: {
                mode: {
                    str(budget): [one.value, one.low, one.high, one.count]
                    for budget, one in budgets.items()
                }
                for mode, budgets in modes.items()
            }
            for name, modes in rows.items()
        }
        print(json.dumps({"machine": machine, "load": os.getloadavg()[0], "recall": table}))
        return
    print(f"{machine}, load {os.getloadavg()[0]:.1f}, frozen: {options.frozen}")
    print(f"{'retriever':10} {'mode':6} {'holes':>5} " + "".join(f"{b:>20}" for b in BUDGETS))
    for name, modes in rows.items():
        for mode, budgets in modes.items():
            cells = [
                f"{100 * e.value:5.1f} ({100 * e.low:.1f}-{100 * e.high:.1f})"
                for e in budgets.values()
            ]
            count = next(iter(budgets.values())).count
            print(f"{name:10} {mode:6} {count:5} " + "".join(f"{cell:>20}" for cell in cells))
    spent = [1000 * one for one in seconds]
    print(
        f"CPU ms per context of 1024: p50 {quantile(spent, 0.5):.1f}, "
        f"p95 {quantile(spent, 0.95):.1f}, max {max(spent, default=0):.1f}"
    )


def wicket(repository: InMemory, hole: Hole, budget: int) -> set[tuple[str, int]]:
    return {(item.path, item.lines[0]) for item in retrieved(repository, hole, budget)}


def signed(repository: InMemory, hole: Hole, budget: int) -> set[tuple[str, int]]:
    """Of the same contexts, what is there with its parameters and not as a name alone."""
    items = retrieved(repository, hole, budget)
    return {(item.path, item.lines[0]) for item in items if not alone(item)}


def retrieved(repository: InMemory, hole: Hole, budget: int) -> list[Item]:
    return retrieve(repository, hole.path, "python", hole.text, hole.offset, budget)


def nothing(*_: object) -> set[tuple[str, int]]:
    return set()


def by_chance(repository: InMemory, hole: Hole, budget: int) -> set[tuple[str, int]]:
    """Top-level definitions of the package in any order."""
    documents = [one for one in signatures(repository) if one[0] != hole.path]
    random.Random(hole.text).shuffle(documents)
    return packed(documents, budget)


def bm25(repository: InMemory, hole: Hole, budget: int) -> set[tuple[str, int]]:
    """Top-level signatures that share words with the lines around, by Okapi BM25."""
    return packed(ranked(repository, hole), budget)


def bm25_names(repository: InMemory, hole: Hole, budget: int) -> set[tuple[str, int]]:
    """The same order, of which only the names are shown."""
    return packed(ranked(repository, hole), budget, signed=False)


def ranked(repository: InMemory, hole: Hole) -> Iterator["Signature"]:
    query = Counter(words(around(hole)))
    every = sorted(ranked_by_words(repository, query), key=lambda pair: -pair[0])
    return (one for score, one in every if score and one[0] != hole.path)


def windows(repository: InMemory, hole: Hole, budget: int) -> set[tuple[str, int]]:
    """Windows of 20 lines of other files, by Jaccard similarity to the lines around."""
    query = set(words(around(hole)))
    scored: list[tuple[float, str, int, str]] = []
    for path, start, text, known in windows_of(repository):
        if path != hole.path and known:
            scored.append((len(query & known) / len(query | known), path, start, text))
    found: set[tuple[str, int]] = set()
    for _score, path, start, text in sorted(scored, reverse=True):
        budget -= round(len(text) / CHARACTERS_PER_TOKEN) + FILE_TOKENS
        if budget < 0:
            break
        found |= {(path, start + row + 1) for row in range(text.count("\n") + 1)}
    return found


RETRIEVERS: dict[str, Callable[[InMemory, Hole, int], set[tuple[str, int]]]] = {
    "wicket": wicket,
    "signed": signed,
    "none": nothing,
    "random": by_chance,
    "bm25": bm25,
    "bm25names": bm25_names,
    "jaccard": windows,
}


# Where the context was chosen that is still there at the hole, and what stood there then.
FROZEN: dict[str, Callable[[Hole], Hole]] = {
    "line": lambda hole: hole,
    "entry": lambda hole: replace(hole, offset=hole.entry),
    "unwritten": lambda hole: replace(
        hole, text=hole.text[: hole.entry] + hole.text[hole.leave :], offset=hole.entry
    ),
}


def around(hole: Hole) -> str:
    before, after = hole.text[: hole.offset].split("\n"), hole.text[hole.offset :].split("\n")
    return "\n".join(before[-40:] + after[:15])


def words(text: str) -> list[str]:
    """Parts of identifiers, lower case: get_user and getUser share two."""
    return [word.lower() for word in re.findall(r"[A-Z]?[a-z]{2,}|[A-Z]{2,}", text)]


Signature = tuple[str, int, str]


def signatures(repository: InMemory) -> list[Signature]:
    if not hasattr(repository, "signatures"):
        repository.signatures = [
            (path, one.line + 1, one.signature)
            for path in repository.files
            if (facts := repository.facts(path))
            for one in facts.definitions
            if one.parent < 0 and one.kind in ("class", "function")
        ]
        repository.counted = [Counter(words(one[2])) for one in repository.signatures]
        repository.frequency = Counter(w for counts in repository.counted for w in counts)
    return repository.signatures


def ranked_by_words(
    repository: InMemory, query: Counter[str], k: float = 1.2, b: float = 0.75
) -> Iterator[tuple[float, Signature]]:
    documents = signatures(repository)
    lengths = [counts.total() for counts in repository.counted]
    mean = sum(lengths) / len(lengths)
    for one, counts, length in zip(documents, repository.counted, lengths, strict=True):
        score = 0.0
        for word in query.keys() & counts.keys():
            df = repository.frequency[word]
            idf = math.log(1 + (len(documents) - df + 0.5) / (df + 0.5))
            score += idf * counts[word] * (k + 1) / (counts[word] + k * (1 - b + b * length / mean))
        yield score, one


def windows_of(repository: InMemory) -> list[tuple[str, int, str, set[str]]]:
    if not hasattr(repository, "windows"):
        repository.windows = [
            (path, start, text, set(words(text)))
            for path, source in repository.files.items()
            for lines in [source.split("\n")]
            for start in range(0, len(lines), 10)
            for text in ["\n".join(lines[start : start + 20])]
        ]
    return repository.windows


def packed(
    documents: Iterable["Signature"], budget: int, signed: bool = True
) -> set[tuple[str, int]]:
    found: set[tuple[str, int]] = set()
    files: set[str] = set()
    for path, line, text in documents:
        shown = text if signed else re.findall(r"(?:def|class) (\w+)", text)[0]
        cost = round(len(shown) / CHARACTERS_PER_TOKEN) + (ITEM_TOKENS if signed else 1)
        cost += FILE_TOKENS * (path not in files)
        if cost <= budget:
            budget -= cost
            files.add(path)
            found.add((path, line))
    return found


def sampled(holes: Iterator[Hole], most: int) -> Iterator[Hole]:
    """At most so many of each mode, the same ones each time."""
    found = list(holes)
    random.Random(1).shuffle(found)
    for mode in MODES:
        yield from [hole for hole in found if hole.mode == mode][:most]


def holes_of(files: dict[str, str]) -> Iterator[Hole]:
    trees = {path: parsed for path, text in files.items() if (parsed := _parsed(text))}
    for path, tree in trees.items():
        bound = dict(_imports(tree, path, trees))
        for top in tree.body:
            for statement in ast.walk(top):
                if not isinstance(statement, ast.stmt):
                    continue
                for name in sorted(_called(statement) & bound.keys()):
                    wanted = _definition(bound[name][1], bound[name][2], trees)
                    if wanted and wanted[0] != path:
                        yield from _holes(
                            path, files[path], top, statement, name, wanted, bound[name][0]
                        )


def _holes(path, text, top, statement, name, wanted, imported) -> Iterator[Hole]:
    lines = text.split("\n")
    last = statement.end_lineno if not hasattr(statement, "body") else statement.lineno
    kept = lines[: statement.lineno - 1] + [""] * (last - statement.lineno + 1) + lines[last:]
    body = getattr(top, "body", None)
    entry = min(body[0].lineno, statement.lineno) if body else statement.lineno

    def made(rows: list[str], mode: str) -> Hole:
        def start(line: int) -> int:
            return sum(len(row) + 1 for row in rows[: line - 1])

        return Hole(
            path,
            "\n".join(rows),
            start(statement.lineno),
            start(entry),
            start(top.end_lineno + 1) if body else start(entry),
            wanted,
            name,
            mode,
        )

    yield made(kept, "warm")
    uses = re.findall(
        rf"\b{re.escape(name)}\b",
        "\n".join(
            row
            for number, row in enumerate(kept, 1)
            if not imported.lineno <= number <= imported.end_lineno
        ),
    )
    if uses:
        return
    yield made(kept, "first")
    names = [alias for alias in imported.names if (alias.asname or alias.name) != name]
    without = list(kept)
    without[imported.lineno - 1 : imported.end_lineno] = [""] * (
        imported.end_lineno - imported.lineno + 1
    )
    if names:
        rest = ast.unparse(ast.ImportFrom(imported.module, names, imported.level))
        indent = " " * imported.col_offset
        without[imported.lineno - 1] = indent + rest
    yield made(without, "cold")


def _called(statement: ast.stmt) -> set[str]:
    """Plain names called in a statement, or in the head of one that has a body."""
    heads = [
        child
        for field, value in ast.iter_fields(statement)
        if field not in ("body", "orelse", "finalbody", "handlers", "cases")
        for child in (value if isinstance(value, list) else [value])
        if isinstance(child, ast.AST)
    ]
    return {
        node.func.id
        for head in heads
        for node in ast.walk(head)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }


def _parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError):
        return None


def _imports(tree: ast.Module, path: str, trees: dict[str, ast.Module]):
    """Names that `from ... import` binds: the statement, the file it means, the name there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            file = _module(node.module or "", node.level, path, trees)
            for alias in node.names if file else ():
                yield alias.asname or alias.name, (node, file, alias.name)


def _module(name: str, level: int, path: str, trees: dict[str, ast.Module]) -> str | None:
    parts = path.split("/")[:-level] if level else []
    place = "/".join([*parts, *(name.split(".") if name else [])])
    return next((f for f in (f"{place}.py", f"{place}/__init__.py") if f in trees), None)


def _definition(file: str, name: str, trees: dict[str, ast.Module], hops: int = HOPS):
    """The path and line of what `name` is in `file`, through re-exports."""
    for node in trees[file].body:
        named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if named and node.name == name:
            return file, node.lineno
    for alias, (_node, other, original) in _imports(trees[file], file, trees):
        if alias == name and hops:
            return _definition(other, original, trees, hops - 1)
    return None


def _options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--holes", type=int, default=250, help="at most, per package and mode")
    parser.add_argument(
        "--frozen",
        choices=tuple(FROZEN),
        default="line",
        help="context chosen at the line, when the definition was entered, or when it was"
        " begun and nothing of its body was there",
    )
    parser.add_argument("--only", action="append", choices=tuple(RETRIEVERS))
    parser.add_argument("--mode", action="append", choices=MODES)
    parser.add_argument("--missed", action="store_true", help="print what was not found")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
