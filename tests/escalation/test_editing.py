"""Edits that a model proposes: all fit, or none; what was masked comes back by its place."""

import json
from dataclasses import replace
from typing import Any

import pytest
from wicket.escalation.editing import Editing, Shown, Unfit, asked, edits_of, propose
from wicket.escalation.kinds import KINDS
from wicket.escalation.redaction.known import known
from wicket.escalation.redaction.masking import Masks
from wicket.escalation.redaction.rules import shipped
from wicket.escalation.task import Document, Malformed, read

SECRET = "Zt6Vb9Wn1Lk5"
PEM = "-----BEGIN PRIVATE KEY-----\n" + "A7" * 32 + "\n-----END PRIVATE KEY-----"
A = f"import os\n\nkey = '{SECRET}'\n\ndef f(x):\n    return x\n\ndef g(x):\n    return x\n"
B = f"k = '''{PEM}'''\nlast = 1"


class Desk:
    """Two files that may be edited, the second from its line 11 on, and one that may not."""

    def __init__(self) -> None:
        self.masks = Masks(shipped(), known([SECRET]), "7f3a")
        rows = (
            Document("a.py", "python", A, 1, 9, selection=(5, 6)),
            Document("b.py", "python", B, 11, 14, selection=(14, 14)),
            Document("c.py", "python", "y = 1\n", 1, 1),
        )
        self.texts = [row.text for row in rows]
        self.shown = [Shown(row, self.masks.mask(row.text)) for row in rows]

    def after(self, *rows: dict[str, Any]) -> list[str]:
        """The files once the edits are made in them."""
        texts = list(self.texts)
        for one in reversed(propose(rows, self.shown, self.masks)):
            text = texts[one.number]
            texts[one.number] = text[: one.start] + one.text + text[one.end :]
        return texts


def edit(path: str, old: str | None, new: Any) -> dict[str, Any]:
    return {"path": path, "new": new} | ({} if old is None else {"old": old})


