"""OpenAI's Responses API through its official SDK, of which only the wire is used.

`store` is false in every request: the API would keep the conversation otherwise.  So each
later request repeats what was said, and brings back what the model reasoned in its sealed form.
"""

import json
from collections.abc import AsyncGenerator, Mapping
from typing import Any, cast

import httpx2
import openai

from ..conversation import SYSTEM, Conversation
from ..envelope import HEADERS
from ..tools import TOOLS
from .provider import (
    Call,
    Ended,
    Event,
    Provider,
    ProviderError,
    Text,
    Usage,
    count,
    headers,
    key_of,
    printable,
)

# Tokens of the longest answer, what is reasoned for it among them: gpt-4o takes no more.
MOST_OUT = 16_384


async def converse(
    provider: Provider, conversation: Conversation, agent: str, http: httpx2.AsyncClient
) -> AsyncGenerator[Event, None]:
    """One request and the events of its answer.  Raises ProviderError."""
    key = key_of(provider)
    sdk = client(key, provider.base_url, http)
    async for event in through(sdk, provider, conversation, headers(agent, key)):
        yield event


def client(
    key: str, base: str, http: httpx2.AsyncClient, query: Mapping[str, object] | None = None
) -> openai.AsyncOpenAI:
    """The SDK, told all that it would look for in the environment."""
    return openai.AsyncOpenAI(
        api_key=key,
        base_url=base,
        max_retries=0,
        timeout=http.timeout,
        default_query=query,
        organization="",
        project="",
        webhook_secret="",
        admin_api_key="",
        http_client=http,
    )


async def through(
    sdk: openai.AsyncOpenAI,
    provider: Provider,
    conversation: Conversation,
    wanted: Mapping[str, str],
) -> AsyncGenerator[Event, None]:
    """One request with these headers, by a client that is set up.  Raises ProviderError."""
    try:
        stream = await sdk.responses.create(
            model=provider.model,
            max_output_tokens=MOST_OUT,
            store=False,
            stream=True,
            # None of the others that may leave, wherever the SDK would have them from.
            extra_headers={**dict.fromkeys(HEADERS, openai.Omit()), **wanted},
            **cast(Any, _body(conversation)),
        )
        async for event in _events(stream):
            yield event
    except openai.APIConnectionError as error:
        # Whatever the client raised, the log's refusal among it.
        raise error.__cause__ or error from None
    except openai.APIStatusError as error:
        status, said = error.status_code, printable(_message(error.body))
        raise ProviderError(f"the provider answered status {status}", said, status) from None
    except openai.APIError as error:
        raise _broken(error.code or error.type, error.message) from None
    except json.JSONDecodeError:
        raise ProviderError("an event of the stream is not JSON") from None
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ProviderError("an event of the stream has an unknown form") from None


def _body(conversation: Conversation) -> Mapping[str, Any]:
    said: list[Any] = [{"role": role, "content": text} for role, text in conversation.spoken]
    for done in conversation.rounds:
        said += cast(list[Any], done.turn)
        said += [
            {"type": "function_call_output", "call_id": result.id, "output": result.text}
            for result in done.results
        ]
    body: dict[str, Any] = {"instructions": SYSTEM, "input": said}
    if conversation.task.tools:
        body["tools"] = [
            {
                "type": "function",
                "name": tool.name,
                "description": tool.meaning,
                "parameters": tool.parameters,
                # A strict one must have every parameter required; ours may be left out.
                "strict": False,
            }
            for tool in (TOOLS[name] for name in conversation.task.tools)
        ]
    return body


async def _events(stream: Any) -> AsyncGenerator[Event, None]:
    """What the SDK makes of the stream, brought down to ours.

    The SDK builds its values without checking them: any attribute may be missing.
    """
    turn: list[dict[str, Any]] = []
    async for event in stream:
        match str(event.type):
            case "response.output_text.delta" | "response.refusal.delta":
                if text := _text(event.delta):
                    yield Text(text)
            case "response.output_item.done":
                item: dict[str, Any] = event.item.to_dict()
                # What was reasoned and comes without its seal is kept nowhere.
                if item["type"] != "reasoning" or item.get("encrypted_content"):
                    turn.append(item)
                if item["type"] == "function_call":
                    yield Call(
                        _text(item["call_id"]), _text(item["name"]), _text(item["arguments"])
                    )
            case "response.completed" | "response.incomplete":
                ended = event.response
                if ended.usage is not None:
                    yield _usage(ended.usage)
                why = getattr(ended.incomplete_details, "reason", None)
                yield Ended(str(why or ended.status), str(ended.model or "") or None, turn)
                return
            case "response.failed":
                if event.response.usage is not None:
                    yield _usage(event.response.usage)
                why = event.response.error
                raise _broken(getattr(why, "code", None), getattr(why, "message", None))
            case "error":
                raise _broken(event.code, event.message)
            case _:
                pass  # There are dozens of kinds, and new ones come.
    raise ProviderError("the stream broke off before its end")


def _usage(usage: Any) -> Usage:
    cached = getattr(usage.input_tokens_details, "cached_tokens", None)
    return Usage(count(usage.input_tokens), count(usage.output_tokens), count(cached or 0))


def _broken(code: object, said: object) -> ProviderError:
    kind = printable(code) or "an error"
    return ProviderError(f"the provider broke off ({kind})", printable(said))


def _message(body: object) -> object:
    """`message` of a refusal; the SDK has taken its `error` out already."""
    return cast(dict[str, Any], body).get("message") if isinstance(body, dict) else None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value
