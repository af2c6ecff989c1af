"""Ways of decoding: a planted model for the rules, the embedded one for the whole."""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from wicket.completion import guides, mixture
from wicket.completion.continuations import Followed
from wicket.completion.corpus import Corpus
from wicket.completion.decoding import Greedy, Logits, Spent, Words, decode
from wicket.completion.local import LocalBackend
from wicket.completion.wire import Complete, Decoding, Done, Piece

from .test_local import MODEL, SOURCE

# One letter each, a line's end, and an end.
PIECES = [*(bytes([letter]) for letter in b"abcdefgh\n"), b""]
END = len(PIECES) - 1


class Reciting:
    """A model that knows one text by heart, and counts what it is asked."""

    def __init__(self, text: str) -> None:
        self.text = [PIECES.index(letter.encode()) for letter in text] + [END]
        self.read: list[int] = []
        self.batches: list[int] = []

    def logits(self, but: int) -> Logits:
        # Behind a token that it would not have written it knows nothing.
        read = self.read[: len(self.read) - but]
        known = read == self.text[: len(read)]
        row = np.zeros(len(PIECES), np.float32)
        row[self.text[len(read)] if known else 0] = 5.0
        return row

    def evaluate(self, tokens: Sequence[int]) -> None:
        self.read += tokens
        self.batches.append(len(tokens))

    def forget(self, count: int) -> None:
        assert count > 0
        del self.read[-count:]


class Guessing(Greedy):
    """Guesses what it is told to, once after the other."""

    def __init__(self, guesses: Sequence[str]) -> None:
        super().__init__(Words(PIECES))
        self._guesses: Iterator[str] = itertools.chain(guesses, itertools.repeat(""))

    def ahead(self, written: bytes) -> Sequence[int]:
        return [PIECES.index(letter.encode()) for letter in next(self._guesses)]


@pytest.mark.parametrize(
    ("guesses", "batches"),
    [
        ((), [1, 1, 1, 1, 1, 1]),
        # All of it comes true: one batch for four tokens, and one for the rest.
        (("bcd",), [4, 1, 1]),
        # The last is wrong, the first is wrong, all are.
        (("bch",), [4, 1, 1, 1]),
        (("hbc",), [4, 1, 1, 1, 1, 1]),
        (("b", "dh", "f"), [2, 3, 2]),
        # Beyond the end.
        (("bcdefgh",), [8]),
    ],
)
def test_a_guess_changes_no_text_and_saves_calls(
    guesses: tuple[str, ...], batches: list[int]
) -> None:
    model, spent = Reciting("abcdef"), Spent()
    said = list(
        decode(
            model, Guessing(guesses), PIECES, {END},
            rest=b"", rank=0, lines=2, most=20, spent=spent, halted=lambda: None,
        )
    )  # fmt: skip
    assert "".join(part[0] for part in said[:-1]) == "abcdef"
    assert said[-1] == "stop"
    assert model.batches == batches
    assert (spent.decoded, spent.calls) == (6, len(batches))
    assert spent.guessed == sum(batches) - len(batches)


def followed(length: int, counts: dict[int, int], shorter: int = 0) -> Followed:
    return Followed(
        length, Counter(counts), [Counter(counts)] * shorter + [Counter()] * (3 - shorter)
    )


@pytest.mark.parametrize(
    ("found", "wins"),
    [
        # One place, and little that agrees: the model is believed.
        (followed(1, {1: 1}), False),
        # Long, often, and shorter agreements say the same.
        (followed(12, {1: 9}, shorter=3), True),
        # As long, but places say this and that.
        (followed(12, {1: 2, 2: 2, 3: 2, 4: 2, 5: 2}), False),
    ],
)
def test_the_weight_grows_with_length_count_and_agreement(found: Followed, wins: bool) -> None:
    model = {0: -0.9, **dict.fromkeys(found.counts, -3.0)}
    assert (mixture.mixed(found, model, -0.9) == 1) == wins


KNOWN = "def zq(value):\n    return value.frobnicate(value, 417)\n\n\n"


def complete(decoding: Decoding, prefix: str, known: str, lines: int = 1) -> tuple[str, Done]:
    corpus = Corpus()
    corpus.learn("k", known)
    backend = LocalBackend(MODEL, slots=1, corpus=corpus)
    backend.load(lambda _share: None)
    texts = () if decoding == "plain" else ("k",)
    request = Complete(
        1, "a.py", "python", prefix, "\n", "manual", lines=lines, decoding=decoding, texts=texts
    )
    *pieces, done = backend.complete(request, lambda: None)
    assert isinstance(done, Done)
    return "".join(piece.text for piece in pieces if isinstance(piece, Piece)), done


def test_a_mixture_says_what_the_repository_says() -> None:
    prefix = "import os\n\n\ndef zq(value):\n    return value.frob"
    assert complete("mixed", prefix, KNOWN)[0] == "nicate(value, 417)"
    assert complete("plain", prefix, KNOWN)[0] != "nicate(value, 417)"
    assert complete("mixed", prefix, "")[0] == complete("plain", prefix, "")[0]


def test_drafts_say_what_the_model_says() -> None:
    """In its own text: much repeats itself there, so guesses come true and are saved."""
    saved = 0
    for end in range(2000, 6000, 400):
        plain = complete("plain", SOURCE[:end], "", lines=4)
        drafted = complete("drafted", SOURCE[:end], SOURCE, lines=4)
        assert drafted[0] == plain[0]
        assert drafted[1].tokens["decoded"] == plain[1].tokens["decoded"]
        saved += drafted[1].tokens.get("guessed", 0)
    assert saved > 0


def test_every_way_but_the_plain_one_has_a_guide() -> None:
    assert set(guides.GUIDES) == {"mixed", "drafted"}
