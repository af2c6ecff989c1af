"""The self-test's holes are what they should be, and its verdict is the one wanted."""

import re
from dataclasses import replace

import pytest
from wicket.completion.models import trial
from wicket.completion.models.catalogue import SHIPPED
from wicket.completion.models.trial import FLOOR, SOURCES, TINY_FLOOR, Score, Trial, probes

SMALL, LARGE = 7_500_000, 500_000_000


@pytest.mark.parametrize("language", SOURCES)
def test_twenty_holes_in_each_language(language: str) -> None:
    """Each within a line, the whole always the same text, and none of the marks left."""
    holes = probes(language)
    assert len(holes) == 20
    assert len({hole.before + hole.gold + hole.after for hole in holes}) == 1
    for hole in holes:
        assert hole.gold.strip()
        assert not re.search(r"[«»\n]", hole.gold)
        assert not re.search(r"[«»]", hole.before + hole.after)
    # By chance an answer must seldom be right.
    golds = [hole.gold for hole in holes]
    assert trial.score(golds, golds).by_chance < 0.3


def test_perfect_shuffled_and_chatty_answers() -> None:
    golds = [hole.gold for hole in probes("python")]
    perfect = trial.score([f"{gold}\nand more" for gold in golds], golds)
    assert (perfect.exact, perfect.alike) == (20, 1.0)
    shuffled = trial.score([*golds[7:], *golds[:7]], golds)
    chatty = trial.score(["Sure! Here is the completed code: ```python"] * 20, golds)
    assert trial.verdict({"python": perfect}, LARGE) == ""
    for score in (shuffled, chatty):
        for size in (SMALL, LARGE):
            assert "it may be a chat model" in trial.verdict({"python": score}, size)


@pytest.mark.parametrize(
    ("alike", "by_chance", "size", "passes"),
    [
        (*(0.34, 0.17), SMALL, True),
        (*(0.34, 0.17), LARGE, False),
        (TINY_FLOOR[0], TINY_FLOOR[0] - TINY_FLOOR[1], SMALL, True),
        (TINY_FLOOR[0] - 0.01, 0.0, SMALL, False),
        (0.9, 0.89, SMALL, False),
        (*(0.16, 0.14), SMALL, False),
        (FLOOR[0], 0.1, LARGE, True),
        (FLOOR[0] - 0.01, 0.1, LARGE, False),
        (*(0.8, 0.7), LARGE, False),
    ],
)
def test_the_floor_depends_on_the_size(
    alike: float, by_chance: float, size: int, passes: bool
) -> None:
    found = trial.verdict({"go": Score(20, 3, alike, by_chance)}, size)
    assert (found == "") == passes


def test_one_language_is_enough() -> None:
    """A model that declares none may still know only one."""
    good, bad = Score(20, 2, 0.34, 0.17), Score(20, 0, 0.05, 0.05)
    assert trial.verdict({"go": bad, "python": good}, SMALL) == ""
    assert "in go" in trial.verdict({"go": replace(bad, alike=0.1), "python": bad}, SMALL)
    assert trial.verdict({}, SMALL)


def test_the_languages_of_a_model() -> None:
    assert trial.languages_for(SHIPPED.languages) == ["python"]
    assert trial.languages_for(()) == list(SOURCES)
    assert trial.languages_for(("cobol",)) == []


def test_a_note_is_read_back_and_another_versions_is_none() -> None:
    found = Trial({"go": Score(20, 3, 0.5, 0.1)}, "", 12.5, {"decode": 30.0}, 1 << 20)
    assert Trial.of_json(found.to_json()) == found
    for said in (
        {},
        {"scores": 3},
        {"scores": {"go": {"holes": 1}}},
        found.to_json() | {"scores": {"a": 1}},
    ):
        assert Trial.of_json(said) is None
