"""From logits to text, token by token; a guide may choose otherwise, or look ahead.

Pure but for `Model`, which evaluates tokens.
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .lines import Text
from .wire import Reason

Logits = NDArray[np.float32]
# A token and its log-probability.
Chosen = tuple[int, float]


class Model(Protocol):
    """A prompt that has been read, to be gone on from."""

    def logits(self, but: int, /) -> Logits:
        """What comes behind the tokens evaluated last but so many; valid until the next."""
        ...

    def evaluate(self, tokens: Sequence[int], /) -> None:
        """Append tokens.  Raises Interrupted."""
        ...

    def forget(self, count: int, /) -> None:
        """Take back so many of the tokens evaluated last."""
        ...


class Guide(Protocol):
    """What decides about the next token; `written` is the text since the cursor."""

    def choose(self, logits: Logits, rest: bytes, rank: int, written: bytes, /) -> Chosen:
        """The next token; it agrees with `rest`, and is the likeliest at a rank of 0."""
        ...

    def ahead(self, written: bytes, /) -> Sequence[int]:
        """Tokens that may come next, to be evaluated together with the last one."""
        ...


class Greedy:
    """Always the model's likeliest token."""

    def __init__(self, words: "Words") -> None:
        self._words = words

    def choose(self, logits: Logits, rest: bytes, rank: int, _written: bytes) -> Chosen:
        """The likeliest token that agrees with `rest`, or the next likely one at a `rank`,
        and its log-probability."""
        allowed = self._words.agreeing(rest) if rest else None
        among = logits if allowed is None else logits[allowed]
        rank = min(rank, len(among) - 1)
        best = int(np.argpartition(-among, rank)[rank] if rank else among.argmax())
        top = float(among.max()) if rank else float(among[best])
        token = best if allowed is None else int(allowed[best])
        return token, float(among[best]) - top - float(np.log(np.exp(among - top).sum()))

    def ahead(self, _written: bytes) -> Sequence[int]:
        return ()


@dataclass(slots=True)
class Spent:
    """Tokens of the text so far, those evaluated on a guess, and calls of the model."""

    decoded: int = 0
    guessed: int = 0
    calls: int = 0


def decode(
    model: Model,
    guide: Guide,
    pieces: Sequence[bytes],
    ends: Collection[int],
    *,
    rest: bytes,
    rank: int,
    lines: int,
    most: int,
    spent: Spent,
    halted: Callable[[], Reason | None],
) -> Iterator[tuple[str, float] | Reason]:
    """Pieces of a text of so many `lines` and tokens at `most`, then why it ends.

    It begins with the token of this `rank`, and spells `rest` again, which is not told.
    Raises Interrupted.
    """
    text, written, skipped = Text(lines), b"", rest
    # What was guessed and is evaluated already; `row` of it has come true.
    guess: Sequence[int] = ()
    row = 0
    for _ in range(most):
        logits = model.logits(len(guess) - row)
        token, logprob = guide.choose(logits, skipped, rank, written)
        rank = 0
        if token in ends:
            yield "stop"
            return
        new, skipped = pieces[token][len(skipped) :], skipped[len(pieces[token]) :]
        written += pieces[token]
        spent.decoded += 1
        if shown := text.add(new):
            yield shown, logprob
        if text.full:
            yield "stop"
            return
        if why := halted():
            yield why
            return
        if row < len(guess) and token == guess[row]:
            row += 1
            continue
        if row < len(guess):
            model.forget(len(guess) - row)
        guess, row = (() if skipped else guide.ahead(written)), 0
        spent.calls += 1
        spent.guessed += len(guess)
        model.evaluate([token, *guess])
    yield "length"


class Words:
    """Which tokens agree with a beginning of bytes: they start with it, or begin it."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces

    @cached_property
    def _sorted(self) -> tuple[list[bytes], list[int], dict[bytes, int]]:
        order = sorted((i for i, p in enumerate(self._pieces) if p), key=self._pieces.__getitem__)
        return (
            [self._pieces[i] for i in order],
            order,
            {self._pieces[i]: i for i in reversed(order)},
        )

    def agreeing(self, rest: bytes) -> NDArray[np.int64]:
        pieces, order, ids = self._sorted
        low = bisect_left(pieces, rest)
        high = bisect_left(pieces, _after(rest), low) if _after(rest) else len(pieces)
        begins = [ids[rest[:n]] for n in range(1, len(rest)) if rest[:n] in ids]
        return np.array(order[low:high] + begins, np.int64)


def _after(rest: bytes) -> bytes:
    """The least bytes greater than everything that starts with `rest`."""
    stripped = rest.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else b""
