"""Windows, the sticky anchor and the healed word, over a vocabulary of single characters."""

import itertools
import random
from collections.abc import Mapping

import pytest
from wicket.completion import families, prompt
from wicket.completion.cursor import Snippet
from wicket.completion.prompt import Anchors, Budget, split_partial_word

MARKERS = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|file_sep|>")


class Characters:
    """Every character is a token; markers come after them."""

    size = 0x110000 + len(MARKERS)
    metadata: Mapping[str, str] = {"general.name": "wicket-test"}

    def id_of(self, token_text: str) -> int | None:
        return 0x110000 + MARKERS.index(token_text) if token_text in MARKERS else None

    def tokenize(self, text: str) -> list[int]:
        return [ord(char) for char in text]


CHARACTERS = Characters()
FIM = families.fim_for(CHARACTERS)
BUDGET = Budget(context=400, suffix=60, decode=40)


def build(prefix: str, suffix: str = "", anchors: Anchors | None = None, **more) -> str:
    made = prompt.build(
        FIM,
        CHARACTERS,
        BUDGET,
        anchors or Anchors(),
        path="a.py",
        prefix=prefix,
        suffix=suffix,
        **more,
    )
    assert len(made.ids) <= BUDGET.prompt
    names = dict(enumerate("PSMF", 0x110000))
    return "".join(f"[{names[i]}]" if i in names else chr(i) for i in made.ids)


def test_the_layout_is_what_the_model_was_trained_on() -> None:
    assert build("x = ", "\ny\n") == "[F]a.py\n[S]\ny\n[P]x =[M]"
    context = (Snippet("b.py", "z = 1\n"),)
    assert build("x", context=context) == "[F]b.py\nz = 1\n[F]a.py\n[S][P][M]"


@pytest.mark.parametrize(
    ("prefix", "healed"),
    [
        ("return sel", " sel"),
        ("return ", " "),
        ("    ", ""),
        ("    sel", "sel"),
        ("x.sel", "sel"),
        ("x.", ""),
        ("f(a, b", " b"),
        ("", ""),
        ("x\n", ""),
        ("naïve_é", "naïve_é"),
        ("x" * 100, "x" * 32),
    ],
)
def test_the_word_at_the_cursor_is_taken_back(prefix: str, healed: str) -> None:
    assert split_partial_word(prefix) == (prefix[: len(prefix) - len(healed)], healed)


def test_a_window_begins_at_a_line_and_stays_there() -> None:
    """While a long file is typed into, its first token changes only at a rare cut."""
    anchors = Anchors()
    text = "".join(f"line {n}\n" for n in range(200))
    starts: list[str] = []
    for n in range(400):
        typed = text + "y" * n if n < 200 else text + "y" * 200 + "\n" + "z " * (n - 200)
        starts.append(build(typed, "\nend\n", anchors).split("[P]")[1][:8])
    assert all(start.startswith("line ") for start in starts[:50])
    assert sum(a != b for a, b in itertools.pairwise(starts)) <= 6


@pytest.mark.parametrize("behind", ["", ")", '")', "]})", "'", ") \t", ")\r"])
def test_closers_that_come_and_go_change_no_prompt(behind: str) -> None:
    shown = behind.lstrip(")]}\"'") + "\ny"
    assert build("f(x", behind + "\ny") == build("f(x", shown)
    assert build("f(x", f"{behind} + 1") != build("f(x", " + 1") or not behind.strip()


def test_the_suffix_ends_with_a_whole_line() -> None:
    suffix = "".join(f"\nsuffix {n}" for n in range(50))
    shown = build("x", suffix).split("[S]")[1].split("[P]")[0]
    assert shown.endswith("\n")
    assert suffix.startswith(shown)


def test_context_gives_way_before_the_cursor_does() -> None:
    context = [Snippet(f"{n}.py", "c" * 100) for n in range(5)]
    assert build("def f():", context=context).count("[F]") == 2


def test_any_text_fits_the_budget() -> None:
    chance = random.Random(1)
    anchors = Anchors()
    for _ in range(300):
        prefix = "".join(chance.choices("ab \n\té😀", k=chance.randrange(900)))
        suffix = "".join(chance.choices("ab \n\té😀", k=chance.randrange(300)))
        build(prefix, suffix, anchors)
