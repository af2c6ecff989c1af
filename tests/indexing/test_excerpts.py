"""Excerpts of texts that are being typed: what is around a place stays, and is judged alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wicket.indexing.excerpts import Excerpt, Excerpts, excerpt
from wicket.indexing.trees import Trees, troubles

PYTHON = '"""Numbers."""\n\nimport math\n\n\nclass A:\n' + "".join(
    f"    def f{n}(self, x):\n        if x:\n            return [x, {n}]\n        return 2\n\n"
    for n in range(80)
)
BRACES = "".join(f"int f{n}(int x) {{\n  return x + {n};\n}}\n\n" for n in range(80))
RUST = "struct A;\n\nimpl A {\n" + "".join(
    f"    fn f{n}(x: u8) -> u8 {{\n        x + {n}\n    }}\n\n" for n in range(80)
)
SOURCES = {
    "python": PYTHON,
    "c": f"#include <a.h>\n\n{BRACES}",
    "rust": f"{RUST}}}\n",
    "typescript": "export class A {\n"
    + "".join(f"  f{n}(x: number): number {{\n    return x;\n  }}\n\n" for n in range(80))
    + "}\n",
}


def around(excerpts: Excerpts, language: str, text: str, at: int) -> Excerpt:
    found = excerpts.around("a", language, text, len(text[:at].encode()), 60)
    assert found
    return found


def opened(language: str, text: str) -> Excerpts:
    trees = Trees()
    assert trees.first("a", language, text, 60)
    return Excerpts(trees)


@pytest.mark.parametrize("language", sorted(SOURCES))
def test_what_is_around_a_place_stays_and_most_goes(language: str) -> None:
    text = SOURCES[language]
    at = text.index("f40(")
    found = around(opened(language, text), language, text, at)
    left, place = found.known.source.decode(), at - found.shift
    assert len(left) * 5 < len(text)
    assert left[place - 20 : place + 20] == text[at - 20 : at + 20]
    assert [f"f{n}(" in left for n in (39, 40, 41, 5, 75)] == [True, True, True, False, False]
    assert found.elsewhere == troubles(found.known.tree.root_node) == 0


@given(
    language=st.sampled_from(sorted(SOURCES)),
    where=st.floats(0, 1),
    edits=st.lists(
        st.tuples(st.integers(-300, 300), st.integers(0, 9), st.text("a({[]})'\"\n:é", max_size=6)),
        max_size=6,
    ),
)  # fmt: skip
def test_an_excerpt_is_true_to_its_text_whatever_is_typed(
    language: str, where: float, edits: list[tuple[int, int, str]]
) -> None:
    text = SOURCES[language]
    excerpts, at = opened(language, text), round(where * len(text))
    for step, gone, new in edits:
        at = min(max(at + step, 0), len(text))
        text = text[:at] + new + text[at + gone :]
        at += len(new)
        found = around(excerpts, language, text, at)
        assert found.whole == text.encode()
        byte, (low, high) = len(text[:at].encode()), (found.low, found.high)
        assert low <= byte <= high
        piece = found.known.source[low - found.shift : high - found.shift]
        assert piece == found.whole[low:high]


def test_it_stays_while_somebody_types_in_it_and_no_longer() -> None:
    excerpts, at = opened("python", PYTHON), PYTHON.index("return [x, 40]")
    first = around(excerpts, "python", PYTHON, at)
    typed = PYTHON[:at] + "y = x; " + PYTHON[at:]
    second = around(excerpts, "python", typed, at + 7)
    assert (second.low, second.shift) == (first.low, first.shift)
    old, new = b"return [x, 40]", b"y = x; return [x, 40]"
    assert second.known.source == first.known.source.replace(old, new)
    elsewhere = typed.index("return [x, 3]")
    assert around(excerpts, "python", typed, elsewhere).low != first.low
    assert "f39" in around(excerpts, "python", typed, at).known.source.decode()


def test_trouble_elsewhere_is_counted_with_it() -> None:
    broken = PYTHON.replace("def f5(self, x):", "def f5(self, x) = = :")
    trees, at = Trees(), broken.index("f40(")
    assert trees.first("a", "python", broken, 60)
    known = trees.next("a", "python", broken, 60)
    assert known
    found = excerpt(known, at, 60)
    assert b"f5(" not in found.known.source
    assert found.elsewhere == troubles(known.tree.root_node) > 0


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x = 1\n",
        # Nothing of it can be left out without a tear.
        "x = [\n" + "    (1,\n" * 400 + ")" * 400 + "]\n",
        "a = 1; " * 2000,
    ],
)
def test_a_text_may_be_its_own_excerpt(text: str) -> None:
    found = around(opened("python", text), "python", text, len(text) // 2)
    assert (found.known.source, found.shift, found.elsewhere) == (text.encode(), 0, 0)


def test_no_tree_no_excerpt() -> None:
    excerpts = opened("python", PYTHON)
    assert excerpts.around("b", "python", PYTHON, 0, 60) is None
    assert excerpts.around("a", "c", PYTHON, 0, 60) is None
    assert excerpts.around("a", "python", PYTHON, 0, 60) is None, "its tree was the other's"
