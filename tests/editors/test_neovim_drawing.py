"""Ghost text as Neovim paints it, for answers that no model gives on demand.

The editor, its screen and the plugin are real; the answers come from inside the editor.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .neovim import VERSIONS, Neovim, home, neovim, required
from .scripted_neovim import UNITS, Scripted


@pytest.fixture(scope="module", params=VERSIONS)
def editor(request: pytest.FixtureRequest) -> Iterator[Neovim]:
    version = required(request.param)
    with home() as place, neovim(version, place.environment) as running:
        yield running


@pytest.fixture
def scripted(editor: Neovim, tmp_path: Path) -> Iterator[Scripted]:
    editor.lua("vim.v.errmsg = ''")
    yield Scripted(editor, tmp_path)
    assert editor.lua("return vim.v.errmsg") == ""


# Buffer, inserted text, characters replaced after the cursor, rows as painted.
DRAWN = {
    "one line": ("x = $0", "1 + 2", 0, ["x = 1 + 2"]),
    "three lines": ("def f$0", "():\n    a\n    b", 0, ["def f():", "    a", "    b"]),
    "between lines": ("a$0\nz", "b\nc", 0, ["ab", "c", "z"]),
    "inside a line": ("f($0) + 1", "a, b", 0, ["f(a, b) + 1"]),
    "a closer that is part of it stays": ("f($0)", "a, b)", 1, ["f(a, b)"]),
    "text around what stays": ("f($0b) + 1", "a + b * c", 1, ["f(a + b * c) + 1"]),
    "other text is covered": ("x = $0old", "new_name", 3, ["x = new_name"]),
    "longer text is covered": ("x = $0very_long + 1", "y", 9, ["x = y + 1"]),
    "the rest of the row moves down": ("f($0)", "\n    a,\n", 0, ["f(", "    a,", ")"]),
    "the rest of the row goes": ("f($0)", "\n    a,\n)", 1, ["f(", "    a,", ")"]),
    "tabs": ("\t$0", "if x:\n\t\ty\tz", 0, ["        if x:", f"{' ' * 16}y       z"]),
    "a tab after text": ("ab$0", "c\td", 0, ["abc     d"]),
    "wide characters": ("名 = 'é😀' + $0x", "'文' + ", 0, ["名 = 'é😀' + '文' + x"]),
    "wide text is covered": ("a = $0文字", "b", 2, ["a = b"]),
    "carriage returns": ("a$0", "b\r\nc", 0, ["ab", "c"]),
    "control characters": ("a$0", "\x01b", 0, ["a^Ab"]),
}


def expected_text(marked: str, inserted: str, replaced: int) -> str:
    before, after = marked.split("$0")
    return before + inserted.replace("\r\n", "\n") + after[replaced:]


@pytest.mark.parametrize("case", DRAWN)
def test_painted_text_is_the_text_after_accepting(scripted: Scripted, case: str) -> None:
    """The screen shows what the buffer will hold, and the cursor does not move for it."""
    marked, inserted, replaced, rows = DRAWN[case]
    scripted.open(marked)
    before = scripted.editor.cursor
    scripted.answer(inserted, replace=replaced)
    assert scripted.rows() == rows
    assert scripted.editor.cursor == before

    scripted.editor.press("<Tab>")
    assert "\n".join(scripted.editor.lines) == expected_text(marked, inserted, replaced)
    inserted_lines = inserted.replace("\r\n", "\n").split("\n")
    row = before[0] + len(inserted_lines) - 1
    column = len(inserted_lines[-1].encode())
    assert scripted.editor.cursor == (
        row,
        column + (before[1] if row == before[0] else 0),
    )
    assert scripted.editor.ghost == ""
    assert [c["arguments"] for c in scripted.commands()] == [["0"]]


@pytest.mark.parametrize("encoding", UNITS)
def test_positions_in_every_encoding(scripted: Scripted, encoding: str) -> None:
    """Columns are counted as the client and the server agreed to."""
    scripted.open("é😀e\u0301 = f($0😀)", encoding)
    asked = scripted.editor.lua("return server.asked[#server.asked].params.position")
    assert asked == {"line": 0, "character": UNITS[encoding]("é😀e\u0301 = f(")}
    scripted.answer("文", replace=1)
    scripted.editor.press("<Tab>")
    assert scripted.editor.lines == ["é😀e\u0301 = f(文)"]


def test_typing_through_lines(scripted: Scripted) -> None:
    """Typed text that agrees shortens the ghost text, over line ends too."""
    scripted.open("def f$0")
    scripted.answer("(a):\n    return a")
    scripted.editor.frames()
    scripted.editor.nvim.command("setlocal autoindent indentexpr=")
    scripted.editor.type("(a):")
    assert scripted.editor.ghost == "\n    return a"
    scripted.editor.press("<CR>")
    scripted.editor.type("    r")
    assert scripted.editor.ghost == "eturn a"
    painted = [frame.rows[:2] for frame in scripted.editor.frames()]
    # A line break without its indentation yet is the same text still.
    assert set(painted) == {("def f(a):", "    return a")}
    scripted.editor.press("<BS>")
    assert scripted.editor.ghost == "return a"
    scripted.editor.type("x")
    assert scripted.editor.ghost == ""


def test_bracket_pairs_go_along(scripted: Scripted) -> None:
    """Closers that another plugin inserts and skips are part of what is suggested."""
    scripted.open("x = f$0")
    for key, does in {"(": "()<C-g>U<Left>", ")": "<C-g>U<Right>"}.items():
        scripted.editor.nvim.command(f"inoremap <buffer> {key} {does}")
    scripted.answer("(a).b")
    scripted.editor.frames()
    for key, ghost in {"(": "a.b", "a": ".b", ")": ".b", ".": "b"}.items():
        scripted.editor.type(key)
        assert scripted.editor.ghost == ghost
    assert {frame.rows[0] for frame in scripted.editor.frames()} == {"x = f(a).b"}
    scripted.editor.press("<Tab>")
    assert scripted.editor.lines == ["x = f(a).b"]


PARTS = {
    "word": (
        "wicket-accept-word",
        "get_value (é, 2)",
        ["get_value", " (", "é", ",", " 2", ")"],
    ),
    "word over lines": ("wicket-accept-word", ":\n    go()", [":", "\n    go", "()"]),
    "line": (
        "wicket-accept-line",
        "(a):\n    b\n\n    c",
        ["(a):", "\n    b", "\n", "\n    c"],
    ),
}


@pytest.mark.parametrize("case", PARTS)
def test_accepting_in_parts(scripted: Scripted, case: str) -> None:
    """Each part is inserted at the cursor; the command runs once, after the last."""
    action, text, parts = PARTS[case]
    scripted.open("f $0")
    scripted.answer(text)
    taken = "f "
    for part in parts:
        assert scripted.commands() == []
        scripted.editor.press(f"<Plug>({action})")
        taken += part
        assert "\n".join(scripted.editor.lines) == taken
        row, column = scripted.editor.cursor
        assert (row, column) == (taken.count("\n") + 1, len(taken.split("\n")[-1].encode()))
        assert scripted.editor.ghost == ("f " + text)[len(taken) :]
    assert len(scripted.commands()) == 1


@pytest.mark.parametrize(
    ("result", "ghost"), [(None, "cd"), ({"items": []}, ""), ([], "")], ids=repr
)
def test_answers_without_text(scripted: Scripted, result: Any, ghost: str) -> None:
    """Null leaves what is shown and an empty list takes it away."""
    scripted.open("a$0")
    scripted.answer("bcd")
    scripted.editor.type("b")
    scripted.reply(result)
    assert scripted.editor.ghost == ghost


def test_only_the_newest_question_counts(scripted: Scripted) -> None:
    """Every key withdraws the question before it; a late answer to that one is not shown."""
    scripted.open("$0")
    scripted.editor.type("ab")
    first, second, third = scripted.asked()
    assert scripted.cancelled() == [first, second]
    here = {"line": 0, "character": 1}
    late = {"insertText": "bc", "range": {"start": here, "end": here}}
    scripted.reply({"items": [late]}, second)
    assert scripted.editor.ghost == ""
    scripted.answer("new", number=third)
    assert scripted.editor.ghost == "new"
    scripted.editor.press("<Esc>")
    assert scripted.cancelled() == [first, second]


def test_nothing_to_add_is_not_shown(scripted: Scripted) -> None:
    """An answer that repeats what stands after the cursor leaves <Tab> alone."""
    scripted.open("f(a$0)")
    scripted.answer(")", replace=1)
    scripted.editor.press("<Tab>")
    assert scripted.editor.lines == ["f(a\t)"]
    assert scripted.commands() == []


def test_one_question_for_each_key(scripted: Scripted) -> None:
    """A key moves the cursor and changes the text, and is asked about once."""
    scripted.open("$0")
    before = len(scripted.asked())
    scripted.editor.type("abc")
    assert len(scripted.asked()) == before + 3


CLEARING: dict[str, Callable[[Neovim], Any]] = {
    "escape": lambda e: e.press("<Esc>"),
    "interrupt": lambda e: e.press("<C-c>"),
    "one normal command": lambda e: e.press("<C-o>"),
    "an arrow key": lambda e: e.press("<Left>"),
    "the dismiss key": lambda e: e.press("<Plug>(wicket-dismiss)"),
    "a change above": lambda e: e.lua("vim.api.nvim_buf_set_lines(0, 0, 1, false, {'new'})"),
    "a line more above": lambda e: e.lua("vim.api.nvim_buf_set_lines(0, 0, 0, false, {''})"),
    "a line more below": lambda e: e.lua("vim.api.nvim_buf_set_lines(0, 2, 2, false, {'new'})"),
    "a change below": lambda e: e.lua("vim.api.nvim_buf_set_lines(0, 2, 3, false, {'new'})"),
    "a change of the row": lambda e: e.lua("vim.api.nvim_buf_set_text(0, 1, 0, 1, 1, {'y'})"),
    "another buffer": lambda e: e.nvim.command("silent enew!"),
    "turning it off": lambda e: e.nvim.command(
        "let b:wicket_enabled = v:false | doautocmd TextChangedI"
    ),
}


@pytest.mark.parametrize("case", CLEARING)
def test_ghost_text_goes(scripted: Scripted, case: str) -> None:
    """It is taken away by all that makes it untrue, together with its meaning of <Tab>."""
    scripted.open("above\nx = $0\nbelow")
    buffer = scripted.editor.nvim.current.buffer.number
    scripted.answer("123")
    assert scripted.editor.ghost == "123"
    CLEARING[case](scripted.editor)
    assert not scripted.editor.lua(
        "return #vim.api.nvim_buf_get_extmarks("
        "(...), vim.api.nvim_create_namespace('wicket'), 0, -1, {}) > 0",
        buffer,
    )
    assert scripted.editor.lua("return vim.fn.maparg('<Tab>', 'i', false, true).buffer") != 1


def test_menu_hides_ghost_text(scripted: Scripted) -> None:
    """While the completion menu is open nothing is shown or asked; then it is asked again."""
    scripted.open("apple apricot\nap$0")
    scripted.answer("ple pie")
    scripted.editor.press("<C-n>")
    assert scripted.editor.lua("return vim.fn.pumvisible()") == 1
    assert scripted.editor.ghost == ""
    before = len(scripted.asked())
    scripted.editor.press("<C-n>")
    assert len(scripted.asked()) == before
    scripted.editor.press("<C-e>")
    scripted.editor.until("a new question", lambda: len(scripted.asked()) > before)
    scripted.answer("ple pie")
    assert scripted.editor.ghost == "ple pie"


def test_alternatives(scripted: Scripted) -> None:
    """The trigger key asks by hand, and goes round the answers once there are several."""
    scripted.open("x = $0")
    scripted.editor.press("<Plug>(wicket-trigger)")
    kind = scripted.editor.lua("return server.asked[#server.asked].params.context.triggerKind")
    assert kind == 1
    scripted.answer("one", "two", "three")
    seen = [scripted.editor.ghost]
    for _ in range(3):
        scripted.editor.press("<Plug>(wicket-trigger)")
        seen.append(scripted.editor.ghost)
    assert seen == ["one", "two", "three", "one"]
    scripted.editor.press("<Plug>(wicket-trigger)", "<Tab>")
    assert scripted.editor.lines == ["x = two"]
    assert [c["arguments"] for c in scripted.commands()] == [["1"]]


def test_next_and_previous(scripted: Scripted) -> None:
    """They ask for more where one is known, go round, and leave out what no longer agrees."""
    scripted.open("x = $0")
    scripted.answer("one")
    before = len(scripted.asked())
    scripted.editor.press("<Plug>(wicket-next)")
    kind = scripted.editor.lua("return server.asked[#server.asked].params.context.triggerKind")
    assert (kind, len(scripted.asked())) == (1, before + 1)
    assert scripted.editor.ghost == "one"
    scripted.answer("one", "two", "or other", "off")
    seen = [scripted.editor.ghost]
    for key in ("next", "next", "next", "previous", "previous"):
        scripted.editor.press(f"<Plug>(wicket-{key})")
        seen.append(scripted.editor.ghost)
    assert seen == ["two", "or other", "off", "one", "off", "or other"]
    # An automatic answer is about the first of them; the choice stays while it agrees.
    scripted.editor.type("o")
    for result in ("ne", ""):
        scripted.answer(result) if result else scripted.reply({"items": []})
        assert scripted.editor.ghost == "r other"
    assert scripted.rows() == ["x = or other"]
    scripted.editor.press("<Plug>(wicket-next)")
    assert scripted.editor.ghost == "ff"
    scripted.editor.press("<Plug>(wicket-next)")
    assert scripted.editor.ghost == "ne"
    # What no alternative agrees with is another matter.
    scripted.editor.type("x")
    assert scripted.editor.ghost == ""
    scripted.answer("yz")
    assert scripted.editor.ghost == "yz"


def test_trigger_goes_on_from_what_is_shown(scripted: Scripted) -> None:
    scripted.open("x = $0")
    scripted.answer("one")
    scripted.editor.press("<Plug>(wicket-trigger)")
    scripted.answer("one", "two")
    assert scripted.editor.ghost == "two"


OTHER_TABS = {
    "none": ("", "\t"),
    "of the user": ("inoremap <Tab> mine", "mine"),
    "of the buffer": ("inoremap <buffer> <Tab> ours", "ours"),
    "an expression": (
        "inoremap <buffer><expr> <Tab> pumvisible() ? 'x' : 'no menu'",
        "no menu",
    ),
}


@pytest.mark.parametrize("case", OTHER_TABS)
def test_tab_keeps_its_meaning(scripted: Scripted, case: str) -> None:
    """<Tab> accepts while ghost text is shown and otherwise is what it was."""
    mapping, typed = OTHER_TABS[case]
    scripted.open("$0")
    scripted.editor.nvim.command(f"setlocal noexpandtab | {mapping}")
    try:
        scripted.editor.press("<Tab>")
        assert scripted.editor.lines == [typed]
        scripted.answer("ghost")
        scripted.editor.press("<Tab>")
        assert scripted.editor.lines == [typed + "ghost"]
        scripted.editor.press("<Tab>")
        assert scripted.editor.lines == [typed + "ghost" + typed]
    finally:
        scripted.editor.lua("pcall(vim.keymap.del, 'i', '<Tab>')")


def test_accepting_is_one_undo_step(scripted: Scripted) -> None:
    """One undo takes back what was accepted and nothing that was typed around it."""
    scripted.open("$0")
    scripted.editor.type("ab")
    scripted.answer("c\nd\ne")
    scripted.editor.press("<Tab>")
    scripted.editor.type("fg")
    assert scripted.editor.lines == ["abc", "d", "efg"]
    states: list[list[str]] = []
    scripted.editor.press("<Esc>")
    for _ in range(3):
        scripted.editor.press("u")
        states.append(scripted.editor.lines)
    assert states == [["abc", "d", "e"], ["ab"], [""]]


def test_keys_can_be_chosen(scripted: Scripted) -> None:
    """`g:wicket` names other keys, or none."""
    scripted.editor.lua("vim.g.wicket = { accept = false, accept_word = '<C-l>' }")
    try:
        scripted.open("$0")
        scripted.answer("one two")
        scripted.editor.press("<C-l>")
        assert scripted.editor.lines == ["one"]
        scripted.editor.press("<Tab>")
        assert scripted.editor.lines == ["one\t"]
    finally:
        scripted.editor.lua("vim.g.wicket = nil")


def test_recorded_keys_play_without_ghost_text(scripted: Scripted) -> None:
    """A macro is not a person: nothing is asked while it runs."""
    scripted.open("$0")
    scripted.editor.press("<Esc>")
    scripted.editor.nvim.funcs.setreg("q", "iabc\x1b")
    before = len(scripted.asked())
    scripted.editor.press("@q")
    assert scripted.editor.lines == ["abc"]
    assert len(scripted.asked()) == before
