"""`wicket eval` as a person runs it: what is printed, written, and said of mistakes."""

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
from wicket.server.evaluation.contenders import EARLIER, PRODUCT

from .planted import REPOSITORY, environment, wicket, without_times


def test_the_command_line(tmp_path: Path) -> None:
    """The embedded model, twice: the same numbers, files written, no engine left behind."""
    few = ("--holes", "4", "--seed", "3", "--json")
    written = ("--report", "r.md", "--pictures", "drawn")
    first = wicket(tmp_path, "eval", str(REPOSITORY), *few, "--bits", *written)
    assert first.returncode == 0, first.stderr
    assert first.stderr == ""
    again = wicket(tmp_path, "eval", str(REPOSITORY), *few, "--bits", "--fresh")
    one: dict[str, Any] = json.loads(first.stdout)
    assert without_times(one) == without_times(json.loads(again.stdout))
    assert set(one["contenders"]) == {"wicket-base", f"{PRODUCT}wicket-base", EARLIER}
    assert one["contenders"]["wicket-base"]["memory"] > 10 << 20
    assert all(row["scores"]["wicket-base"]["bits"] > 0 for row in one["scored"])
    assert (tmp_path / "r.md").read_text().startswith("# Evaluation")
    drawn = {file.stem for file in (tmp_path / "drawn").glob("*.svg")}
    assert drawn == {"exact", "precision", "differences"}
    stored = list((tmp_path / ".cache/wicket/evaluation").iterdir())
    assert {file.stat().st_mode & 0o777 for file in stored} == {0o600}
    environments = [process.info["environ"] for process in psutil.process_iter(["environ"])]
    assert not [
        one for one in environments if "wicket-eval-" in str(one) and str(tmp_path) in str(one)
    ]
    (tmp_path / "a.json").write_text(first.stdout)
    (tmp_path / "b.json").write_text(again.stdout)
    compared = wicket(tmp_path, "eval", "compare", "a.json", "b.json")
    assert compared.returncode == 1
    assert "12 holes in common" in compared.stderr
    shown = wicket(tmp_path, "eval", str(REPOSITORY), "--holes", "4", "--seed", "3")
    assert "wicket-base or earlier" in shown.stdout
    assert "MB of memory" in shown.stdout
    assert one["holes"]["hash"][:16] in shown.stdout


def test_several_settings_in_one_run(tmp_path: Path) -> None:
    """Paired: the same holes, and a test of the second against the first."""
    settings = ("--set", "completion.lines=line", "--set", "completion.lines=block")
    few = ("--holes", "6", "--kind", "block", "--json", "--report", "r.md")
    done = wicket(tmp_path, "eval", str(REPOSITORY), *settings, *few)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    one, other = "wicket-base, lines line", "wicket-base, lines block"
    assert set(said["contenders"]) == {one, PRODUCT + one, other, PRODUCT + other, EARLIER}
    assert said["contenders"][one]["prompts"] != said["contenders"][other]["prompts"]
    page = (tmp_path / "r.md").read_text()
    assert f"| {one} | {other} |" in page
    assert "lines = line" in page


def test_a_terminal_is_shown_how_far_it_is(tmp_path: Path) -> None:
    master, terminal = pty.openpty()
    command = ("eval", str(REPOSITORY), "--holes", "3", "--json")
    running = subprocess.Popen(
        [sys.executable, "-I", "-m", "wicket.server", *command],
        env=environment(tmp_path) | {"TERM": "xterm", "COLUMNS": "80"},
        stdout=subprocess.DEVNULL,
        stderr=terminal,
    )
    os.close(terminal)
    shown = ""
    # A terminal whose last user is gone answers with an error.
    with contextlib.suppress(OSError):
        while said := os.read(master, 1 << 16):
            shown += said.decode(errors="replace")
    os.close(master)
    assert running.wait(120) == 0
    assert re.search(r"wicket-base.*100%", shown)
    assert re.search(rf"{EARLIER}.*100%", shown)


def test_ways_of_decoding_are_compared(tmp_path: Path) -> None:
    """The engine learns the other files; drafts change no answer, the mixture does."""
    ways = ("plain", "drafted", "mixed")
    said = [word for way in ways for word in ("--set", f"completion.decoding={way}")]
    few = ("--holes", "12", "--kind", "rest", "--json")
    done = wicket(tmp_path, "eval", str(REPOSITORY), *few, *said)
    assert done.returncode == 0, done.stderr
    scores = [row["scores"] for row in json.loads(done.stdout)["scored"]]

    def told(way: str, *members: str) -> list[list[Any]]:
        return [[row[f"wicket-base, decoding {way}"][name] for name in members] for row in scores]

    same = ("exact", "raw", "similarity", "confidence")
    apart = zip(told("drafted", *same), told("plain", *same), strict=True)
    # Another size of batch adds up in another order, and may decide a tie.
    assert sum(one != other for one, other in apart) <= 1
    assert told("drafted", "tokens") != told("plain", "tokens")
    assert told("mixed", *same) != told("plain", *same)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nowhere",), 1, "is not a folder"),
        ((".",), 1, "holds no source files"),
        (("compare", "a.json"), 2, "compare takes two reports"),
        (("compare", "a.json", "b.json"), 1, "a.json: No such file"),
        (("compare", "x.json", "x.json"), 2, "cannot be read as a report"),
        (("--holes", "0"), 2, "take a positive number"),
        (("--set", "nonsense"), 2, "write NAME=VALUE"),
        (("--set", "completion.fly=1"), 2, "completion.fly"),
        (("--set", "engine.threads=1"), 2, "engine.threads"),
        ((str(REPOSITORY), "--model", "nothing"), 1, "no model is called nothing"),
        ((str(REPOSITORY), str(REPOSITORY)), 1, "two folders have the same name"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    (tmp_path / "x.json").write_text("[]")
    done = wicket(tmp_path, "eval", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
