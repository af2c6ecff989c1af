"""Answers as Anthropic's Messages API streams them, byte for byte, whole and broken."""

import json
import re
from typing import Any

from .wire import head, refusal


def event(kind: str, **members: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | members)}\n\n".encode()


def start(model: str = "claude-2026") -> bytes:
    usage = {"input_tokens": 4, "cache_creation_input_tokens": 2}
    usage |= {"cache_read_input_tokens": 5, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": model}
    message |= {"content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    return event("message_start", message=message)


def text(index: int, *pieces: str) -> bytes:
    block = {"type": "text", "text": ""}
    deltas = [
        event("content_block_delta", index=index, delta={"type": "text_delta", "text": piece})
        for piece in pieces
    ]
    return b"".join(
        (
            event("content_block_start", index=index, content_block=block),
            event("ping"),
            *deltas,
            event("content_block_stop", index=index),
        )
    )


def tool(index: int, number: str, name: str, *pieces: str) -> bytes:
    block = {"type": "tool_use", "id": number, "name": name, "input": {}}
    deltas = [
        event(
            "content_block_delta",
            index=index,
            delta={"type": "input_json_delta", "partial_json": piece},
        )
        for piece in pieces
    ]
    begun = event("content_block_start", index=index, content_block=block)
    return begun + b"".join(deltas) + event("content_block_stop", index=index)


def thought(index: int) -> bytes:
    block = {"type": "thinking", "thinking": "", "signature": ""}
    deltas = (
        {"type": "thinking_delta", "thinking": "hm"},
        {"type": "signature_delta", "signature": "c2ln"},
    )
    begun = event("content_block_start", index=index, content_block=block)
    grown = b"".join(event("content_block_delta", index=index, delta=d) for d in deltas)
    return begun + grown + event("content_block_stop", index=index)


def end(reason: str = "end_turn") -> bytes:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return event("message_delta", delta=delta, usage={"output_tokens": 7}) + event("message_stop")


HEAD = head().replace(b"x-request-id", b"request-id")
STREAM = start() + text(0, "Hello", " world") + end()
CHUNKED = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in re.findall(rb"(?s).{1,7}", STREAM))
OVERLOADED = {"type": "overloaded_error", "message": "Overloaded"}

# By name, as in `provider.ANSWERS`.
ANSWERS: dict[str, list[bytes | None]] = {
    f"claude {name}": pieces
    for name, pieces in {
        "whole": [HEAD + STREAM],
        "in pieces": [HEAD, *(STREAM[i : i + 1] for i in range(len(STREAM)))],
        "chunked": [
            head("200 OK", "text/event-stream", "Transfer-Encoding: chunked"),
            CHUNKED + b"0\r\n\r\n",
        ],
        "unknown kinds": [
            HEAD + start() + event("weather", sun=True) + text(0, "Hello", " world") + end()
        ],
        "tools": [
            HEAD + start() + text(0, "Let me see. "),
            tool(1, "toolu_1", "read", '{"path": ', '"src/b.py"}') + end("tool_use"),
        ],
        "two tools": [
            HEAD + start() + thought(0) + tool(1, "toolu_1", "read", '{"path": "src/b.py"}'),
            tool(2, "toolu_2", "search", '{"text": "x"}') + end("tool_use"),
        ],
        "twin tools": [
            HEAD + start() + tool(0, "call_1", "read", '{"path": "src/b.py"}'),
            tool(1, "call_1", "read", '{"path": "src/c.py"}') + end("tool_use"),
        ],
        "odd tools": [
            HEAD + start() + tool(0, "toolu_1", "shell", '{"command": "id"}'),
            tool(1, "toolu_2", "read", "[3]") + end("tool_use"),
        ],
        "broken tool": [HEAD + start() + tool(0, "toolu_1", "read", '{"path": ') + end("tool_use")],
        "overload": [
            refusal("529 Overloaded", "Overloaded", "request-id: req-1").replace(
                b"x-request-id: req-1\r\n", b""
            )
        ],
        "unauthorized": [refusal("401 Unauthorized", "invalid x-api-key")],
        "too many": [refusal("429 Too Many Requests", "slow down", "retry-after: 1")],
        "should retry": [refusal("500 Oops", "again", "x-should-retry: true")],
        "not json": [head("500 Oops", "text/html", "Content-Length: 4") + b"<p>x"],
        "redirect": [head("307 Temporary", "text/plain", "Location: /v1/messages")],
        "overloaded event": [
            HEAD + start() + text(0, "Hel") + event("error", error=OVERLOADED)
        ],
        "broken event": [HEAD + start() + text(0, "Hel") + b"event: message_delta\ndata: {no\n\n"],
        "odd event": [HEAD + b'event: message_start\ndata: {"type": "message_start"}\n\n'],
        "list event": [HEAD + start() + b"event: message_delta\ndata: [1]\n\n"],
        "odd index": [
            HEAD + start() + event(
                "content_block_delta", index=-1, delta={"type": "text_delta", "text": "x"}
            )
        ],
        "odd usage": [
            HEAD + start() + event("message_delta", delta={}, usage={"output_tokens": 10**400})
        ],
        "not unicode": [HEAD + start() + b"event: ping\ndata: \xff\xfe\n\n"],
        "cut": [HEAD + start() + text(0, "Hel")],
        "cut tool": [HEAD + start() + tool(0, "toolu_1", "read", '{"path": "src/b.py"}')],
        "wrong length": [
            head("200 OK", "text/event-stream", "Content-Length: 9999") + start() + text(0, "Hel")
        ],
        "wrong type": [head("200 OK", "text/plain") + b"hello"],
        "silent": [None],
        "stalls": [HEAD + start() + text(0, "Hel"), None, end()],
        "endless": [HEAD + start() + text(0, *["x" * 60_000] * 200)],
    }.items()
}  # fmt: skip
