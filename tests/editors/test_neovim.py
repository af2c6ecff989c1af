"""The plugin in real Neovims, with the real `wicket lsp` and the real embedded model."""

import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from wicket import __version__

from .neovim import PATIENCE_SECONDS, ROOT, SAMPLE, VERSIONS, Home, Neovim, home, neovim, required

BEFORE = (
    SAMPLE
    + """\

    def export(self, path: Path) -> None:
        text = json.dumps(self.values, indent=2)
        path.write_text(text, encoding="utf-8")
"""
)
TYPED = """
    def save(self) -> None:
        text = json.dumps(self.values, indent=2)
        self.path.write_text(text, encoding="utf-8")
"""
# From here on it is what `export` does, so that model and copy are sure enough of it.
KNOWN = "text ="
# A suggestion worth typing through has at least that many characters.
ENOUGH = 4


@dataclass(frozen=True, slots=True)
class Desk:
    """One Neovim and the home it was started from."""

    version: str
    home: Home
    editor: Neovim

    def servers(self) -> list[psutil.Process]:
        """Those that talk to an editor, without the twin that each of them has forked."""
        found = {process.pid: process for process in self.home.processes() if is_server(process)}
        return [process for process in found.values() if parent(process) not in found]

    def open(self, before: str, name: str = "settings.py", newline: str = "\n") -> None:
        """A file that ends where insert mode begins, without Vim's own indenting."""
        path = self.home.project / name
        path.write_bytes(before.rstrip("\n").replace("\n", newline).encode())
        self.editor.edit(path)
        self.editor.ready()
        self.editor.nvim.command("setlocal indentkeys= indentexpr= noautoindent | $")
        self.editor.press("A")

    def type_until_ghost(self, text: str = TYPED, known: str = KNOWN) -> str:
        """Type `text` up to and with `known`, then on until something is suggested; what it is."""
        least = text.index(known) + len(known)
        for count, character in enumerate(text):
            self.editor.type("\r" if character == "\n" else character)
            if count + 1 < least:
                continue
            end = time.monotonic() + 1.0
            while time.monotonic() < end:
                ghost = self.editor.ghost
                if len(ghost.split("\n")[0]) >= ENOUGH:
                    return ghost
                time.sleep(0.01)
        raise AssertionError(f"nothing was suggested: {self.editor.report()}")

    def text(self) -> str:
        return "\n".join(self.editor.lines)


