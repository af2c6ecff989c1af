"""`wicket refactor` and `wicket revert` as a person types them, in a real git repository."""

import asyncio
import json
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from wicket.server import processes, undo
from wicket.server.change import Change

from ..escalation import anthropic_wire
from ..escalation.provider import ANSWERS, ProviderServer
from .gate_home import CLAUDE, Home
from .test_ask import Desk

CANARY = "canary-5f1c0ffee"
FILES = {
    "src/store.py": f"TOKEN = '{CANARY}'\n\n\ndef open_store(path):\n    return Store(path)\n",
    "src/use.py": "from store import open_store\n\nopen_store('x')\n",
    ".env": f"TOKEN={CANARY}\n",
    ".gitignore": ".env\n",
    ".github/workflows/ci.yml": "on: push\njobs: {}\n",
}


def proposes(name: str, *rows: dict[str, Any]) -> None:
    call = anthropic_wire.tool(1, "toolu_1", "edit", json.dumps({"edits": rows}))
    begun = anthropic_wire.HEAD + anthropic_wire.start() + anthropic_wire.text(0, "Renamed it.")
    ANSWERS[name] = [begun + call + anthropic_wire.end("tool_use")]


PATH = {"path": "src/store.py"}
proposes("renames", PATH | {"old": "open_store(path)", "new": "open_it(path)"})
proposes(
    "renames everywhere",
    PATH | {"old": "open_store(path)", "new": "open_it(path)"},
    PATH | {"old": "TOKEN = '", "new": "KEY = '"},
    {"path": "src/use.py", "old": "open_store('x')", "new": "open_it('x')"},
)
proposes("breaks", PATH | {"old": "open_store(path):", "new": "open_store(path:"})
proposes("hides", PATH | {"old": "Store(path)", "new": "Store(path)  # \u202e"})

CI = ".github/workflows/ci.yml"
proposes("builds", {"path": CI, "old": "jobs: {}", "new": "jobs: {x: {}}"})


@pytest.fixture
def server(server: ProviderServer) -> ProviderServer:
    server.answer = "renames"
    return server


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
async def desk(server: ProviderServer) -> AsyncIterator[Desk]:
    with tempfile.TemporaryDirectory(prefix="wr", dir="/tmp") as place:
        home = Home(Path(place) / "h", server.port)
        home.says(CLAUDE.format(port=server.port))
        folder = Path(place) / "repo"
        for name, text in FILES.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        git(folder, "init", "-q")
        git(folder, "add", ".")
        git(folder, "commit", "-qm", "one")
        yield Desk(home, folder, "refactor")
        for running in processes.running(home.socket.parent):
            await asyncio.to_thread(processes.stop, running)
        assert server.connections <= len(home.records("intent"))
        assert CANARY.encode() not in server.received
        kept = [path for path in home.root.rglob("*") if path.is_file() and
                CANARY.encode() in path.read_bytes()]  # fmt: skip
        assert {path.parent.name for path in kept} <= {"undo"}
        assert all(path.stat().st_mode & 0o777 == 0o600 for path in kept)


def text(desk: Desk, name: str = "src/store.py") -> str:
    return (desk.folder / name).read_text()


def decisions(desk: Desk) -> list[str]:
    return [row["data"]["decision"] for row in desk.home.records("applied")]


async def revert(desk: Desk, *words: str) -> tuple[int, str, str]:
    return await (desk if desk.verb == "revert" else Desk(desk.home, desk.folder, "revert")).run(
        *words
    )


async def test_asked_shown_asked_applied_and_undone(desk: Desk, server: ProviderServer) -> None:
    server.answer = "renames everywhere"
    mode = (desk.folder / "src/store.py").stat().st_mode
    code, heard = await desk.typed(
        *("src/store.py:4-5", "Call it open_it", "--also", "src/use.py:1-3"),
        says=[("send it?", "y"), ("apply it?", "y")],
    )
    assert code == 0, heard
    assert text(desk) == FILES["src/store.py"].replace("open_store", "open_it").replace(
        "TOKEN", "KEY"
    )
    assert text(desk, "src/use.py").endswith("open_it('x')\n")
    assert (desk.folder / "src/store.py").stat().st_mode == mode
    assert "Renamed it." in heard
    assert "\x1b[32m+def open_it(path):" in heard
    assert "\x1b[31m-def open_store(path):" in heard
    assert "to undo it: wicket revert" in heard
    assert decisions(desk) == ["applied"]
    body = server.requests[0][1].decode()
    assert "lines src/store.py:4-5, src/use.py:1-3" in body
    assert "TOKEN = 'WICKET_SECRET_1_" in body
    code, out, error = await revert(desk)
    assert (code, error) == (0, "")
    assert "src/store.py" in out
    assert {name: text(desk, name) for name in FILES} == FILES
    assert decisions(desk) == ["applied", "reverted"]
    assert (await revert(desk))[0] == 1
    one, other = desk.home.records("applied")
    assert one["data"]["commit"] == other["data"]["commit"]
    assert sum(row["removed"] for row in one["data"]["edits"]) == 3


