""":WicketAsk in real Neovims: the six lines are asked, the answer grows in a buffer."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Generator

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
            end = time.monotonic() + ASKING_SECONDS
            while not any("Hello world" in text for text in texts(editor)):
                assert time.monotonic() < end, texts(editor)
                time.sleep(0.05)
            (asked,) = editor.lua("return vim.g.asked")
            assert [line.split()[0] for line in asked.split("\n")] == [
                *("to", "sends", "masked", "then", "costs", "kept"),
            ]
            (answer,) = [text for text in texts(editor) if "Hello world" in text]
            assert answer.startswith("# What is this?")
            assert b"store.py:1-2\\ndef open_store(path)" in server.requests[0][1]
