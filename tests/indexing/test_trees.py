"""Trees of texts that are being typed: however they were come by, they are what a fresh one is."""

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tree_sitter import Node, Parser
from wicket.indexing.grammars import grammar_of, in_steps
from wicket.indexing.trees import LARGEST, TREES, Known, Trees, difference, spliced, troubles

SOURCES = {
    "python": "class A:\n    def f(self, x):\n        return [x, 'é', '😀']\n\n\nprint(A().f(1))\n",
    "typescript": "export class A {\n\tf(x: number): string[] {\n\t\treturn [`${x}`];\r\n\t}\n}\n",
    "go": "package a\n\nfunc F(x int) []int {\n\treturn []int{x}\n}\n",
    "rust": "fn f(x: u8) -> Vec<u8> {\n    vec![x, b'\\'']\n}\n",
    "c": "int f(int x) {\n  /* é */ return x ? 'a' : 2;\n}\n",
}
# Whole edits: where from 0 to 1, how much goes, what comes.
EDITS = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.integers(0, 12),
        st.text("ab ({[]})'\"\n\r\t:é😀=;#/*", max_size=8),
    ),
    min_size=1,
    max_size=6,
)


def fresh(language: str, text: str) -> Node:
    return Parser(grammar_of(language).parser.language).parse(text.encode()).root_node


def shape(node: Node) -> tuple[object, ...]:
    points = node.start_point, node.end_point
    inside = tuple(map(shape, node.children))
    return node.type, node.start_byte, node.end_byte, *points, node.is_missing, inside


@given(language=st.sampled_from(sorted(SOURCES)), edits=EDITS)
def test_a_tree_made_from_the_one_before_is_what_a_fresh_one_is(
    language: str, edits: list[tuple[float, int, str]]
) -> None:
    """Also where the text before was broken, and where an edit falls into a character."""
    trees, text = Trees(), SOURCES[language]
    assert trees.first("a", language, text, 60)
    for where, gone, new in edits:
        at = round(where * len(text))
        text = text[:at] + new + text[at + gone :]
        known = trees.next("a", language, text, seconds=60)
        assert known
        assert known.source == text.encode()
        # Recovery from errors may depend on what was there before, soundness does not.
        ours, theirs = known.tree.root_node, fresh(language, text)
        assert ours.end_byte == theirs.end_byte
        assert ours.has_error == theirs.has_error
        if not theirs.has_error:
            assert shape(ours) == shape(theirs)


@given(before=st.binary(max_size=30), after=st.binary(max_size=30))
def test_the_difference_of_two_texts_makes_one_of_the_other(before: bytes, after: bytes) -> None:
    start, end, length = difference(before, after)
    assert before[:start] + after[start : start + length] + before[end:] == after
    assert length <= len(after)
    assert end >= start


def test_a_splice_leaves_the_tree_as_it_is() -> None:
    trees, text = Trees(), SOURCES["python"]
    assert trees.first("a", "python", text, 60)
    known = trees.next("a", "python", text, 60)
    assert known
    broken = spliced(known, 0, 5, b"((", 60)
    assert broken
    assert troubles(broken.tree.root_node) > troubles(known.tree.root_node) == 0
    assert shape(known.tree.root_node) == shape(fresh("python", text))


def test_what_takes_too_long_gives_no_tree() -> None:
    trees, text = Trees(), "x = [1, 2]\n" * 20_000
    assert not trees.first("a", "python", text, seconds=0.0)
    assert "a" not in trees
    assert trees.first("a", "python", text, seconds=60)
    # Not even the one before is true any more.
    assert trees.next("a", "python", "y = (\n" * 20_000, seconds=0.0) is None
    assert "a" not in trees


def test_what_gets_no_tree() -> None:
    trees = Trees()
    assert not trees.first("a", "cobol", "x = 1\n")
    assert not trees.first("a", "python", "x = 1\n" * LARGEST)
    assert trees.next("a", "python", "x = 1\n", 60) is None
    assert trees.first("a", "python", "x = 1\n")
    assert trees.next("a", "go", "package a\n", 60) is None


def test_the_latest_documents_have_trees() -> None:
    trees = Trees()
    for number in range(TREES + 1):
        trees.first(str(number), "python", "x = 1\n")
    assert ["0" in trees, "1" in trees, str(TREES) in trees] == [False, True, True]


def test_no_text_stays_behind_when_its_trees_are_gone() -> None:
    """Also what it was read by, piece by piece: thousands of trees are made in an hour."""
    text = "x = [1, 2]\n" * 4_000
    trees = Trees()
    # A piece of a grammar's own memory is counted, too.
    tracemalloc.start()
    assert trees.first("a", "python", text, 60)

    def type_and_parse(times: int) -> None:
        for number in range(times):
            assert trees.next("a", "python", f"{text}y = {number}\n", 60)
            in_steps(grammar_of("python").parser, text.encode())

    type_and_parse(3)
    before, _most = tracemalloc.get_traced_memory()
    type_and_parse(10)
    after, _most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < len(text)


@pytest.mark.parametrize(
    ("source", "count"),
    [("x = 1\n", 0), ("x = (\n", 1), ("def f(:\n    pass\n", 1), ("", 0)],
)
def test_troubles(source: str, count: int) -> None:
    root = Known("python", b"", Parser(grammar_of("python").parser.language).parse(source.encode()))
    assert troubles(root.tree.root_node) == count
