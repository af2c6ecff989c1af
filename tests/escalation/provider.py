"""A provider on the loopback that speaks real wire formats, and counts every byte it gets."""

import asyncio
import gzip
import json
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from . import anthropic_wire, aws_wire, openai_wire, servers_wire
from .wire import head, refusal


def chunk(**members: Any) -> bytes:
    body = {"id": "c1", "object": "chat.completion.chunk", "model": "m-2026"} | members
    return f"data: {json.dumps(body)}\n\n".encode()


def said(text: str, finish: str | None = None) -> bytes:
    return chunk(choices=[{"index": 0, "delta": {"content": text}, "finish_reason": finish}])


def called(index: int, number: str, name: str, arguments: str) -> bytes:
    function = {"name": name, "arguments": arguments}
    call = {"index": index, "id": number, "type": "function", "function": function}
    return chunk(choices=[{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}])


def refused(body: Any) -> bytes:
    said = json.dumps(body).encode()
    return head("400 Bad", "application/json", f"Content-Length: {len(said)}") + said


USAGE = chunk(choices=[], usage={"prompt_tokens": 11, "completion_tokens": 7})
STREAM = b": ping\n\n" + said("Hello") + said(" world", "stop") + USAGE + b"data: [DONE]\n\n"

CHUNKED = b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in re.findall(rb"(?s).{1,7}", STREAM))
CHUNKED += b"0\r\n\r\n"


