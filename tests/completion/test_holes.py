"""What is cut out of a file, and that nothing but a seed decides where."""

from pathlib import Path

import pytest
from wicket.completion.blemishes import BLEMISHES
from wicket.completion.holes import KINDS, Hole, Kind, Source, choose, hash_of

ROOT = Path(__file__).parents[2]
FILES = [
    Source("wicket", str(file.relative_to(ROOT)), "python", file.read_text())
    for file in sorted((ROOT / "completion").glob("*.py"))
]
CODE = """\
def area(width, height):
    if width < 0:
        raise ValueError(width)

    return width * height

}
"""
BODY = CODE[CODE.index("if ") : CODE.index("\n\n}")]


def source(text: str, old: str | None = None, language: str = "python") -> Source:
    return Source("r", "a.py", language, text, old)


def golds(text: str, kind: Kind, language: str = "python") -> set[str]:
    return {hole.gold for hole in choose([source(text, language=language)], kind, 99, 1)}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_cut_out_can_be_put_back(kind: Kind) -> None:
    texts = {file.path: file.text for file in FILES}
    holes = choose(FILES, kind, 300, 1)
    assert len(holes) > 20
    for hole in holes:
        assert hole.before + hole.gold + hole.after == texts[hole.path]
        assert hole.gold.strip()
        assert hole.cursor.prefix == hole.before
        assert hole.cursor.suffix == hole.after
        assert hole.gold == hole.gold.rstrip()


@pytest.mark.parametrize("kind", ["rest", "line"])
def test_a_line_is_hidden_to_its_end(kind: Kind) -> None:
    for hole in choose(FILES, kind, 300, 1):
        assert "\n" not in hole.gold
        assert hole.after[:1] in ("\n", "")
        indented = not hole.cursor.line_before.strip()
        assert indented == (kind == "line")


def test_the_rest_of_a_line_begins_anywhere_in_it() -> None:
    columns = {
        hole.cursor.line_before.strip()
        for seed in range(60)
        for hole in choose([source("abcdef\n")], "rest", 1, seed)
    }
    assert columns == {"a", "ab", "abc", "abcd", "abcde"}


def test_trailing_space_goes_with_the_line() -> None:
    (hole,) = choose([source("value = 1   \nx\n")], "line", 9, 1)
    assert (hole.gold, hole.after) == ("value = 1", "\nx\n")


@pytest.mark.parametrize(
    ("text", "language", "wanted"),
    [
        (CODE, "python", {BODY}),
        ("if x:\n    a\n    b\nc\n", "python", {"a\n    b"}),
        ("if x:\n    a\n    b\n", "python", {"a\n    b"}),
        ("if x:\n    a\nb\n", "python", set()),
        ("if x:\n" + "    a\n" * 6 + "b\n", "python", {("    a\n" * 6).strip()}),
        ("if x:\n" + "    a\n" * 7 + "b\n", "python", set()),
        ("if x:\n\n    a\n    b\n", "python", set()),
        ("call(\n    a,\n    b,\n)\n", "python", set()),
        ("for (;;) {\n\ta;\n\tb;\n}\n", "c", {"a;\n\tb;"}),
    ],
)
def test_a_block_is_the_body_below_its_head(text: str, language: str, wanted: set[str]) -> None:
    assert golds(text, "block", language) == wanted


def test_a_line_without_a_word_is_no_hole() -> None:
    assert "}" not in golds(CODE, "line")
    assert golds("x" * 201 + "\n", "line") == set()


def test_the_same_seed_makes_the_same_holes() -> None:
    """And another seed others, and more holes are these and others."""
    first = choose(FILES, "rest", 50, 1)
    assert choose(FILES, "rest", 50, 1) == first
    assert choose(reversed(FILES), "rest", 50, 1) == first
    assert choose(FILES, "rest", 80, 1)[:50] == first
    other = choose(FILES, "rest", 50, 2)
    assert len({hole.id for hole in first} & {hole.id for hole in other}) < 10
    assert hash_of(first) != hash_of(other)
    assert hash_of(list(reversed(first))) == hash_of(first)


def test_an_edit_moves_no_hole_in_another_file() -> None:
    edited = [Source("wicket", FILES[0].path, "python", "x = 1\n"), *FILES[1:]]
    before = {hole.id for hole in choose(FILES, "rest", 9999, 1) if hole.path != FILES[0].path}
    after = {hole.id for hole in choose(edited, "rest", 9999, 1) if hole.path != FILES[0].path}
    assert before == after


def test_an_edit_is_typed_from_top_to_bottom() -> None:
    """Above the cursor the file is new, below it is still old."""
    old = "import os\n\nprint(1)\nprint(2)\n"
    new = "import os\nimport sys\n\nprint(one)\nprint(two)\n"
    holes = {hole.gold: hole for hole in choose([source(new, old)], "line", 9, 1)}
    assert set(holes) == {"import sys", "print(one)", "print(two)"}
    assert holes["import sys"].after == "\n\nprint(1)\nprint(2)\n"
    assert holes["print(one)"].before == "import os\nimport sys\n\n"
    assert holes["print(one)"].after == "\n"
    assert holes["print(two)"].before.endswith("print(one)\n")


def test_a_new_file_is_an_edit_of_nothing() -> None:
    holes = choose([source("a = 1\nbc = 2\n", "")], "line", 9, 1)
    assert {(hole.before, hole.after) for hole in holes} == {("", "\n"), ("a = 1\n", "\n")}


def blemished(name: str) -> list[tuple[Hole, Hole]]:
    holes = choose(FILES, "rest", 200, 1)
    return [(hole, other) for hole in holes if (other := BLEMISHES[name](hole))]


@pytest.mark.parametrize("name", BLEMISHES)
def test_a_blemish_hides_the_same_text(name: str) -> None:
    """Only the surroundings differ, the cursor's line up to the cursor does not but for a
    typo in it, and the same blemish falls on the same hole every time."""
    pairs = blemished(name)
    assert len(pairs) > 150
    for hole, other in pairs:
        assert (other.gold, other.path, other.kind) == (hole.gold, hole.path, hole.kind)
        assert other.slice == name
        assert other.before + other.after != hole.before + hole.after
        assert other.id != hole.id
        assert BLEMISHES[name](hole) == other
        if name != "typo":
            assert other.cursor.line_before == hole.cursor.line_before


def test_broken_code_stands_on_both_sides() -> None:
    for hole, other in blemished("broken"):
        assert len(other.before) < len(hole.before)
        assert len(other.after) < len(hole.after)
        assert other.before.count("\n") == hole.before.count("\n")
        assert other.after.count("\n") == hole.after.count("\n")


def test_a_typo_swaps_two_letters_of_a_whole_name() -> None:
    for hole, other in blemished("typo"):
        assert sorted(other.before) == sorted(hole.before)
        differing = [
            at for at, (a, b) in enumerate(zip(hole.before, other.before, strict=True)) if a != b
        ]
        first, second = differing
        assert second == first + 1
        assert hole.before[first - 1 : second + 2].isidentifier()


@pytest.mark.parametrize(("name", "english"), [("remark", False), ("plain remark", True)])
def test_a_remark_is_a_comment_above_the_line(name: str, english: bool) -> None:
    for hole, other in blemished(name):
        added = other.before.splitlines()[hole.before.count("\n")]
        assert added.lstrip().startswith("# ")
        assert added.isascii() == english
