"""`wicket gate`: serve the gate; a process of ours starts it when it is needed."""

import argparse
import os
import sys

from ..completion.client import EngineGone
from . import gate, gate_client, processes
from .paths import Paths, UnsafePath


def run(arguments: argparse.Namespace) -> int:
    paths = Paths.of(os.environ)
    try:
        path = gate_client.socket_path(paths)
        if arguments.started:
            # Who started us holds the lock; the place is not theirs to choose.
            if arguments.started != str(path):
                raise UnsafePath(f"{arguments.started} is not where the gate listens")
            return gate.run(paths, path, arguments.idle)
        lock = processes.try_lock(path)
    except (UnsafePath, EngineGone) as error:
        print(f"wicket gate: {error}", file=sys.stderr)
        return 1
    if lock is None:
        print("wicket gate: it runs already; see `wicket ps`", file=sys.stderr)
        return 1
    with lock:
        path.unlink(missing_ok=True)
        return gate.run(paths, path, arguments.idle)
