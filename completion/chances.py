"""How likely a text is right, told from what is known before anybody sees it.

Three logistic functions, fitted on flask, click and rich by `tests/evaluation/fit.py` and
on nothing else.  What each weight is for stands beside it; log2 is of one more, so that 0
stays 0.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import exp, log2
from operator import mul

from .copies import Copy

# An automatic suggestion is shown from this chance on, where the user's settings do not
# say another (`completion.least_chance`, in percent), and each further line of it while
# the chance of all lines so far is this.
SHOWN, FURTHER = 0.15, 0.5
# A copy so sure is shown without asking the model.
SURE = 0.9

COPY_ALONE = (
    -5.036,  # Always.
    1.003,  # log2 of the bytes before it that agree.
    4.988,  # Share of the votes at 8 bytes,
    2.011,  # at 16,
    1.237,  # and at 32.
    -0.158,  # log2 of the places at 16 bytes.
    -0.696,  # log2 of its length in characters.
)
# Where a model was asked too; its opinion comes last.
COPY = (
    *(-5.591, 0.978, 4.553, 1.911, 1.271, -0.141, -0.560),
    2.715,  # It says the same,
    0.444,  # with this log-probability.
)
# So many of them are of the place alone, the next is of the text.
PLACE = 6
# Of the text of a model, by the SHA-256 of its file.
MODELS = {
    # wicket-base
    "b42f32b8321e340d668a627407164581f62d33a48c7dd9b212a418f0e0d981dc": (
        -0.850,  # Always.
        0.736,  # Sum of the log-probabilities, natural.
        -2.252,  # A copy says the same:
        4.132,  # its share of the votes at 8 bytes,
        0.818,  # log2 of the bytes before it that agree.
    ),
}
# Less likely than this is all the same.
LEAST_LOGPROB = -30.0


def of_copy(copy: Copy, text: str) -> float:
    """Of `text`, what is left of `copy` after trimming, where no model was asked."""
    place = _of_place(COPY_ALONE, copy.length, copy.votes, copy.places)
    return _logistic(place + COPY_ALONE[PLACE] * log2(1 + len(text)))


def of_copy_beside(copy: Copy, text: str, logprob: float | None) -> float:
    """The same where a model was asked; `logprob` is None where it says something else."""
    place = _of_place(COPY, copy.length, copy.votes, copy.places)
    rest = log2(1 + len(text)), *opinion(logprob)
    return _logistic(sum(map(mul, COPY[PLACE:], rest), place))


def hoped(copy: Copy, logprob: float | None) -> float:
    """No text that is left of `copy` can have a greater chance; `logprob` as above."""
    alone = of_copy(copy, ".")
    return alone if logprob is None else max(alone, of_copy_beside(copy, ".", logprob))


def of_model(sha256: str, logprob: float, copy: Copy | None) -> float:
    """Of a model's text; `copy` says the same.

    A model for which nothing was fitted is taken at its word.
    """
    if weights := MODELS.get(sha256):
        return _chance(weights, model_features(logprob, copy))
    doubt = 1 - exp(max(logprob, LEAST_LOGPROB))
    return 1 - doubt * (1 - of_copy(copy, copy.text)) if copy else 1 - doubt


def copy_features(copy: Copy, text: str) -> tuple[float, ...]:
    return (*_place_features(copy.length, copy.votes, copy.places), log2(1 + len(text)))


@lru_cache(maxsize=256)
def _of_place(
    weights: tuple[float, ...], length: int, votes: tuple[int, ...], places: tuple[int, ...]
) -> float:
    """What is the same for every text; most of a request's copies are alike in it."""
    return sum(map(mul, weights, _place_features(length, votes, places)))


def _place_features(
    length: int, votes: tuple[int, ...], places: tuple[int, ...]
) -> tuple[float, ...]:
    shares = map(_share, votes, places)
    return (1.0, log2(1 + length), *shares, log2(1 + places[1]))


def opinion(logprob: float | None) -> tuple[float, ...]:
    return (0.0, 0.0) if logprob is None else (1.0, max(logprob, LEAST_LOGPROB))


def model_features(logprob: float, copy: Copy | None) -> tuple[float, ...]:
    same = (
        (1.0, _share(copy.votes[0], copy.places[0]), log2(1 + copy.length))
        if copy
        else (0.0, 0.0, 0.0)
    )
    return (1.0, max(logprob, LEAST_LOGPROB), *same)


def _share(votes: int, places: int) -> float:
    """Of few votes less is made than of many."""
    return votes / (places + 1)


def _chance(weights: Sequence[float], features: Sequence[float]) -> float:
    return _logistic(sum(map(mul, weights, features)))


def _logistic(total: float) -> float:
    return 1 / (1 + exp(-total))
