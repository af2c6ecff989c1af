"""How long generating waits: not at all where that is fast, else until a pause."""

import pytest
from wicket.completion.pace import FIRST_MS, LONGEST_MS, Pace, wait_ms

TYPING = [150.0] * 10


@pytest.mark.parametrize(
    ("gaps", "spent", "rejections", "waits"),
    [
        ([], [], 0, 0),
        (TYPING, [], 0, 0),  # Nothing is known of the engine yet.
        (TYPING, [5.0, 9.0, 200.0], 0, 0),  # One slow answer makes no slow engine.
        (TYPING, [300.0], 0, 225),
        ([900.0], [300.0], 0, LONGEST_MS),
        ([60.0] * 10, [300.0], 0, 90),
        (TYPING, [5.0], 2, 0),
        (TYPING, [5.0], 3, FIRST_MS),
        (TYPING, [5.0], 4, 2 * FIRST_MS),
        (TYPING, [5.0], 1000, 4 * LONGEST_MS),
        (TYPING, [300.0], 3, 225),
    ],
)
def test_waiting(gaps: list[float], spent: list[float], rejections: int, waits: float) -> None:
    assert wait_ms(gaps, spent, rejections) == waits


def test_a_pause_for_thought_is_no_gap_between_keys() -> None:
    pace = Pace()
    pace.generated(300)
    for second in (0.0, 0.1, 0.2, 60.0, 60.1, 60.2):
        pace.key(second)
    assert pace.wait_ms(0) == pytest.approx(150)
