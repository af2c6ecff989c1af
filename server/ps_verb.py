"""`wicket ps` and `wicket stop`: the processes that editors share."""

import argparse
import json
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from ..completion.wire import LINE_LIMIT, Malformed, read_hello
from . import processes
from .paths import Paths, UnsafePath, socket_directory

# An engine that hangs says nothing, and is listed all the same.
HELLO_SECONDS = 1.0


def run(arguments: argparse.Namespace) -> int:
    try:
        found = processes.running(socket_directory(Paths.of(os.environ)))
    except UnsafePath as error:
        print(f"wicket ps: {error}", file=sys.stderr)
        return 1
    rows = [
        {
            "process": process.process,
            "pid": process.pid,
            "memory_mb": memory_mb(process.pid),
            "models": models(process),
            "socket": str(process.path),
        }
        for process in found
    ]
    if arguments.json:
        print(json.dumps({"processes": rows}))
    else:
        for row in rows:
            line = "{process:8} {pid:>8} {memory_mb:>6} MB  {socket}".format(**row)
            print("  ".join([line, *names(row)]))
        if not rows:
            print("Nothing runs; editors start what they need.")
    return 0


def stop(arguments: argparse.Namespace) -> int:
    """Stop the named process, or all; 1 when one would not go."""
    try:
        found = processes.running(socket_directory(Paths.of(os.environ)))
    except UnsafePath as error:
        print(f"wicket stop: {error}", file=sys.stderr)
        return 1
    code = 0
    for process in found:
        if arguments.process in (None, process.process):
            gone = processes.stop(process)
            print(f"{process.process} {process.pid} {'stopped' if gone else 'stays'}")
            code = code if gone else 1
    if not any(arguments.process in (None, process.process) for process in found):
        print("Nothing runs." if arguments.process is None else f"No {arguments.process} runs.")
    return code


def models(process: processes.Running) -> list[str]:
    """What an engine has in memory: it says so before it is asked anything."""
    if process.process != "engine":
        return []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(HELLO_SECONDS)
        try:
            sock.connect(str(process.path))
            with sock.makefile("rb") as said:
                _version, state = read_hello(said.readline(LINE_LIMIT))
        except (OSError, Malformed, TypeError):
            return []
    return list(state.held or (state.model,)) if state else []


def names(row: Mapping[str, object]) -> Sequence[str]:
    return cast(Sequence[str], row["models"])


def memory_mb(pid: int) -> int:
    """Resident memory (Linux; 0 elsewhere)."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") // 1_000_000
