"""What a text costs the embedded model, against what its engine says of its own words."""

import math
from pathlib import Path

import pytest
import wicket.completion.models as models_folder
from wicket.completion.engine import BackendError
from wicket.completion.local import LocalBackend
from wicket.completion.scoring import Scorer
from wicket.completion.wire import Complete, Piece

MODEL = Path(models_folder.__file__).parent / "wicket-base-q8_0.gguf"
PLACES = [
    ("def double(number):\n    return ", "\n\nprint(double(2))\n"),
    ("import os\n\nfor name in os.", "\n    print(name)\n"),
    ("class A:\n    def __init__(self, value):\n        self.val", "\n"),
]


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return Scorer(MODEL)


@pytest.fixture(scope="module")
def engine() -> LocalBackend:
    backend = LocalBackend(MODEL)
    backend.load(lambda _share: None)
    return backend


def request(prefix: str, suffix: str) -> Complete:
    return Complete(1, "a.py", "python", prefix, suffix)


@pytest.mark.parametrize(("prefix", "suffix"), PLACES)
def test_its_own_words_cost_what_it_said(
    scorer: Scorer, engine: LocalBackend, prefix: str, suffix: str
) -> None:
    asked = request(prefix, suffix)
    pieces = [one for one in engine.complete(asked, lambda: None) if isinstance(one, Piece)]
    said = -sum(piece.logprob for piece in pieces) / math.log(2)
    bits = scorer.bits(asked, "".join(piece.text for piece in pieces))
    assert bits is not None
    # A log-probability travels with four digits, and batches add up in another order.
    assert bits == pytest.approx(said, abs=0.1)


@pytest.mark.parametrize(("prefix", "suffix"), PLACES)
def test_other_words_cost_more(
    scorer: Scorer, engine: LocalBackend, prefix: str, suffix: str
) -> None:
    asked = request(prefix, suffix)
    pieces = [one for one in engine.complete(asked, lambda: None) if isinstance(one, Piece)]
    own = scorer.bits(asked, "".join(piece.text for piece in pieces))
    other = scorer.bits(asked, "zq17xw = lambda: 0x3f")
    assert own is not None
    assert other is not None
    assert other > own + 20


def test_every_call_stands_alone(scorer: Scorer) -> None:
    one, other = request(*PLACES[0]), request(*PLACES[1])
    first = scorer.bits(one, "number * 2")
    scorer.bits(other, "dir():")
    assert scorer.bits(one, "number * 2") == pytest.approx(first, abs=0.05)


def test_what_cannot_be_said_costs_nothing_that_can_be_told(scorer: Scorer) -> None:
    """A text longer than an answer may be, and none at all."""
    assert scorer.bits(request("x = ", "\n"), "very " * 200) is None
    assert scorer.bits(request("x = ", "\n"), "") is None


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"no model")
    with pytest.raises(BackendError):
        Scorer(tmp_path / "x.gguf")
