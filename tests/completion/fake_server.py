"""An inference server over real sockets that misbehaves as it is told.

It speaks llama-server's and OpenAI's languages in the bytes that the real ones send, or
departs from them: each way is a line of `MISDEEDS`.
"""

import asyncio
import contextlib
import json
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from wicket.completion.dialects import FILLING

Json = dict[str, Any]

MARKERS = {"<|fim_prefix|>": 1, "<|fim_suffix|>": 2, "<|fim_middle|>": 3, "<|file_sep|>": 4}
# What is said to every hole, a token an event.
WORDS = ("ber", "s", "()")

# What goes wrong with a completion; the fake's own language says the rest rightly.
MISDEEDS = (
    "half",  # some events, then silence
    "cut",  # the connection closes inside a chunk
    "endless",  # events for ever
    "endless line",  # one event for ever
    "dribble",  # comments, as a proxy sends them, and no event
    "no end",  # the body ends, the answer did not
    "garbage",  # events that are no JSON
    "html",  # a proxy's page with status 200
    "hanging",  # no answer at all
    "closing",  # the connection closes before any answer
    "too long",  # Content-Length promises more
    "too short",  # Content-Length promises less
    "error event",  # an error in the middle of the stream
    "no objects",  # events that are JSON, but no objects
    "401",
    "429",
    "500",
    "302",
)
HEADERS = "Server: llama.cpp\r\nAccess-Control-Allow-Origin: \r\n"


