"""What is offered at a place in the editor, as tables: titles, kinds and commands."""

from typing import Any

import pytest
from lsprotocol import types
from wicket.server.actions import EDIT_SELECTION, actions, instruction
from wicket.server.documents import Document
from wicket.server.edit_editor import around

TEXT = "import os\n# wicket: split this\ndef f(x):\n    return x\n"
FIXED = ["explain", "document", "fix", "add types", "extract", "simplify"]


def at(first: int, last: int | None = None) -> types.Range:
    return types.Range(types.Position(first, 0), types.Position(first if last is None else last, 0))


def offered(
    place: types.Range, only: list[str] | None = None, *, by_hand: bool = True,
    messages: list[str] | None = None, has_input: bool = False, tags: bool = False,
) -> list[types.CodeAction]:  # fmt: skip
    trigger = types.CodeActionTriggerKind
    diagnostics = [types.Diagnostic(at(3, 4), message) for message in messages or ()]
    context = types.CodeActionContext(
        diagnostics, only, trigger.Invoked if by_hand else trigger.Automatic
    )
    params = types.CodeActionParams(types.TextDocumentIdentifier("file:///a.py"), place, context)
    support = types.CodeActionTagOptions([types.CodeActionTag.LlmGenerated]) if tags else None
    client = types.CodeActionClientCapabilities(tag_support=support)
    return actions(Document("file:///a.py", "python", 1, TEXT), params, client, has_input)


def titles(found: list[types.CodeAction]) -> list[str]:
    return [action.title.removeprefix("Wicket: ") for action in found]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({"place": at(2, 3)}, FIXED),
        ({"place": at(2, 3), "by_hand": False}, FIXED),
        ({"place": at(0)}, FIXED),
        # The cursor moved, that is all: nothing to show a light bulb for.
        ({"place": at(0), "by_hand": False}, []),
        ({"place": at(1), "by_hand": False}, ["do “split this”"]),
        ({"place": at(0, 3)}, ["do “split this”", *FIXED]),
        ({"place": at(3), "by_hand": False, "messages": ["x is\n  odd"]}, ["fix “x is odd”"]),
        ({"place": at(3), "by_hand": False, "messages": ["a"] * 9}, ["fix “a”"] * 4),
        ({"place": at(2, 3), "has_input": True}, ["edit ...", *FIXED]),
        ({"place": at(2, 3), "only": ["refactor"]}, FIXED),
        ({"place": at(2, 3), "only": ["refactor.rewrite.wicket.types"]}, ["add types"]),
        ({"place": at(2, 3), "only": ["refactor.re"]}, []),
        ({"place": at(2, 3), "only": ["quickfix"], "messages": ["a"]}, ["fix “a”"]),
        ({"place": at(2, 3), "only": ["source"]}, []),
        ({"place": at(90, 91)}, FIXED),
    ],
)
def test_what_is_offered(said: dict[str, Any], wanted: list[str]) -> None:
    assert titles(offered(**said)) == wanted


def test_an_action_is_a_command_with_its_arguments_and_no_work() -> None:
    by_title = {a.title: a for a in offered(at(1, 3), messages=["odd"], has_input=True, tags=True)}
    assert all(action.edit is None and action.data is None for action in by_title.values())
    assert all(action.tags == [types.CodeActionTag.LlmGenerated] for action in by_title.values())
    commands = {title: action.command for title, action in by_title.items()}
    assert all(commands.values())
    rows = {
        title: (c.command, c.arguments[0]) for title, c in commands.items() if c and c.arguments
    }
    place = {"start": {"line": 1, "character": 0}, "end": {"line": 3, "character": 0}}
    where = {"uri": "file:///a.py", "range": place}
    assert rows["Wicket: edit ..."] == (EDIT_SELECTION, where)
    assert rows["Wicket: add types"] == ("wicket.edit", where | {"kind": "types"})
    assert rows["Wicket: do “split this”"][1] == where | {
        "kind": "edit", "instruction": "split this", "comment": 1,
    }  # fmt: skip
    assert rows["Wicket: fix “odd”"][1]["diagnostics"] == [{"message": "odd", "line": 4}]
    assert rows["Wicket: explain"][0] == "wicket.ask"


@pytest.mark.parametrize(
    ("line", "language", "said"),
    [
        ("# wicket: split this function\n", "python", "split this function"),
        ("    #wicket:do it", "python", "do it"),
        ("## Wicket: do it", "python", "do it"),
        ("// wicket: do it\r\n", "go", "do it"),
        ("/// wicket: do it", "rust", "do it"),
        ("  /* wicket: do it */", "c", "do it"),
        ("-- wicket: do it", "lua", "do it"),
        ("<!-- wicket: do it -->", "html", "do it"),
        ("# wicket: do it", "yaml", "do it"),
        ("# wicket:", "python", None),
        ("# wickets: do it", "python", None),
        ("x = 1  # wicket: do it", "python", None),
        ("'# wicket: do it'", "python", None),
        ("// wicket: do it", "python", None),
        ("# wicket: do it", "go", None),
        ("", "python", None),
    ],
)
def test_a_comment_says_what_to_do(line: str, language: str, said: str | None) -> None:
    assert instruction(line, language) == said


CODE = """\
class A:
    # above f
    @decorated
    def f(self):
        # inside f
        return 1

    def g(self):
        def h():
            return 2
        return h


x = 1
"""


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        (2, (3, 6)),
        (5, (3, 6)),
        (1, (1, 11)),
        (7, (8, 11)),
        (8, (9, 10)),
        (10, (9, 10)),
        (14, (14, 14)),
    ],
)
def test_without_a_selection_it_is_about_the_definition_there(
    line: int, lines: tuple[int, int]
) -> None:
    assert around(Document("file:///a.py", "python", 1, CODE), line) == lines
