"""The engine's socket with the real model behind it: hellos, sharing, dying clients."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import wicket.completion.models as models_folder
from wicket.completion import wire
from wicket.completion.client import PART, EngineClient, EngineGone
from wicket.completion.earlier import Text
from wicket.completion.engine import Engine
from wicket.completion.local import LocalBackend
from wicket.completion.serve import serve
from wicket.completion.wire import Complete, State

MODEL = Path(models_folder.__file__).parent / "wicket-base-q8_0.gguf"
SOURCE = Path(__file__).with_name("typed_source.txt").read_text()
VERSION = "9.9"


class World:
    """A serving engine in this event loop."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "e.sock"
        state = State("wicket-base", "0", "loading", languages=("python",))
        self.engine = Engine(LocalBackend(MODEL, slots=2), state)
        self.stop = asyncio.Event()
        self.left = 0
        self.kept: list[tuple[str, str]] = []

    async def start(
        self, idle: float = 60, allowed: Callable[[socket.socket], bool] = bool
    ) -> asyncio.Task[None]:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(str(self.path))
        listening.listen()
        self.engine.start()
        return asyncio.create_task(
            serve(
                listening,
                self.engine,
                version=VERSION,
                idle_seconds=idle,
                allowed=allowed,
                stop=self.stop,
                leave=self._leave,
                keep=lambda key, text: self.kept.append((key, text)),
            )
        )

    def _leave(self) -> None:
        self.left += 1

    async def raw(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_unix_connection(self.path, limit=wire.LINE_LIMIT)

    def client(self) -> EngineClient:
        return EngineClient(self.raw, VERSION)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    made.stop.set()
    made.engine.close()
    await asyncio.sleep(0.05)


def request(text: str = "def f(self):\n    retur", **members: Any) -> Complete:
    return Complete(0, "a.py", "python", text, "\n", **members)


async def test_two_clients_are_answered_by_one_engine(world: World) -> None:
    serving = await world.start()
    one, two = world.client(), world.client()
    answers = await asyncio.gather(one.complete(request()), two.complete(request()))
    assert answers[0].text == answers[1].text
    assert answers[0].text.startswith("n")
    assert len(answers[0].logprobs) >= 1
    state = await one.refresh()
    assert (state.state, state.family, state.order) == ("ready", "wicket", "spm")
    assert state.rates["prefill"] >= 0
    await one.close()
    await two.close()
    world.stop.set()
    await serving
    assert world.left == 1


async def test_texts_are_learned_once(world: World) -> None:
    """In parts that a line on the wire can hold, whatever they are made of."""
    await world.start()
    client = world.client()
    texts = [
        Text("a.py", b"one = 1\n"),
        Text("long.py", b"".join(b"n = %d\n" % n for n in range(40_000))),
        Text("no lines", b"\x01" * (PART + 1)),
        Text("no text", b"\xff\xfe"),
        Text("empty", b""),
    ]
    keys = await client.learn(texts)
    assert await client.learn(texts[1:]) == keys[1:]
    await client.refresh()
    assert tuple(key for key, _ in world.kept) == tuple(dict.fromkeys(keys))
    assert all(text.endswith("\n") for _, text in world.kept[:4])
    known = dict(world.kept)
    whole = b"".join(bytes(text.data[:]) for text in texts).decode(errors="replace")
    assert "".join(known[key] for key in keys) == whole
    await client.close()
    # An engine that was started anew knows nothing.
    count = len(world.kept)
    await client.learn(texts)
    await client.refresh()
    assert len(world.kept) == 2 * count
    await client.close()


async def test_a_cancelled_caller_frees_the_engine(world: World) -> None:
    """The long request ends at once and the next one is answered."""
    serving = await world.start()
    client = world.client()
    await client.complete(request())
    long = asyncio.create_task(client.complete(request(SOURCE, lines=200)))
    await asyncio.sleep(0.02)
    long.cancel()
    with pytest.raises(asyncio.CancelledError):
        await long
    assert (await client.complete(request())).done.done == "stop"
    assert not world.engine.busy
    await client.close()
    world.stop.set()
    await serving


async def test_a_client_that_dies_takes_its_requests_along(world: World) -> None:
    serving = await world.start()
    reader, writer = await world.raw()
    writer.write(wire.hello(VERSION))
    await reader.readline()
    for number in range(1, 30):
        asked = Complete(number, "a.py", "python", SOURCE, "", lines=300)
        writer.write(wire.write_request(asked))
    await writer.drain()
    await asyncio.sleep(0.05)
    writer.transport.abort()
    client = world.client()
    answer = await client.complete(request())
    assert answer.done.ms["queue"] < 5000
    while world.engine.busy:
        await asyncio.sleep(0.01)
    await client.close()
    world.stop.set()
    await serving


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"garbage\n", "not JSON"),
        (b'{"id":1,"do":"fly"}\n', "unknown request"),
        (b"\n", "not JSON"),
    ],
)
async def test_a_malformed_line_ends_the_connection_with_one_line(
    world: World, line: bytes, said: str
) -> None:
    serving = await world.start()
    reader, writer = await world.raw()
    writer.write(wire.hello(VERSION) + line)
    await reader.readline()
    assert said in json.loads(await reader.readline())["error"]
    assert await reader.readline() == b""
    writer.close()
    world.stop.set()
    await serving


async def test_a_line_without_end_is_not_swallowed_whole(world: World) -> None:
    serving = await world.start()
    reader, writer = await world.raw()
    writer.write(wire.hello(VERSION))
    await reader.readline()
    with contextlib.suppress(ConnectionError):
        writer.write(b"x" * (2 * wire.LINE_LIMIT))
        await writer.drain()
        assert await reader.read() == b""
    writer.close()
    world.stop.set()
    await serving


async def test_a_stranger_is_not_let_in(world: World) -> None:
    serving = await world.start(allowed=lambda _sock: False)
    with pytest.raises(EngineGone):
        await world.client().open()
    world.stop.set()
    await serving


async def test_another_version_is_not_spoken_to(world: World) -> None:
    serving = await world.start()
    with pytest.raises(EngineGone, match="version 9.9"):
        await EngineClient(world.raw, "1.0").open()
    world.stop.set()
    await serving


async def test_it_leaves_when_nobody_needs_it(world: World) -> None:
    serving = await world.start(idle=0.2)
    client = world.client()
    await client.complete(request())
    await asyncio.sleep(0.5)
    assert not serving.done(), "a connected editor keeps it"
    await client.close()
    await asyncio.wait_for(serving, 5)
    assert world.left == 1


async def test_an_engine_that_goes_says_failed_and_is_gone(world: World) -> None:
    serving = await world.start()
    client = world.client()
    await client.complete(request())
    long = asyncio.create_task(client.complete(request(SOURCE, lines=300)))
    await asyncio.sleep(0.01)
    world.stop.set()
    await serving
    assert (await long).done.done in ("failed", "stop", "length")
    world.path.unlink()
    with pytest.raises(OSError, match="No such file"):
        await client.complete(request())
