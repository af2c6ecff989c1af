"""A Neovim whose server is the test: every question waits for the answer it is given."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from .neovim import Neovim

# A server inside the editor: it keeps each question until the test answers it.
SERVER = """
local encoding, root = ...
vim.bo.tabstop = 8
if _G.server then
  for _, client in ipairs(vim.lsp.get_clients()) do vim.lsp.stop_client(client.id, true) end
end
_G.server = { asked = {}, cancelled = {}, commands = {} }
local server, number = _G.server, 0
vim.lsp.start({
  name = 'wicket',
  root_dir = root,
  cmd = function(dispatchers)
    local closing = false
    return {
      request = function(method, params, callback)
        number = number + 1
        if method == 'initialize' then
          callback(nil, { capabilities = {
            positionEncoding = encoding, textDocumentSync = 2,
            inlineCompletionProvider = vim.empty_dict(),
            executeCommandProvider = { commands = { 'wicket.accepted' } },
          } })
        elseif method == 'textDocument/inlineCompletion' then
          table.insert(server.asked, { params = params, callback = callback, number = number })
        elseif method == 'workspace/executeCommand' then
          table.insert(server.commands, params)
          callback(nil, vim.NIL)
        else
          callback(nil, vim.NIL)
        end
        return true, number
      end,
      notify = function(method, params)
        if method == '$/cancelRequest' then table.insert(server.cancelled, params.id) end
        return true
      end,
      is_closing = function() return closing end,
      terminate = function() closing = true; dispatchers.on_exit(0, 0) end,
    }
  end,
})
function server.answer(result, number)
  number = number ~= vim.NIL and number or server.asked[#server.asked].number
  for _, question in ipairs(server.asked) do
    if question.number == number then
      vim.schedule(function() question.callback(nil, result) end)
    end
  end
end
"""

UNITS: dict[str, Callable[[str], int]] = {
    "utf-8": lambda text: len(text.encode()),
    "utf-16": lambda text: len(text.encode("utf-16-le")) // 2,
    "utf-32": len,
}


class Scripted:
    """A buffer with `$0` where the cursor is in insert mode, and a server to answer for."""

    def __init__(self, editor: Neovim, folder: Path) -> None:
        self.editor = editor
        self.folder = folder
        self.encoding = "utf-16"

    def open(self, marked: str, encoding: str = "utf-16") -> None:
        self.encoding = encoding
        before, after = marked.split("$0")
        self.editor.nvim.command("stopinsert | silent! %bwipeout!")
        # No filetype, so that the plugin starts no server of its own.
        self.editor.edit(self.folder / "text")
        self.editor.nvim.current.buffer[:] = (before + after).split("\n")
        rows = before.split("\n")
        row, column = len(rows), len(rows[-1].encode())
        self.editor.lua(SERVER, encoding, str(self.folder))
        if after.split("\n")[0]:
            self.editor.nvim.current.window.cursor = (row, column)
            self.editor.press("i")
        else:
            self.editor.nvim.current.window.cursor = (row, 0)
            self.editor.press("A")
        self.editor.until("the first question", self.asked)

    def asked(self) -> list[int]:
        return self.editor.lua("return vim.tbl_map(function(q) return q.number end, server.asked)")

    def cancelled(self) -> list[int]:
        return self.editor.lua("return server.cancelled")

    def commands(self) -> list[dict[str, Any]]:
        return self.editor.lua("return server.commands")

    def answer(self, *texts: str, replace: int = 0, number: int | None = None) -> None:
        """An answer at the cursor whose items replace `replace` characters after it."""
        row, column = self.editor.cursor
        line = self.editor.lines[row - 1]
        before = line.encode()[:column].decode()
        units = UNITS[self.encoding]
        start = {"line": row - 1, "character": units(before)}
        end = {"line": row - 1, "character": units(line[: len(before) + replace])}
        command = {"title": "", "command": "wicket.accepted"}
        items = [
            {
                "insertText": text,
                "range": {"start": start, "end": end},
                "command": command | {"arguments": [str(index)]},
            }
            for index, text in enumerate(texts)
        ]
        self.reply({"items": items}, number)

    def reply(self, result: Any, number: int | None = None) -> None:
        self.editor.lua("server.answer(...)", result, number)
        # The reply is handled in the loop's next turn, the turn after that is ours.
        self.editor.lua("vim.wait(20, function() return false end)")

    def rows(self) -> list[str]:
        """The window's text rows as painted last, without the tildes."""
        self.editor.nvim.command("redraw")
        rows = self.editor.frames()[-1].rows[:-2]
        return [row for row in rows if row != "~"]