def is_server(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.cmdline()[-2:] == ["wicket.server", "lsp"]
    return False


def parent(process: psutil.Process) -> int | None:
    with contextlib.suppress(psutil.Error):
        return process.ppid()
    return None


@pytest.fixture(scope="module")
def place() -> Iterator[Home]:
    """One home, and so one engine, for all editors of this module."""
    with home() as made:
        yield made


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return required(request.param)


@pytest.fixture
def desk(version: str, place: Home) -> Iterator[Desk]:
    with neovim(version, place.environment) as editor:
        yield Desk(version, place, editor)
        assert editor.lua("return vim.v.errmsg") == ""


def test_type_through_and_accept(desk: Desk) -> None:
    """Ghost text appears, typing through it needs no server, <Tab> takes it, u gives it back."""
    desk.open(BEFORE)
    ghost = desk.type_until_ghost()
    before, cursor = desk.text(), desk.editor.cursor
    (server,) = desk.servers()
    desk.editor.frames()
    server.suspend()  # No answer can come any more.
    try:
        for count in (1, 2, 3):
            desk.editor.type(ghost[count - 1])
            assert desk.editor.ghost == ghost[count:]
        row = before.split("\n")[-1] + ghost.split("\n")[0]
        painted = {frame.rows[frame.cursor[0]] for frame in desk.editor.frames()}
        assert painted == {row}

        desk.editor.press("<Tab>")
        assert desk.text() == before + ghost
        lines = ghost.split("\n")
        assert desk.editor.cursor == (
            cursor[0] + len(lines) - 1,
            len(lines[-1].encode()) + (cursor[1] if len(lines) == 1 else 0),
        )
        assert desk.editor.ghost == ""
        desk.editor.press("<Esc>", "u")
        assert desk.text() == before + ghost[:3]
    finally:
        server.resume()


def test_another_text_clears_at_once(desk: Desk) -> None:
    """A key that contradicts the ghost text removes it in the same frame."""
    desk.open(BEFORE)
    ghost = desk.type_until_ghost()
    (server,) = desk.servers()
    desk.editor.frames()
    server.suspend()
    try:
        other = "#" if ghost[0] != "#" else "~"
        desk.editor.type(other)
        assert desk.editor.ghost == ""
        painted = {frame.rows[frame.cursor[0]] for frame in desk.editor.frames()}
        assert painted == {desk.editor.lines[-1]}
    finally:
        server.resume()


def test_dismiss(desk: Desk) -> None:
    """A dismissed suggestion stays away until the next key, and <Tab> is <Tab> again."""
    desk.open(BEFORE)
    desk.type_until_ghost()
    before = desk.text()
    desk.editor.press("<Plug>(wicket-dismiss)")
    time.sleep(0.3)
    assert desk.editor.ghost == ""
    desk.editor.nvim.command("setlocal noexpandtab softtabstop=0")
    desk.editor.press("<Tab>")
    assert desk.text() == before + "\t"


WIDE = """\
    def totals(self, left: dict[str, int], right: dict[str, int]) -> list[int]:
        first = left["é😀文"] + right["é😀文"]
        second = left["ü🎉字"] + right["ü🎉字"]
        third = left["ñ🐍語"] + right["ñ🐍語"]
"""
WIDE_TYPED = '\n        fourth = left["å🚪門"] + right["å🚪門"]\n        return [first'


def test_wide_characters_before_the_cursor(desk: Desk) -> None:
    """Client and server mean the same place after characters of one to four bytes."""
    desk.open(BEFORE + "\n" + WIDE)
    desk.type_until_ghost(WIDE_TYPED, known="門")
    before = desk.text()
    explanation, ghost = explained(desk), desk.editor.ghost
    line, column = before.count("\n") + 1, len(before.split("\n")[-1]) + 1
    assert explanation["text"] == ghost
    assert explanation["range"][:2] == [line, column]
    desk.editor.press("<Tab>")
    assert desk.text() == before + ghost


def answered(desk: Desk) -> None:
    """Wait until no question is open."""
    waiting = "return next(vim.lsp.get_clients()[1].requests) ~= nil"
    desk.editor.until("an answer", lambda: not desk.editor.lua(waiting))


def explained(desk: Desk) -> dict[str, Any]:
    """What the server knows about the suggestion on the screen, once no question is open."""
    answered(desk)
    found = desk.editor.lua("""
        local id = { id = require('wicket.ghost').last_id() }
        local method = 'wicket/explainSuggestion'
        for _, said in pairs(vim.lsp.buf_request_sync(0, method, id, 10000)) do
          return said.result
        end""")
    assert found
    return found


def why(desk: Desk) -> list[str]:
    """The page that `:WicketWhy` opens, in normal mode; it stays open."""
    buffer = desk.editor.nvim.current.buffer.number
    desk.editor.nvim.command("WicketWhy")
    desk.editor.until("the explanation", lambda: desk.editor.nvim.current.buffer.number != buffer)
    return desk.editor.lines


def test_explanation_names_the_suggestion(desk: Desk) -> None:
    desk.open(BEFORE)
    desk.type_until_ghost()
    ghost = explained(desk)["text"]
    assert ghost == desk.editor.ghost != ""
    buffer = desk.editor.nvim.current.buffer.number
    desk.editor.press("<Esc>")
    page = why(desk)
    assert page[0] == f"suggested    {ghost.split(chr(10))[0]}"
    assert "model        wicket-base" in page
    # None where typing went on in what was shown before the last key.
    assert [line for line in page if re.fullmatch(r"ms +(none|.*total.*)", line)]
    desk.editor.press("q")
    assert desk.editor.nvim.current.buffer.number == buffer


def test_explanation_leads_to_what_was_copied(desk: Desk) -> None:
    """In a language that the model does not know; the screen shows where it was found."""
    (desk.home.project / "area.rs").write_text(
        "// Shapes.\nfn area(radius: f64) -> f64 {\n    radius * radius * PI\n}\n"
    )
    desk.editor.edit(desk.home.project / "area.rs")
    desk.open("fn area(radius: f64) -> f64 {", "other.rs")
    assert desk.type_until_ghost("\n    radius * r", known="* r") == "adius * PI"
    desk.editor.press("<Esc>")
    desk.editor.frames()
    assert "copied from  area.rs:3" in why(desk)
    shown = desk.editor.frames()[-1].rows
    assert any("copied from  area.rs:3" in row for row in shown)
    desk.editor.nvim.command("/area")
    desk.editor.press("<CR>")
    assert Path(desk.editor.nvim.current.buffer.name).name == "area.rs"
    assert desk.editor.cursor == (3, 0)


def test_the_rest_of_a_suggestion_costs_no_token(desk: Desk) -> None:
    """Taken word by word it stays on the screen while the engine stands still."""
    desk.open(BEFORE)
    ghost = desk.type_until_ghost().split("\n")[0]
    row = desk.editor.lines[-1] + ghost
    engines = [p for p in desk.home.processes() if "engine" in p.cmdline()]
    assert engines
    desk.editor.frames()
    for engine in engines:
        engine.suspend()
    try:
        left, taken = ghost, 0
        while len(left) > 1:
            desk.editor.press("<Plug>(wicket-accept-word)")
            now = desk.editor.ghost.split("\n")[0]
            assert ghost.endswith(now)
            assert len(now) < len(left)
            answered(desk)
            assert desk.editor.ghost.split("\n")[0] == now
            if now:
                why_rest = explained(desk)
                assert why_rest["source"] == "cache"
                assert set(why_rest["tokens"].values()) == {0}
                taken += 1
            left = now
    finally:
        for engine in engines:
            engine.resume()
    painted = {frame.rows[frame.cursor[0]] for frame in desk.editor.frames()}
    assert painted == {row}
    assert taken >= 2
    desk.editor.press("<Esc>")


def test_what_was_taken_in_part_is_counted(version: str) -> None:
    """`wicket stats` knows of it once the editor has left."""
    with home() as place:
        with neovim(version, place.environment) as editor:
            desk = Desk(version, place, editor)
            desk.open(BEFORE)
            desk.type_until_ghost()
            desk.editor.press("<Plug>(wicket-accept-word)")
            answered(desk)
            desk.editor.type("#")
            answered(desk)
            server = desk.servers()[0]
        psutil.wait_procs([server], timeout=PATIENCE_SECONDS)
        command = [sys.executable, "-I", "-m", "wicket.server", "stats", "--json"]
        done = subprocess.run(
            command,
            env=place.environment | {"HOME": str(place.path)},
            capture_output=True,
            check=True,
        )
        assert json.loads(done.stdout)["partial"] == 1


WAYS = """\
def first(values):
    return sorted(values)[0]


def last(values):
    return sorted(values)[-1]


def middle(values):
"""


def test_going_round_the_alternatives(desk: Desk) -> None:
    """Next and previous show other texts, painted as they will stand; <Tab> takes the one seen."""
    desk.open(WAYS)
    first = desk.type_until_ghost("\n    return sort", known="return sort")
    before = desk.text()
    seen = [first]
    desk.editor.press("<Plug>(wicket-next)")
    desk.editor.until("another text", lambda: desk.editor.ghost not in ("", first))
    while (ghost := desk.editor.ghost) != first:
        assert ghost not in seen
        seen.append(ghost)
        assert explained(desk)["text"] == ghost
        desk.editor.frames()
        desk.editor.nvim.command("redraw!")
        frame = desk.editor.frames()[-1]
        assert frame.rows[frame.cursor[0]] == (before + ghost.split("\n")[0]).split("\n")[-1]
        desk.editor.press("<Plug>(wicket-next)")
    assert len(seen) >= 2
    desk.editor.press("<Plug>(wicket-previous)")
    assert desk.editor.ghost == seen[-1]
    # What was chosen stays through keys that agree with it.
    desk.editor.type(seen[-1][0])
    answered(desk)
    assert desk.editor.ghost == seen[-1][1:]
    desk.editor.press("<Tab>")
    assert desk.text() == before + seen[-1]


def test_file_with_carriage_returns(desk: Desk) -> None:
    """A DOS file stays one, also where a suggestion was accepted."""
    desk.open(BEFORE, newline="\r\n")
    assert desk.editor.lua("return vim.bo.fileformat") == "dos"
    ghost = desk.type_until_ghost()
    before = desk.text()
    desk.editor.press("<Tab>", "<Esc>")
    assert desk.text() == before + ghost
    desk.editor.nvim.command("silent write")
    written = (desk.home.project / "settings.py").read_bytes().decode()
    assert written.rstrip("\r\n") == (before + ghost).replace("\n", "\r\n")


def test_file_with_tabs(desk: Desk) -> None:
    """Tabs stand before the cursor and nothing but tabs indents what is accepted."""
    desk.open(BEFORE.replace("    ", "\t"))
    desk.editor.nvim.command("setlocal noexpandtab")
    ghost = desk.type_until_ghost(TYPED.replace("    ", "\t"))
    row, column = desk.editor.cursor
    assert desk.editor.marks()[0]["column"] == column
    before = desk.text()
    desk.editor.press("<Tab>")
    assert "\n".join(desk.editor.lines[: row - 1]) == before.rpartition("\n")[0]
    assert desk.text().startswith(before + ghost.split("\n")[0])


def test_status(desk: Desk) -> None:
    """The status is there for statuslines and tells model and state on request."""
    desk.open(BEFORE)
    assert desk.editor.lua("return require('wicket').status()") == "wicket: ready"
    current = desk.editor.lua("return require('wicket.status').current()")
    assert current["state"] == "ready"
    assert f"({current['model']})" in desk.editor.nvim.command_output("WicketStatus")


def health(desk: Desk) -> list[str]:
    desk.editor.press("<Esc>")
    desk.editor.nvim.command("silent checkhealth wicket")
    return desk.editor.until(
        "the health report",
        lambda: [line for line in desk.editor.lines if "OK" in line] and desk.editor.lines,
    )


def test_health(desk: Desk) -> None:
    """All is well and says so, and a gate that is frozen is not passed over."""
    desk.open(BEFORE)
    report = health(desk)
    assert not [line for line in report if "ERROR" in line or "WARN" in line]
    assert [line for line in report if "wicket: ready" in line]
    assert [line for line in report if f"Neovim {desk.version}." in line]
    assert [line for line in report if f"wicket: {__version__}" in line]
    assert [line for line in report if "model: wicket-base" in line]
    assert [line for line in report if "provider: none is set up" in line]
    wicket = [sys.executable, "-I", "-m", "wicket.server"]
    freeze = [*wicket, "gate", "freeze", "--reason", "a drill"]
    subprocess.run(freeze, env=desk.home.environment, check=True, capture_output=True)
    try:
        assert [line for line in health(desk) if "WARN" in line and "by you: a drill" in line]
    finally:
        subprocess.run([*wicket, "gate", "thaw"], env=desk.home.environment, check=True)


def test_missing_server_is_one_line(version: str, place: Home) -> None:
    """Without the program there is one message with what to do, and typing goes on."""
    with neovim(version, place.environment, {"cmd": ["/nowhere/wicket", "lsp"]}) as editor:
        editor.edit(place.project / "settings.py")
        said = editor.until("a message", lambda: editor.nvim.command_output("messages"))
        assert said.strip().count("\n") == 0
        assert "'/nowhere/wicket'" in said
        assert "g:wicket.cmd" in editor.nvim.command_output("WicketStatus")
        editor.press("O")
        editor.type("x")
        assert editor.lines[0] == "x"
        desk = Desk(version, place, editor)
        assert [line for line in health(desk) if "ERROR" in line and "/nowhere/wicket" in line]


def test_settings_reach_the_server(version: str, place: Home) -> None:
    """`g:wicket.settings` are the server's settings from its first answer on."""
    options = {"settings": {"completion": {"languages": ["lua"]}}}
    with neovim(version, place.environment, options) as editor:
        desk = Desk(version, place, editor)
        desk.open(BEFORE)
        editor.type("    def save")
        answered(desk)
        editor.press("<Esc>")
        assert why(desk)[0] == "nothing      completion.languages leaves out python"


def test_server_that_dies(desk: Desk) -> None:
    """Its death costs the ghost text and nothing else; `:WicketEnable` brings it back."""
    desk.open(BEFORE)
    desk.type_until_ghost()
    (server,) = desk.servers()
    server.kill()
    desk.editor.until(
        "the status `off`",
        lambda: desk.editor.lua("return require('wicket').status()") == "wicket: off",
    )
    assert desk.editor.ghost == ""
    desk.editor.type("# on")
    assert desk.editor.lines[-1].endswith("# on")
    desk.editor.nvim.command("WicketEnable")
    desk.editor.ready()
    desk.editor.press("<Esc>", "0", "D", "A")
    desk.type_until_ghost(TYPED[1:])


def test_disable_and_enable(desk: Desk) -> None:
    """A disabled Wicket shows nothing and runs no server."""
    desk.open(BEFORE)
    desk.type_until_ghost()
    desk.editor.nvim.command("WicketDisable")
    assert desk.editor.ghost == ""
    desk.editor.until("the server's end", lambda: not desk.servers())
    desk.editor.nvim.command("WicketEnable")
    desk.editor.ready()
    assert len(desk.servers()) == 1


def test_disable_and_enable_in_one_go(desk: Desk) -> None:
    """Buffers do not meet the server that is leaving, nor does its end count as theirs."""
    desk.open(BEFORE)
    (old,) = desk.servers()
    desk.editor.nvim.command("WicketDisable | WicketEnable")
    psutil.wait_procs([old], timeout=PATIENCE_SECONDS)
    desk.editor.ready()
    desk.type_until_ghost()
    (new,) = desk.servers()
    assert new != old


@pytest.mark.parametrize("end", ["quit", "kill"])
def test_server_ends_with_the_editor(version: str, place: Home, end: str) -> None:
    """Neither a quitting nor a dying editor leaves its server or that one's twin behind."""
    with neovim(version, place.environment) as editor:
        desk = Desk(version, place, editor)
        desk.open(BEFORE)
        (server,) = desk.servers()
        (twin,) = server.children()
        if end == "kill":
            psutil.Process(editor.pid).kill()
    gone, left = psutil.wait_procs([server, twin], timeout=PATIENCE_SECONDS)
    assert (len(gone), left) == (2, [])
    assert desk.servers() == []


def test_install_script_has_nothing_to_do() -> None:
    """`.ci/neovim` agrees that every editor is there; without them it says so in one line."""
    done = subprocess.run(
        [ROOT / ".ci" / "neovim", "--check"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    missing = subprocess.run(
        [ROOT / ".ci" / "neovim", "--check"],
        env={"PATH": "/usr/bin:/bin", "XDG_CACHE_HOME": "/nowhere"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert missing.returncode == 1
    assert missing.stderr.count("\n") == 1
    assert ".ci/neovim" in missing.stderr