OUTSIDE = "outside of {repo}; undo it there"


@pytest.mark.parametrize(
    ("folder", "path", "words", "said"),
    [
        ("repo", "src/store.py", (), None),
        ("repo/src", "store.py", (), None),
        ("repo", ".git/config", (), "programs obey it; --force"),
        ("repo/.git", "config", (), "programs obey it; --force"),
        ("repo", ".git/config", ("--force",), None),
        ("", "other.txt", ("--force",), OUTSIDE),
        ("", "repo/../other.txt", ("--force",), "leads out of"),
        ("", "repo/src/store.py", (), None),
    ],
)
async def test_what_a_language_server_says_it_did_is_undone_where_one_stands(
    desk: Desk, folder: str, path: str, words: tuple[str, ...], said: str | None
) -> None:
    """It may write what undoes edits and little else; this process may write anywhere."""
    place = desk.folder.parent.resolve()
    (place / "other.txt").write_text("mine\n")
    file = place / folder / path
    before = file.read_text()
    change = Change(path, "crafted\n", before)
    undo.marked(undo.keep(desk.home.paths, "ab" * 16, "0" * 64, place / folder, [change], True),
                "applied")  # fmt: skip
    code, _, error = await revert(desk, *words)
    assert file.read_text() == (before if said else "crafted\n"), error
    assert code == (1 if said else 0), error
    assert (said or "load it there again").format(repo=desk.folder.resolve()) in error


@pytest.mark.parametrize(
    ("answer", "words", "says", "code", "said"),
    [
        ("renames", (), [("send it?", "n")], 1, "send it?"),
        ("renames", (), [("send it?", "y"), ("apply it?", "n")], 1, "not applied: you said no"),
        ("renames", (), [("send it?", "y"), ("apply it?", "^C")], 130, "apply it?"),
        ("renames", ("--dry-run",), [("send it?", "y")], 0, "dry run"),
        ("breaks", (), [("send it?", "y")], 1, "would have a syntax error that it has not now"),
        ("hides", ("--yes",), [], 1, "cannot be seen: U+202E; look at it without --yes"),
        ("claude whole", (), [("send it?", "y")], 1, "no edit was proposed; it said: Hello world"),
    ],
)
async def test_nothing_is_applied_by_mistake(
    desk: Desk, server: ProviderServer, answer: str, words: tuple[str, ...],
    says: list[tuple[str, str]], code: int, said: str,
) -> None:  # fmt: skip
    server.answer = answer
    found, heard = await desk.typed("src/store.py:4-5", "Call it open_it", *words, says=says)
    assert (found, said in heard) == (code, True), heard
    assert text(desk) == FILES["src/store.py"]
    assert set(decisions(desk)) <= {"rejected"}
    assert decisions(desk) or "apply it?" not in dict(says), "whatever was answered is on record"
    assert not list((desk.home.paths.state / "undo").glob("*"))


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("src/store.py:4-5", "Split it"), 1, "without a terminal"),
        (("src/store.py:4-5", "Split it", "--yes"), 1, "without a terminal"),
        (("src/store.py:4-5", "Split it", "--show"), 0, "POST http://127.0.0.1"),
        (("src/store.py:4-5", "--kind", "document", "--show"), 0, "Write the documentation"),
        (("src/store.py:4-5",), 1, "say what is to be done"),
        (("src/store.py", "Split it"), 2, "say which lines"),
        (("src/store.py:4-99", "Split it"), 2, "has 6 lines"),
        (("src/none.py:4-5", "Split it"), 2, "cannot read"),
        (("/etc/passwd:1-2", "Split it"), 1, "in no git repository"),
        ((".env:1-1", "Split it"), 1, "changes that are not committed"),
        ((".env:1-1", "Split it", "--force"), 1, "secret files"),
        (("src/store.py:4-5", "Split it", "--also", "/etc/passwd:1-1"), 2, "is outside"),
    ],
)
async def test_nothing_is_sent_by_mistake(
    desk: Desk, server: ProviderServer, words: tuple[str, ...], code: int, said: str
) -> None:
    found, out, error = await desk.run(*words)
    assert (found, server.connections) == (code, 0), error
    assert said in out + error
    assert "Traceback" not in error
    assert text(desk) == FILES["src/store.py"]


