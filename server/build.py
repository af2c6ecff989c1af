"""`wicket engine build`: compile llama-cpp-python into this environment.

The compilation runs in a process of its own that outlives the terminal and writes how far
it is to a small file; the command only watches that file, as the editor's status does.
"""

import importlib.metadata
import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import processes
from .paths import Paths, private_directory, private_file, socket_directory

# Ninja's "[12/193] Building ..." in pip's output.
STEP = re.compile(r"\[(\d+)/(\d+)\]")
# Lines that say why pip or the compiler gave up, most telling first.
REASONS = (
    re.compile(r"No CMAKE_CXX_COMPILER could be found|CMAKE_C(?:XX)?_COMPILER not set"),
    re.compile(r"fatal error: .*|.*No space left on device.*"),
    re.compile(r"(?:CMake|ninja)[^\n]*rror[^\n]*"),
    re.compile(r"ERROR: (.*)"),
)
NO_COMPILER = "no C++ compiler; install one (Debian: apt-get install g++ python3-dev)"
WATCH_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Build:
    """How far the compilation is.  `pid` is the process that does it."""

    state: str  # running | done | failed
    pid: int
    share: float = 0.0
    reason: str | None = None


def state_file(paths: Paths) -> Path:
    # Beside the logs: the language server reads it, and reads nothing else of `state`.
    return paths.logs / "build.json"


def current(paths: Paths) -> Build | None:
    """The latest build, None where there was none; a build that died has failed."""
    try:
        said: dict[str, Any] = json.loads(state_file(paths).read_text())
        build = Build(**said)
    except (OSError, ValueError, TypeError):
        return None
    if build.state == "running" and not _alive(build.pid):
        return Build("failed", build.pid, build.share, "the compilation was interrupted")
    return build


def follow(paths: Paths) -> int:
    """Start a build unless one runs, show its progress, and answer an exit code."""
    running = current(paths)
    if running is None or running.state != "running":
        _spawn(paths)
    # Imported late: the language server asks this module only how far a build is.
    from rich import progress  # noqa: PLC0415

    bar = progress.Progress(
        progress.TextColumn("compiling llama-cpp-python"),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
    )
    build = Build("running", 0)
    try:
        with bar:
            task = bar.add_task("", total=1.0)
            for build in _watch(paths):
                bar.update(task, completed=build.share)
    except KeyboardInterrupt:
        print("It goes on in the background; `wicket engine build` shows it again.")
        return 130
    if build.state == "failed":
        print(f"wicket engine build: {build.reason}", file=sys.stderr)
        return 1
    print("llama-cpp-python is installed; editors use it from their next key on.")
    return 0


def run(paths: Paths) -> int:
    """The build itself, in the background process.  It never asks and never prints."""
    os.nice(10)
    me = os.getpid()
    _write(paths, Build("running", me))
    last: list[str] = []
    with (
        private_file(paths.logs / "build.log", "wb") as log,
        subprocess.Popen(
            pip_command(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as pip,
    ):
        assert pip.stdout is not None
        for raw in pip.stdout:
            log.write(raw)
            line = raw.decode("utf-8", "replace").rstrip()
            last = [*last[-400:], line]
            if step := STEP.search(line):
                share = int(step[1]) / max(1, int(step[2]))
                _write(paths, Build("running", me, round(share, 3)))
    if pip.returncode != 0:
        _write(paths, Build("failed", me, 0.0, reason("\n".join(last))))
        return 1
    importlib.invalidate_caches()
    if not importlib.util.find_spec("llama_cpp"):
        _write(paths, Build("failed", me, 0.0, "pip ended well, yet nothing was installed"))
        return 1
    _write(paths, Build("done", me, 1.0))
    # An engine that found no llama-cpp-python stays off; its successor finds it.
    for process in processes.running(socket_directory(paths)):
        if process.process == "engine":
            processes.stop(process)
    return 0


def pip_command() -> list[str]:
    """Verbose, because only then pip passes on how far the compiler is."""
    wanted = next(
        requirement.split(";")[0].strip()
        for requirement in importlib.metadata.requires("wicket") or []
        if requirement.startswith("llama-cpp-python")
    )
    # Isolated, and away from the user's folder: a `pip` lying there must not be run.
    command = [sys.executable, "-I", "-m", "pip", "install", "--verbose"]
    if importlib.util.find_spec("llama_cpp"):
        # Built anew, for other hardware: what is there must not count as good enough.
        command += ["--force-reinstall", "--no-deps", "--no-cache-dir"]
    return [*command, wanted]


def reason(output: str) -> str:
    """Why a build failed, in one line."""
    for pattern in REASONS:
        if found := pattern.search(output):
            text = found[1] if found.groups() else found[0]
            return NO_COMPILER if "COMPILER" in text else text.strip()
    return "pip failed; the log is in build.log beside the other logs"


def _spawn(paths: Paths) -> None:
    private_directory(paths.state)
    paths.logs.mkdir(exist_ok=True, mode=0o700)
    state_file(paths).unlink(missing_ok=True)
    code = "from wicket.server import build, paths; import os; "
    code += "build.run(paths.Paths.of(os.environ))"
    subprocess.Popen(
        [sys.executable, "-I", "-c", code],
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _watch(paths: Paths) -> Iterator[Build]:
    """Every state until the build has ended."""
    deadline = time.monotonic() + processes.START_SECONDS
    while True:
        build = current(paths)
        if build is not None:
            yield build
            if build.state != "running":
                return
        elif time.monotonic() > deadline:
            yield Build("failed", 0, 0.0, "the compilation did not start")
            return
        time.sleep(WATCH_SECONDS)


def _write(paths: Paths, build: Build) -> None:
    part = state_file(paths).with_suffix(".part")
    with private_file(part, "wb") as file:
        file.write(json.dumps(asdict(build)).encode())
    part.replace(state_file(paths))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True