class FakeServer:
    """Serves in a thread of its own.

    `languages` are those it speaks; `deed` is one of MISDEEDS, or empty; `delay` is how
    long it thinks before its first word, in seconds; `token` is wanted where it is set.
    """

    def __init__(self, *languages: str, tls: ssl.SSLContext | None = None) -> None:
        self.languages = languages or ("llama-server",)
        self.deed = ""
        self.delay = 0.0
        self.token = ""
        self.host, self.port = "127.0.0.1", 0
        self.asked: list[tuple[str, Json]] = []
        self.refused = 0
        # Connections that were made, and that the other side closed inside an answer.
        self.connections = 0
        self.cancelled = 0
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))

    def __enter__(self) -> "FakeServer":
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        self._loop.close()

    @property
    def url(self) -> str:
        return f"http{'s' if self._tls else ''}://{self.host}:{self.port}"

    @property
    def completions(self) -> list[Json]:
        asked = ("/completion", "/infill", "/v1/completions")
        return [body for path, body in self.asked if path in asked]

    async def _run(self) -> None:
        self._stop = asyncio.Event()
        tasks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task
            tasks[task] = writer
            self.connections += 1
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._converse(reader, writer)
            writer.close()
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await writer.wait_closed()
            tasks.pop(task, None)

        server = await asyncio.start_server(
            connected, self.host, self.port, ssl=self._tls, limit=1 << 24
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task, writer in tasks.items():
            task.cancel()
            writer.transport.abort()
        await asyncio.gather(*tasks, return_exceptions=True)
        # Transports close in the rounds of the loop that follow.
        await asyncio.sleep(0.01)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            first, *rows = head.decode().split("\r\n")
            headers = {k.lower(): v.strip() for k, _, v in (row.partition(":") for row in rows)}
            path = first.split()[1]
            size = int(headers.get("content-length", "0"))
            body = json.loads(await reader.readexactly(size)) if size else {}
            if self.token and headers.get("authorization") != f"Bearer {self.token}":
                self.refused += 1
                writer.write(plain(401, b"{}"))
                continue
            self.asked.append((path, body))
            if body.get("stream"):
                # A client that cancels closes its connection: seen while we still write.
                gone = asyncio.ensure_future(reader.read(1))
                said = asyncio.ensure_future(self._stream(path, body, writer))
                await asyncio.wait([gone, said], return_when=asyncio.FIRST_COMPLETED)
                if not said.done():
                    self.cancelled += 1
                (said if gone.done() else gone).cancel()
                ended = await asyncio.gather(said, gone, return_exceptions=True)
                if ended[0] is not True:
                    return
            else:
                writer.write(self._answer(path, body))

    def _answer(self, path: str, body: Json) -> bytes:
        llama = "llama-server" in self.languages
        match path:
            case "/health":
                said: object = {"status": "ok"}
            case "/props" if llama or "infill" in self.languages:
                said = {
                    "default_generation_settings": {"n_ctx": 4096},
                    "model_path": "/m/qwen.gguf",
                }
            case "/tokenize" if llama:
                said = {"tokens": tokens(body["content"], body["parse_special"])}
            case "/infill" if "infill" in self.languages:
                said = {"content": "x", "stop": True}
            case "/v1/models" if "openai" in self.languages:
                said = {"object": "list", "data": [{"id": "coder", "max_model_len": 2048}]}
            case "/v1/completions" if "openai" in self.languages:
                # Only its own markers make it fill a hole; else it chats.
                right = body["prompt"].startswith("<fim_prefix>")
                text = FILLING if right else "Sure! Here is"
                said = {"choices": [{"text": text, "index": 0, "finish_reason": "stop"}]}
            case _:
                return plain(404, b'{"error":{"code":404}}')
        return plain(200, json.dumps(said).encode())

    async def _stream(self, path: str, body: Json, writer: asyncio.StreamWriter) -> bool:
        """One streamed completion; whether the connection may be used again."""
        await asyncio.sleep(self.delay)
        if self.deed in ("401", "429", "500", "302"):
            extra = {"429": "Retry-After: 7\r\n", "302": f"Location: {self.url}/props\r\n"}
            writer.write(plain(int(self.deed), b'{"error":{}}', extra.get(self.deed, "")))
            return True
        if self.deed == "hanging":
            await asyncio.sleep(3600)
        if self.deed == "closing":
            return False
        if self.deed == "html":
            writer.write(plain(200, b"<html>login</html>", kind="text/html"))
            return True
        openai = path == "/v1/completions"
        events = [*(openai_events(body) if openai else llama_events())]
        if self.deed in ("too long", "too short"):
            data = b"".join(events)
            size = len(data) + (100 if self.deed == "too long" else -len(data) // 2)
            writer.write(head(200, "text/event-stream", f"Content-Length: {size}\r\n") + data)
            await writer.drain()
            return False
        writer.write(head(200, "text/event-stream", "Transfer-Encoding: chunked\r\n"))
        async for event in self._misspoken(events):
            data = b"%x\r\n%s\r\n" % (len(event), event)
            if self.deed == "cut" and b'"s"' in event:
                writer.write(data[: len(data) // 2])
                await writer.drain()
                return False
            writer.write(data)
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        return True

    async def _misspoken(self, events: list[bytes]) -> AsyncIterator[bytes]:
        match self.deed:
            case "half":
                yield events[0]
                await asyncio.sleep(3600)
            case "endless":
                while True:
                    yield events[0]
                    await asyncio.sleep(0)
            case "endless line":
                yield b"data: "
                while True:
                    yield b'"' + b"x" * 65536
                    await asyncio.sleep(0)
            case "dribble":
                while True:
                    yield b": ping\n\n"
                    await asyncio.sleep(0.01)
            case "garbage":
                yield b"data: {broken\n\n"
            case "no objects":
                yield b"data: [1]\n\n"
            case "error event":
                yield events[0]
                yield b'data: {"error":{"code":500,"message":"out of memory"}}\n\n'
            case "no end":
                yield events[0]
            case _:
                for event in events:
                    yield event


def llama_events() -> Iterator[bytes]:
    for number, word in enumerate(WORDS, start=1):
        row = {"id": number, "token": word, "logprob": -0.25}
        yield event(index=0, content=word, stop=False, completion_probabilities=[row], id_slot=-1)
    yield event(
        content="",
        stop=True,
        stop_type="word",
        timings={"prompt_n": 5, "cache_n": 40, "predicted_n": len(WORDS)},
    )


def openai_events(body: Json) -> Iterator[bytes]:
    for word in WORDS:
        logprobs = {"tokens": [word], "token_logprobs": [-0.25]} if "logprobs" in body else None
        choice = {"text": word, "index": 0, "logprobs": logprobs, "finish_reason": None}
        yield event(object="text_completion", choices=[choice])
    yield event(choices=[{"text": "", "index": 0, "finish_reason": "stop"}])
    yield b"data: [DONE]\n\n"


def event(**members: object) -> bytes:
    return b"data: " + json.dumps(members).encode() + b"\n\n"


def head(status: int, kind: str, extra: str) -> bytes:
    return (
        f"HTTP/1.1 {status} Said\r\n{HEADERS}Content-Type: {kind}\r\n"
        f"Keep-Alive: timeout=5, max=100\r\n{extra}\r\n"
    ).encode()


def plain(status: int, body: bytes, extra: str = "", kind: str = "application/json") -> bytes:
    return head(status, kind, f"Content-Length: {len(body)}\r\n{extra}") + body


def tokens(text: str, special: bool) -> list[int]:
    """Characters as tokens, and markers as one where they are parsed."""
    if special and text in MARKERS:
        return [MARKERS[text]]
    return [100 + ord(char) for char in text]


def wait_for(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Until another thread has done something; fails loudly where it never does."""
    done = threading.Event()
    for _ in range(int(seconds / 0.01)):
        if condition():
            return
        done.wait(0.01)
    raise AssertionError("it never happened")
