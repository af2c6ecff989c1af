"""Which of model and copy is likelier, and how many lines of it."""

import math

import pytest
from wicket.completion import chances
from wicket.completion.arbiter import Written, choose, others
from wicket.completion.chances import MODELS
from wicket.completion.copies import Copy
from wicket.completion.cursor import Cursor, Suggestion
from wicket.completion.trim import Drafts

FITTED = next(iter(MODELS))


def at(marked: str) -> Cursor:
    before, after = marked.split("$0")
    return Cursor("a.py", "python", before + after, len(before))


def shown_at(marked: str) -> Drafts:
    return Drafts(at(marked))


def copy(text: str, length: int, votes: int = 1, of: int = 1, where: str = "b.py") -> Copy:
    reaches = [length >= reach for reach in (8, 16, 32)]
    return Copy(
        text, length, where, 0, tuple(votes * r for r in reaches), tuple(of * r for r in reaches)
    )


def written(text: str, *logprobs: float, sha256: str = FITTED, done: str = "stop") -> Written:
    return Written(text, logprobs or (-0.1,), done, sha256)


def chosen(
    copies: list[Copy], model: Written | None, cursor: str = "x = $0\n", lines: int = 1
) -> Suggestion:
    return choose(shown_at(cursor), lines, copies, model)


@pytest.mark.parametrize(
    ("copies", "model", "text", "source"),
    [
        ([], None, "", "none"),
        ([], written("y"), "y", "model"),
        ([copy("z", 40)], None, "z", "model-free"),
        # A long agreement beats a model in doubt, and a sure model a short agreement.
        ([copy("z", 200)], written("y", -9.0), "z", "model-free"),
        ([copy("z", 8, 1, 9)], written("y", -0.01), "y", "model"),
        # Of copies the one with the votes.
        ([copy("u", 10, 1, 9), copy("v", 10, 8, 9)], None, "v", "model-free"),
        # What a rule refuses makes room for what none does.
        ([copy("   ", 300), copy("z", 20)], None, "z", "model-free"),
        # A model that has nothing to say is an opinion, too, but no suggestion.
        ([copy("z", 40)], written("", 0.0), "z", "model-free"),
    ],
)
def test_the_likelier_is_chosen(
    copies: list[Copy], model: Written | None, text: str, source: str
) -> None:
    best = chosen(copies, model)
    assert (best.text, best.source) == (text, source)
    assert best.where == ("b.py" if source == "model-free" else "")


def test_who_agree_are_surer_than_either() -> None:
    alone = chosen([copy("y", 20)], None)
    model = chosen([], written("y", -0.5))
    both = chosen([copy("y", 20)], written("y", -0.5))
    assert both.chance > max(alone.chance, model.chance)


def test_who_disagree_are_less_sure() -> None:
    alone = chosen([copy("y", 60)], None)
    assert chosen([copy("y", 60)], written("other(", -0.5)).chance < alone.chance


@pytest.mark.parametrize(
    ("logprobs", "text"),
    [
        ((-0.01, -0.01, -0.01), "\n    a()\n    b()"),
        ((-0.01, -0.01, -9.0), "\n    a()"),
    ],
)
def test_of_several_lines_the_likely_ones(logprobs: tuple[float, ...], text: str) -> None:
    """A model for which nothing was fitted is taken at its word."""
    model = written("\n    a()\n    b()", *logprobs, sha256="another")
    assert chosen([], model, "if x:$0\n", 3).text == text


def test_lines_of_a_copy_are_voted_on_one_by_one() -> None:
    ways = [copy(f"\n    first()\n    way_{n}()", 20, 1, 6) for n in range(6)]
    assert chosen(ways, None, "if x:$0\n", 3).text == "\n    first()"
    ways = [copy("\n    first()\n    second()", 640, 9, 9)]
    assert chosen(ways, None, "if x:$0\n", 3).text == "\n    first()\n    second()"


def test_a_refusal_is_named() -> None:
    assert chosen([copy(" ", 30)], None).filtered == "empty"


def test_a_file_of_its_own_is_named_by_its_path() -> None:
    assert chosen([copy("z", 40, where="")], None).where == "a.py"


@pytest.mark.parametrize(
    ("copies", "models", "texts"),
    [
        ([], ["y"], ["y"]),
        # Copies on both sides of the model, each by its votes.
        ([copy("u", 10, 1, 9), copy("v", 10, 8, 9)], ["y"], ["v", "y", "u"]),
        # More texts of the model's, and never the same twice, however it is spaced.
        ([copy("y ", 10)], ["y", "z", "y  ", "w"], ["y", "z", "w"]),
        ([copy("z", 200)], ["y"], ["z", "y"]),
        ([copy("z", 40)], [], ["z"]),
    ],
)
def test_alternatives_differ(copies: list[Copy], models: list[str], texts: list[str]) -> None:
    said = [written(text, -0.1 - 2 * number) for number, text in enumerate(models)]
    first = said[0] if said else None
    best = choose(shown_at("x = $0\n"), 1, copies, first)
    rest = others(shown_at("x = $0\n"), 1, copies, said, best, 2)
    assert [one.text for one in (best, *rest)] == texts
    assert [one.chance for one in rest] == sorted((one.chance for one in rest), reverse=True)


def test_an_unlikely_block_is_there_for_who_asks_by_hand() -> None:
    """Its first line is the rest of the cursor's line, which is nothing."""
    block = written("\n    a()\n    b()", 0.0, -6.0, -6.0)
    assert choose(shown_at("if x:$0\n"), 3, [], block).text == ""
    assert choose(shown_at("if x:$0\n"), 3, [], block, by_hand=True).text == "\n    a()"


@pytest.mark.parametrize("sha256", [FITTED, "another"])
def test_chances_are_chances(sha256: str) -> None:
    """They grow with what speaks for a text, and never leave 0 to 1."""
    rows = [copy("z", length) for length in (8, 20, 100, 1024)]
    alone = [chances.of_copy(row, row.text) for row in rows]
    beside = [chances.of_copy_beside(row, row.text, None) for row in rows]
    model = [chances.of_model(sha256, logprob, None) for logprob in (-1e9, -20.0, -1.0, 0.0)]
    for found in (alone, beside, model):
        assert found == sorted(found)
        assert all(0 <= chance <= 1 and math.isfinite(chance) for chance in found)
