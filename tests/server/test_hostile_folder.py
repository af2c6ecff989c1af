"""A folder made to harm whoever indexes it: bounded time and memory, nothing run, nothing
of what is secret in any file."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from wicket.indexing.reader import Reader
from wicket.server import index
from wicket.server.paths import Paths

from ..indexing.test_files import make, run_git

CANARY = "CANARY_c0ffee_91"
# What a run may take at most, its processes' memory included: far above what it takes, far
# below what the folder asks for.
SECONDS = 600
MEMORY_MB = 1200

# Each keeps a parser at work for long, or makes it take much memory.
NASTY = {
    "parentheses.py": b"(" * 900_000,
    "lambdas.py": b"lambda:" * 120_000,
    "continued.py": b"\\\n" * 400_000,
    "indented.py": b"".join(b" " * depth + b"if a:\n" for depth in range(1200)),
    "braces.js": b"`${" * 300_000,
    "generic.ts": b"a<" * 400_000,
    "elements.tsx": b"<a>" * 300_000,
    "comments.js": b"/*" * 450_000,
    "nested.json": b"[" * 250_000,
    "nested.yaml": b"- " * 120_000,
    "flow.yaml": b"{a: " * 60_000,
    "indented.yaml": b"".join(b" " * depth + b"a:\n" for depth in range(700)),
    "quotes.md": b"> " * 120_000,
    "lists.md": b"".join(b" " * depth + b"- a\n" for depth in range(700)),
    "links.md": b"[" * 250_000,
    "heading.md": b"#" * 140 + b"\n" + b"a\n-\n" * 60_000,
    "here.sh": b"<<A " * 60_000,
    "expanded.sh": b"$(" * 120_000,
    "elements.html": b"<div>" * 50_000,
    "words.rb": b"%w(" * 80_000,
    "here.php": b"<?php " + b"<<<A\n" * 50_000,
    "interpolated.cs": b'$"{' * 80_000,
    "selects.sql": b"(SELECT " * 30_000,
    "long.lua": b"[==[" * 60_000,
    "templates.tf": b'"${' * 80_000,
    "Makefile": b"$(" * 120_000,
    "tables.toml": b"[a." * 80_000,
    "tsconfig.json": b'{"a":' * 50_000,
    "package.json": b"/*" * 120_000,
    "Cargo.toml": b"a=" + b"[" * 200_000,
    "go.mod": b"module " * 35_000,
}


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "r"
        self.root.mkdir()
        self.pwned = folder / "pwned"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder / "home"),
            "XDG_RUNTIME_DIR": str(folder / "run"),
        }
        (folder / "run").mkdir()

    def index(self) -> dict[str, object]:
        done = subprocess.run(
            [sys.executable, "-I", "-c", MEASURED, str(self.root)],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=True,
        )
        said = json.loads(done.stdout)
        assert said.pop("peak_mb") < MEMORY_MB
        assert not self.pwned.exists()
        return said

    def written(self) -> list[Path]:
        """Every file that Wicket wrote, wherever below its directories."""
        places = (self.folder / "home", self.folder / "run")
        return [file for place in places for file in place.rglob("*") if file.is_file()]

    def reader(self) -> Reader:
        return Reader(index.directory(Paths.of(self.environment), self.root) / "db")


# The command, and the largest of its processes.  Of its own the kernel's resource usage
# would count what the process that started it had.
MEASURED = """
import io, json, re, resource, sys
from contextlib import redirect_stdout
from wicket.server.__main__ import main
with redirect_stdout(io.StringIO()) as out:
    code = main(["index", sys.argv[1], "--json"])
own = int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
peak = max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) // 1024
print(json.dumps(json.loads(out.getvalue()) | {"peak_mb": peak}))
sys.exit(code)
"""


@pytest.fixture
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="wh", dir="/tmp") as folder:
        yield World(Path(folder))


def test_sources_that_harm_a_grammar(world: World) -> None:
    for name, source in NASTY.items():
        (world.root / name).write_bytes(source)
    make(world.root, "good.py", content="def good(): pass\n")
    said = world.index()
    assert world.reader().definers("good") == ("good.py",)
    # What was given up is known by its content and costs nothing the next time.
    again = world.index()
    assert again["skipped"] == said["skipped"]


@pytest.mark.parametrize("in_git", [True, False])
def test_a_folder_full_of_traps(world: World, in_git: bool) -> None:
    root = world.root
    outside = world.folder / "outside"
    make(outside, "stolen.py", content=f"def {CANARY}(): pass\n")
    for number in range(3000):
        (root / f"tiny{number % 30}").mkdir(exist_ok=True)
        (root / f"tiny{number % 30}" / f"{number}.py").touch()
    make(root, "/".join(["deep"] * 400) + "/in.py", content=f"def {CANARY}(): pass\n")
    with open(root / "huge.py", "wb") as file:
        file.truncate(1 << 30)
    (root / "link.py").symlink_to(outside / "stolen.py")
    (root / "linked").symlink_to(outside)
    (root / "loop").symlink_to(root)
    os.mkfifo(root / "pipe.py")
    (root / ".gitignore").write_text("a*" * 12 + "b\n" + "**/" * 60 + "z\n" + "x?" * 90 + "\n")
    make(root, "a" * 200 + ".py", "good/fine.py", content="def fine(): pass\n")
    if in_git:
        run_git(root, "init", "-q", ".")
        program = world.folder / "program"
        program.write_text(f"#!/bin/sh\ntouch {world.pwned}\n")
        program.chmod(0o700)
        for name in ("core.fsmonitor", "core.pager", "core.sshCommand", "diff.external"):
            run_git(root, "config", name, str(program))
    said = world.index()
    assert "good/fine.py" in world.reader().definers("fine")
    assert world.reader().definers(CANARY) == ()
    assert said["skipped"] == {"large": 1}
    assert all(CANARY.encode() not in file.read_bytes() for file in world.written())


def test_secrets_are_in_no_file_that_is_written(world: World) -> None:
    """The canary stands in every kind of file that the path policy refuses."""
    secret = f"def {CANARY}(): return '{CANARY}'\n"
    for path in (
        *(".env", ".env.local", "app/.env.py", "credentials.py", "a/credentials/b.py"),
        *("id_rsa.py", "server.key", "prod.tfvars", "private/a.py", "x/private/b.js"),
    ):
        make(world.root, path, content=secret)
    make(world.root, "open.py", content="from credentials import something\n")
    (world.root / ".wicket.toml").write_text("[index]\nexclude = ['private/']\n")
    said = world.index()
    assert said["files"] == 2  # Wicket's own settings are TOML like any other.
    assert said["skipped"] == {"excluded": 10}
    written = world.written()
    assert {file.name for file in written} >= {"db", "text", "skip", "lock"}
    assert all(CANARY.encode() not in file.read_bytes() for file in written)
    assert all(file.stat().st_mode & 0o077 == 0 for file in written)


@pytest.mark.soak
def test_a_million_tiny_files(world: World) -> None:
    for number in range(1_000_000):
        place = world.root / f"d{number // 1000}"
        if number % 1000 == 0:
            place.mkdir()
        (place / f"{number}.py").touch()
    said = world.index()
    assert said["files"] == 100_000
