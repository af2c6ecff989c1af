"""Asking a provider what it can do: a handful of tiny requests that hold nothing of anybody's.

    GET /models, and /props beside /v1  ->  how much it takes in
    a streamed question with a tool     ->  tools, streaming
    one with a JSON schema              ->  schemas
    one with neither                    ->  only where both were refused

Each is a request like any other: written to the log before it leaves, with an outcome.
"""

import json
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

import httpx2

from .abilities import Abilities
from .conversation import Conversation
from .providers import compatible
from .providers.provider import Call, Ended, Event, Provider, ProviderError, Text
from .providers.services import service

# What only servers of this kind differ in; of the others it is documented.
ASKABLE = "compatible"
# Room for a model that thinks before it calls.
MOST_OUT = 256
# A larger context is a mistake: the largest that is documented today is 10 million tokens.
LARGEST_CONTEXT = 1 << 28
# How servers refuse what they do not know; 500 and 501 are llama-server's and TGI's way.
REFUSALS = (400, 422, 500, 501)

_PING: Mapping[str, Any] = {
    "name": "ping",
    "description": "Answers with pong.",
    "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
}
_SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}},
    "required": ["ok"],
    "additionalProperties": False,
}
_SHAPED = {"type": "json_schema", "json_schema": {"name": "answer", "schema": _SCHEMA}}


@dataclass(frozen=True, slots=True)
class Question:
    """One request; `words` are said to the model, `more` are members of the body.

    Without words it is a GET of `path`, below the address or, with a slash, of the host.
    """

    name: str
    path: str = "chat/completions"
    words: str = ""
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])


MODELS = Question("models", "models")
PROPS = Question("props", "/props")
TOOL = Question(
    "tool", words="Call the tool ping once.",
    more={"tools": [{"type": "function", "function": _PING}]},
)  # fmt: skip
SCHEMA = Question(
    "schema", words='Answer with the JSON object {"ok": true}.', more={"response_format": _SHAPED}
)
PLAIN = Question("plain", words="Say ok.")


@dataclass(slots=True)
class Heard:
    """What came of a question: `said` is the JSON of a GET, `error` why there is no answer.

    `reached` tells that the provider answered at all, `broken` that it did so in no form of ours.
    """

    question: Question
    said: object = None
    text: str = ""
    calls: list[str] = field(default_factory=list[str])
    finish: str | None = None
    status: int | None = None
    error: str | None = None
    reached: bool = False
    broken: bool = False

    async def converse(
        self, provider: Provider, _asked: Conversation, agent: str, http: httpx2.AsyncClient
    ) -> AsyncGenerator[Event, None]:
        """The question as a wire format.  Raises ProviderError."""
        headers = {"accept": "application/json", "user-agent": agent}
        if provider.key:
            headers["authorization"] = f"Bearer {provider.key}"
        if not self.question.words:
            url = _url(provider.base_url, self.question.path)
            response = await http.get(url, headers=headers)
            self.reached = True
            if response.status_code != 200:
                self.status = response.status_code
                raise ProviderError(f"the provider answered status {self.status}", "", self.status)
            try:
                self.said = response.json()
            except (ValueError, RecursionError):
                raise ProviderError("the answer is not JSON") from None
            yield Ended("stop", None)
            return
        try:
            body = _body(provider, self.question)
            async for event in compatible.exchanged(provider, body, agent, http):
                self.reached = True
                match event:
                    case Call():
                        # Nobody runs it: it is enough that it was asked for.
                        self.calls.append(event.name)
                        continue
                    case Text(text):
                        self.text += text
                    case Ended(finish):
                        self.finish = finish or "stop"
                    case _:
                        pass
                yield event
        except httpx2.SSEError:
            # It answered, in one piece.
            self.broken = self.reached = True
            raise
        except ProviderError as error:
            self.status = error.status
            self.broken = error.status is None and not (self.reached or error.said)
            self.reached = True
            raise

    @property
    def refused(self) -> bool:
        return self.finish is None and self.status in REFUSALS


