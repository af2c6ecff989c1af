"""The launcher: what it starts for a limited process, what it refuses, and its end."""

import json
import subprocess
import sys
from pathlib import Path

from wicket.server import launcher, processes

# A process with one thread forks a launcher and asks it for a start.
PROGRAM = """
import os, sys, json
from wicket.server import launcher, processes
from pathlib import Path
started = launcher.fork(lambda: None)
argv = json.loads(sys.argv[1])
log, lock = open(sys.argv[2], "ab"), open(sys.argv[2] + ".lock", "ab")
try:
    child = started.spawn(argv, log, lock)
except OSError as error:
    print("refused", error.strerror)
    sys.exit()
while child.poll() is None:
    pass
print("ended", child.returncode)
"""


def check_start(tmp_path: Path, argv: list[str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(argv), str(tmp_path / "log")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()


def test_the_launcher_starts_our_processes_and_nothing_else(tmp_path: Path) -> None:
    ours = processes.command("engine", "--started")
    assert check_start(tmp_path, ours).startswith("ended"), "it ran, and disliked the order"
    assert "JSONDecodeError" in (tmp_path / "log").read_text()
    for argv in (
        ["/bin/sh", "-c", "true"],
        processes.command("engine", "build"),
        processes.command("engine", "use", "http://evil"),
        processes.command("engine", "--started", "more"),
        processes.command("config", "--started", "{}"),
        [sys.executable, "-c", "1", "wicket.server", "engine", "--started", "{}"],
        [],
    ):
        assert not launcher.permitted(argv)
        assert check_start(tmp_path, argv) == "refused this command may not be started"


def test_the_launcher_leaves_with_its_client(tmp_path: Path) -> None:
    code = """
import os
from wicket.server import launcher
started = launcher.fork(lambda: None)
print(os.getpid(), flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == -9
    # `run` has seen the end of the output: nobody holds it open any more.
    assert done.stdout.strip().isdigit()
