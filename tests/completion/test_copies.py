"""What stood behind the same text elsewhere, and how often."""

import pytest
from wicket.completion.copies import PLACES, Copy, copies
from wicket.completion.earlier import Text, in_file

SELF = "    self.name = name\n"


def found(before: str, *texts: str, lines: int = 1) -> list[Copy]:
    named = [Text(f"{number}.py", text.encode()) for number, text in enumerate(texts)]
    return copies(before.encode(), named, lines)


@pytest.mark.parametrize(
    ("before", "texts", "said"),
    [
        ("nothing like it", [SELF], []),
        ("short", ["short cut\n"], []),
        ("    self.name = ", [SELF], [("name", 16, (1, 1, 0))]),
        ("x\n    self.name = ", [SELF, "x\n" + SELF], [("name", 18, (2, 2, 0))]),
        # The longest agreement first, then the one with more votes.
        (
            "a.b.c.size(",
            ["u.b.c.size(1)\nv.b.c.size(1)\n", "a.b.c.size(2)\n"],
            [("2)", 11, (1, 0, 0)), ("1)", 10, (2, 0, 0))],
        ),
        # What agrees further back decides, whatever is nearer.
        (
            "first line of two\nx = call(",
            ["y = call(near)\n", "first line of two\nx = call(far)\n"],
            [("far)", 27, (1, 1, 0)), ("near)", 8, (1, 0, 0))],
        ),
        ("überlang = ü", ["überlang = über\n"], [("ber", 14, (1, 0, 0))]),
    ],
)
def test_copies(
    before: str, texts: list[str], said: list[tuple[str, int, tuple[int, ...]]]
) -> None:
    assert [(c.text, c.length, c.votes) for c in found(before, *texts)] == said


def test_places_are_counted_for_each_reach() -> None:
    many = "".join(f"call_it({n})\n" for n in range(5))
    one, *others = found("call_it(", many)
    assert one.places == (5, 0, 0)
    assert len(others) == 4


def test_work_is_bounded() -> None:
    many = "".join(f"call_it({n % 1000})\n" for n in range(100_000))
    assert sum(c.votes[0] for c in found("call_it(", many)) <= PLACES + 1


def test_a_copy_knows_its_line() -> None:
    """In a file of its own, behind the cursor in the same one, and in one of several files."""
    before, after = "a = 1\nb = 2\nvalue.size = ", "\n\nvalue.size = 7\n"
    joined = Text("", b"x\n\0\nvalue.size = 8\n\0", ((0, "a.py"), (3, "b.py")))
    named = Text("c.py", b"value.size = 9\n")
    texts = [*in_file(before, after), joined, named]
    lines = {c.text: (c.where, c.line) for c in copies(before.encode(), texts)}
    assert lines == {"7": ("", 5), "8": ("b.py", 2), "9": ("c.py", 1)}


def test_several_lines() -> None:
    text = "if broken_here:\n    stop()\n    leave()\n"
    (copy,) = found("if broken_here:", text, lines=3)
    assert copy.text == "\n    stop()\n    leave()"


@pytest.mark.parametrize("before", ["", "\0" * 40, "x", "é" * 3, "\n\n\n\n\n\n\n\n\n"])
def test_anything_is_searched_for(before: str) -> None:
    found(before, "", "\n" * 50, "x" * 50, "\0")
