"""Tokens from an inference server that already runs: llama-server, or any that speaks
OpenAI's `/v1/completions` (Ollama, LM Studio, vLLM).

What stands behind the endpoint is found out by asking, never guessed from a name:
llama-server tokenises for us, so a marker that is one token is a marker; another server is
given small holes in each family's format until one is filled rightly.
"""

import contextlib
import json
import math
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, cast

import httpx2

from . import families, prompt
from .cursor import Snippet
from .engine import Answer, BackendError, Halted
from .families import Family, Fim
from .local import BLOCK_TOKENS, LINE_TOKENS, SUFFIX_SHARE, SUFFIX_TOKENS, Text
from .wire import Complete, Done, Piece, Reason, State

# A server that is there answers a question about itself at once.
PROBE_SECONDS = 10.0
# The longest that one request may stay silent; the engine's deadline comes first.
SILENCE_SECONDS = 30.0
# Where the server does not say how long its context is.
UNKNOWN_CONTEXT = 4096
CONTEXT_TOKENS = 8192


class RemoteBackend:
    """An `engine.Backend` over HTTP."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint.rstrip("/")
        self._anchors = prompt.Anchors()
        self._rates = {"prefill": 0.0, "decode": 0.0}
        self._stopper = Stopper()
        # The environment's proxies and certificates are not obeyed: only what the
        # settings name may be reached, and redirects would be another address.
        self._http = httpx2.Client(
            trust_env=False,
            follow_redirects=False,
            timeout=httpx2.Timeout(SILENCE_SECONDS, connect=PROBE_SECONDS),
            # A connection per request: closing it is how a request is cancelled.
            limits=httpx2.Limits(max_keepalive_connections=0),
        )

    def load(self, progress: Callable[[float], None]) -> None:
        self._dialect: Dialect = probe(self._http, self._endpoint)

    def describe(self, state: State) -> State:
        fim = self._dialect.fim
        return replace(
            state,
            family=fim.family.name,
            order=fim.order,
            context=self._dialect.context,
            rates={name: round(rate) for name, rate in self._rates.items()},
        )

    def interrupt(self) -> None:
        self._stopper.stop()

    def resume(self) -> None:
        self._stopper.resume()

    def complete(self, request: Complete, halted: Halted) -> Iterator[Answer]:
        dialect = self._dialect
        room = LINE_TOKENS + BLOCK_TOKENS * (request.lines - 1)
        budget = prompt.Budget(
            context=dialect.context,
            suffix=min(int(dialect.context * SUFFIX_SHARE), SUFFIX_TOKENS),
            decode=min(room, dialect.context // 4),
        )
        tokens = {"prefill": 0, "reused": 0, "decoded": 0}
        ms = {"prefill": 0.0, "decode": 0.0}
        text = Text(request.lines)
        reason: Reason = "length"
        began = time.monotonic()
        first: float | None = None
        with _one_line_errors(self._endpoint):
            body = dialect.body(request, budget, self._anchors)
            try:
                for chunk in self._stream(dialect.path, body):
                    said = dialect.read(chunk)
                    first = first or time.monotonic()
                    tokens["decoded"] += bool(said.text)
                    if shown := text.add(said.text.encode("utf-8", "replace")):
                        yield Piece(request.id, shown, round(said.logprob, 4))
                    tokens |= said.tokens
                    if why := halted():
                        reason = why
                        break
                    if text.full or said.stopped:
                        reason = "stop"
                        break
            except httpx2.HTTPError:
                if not self._stopper.stopped:
                    raise
                reason = halted() or "cancelled"
        now = time.monotonic()
        ms["prefill"] = round(((first or now) - began) * 1000, 2)
        ms["decode"] = round((now - (first or now)) * 1000, 2)
        yield Done(request.id, reason, tokens=tokens, ms=ms)

    def _stream(self, path: str, body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        """The JSON objects of a stream of server-sent events."""
        url = self._endpoint + path
        request = self._http.build_request(
            "POST", url, json=body, extensions={"trace": self._stopper.watch}
        )
        response = self._http.send(request, stream=True)
        with contextlib.closing(response):
            if response.status_code != 200:
                raise BackendError(f"{url} answered status {response.status_code}")
            for line in response.iter_lines():
                if line.startswith("data:") and line[5:].strip() != "[DONE]":
                    yield cast(dict[str, Any], json.loads(line[5:]))


class Stopper:
    """Ends the connection in use, from any thread, wherever its reader waits."""

    def __init__(self) -> None:
        self.stopped = False
        self._socket: socket.socket | None = None

    def watch(self, event: str, info: Mapping[str, Any]) -> None:
        """httpx2's trace extension: learn of the socket when it is connected."""
        if event == "connection.connect_tcp.complete":
            self._socket = info["return_value"].get_extra_info("socket")
            if self.stopped:
                self.stop()

    def stop(self) -> None:
        self.stopped = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def resume(self) -> None:
        self.stopped, self._socket = False, None


