"""What a text costs a model: the bits it needs for what was hidden from it.

An engine reports how likely its own words are; here the words are given.  The prompt is
the engine's own, and half a word at the cursor is healed as the engine heals it.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import families, gguf, prompt
from .budget import UNMEASURED, budget_for
from .decoding import Words
from .engine import BackendError, not_installed
from .local import CONTEXT_TOKENS
from .slots import LlamaError
from .wire import Complete


class Scorer:
    """One model in this process.  Raises BackendError where it cannot be loaded."""

    def __init__(self, path: Path, *, threads: int = 1, gpu_layers: int = 0) -> None:
        try:
            # Imported late: without the [llama] extra everything else still works.
            from . import llama  # noqa: PLC0415
        except ImportError:
            raise not_installed() from None
        try:
            header = gguf.read(path)
            self._context = min(header.context or CONTEXT_TOKENS, CONTEXT_TOKENS)
            self.llama = llama.Llama(
                path, context=self._context, slots=1, threads=threads, gpu_layers=gpu_layers
            )
            self.fim = families.fim_for(self.llama)
        except (LlamaError, gguf.BadModel, families.NotForInfill) as error:
            raise BackendError(str(error), "wicket model list") from None
        self.words = Words(self.llama.pieces)

    def bits(self, request: Complete, gold: str) -> float | None:
        """Bits that `gold` costs at the cursor of `request`.

        The text is spelled with the tokens that the tokenizer makes of it, so this is an
        upper bound.  None where there is no text or the model could not say it at all: it
        is longer than an answer may be, or does not go together with half a word before it.
        """
        costs = [self._cost(token, rest) for token, rest in self.steps(request, gold)]
        known = [cost for cost in costs if cost is not None]
        return sum(known) if known and len(known) == len(costs) else None

    def steps(self, request: Complete, gold: str) -> Iterator[tuple[int, bytes]]:
        """The tokens of `gold`, each with what has to be spelled again, while `logits` are
        those before it; none where it is longer than an answer may be."""
        budget = budget_for(request, self._context, UNMEASURED, self.fim.order)
        asked = prompt.build(
            self.fim,
            self.llama,
            budget,
            prompt.Anchors(),
            path=request.path,
            prefix=request.prefix,
            suffix=request.suffix,
            context=request.context,
        )
        rest = asked.healed
        hidden = rest.decode("utf-8", "replace") + families.to_model(self.fim, gold)
        tokens = families.text_ids(hidden, self.llama, self.fim.stops)
        if not gold or len(tokens) > budget.decode:
            return
        self.llama.keep(0, 0)
        self.llama.evaluate(0, asked.ids, 0)
        for number, token in enumerate(tokens):
            yield token, rest
            rest = rest[len(self.llama.pieces[token]) :]
            if number + 1 < len(tokens):
                self.llama.evaluate(0, [token], len(asked.ids) + number)

    def _cost(self, token: int, rest: bytes) -> float | None:
        """Bits of `token` next, among those that agree with `rest`."""
        logits: NDArray[np.float64] = self.llama.logits().astype(np.float64)
        if rest:
            allowed = self.words.agreeing(rest)
            if token not in allowed:
                return None
            among = logits[allowed]
        else:
            among = logits
        top = among.max()
        total = top + np.log(np.exp(among - top).sum())
        return float((total - logits[token]) / np.log(2))
