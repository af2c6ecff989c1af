""":WicketEdit in real Neovims: the diff is drawn in the buffer, and a key takes or refuses it."""

import json
from typing import Any

import pytest

from ..escalation import anthropic_wire
from ..escalation.provider import ANSWERS
from .neovim import VERSIONS, Neovim, home, neovim, required
from .test_neovim_ask import ASKING_SECONDS, PICKER, configure, provider

SOURCE = "import os\n\n\ndef open_store(path):\n    return path\n\n\nopen_store('x')\n"
EDITS = [
    {"path": "store.py", "old": "import os\n", "new": ""},
    {"path": "store.py", "old": "def open_store(path):", "new": "def open_it(path):\n    # ü"},
]
ANSWERS["edits two places"] = [
    anthropic_wire.HEAD
    + anthropic_wire.start()
    + anthropic_wire.tool(0, "toolu_1", "edit", json.dumps({"edits": EDITS}))
    + anthropic_wire.end("tool_use")
]
EDITED = SOURCE.replace("import os\n", "").replace(
    "def open_store(path):", "def open_it(path):\n    # ü"
)


def marks(editor: Neovim) -> dict[str, Any]:
    """What is drawn: rows of lines that go, and the lines that come, by row."""
    return editor.lua("""
        local found = { removed = {}, added = {} }
        local namespace = vim.api.nvim_create_namespace('wicket.edit')
        for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true })) do
          if mark[4].line_hl_group then
            table.insert(found.removed, mark[2])
          else
            for _, line in ipairs(mark[4].virt_lines) do
              table.insert(found.added, { mark[2], line[1][1] })
            end
          end
        end
        return found""")  # noqa: E501


def drawn(editor: Neovim) -> dict[str, Any]:
    """Once there is a proposal."""

    def found() -> dict[str, Any] | None:
        return now if (now := marks(editor))["added"] else None

    return editor.until("a proposed edit", found, ASKING_SECONDS)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_edit_is_shown_in_place_and_taken_or_refused(version: str) -> None:
    required(version)
    with provider() as server, home() as place:
        server.answer = "edits two places"
        configure(place, server.port)
        with neovim(version, place.environment) as editor:
            path = place.project / "store.py"
            path.write_text(SOURCE)
            editor.edit(path)
            editor.attached()
            editor.lua(PICKER)
            source, edited = SOURCE.split("\n")[:-1], EDITED.split("\n")[:-1]
            # The words are asked for where none are given; a key refuses.
            editor.lua("vim.ui.input = function(_, done) done('rename it') end")
            editor.nvim.command("4,5WicketEdit")
            found = drawn(editor)
            assert found["removed"] == [0, 3]
            assert found["added"] == [
                [3, "def open_it(path):"],
                [3, "    # ü"],
                [3, " <CR> applies, <Esc> refuses "],
            ]
            screen = editor.frames()[-1].rows
            assert any(row.startswith("def open_it(path):") for row in screen), screen
            assert editor.lines == source, "nothing has changed yet"
            editor.press("<Esc>")
            assert marks(editor) == {"removed": [], "added": []}
            assert editor.lines == source
            assert b"rename it" in server.requests[0][1]
            assert b"lines store.py:4-5" in server.requests[0][1]
            # Whoever goes on typing has refused it.
            editor.nvim.command("4,5WicketEdit rename it")
            drawn(editor)
            editor.press("G", "o", "x", "<Esc>")
            editor.until("its end", lambda: not marks(editor)["added"])
            editor.press("u")
            # Another key takes it: one edit, undone by one undo.
            editor.nvim.command("4,5WicketEdit rename it")
            drawn(editor)
            editor.press("<CR>")
            assert editor.lines == edited
            assert marks(editor) == {"removed": [], "added": []}
            assert editor.nvim.command_output("nmap <buffer> <CR>").strip() == "No mapping found"
            log = place.path / "sta" / "wicket" / "audit"
            editor.until("three decisions", lambda: len(decided(log)) == 3)
            assert decided(log) == ["rejected", "rejected", "applied"]
            editor.press("u")
            assert editor.lines == source


def decided(log: Any) -> list[str]:
    rows = [
        json.loads(line)
        for file in sorted(log.glob("*/*.jsonl"))
        for line in file.read_text().splitlines()
    ]
    return [row["data"]["decision"] for row in rows if row["type"] == "applied"]
