""":WicketAsk in real Neovims: the six lines are asked, the answer grows in a buffer."""

import asyncio
import contextlib
import threading
from collections.abc import Generator

import psutil
import pytest

from ..escalation.provider import ProviderServer
from ..server.gate_home import CLAUDE
from .neovim import PATIENCE_SECONDS, VERSIONS, Home, Neovim, home, neovim, required

# A gate is started, and an SDK imported, while the test waits.
ASKING_SECONDS = 9 * PATIENCE_SECONDS
SOURCE = "def open_store(path):\n    return path\n\n\nopen_store('x')\n"


@contextlib.contextmanager
def provider() -> Generator[ProviderServer]:
    """On an event loop of its own: the test itself waits for Neovim."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = ProviderServer(answer="claude whole")
    asyncio.run_coroutine_threadsafe(server.start(), loop).result()
    try:
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def configure(place: Home, port: int) -> None:
    config = place.path / "con" / "wicket"
    keys = place.path / "dat" / "wicket" / "providers"
    for folder in (config, keys.parent, keys):
        folder.mkdir(mode=0o700)
    (config / "wicket.toml").write_text(
        CLAUDE.format(port=port) + "[completion]\nenabled = false\n"
    )
    (keys / "keys.toml").write_text('home = "sk-canary-0123456789"\n')
    (keys / "keys.toml").chmod(0o600)


# A picker as people install one: Neovim shows the server's questions with it.
PICKER = """
vim.g.asked = {}
vim.ui.select = function(items, options, chosen)
  vim.g.asked = vim.list_extend(vim.g.asked, { options.prompt })
  vim.schedule(function() chosen(items[1]) end)
end
"""


def texts(editor: Neovim) -> list[str]:
    return editor.lua("""
        return vim.tbl_map(function(buffer)
          return table.concat(vim.api.nvim_buf_get_lines(buffer, 0, -1, true), '\\n')
        end, vim.api.nvim_list_bufs())""")


def ended(editor: Neovim, title: str) -> list[str]:
    """Answers to a question that are whole."""
    return [text for text in texts(editor) if text.startswith(title) and "on record" in text]


@pytest.mark.parametrize("version", VERSIONS)
def test_asked_in_neovim(version: str) -> None:
    required(version)
    with provider() as server, home() as place:
        configure(place, server.port)
        with neovim(version, place.environment) as editor:
            path = place.project / "store.py"
            path.write_text(SOURCE)
            editor.edit(path)
            editor.attached()
            editor.lua(PICKER)
            # The Neovim that is installed for tests comes without its parser of Markdown,
            # which that file type of 0.12 wants.
            editor.nvim.command("filetype plugin off")
            editor.nvim.command("1,2WicketAsk What is this?")
            editor.press("o")
            said = "a question waits"
            editor.until(
                "it", lambda: said in editor.nvim.command_output("messages"), ASKING_SECONDS
            )
            editor.type("1")
            assert editor.lua("return vim.g.asked") == [], "whoever types is asked afterwards"
            assert "1" in [line.strip() for line in editor.lines]
            editor.press("<Esc>o")
            editor.type("1")
            assert editor.lua("return vim.g.asked") == [], "nor in between"
            editor.press("<Esc>")
            editor.nvim.command("messages clear")
            editor.until("an answer", lambda: ended(editor, "# What is this?"), ASKING_SECONDS)
            (asked,) = editor.lua("return vim.g.asked")
            assert [line.split()[0] for line in asked.split("\n")] == [
                *("to", "sends", "masked", "then", "costs", "kept"),
            ]
            (answer,) = ended(editor, "# What is this?")
            assert "Hello world" in answer
            assert b"store.py:1-2\\ndef open_store(path)" in server.requests[0][1]
            # The answer is asked about from its own window, by the server that gave it.
            editor.nvim.command("wincmd w")
            editor.lua("vim.ui.input = function(_, done) done('And why?') end")
            editor.nvim.command("WicketAsk")
            editor.until("a second answer", lambda: ended(editor, "# And why?"), ASKING_SECONDS)
            assert b"What is this?" in server.requests[1][1]
            assert editor.lua("return #vim.lsp.get_clients()") == 1
            assert editor.nvim.command_output("messages") == ""


@pytest.mark.parametrize("version", VERSIONS)
def test_without_a_server_it_is_one_line(version: str) -> None:
    with (
        home() as place,
        neovim(required(version), place.environment, {"cmd": ["/nowhere/wicket", "lsp"]}) as editor,
    ):
        path = place.project / "store.py"
        path.write_text(SOURCE)
        editor.edit(path)
        editor.until("a message", lambda: editor.nvim.command_output("messages"))
        for command in ("1,2WicketAsk What is this?", "1,2WicketEdit rename it"):
            editor.nvim.command("messages clear")
            editor.nvim.command(command)
            said = editor.nvim.command_output("messages")
            assert said == "Wicket: no server runs for this buffer; :WicketStatus says why"
        assert editor.lines == SOURCE.splitlines()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_that_dies_takes_no_answer_along(version: str) -> None:
    """What was heard stays on the screen, and the next server is asked as the first one was."""
    with provider() as server, home() as place:
        configure(place, server.port)
        server.answer = "claude stalls"
        with neovim(required(version), place.environment) as editor:
            path = place.project / "store.py"
            path.write_text(SOURCE)
            editor.edit(path)
            editor.attached()
            editor.lua(PICKER)
            editor.nvim.command("filetype plugin off")
            editor.nvim.command("1,2WicketAsk What is this?")
            heard = "# What is this?\n\nHel\n\n"
            editor.until("some of an answer", lambda: heard in texts(editor), ASKING_SECONDS)
            for process in place.processes():
                with contextlib.suppress(psutil.Error):
                    if process.cmdline()[-2:] == ["wicket.server", "lsp"]:
                        process.kill()
            editor.until("its end", lambda: editor.lua("return #vim.lsp.get_clients()") == 0)
            assert heard in texts(editor)
            server.answer = "claude whole"
            editor.nvim.command("WicketEnable")
            editor.attached()
            editor.nvim.command("1,2WicketAsk And now?")
            editor.until("an answer", lambda: ended(editor, "# And now?"), ASKING_SECONDS)
            assert heard in texts(editor)
