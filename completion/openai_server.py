"""OpenAI's `/v1/completions` (vLLM, TGI, Ollama, LM Studio): the hole is shown as text."""

import re
from collections.abc import Sequence
from dataclasses import replace

from . import families, prompt
from .cursor import Snippet
from .dialects import CONTEXT_TOKENS, FILLING, HOLE, UNKNOWN_CONTEXT, Ask, Json, Said, cut
from .engine import BackendError
from .families import Fim
from .formats import FAMILIES, Family, Order
from .wire import Complete


class OpenAI:
    """`/v1/completions`: the prompt is a text, and markers in it become tokens there."""

    path = "/v1/completions"
    ping = "/v1/models"

    def __init__(self, ask: Ask, served: Json) -> None:
        self.ask = ask
        self._model = self.about = str(served["id"])
        # vLLM says how long its context is; the standard has no word for it.
        self.context = min(int(served.get("max_model_len") or UNKNOWN_CONTEXT), CONTEXT_TOKENS)
        self._logprobs = self._gives_logprobs()
        for family in likeliest_first(self._model):
            self.fim, self._texts = _as_texts(family)
            self.family = family.name
            self.order: Order = self.fim.order
            text = self._render("numbers.py", *HOLE, ())
            status, answer = ask(self.path, self._body(text, 8, ["\n"], stream=False))
            if status != 200:
                raise BackendError(f"it answered status {status} to a completion")
            choices: list[Json] = answer.get("choices") or [{}]
            if str(choices[0].get("text", "")).startswith(FILLING):
                return
        raise BackendError(
            f"{self._model} fills a hole in no known fill-in-the-middle format",
            "serve a model for code completion, not one for chat",
        )

    def _gives_logprobs(self) -> bool:
        """Whether asking for log-probabilities is no error there, as it is in some."""
        body: Json = {"model": self._model, "prompt": "a", "max_tokens": 1, "logprobs": 1}
        return self.ask(self.path, body | {"stream": False})[0] == 200

    def body(self, request: Complete, budget: prompt.Budget, anchors: prompt.Anchors) -> Json:
        before, after = self._without_markers(request.prefix, request.suffix)
        window, after, context = cut(replace(request, prefix=before, suffix=after), budget, anchors)
        text = self._render(request.path[-prompt.PATH :], window, after, context)
        stop = ["\n"] if request.lines == 1 else []
        return self._body(text, budget.decode, stop, stream=True)

    def read(self, event: Json) -> Said:
        if not event:
            return Said("", ended="stop")
        choices: list[Json] = event.get("choices") or [{}]
        text = str(choices[0].get("text") or "")
        why = choices[0].get("finish_reason")
        return Said(
            text,
            _logprob(choices[0].get("logprobs") or {}),
            ended=None if why is None else "length" if why == "length" else "stop",
        )

    def _render(self, path: str, prefix: str, suffix: str, context: Sequence[Snippet]) -> str:
        parts = families.parts(self.fim, path, prefix, suffix, context)
        return "".join(self._texts[p] if isinstance(p, int) else p for p in parts)

    def _body(self, text: str, most: int, stop: Sequence[str], *, stream: bool) -> Json:
        return {
            "model": self._model,
            "prompt": text,
            "max_tokens": most,
            "temperature": 0,
            "stream": stream,
            # OpenAI's own limit is four.
            "stop": [*stop, *self.fim.family.stops][:4],
        } | ({"logprobs": 1} if self._logprobs else {})

    def _without_markers(self, prefix: str, suffix: str) -> tuple[str, str]:
        """The texts around the cursor up to the next marker that a file contains."""
        for marker in self._texts.values():
            if marker in prefix:
                prefix = prefix[prefix.rfind(marker) + len(marker) :]
            suffix = suffix.split(marker, 1)[0]
        return prefix, suffix


def likeliest_first(model: str) -> list[Family]:
    """The order in which families are tried: a name is a hint, the filled hole decides."""

    def unlikely(family: Family) -> int:
        named = family.names and re.search(family.names, model.lower())
        return 0 if named else 2 if family.names else 1

    return sorted(FAMILIES, key=unlikely)


def _logprob(said: Json) -> float:
    """Of the last token, in OpenAI's own form or llama-server's; 0 where it is not said."""
    rows: list[Json] = said.get("content") or [{}]
    given: list[float | None] = said.get("token_logprobs") or [rows[-1].get("logprob")]
    return float(given[-1] or 0.0)


def _as_texts(family: Family) -> tuple[Fim, dict[int, str]]:
    """A family whose marker ids stand for their texts."""
    texts = (family.prefix, family.suffix, family.middle, family.separator)
    named = {i: text for i, text in enumerate(texts) if text is not None}
    fim = Fim(
        family=family,
        layout=family.layouts[0],
        pre=0,
        suf=1,
        mid=2 if 2 in named else None,
        sep=3 if 3 in named else None,
        rep=None,
        stops=frozenset(),
        bos=None,
    )
    return fim, named
