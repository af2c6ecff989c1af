"""Anthropic's Messages API through its official SDK, of which only the wire is used.

The SDK makes requests and reads streams.  It is given its key, its address and a client
that refuses whatever the log does not hold, and neither retries nor traces.
"""

import json
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

import anthropic
import httpx2

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

# The version of the API that `_events` understands.
VERSION = "2023-06-01"
# Tokens of the longest answer: the API wants a number, and takes no more than a model has.
MOST_OUT = 8192
# What was sent before is read from the provider's cache for a tenth of the price, so that
# rounds of tools and further questions do not pay for the documents again.
CACHED = {"type": "ephemeral"}

if TYPE_CHECKING:
    from anthropic.lib.bedrock import AsyncAnthropicBedrock
    from anthropic.lib.vertex import AsyncAnthropicVertex

    Client = anthropic.AsyncAnthropic | AsyncAnthropicBedrock | AsyncAnthropicVertex


async def converse(
    provider: Provider, conversation: Conversation, agent: str, http: httpx2.AsyncClient
) -> AsyncGenerator[Event, None]:
    """One request and the events of its answer.  Raises ProviderError."""
    key = key_of(provider)
    sdk = anthropic.AsyncAnthropic(
        api_key=key,
        base_url=provider.base_url,
        # An empty webhook key, or the environment would be asked for one.
        webhook_key="",
        **quiet(http),
    )
    wanted = {**headers(agent, key), "anthropic-version": VERSION}
    async for event in through(sdk, provider, conversation, wanted):
        yield event


def quiet(http: httpx2.AsyncClient) -> dict[str, Any]:
    """What every client of the SDK is told: our HTTP alone, one attempt, no traces."""
    return {
        "max_retries": 0,
        "timeout": http.timeout,
        "open_telemetry": {"traces": False, "propagation": False},
        "http_client": http,
    }


async def through(
    sdk: "Client",
    provider: Provider,
    conversation: Conversation,
    wanted: Mapping[str, str],
) -> AsyncGenerator[Event, None]:
    """One request with these headers, by a client that is set up.  Raises ProviderError."""
    try:
        stream = await sdk.messages.create(
            model=provider.model,
            max_tokens=MOST_OUT,
            stream=True,
            # None of the others that may leave, wherever the SDK would have them from.
            extra_headers={**dict.fromkeys(HEADERS, anthropic.Omit()), **wanted},
            **cast(
                Any, _body(conversation, CACHED if type(sdk) is anthropic.AsyncAnthropic else None)
            ),
        )
        async for event in _events(stream):
            yield event
    except anthropic.APIConnectionError as error:
        # Whatever the client raised, the log's refusal among it.
        raise error.__cause__ or error from None
    except anthropic.APIStatusError as error:
        status = error.status_code
        said = printable(error.api_message)
        if status == 200:
            kind = printable(error.type) or "an error"
            raise ProviderError(f"the provider broke off ({kind})", said) from None
        raise ProviderError(f"the provider answered status {status}", said, status) from None
    except anthropic.APIError as error:
        raise ProviderError("the answer has an unknown form", printable(error.message)) from None
    except json.JSONDecodeError:
        raise ProviderError("an event of the stream is not JSON") from None
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ProviderError("an event of the stream has an unknown form") from None


def _body(conversation: Conversation, cached: object) -> Mapping[str, Any]:
    messages: list[dict[str, Any]] = [
        {"role": role, "content": text} for role, text in conversation.spoken
    ]
    for done in conversation.rounds:
        results = [
            {"type": "tool_result", "tool_use_id": r.id, "content": r.text, "is_error": r.failed}
            for r in done.results
        ]
        messages += [
            {"role": "assistant", "content": done.turn},
            {"role": "user", "content": results},
        ]
    body: dict[str, Any] = {"system": SYSTEM, "messages": messages}
    if cached:
        # Of the whole request, as clouds do not know it.
        body["cache_control"] = cached
    if conversation.task.tools:
        body["tools"] = [
            {"name": tool.name, "description": tool.meaning, "input_schema": tool.parameters}
            for tool in (TOOLS[name] for name in conversation.task.tools)
        ]
    return body


async def _events(stream: Any) -> AsyncGenerator[Event, None]:
    """What the SDK makes of the stream, brought down to ours.

    The SDK builds its values without checking them: any attribute may be missing.
    """
    blocks = list[_Block]()
    model, finish = None, ""
    used: dict[str, int] = {}
    async for event in stream:
        match str(event.type):
            case "message_start":
                model = str(event.message.model or "") or None
                _take(used, event.message.usage)
            case "content_block_start":
                if event.index != len(blocks):
                    raise ValueError("blocks out of order")
                blocks.append(_Block(event.content_block.to_dict()))
                if (text := blocks[-1].content.get("text")) and isinstance(text, str):
                    yield Text(text)
            case "content_block_delta":
                if text := blocks[count(event.index)].grow(event.delta):
                    yield Text(text)
            case "content_block_stop":
                block = blocks[count(event.index)]
                block.close()
                if block.content["type"] == "tool_use":
                    yield Call(_text(block.content["id"]), _text(block.content["name"]), block.json)
            case "message_delta":
                finish = str(event.delta.stop_reason or "") or finish
                _take(used, event.usage)
            case "message_stop":
                read, wrote = used.get("read", 0), used.get("wrote", 0)
                yield Usage(used.get("in", 0) + read + wrote, used.get("out", 0), read, wrote)
                # The API refuses to hear of an empty text again.
                turn = [block.content for block in blocks if block.content.get("text") != ""]
                yield Ended(finish, model, turn)
                return
            case _:
                pass  # The API adds kinds of events, and asks to pass over unknown ones.
    raise ProviderError("the stream broke off before its end")


class _Block:
    """A block of the answer while it grows; `json` are the arguments of a tool."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content
        self.json = ""

    def grow(self, delta: Any) -> str:
        """Take in a piece; the text in it that is meant to be shown."""
        match delta.type:
            case "text_delta":
                text = _text(delta.text)
                self.content["text"] = _text(self.content["text"]) + text
                return text
            case "input_json_delta":
                self.json += _text(delta.partial_json)
            case "thinking_delta":
                self.content["thinking"] = self.content.get("thinking", "") + _text(delta.thinking)
            case "signature_delta":
                self.content["signature"] = _text(delta.signature)
            case _:
                pass
        return ""

    def close(self) -> None:
        if self.content["type"] == "tool_use":
            self.json = self.json or "{}"
            given: object = json.loads(self.json)
            self.content["input"] = given if isinstance(given, dict) else {}


def _take(used: dict[str, int], usage: Any) -> None:
    """The numbers of tokens, of which later events repeat some, grown."""
    names: Iterable[tuple[str, str]] = (
        ("in", "input_tokens"),
        ("out", "output_tokens"),
        ("read", "cache_read_input_tokens"),
        ("wrote", "cache_creation_input_tokens"),
    )
    for ours, theirs in names:
        if (number := getattr(usage, theirs, None)) is not None:
            used[ours] = count(number)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value