# What to answer, by name; None in between waits for `go`.
ANSWERS: dict[str, list[bytes | None]] = {
    "whole": [head() + STREAM],
    "in pieces": [head(), *(STREAM[i : i + 1] for i in range(len(STREAM)))],
    "chunked": [head("200 OK", "text/event-stream", "Transfer-Encoding: chunked"), CHUNKED],
    "overload": [refusal("529 Overloaded", "try\nlater")],
    "far future": [refusal("529 Overloaded", "no", f"Retry-After: 1 Jan {'9' * 30} 00:00:00 GMT")],
    "packed": [
        head("200 OK", "text/event-stream", "Content-Encoding: gzip") + gzip.compress(STREAM)
    ],
    "unauthorized": [refusal("401 Unauthorized", "bad key")],
    "not json": [head("500 Oops", "text/html", "Content-Length: 4") + b"<p>x"],
    "redirect": [head("302 Found", "text/plain", "Location: http://127.0.0.1:1/x")],
    "redirect 307": [head("307 Temporary", "text/plain", "Location: /v1/chat/completions")],
    "broken event": [head() + said("Hel") + b"data: {nope\n\n"],
    "odd event": [head() + b'data: {"choices": [3]}\n\n'],
    "error event": [head() + said("Hel") + b'data: {"error": {"message": "gone"}}\n\n'],
    "long names": [
        head() + chunk(model="m" * 99_999, choices=[{"delta": {"content": "Hel"}}]),
        chunk(choices=[{"delta": {}, "finish_reason": "\n" * 99_999}]) + b"data: [DONE]\n\n",
    ],
    "odd usage": [head() + chunk(usage={"prompt_tokens": 10**400, "completion_tokens": 1})],
    "cut": [head() + said("Hel")],
    "wrong length": [head("200 OK", "text/event-stream", "Content-Length: 9999") + said("Hel")],
    "wrong type": [head("200 OK", "text/plain") + b"hello"],
    "silent": [None],
    "stalls": [head() + said("Hel"), None, b"data: [DONE]\n\n"],
    "hangs up": [b""],
    "no http": [b"\x16\x03\x01 what?"],
    "tools": [
        head() + said("Let me see. ") + called(0, "call_1", "read", '{"path": "src/'),
        chunk(
            choices=[{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": 'b.py"}'}}]}}]
        ),
        chunk(choices=[{"delta": {}, "finish_reason": "tool_calls"}]) + USAGE + b"data: [DONE]\n\n",
    ],
    "twin tools": [
        head() + called(0, "call_1", "read", '{"path": "src/b.py"}'),
        called(1, "call_1", "read", '{"path": "src/c.py"}') + USAGE + b"data: [DONE]\n\n",
    ],
    "endless": [head() + said("x" * 60_000) * 200],
    "signed tools": [
        head() + chunk(choices=[{"index": 0, "delta": {"role": "assistant", "tool_calls": [
            {"index": 0, "id": "function-call-1", "type": "function",
             "extra_content": {"google": {"thought_signature": "c2ln"}},
             "function": {"name": "read", "arguments": '{"path": "src/b.py"}'}}]},
            "finish_reason": "tool_calls"}]),
        USAGE + b"data: [DONE]\n\n",
    ],
    "parts": [
        head() + chunk(choices=[{"index": 0, "delta": {"content": [
            {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
            {"type": "text", "text": "Hello"}]}}]),
        chunk(choices=[{"index": 0, "delta": {"content": " world"}, "finish_reason": "stop"}],
              usage={"prompt_tokens": 11, "completion_tokens": 7}) + b"data: [DONE]\n\n",
    ],
    "list refusal": [refused([{"error": {"code": 400, "message": "no such model"}}])],
    "bare refusal": [refused({"object": "error", "message": "no such model", "code": 1500})],
    "text refusal": [refused({"error": "no such model", "error_type": "validation"})],
}  # fmt: skip


def told(body: Any) -> bytes:
    said = json.dumps(body).encode()
    return head("200 OK", "application/json", f"Content-Length: {len(said)}") + said


# What a probe hears: of sizes, of tools, of JSON.
ANSWERS |= {
    "vllm models": [told({"data": [{"id": "m", "max_model_len": 8192}, {"id": "n"}]})],
    "plain models": [told({"object": "list", "data": [{"id": "m"}]})],
    "odd models": [told({"data": [{"id": "m", "max_model_len": -1}, 3], "meta": []})],
    "props": [told({"default_generation_settings": {"n_ctx": 1024}})],
    "not found": [head("404 No", "text/plain", "Content-Length: 2") + b"no"],
    "ping": [
        head() + called(0, "call_1", "ping", "{}"),
        chunk(choices=[{"delta": {}, "finish_reason": "tool_calls"}]) + USAGE + b"data: [DONE]\n\n",
    ],
    "object": [head() + said('{"ok": ') + said("true}", "stop") + USAGE + b"data: [DONE]\n\n"],
    "cut short": [head() + said("Let me", "length") + USAGE + b"data: [DONE]\n\n"],
    "not streamed": [told({"choices": [{"message": {"content": "ok"}}]})],
}

ANSWERS |= anthropic_wire.ANSWERS | openai_wire.ANSWERS | aws_wire.ANSWERS
ANSWERS |= servers_wire.ANSWERS


@dataclass(slots=True)
class ProviderServer:
    """`received` is every byte of every connection; `heard` is called at each first byte."""

    answer: str = "whole"
    # Answers to the next requests, before `answer` is given to all others.
    script: list[str] = field(default_factory=list)
    received: bytearray = field(default_factory=bytearray)
    connections: int = 0
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)
    heard: Callable[[], None] = lambda: None
    # Called before the first piece of each answer.
    answers: Callable[[], None] = lambda: None
    tls: ssl.SSLContext | None = None
    port: int = 0
    _server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        self.go.set()
        assert self._server
        self._server.close()

    @property
    def requests(self) -> list[tuple[bytes, bytes]]:
        """Head and body of each request, as they came over the wire."""
        rest, found = bytes(self.received), []
        while rest:
            head, _, rest = rest.partition(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            told = (line for line in lines if line.startswith(b"content-length:"))
            length = int(next(told, b":0").split(b":")[1])
            found.append((head, rest[:length]))
            rest = rest[length:]
        return found

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            first = await reader.read(1)
            if first:
                self.heard()
            self.received += first
            rest = await reader.readuntil(b"\r\n\r\n")
            self.received += rest
            length = next((line for line in rest.lower().split(b"\r\n")
                           if line.startswith(b"content-length:")), b":0")  # fmt: skip
            self.received += await reader.readexactly(int(length.split(b":")[1]))
            self.arrived.set()
            answer = self.script.pop(0) if self.script else self.answer
            self.answers()
            for piece in ANSWERS[answer]:
                if piece is None:
                    await self._wait(reader)
                else:
                    writer.write(piece)
                    await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            self.hung_up.set()
        finally:
            writer.close()

    async def _wait(self, reader: asyncio.StreamReader) -> None:
        """Until the test says go, or the client is gone."""
        gone = asyncio.ensure_future(reader.read(1))
        go = asyncio.ensure_future(self.go.wait())
        await asyncio.wait({gone, go}, return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            self.hung_up.set()
        gone.cancel()
        go.cancel()
