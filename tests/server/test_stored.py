"""`wicket data` names every file that Wicket wrote, and `wicket purge` removes what it may."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from wicket.server import processes, stored, undo
from wicket.server.change import Change
from wicket.server.paths import (
    Paths,
    all_answers,
    answers_in,
    private_directory,
    socket_directory,
)
from wicket.server.stored_verb import Held, refuse_held

from ..escalation.provider import ProviderServer
from .gate_home import Home

SOURCE = "def area(width, height):\n    return width * height\n"
# What a purge without words leaves: what one wrote, what must not vanish by the way.
LEFT = {"log", "reader", "keys", "freezes", "settings"}


@pytest.fixture
async def home(tmp_path: Path, server: ProviderServer) -> AsyncIterator[Home]:
    """Somebody who has indexed a folder, edited in it, frozen, and whose gate runs."""
    made = Home(tmp_path / "home", server.port)
    await work_in(made, "one")
    answer = answers_in(socket_directory(made.paths)) / "answer-1.md"
    private_directory(answer.parent)
    answer.write_text("# What is this?")
    await made.start()
    await made.wicket("gate", "freeze", "--provider", "home")
    yield made
    for running in processes.running(made.socket.parent):
        processes.stop(running)
    await made.stop()


async def work_in(home: Home, name: str) -> None:
    folder = home.root.parent / name
    folder.mkdir()
    (folder / "a.py").write_text(SOURCE)
    code, said = await home.wicket("index", str(folder), "--json")
    assert code == 0, said
    for by_editor in (False, True):
        change = Change("a.py", "x", "y")
        undo.keep(home.paths, f"e-{name}", "d", folder.resolve(), [change], by_editor)


async def told(home: Home) -> dict[str, dict[str, Any]]:
    code, said = await home.wicket("data", "--json")
    assert code == 0
    return {row["name"]: row for row in json.loads(said)["stored"] if row["files"]}


async def test_every_file_has_a_row(home: Home) -> None:
    code, said = await home.wicket("complete", f"{home.root.parent}/one/a.py:2:12", "--json")
    assert code == 0, said
    found = await told(home)
    assert found.keys() >= LEFT | {"index", "undo", "logs", "answers"}
    paths = home.paths
    every = {
        file
        for folder in (paths.config, paths.data, paths.state, paths.cache)
        for file in folder.rglob("*")
        if file.is_file() and not file.is_relative_to(paths.state / "run")
    }
    every |= set(answers_in(socket_directory(paths)).iterdir())
    named = {
        entry if entry.is_file() else inner
        for row in stored.rows(paths)
        for entry in stored.entries(row)
        for inner in ([entry] if entry.is_file() else entry.rglob("*"))
        if entry.is_file() or inner.is_file()
    }
    assert every == named
    assert sum(row["files"] for row in found.values()) == len(every), "each in one row only"
    assert sum(row["bytes"] for row in found.values()) == sum(f.stat().st_size for f in every)


async def test_nothing_goes_without_yes(home: Home) -> None:
    before = await told(home)
    for words in ([], ["--audit"], ["--repo", str(home.root.parent / "one")]):
        code, said = await home.wicket("purge", *words)
        assert (code, said.splitlines()[-1]) == (0, "nothing is removed without --yes")
    after = await told(home)
    # Every process that is started writes a line into its log.
    assert {name: row["files"] for name, row in after.items()} == {
        name: row["files"] for name, row in before.items()
    }
    assert processes.running(home.socket.parent), "and nothing was stopped"


@pytest.mark.parametrize(
    ("words", "left"),
    [
        pytest.param([], LEFT, id="all but the log"),
        pytest.param(["--audit"], LEFT - {"log", "reader"}, id="the log, too"),
    ],
)
async def test_what_stays_is_what_was_said(home: Home, words: list[str], left: set[str]) -> None:
    code, said = await home.wicket("purge", *words, "--yes", "--json")
    assert (code, json.loads(said)["done"]) == (0, True)
    assert set(await told(home)) == left
    assert not processes.running(home.socket.parent), "who runs would write it again"
    assert home.paths.undone_in_editors.is_dir(), "a language server that runs may write here"
    code, said = await home.wicket("audit", "verify")
    assert code == (0 if "log" in left else 3), said


async def test_one_folder_alone(home: Home) -> None:
    await work_in(home, "two")
    code, said = await home.wicket("purge", "--repo", str(home.root.parent / "one"), "--yes")
    assert code == 0, said
    assert [kept.exchange for kept in undo.all_kept(home.paths)] == ["e-two"] * 2
    assert len(list((home.paths.cache / "index").iterdir())) == 1
    assert (await home.wicket("purge", "--repo", "/nowhere"))[1] == "there is nothing to remove\n"
    assert (await home.wicket("purge", "--repo", "/nowhere", "--audit"))[0] == 1


async def test_links_are_removed_and_not_what_they_lead_to(home: Home, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    home.paths.stats.mkdir(parents=True, exist_ok=True)
    (home.paths.stats / "link").symlink_to(mine)
    home.paths.pulled_models.parent.mkdir(exist_ok=True)
    home.paths.pulled_models.symlink_to(mine)
    (home.paths.state / "notes.txt").write_text("not Wicket's")
    code, said = await home.wicket("purge", "--yes")
    assert code == 0, said
    assert (mine / "thesis.txt").read_text() == "years of work"
    assert (home.paths.state / "notes.txt").exists()
    assert not home.paths.pulled_models.is_symlink()


def test_no_link_leads_to_answers(tmp_path: Path) -> None:
    paths = Paths.of({"HOME": str(tmp_path)})
    (tmp_path / "mine/answers").mkdir(parents=True)
    paths.state.mkdir(parents=True)
    (paths.state / "run").symlink_to(tmp_path / "mine")
    assert paths.state / "run/answers" not in all_answers(paths)
    (paths.state / "run").unlink()
    (paths.state / "run").mkdir()
    assert paths.state / "run/answers" in all_answers(paths)


async def test_a_hold_or_the_administrator_keeps_the_log(home: Home) -> None:
    code, said = await home.wicket("audit", "hold", "case-7", "1", "--reason", "court", "--yes")
    assert code == 0, said
    code, said = await home.wicket("purge", "--audit", "--yes")
    assert code == 1
    assert {"log", "index"} <= set(await told(home)), "all or nothing"
    code, said = await home.wicket("audit", "hold", "case-7", "--lift", "--reason", "over", "--yes")
    assert code == 0, said
    with pytest.raises(Held, match=r"audit\.level"):
        refuse_held(home.paths, {"audit.level"})
    refuse_held(home.paths, {"completion.enabled"})
    segment = next(home.paths.audit.glob("*/seg-*.jsonl"))
    segment.write_bytes(b"{" + segment.read_bytes())
    with pytest.raises(Held, match="cannot be told"):
        refuse_held(home.paths, ())
