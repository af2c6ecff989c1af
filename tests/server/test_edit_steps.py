"""Applying and undoing an edit, killed at each step: what is left fits together, the next start
says in one line what happened, and the log says the truth."""

import signal
import sys
from pathlib import Path

import pytest

from ..escalation.provider import ProviderServer
from .test_ask import Desk
from .test_refactor import FILES, PATH, decisions, desk, proposes, revert, text

__all__ = ["desk"]

proposes(
    "renames in both",
    PATH | {"old": "open_store(path)", "new": "open_it(path)"},
    {"path": "src/use.py", "old": "open_store('x')", "new": "open_it('x')"},
)
AFTER = {
    "src/store.py": FILES["src/store.py"].replace("open_store(path)", "open_it(path)"),
    "src/use.py": FILES["src/use.py"].replace("open_store('x')", "open_it('x')"),
}

# Runs `wicket` in a process that kills itself where, after what was first, an event of the
# second kind is about to happen, as Python's own audit hooks tell of it.
KILLED = """
import os, signal, sys
(after, of), (event, about) = [one.split("|") for one in sys.argv.pop(1).split(" then ")]
seen = False
def look(name, arguments):
    global seen
    said = " ".join(map(str, arguments))
    if seen and name == event and about in said:
        os.kill(os.getpid(), signal.SIGKILL)
    if name == after and of in said:
        seen = True
sys.addaudithook(look)
sys.argv[0] = "wicket"
from wicket.server.__main__ import main
sys.exit(main())
"""


@pytest.fixture
def server(server: ProviderServer) -> ProviderServer:
    server.answer = "renames in both"
    return server


class Killed(Desk):
    def __init__(self, desk: Desk, step: str, verb: str) -> None:
        super().__init__(desk.home, desk.folder, verb)
        self.step = step

    def wicket(self, *words: str) -> list[str]:
        return [sys.executable, "-I", "-c", KILLED, self.step, *words]


async def apply(desk: Desk) -> tuple[int, str, str]:
    (desk.home.paths.config / "policy.toml").write_text('default = "allow"\n')
    words = ("src/store.py:4-5", "Call it open_it", "--also", "src/use.py:3-3", "--yes")
    return await desk.run(*words)


def now(desk: Desk) -> str:
    """Each file: as before, as after, or else."""
    said = ""
    for name, after in AFTER.items():
        found = text(desk, name)
        said += "b" if found == FILES[name] else "a" if found == after else "?"
    return said


def litter(desk: Desk) -> list[Path]:
    return [*desk.folder.rglob("*.wicket-new")]


# Where `wicket refactor` dies, what the files are then, what the next start says, and what is on
# record after it; with an empty line nothing is left to be said.
APPLYING = [
    ("open|applying.json then open|wicket-new", "bb", "before anything was written", ["rejected"]),
    ("open|wicket-new then os.rename|store.py", "bb", "before anything was written", ["rejected"]),
    ("os.rename|store.py then os.rename|use.py", "ab", "half-way", ["partly"]),
    ("os.rename|use.py then socket.connect|gate", "aa", "at its end", ["applied"]),
    ("os.rename|use.py then os.rename|applying.json", "aa", "at its end", ["applied"]),
]


@pytest.mark.parametrize(("step", "files", "said", "records"), APPLYING)
async def test_killed_while_it_applies(
    desk: Desk, step: str, files: str, said: str, records: list[str]
) -> None:
    code, out, error = await apply(Killed(desk, step, "refactor"))
    assert code == -signal.SIGKILL, (out, error)
    assert now(desk) == files
    code, out, error = await revert(desk)
    first = error.splitlines()[0]
    assert first.startswith("wicket revert: the edit of src/store.py, src/use.py was interrupted")
    assert said in first
    assert (now(desk), litter(desk)) == ("bb", [])
    undone = records != ["rejected"]
    assert (code, decisions(desk)) == (0 if undone else 1, records + ["reverted"] * undone)
    assert "Traceback" not in error


# Where `wicket revert` dies, and what the next one says.
UNDOING = [
    ("os.rename|undoing.json then open|wicket-new", "aa", "`wicket revert` goes on"),
    ("os.rename|store.py then os.rename|use.py", "ba", "`wicket revert` goes on"),
    ("os.rename|use.py then socket.connect|gate", "bb", "at its end: done"),
    ("os.rename|use.py then os.remove|undoing.json", "bb", "at its end: done"),
]


@pytest.mark.parametrize(("step", "files", "said"), UNDOING)
async def test_killed_while_it_undoes(desk: Desk, step: str, files: str, said: str) -> None:
    code, out, error = await apply(desk)
    assert (code, now(desk)) == (0, "aa"), error
    code, out, error = await revert(Killed(desk, step, "revert"))
    assert code == -signal.SIGKILL, (out, error)
    assert now(desk) == files
    code, out, error = await revert(desk)
    assert said in error.splitlines()[0]
    assert (now(desk), litter(desk)) == ("bb", [])
    assert decisions(desk) == ["applied", "reverted"]
    assert code == (0 if "goes on" in said else 1)


async def test_what_changed_since_a_kill_is_not_lost(desk: Desk) -> None:
    await apply(Killed(desk, APPLYING[2][0], "refactor"))
    (desk.folder / "src/use.py").write_text("# mine\n")
    code, _, error = await revert(desk)
    lines = error.splitlines()
    assert (code, now(desk)) == (1, "a?")
    assert "a file changed since; `wicket revert --force` undoes both" in lines[0]
    assert lines[1] == (
        "wicket revert: src/use.py changed meanwhile; --force writes it all the same"
    )
    assert (await revert(desk, "--force"))[0] == 0
    assert (now(desk), decisions(desk)) == ("bb", ["partly", "reverted"])


async def test_the_next_edit_says_it_too(desk: Desk, server: ProviderServer) -> None:
    await apply(Killed(desk, APPLYING[3][0], "refactor"))
    code, _, error = await apply(desk)
    first, second = error.splitlines()
    assert "it is applied, `wicket revert` undoes it" in first
    assert "src/store.py has changes that are not committed" in second
    assert (code, decisions(desk)) == (1, ["applied"])
    assert server.connections == 1
    assert (await revert(desk))[0] == 0
    assert now(desk) == "bb"
