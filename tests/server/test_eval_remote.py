"""`wicket eval` against a real llama-server, and what is left when a run is broken off."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from wicket.server.evaluation.contenders import EARLIER, PRODUCT

from ..completion.llama_servers import free_port, llama_server
from .planted import REPOSITORY, environment, wicket, without_times

FEW = (str(REPOSITORY), "--model", "near", "--holes", "12", "--json")


def near(home: Path, endpoint: str) -> None:
    """The user's own settings name the endpoint."""
    settings = home / ".config" / "wicket" / "wicket.toml"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(f'[engine.models.near]\nendpoint = "{endpoint}"\n')


def test_a_remote_engine_is_measured_beside_the_own(tmp_path: Path) -> None:
    """Both are the same weights, so most of what they say is the same too, where no word has
    to be healed, which only the own engine does.  Not all of it is: what a server remembers
    of earlier prompts is rounded in another way."""
    both = (*FEW, "--model", "wicket-base", "--bits", "--report", "r.md")
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    near(tmp_path, endpoint)
    with llama_server(port):
        done = wicket(tmp_path, "eval", *both)
    assert (done.returncode, done.stderr) == (0, "")
    said: dict[str, Any] = json.loads(done.stdout)
    models = ("near", "wicket-base")
    assert set(said["contenders"]) == {*models, *(PRODUCT + name for name in models), EARLIER}
    about = said["contenders"]["near"]
    assert about["served"].startswith("llama-server with wicket-base")
    assert about["family"] == "wicket"
    assert endpoint not in done.stdout
    rows = said["scored"]
    scores = [(row["scores"]["near"], row["scores"]["wicket-base"]) for row in rows]
    assert all(far["ms"] > 0 and far["tokens"] > 0 for far, _ in scores if far["shown"])
    assert all(far["bits"] is None for far, _ in scores)
    assert sum(far["exact"] for far, _ in scores) > 0
    lines = [pair for row, pair in zip(rows, scores, strict=True) if row["kind"] == "line"]
    assert sum(a["similarity"] == b["similarity"] for a, b in lines) > len(lines) / 2
    page = (tmp_path / "r.md").read_text()
    assert "served elsewhere by llama-server with wicket-base" in page
    assert "| near or earlier |" in page
    # A server that has run since remembers prompts, and rounds differently where it does.
    with llama_server(port):
        again = wicket(tmp_path, "eval", *both, "--fresh")
    assert without_times(json.loads(again.stdout)) == without_times(said)


def test_another_server_is_asked_anew(tmp_path: Path) -> None:
    """Nobody can see from here whether two servers serve the same weights."""
    for _ in range(2):
        with llama_server() as endpoint:
            near(tmp_path, endpoint)
            assert wicket(tmp_path, "eval", *FEW, "--kind", "line").returncode == 0
    assert len(kept(tmp_path)) == 2


def test_nobody_there_is_one_line(tmp_path: Path) -> None:
    near(tmp_path, f"http://127.0.0.1:{free_port()}")
    done = wicket(tmp_path, "eval", *FEW)
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot be reached" in done.stderr
    assert "start the server there" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [
        (lambda eval_, server: server(), 1, "answers of near are kept: run the same again"),
        (lambda eval_, server: eval_.send_signal(signal.SIGINT), 130, ""),
        (lambda eval_, server: eval_.kill(), -signal.SIGKILL, ""),
    ],
    ids=["the server dies", "Control-C", "killed"],
)
def test_what_was_answered_is_kept(
    tmp_path: Path,
    end: Callable[[subprocess.Popen[str], Callable[[], None]], None],
    code: int,
    said: str,
) -> None:
    port = free_port()
    near(tmp_path, f"http://127.0.0.1:{port}")
    server = llama_server(port)
    server.__enter__()
    running = subprocess.Popen(
        [sys.executable, "-I", "-m", "wicket.server", "eval", *FEW],
        env=environment(tmp_path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while sum(kept(tmp_path).values()) < 5:
        assert running.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    end(running, lambda: server.__exit__(None, None, None))
    stdout, stderr = running.communicate(timeout=60)
    assert (running.returncode, stdout) == (code, "")
    assert said in stderr
    assert "Traceback" not in stderr
    assert stderr.count("\n") <= 1
    server.__exit__(None, None, None)
    kill_engines_of(tmp_path)
    before = times(tmp_path)
    assert 5 <= len(before) < 36
    with llama_server(port):
        done = wicket(tmp_path, "eval", *FEW)
    assert done.returncode == 0, done.stderr
    # What was answered before was not asked again: it took what it took then.
    rows = {row["id"]: row["scores"]["near"]["ms"] for row in json.loads(done.stdout)["scored"]}
    assert len(rows) == 36
    assert before.items() <= rows.items()


def kill_engines_of(home: Path) -> None:
    """One whose evaluation was killed would leave by itself only after a minute."""
    for process in psutil.process_iter(["environ"]):
        if (process.info["environ"] or {}).get("HOME") == str(home):
            process.kill()


def kept(home: Path) -> dict[Path, int]:
    """Whole answers of engines in each file of the store."""
    files = (home / ".cache" / "wicket" / "evaluation").glob("*.jsonl")
    counts = {file: len(answers(file)) for file in files}
    return {file: count for file, count in counts.items() if count}


def answers(file: Path) -> dict[str, float]:
    whole = [line for line in file.read_text().split("\n")[:-1] if line]
    said = [json.loads(line) for line in whole]
    return {one["hole"]: one["ms"] for one in said if one["asked"]}


def times(home: Path) -> dict[str, float]:
    found: dict[str, float] = {}
    for file in kept(home):
        found |= answers(file)
    return found
