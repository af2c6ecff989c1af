"""Suggestions that the text follows are given again without a model."""

from dataclasses import replace

import pytest
from wicket.completion.cursor import Cursor, Suggestion
from wicket.completion.recent import SUGGESTIONS, Recent, accepted, before


def at(marked: str, path: str = "a.py") -> Cursor:
    before, after = marked.split("$0")
    return Cursor(path, "python", before + after, len(before))


def remembered(marked: str, text: str, replace: int = 0) -> Recent:
    recent = Recent()
    recent.remember(at(marked), "m", "auto", Suggestion(text, replace, "model", "m"))
    return recent


@pytest.mark.parametrize(
    ("now", "left"),
    [
        ("x = $0\ny", "self.name"),
        ("x = s$0\ny", "elf.name"),
        ("x = self.nam$0\ny", "e"),
        ("x = self.name$0\ny", None),
        ("x = t$0\ny", None),
        ("x =$0\ny", None),
        ("z = $0\ny", None),
        ("x = $0\nz", None),
        ("\nx = $0\ny", None),
    ],
)
def test_typing_through_a_suggestion(now: str, left: str | None) -> None:
    found = remembered("x = $0\ny", "self.name").find(at(now), "m", "auto")
    assert (found.text if found else None) == left
    if found:
        assert (found.source, sum(found.tokens.values())) == ("cache", 0)


@pytest.mark.parametrize(
    ("text", "now", "left", "replaced"),
    [
        ("call(a, b)", "x = call($0)\ny", "a, b)", 1),
        ("call([a])", "x = call([$0])\ny", "a])", 2),
        ("say('it')", "x = say('$0')\ny", "it')", 2),
        # The suggestion does not close it, or it is not what an editor closes by itself.
        ("call(a, b", "x = call($0)\ny", None, 0),
        ("call(a)", "x = call($0;\ny", None, 0),
        ("call(a)", "x = call($0)))\ny", None, 0),
        ("call(a)", "x = $0)\ny", None, 0),
    ],
)
def test_what_the_editor_closes_by_itself_gives_way(
    text: str, now: str, left: str | None, replaced: int
) -> None:
    found = remembered("x = $0\ny", text).find(at(now), "m", "auto")
    assert (found.text if found else None) == left
    if found:
        assert found.replace == replaced


def test_the_newest_that_agrees_is_given() -> None:
    recent = remembered("x = $0", "self.a")
    recent.remember(at("x = self.$0"), "m", "auto", Suggestion("b"))
    assert recent.find(at("x = self.$0"), "m", "auto").text == "b"  # type: ignore[union-attr]
    assert recent.find(at("x = self$0"), "m", "auto").text == ".a"  # type: ignore[union-attr]


def test_the_rest_of_an_alternative_is_known() -> None:
    """The likeliest goes first until another one was chosen."""
    recent, others = Recent(), (Suggestion("self.b()"), Suggestion("None"))
    recent.remember(at("x = $0"), "m", "auto", Suggestion("self.a", others=others))

    def left(now: str) -> str:
        found = recent.find(at(now), "m", "auto")
        return found.text if found else ""

    assert [left(now) for now in ("x = self.$0", "x = self.b$0", "x = N$0")] == ["a", "()", "one"]
    recent.prefer("f.b()")
    assert [left(now) for now in ("x = self.$0", "x = self.a$0", "x = N$0")] == ["b()", "", "one"]


def test_what_is_shown_stays_the_first() -> None:
    shown, found = Suggestion("a.b", source="cache"), Suggestion("a.c")
    found = replace(found, others=(Suggestion("\n  a.b\n"), Suggestion("d"), Suggestion("e")))
    asked = before(shown, found, 3)
    assert [one.text for one in (asked, *asked.others)] == ["a.b", "a.c", "d"]


def test_another_model_mode_or_file_is_another_matter() -> None:
    recent = remembered("x = $0", "self")
    assert recent.find(at("x = $0"), "other", "auto") is None
    assert recent.find(at("x = $0"), "m", "line") is None
    assert recent.find(at("x = $0", "b.py"), "m", "auto") is None


def test_nothing_is_not_remembered_and_much_is_forgotten() -> None:
    recent = remembered("x = $0", "")
    assert recent.find(at("x = $0"), "m", "auto") is None
    for n in range(SUGGESTIONS + 5):
        recent.remember(at("x" * n + "$0"), "m", "auto", Suggestion("!"))
    assert recent.find(at("$0"), "m", "auto") is None
    assert recent.find(at("x" * 50 + "$0"), "m", "auto") is not None


@pytest.mark.parametrize(
    ("marked", "text", "replace", "want"),
    [
        ("print($0)", "x)", 1, "print(x)$0"),
        ("if x:$0\n", "\n    pass", 0, "if x:\n    pass$0\n"),
    ],
)
def test_what_follows_an_accepted_suggestion(
    marked: str, text: str, replace: int, want: str
) -> None:
    assert accepted(at(marked), Suggestion(text, replace)) == at(want)
