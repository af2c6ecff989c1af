"""What an editor is told about completion, and when it begins to listen."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wicket.server.status import Status, StatusLine

from .probe_client import framed

OFF, READY = Status("off", reason="a"), Status("ready", "m")


def test_an_editor_is_told_what_it_missed_and_nothing_twice() -> None:
    told: list[Any] = []
    line = StatusLine()
    line.show(READY)
    line.show(OFF)
    line.open(lambda _method, status: told.append(status["state"]))
    assert told == ["off"]
    line.show(OFF)
    line.show(READY)
    line.say_aside("b")
    line.say_aside("b")
    assert told == ["off", "ready", "ready"]


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ws", dir="/tmp") as folder:
        settings = Path(folder, ".config/wicket/wicket.toml")
        settings.parent.mkdir(parents=True)
        settings.write_text("[completion]\nenabled = false\n")
        yield Path(folder)


def test_nothing_is_said_between_initialize_and_its_answer(home: Path) -> None:
    """A client drops what it is told before it is there; then it would say "loading" for ever."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "XDG_RUNTIME_DIR": str(home)}
    hello = {"processId": None, "rootUri": None, "capabilities": {}}
    messages = [
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "initialized", "params": {}},
        {"id": 2, "method": "shutdown"},
        {"method": "exit"},
    ]
    said = b"".join(framed(json.dumps({"jsonrpc": "2.0", **one}).encode()) for one in messages)
    done = subprocess.run(
        [sys.executable, "-I", "-m", "wicket.server", "lsp"],
        input=said,
        env=environment,
        capture_output=True,
        timeout=120,
        check=False,
    )
    heard = [json.loads(part.rpartition(b"Content-Length")[0] or part)
             for part in done.stdout.split(b"\r\n\r\n")[1:]]  # fmt: skip
    assert heard[0].get("id") == 1, heard
    (status,) = [one["params"] for one in heard if one.get("method") == "wicket/status"]
    assert (status["state"], "enabled" in status["reason"]) == ("off", True)
