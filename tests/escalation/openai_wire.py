"""Answers as OpenAI's Responses API streams them, byte for byte, whole and broken."""

import itertools
import json
import re
from typing import Any

from .wire import head, refusal

NUMBERS = itertools.count()


def event(kind: str, **members: Any) -> bytes:
    body = {"type": kind, "sequence_number": next(NUMBERS)} | members
    return f"event: {kind}\ndata: {json.dumps(body)}\n\n".encode()


def response(status: str, output: list[Any], **members: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"id": "resp_1", "object": "response", "created_at": 1_760_000_000}
    made |= {"status": status, "model": "gpt-2026", "output": output, "store": False}
    made |= {"error": None, "incomplete_details": None, "usage": None, "tools": []}
    made |= {
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "text": {"format": {"type": "text"}},
    }
    return made | members


USAGE = {
    "input_tokens": 11,
    "input_tokens_details": {"cached_tokens": 5},
    "output_tokens": 7,
    "output_tokens_details": {"reasoning_tokens": 3},
    "total_tokens": 18,
}
START = event("response.created", response=response("in_progress", []))
START += event("response.in_progress", response=response("in_progress", []))


def text(index: int, *pieces: str) -> bytes:
    where = {"item_id": f"msg_{index}", "output_index": index, "content_index": 0}
    item = {"id": f"msg_{index}", "type": "message", "status": "in_progress"}
    item |= {"role": "assistant", "content": []}
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
    whole = part | {"text": "".join(pieces)}
    return b"".join(
        (
            event("response.output_item.added", output_index=index, item=item),
            event("response.content_part.added", part=part, **where),
            *(
                event("response.output_text.delta", delta=p, logprobs=[], obfuscation="x", **where)
                for p in pieces
            ),
            event("response.output_text.done", text="".join(pieces), logprobs=[], **where),
            event("response.content_part.done", part=whole, **where),
            event(
                "response.output_item.done",
                output_index=index,
                item=item | {"status": "completed", "content": [whole]},
            ),
        )
    )


def tool(index: int, number: str, name: str, *pieces: str) -> bytes:
    where = {"item_id": f"fc_{index}", "output_index": index}
    item = {"id": f"fc_{index}", "type": "function_call", "status": "in_progress"}
    item |= {"call_id": number, "name": name, "arguments": ""}
    whole = "".join(pieces)
    return b"".join(
        (
            event("response.output_item.added", output_index=index, item=item),
            *(event("response.function_call_arguments.delta", delta=p, **where) for p in pieces),
            event("response.function_call_arguments.done", arguments=whole, **where),
            event(
                "response.output_item.done",
                output_index=index,
                item=item | {"status": "completed", "arguments": whole},
            ),
        )
    )


def thought(index: int, sealed: str | None = "gAAAA") -> bytes:
    item: dict[str, Any] = {"id": f"rs_{index}", "type": "reasoning", "summary": []}
    added = event("response.output_item.added", output_index=index, item=item)
    if sealed:
        item["encrypted_content"] = sealed
    return added + event("response.output_item.done", output_index=index, item=item)


def end(**members: Any) -> bytes:
    made = response("completed", [], usage=USAGE) | members
    return event(f"response.{made['status']}", response=made)


STREAM = START + text(0, "Hello", " world") + end()
CHUNKED = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in re.findall(rb"(?s).{1,7}", STREAM))
FAILED = {"code": "server_error", "message": "The model failed"}
CUT_OFF = {"reason": "max_output_tokens"}

# By name, as in `provider.ANSWERS`.
ANSWERS: dict[str, list[bytes | None]] = {
    f"openai {name}": pieces
    for name, pieces in {
        "whole": [head() + STREAM],
        "in pieces": [head(), *(STREAM[i : i + 1] for i in range(len(STREAM)))],
        "chunked": [
            head("200 OK", "text/event-stream", "Transfer-Encoding: chunked"),
            CHUNKED + b"0\r\n\r\n",
        ],
        "unknown kinds": [
            head() + START + event("response.weather", sun=True),
            text(0, "Hello", " world") + end(),
        ],
        "refusal": [
            head() + START,
            event("response.refusal.delta", delta="Hello", item_id="m", output_index=0,
                  content_index=0),
            event("response.refusal.delta", delta=" world", item_id="m", output_index=0,
                  content_index=0),
            end(),
        ],
        "incomplete": [
            head() + START + text(0, "Hello", " world"),
            end(status="incomplete", incomplete_details=CUT_OFF),
        ],
        "tools": [
            head() + START + text(0, "Let me see. "),
            tool(1, "call_1", "read", '{"path": ', '"src/b.py"}') + end(),
        ],
        "two tools": [
            head() + START + thought(0) + tool(1, "call_1", "read", '{"path": "src/b.py"}'),
            thought(2, None) + tool(3, "call_2", "search", '{"text": "x"}') + end(),
        ],
        "twin tools": [
            head() + START + tool(0, "call_1", "read", '{"path": "src/b.py"}'),
            tool(1, "call_1", "read", '{"path": "src/c.py"}') + end(),
        ],
        "odd tools": [
            head() + START + tool(0, "call_1", "shell", '{"command": "id"}'),
            tool(1, "call_2", "read", "[3]") + end(),
        ],
        "overload": [refusal("503 Overloaded", "The engine is overloaded")],
        "unauthorized": [refusal("401 Unauthorized", "Incorrect API key provided")],
        "too many": [refusal("429 Too Many Requests", "Rate limit reached", "retry-after: 1")],
        "should retry": [refusal("500 Oops", "again", "x-should-retry: true")],
        "not json": [head("500 Oops", "text/html", "Content-Length: 4") + b"<p>x"],
        "redirect": [head("307 Temporary", "text/plain", "Location: /v1/responses")],
        "failed": [head() + START + text(0, "Hel") + end(status="failed", error=FAILED)],
        "error event": [
            head() + START + text(0, "Hel"),
            event("error", code="rate_limit_exceeded", message="slow down", param=None),
        ],
        "nested error": [
            head() + START + text(0, "Hel"),
            event("error", error={"code": "rate_limit_exceeded", "message": "slow down"}),
        ],
        "broken event": [
            head() + START + text(0, "Hel") + b"event: response.output_text.delta\ndata: {no\n\n"
        ],
        "odd event": [head() + event("response.completed")],
        "odd delta": [head() + START + event("response.output_text.delta", delta=3)],
        "list event": [head() + START + b"event: error\ndata: [1]\n\n"],
        "odd usage": [head() + START + end(usage=USAGE | {"input_tokens": 10**400})],
        "not unicode": [head() + START + b"event: error\ndata: \xff\xfe\n\n"],
        "cut": [head() + START + text(0, "Hel")],
        "cut tool": [head() + START + tool(0, "call_1", "read", '{"path": "src/b.py"}')],
        "wrong length": [
            head("200 OK", "text/event-stream", "Content-Length: 99999") + START + text(0, "Hel")
        ],
        "wrong type": [head("200 OK", "text/plain") + b"hello"],
        "silent": [None],
        "stalls": [head() + START + text(0, "Hel"), None, end()],
        "endless": [head() + START + text(0, *["x" * 60_000] * 200)],
    }.items()
}  # fmt: skip
