"""What a text costs a model: the bits it needs for what was hidden from it.

An engine reports how likely its own words are; here the words are given.  The prompt is
the engine's own, and half a word at the cursor is healed as the engine heals it.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import families, gguf, prompt
from .engine import BackendError
from .local import CONTEXT_TOKENS, UNMEASURED, Words, budget_for
from .slots import LlamaError
from .wire import Complete


class Scorer:
    """One model in this process.  Raises BackendError where it cannot be loaded."""

    def __init__(self, path: Path, *, threads: int = 1, gpu_layers: int = 0) -> None:
        try:
            # Imported late: without the [llama] extra everything else still works.
            from . import llama  # noqa: PLC0415
        except ImportError:
            raise BackendError("llama-cpp-python is not installed", "wicket engine build") from None
        try:
            header = gguf.read(path)
            self._context = min(header.context or CONTEXT_TOKENS, CONTEXT_TOKENS)
            self._llama = llama.Llama(
                path, context=self._context, slots=1, threads=threads, gpu_layers=gpu_layers
            )
            self._fim = families.fim_for(self._llama)
        except (LlamaError, gguf.BadModel, families.NotForInfill) as error:
            raise BackendError(str(error), "wicket model list") from None
        self._words = Words(self._llama.pieces)

    def bits(self, request: Complete, gold: str) -> float | None:
        """Bits that `gold` costs at the cursor of `request`.

        The text is spelled with the tokens that the tokenizer makes of it, so this is an
        upper bound.  None where there is no text or the model could not say it at all: it
        is longer than an answer may be, or does not go together with half a word before it.
        """
        budget = budget_for(request, self._context, UNMEASURED, self._fim.order)
        asked = prompt.build(
            self._fim,
            self._llama,
            budget,
            prompt.Anchors(),
            path=request.path,
            prefix=request.prefix,
            suffix=request.suffix,
            context=request.context,
        )
        rest = asked.healed
        hidden = rest.decode("utf-8", "replace") + families.to_model(self._fim, gold)
        tokens = families.text_ids(hidden, self._llama, self._fim.stops)
        if not gold or len(tokens) > budget.decode:
            return None
        self._llama.keep(0, 0)
        self._evaluate(asked.ids, 0)
        bits = 0.0
        for number, token in enumerate(tokens):
            cost = self._cost(token, rest)
            if cost is None:
                return None
            bits += cost
            rest = rest[len(self._llama.pieces[token]) :]
            if number + 1 < len(tokens):
                self._evaluate([token], len(asked.ids) + number)
        return bits

    def _cost(self, token: int, rest: bytes) -> float | None:
        """Bits of `token` next, among those that agree with `rest`."""
        logits: NDArray[np.float64] = self._llama.logits().astype(np.float64)
        if rest:
            allowed = self._words.agreeing(rest)
            if token not in allowed:
                return None
            among = logits[allowed]
        else:
            among = logits
        top = among.max()
        total = top + np.log(np.exp(among - top).sum())
        return float((total - logits[token]) / np.log(2))

    def _evaluate(self, tokens: Sequence[int], position: int) -> None:
        self._llama.evaluate(0, tokens, position)
