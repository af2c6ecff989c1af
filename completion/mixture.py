"""A mixture, token by token: the model's next token and what followed elsewhere.

    P(token) = (1 - w) P_model(token) + w share(token)

The share is of the places with the longest agreement; the weight w of each place in a text
is told by how long and how often the same tokens agree, whether shorter agreements say the
same, and what the model thinks of it.
"""

from collections.abc import Mapping
from math import exp, log2

from .continuations import Followed, Here
from .decoding import Chosen, Greedy, Logits, Words

# Fitted by tests/evaluation/fit_mixture.py, on repositories that no figure is told of.
WEIGHTS = (
    -3.247,  # Always.
    0.373,  # log2 of the tokens that agree.
    -0.051,  # log2 of the places.
    1.848,  # Share of the commonest next token,
    *(0.982, 0.924, 0.461),  # its share among the places that agree in 2, 4 and 8 tokens.
    0.083,  # Log-probability that the model gives it.
    -0.473,  # Log-probability of the model's own likeliest token.
)
# Less likely than this is all the same.
LEAST_LOGPROB = -12.0


class Mixture(Greedy):
    """The likeliest token of model and repository together; its log-probability is the
    model's own, so that who weighs it against a copy hears two opinions and not one twice."""

    def __init__(self, words: Words, here: Here) -> None:
        super().__init__(words)
        self._here = here

    def choose(self, logits: Logits, rest: bytes, rank: int, written: bytes) -> Chosen:
        token, logprob = super().choose(logits, rest, rank, written)
        found = self._here.followed(written, rest)
        if rank or not found.counts:
            return token, logprob
        own = opinions(logits, found, token, logprob)
        best = mixed(found, own, logprob)
        return best, own[best]


def opinions(logits: Logits, found: Followed, token: int, logprob: float) -> dict[int, float]:
    """The model's log-probabilities of what followed, and of its own `token`."""
    apart = logprob - float(logits[token])
    return {one: float(logits[one]) + apart for one in (token, *found.counts)}


def mixed(found: Followed, own: Mapping[int, float], top: float) -> int:
    """The likeliest token of those that are in `own`, the model's log-probabilities."""
    told = sum(w * f for w, f in zip(WEIGHTS, features(found, own, top), strict=True))
    weight = 1 / (1 + exp(-told))
    total = found.counts.total()
    return max(
        own, key=lambda one: (1 - weight) * exp(own[one]) + weight * found.counts[one] / total
    )


def features(found: Followed, own: Mapping[int, float], top: float) -> tuple[float, ...]:
    """What the weight is told by; `top` is the log-probability of the model's own choice."""
    token, votes = found.counts.most_common(1)[0]
    total = found.counts.total()
    shares = (counts[token] / (counts.total() + 1) for counts in found.shorter)
    return (
        1.0,
        log2(1 + found.length),
        log2(1 + total),
        votes / (total + 1),
        *shares,
        max(own[token], LEAST_LOGPROB),
        top,
    )
