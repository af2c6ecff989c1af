"""llama-server: prompts as token ids, or its own `/infill` where it shows no tokens."""

import re
from collections.abc import Mapping, Sequence

from . import families, prompt
from .dialects import CONTEXT_TOKENS, HOLE, UNKNOWN_CONTEXT, Ask, Json, Said, cut
from .engine import BackendError
from .formats import Order
from .wire import Complete

# Texts whose tokens are remembered.
TOKENIZED_TEXTS = 256
# What could be a special token of any vocabulary: <...> without spaces, or [CAPITALS].
LIKE_A_MARKER = re.compile(r"<[^<>\s]{1,48}>|\[/?[A-Z_]{2,32}\]")


class LlamaServer:
    """llama-server: prompts with markers as token ids, so that no text is taken for one.

    Satisfies `families.Vocabulary` by asking the server to tokenise.
    """

    path = "/completion"
    ping = "/health"

    def __init__(self, ask: Ask, props: Json) -> None:
        self.ask = ask
        self._tokens: dict[str, list[int]] = {}
        self.context = context_of(props)
        name = model_name(props)
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
        self.family = self.fim.family.name
        self.order: Order = self.fim.order

    def id_of(self, token_text: str) -> int | None:
        ids = self._tokenized(token_text, special=True)
        return ids[0] if len(ids) == 1 else None

    def tokenize(self, text: str) -> list[int]:
        if text not in self._tokens:
            if len(self._tokens) >= TOKENIZED_TEXTS:
                self._tokens.clear()
            self._tokens[text] = self._tokenized(text, special=False)
        return list(self._tokens[text])

    def _tokenized(self, text: str, *, special: bool, add: bool = False) -> list[int]:
        wanted = {"content": text, "parse_special": special, "add_special": add}
        status, answer = self.ask("/tokenize", wanted)
        if status != 200:
            raise BackendError(f"it does not tokenise (status {status})")
        return [int(token) for token in answer["tokens"]]

    def body(self, request: Complete, budget: prompt.Budget, anchors: prompt.Anchors) -> Json:
        window, after, context = cut(request, budget, anchors)
        parts = families.parts(self.fim, request.path[-prompt.PATH :], window, after, context)
        return {"prompt": self._sendable(parts), **llama_options(request, budget)}

    def _sendable(self, parts: Sequence[int | str]) -> list[int | str]:
        """Ids, and texts where the server's own reading of them is the same.

        It parses markers in texts, so that whatever looks like one is tokenised without,
        which costs a round trip more.  A text at the very start would get another BOS.
        """
        texts = [part for part in parts if isinstance(part, str)]
        if isinstance(parts[0], int) and not any(LIKE_A_MARKER.search(text) for text in texts):
            return list(parts)
        return list(families.token_ids(parts, self))

    def read(self, event: Json) -> Said:
        return read_llama(event)


class Infill:
    """llama-server again, rendering the hole itself: where its tokens are not ours to see."""

    path = "/infill"
    ping = "/health"
    family = "its own"
    order: Order = "psm"

    def __init__(self, ask: Ask, props: Json) -> None:
        self.ask = ask
        self.context = context_of(props)
        self.about = f"llama-server's /infill with {model_name(props)}"

    def works(self) -> bool:
        before, after = HOLE
        body = {"input_prefix": before, "input_suffix": after, "n_predict": 2}
        return self.ask(self.path, body)[0] == 200

    def body(self, request: Complete, budget: prompt.Budget, anchors: prompt.Anchors) -> Json:
        window, after, context = cut(request, budget, anchors)
        return {
            "input_prefix": window,
            "input_suffix": after,
            "input_extra": [{"filename": s.path, "text": s.text} for s in context],
            **llama_options(request, budget),
        }

    def read(self, event: Json) -> Said:
        return read_llama(event)


def llama_options(request: Complete, budget: prompt.Budget) -> Json:
    return {
        "n_predict": budget.decode,
        "temperature": 0,
        "cache_prompt": True,
        "stream": True,
        "n_probs": 1,
        # The last event would repeat the whole prompt otherwise.
        "response_fields": ["content", "stop", "stop_type", "timings"],
        "stop": ["\n"] if request.lines == 1 else [],
    }


def read_llama(event: Json) -> Said:
    text = str(event.get("content", ""))
    if not event.get("stop"):
        rows: list[Json] = event.get("completion_probabilities") or [{}]
        return Said(text, float(rows[0].get("logprob", 0.0)))
    timings: Json = event.get("timings") or {}
    return Said(
        text,
        ended="stop" if event.get("stop_type") in ("eos", "word") else "length",
        tokens={
            "prefill": int(timings.get("prompt_n", 0)),
            "reused": int(timings.get("cache_n", 0)),
            "decoded": int(timings.get("predicted_n", 0)),
        },
    )


def model_name(props: Json) -> str:
    name = str(props.get("model_path") or props.get("model_alias") or "a model")
    return name.rsplit("/", 1)[-1]


def context_of(props: Json) -> int:
    settings: Json = props.get("default_generation_settings") or {}
    return min(int(settings.get("n_ctx") or UNKNOWN_CONTEXT), CONTEXT_TOKENS)
