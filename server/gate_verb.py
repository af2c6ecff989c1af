"""`wicket gate`: serve the gate, which others start when they need it; freeze and thaw it."""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Mapping

from ..completion.client import EngineGone
from ..escalation import freezes
from ..escalation.client import Declined, GateClient, Lost
from ..escalation.routing import EVERY
from . import freezing, gate, gate_client, keys, processes, settings, standing
from .paths import Paths, UnsafePath
from .settings_checks import plain

# Until a gate that runs has noticed.
NOTICE_SECONDS = 3.0


def run(arguments: argparse.Namespace) -> int:
    paths = Paths.of(os.environ)
    try:
        path = gate_client.socket_path(paths)
        if arguments.action == "forget":
            print(
                f"{standing.forget(paths)} standing approvals taken back; each request is asked for"
            )
            return 0
        if arguments.action:
            return _brake(
                paths, arguments.action == "freeze", arguments.reason or "", _scope(arguments)
            )
        # Before a key is in memory, and before an SDK is imported.
        keys.close_memory()
        keys.clear_environment()
        if arguments.started:
            # Who started us holds the lock; the place is not theirs to choose.
            if arguments.started != str(path):
                raise UnsafePath(f"{arguments.started} is not where the gate listens")
            return gate.run(paths, path, arguments.idle)
        lock = processes.try_lock(path)
    except (UnsafePath, EngineGone, OSError) as error:
        print(f"wicket gate: {error}", file=sys.stderr)
        return 1
    if lock is None:
        print("wicket gate: it runs already; see `wicket ps`", file=sys.stderr)
        return 1
    with lock:
        path.unlink(missing_ok=True)
        return gate.run(paths, path, arguments.idle)


def _scope(arguments: argparse.Namespace) -> dict[str, str]:
    said = {name: getattr(arguments, name) for name in freezes.SCOPES}
    if said["repository"]:
        # By the name that questions from there come with.
        said["repository"] = os.path.realpath(said["repository"])
    return {name: value for name, value in said.items() if value}


def _unknown(paths: Paths, scope: Mapping[str, str]) -> str:
    """What of a scope nobody knows, as after a slip of the finger; "" if nothing is."""
    if (kind := scope.get("kind")) and kind not in EVERY:
        return f"there is no kind {plain(kind)}; there are {', '.join(EVERY)}"
    name = scope.get("provider")
    if name and name not in settings.load(paths, None, ()).settings.providers:
        return f"your settings have no provider {plain(name)}"
    return ""


def _brake(paths: Paths, frozen: bool, reason: str, scope: Mapping[str, str]) -> int:
    """Freeze or thaw, and wait until a gate that runs has noticed."""
    if frozen and (doubt := _unknown(paths, scope)):
        # It is frozen all the same: settings may change, and a brake asks no questions.
        print(f"wicket gate: {doubt}", file=sys.stderr)
    freezing.change(paths, frozen, reason, scope)
    running = any(
        found.path == gate_client.socket_path(paths)
        for found in processes.running(gate_client.socket_path(paths).parent)
    )
    if running and not asyncio.run(_noticed(paths)):
        print("wicket gate: the gate does not answer; `wicket stop gate` ends it", file=sys.stderr)
        return 1
    rows = freezing.rows(paths)
    for row in rows:
        named = ", ".join(f"{name} {plain(value)}" for name, value in row.scope.items())
        what = f"nothing of {named}" if named else "nothing"
        print(f"frozen {row.why}; {what} is sent")
    if frozen:
        return 0
    if not rows:
        print("thawed; requests are sent again, each with its question")
    # What an administrator froze, and what of one's own was not meant, stays.
    theirs = [row for row in rows if not scope or row.everything or row.scope == scope]
    return 1 if theirs else 0


async def _noticed(paths: Paths) -> bool:
    """Whether the gate sees what the files say, and what it has to end has ended."""
    wanted = [row.as_json() for row in freezing.rows(paths)]
    deadline = time.monotonic() + NOTICE_SECONDS
    async with GateClient(gate_client.socket_path(paths)) as client:
        while time.monotonic() < deadline:
            try:
                said = await client.status()
            except (Declined, Lost):
                return False
            if said["freezes"] == wanted and not said["ending"]:
                return True
            await asyncio.sleep(0.05)
    return False
