"""What a model says by heart: the longest stretches of its training text that it repeats.

A model is shown the text before a place in a file it was trained on, and nothing else, and
goes on by itself.  How far it says what stands there is counted; much of that is what
everybody would say there, so the same is counted in files that it never saw.
"""

# PyTorch's annotations are too loose for the strict checker, and it may not be installed.
# pyright: basic, reportMissingImports=false

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import torch

from .. import families
from .corpus import Document
from .samples import Sampler

# Tokens that are shown, and that are asked for.
SHOWN, ASKED = 160, 192
# Characters from which on a repeated stretch is named in the card.
LONG = 120


@dataclass(frozen=True, slots=True)
class Repeat:
    """`text` was said word for word at a place in `package` and `path`."""

    package: str
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Memory:
    """The longest repeats of trained text, their mean length in characters, and that in
    text which was never seen, each over so many places."""

    longest: Sequence[Repeat]
    mean: float
    mean_unseen: float
    places: int


def recall(
    network: Any,
    trained: Sampler,
    unseen: Sampler,
    places: int,
    seed: int = 7,
    device: str = "cpu",
) -> Memory:
    """Try so many places of each."""
    found = _repeats(network, trained, places, seed, device)
    control = _repeats(network, unseen, places, seed, device)
    longest = sorted(found, key=lambda one: -len(one.text))[:5]
    return Memory(longest, _mean(found), _mean(control), len(found))


def _repeats(network: Any, sampler: Sampler, places: int, seed: int, device: str) -> list[Repeat]:
    random = Random(seed)  # noqa: S311
    drawn: list[tuple[Document, list[int], list[int]]] = []
    while len(drawn) < places:
        document = sampler.documents[random.randrange(len(sampler.documents))]
        text = families.to_model(sampler.fim, document.text)
        ids = sampler.vocabulary.tokenize(text)
        if len(ids) < SHOWN + 32:
            # A small repository may have few longer files; then its short ones serve.
            cut = max(8, len(ids) // 2)
        else:
            cut = random.randrange(SHOWN, len(ids) - 16)
        if len(ids) < 24:
            places -= 1
            continue
        drawn.append((document, ids[max(0, cut - SHOWN) : cut], ids[cut : cut + ASKED]))
    found: list[Repeat] = []
    for document, before, wanted in drawn:
        said = _agreeing(network, sampler.header(document.path) + before, wanted, device)
        found.append(Repeat(document.package, document.path, _text(sampler, wanted[:said])))
    return found


@torch.no_grad()
def _agreeing(network: Any, shown: list[int], wanted: list[int], device: str) -> int:
    """How many tokens of `wanted` the model would say one after the other.

    As long as it agrees, what it said is what stands there: one pass over the true text
    tells the same as saying it token by token.
    """
    room = network.size.context - len(shown)
    wanted = wanted[:room]
    if not wanted:
        return 0
    tokens = torch.tensor([shown + wanted], device=device)
    said = network(tokens)[0, len(shown) - 1 : -1].argmax(-1).tolist()
    same = [a == b for a, b in zip(said, wanted, strict=True)]
    return same.index(False) if False in same else len(same)


def _text(sampler: Sampler, ids: list[int]) -> str:
    # A sampler's vocabulary is one of ours, which can also be read.
    return sampler.vocabulary.text_of(ids)  # pyright: ignore[reportAttributeAccessIssue]


def _mean(found: Sequence[Repeat]) -> float:
    return round(sum(len(one.text) for one in found) / max(1, len(found)), 1)
