"""llama.vim's client in our words does what llama.vim does: what it asks, keeps and shows."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from llama_vim import Buffer, LlamaVim, rendered


class Server:
    """Answers `/infill` with `said`, as slowly as it is told, and keeps what it was asked."""

    def __init__(self, said: str, seconds: float = 0.0) -> None:
        self.said, self.seconds = said, seconds
        self.asked: list[dict[str, Any]] = []
        self.now = self.most = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length:")[2].split()[0])
        self.asked.append(json.loads(await reader.readexactly(size)))
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(self.seconds)
        self.now -= 1
        said = json.dumps({"content": self.said, "timings/prompt_n": 3})
        writer.write(f"HTTP/1.1 200 OK\r\n\r\n{said}".encode())
        await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def typing(server: Server, before: str, after: str = "\n") -> AsyncGenerator[LlamaVim]:
    async with await asyncio.start_server(server.answer, "127.0.0.1", 0) as listening:
        host, port = listening.sockets[0].getsockname()
        yield LlamaVim(f"http://{host}:{port}", Buffer(before, after), 0)


async def press(one: LlamaVim, keys: str) -> list[str]:
    """The ghost text right after each key, before any answer; then all answers come."""
    shown: list[str] = []
    for key in keys:
        one.buffer.type(key)
        await one.key(key)
        shown.append(one.shown[0] if one.shown else "")
        while one.running or one.retry:
            await asyncio.sleep(0.001)
    return shown


async def test_what_comes_true_is_shown_without_asking_again() -> None:
    server = Server("turn a + b")
    async with typing(server, "def f(a, b):\n    re") as one:
        assert await press(one, "x") == [""]
        assert one.shown
        assert one.shown[0] == "turn a + b"
        asked = len(server.asked)
        assert await press(one, "turn") == ["urn a + b", "rn a + b", "n a + b", " a + b"]
        # What would follow was asked before the first key; each key asks for itself.
        typed = [f"    rex{'turn'[:count]}" for count in (1, 2, 3, 4)]
        assert [body["prompt"] for body in server.asked[asked:]] == typed
        # Something else is typed: what was remembered does not fit.
        server.said = ""
        assert await press(one, "?") == [""]
        assert one.shown is None


async def test_the_first_question_is_short_and_the_one_ahead_longer() -> None:
    server = Server("turn 1")
    async with typing(server, "def f():\n    r") as one:
        await press(one, "e")
    limits = [(body["prompt"], body["t_max_predict_ms"]) for body in server.asked]
    assert limits == [("    re", 250), ("    return 1", 1000)]
    assert all(body["n_predict"] == 128 for body in server.asked)
    assert all(body["input_prefix"] == "def f():\n" for body in server.asked)


async def test_one_question_at_a_time_and_the_newest_later() -> None:
    server = Server("", seconds=0.15)
    async with typing(server, "x = ") as one:
        for key in "abc":
            one.buffer.type(key)
            await one.key(key)
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.5)
        assert server.most == 1
        assert [body["prompt"] for body in server.asked] == ["x = a", "x = abc"]


async def test_an_answer_that_came_too_late_is_kept_for_what_it_fits() -> None:
    server = Server("bcd", seconds=0.1)
    async with typing(server, "") as one:
        for key in "ab":
            one.buffer.type(key)
            await one.key(key)
        assert one.shown is None
        await asyncio.sleep(0.15)
        assert one.shown
        assert one.shown[0] == "cd"
        await one.settle()


@pytest.mark.parametrize(
    ("before", "after", "asks"),
    [("f(", ")\n", 1), ("f(", "12345678\n", 1), ("f(", "123456789\n", 0)],
)
async def test_not_with_much_behind_the_cursor(before: str, after: str, asks: int) -> None:
    server = Server("")
    async with typing(server, before, after) as one:
        await press(one, "a")
        assert len(server.asked) == asks


async def test_blank_lines_are_sent_empty() -> None:
    server = Server("    return 1")
    async with typing(server, "def f():\n   ") as one:
        await press(one, " ")
        assert server.asked[0]["prompt"] == ""
        assert one.shown
        assert one.shown[0] == "return 1"


@pytest.mark.parametrize(
    ("content", "before", "after", "drawn"),
    [
        ("x\n\n", "a = ", "\n", "x"),
        ("x\ny", "a = ", "\n", "x\ny"),
        (")", "f(", ")\n", ""),
        ("\n    b", "a", "\n    b\nc\n", ""),
        ("b", "    a.", "\n\n    a.b\n", ""),
        ("b\nc", "a.", "\na.b\ncc\n", ""),
        ("b\nc\nd", "a.", "\na.b\nc\nd\n", ""),
        ("b\nc\nx", "a.", "\na.b\nc\nd\n", "b\nc\nx"),
    ],
)
def test_what_only_repeats_is_not_drawn(content: str, before: str, after: str, drawn: str) -> None:
    assert rendered(content, Buffer(before, after)) == drawn
