"""What the index costs: `python tests/benchmarks/index.py [DIR ...] [--files N]`.

Every figure is measured from outside, on the same files in one run: cold and warm runs of
`wicket index` against a process that only reads and parses, and universal-ctags where it is
installed, by turns; then an index process as editors start it, with saves and a checkout of
1,500 files; then `wicket lsp` answering pings and keys while its folder is indexed, beside
one that has no folder, and after it.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from index_live import checkout, completing, lag, saves
from index_trees import copied, library, synthetic
from index_whole import whole_runs
from wicket.server import app, machine
from wicket.server.index import order

PARTS = ("whole", "saves", "lag", "completing", "checkout")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folders", nargs="*", type=Path, help="default: the standard library")
    parser.add_argument("--files", type=int, default=2000, help="of the synthetic tree, 0: none")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--saves", type=int, default=40)
    parser.add_argument("--checkout", type=int, default=1500)
    parser.add_argument("--only", choices=PARTS, action="append", help="several may be named")
    parser.add_argument("--append", type=Path, metavar="FILE", help="add the JSON as a line")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    parts = arguments.only or PARTS
    figures: dict[str, Any] = {
        **machine.described(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "runs": arguments.runs,
        "trees": {},
    }
    with tempfile.TemporaryDirectory(prefix="wb", dir="/tmp") as place:
        os.environ |= {
            f"XDG_{name}_HOME": f"{place}/{name.lower()}" for name in ("CACHE", "STATE", "CONFIG")
        } | {"XDG_RUNTIME_DIR": place}
        trees = [copied(folder, Path(place)) for folder in arguments.folders or [library()]]
        if arguments.files:
            trees.append(synthetic(Path(place) / f"synthetic{arguments.files}", arguments.files))
        for tree in trees:
            figures["trees"][tree.name] = measured(tree, parts, arguments)
        if "checkout" in parts:
            figures |= asyncio.run(checkout(Path(place) / "checkout", arguments.checkout))
    figures["load_after"] = round(os.getloadavg()[0], 2)
    if arguments.append:
        with arguments.append.open("a") as file:
            file.write(json.dumps(figures) + "\n")
    print(json.dumps(figures, indent=None if arguments.json else 2))


def measured(tree: Path, parts: list[str], arguments: argparse.Namespace) -> dict[str, Any]:
    told, found = order(app.start(None, [tree]), tree), {}
    if "whole" in parts:
        found |= whole_runs(tree, told, arguments.runs)
    if "saves" in parts:
        found |= asyncio.run(saves(tree, told, arguments.saves))
    if "lag" in parts:
        found |= asyncio.run(lag(tree, told))
    if "completing" in parts:
        found |= asyncio.run(completing(tree, told))
    return found


if __name__ == "__main__":
    main()