def _url(base_url: str, path: str) -> str:
    if not path.startswith("/"):
        return f"{base_url}/{path}"
    scheme, place, *_rest = urlsplit(base_url)
    return urlunsplit((scheme, place, path, "", ""))


def _body(provider: Provider, question: Question) -> Mapping[str, Any]:
    body: dict[str, Any] = {
        "model": provider.model,
        "messages": [{"role": "user", "content": question.words}],
        "stream": True,
        "max_tokens": MOST_OUT,
    }
    if service(provider.host).usage_asked:
        body["stream_options"] = {"include_usage": True}
    return body | dict(question.more)


def following(done: Iterable[Heard], model: str) -> Question | None:
    """What is asked next, or None where no more is to be learned.  Pure."""
    heard = {one.question.name: one for one in done}
    if any(one.error and (not one.reached or one.status in (401, 403)) for one in heard.values()):
        return None
    if MODELS.name not in heard:
        return MODELS
    if context(heard[MODELS.name].said, model) is None and PROPS.name not in heard:
        return PROPS
    for question in (TOOL, SCHEMA):
        if question.name not in heard:
            return question
    both = heard[TOOL.name], heard[SCHEMA.name]
    return PLAIN if PLAIN.name not in heard and all(one.refused for one in both) else None


def found(done: Iterable[Heard], provider: Provider, when: str) -> Abilities | None:
    """What the answers tell; None where nothing was answered to the model."""
    heard = {one.question.name: one for one in done}
    spoken = [heard[q.name] for q in (TOOL, SCHEMA, PLAIN) if q.name in heard]
    answered = any(one.finish is not None for one in spoken)
    if not answered and not any(one.broken for one in spoken):
        return None
    sizes = (context(heard[q.name].said, provider.model) for q in (MODELS, PROPS)
             if q.name in heard)  # fmt: skip
    size = next((size for size in sizes if size is not None), None)
    tool, schema = heard.get(TOOL.name), heard.get(SCHEMA.name)
    return Abilities(
        provider.base_url, provider.model, when, size,
        _able(tool, "ping" in tool.calls) if tool and answered else None,
        _able(schema, _fits(schema.text)) if schema and answered else None,
        answered,
    )  # fmt: skip


def _able(one: Heard, done: bool) -> bool | None:
    """None where it was cut off before it could show it, or failed for another reason."""
    if one.finish is None:
        return False if one.refused else None
    return True if done else (None if one.finish == "length" else False)


def _fits(text: str) -> bool:
    try:
        said: object = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(said, dict) and [type(v) for v in cast(dict[str, Any], said).values()] == [
        bool
    ]


def context(said: object, model: str) -> int | None:
    """Tokens that a server's own words say it takes.

    vLLM tells `max_model_len` of each model, llama-server `n_ctx` of a slot under `/props`.
    What a model was trained for (`meta.n_ctx_train`) bounds nothing here: servers give less.
    """
    body = cast(dict[str, Any], said) if isinstance(said, dict) else {}
    rows: Any = body.get("data")
    named: list[Any] = cast(list[Any], rows) if isinstance(rows, list) else []
    models = [cast(dict[str, Any], row) for row in named if isinstance(row, dict)]
    mine = [row for row in models if row.get("id") == model] or models[: len(models) == 1]
    settings = body.get("default_generation_settings")
    slot = cast(dict[str, Any], settings) if isinstance(settings, dict) else {}
    meta: list[Any] = [row.get("meta") for row in mine]
    told = [cast(dict[str, Any], row) for row in meta if isinstance(row, dict)]
    numbers = [row.get("max_model_len") for row in mine] + [row.get("n_ctx") for row in told]
    for number in (*numbers, slot.get("n_ctx")):
        if type(number) is int and 0 < number <= LARGEST_CONTEXT:
            return number
    return None
