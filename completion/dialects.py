"""The languages of inference servers: how each is asked, and what its answers mean.

What stands behind an endpoint is found out by asking, never guessed from a name:
llama-server tokenises for us, so a marker that is one token is a marker; any other server
is given a small hole in each family's format until one is filled rightly.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from . import families, prompt
from .cursor import Snippet
from .engine import BackendError
from .families import Fim
from .formats import FAMILIES, Family
from .wire import Complete

Json = dict[str, Any]
# Asks a path of the server: GET without a body, POST with one; status and JSON object.
Ask = Callable[[str, Json | None], tuple[int, Json]]

# Where the server does not say how long its context is.
UNKNOWN_CONTEXT = 4096
CONTEXT_TOKENS = 8192
# Texts whose tokens are remembered.
TOKENIZED_TEXTS = 256


@dataclass(frozen=True, slots=True)
class Said:
    """One event of a stream.  `tokens` is given at the end, by servers that count."""

    text: str
    logprob: float = 0.0
    stopped: bool = False
    tokens: dict[str, int] = field(default_factory=dict[str, int])


class Dialect(Protocol):
    """`path` is where completions are asked for."""

    fim: Fim
    context: int
    path: str
    about: str

    def body(self, request: Complete, budget: prompt.Budget, anchors: prompt.Anchors) -> Json: ...

    def read(self, event: Json) -> Said: ...


def probe(ask: Ask, openai_only: bool) -> Dialect:
    """Find out what answers.  Raises BackendError with what to do."""
    if not openai_only:
        status, props = ask("/props", None)
        if status == 200:
            return LlamaServer(ask, props)
    status, answer = ask("/v1/models", None)
    if status != 200:
        raise BackendError(
            f"it is neither llama-server nor OpenAI-compatible (status {status})",
            "start llama-server, Ollama or LM Studio there",
        )
    served = [str(row["id"]) for row in answer.get("data", [])]
    if not served:
        raise BackendError("it serves no model", "load one there")
    return OpenAI(ask, served[0])


class LlamaServer:
    """llama-server: prompts as token ids, so that no text is taken for a marker.

    Satisfies `families.Vocabulary` by asking the server to tokenise.
    """

    path = "/completion"

    def __init__(self, ask: Ask, props: Json) -> None:
        self._ask = ask
        self._tokens: dict[tuple[str, bool], list[int]] = {}
        settings: Json = props.get("default_generation_settings") or {}
        self.context = min(int(settings.get("n_ctx") or UNKNOWN_CONTEXT), CONTEXT_TOKENS)
        name = str(props.get("model_path") or props.get("model_alias") or "a model")
        name = name.rsplit("/", 1)[-1]
        self.about = f"llama-server with {name}"
        self.size = 1 << 31
        first = self._tokenized("", special=True, add=True)
        self.metadata: Mapping[str, str] = {
            "general.name": name,
            "tokenizer.ggml.add_bos_token": "true" if first else "false",
        }
        if first:
            self.metadata |= {"tokenizer.ggml.bos_token_id": str(first[0])}
        try:
            self.fim = families.fim_for(self)
        except families.NotForInfill as error:
            raise BackendError(str(error), "serve a fill-in-the-middle model") from None

    def id_of(self, token_text: str) -> int | None:
        ids = self._tokenized(token_text, special=True)
        return ids[0] if len(ids) == 1 else None

    def tokenize(self, text: str) -> list[int]:
        key = (text, False)
        if key not in self._tokens:
            if len(self._tokens) >= TOKENIZED_TEXTS:
                self._tokens.clear()
            self._tokens[key] = self._tokenized(text, special=False)
        return list(self._tokens[key])

    def _tokenized(self, text: str, *, special: bool, add: bool = False) -> list[int]:
        wanted = {"content": text, "parse_special": special, "add_special": add}
        status, answer = self._ask("/tokenize", wanted)
        if status != 200:
            raise BackendError(f"it does not tokenise (status {status})")
        return [int(token) for token in answer["tokens"]]

    def body(self, request: Complete, budget: prompt.Budget, anchors: prompt.Anchors) -> Json:
        asked = prompt.build(
            self.fim,
            self,
            budget,
            anchors,
            path=request.path,
            prefix=request.prefix,
            suffix=request.suffix,
            context=request.context,
            heal=False,  # The server cannot be told which tokens agree with half a word.
        )
        return {
            "prompt": asked.ids,
            "n_predict": budget.decode,
            "temperature": 0,
            "cache_prompt": True,
            "stream": True,
            "n_probs": 1,
            "stop": ["\n"] if request.lines == 1 else [],
        }

    def read(self, event: Json) -> Said:
        text = str(event.get("content", ""))
        if not event.get("stop"):
            rows: list[Json] = event.get("completion_probabilities") or [{}]
            return Said(text, float(rows[0].get("logprob", 0.0)))
        timings: Json = event.get("timings") or {}
        return Said(
            text,
            stopped=event.get("stop_type") in ("eos", "word"),
            tokens={
                "prefill": int(timings.get("prompt_n", 0)),
                "reused": int(timings.get("cache_n", 0)),
                "decoded": int(timings.get("predicted_n", 0)),
            },
        )


# A hole that a fill-in-the-middle model fills in one way only, and what fills it.
HOLE = (
    "def double(number):\n    return number * 2\n\n\ndef triple(num",
    "):\n    return number * 3\n",
)
FILLING = "ber"


class OpenAI:
    """`/v1/completions`: the prompt is a text, and markers in it become tokens there."""

    path = "/v1/completions"
    context = UNKNOWN_CONTEXT

    def __init__(self, ask: Ask, model: str) -> None:
        self._model = model
        self.about = model
        for family in FAMILIES:
            self.fim, self._texts = _as_texts(family)
            text = self._render("numbers.py", *HOLE, ())
            status, answer = ask(self.path, self._body(text, 8, ["\n"], stream=False))
            if status != 200:
                raise BackendError(f"it answered status {status} to a completion")
            choices: list[Json] = answer.get("choices") or [{}]
            if str(choices[0].get("text", "")).startswith(FILLING):
                return
        raise BackendError(
            f"{model} fills a hole in no known fill-in-the-middle format",
            "serve a model for code completion, not one for chat",
        )

    def body(self, request: Complete, budget: prompt.Budget, anchors: prompt.Anchors) -> Json:
        estimate = _Estimate()
        before, after = self._without_markers(request.prefix, request.suffix)
        after = prompt.cut_suffix(after, estimate, budget.suffix)
        room = budget.prompt - len(estimate.tokenize(after + request.path)) - 16
        window = prompt.cut_prefix(before, estimate, room, anchors.of(request.path))
        anchors.remember(request.path, window)
        text = self._render(request.path, window, after, request.context)
        stop = ["\n"] if request.lines == 1 else []
        return self._body(text, budget.decode, stop, stream=True)

    def read(self, event: Json) -> Said:
        choices: list[Json] = event.get("choices") or [{}]
        text = str(choices[0].get("text") or "")
        return Said(text, stopped=choices[0].get("finish_reason") == "stop")

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
        }

    def _without_markers(self, prefix: str, suffix: str) -> tuple[str, str]:
        """The texts around the cursor up to the next marker that a file contains."""
        for marker in self._texts.values():
            if marker in prefix:
                prefix = prefix[prefix.rfind(marker) + len(marker) :]
            suffix = suffix.split(marker, 1)[0]
        return prefix, suffix


class _Estimate:
    """A vocabulary that only counts: a token as three characters, the safe side."""

    size = 0
    metadata: Mapping[str, str] = {}

    def id_of(self, token_text: str) -> int | None:
        return None

    def tokenize(self, text: str) -> list[int]:
        return [0] * math.ceil(len(text) / 3)


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
