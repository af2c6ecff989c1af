"""`wicket route KIND`: where a task would go now, why, and why nobody else gets it."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..completion.client import EngineGone
from ..escalation import routing
from ..escalation.budgets import MILLION
from ..escalation.client import Declined, Lost
from ..escalation.kinds import KINDS, Kind
from . import spending
from .app import Startup, start
from .ask import connected
from .paths import UnsafePath
from .repositories import repository
from .settings import for_folder
from .settings_checks import plain


class Unnamed(Exception):
    """A file on the command line is not there; the message is one line."""


def run(arguments: argparse.Namespace) -> int:
    kind = routing.EVERY.get(arguments.kind)
    if kind is None:
        known = ", ".join(routing.EVERY)
        print(
            f"wicket route: there is no kind {arguments.kind}; there are {known}", file=sys.stderr
        )
        return 2
    folder = repository(Path.cwd() / "x")
    startup = start(folders=[folder])
    try:
        found = _local(kind) if kind.name not in KINDS else None
        found = found or asyncio.run(_asked(startup, _task(kind, startup, folder, arguments)))
    except Unnamed as error:
        print(f"wicket route: {error}", file=sys.stderr)
        return 2
    except (Declined, Lost, EngineGone, UnsafePath, OSError) as error:
        print(f"wicket route: {plain(str(error), 4096)}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(found))
    else:
        print("\n".join(lines(found)))
    return 0 if found["tier"] else 1


def lines(found: Mapping[str, Any]) -> list[str]:
    """The decision for a person.  Pure."""
    where = " then ".join(plain(name) for name in found["order"]) or (
        "this machine" if found["tier"] else "nobody"
    )
    rows = [f"{found['kind']}: {where}: {plain(found['reason'], 1000)}"]
    rows += [f"  not {plain(row['name'])}: {plain(row['why'], 1000)}" for row in found["passed"]]
    told: Mapping[str, str] = found.get("abilities", {})
    rows += [f"  {plain(name)}: {plain(said, 1000)}" for name, said in told.items()]
    return [*rows, *(f"  {row}" for row in budget_lines(found.get("budget", {})))]


def budget_lines(budget: Mapping[str, Mapping[str, int | None]]) -> list[str]:
    """What of each limit is left.  Pure."""
    found: list[str] = []
    for name, row in budget.items():
        spent, limit = row["spent"] or 0, row["limit"]
        if limit is None:
            continue
        left, span = max(0, limit - spent), name.partition("_")[0]
        if name.endswith("tokens"):
            found.append(f"{left} of {limit} tokens are left of this {span}")
        else:
            found.append(f"${left / MILLION:.2f} of ${limit / MILLION:.2f} are left of this {span}")
    return found


def _size(path: str) -> int:
    try:
        return Path(path).stat().st_size
    except OSError as error:
        raise Unnamed(f"cannot read {plain(path, 4096)}: {error.strerror}") from None


def _local(kind: Kind) -> dict[str, Any]:
    return routing.decide(kind, 0, ()).as_json()


def _task(
    kind: Kind, startup: Startup, folder: Path, arguments: argparse.Namespace
) -> dict[str, Any]:
    """Raises Declined where the folder wants nothing of this to leave, and OSError."""
    wanted = for_folder(startup.effective, folder).settings
    if why := spending.refusal(wanted.gate, wanted.features, kind.feature):
        raise Declined(403, why)
    return {
        "kind": kind.name,
        "instruction": "",
        "documents": [_document(path, folder) for path in arguments.path],
        "prefer": arguments.prefer,
        "folder": os.path.realpath(folder),
        "budget": spending.tightened(wanted),
        "size": arguments.size or sum(map(_size, arguments.path)),
    }


async def _asked(startup: Startup, task: Mapping[str, Any]) -> dict[str, Any]:
    """What the gate says, who alone knows how providers do and what is left of budgets."""
    async with connected(startup) as gate:
        return await gate.route(task)


def _document(said: str, folder: Path) -> dict[str, Any]:
    """A file by its name: its content is not needed to say where it would go."""
    try:
        name = Path(said).resolve().relative_to(folder.resolve()).as_posix()
    except ValueError:
        raise Declined(400, f"{said} is outside {folder}") from None
    return {"path": name, "text": ""}