async def test_a_file_that_programs_obey_takes_a_yes_of_its_own(
    desk: Desk, server: ProviderServer
) -> None:
    server.answer = "builds"
    words = (f"{CI}:2-2", "Add a job")
    said = [("send it?", "y"), ("apply it?", "y")]
    code, heard = await desk.typed(*words, "--yes", says=[])
    assert (code, "look at it without --yes" in heard) == (1, True), heard
    code, heard = await desk.typed(*words, says=[*said, (f"programs obey {CI};", "y")])
    assert (code, f"there was no yes for {CI}" in heard) == (1, True), heard
    assert text(desk, CI) == FILES[CI]
    code, heard = await desk.typed(*words, says=[*said, (f"programs obey {CI};", "yes")])
    assert code == 0, heard
    assert text(desk, CI) == "on: push\njobs: {x: {}}\n"
    assert decisions(desk) == ["rejected", "rejected", "applied"]


async def test_a_file_with_changes_of_ones_own_is_refused(desk: Desk) -> None:
    """Also where they are staged, or git is new there; not where only line ends differ."""
    file = desk.folder / "src/store.py"
    for content, wanted in (
        (FILES["src/store.py"] + "\n", False),
        (FILES["src/store.py"].replace("\n", "\r\n"), True),
        (FILES["src/store.py"], True),
    ):
        file.write_bytes(content.encode())
        code, _, error = await desk.run("src/store.py:4-5", "Split it", "--show")
        assert ((code == 0), "not committed; commit it" in error) == (wanted, not wanted)
    file.write_text(FILES["src/store.py"] + "\n")
    git(desk.folder, "add", ".")
    assert (await desk.run("src/store.py:4-5", "Split it", "--show"))[0] == 1
    assert (await desk.run("src/store.py:4-5", "Split it", "--show", "--force"))[0] == 0


async def test_what_a_policy_allows_needs_no_terminal(desk: Desk, server: ProviderServer) -> None:
    (desk.home.paths.config / "policy.toml").write_text('default = "allow"\n')
    code, out, error = await desk.run("src/store.py:4-5", "Call it open_it", "--json")
    said = json.loads(out)
    assert (code, said["applied"], said["undo"]) == (1, False, None), error
    assert "--yes applies" in said["why"]
    assert text(desk) == FILES["src/store.py"]
    code, out, error = await desk.run("src/store.py:4-5", "Call it open_it", "--json", "--yes")
    said = json.loads(out)
    assert (code, said["applied"], said["files"]) == (0, True, ["src/store.py"]), error
    assert said["undo"] == "wicket revert"
    assert "+def open_it(path):" in said["diff"]
    assert decisions(desk) == ["rejected", "applied"]
    # A change of one's own since then is not lost by undoing.
    file = desk.folder / "src/store.py"
    file.write_text(text(desk) + "# mine\n")
    code, _, error = await revert(desk)
    assert (code, "src/store.py changed meanwhile; --force" in error) == (1, True), error
    assert text(desk).endswith("# mine\n")
    code, out, error = await revert(desk, "--force", "--json")
    assert (code, json.loads(out)["files"]) == (0, [str(file)]), error
    assert text(desk) == FILES["src/store.py"]


async def test_a_file_that_changes_while_one_reads_the_diff_stays(desk: Desk) -> None:
    asked = asyncio.ensure_future(
        desk.typed(
            *("src/store.py:4-5", "Call it open_it"),
            says=[("send it?", "y"), ("apply it?", "")],
        )
    )
    async with asyncio.timeout(60):
        while not desk.home.records("outcome"):
            await asyncio.sleep(0.02)
    (desk.folder / "src/store.py").write_text("# mine\n")
    code, heard = await asked
    assert code == 1, heard
    assert text(desk) == "# mine\n"
    assert decisions(desk) == ["rejected"]


async def test_what_is_needed_to_undo_is_kept_for_its_user_alone(desk: Desk) -> None:
    code, heard = await desk.typed(
        "src/store.py:4-5", "--kind", "simplify", "--yes", says=[("to undo it", "")]
    )
    assert code == 0, heard
    (kept,) = (desk.home.paths.state / "undo").iterdir()
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    os.chmod(kept.parent, 0o755)
    code, _, error = await revert(desk)
    assert (code, "open to others" in error) == (1, True), error
    os.chmod(kept.parent, 0o700)
    assert (await revert(desk))[0] == 0
    assert list(kept.parent.iterdir()) == []
