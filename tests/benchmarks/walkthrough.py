"""The first hour as a person types it: from a clone to an applied edit, each step timed.

    python tests/benchmarks/walkthrough.py                        # this environment
    python tests/benchmarks/walkthrough.py --clone                # clone and install first
    python tests/benchmarks/walkthrough.py --pictures docs/pictures

Real commands at a real terminal, with a home and a repository of their own.  The provider is
a stand-in on the loopback that speaks Anthropic's wire format and says what is written here.
"""

import argparse
import asyncio
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text
from wicket.server.redteam.provider import Obedient, listening

ROOT = Path(__file__).parents[2]
COLUMNS = 100
STORE = """\
\"\"\"Orders, in a file per customer.\"\"\"

API_TOKEN = "tok-9f31c7d2aa4b4c0e"


def open_store(path):
    handle = open(path)
    rows = [line.split(";") for line in handle]
    return rows
"""
BETTER = """\
def open_store(path):
    with open(path) as handle:
        return [line.split(";") for line in handle]
"""
SETTINGS = """\
[providers.claude]
kind = "anthropic"
base_url = "http://127.0.0.1:{port}"
model = "claude-sonnet-4-5-20250929"
tier = "on-prem"     # on this machine here: a stand-in
retention = "none"
"""
EDIT = {
    "tool": "edit",
    "edits": [{"path": "store.py", "old": STORE[STORE.index("def ") :], "new": BETTER}],
}
SAYS = (
    "`open_store` (store.py:6) never closes its file: when a line cannot be read, or simply at "
    "the end, the handle stays open until it is collected. A `with` block around it is enough."
)


@dataclass(frozen=True, slots=True)
class Step:
    """What is typed after `wicket`, and then at its questions: what is waited for, what is
    answered.  `calls` are what the stand-in asks for."""

    name: str
    words: tuple[str, ...]
    says: tuple[tuple[str, str], ...] = ()
    calls: tuple[Mapping[str, Any], ...] = ()


# Those that docs/walkthrough.md shows.
DRAWN = ("ask", "edit", "log", "verify")
STEPS = (
    Step("key", ("key", "set", "claude"), (("claude", "sk-ant-stand-in-0123456789"),)),
    Step("index", ("index",)),
    Step(
        "ask",
        ("ask", "Does open_store close its file?", "--file", "store.py"),
        (("send it?", "y"), ("ask again", "")),
    ),
    Step(
        "edit",
        ("refactor", "store.py:6-9", "close the file, whatever happens"),
        (("send it?", "y"), ("apply it?", "y")),
        (EDIT,),
    ),
    Step("log", ("audit", "tail", "-n", "4")),
    Step("verify", ("audit", "verify")),
    Step("freeze", ("gate", "freeze", "--reason", "lunch")),
)


async def typed(step: Step, python: Path, home: Path) -> tuple[str, float]:
    """What stood on the terminal, and the seconds that it took."""
    main, other = pty.openpty()
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(python, "-I", "-m", "wicket.server", *step.words),
        env=environment(home) | {"TERM": "xterm-256color", "COLUMNS": str(COLUMNS)},
        cwd=home / "shop",
        stdin=other,
        stdout=other,
        stderr=other,
        start_new_session=True,
    )
    os.close(other)
    heard, at, waiting = "", 0, list(step.says)
    async with asyncio.timeout(120):
        while more := await asyncio.to_thread(_read, main):
            heard += more
            while waiting and (found := heard.find(waiting[0][0], at)) >= 0:
                at = found + len(waiting[0][0])
                os.write(main, waiting.pop(0)[1].encode() + b"\n")
        code = await process.wait()
    os.close(main)
    if code or waiting:
        sys.exit(f"{step.name}: exit {code}; waiting for {waiting}:\n{heard}")
    return heard.replace("\r\n", "\n"), time.perf_counter() - began


async def walk(python: Path, pictures: Path | None) -> dict[str, float]:
    took: dict[str, float] = {}
    model = Obedient()
    async with listening(model) as port:
        with tempfile.TemporaryDirectory(prefix="ww", dir="/tmp") as place:
            home = Path(place)
            prepare(home, port)
            for step in STEPS:
                model.instruct(step.calls, SAYS)
                heard, took[step.name] = await typed(step, python, home)
                if pictures and step.name in DRAWN:
                    draw(pictures / f"walkthrough-{step.name}.svg", step, heard)
            assert (home / "shop/store.py").read_text().endswith(BETTER)
            stop = [python, "-I", "-m", "wicket.server", "stop"]
            # Nothing else runs here meanwhile.
            subprocess.run(  # noqa: ASYNC221
                stop, env=environment(home), check=True, capture_output=True
            )
    return took


def prepare(home: Path, port: int) -> None:
    settings = home / ".config/wicket/wicket.toml"
    settings.parent.mkdir(parents=True, mode=0o700)
    settings.write_text(SETTINGS.format(port=port))
    (home / "shop").mkdir()
    (home / "shop/store.py").write_text(STORE)
    who = ("-c", "user.name=ada", "-c", "user.email=ada@example.org")
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "orders")):
        subprocess.run(["git", *who, *words], cwd=home / "shop", check=True)


def environment(home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_RUNTIME_DIR": str(home)}


def draw(place: Path, step: Step, heard: str) -> None:
    """The terminal as a picture; what was painted over is left out."""
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))  # noqa: SIM115
    line = " ".join(
        word if word.isascii() and " " not in word else f'"{word}"' for word in step.words
    )
    console.print(Text.assemble(("$ ", "bold green"), (f"wicket {line}", "bold")))
    final = re.sub(r"[^\n]*\r(?=[^\n])", "", heard)
    console.print(Text.from_ansi(re.sub(r"\x1b\[[?\d;]*[A-LN-Za-ln-z]", "", final).strip("\n")))
    drawn = console.export_svg(title="wicket")
    # Fonts of somebody's server are fetched by nobody who looks.
    place.write_text(re.sub(r"(?s)@font-face \{.*?\}\s*", "", drawn))


def install(place: Path) -> tuple[Path, dict[str, float]]:
    """A clone as somebody else would make it, installed by its Makefile."""
    took: dict[str, float] = {}
    for name, command, where in (
        ("clone", ["git", "clone", "-q", str(ROOT), str(place)], ROOT),
        ("install", ["make", "-s", ".venv/installed"], place),
    ):
        began = time.perf_counter()
        subprocess.run(command, cwd=where, check=True, stdout=subprocess.DEVNULL)
        took[name] = time.perf_counter() - began
    return place / ".venv/bin/python", took


def _read(descriptor: int) -> str:
    try:
        return os.read(descriptor, 65536).decode("utf-8", "replace")
    except OSError:
        return ""


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--clone", action="store_true", help="clone and install first")
    parser.add_argument("--pictures", type=Path, metavar="DIR", help="draw each step there")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args(argv)
    python, took = Path(sys.executable), dict[str, float]()
    place = Path(tempfile.mkdtemp(prefix="wc", dir="/tmp")) / "wicket"
    try:
        if wanted.clone:
            python, took = install(place)
        took |= asyncio.run(walk(python, wanted.pictures))
    finally:
        shutil.rmtree(place.parent)
    steps = list(took)
    took["first edit"] = sum(took[name] for name in steps[: steps.index("edit") + 1])
    if wanted.json:
        print(json.dumps({name: round(seconds, 2) for name, seconds in took.items()}))
    else:
        for name, seconds in took.items():
            print(f"{name:12} {seconds:7.1f} s")


if __name__ == "__main__":
    main()
