"""OpenAI-compatible chat completions: vLLM, TGI, TensorRT-LLM, Ollama, and hosted ones.

`POST {base_url}/chat/completions`, streamed as server-sent events whose data are JSON
chunks and, at last, `[DONE]`, which some servers leave out.
"""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, cast

import httpx2

from ..conversation import SYSTEM, Conversation
from ..tools import TOOLS
from .provider import Call, Ended, Event, Provider, ProviderError, Text, Usage, count, printable
from .services import service

MOST_CALLS = 64


async def converse(
    provider: Provider, conversation: Conversation, agent: str, http: httpx2.AsyncClient
) -> AsyncGenerator[Event, None]:
    """One request and the events of its answer.  Raises ProviderError."""
    async for event in exchanged(provider, _body(provider, conversation), agent, http):
        yield event


async def exchanged(
    provider: Provider, said: Mapping[str, Any], agent: str, http: httpx2.AsyncClient
) -> AsyncGenerator[Event, None]:
    """This body, and the events of its answer.  Raises ProviderError."""
    headers = {"accept": "text/event-stream", "content-type": "application/json"}
    headers["user-agent"] = agent
    if provider.key:
        headers["authorization"] = f"Bearer {provider.key}"
    body = json.dumps(said, separators=(",", ":")).encode()
    url = f"{provider.base_url}/chat/completions"
    request = http.build_request("POST", url, headers=headers, content=body)
    response = await http.send(request, stream=True)
    try:
        async for event in _read(response):
            yield event
    finally:
        await response.aclose()


def _body(provider: Provider, conversation: Conversation) -> Mapping[str, Any]:
    messages: list[object] = [{"role": "system", "content": SYSTEM}]
    messages += [{"role": role, "content": text} for role, text in conversation.spoken]
    for done in conversation.rounds:
        messages.append(done.turn)
        messages += [
            {"role": "tool", "tool_call_id": result.id, "content": result.text}
            for result in done.results
        ]
    body: dict[str, Any] = {
        "model": provider.model,
        "messages": messages,
        "stream": True,
    }
    if service(provider.host).usage_asked:
        body["stream_options"] = {"include_usage": True}
    if conversation.task.tools:
        functions = [
            {"name": tool.name, "description": tool.meaning, "parameters": tool.parameters}
            for tool in (TOOLS[name] for name in conversation.task.tools)
        ]
        body["tools"] = [{"type": "function", "function": function} for function in functions]
    return body


async def _read(response: httpx2.Response) -> AsyncGenerator[Event, None]:
    if response.status_code != 200:
        status = response.status_code
        said = await _words(response)
        raise ProviderError(f"the provider answered status {status}", said, status)
    finish, model, said = "", None, ""
    done, calls = False, list[dict[str, Any]]()
    async for event in httpx2.EventSource(response):
        if done := event.data == "[DONE]":
            break
        chunk = _chunk(event.data)
        try:
            model = str(chunk.get("model") or "") or model
            for choice in chunk.get("choices") or ():
                delta: dict[str, Any] = choice.get("delta") or {}
                if text := _content(delta.get("content")):
                    said += text
                    yield Text(text)
                pieces: Any = delta.get("tool_calls") or ()
                # TGI before 3.0 names one, and no list of them.
                one: list[Any] = [pieces] if isinstance(pieces, dict) else list(pieces)
                for piece in one:
                    _grow(calls, piece)
                finish = str(choice.get("finish_reason") or finish)
            if usage := chunk.get("usage"):
                details: dict[str, Any] = usage.get("prompt_tokens_details") or {}
                cached = count(details.get("cached_tokens") or 0)
                yield Usage(
                    count(usage["prompt_tokens"]), count(usage["completion_tokens"]), cached
                )
        except (AttributeError, KeyError, TypeError, ValueError):
            raise ProviderError("an event of the stream has an unknown form") from None
    # Without the last word a reason to stop is one: TGI before 2.2 says no more.
    if not done and not finish:
        raise ProviderError("the stream broke off before its end")
    for call in calls:
        yield Call(call["id"], call["name"], call["arguments"])
    yield Ended(finish, model, _turn(said, calls))


def _content(content: object) -> str:
    """The text of a delta: as such, or Mistral's list of parts, of which some are thoughts."""
    if isinstance(content, list):
        parts = cast(list[dict[str, Any]], content)
        return "".join(str(part["text"]) for part in parts if part["type"] == "text")
    return str(content or "")


def _grow(calls: list[dict[str, Any]], piece: dict[str, Any]) -> None:
    """Take in a piece of a call; its id and name come with the first."""
    function: dict[str, Any] = piece.get("function") or {}
    name, number = str(function.get("name") or ""), str(piece.get("id") or "")
    index = None if piece.get("index") is None else count(piece["index"])
    call = _continued(calls, index, number, name)
    if call is None:
        if len(calls) >= MOST_CALLS:
            raise ValueError("too many calls")
        call = dict[str, Any](index=index, id=number, name="", arguments="")
        calls.append(call)
    call["id"] = call["id"] or number or f"call-{len(calls) - 1}"
    if extra := piece.get("extra_content"):
        # Gemini signs what it thought, and takes no call back without that.
        call["extra_content"] = extra
    # Some say it with every piece.
    call["name"] += name if name != call["name"] else ""
    given = function.get("arguments") or ""
    call["arguments"] += given if isinstance(given, str) else json.dumps(given)


def _continued(
    calls: Sequence[dict[str, Any]], index: int | None, number: str, name: str
) -> dict[str, Any] | None:
    """The call that a piece goes on with, or None where it begins one.

    Servers leave the index out, or give every call the same one: what has a name and an id
    of its own is a call of its own.
    """
    if index is None:
        mine = [call for call in calls if number and call["id"] == number]
        mine = mine or ([] if name else list(calls[-1:]))
    else:
        mine = [call for call in calls if call["index"] == index]
        if mine and name and number and mine[-1]["name"] and mine[-1]["id"] != number:
            return None
    return mine[-1] if mine else None


def _turn(said: str, calls: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    turn: dict[str, Any] = {"role": "assistant", "content": said}
    if calls:
        turn["tool_calls"] = [
            {
                "id": call["id"],
                "type": "function",
                "function": {"name": call["name"], "arguments": call["arguments"]},
                **{name: call[name] for name in ("extra_content",) if name in call},
            }
            for call in calls
        ]
    return turn


def _chunk(data: str) -> Mapping[str, Any]:
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        raise ProviderError("an event of the stream is not JSON") from None
    if not isinstance(said, dict):
        raise ProviderError("an event of the stream is no JSON object")
    chunk = cast(dict[str, Any], said)
    if chunk.get("error") or chunk.get("object") == "error":
        raise ProviderError("the provider broke off", _message(chunk))
    return chunk


async def _words(response: httpx2.Response) -> str:
    content = await response.aread()
    try:
        return _message(json.loads(content))
    except (ValueError, RecursionError):
        return ""


def _message(said: Any) -> str:
    """The words of a refusal, as one printable line; empty where there are none.

    `{"error": {"message": ...}}`, in a list with Gemini, without the first with Mistral,
    TensorRT-LLM and vLLM before 0.10, in words with TGI; `{"detail": ...}` with Triton.
    """
    for _ in range(5):
        if isinstance(said, list):
            said = next(iter(cast(list[Any], said)), None)
        elif isinstance(said, dict):
            body = cast(dict[str, Any], said)
            said = next(filter(None, map(body.get, ("error", "message", "detail", "msg"))), None)
    return printable(said)
