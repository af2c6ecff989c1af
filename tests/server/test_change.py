"""What an answer makes of files: pure tables from edits to texts, diffs and judgements."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wicket.server.ask import NoAnswer
from wicket.server.change import Change, Target, changes, diff, digest, worse
from wicket.server.control_files import is_obeyed
from wicket.server.grammar import troubles_of

LONG = "".join(f"line {n}\n" for n in range(1, 2001))


def edit(target: Target, old: str, new: str, number: int = 0, path: str = "a.py") -> dict[str, Any]:
    start = target.piece.text.index(old)
    row = {"document": number, "path": path, "start": start, "end": start + len(old)}
    return row | {"text": new}


@pytest.mark.parametrize(
    ("before", "first", "last", "comment", "old", "new", "after"),
    [
        ("a\nb\nc\n", 2, 2, None, "b", "x\ny", "a\nx\ny\nc\n"),
        ("a\nb", 2, 2, None, "b", "x", "a\nx"),
        ("a\nb\n", 1, 2, None, "a\nb\n", "", ""),
        # Every line ends with CRLF: so do the new ones.
        ("a\r\nb\r\n", 2, 2, None, "a\nb", "x\ny\nz", "x\r\ny\r\nz\r\n"),
        ("a\r\nb\r\n", 2, 2, None, "b", "x\r\ny", "a\r\nx\r\ny\r\n"),
        # Only some do: nothing is touched but what is edited.
        ("a\r\nb\nc\r\n", 2, 2, None, "b", "x", "a\r\nx\nc\r\n"),
        # The line of an instruction is not shown, and goes away.
        ("# wicket: do\na\nb\n", 2, 3, 1, "a", "x", "x\nb\n"),
        ("a\n  # wicket: do\r\nb\n", 1, 2, 2, "b", "x", "a\nx\n"),
        ("a\nb\n# wicket: do", 1, 3, 3, "b", "x", "a\nx"),
        (LONG, 1000, 1001, None, "line 1000\n", "", LONG.replace("line 1000\n", "")),
        (LONG, 1, 1, None, "line 1\n", "", LONG.replace("line 1\n", "", 1)),
    ],
)
def test_edits_of_a_piece_are_edits_of_the_file(
    before: str, first: int, last: int, comment: int | None, old: str, new: str, after: str
) -> None:
    target = Target("a.py", before, first, last, comment)
    (found,) = changes([target], [edit(target, old, new)])
    assert found.after == after
    lines = before.split("\n")
    for hunk in reversed(found.hunks):
        kept = [f"{line}\n" for line in lines[:-1]] + [lines[-1]]
        assert (
            "".join([*kept[: hunk.start], *hunk.lines, *kept[hunk.end :]]) == after
            or len(found.hunks) > 1
        )


@pytest.mark.parametrize(
    ("count", "first", "last", "window"),
    [
        (400, 10, 20, (1, 401)),
        (2000, 1000, 1010, (880, 1130)),
        (2000, 3, 4, (1, 124)),
        (2000, 1999, 2000, (1879, 2001)),
    ],
)
def test_of_a_long_file_what_is_around_goes_along(
    count: int, first: int, last: int, window: tuple[int, int]
) -> None:
    text = "".join(f"line {n}\n" for n in range(1, count + 1))
    piece = Target("a.py", text, first, last).piece
    assert (piece.first, piece.last) == window
    assert piece.selection == (first, last)
    assert piece.text == "\n".join(text.split("\n")[window[0] - 1 : window[1]])


@given(
    st.lists(st.sampled_from(["a", "b", "", "\r", "x\u2028y"])), st.lists(st.sampled_from("abc"))
)
def test_hunks_make_the_one_text_of_the_other(old: list[str], new: list[str]) -> None:
    before, after = "\n".join(old), "\n".join(new)
    lines = [f"{line}\n" for line in before.split("\n")[:-1]]
    lines += [last] if (last := before.rpartition("\n")[2]) else []
    for hunk in reversed(Change("a", before, after).hunks):
        lines[hunk.start : hunk.end] = hunk.lines
    assert "".join(lines) == after


def test_a_name_of_several_lines_is_one_line_of_the_diff() -> None:
    text = diff([Change("x\n+++ b/evil\n@@ -1 +1 @@\n-fake", "a\n", "b\n")])
    assert [row[:3] for row in text.splitlines()] == ["---", "+++", "@@ ", "-a", "+b"]


def test_several_files_are_one_diff_with_one_digest() -> None:
    one, two = Target("a.py", "x = 1\n", 1, 1), Target("b.py", "y = 1", 1, 1)
    found = changes([one, two], [edit(one, "1", "2"), edit(two, "1", "2", 1, "b.py")])
    assert diff(found) == (
        "--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
        "--- a/b.py\n+++ b/b.py\n@@ -1 +1 @@\n"
        "-y = 1\n\\ No newline at end of file\n+y = 2\n\\ No newline at end of file\n"
    )
    assert digest(found) != digest(found[:1])
    assert changes([one, two], []) == []


def test_an_edit_of_another_file_undoes_all() -> None:
    one, two = Target("a.py", "x = 1\n", 1, 1), Target("a.py", "x = 1\n", 1, 1)
    for targets, rows in (
        ([one], [edit(one, "1", "2", path="b.py")]),
        ([one], [edit(one, "1", "2", 3)]),
        ([one, two], [edit(one, "1", "2"), edit(two, "x", "y", 1)]),
    ):
        with pytest.raises(NoAnswer):
            changes(targets, rows)


@pytest.mark.parametrize(
    ("path", "before", "after", "broken"),
    [
        ("a.py", "x = 1\n", "x = (1\n", True),
        ("a.py", "x = 1\n", "x = 2\n", False),
        ("a.py", "x = (1\n", "y = (1\n", False),
        ("a.py", "x = (1\n", "x = (1)\n", False),
        ("a.go", "package a\n", "package a\nfunc f() {\n", True),
        ("a.ts", "let x = 1;\n", "let x = {;\n", True),
        ("notes.xyz", "(\n", "((\n", False),
    ],
)
def test_a_grammar_judges_before_and_after(
    path: str, before: str, after: str, broken: bool
) -> None:
    assert bool(worse([Change(path, before, after)], troubles_of)) is broken


@pytest.mark.parametrize(
    ("new", "notes"), [("2", 0), ("2\u202e", 1), ("2\u200b\x1b", 1), ("2\u2028", 1)]
)
def test_what_somebody_should_know_before_a_yes(new: str, notes: int) -> None:
    target = Target("a.py", "x = 1\n", 1, 1)
    (found,) = changes([target], [edit(target, "1", new)])
    assert len(found.notes) == notes


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        (".git/hooks/pre-commit", True),
        ("sub/.git/config", True),
        (".vscode/settings.json", True),
        (".VSCode/Settings.JSON", True),
        (".github/workflows/ci.yml", True),
        ("web/package-lock.json", True),
        ("web/package.json", True),
        (".husky/pre-push", True),
        ("CLAUDE.md", True),
        ("Jenkinsfile", True),
        (".wicket.toml", True),
        ("requirements-dev.txt", True),
        ("src/settings.json", False),
        ("src/git/hooks.py", False),
        ("docs/workflows/ci.md", False),
        ("README.md", False),
        ("gitlab.py", False),
    ],
)
def test_a_file_that_programs_obey_is_told(path: str, wanted: bool) -> None:
    target = Target(path, "x = 1\n", 1, 1)
    (found,) = changes([target], [edit(target, "1", "2", path=path)])
    assert is_obeyed(path) is wanted
    assert [note for note in found.notes if "programs obey" in note] == list(found.notes)
    assert bool(found.notes) is wanted
