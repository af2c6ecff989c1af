"""The arithmetic of an evaluation, against definitions and against chance."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wicket.completion.metrics import (
    bare,
    difference,
    distance,
    estimate,
    exact,
    precision_at,
    quantile,
    saved,
    similarity,
)

short = st.text(alphabet="abé\U0001f600\n ", max_size=12)


def by_definition(a: str, b: str) -> int:
    if not a or not b:
        return len(a) + len(b)
    return min(
        by_definition(a[1:], b) + 1,
        by_definition(a, b[1:]) + 1,
        by_definition(a[1:], b[1:]) + (a[0] != b[0]),
    )


@given(short.map(lambda text: text[:5]), short.map(lambda text: text[:5]))
def test_the_distance_is_levenshteins(a: str, b: str) -> None:
    assert distance(a, b) == by_definition(a, b)


@given(short, short)
def test_similarity_is_a_share(a: str, b: str) -> None:
    assert 0 <= similarity(a, b) <= 1
    assert similarity(a, b) == similarity(b, a)
    assert (similarity(a, b) == 1) == exact(a, b) == (bare(a) == bare(b))


@pytest.mark.parametrize(
    ("text", "gold", "same", "alike", "keys"),
    [
        ("return x", "return x", True, 1.0, 7),
        ("return x  \n", "return x", True, 1.0, 7),
        ("a \nb", "a\nb", True, 1.0, 2),
        ("", "return x", False, 0.0, 0),
        ("return", "return x", False, 0.75, 5),
        ("return y", "return x", False, 0.875, 0),
        ("a()\nb()", "a()\nc()", False, 6 / 7, 2),
        ("a()", "a()\nc()", False, 3 / 7, 2),
        ("a()\nc()\nd()", "a()\nc()", False, 7 / 11, 6),
        ("x", "y", False, 0.0, 0),
        ("x", "x", True, 1.0, 0),
        ("", "", True, 1.0, 0),
    ],
)
def test_one_answer(text: str, gold: str, same: bool, alike: float, keys: int) -> None:
    assert exact(text, gold) == same
    assert similarity(text, gold) == pytest.approx(alike)
    assert saved(text, gold) == keys


def test_an_interval_holds_what_it_should() -> None:
    """In at least 9 of 10 samples the true share lies inside, and never in all by being
    wide: the width is that of a binomial."""
    chance = random.Random(1)
    held, widths = 0, list[float]()
    for _ in range(100):
        values = [float(chance.random() < 0.3) for _ in range(80)]
        found = estimate(values, range(80))
        held += found.low <= 0.3 <= found.high
        widths.append(found.high - found.low)
    assert held >= 89
    assert np.mean(widths) == pytest.approx(2 * 1.96 * (0.3 * 0.7 / 80) ** 0.5, rel=0.15)


def test_holes_of_one_file_are_no_independent_witnesses() -> None:
    values = [float(number % 2) for number in range(40)]
    alone = estimate(values, range(40))
    together = estimate(values, [number % 2 for number in range(40)])
    assert together.value == alone.value == 0.5
    assert together.high - together.low > alone.high - alone.low
    assert (together.low, together.high) == (0.0, 1.0)


def test_a_ratio_weighs_its_parts() -> None:
    found = estimate([1.0, 3.0], ["a", "b"], [2.0, 6.0])
    assert (found.value, found.low, found.high) == (0.5, 0.5, 0.5)
    assert estimate([0.0], ["a"], [0.0]).value == 0
    assert estimate([], []).count == 0


def test_what_is_the_same_differs_by_chance_only() -> None:
    values = [float(number % 3 == 0) for number in range(60)]
    same = difference(values, values, range(60))
    assert (same.value, same.p, same.certain) == (0.0, 1.0, False)
    assert difference([], [], []).p == 1.0


def test_a_test_rejects_what_is_true_one_time_in_twenty() -> None:
    chance = random.Random(2)
    rejected = 0
    for _ in range(200):
        first = [chance.gauss(0, 1) for _ in range(50)]
        second = [value + chance.gauss(0, 1) for value in first]
        rejected += difference(first, second, range(50)).certain
    assert 2 <= rejected <= 22


def test_pairs_show_what_means_do_not() -> None:
    """A small gain everywhere is certain, though holes differ far more from each other."""
    chance = random.Random(3)
    first = [chance.random() for _ in range(100)]
    second = [value + 0.02 + 0.02 * chance.random() for value in first]
    found = difference(first, second, range(100))
    assert found.certain
    assert found.p < 0.001
    assert 0.02 < found.low < found.value < found.high < 0.04
    back = difference(second, first, range(100))
    assert (back.value, back.low) == pytest.approx((-found.value, -found.high))


def test_the_same_numbers_every_time() -> None:
    values = [float(number % 7) for number in range(90)]
    groups = [number // 9 for number in range(90)]
    assert estimate(values, groups) == estimate(values, groups)


@pytest.mark.parametrize(
    ("confidences", "right", "wanted"),
    [
        ([4.0, 3.0, 2.0, 1.0], [True, True, False, False], {0.25: 1, 0.5: 1, 1.0: 0.5}),
        ([1.0, 2.0, 3.0, 4.0], [True, True, False, False], {0.25: 0, 0.5: 0, 1.0: 0.5}),
        # The order of what is equally sure is nobody's choice.
        ([1.0, 1.0, 1.0, 1.0], [True, False, False, False], {0.25: 0.25, 0.5: 0.25}),
        # What was not offered cannot be shown.
        ([2.0, None, None, 1.0], [True, False, False, True], {0.5: 1, 0.75: None, 1.0: None}),
        ([None], [False], {0.1: None, 1.0: None}),
    ],
)
def test_precision_among_the_surest(
    confidences: list[float | None], right: list[bool], wanted: dict[float, float | None]
) -> None:
    found = precision_at(wanted, confidences, right, range(len(right)))
    assert {share: one and one.value for share, one in found.items()} == wanted
    for one in found.values():
        assert one is None or one.low <= one.value <= one.high


@pytest.mark.parametrize("sure", [[1.0] * 40, [float(-hole) for hole in range(40)]])
def test_precision_is_no_surer_than_its_files_are(sure: list[float]) -> None:
    """The same holes in two files, and in as many files as there are holes."""
    right = [True, False] * 20
    apart = precision_at([1.0], sure, right, range(40))[1.0]
    halves = precision_at([1.0], sure, right, [hole % 2 for hole in range(40)])[1.0]
    assert apart
    assert halves
    assert (halves.low, halves.high) == (0, 1)
    assert 0.2 < apart.low < 0.5 < apart.high < 0.8


def test_quantiles() -> None:
    assert quantile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert quantile([], 0.5) == 0.0
