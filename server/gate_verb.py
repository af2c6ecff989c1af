"""`wicket gate`: serve the gate, which others start when they need it; freeze and thaw it."""

import argparse
import asyncio
import os
import sys
import time

from ..completion.client import EngineGone
from ..escalation.client import Declined, GateClient, Lost
from . import freezing, gate, gate_client, keys, processes, standing
from .paths import Paths, UnsafePath

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
            return _brake(paths, arguments.action == "freeze", arguments.reason or "")
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


def _brake(paths: Paths, frozen: bool, reason: str) -> int:
    """Freeze or thaw, and wait until a gate that runs has noticed."""
    freezing.change(paths, frozen, reason)
    running = any(
        found.path == gate_client.socket_path(paths)
        for found in processes.running(gate_client.socket_path(paths).parent)
    )
    if running and not asyncio.run(_noticed(paths, frozen)):
        print("wicket gate: the gate does not answer; `wicket stop gate` ends it", file=sys.stderr)
        return 1
    if why := freezing.why(paths):
        print(f"frozen {why}; nothing is sent")
        return 0 if frozen else 1
    print("thawed; requests are sent again, each with its question")
    return 0


async def _noticed(paths: Paths, frozen: bool) -> bool:
    deadline = time.monotonic() + NOTICE_SECONDS
    async with GateClient(gate_client.socket_path(paths)) as client:
        while time.monotonic() < deadline:
            try:
                said = await client.status()
            except (Declined, Lost):
                return False
            if not frozen or (said["frozen"] and not said["exchanges"]):
                return True
            await asyncio.sleep(0.05)
    return False
