"""Which of two values of a setting is the stricter one; pure."""

from .settings_checks import UNLIMITED


def both(first: bool, second: bool) -> bool:
    return first and second


def least_true(first: bool | str, second: bool | str) -> bool | str:
    """No before a word that leaves it open, and that before yes."""
    return min(first, second, key=lambda said: (False, "auto", True).index(said))


def least(first: int, second: int) -> int:
    return min(first, second)


def least_of(first: float | str, second: float | str) -> float | str:
    """The lower of two limits; a word is none."""
    numbers = [said for said in (first, second) if not isinstance(said, str)]
    return min(numbers, default=UNLIMITED)


def in_both(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    """The languages of both lists; there may be none left."""
    if "*" in first:
        return second
    return first if "*" in second else tuple(n for n in first if n in second)


def in_either(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))
