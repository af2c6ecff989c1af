"""An edit in a real VS Code: said in an input box, shown as a diff, applied or not."""

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..escalation import anthropic_wire
from ..escalation.provider import ANSWERS
from ..server.gate_home import CLAUDE
from .test_neovim_ask import ASKING_SECONDS, provider
from .test_neovim_edit import decided
from .test_vscode import editor as editor  # noqa: PLC0414 - a fixture
from .test_vscode import workspace as workspace  # noqa: PLC0414 - a fixture
from .vscode import WICKET, Editor

SOURCE = "def read_all(path):\n    return open(path).read()\n"
EDIT = {"path": "reading.py", "old": "def read_all(path)", "new": "def read_text(path)"}
ANSWERS["renames in reading"] = [
    anthropic_wire.HEAD
    + anthropic_wire.start()
    + anthropic_wire.tool(0, "toolu_1", "edit", json.dumps({"edits": [EDIT]}))
    + anthropic_wire.end("tool_use")
]


@pytest.fixture
def configured(editor: Editor) -> Iterator[None]:
    """A provider is set up for the user of this VS Code."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(provider())
        server.answer = "renames in reading"
        editor.set_up_provider(CLAUDE.format(port=server.port))
        yield
        editor.drop_provider()
        assert b"lines reading.py:1-2." in server.received
        assert b"call it read_text" in server.received


@pytest.mark.parametrize(
    ("answer", "decision", "after"),
    [
        ("Apply", "applied", SOURCE.replace("read_all", "read_text")),
        ("Discard", "rejected", SOURCE),
    ],
)
def test_an_edit_is_said_shown_and_decided_on(
    editor: Editor, workspace: Path, configured: None, answer: str, decision: str, after: str
) -> None:
    editor.start_server_by([*WICKET, "lsp"])
    (workspace / "reading.py").write_text(SOURCE)
    log = editor.home / "state/wicket/audit"
    before = len(decided(log))
    seen = editor.drive(
        *("edit", workspace),
        state="ready", lines=2, words="call it read_text", answer=answer,
        proposed="def read_text(path)", after=after, picture=str(editor.home / "edit.png"),
    )  # fmt: skip
    assert seen["about"] == "Wicket: edit reading.py:1-2"
    assert "home (on-prem): m at 127.0.0.1" in seen["question"]
    assert "def read_all(path)" in seen["diff"]
    assert seen["unchanged"] == SOURCE
    assert "proposed edit" in seen["offer"]
    assert seen["saved"]
    end = time.monotonic() + ASKING_SECONDS
    while len(found := decided(log)) == before:
        assert time.monotonic() < end
        time.sleep(0.1)
    assert found[before:] == [decision]