@dataclass(frozen=True, slots=True)
class Said:
    """One event of a stream.  `tokens` is given at the end, by servers that count."""

    text: str
    logprob: float = 0.0
    stopped: bool = False
    tokens: dict[str, int] = field(default_factory=dict[str, int])


class Dialect(Protocol):
    """How one kind of server is asked and what its events mean."""

    fim: Fim
    context: int
    path: str

    def body(
        self, request: Complete, budget: prompt.Budget, anchors: prompt.Anchors
    ) -> dict[str, Any]: ...

    def read(self, chunk: Mapping[str, Any]) -> Said: ...


def probe(http: httpx2.Client, endpoint: str) -> Dialect:
    """Find out what the endpoint is.  Raises BackendError with what to do."""
    with _one_line_errors(endpoint):
        if not endpoint.endswith("/v1"):
            answer = http.get(f"{endpoint}/props", timeout=PROBE_SECONDS)
            if answer.status_code == 200:
                return LlamaServer(http, endpoint, answer.json())
        base = endpoint.removesuffix("/v1")
        answer = http.get(f"{base}/v1/models", timeout=PROBE_SECONDS)
        if answer.status_code != 200:
            raise BackendError(
                f"{endpoint} is neither llama-server nor OpenAI-compatible "
                f"(status {answer.status_code})",
                "start llama-server, Ollama or LM Studio there",
            )
        served = [row["id"] for row in answer.json().get("data", [])]
        if not served:
            raise BackendError(f"{endpoint} serves no model", "load one there")
        return OpenAI(http, base, served[0], prefix=endpoint.endswith("/v1"))