@pytest.mark.parametrize(
    ("rows", "file", "wanted"),
    [
        ([edit("a.py", "def f(x):\n    return x", "f = id")], 0,
         A.replace("def f(x):\n    return x", "f = id")),
        ([edit("a.py", None, "f = id")], 0, A.replace("def f(x):\n    return x", "f = id")),
        ([edit("a.py", None, "")], 0, A.replace("def f(x):\n    return x\n", "")),
        ([edit("b.py", None, "last = 2")], 1, B.replace("1", "2", 1)),
        ([edit("a.py", "def g", "def h"), edit("a.py", "def f", "def e")], 0,
         A.replace("def g", "def h").replace("def f", "def e")),
        ([edit("a.py", "import os\n", ""), edit("b.py", "last", "least")], 1,
         B.replace("last", "least")),
        # Beside what was masked, around it, and all of it in another order.
        ([edit("a.py", "key = '", "token = '")], 0, A.replace("key", "token")),
        ([edit("a.py", "key = 'WICKET_SECRET_1_7f3a'", "t = g('WICKET_SECRET_1_7f3a')")], 0,
         A.replace(f"key = '{SECRET}'", f"t = g('{SECRET}')")),
        ([edit("b.py", "k = '''WICKET_SECRET_2_7f3a\n\n'''", "q = '''WICKET_SECRET_2_7f3a\n\n'''")],
         1, B.replace("k =", "q =")),
        ([edit("b.py", "k = '''WICKET_SECRET_2_7f3a\n\n'''", "q = (\n'''WICKET_SECRET_2_7f3a''')")],
         1, B.replace("k = '''", "q = (\n'''").replace("'''\n", "''')\n", 1)),
        ([edit("a.py", "x):\n    return x\n\ndef g", "y):\n    return y\n\ndef g")], 0,
         A.replace("f(x):\n    return x", "f(y):\n    return y")),
    ],
)  # fmt: skip
def test_edits_of_what_is_shown_are_edits_of_what_is_there(
    rows: list[dict[str, Any]], file: int, wanted: str
) -> None:
    assert Desk().after(*rows)[file] == wanted


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([edit("a.py", "return x", "return y")], "old stands more than once in a.py"),
        ([edit("a.py", "return z", "return y")], "old stands nowhere in a.py"),
        ([edit("a.py", f"'{SECRET}'", "''")], "old stands nowhere"),
        ([edit("a.py", "aaa", ""), edit("a.py", "def f", "def e")], "edit 1: old stands nowhere"),
        ([edit("a.py", "", "x")], "old must be text"),
        ([edit("a.py", "def f", "def f")], "the same"),
        ([edit("a.py", "def f", 3)], "must be text"),
        ([edit("a.py", "def f", "\ud800")], "not Unicode"),
        ([edit("a.py", "def f", "x" * 600_000)], "too long"),
        ([edit("c.py", "y", "z")], "c.py is not a file that can be edited here"),
        ([edit("../a.py", "def f", "def e")], "is not a file that can be edited"),
        ([edit("/etc/passwd", "root", "me")], "is not a file that can be edited"),
        ([edit("a.py", "def f(x)", "1"), edit("a.py", "f(x):", "2")], "two edits overlap"),
        ([edit("a.py", "WICKET_SECRET", "X")], "inside of a placeholder"),
    ],
)
def test_one_edit_that_does_not_fit_is_none_at_all(rows: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(Unfit, match=why):
        Desk().after(edit("b.py", "last", "least"), *rows) if "edit 1" not in why else Desk().after(
            *rows
        )


@pytest.mark.parametrize(
    "new",
    ["leak('WICKET_SECRET_1_7f3a')", "WICKET_SECRET_2_7f3a"],
)
def test_a_placeholder_that_stood_elsewhere_is_refused(new: str) -> None:
    """On another line of the same file, or in another file."""
    desk = Desk()
    with pytest.raises(Unfit, match="a.py: WICKET_SECRET_._7f3a did not stand"):
        desk.after(edit("a.py", "def f(x):\n    return x", new))


def test_a_file_goes_by_the_name_that_the_model_was_shown() -> None:
    desk = Desk()
    row = replace(desk.shown[0].document, label="WICKET_ORGANISATION_1_7f3a.py")
    desk.shown[0] = Shown(row, desk.shown[0].masked)
    assert desk.after(edit(str(row.label), "def f", "def e"))[0] == A.replace("def f", "def e")
    assert " a.py" not in asked(replace(read(TASK), documents=(row,)))


@pytest.mark.parametrize(
    "arguments",
    ["", "nope", "[]", "{}", '{"edits": []}', '{"edits": {}}', '{"edits": [3]}', "[" * 99_999,
     json.dumps({"edits": [{}] * 101})],
)  # fmt: skip
def test_arguments_that_make_no_sense(arguments: str) -> None:
    with pytest.raises(Unfit):
        edits_of(arguments)


def test_several_calls_of_one_answer_are_one_change() -> None:
    """And one bad row in any of them undoes them all, until a better answer comes."""
    desk = Desk()
    editing = Editing(desk.shown, desk.masks)
    good = json.dumps({"edits": [edit("a.py", "def f", "def e")]})
    bad = json.dumps({"edits": [edit("a.py", "def z", "def e")]})
    editing.hear([("1", good), ("2", bad)])
    assert editing.proposals == ()
    assert {failed for _, failed in editing.said.values()} == {True}
    other = json.dumps({"edits": [edit("b.py", "last", "least")]})
    editing.hear([("3", good), ("4", other)])
    assert [one.path for one in editing.proposals] == ["a.py", "b.py"]
    assert editing.said == {"3": ("taken", False), "4": ("taken", False)}
    assert [(r.path, r.added, r.removed) for r in editing.recorded(lambda path: path)] == [
        ("a.py", 1, 1),
        ("b.py", 1, 1),
    ]
    editing.hear([])
    assert editing.proposals == ()


TASK: dict[str, Any] = {
    "kind": "refactor",
    "instruction": "Split it.",
    "tools": ["edit"],
    "documents": [{"path": "a.py", "text": "x = 1\ny = 2\n", "role": "edit", "selection": [2, 2]}],
}


def test_a_model_is_told_what_to_edit_and_how() -> None:
    task = read(TASK)
    assert "the lines a.py:2-2" in asked(task)
    assert asked(read({"kind": "ask", "instruction": "x"})) == ""


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"kind": "ask"}, "ask with these documents must not offer"),
        ({"tools": []}, "must offer the tool edit"),
        ({"documents": []}, "must not offer"),
        ({"documents": [TASK["documents"][0] | {"selection": [2, 3]}]}, "inside of range"),
        ({"documents": [TASK["documents"][0] | {"selection": "all"}]}, "inside of range"),
        ({"documents": [TASK["documents"][0] | {"selection": [0, 1]}]}, "inside of range"),
    ],
)
def test_tasks_that_make_no_sense(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(Malformed, match=why):
        read(TASK | changes)


def test_what_a_menu_offers_needs_no_words_of_the_user() -> None:
    titled = [kind.name for kind in KINDS.values() if kind.title]
    assert titled == ["explain", "document", "fix", "types", "extract", "simplify"]
    assert all(bool(kind.title) == bool(kind.words) for kind in KINDS.values())
