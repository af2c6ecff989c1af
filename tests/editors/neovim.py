"""Drives a real Neovim: keys in, buffer, extmarks and whole screen frames out."""

import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pynvim  # pyright: ignore[reportMissingTypeStubs]
import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "editors" / "neovim"
VERSIONS = ("0.10", "0.11", "0.12")
# Nothing here takes that long; it is how long a broken test hangs.
PATIENCE_SECONDS = 20.0

INIT = """
vim.opt.runtimepath:prepend(...)
vim.o.swapfile = false
vim.o.shortmess = vim.o.shortmess .. 'I'
"""


# A file that people type into here, to be gone on with.
SAMPLE = '''\
import json
from pathlib import Path


class Settings:
    """Values by their dotted names, kept in one JSON file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.values: dict[str, str] = {}

    def load(self) -> None:
        if self.path.exists():
            text = self.path.read_text(encoding="utf-8")
            self.values = json.loads(text)

    def get(self, name: str, default: str = "") -> str:
        return self.values.get(name, default)
'''


def program(version: str) -> Path:
    """The Neovim that `.ci/neovim` installed; LookupError where it did not."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    nvim = Path(cache) / "wicket-dev" / "neovim" / version / "bin" / "nvim"
    if not nvim.is_file():
        raise LookupError(f"Neovim {version} is not installed; run .ci/neovim")
    return nvim


def required(version: str) -> str:
    """`version`; where it is not installed the test fails with one line."""
    try:
        program(version)
    except LookupError as error:
        pytest.fail(str(error), pytrace=False)
    return version


@dataclass(frozen=True, slots=True)
class Home:
    """A person's private directories, short enough for the paths of unix sockets."""

    path: Path

    @property
    def environment(self) -> dict[str, str]:
        """With the `wicket` of this Python first on PATH, for the plugin to find."""
        names = ("CONFIG_HOME", "DATA_HOME", "STATE_HOME", "CACHE_HOME", "RUNTIME_DIR")
        folders = {f"XDG_{name}": str(self.path / name[:3].lower()) for name in names}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return folders | {"PATH": path}

    @property
    def project(self) -> Path:
        """Where the edited files go; the directories above are outside of it."""
        return self.path / "project"

    def processes(self) -> list[psutil.Process]:
        """Everything that was started from this home and still runs."""
        mine = self.environment["XDG_STATE_HOME"]
        found: list[psutil.Process] = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("XDG_STATE_HOME") == mine:
                    found.append(process)
        return found


@contextlib.contextmanager
def home() -> Generator[Home]:
    """Made new, and cleared of processes and files afterwards."""
    place = Home(Path(tempfile.mkdtemp(prefix="w", dir="/tmp")))
    place.project.mkdir()
    for name, directory in place.environment.items():
        if name.startswith("XDG_"):
            Path(directory).mkdir(mode=0o700)
    try:
        yield place
    finally:
        left = place.processes()
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=PATIENCE_SECONDS)
        shutil.rmtree(place.path)


@dataclass(frozen=True, slots=True)
class Frame:
    """What a person saw between two repaints."""

    rows: tuple[str, ...]
    cursor: tuple[int, int]


class Screen:
    """The grid that Neovim's drawing events describe; one frame for each of its flushes."""

    def __init__(self, width: int, height: int) -> None:
        self.cells = [[" "] * width for _ in range(height)]
        self.cursor = (0, 0)
        self.frames: list[Frame] = []

    def draw(self, event: str, *values: Any) -> None:
        match event, values:
            case "grid_line", (_, row, column, cells, *_):
                for text, *style in cells:
                    repeat = style[1] if len(style) > 1 else 1
                    self.cells[row][column : column + repeat] = [text] * repeat
                    column += repeat
            case "grid_scroll", (_, top, bottom, _, _, rows, _):
                empty = [" "] * len(self.cells[0])
                moved = {r - rows: self.cells[r] for r in range(top, bottom)}
                for row in range(top, bottom):
                    self.cells[row] = list(moved.get(row, empty))
            case "grid_clear", _:
                self.cells = [[" "] * len(row) for row in self.cells]
            case "grid_cursor_goto", (_, row, column):
                self.cursor = (row, column)
            case "flush", _:
                rows = tuple("".join(row).rstrip() for row in self.cells)
                self.frames.append(Frame(rows, self.cursor))
            case _:
                pass


