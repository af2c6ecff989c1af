"""A model file against the weights it was made of, and its tokenizer against llama.cpp's.

The file is loaded by the engine's own module, so what is compared is what users get.
"""

# PyTorch's annotations are too loose for the strict checker, and it may not be installed.
# pyright: basic, reportMissingImports=false

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import nn

from .. import gguf
from ..llama import Llama
from ..local import CONTEXT_TOKENS
from .tokens import Tokens

# Lines that both tokenizers must split alike, and hand-made ones that try their patience.
LINES = 10_000
# fmt: off
HARD = (
    "\tif x:\r\n\t\treturn  y \t\n", "na\u00efve = '\u00e9'  # \u65e5\u672c",
    "\U0001f642\U0001f3fd x\u2028y\u00a0z",
    "<|fim_middle|> <|endoftext|>", "''''s I'll DON'T", "x" * 300, " " * 70 + "deep", "a1b22c333",
    "e\u0301\u200d", "...))]]}}\n\n\n", "\uff10\uff11 \u2167 \u00bd", "\x00\x7f\ufeff", "\t \t",
)
# fmt: on


@dataclass(frozen=True, slots=True)
class Logits:
    """How far apart PyTorch and llama.cpp are: the largest and the mean difference of
    logits, and the share of positions where both would say the same token."""

    most: float
    mean: float
    same: float
    positions: int


def tokenizer(path: Path, tokens: Tokens, texts: Iterable[str]) -> list[str]:
    """Lines that llama.cpp and our tokenizer split differently; none is what is wanted."""
    llama = _loaded(path)
    lines = (line for text in texts for line in text.splitlines(keepends=True))
    every = [*HARD, *islice(lines, LINES)]
    return [line for line in every if llama.tokenize(line) != tokens.tokenize(line)]


def logits(path: Path, network: nn.Module, rows: Sequence[Sequence[int]]) -> Logits:
    """Compare what both compute at the last position of each row of tokens."""
    llama = _loaded(path)
    network = network.float().eval()
    apart: list[float] = []
    means: list[float] = []
    same = 0
    for row in rows:
        with torch.no_grad():
            ours = network(torch.tensor([row]))[0, -1].numpy()
        llama.keep(0, 0)
        llama.evaluate(0, list(row), 0)
        theirs = np.array(llama.logits(), np.float32)[: len(ours)]
        difference = np.abs(ours - theirs)
        apart.append(float(difference.max()))
        means.append(float(difference.mean()))
        same += int(ours.argmax() == theirs.argmax())
    return Logits(max(apart), float(np.mean(means)), same / len(rows), len(rows))


def _loaded(path: Path) -> Llama:
    context = min(gguf.read(path).context, CONTEXT_TOKENS)
    return Llama(path, context=context, slots=1, threads=1)