class LlamaServer:
    """llama-server: prompts as token ids, so that no text is taken for a marker."""

    path = "/completion"

    def __init__(self, http: httpx2.Client, endpoint: str, props: Mapping[str, Any]) -> None:
        self._http = http
        self._endpoint = endpoint
        self._tokens: dict[tuple[str, bool], list[int]] = {}
        settings = cast(dict[str, Any], props.get("default_generation_settings") or {})
        self.context = min(int(settings.get("n_ctx") or UNKNOWN_CONTEXT), CONTEXT_TOKENS)
        name = str(props.get("model_path") or props.get("model_alias") or "")
        added = self._tokenized("", special=True, add=True)
        self.metadata = {
            "general.name": name.rsplit("/", 1)[-1],
            "tokenizer.ggml.add_bos_token": "true" if added else "false",
        } | ({"tokenizer.ggml.bos_token_id": str(added[0])} if added else {})
        self.size = 1 << 31
        try:
            self.fim = families.fim_for(self)
        except families.NotForInfill as error:
            raise BackendError(str(error), "serve a fill-in-the-middle model") from None

    def id_of(self, token_text: str) -> int | None:
        ids = self._tokenized(token_text, special=True)
        plain = self._tokenized(token_text, special=False)
        # A marker is one token, and one that plain text does not give.
        return ids[0] if len(ids) == 1 and (ids != plain or len(plain) == 1) else None

    def tokenize(self, text: str) -> list[int]:
        return list(self._tokenized(text, special=False))

    def _tokenized(self, text: str, *, special: bool, add: bool = False) -> list[int]:
        key = (text, special)
        if add or key not in self._tokens:
            answer = self._http.post(
                f"{self._endpoint}/tokenize",
                json={"content": text, "parse_special": special, "add_special": add},
            )
            if answer.status_code != 200:
                raise BackendError(f"{self._endpoint} does not tokenise")
            if add:
                return cast(list[int], answer.json()["tokens"])
            if len(self._tokens) > 256:
                self._tokens.clear()
            self._tokens[key] = answer.json()["tokens"]
        return self._tokens[key]

    def body(
        self, request: Complete, budget: prompt.Budget, anchors: prompt.Anchors
    ) -> dict[str, Any]:
        asked = prompt.build(
            self.fim,
            self,
            budget,
            anchors,
            path=request.path,
            prefix=request.prefix,
            suffix=request.suffix,
            context=request.context,
            heal=False,  # It cannot be told which tokens agree with half a word.
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

    def read(self, chunk: Mapping[str, Any]) -> Said:
        text = str(chunk.get("content", ""))
        if not chunk.get("stop"):
            rows = chunk.get("completion_probabilities") or [{}]
            return Said(text, float(rows[0].get("logprob", 0.0)))
        timings = chunk.get("timings") or {}
        return Said(
            text,
            stopped=chunk.get("stop_type") in ("eos", "word"),
            tokens={
                "prefill": int(timings.get("prompt_n", 0)),
                "reused": int(timings.get("cache_n", 0)),
                "decoded": int(timings.get("predicted_n", 0)),
            },
        )


# A hole that a fill-in-the-middle model fills in one way only, and what fills it.
HOLE = ("def double(number):\n    return number * 2\n\n\ndef triple(", "):\n    return number * 3\n")
FILLING = "number"


class OpenAI:
    """`/v1/completions`: the prompt is a text, and markers in it become tokens there."""

    def __init__(self, http: httpx2.Client, base: str, model: str, prefix: bool) -> None:
        self.path = "/completions" if prefix else "/v1/completions"
        self._model = model
        self.context = UNKNOWN_CONTEXT
        for family in families.FAMILIES:
            self.fim, self._texts = _as_texts(family)
            body = self._body(self._render("double.py", *HOLE, ()), 8, ["\n"], stream=False)
            answer = http.post(f"{base}/v1/completions", json=body)
            if answer.status_code != 200:
                raise BackendError(
                    f"{base} answered status {answer.status_code} to a completion"
                )
            choices = answer.json().get("choices") or [{}]
            if str(choices[0].get("text", "")).strip() == FILLING:
                return
        raise BackendError(
            f"{model} at {base} fills a hole in no known fill-in-the-middle format",
            "serve a model for code completion, not one for chat",
        )

    def body(
        self, request: Complete, budget: prompt.Budget, anchors: prompt.Anchors
    ) -> dict[str, Any]:
        # Without a tokenizer a token counts as three characters, which is on the safe
        # side for source code.
        estimate = _Estimate()
        before, after = _without_markers(self._texts, request.prefix, request.suffix)
        after = prompt.cut_suffix(after, estimate, budget.suffix)
        room = budget.prompt - len(estimate.tokenize(after)) - 64
        window = prompt.cut_prefix(before, estimate, room, anchors.of(request.path))
        anchors.remember(request.path, window)
        text = self._render(request.path, window, after, request.context)
        return self._body(text, budget.decode, ["\n"] if request.lines == 1 else [], True)

    def _render(
        self, path: str, prefix: str, suffix: str, context: Sequence[Snippet]
    ) -> str:
        parts = families.parts(self.fim, path, prefix, suffix, context)
        return "".join(self._texts[p] if isinstance(p, int) else p for p in parts)

    def _body(
        self, text: str, most: int, stop: Sequence[str], stream: bool
    ) -> dict[str, Any]:
        return {
            "model": self._model,
            "prompt": text,
            "max_tokens": most,
            "temperature": 0,
            "stream": stream,
            "stop": [*stop, *self.fim.family.stops][:4],
        }

    def read(self, chunk: Mapping[str, Any]) -> Said:
        choice = (chunk.get("choices") or [{}])[0]
        return Said(
            str(choice.get("text") or ""), stopped=choice.get("finish_reason") == "stop"
        )


class _Estimate:
    """A vocabulary that only counts."""

    size = 0
    metadata: Mapping[str, str] = {}

    def id_of(self, token_text: str) -> int | None:
        return None

    def tokenize(self, text: str) -> list[int]:
        return [0] * math.ceil(len(text) / 3)


def _as_texts(family: Family) -> tuple[Fim, dict[int, str]]:
    """A family whose marker ids stand for their texts."""
    texts = [family.prefix, family.suffix, family.middle, family.separator]
    ids = [None if text is None else i for i, text in enumerate(texts)]
    fim = Fim(
        family=family,
        layout=family.layouts[0],
        pre=0,
        suf=1,
        mid=ids[2],
        sep=ids[3],
        rep=None,
        stops=frozenset(),
        bos=None,
    )
    return fim, {i: text for i, text in enumerate(texts) if text is not None}


def _without_markers(
    texts: Mapping[int, str], prefix: str, suffix: str
) -> tuple[str, str]:
    """The texts around the cursor up to the next marker that a file happens to contain."""
    for marker in texts.values():
        prefix = prefix[prefix.rfind(marker) + len(marker) :] if marker in prefix else prefix
        suffix = suffix.split(marker, 1)[0]
    return prefix, suffix


@contextlib.contextmanager
def _one_line_errors(endpoint: str) -> Iterator[None]:
    try:
        yield
    except httpx2.HTTPError as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BackendError(
            f"{endpoint} cannot be reached: {reason}",
            "start the server there, or `wicket model use wicket-base`",
        ) from None
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise BackendError(
            f"{endpoint} answered something unexpected ({type(error).__name__})"
        ) from None
