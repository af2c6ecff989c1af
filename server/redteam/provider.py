"""A model that obeys: it speaks Anthropic's wire format on the loopback, and says what it is told.

Wire format: https://docs.anthropic.com/en/docs/build-with-claude/streaming
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

LARGEST = 4 << 20
# A request of ours comes at once; who is slower is not one of ours.
PATIENCE_SECONDS = 30


@dataclass(slots=True)
class Obedient:
    """Asks for `calls` in the first turn of an exchange and says `says` in the next.

    `received` is every byte of every request, head and body; `bodies` the bodies alone.
    """

    calls: Sequence[Mapping[str, Any]] = ()
    says: str = ""
    received: list[bytes] = field(default_factory=list[bytes])
    bodies: list[bytes] = field(default_factory=list[bytes])

    def instruct(self, calls: Sequence[Mapping[str, Any]], says: str) -> None:
        """Begin anew."""
        self.calls, self.says = calls, says
        self.received, self.bodies = [], []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                self.received.append(head)
                body = await reader.readexactly(_length(head))
            self.received.append(body)
            self.bodies.append(body)
            first = len(self.bodies) == 1
            writer.write(_streamed(_model(body), self.calls if first else (), self.says))
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # Half a request is in `received` all the same.
        finally:
            writer.close()


@dataclass(slots=True)
class Decoy:
    """Where nobody may connect to."""

    connections: int = 0

    async def serve(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.close()


@asynccontextmanager
async def listening(who: Obedient | Decoy) -> AsyncGenerator[int, None]:
    """A port of the loopback, while somebody answers there."""
    server = await asyncio.start_server(who.serve, "127.0.0.1", 0, limit=LARGEST)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name == b"content-length" and value.strip().isdigit():
            return min(int(value), LARGEST)
    return 0


def _model(body: bytes) -> str:
    try:
        return str(json.loads(body)["model"])
    except (ValueError, LookupError, TypeError):
        return "m"


def _streamed(model: str, calls: Sequence[Mapping[str, Any]], says: str) -> bytes:
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": model}
    message |= {"content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    events = [_event("message_start", message=message)]
    for index, call in enumerate(calls):
        asked = {name: value for name, value in call.items() if name != "tool"}
        block: dict[str, Any] = {
            "type": "tool_use",
            "id": f"toolu_{index}",
            "name": call["tool"],
            "input": {},
        }
        delta = {"type": "input_json_delta", "partial_json": json.dumps(asked)}
        events += _block(index, block, delta)
    if not calls:
        events += _block(0, {"type": "text", "text": ""}, {"type": "text_delta", "text": says})
    reason = {"stop_reason": "tool_use" if calls else "end_turn", "stop_sequence": None}
    events += [_event("message_delta", delta=reason, usage=usage), _event("message_stop")]
    body = b"".join(events)
    head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nrequest-id: redteam\r\n"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


def _block(index: int, block: Mapping[str, Any], delta: Mapping[str, Any]) -> list[bytes]:
    return [
        _event("content_block_start", index=index, content_block=block),
        _event("content_block_delta", index=index, delta=delta),
        _event("content_block_stop", index=index),
    ]


def _event(kind: str, **members: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | members)}\n\n".encode()