class Neovim:
    """One running editor with the plugin on its runtime path."""

    def __init__(self, nvim: Any, screen: Screen) -> None:
        self.nvim = nvim  # pynvim has no types for what Neovim's API returns.
        self.screen = screen

    @property
    def pid(self) -> int:
        return self.lua("return vim.uv.os_getpid()")

    def lua(self, code: str, *values: Any) -> Any:
        # Behind a prompt every other request would wait for ever.
        if self.nvim.api.get_mode()["blocking"]:
            self.nvim.input("<CR>")
            said = self.nvim.command_output("messages")
            raise AssertionError(f"Neovim waited for a key after it said: {said}")
        return self.nvim.exec_lua(code, *values)

    def edit(self, path: Path) -> None:
        self.nvim.command(f"edit {path}")

    def press(self, *keys: str) -> None:
        """Each of `keys` by itself, as a hand does; Neovim is done with it on return."""
        for key in keys:
            self.nvim.input(key)
            self.nvim.api.get_mode()

    def type(self, text: str) -> None:
        """`text` key by key."""
        self.press(*("<lt>" if key == "<" else key for key in text))

    @property
    def lines(self) -> list[str]:
        return list(self.nvim.current.buffer)

    @property
    def cursor(self) -> tuple[int, int]:
        """1-based row and 0-based column in bytes, as Neovim counts."""
        row, column = self.nvim.current.window.cursor
        return row, column

    def marks(self) -> list[dict[str, Any]]:
        return self.lua("""
            local namespace = vim.api.nvim_create_namespace('wicket')
            return vim.tbl_map(function(mark)
              local details = mark[4]
              return {
                row = mark[2], column = mark[3], place = details.virt_text_pos,
                text = details.virt_text[1][1],
                below = vim.tbl_map(function(line) return line[1][1] end, details.virt_lines or {}),
              }
            end, vim.api.nvim_buf_get_extmarks(0, namespace, 0, -1, { details = true }))""")

    @property
    def ghost(self) -> str:
        """The ghost text as drawn, "" where there is none."""
        marks = self.marks()
        below = [line for mark in marks for line in mark["below"]]
        return "\n".join(["".join(mark["text"] for mark in marks), *below])

    def until(self, what: str, holds: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
        """The first true value of `holds`, which is asked again and again."""
        end = time.monotonic() + seconds
        while not (value := holds()):
            assert time.monotonic() < end, f"waited in vain for {what}: {self.report()}"
            time.sleep(0.01)
        return value

    def ready(self) -> None:
        self.until(
            "the status `ready`",
            lambda: self.lua("return vim.g.wicket_status") == "wicket: ready",
        )

    def attached(self) -> None:
        """Wait for a server, whatever it says of itself: one that completes nothing is `off`."""
        self.until(
            "the server",
            lambda: self.lua("""
                local client = vim.lsp.get_clients({ name = 'wicket' })[1]
                return client ~= nil and client.initialized == true"""),
        )

    def report(self) -> str:
        status = self.lua("return require('wicket.status').sentence()")
        return f"{status}; cursor {self.cursor}, ghost {self.ghost!r}, {self.lines}"

    def frames(self) -> list[Frame]:
        """Every frame that was painted since the last call."""
        self.nvim.exec_lua("vim.rpcnotify(...)", self.nvim.channel_id, "drawn")
        while (message := self.nvim.next_message())[1] != "drawn":
            if message[1] == "redraw":
                for event, *calls in message[2]:
                    for values in calls:
                        self.screen.draw(event, *values)
        painted, self.screen.frames = self.screen.frames, []
        return painted


@contextlib.contextmanager
def neovim(
    version: str,
    environment: Mapping[str, str],
    options: Mapping[str, Any] | None = None,
    size: tuple[int, int] = (160, 24),
) -> Generator[Neovim]:
    """A Neovim that loads the plugin as any plugin, with `options` as `g:wicket`."""
    init = Path(environment["XDG_CONFIG_HOME"]) / "init.lua"
    variable = f"vim.g.wicket = vim.json.decode([[{json.dumps(options or {})}]])\n"
    init.write_text(INIT.replace("...", repr(str(PLUGIN))) + variable)
    settings = [f"{name}={value}" for name, value in environment.items()]
    nvim: Any = pynvim.attach(
        "child",
        argv=[
            *("env", *settings),
            *(
                str(program(version)),
                "--embed",
                "--headless",
                "-u",
                str(init),
                "-i",
                "NONE",
            ),
        ],
    )
    try:
        nvim.ui_attach(*size, rgb=True, ext_linegrid=True)
        yield Neovim(nvim, Screen(*size))
    finally:
        with contextlib.suppress(OSError, EOFError):
            nvim.command("qall!")
        nvim.close()
