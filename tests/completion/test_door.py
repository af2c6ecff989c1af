"""A team's door over real TLS: who is let in, who waits for whom, what is counted."""

import asyncio
import contextlib
import json
import queue
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from wicket.completion import wire
from wicket.completion.connection import Token
from wicket.completion.door import BUSY, BadTokens, Door, Limits, digest, read_users
from wicket.completion.engine import Answer, BackendError, Engine, Halted, Job
from wicket.completion.team import TeamBackend
from wicket.completion.wire import Complete, Done, Piece, State

from .certificates import Authority

VERSION = "9.9"
LIMITS = Limits(penalty=0.01, handshake=2.0)


class Gated:
    """A backend that says its prefix when it may, and notes whose turn it was."""

    def __init__(self) -> None:
        self.may = threading.Event()
        self.may.set()
        self.turns: list[str] = []
        self.running = threading.Semaphore(0)
        self.fails = False

    def load(self, progress: Callable[[float], None]) -> None: ...

    def describe(self, state: State) -> State:
        return replace(state, family="gated", order="spm", context=512)

    def complete(self, request: Complete, halted: Halted) -> Iterator[Answer]:
        self.turns.append(request.user)
        self.running.release()
        while not self.may.wait(0.005):
            if why := halted():
                yield Done(request.id, why)
                return
        if self.fails:
            raise BackendError("the box is on fire")
        yield Piece(request.id, request.prefix, -0.5)
        yield Done(request.id, "stop", tokens={"decoded": 1})

    def interrupt(self) -> None: ...

    def resume(self) -> None: ...


class World:
    """A door in an event loop of its own, with users ann and bob."""

    def __init__(self, authority: Authority, limits: Limits) -> None:
        self.authority = authority
        self.backend = Gated()
        self.users = {digest("ann-token"): "ann", digest("bob-token"): "bob"}
        self.reports: list[str] = []
        self.engine = Engine(self.backend, State("coder", "0", "loading"))
        self.engine.start()
        listening = socket.create_server(("127.0.0.1", 0))
        self.port = listening.getsockname()[1]
        self.door = Door(self.engine, lambda: self.users, VERSION, limits, self.reports.append)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        work = self.door.serve(listening, authority.server(), self._stop)
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(work,))
        self._thread.start()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()
        self._loop.close()
        self.engine.close()

    def client(self, token: str | None = "ann-token") -> TeamBackend:
        given = None if token is None else (lambda _fresh: token)
        return self.client_with(given)

    def client_with(self, token: Token | None) -> TeamBackend:
        url = f"wicket+tls://127.0.0.1:{self.port}"
        return TeamBackend(url, token, self.authority.file, VERSION)

    async def raw(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context = ssl.create_default_context(cafile=self.authority.file)
        return await asyncio.open_connection("127.0.0.1", self.port, ssl=context, limit=1 << 21)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def limits() -> Limits:
    return LIMITS


@pytest.fixture
def world(authority: Authority, limits: Limits) -> Iterator[World]:
    made = World(authority, limits)
    yield made
    made.backend.may.set()
    made.close()


def load(backend: TeamBackend) -> TeamBackend:
    backend.load(lambda _share: None)
    return backend


def ask(backend: TeamBackend, prefix: str = "hello", halted: Halted = lambda: None) -> list[Answer]:
    return list(backend.complete(Complete(7, "a.py", "python", prefix, ""), halted))


def test_a_user_with_a_token_is_answered(world: World) -> None:
    client = load(world.client())
    assert ask(client)[0] == Piece(7, "hello", -0.5)
    piece, done = ask(client, "again")
    assert piece == Piece(7, "again", -0.5)
    assert isinstance(done, Done)
    assert (done.id, done.done, done.tokens) == (7, "stop", {"decoded": 1})
    assert client.describe(State("team", "", "ready")).family == "gated"
    assert world.backend.turns == ["ann"] * 2
    client.close()


@pytest.mark.parametrize("token", [None, "", "wrong", "ann-token "])
def test_nobody_else_is(world: World, token: str | None) -> None:
    with pytest.raises(BackendError, match="not known here") as raised:
        load(world.client(token))
    assert raised.value.fix
    assert world.backend.turns == []


def test_the_certificate_must_be_believed(world: World, tmp_path: Path) -> None:
    client = TeamBackend(
        f"wicket+tls://127.0.0.1:{world.port}", None, Authority(tmp_path).file, VERSION
    )
    with pytest.raises(BackendError, match="not believed"):
        load(client)


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(BackendError, match="cannot be reached"):
        load(TeamBackend(f"wicket+tls://127.0.0.1:{port}", None, None, VERSION))


def test_a_token_that_ran_out_is_fetched_anew(world: World) -> None:
    fresh = [False]

    def token(anew: bool) -> str:
        fresh[0] = fresh[0] or anew
        return "ann-token" if fresh[0] else "old"

    client = load(world.client_with(token))
    assert fresh == [True]
    client.close()


def test_a_token_taken_away_is_worth_nothing_at_once(world: World) -> None:
    client = load(world.client())
    ask(client)
    del world.users[digest("ann-token")]
    with pytest.raises(BackendError, match="no longer known"):
        ask(client)
    with pytest.raises(BackendError, match="not known"):
        ask(client)


def test_a_cancel_costs_no_connection(world: World) -> None:
    """The door stops the work, and late words about it are passed over."""
    client = load(world.client())
    ask(client)
    kept = client._socket
    world.backend.may.clear()
    stopped = threading.Event()

    def stop() -> None:
        assert world.backend.running.acquire(timeout=10)
        assert world.backend.running.acquire(timeout=10)
        stopped.set()
        # Something was heard of this door before, so that it is not taken for dead.
        client.interrupt()

    thread = threading.Thread(target=stop)
    thread.start()
    done = ask(client, halted=lambda: "cancelled" if stopped.is_set() else None)[-1]
    thread.join()
    client.resume()
    assert isinstance(done, Done)
    assert done.done == "cancelled"
    world.backend.may.set()
    assert ask(client, "next")[0] == Piece(7, "next", -0.5)
    assert client._socket is kept
    client.close()


def test_a_door_that_fell_silent_is_connected_anew(world: World) -> None:
    """Nobody typed on and yet not a word: what lies between may have lost the connection."""
    client = load(world.client())
    world.backend.may.clear()
    threading.Timer(0.05, client.interrupt).start()
    assert [answer.done for answer in ask(client) if isinstance(answer, Done)] == ["cancelled"]
    assert client._socket is None
    client.resume()
    world.backend.may.set()
    assert ask(client)[0] == Piece(7, "hello", -0.5)
    client.close()


def test_a_door_that_was_restarted_is_found_again(world: World, authority: Authority) -> None:
    client = load(world.client())
    ask(client)
    assert client._socket
    client._socket.shutdown(socket.SHUT_RDWR)
    assert ask(client)[0] == Piece(7, "hello", -0.5)
    client.close()


def test_a_backend_that_fails_is_said_in_one_line(world: World) -> None:
    world.backend.fails = True
    client = load(world.client())
    with pytest.raises(BackendError, match="the box is on fire") as raised:
        ask(client)
    assert "\n" not in str(raised.value)
    client.close()


def job(user: str, number: int, answers: "queue.Queue[Answer]", **members: Any) -> Job:
    return Job(Complete(number, "a.py", "python", user, "", user=user, **members), answers.put)


def test_users_take_turns_whoever_asks_more() -> None:
    """Inside a priority; a more urgent request still goes first."""
    backend, answers = Gated(), queue.Queue[Answer]()
    engine = Engine(backend, State("m", "", "loading"))
    engine.start()
    backend.may.clear()
    engine.submit(job("ann", 0, answers))
    assert backend.running.acquire(timeout=10)
    for number in range(1, 5):
        engine.submit(job("ann", number, answers))
    engine.submit(job("bob", 5, answers))
    engine.submit(job("bob", 6, answers))
    engine.submit(job("eve", 7, answers, priority="manual"))
    assert engine.busy_with("ann") == 5
    backend.may.set()
    done = 0
    while done < 8:
        done += isinstance(answers.get(timeout=10), Done)
    assert backend.turns == ["ann", "eve", "bob", "ann", "bob", "ann", "ann", "ann"]
    engine.close()


def test_several_backends_work_at_once() -> None:
    first, second = Gated(), Gated()
    engine = Engine(first, State("m", "", "loading"), [second])
    engine.start()
    first.may.clear()
    second.may.clear()
    answers = queue.Queue[Answer]()
    for number in range(2):
        engine.submit(job("ann", number, answers))
    assert first.running.acquire(timeout=10)
    assert second.running.acquire(timeout=10)
    first.may.set()
    second.may.set()
    engine.close()


@contextlib.asynccontextmanager
async def inside(world: World, token: str = "ann-token") -> AsyncIterator[tuple[Any, Any]]:
    reader, writer = await world.raw()
    said = json.loads(wire.hello(VERSION)) | {"token": token}
    writer.write(wire.to_line(said))
    assert json.loads(await reader.readline())["family"] == "gated"
    yield reader, writer
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def test_one_user_has_only_so_many_requests(world: World) -> None:
    world.backend.may.clear()
    async with inside(world) as (reader, writer):
        for number in range(1, LIMITS.requests + 3):
            writer.write(wire.write_request(Complete(number, "a.py", "python", "x", "")))
        for number in (LIMITS.requests + 1, LIMITS.requests + 2):
            answer = json.loads(await reader.readline())
            assert (answer["id"], answer["why"]) == (number, BUSY)
        async with inside(world, "bob-token") as (other, bob):
            bob.write(wire.write_request(Complete(1, "a.py", "python", "y", "")))
            world.backend.may.set()
            assert json.loads(await other.readline())["text"] == "y"


@pytest.mark.parametrize("limits", [replace(LIMITS, of_user=2)])
async def test_one_user_has_only_so_many_connections(world: World) -> None:
    async with inside(world), inside(world):
        reader, writer = await world.raw()
        said = json.loads(wire.hello(VERSION)) | {"token": "ann-token"}
        writer.write(wire.to_line(said))
        assert b"too many connections" in await reader.readline()
        writer.close()
        async with inside(world, "bob-token"):
            pass
    async with inside(world):
        pass


@pytest.mark.parametrize("limits", [replace(LIMITS, handshake=0.2, strangers=3)])
@pytest.mark.parametrize("tls", [True, False])
async def test_strangers_who_say_nothing_are_let_go(world: World, tls: bool) -> None:
    opened = []
    for _ in range(3):
        if tls:
            opened.append(await world.raw())
        else:
            opened.append(await asyncio.open_connection("127.0.0.1", world.port))
    with pytest.raises((OSError, asyncio.IncompleteReadError)):
        await world.raw()
    for reader, writer in opened:
        with contextlib.suppress(OSError):
            assert await reader.read() == b""
        writer.close()
    async with inside(world):
        pass


@pytest.mark.parametrize(
    "first",
    [
        b"GET / HTTP/1.1\r\n",
        b"{}\n",
        b'{"wicket": "9", "protocol": 99}\n',
        b'{"wicket": "9", "protocol": 1, "token": 5}\n',
        b"[1]\n",
        b"\xff\n",
        b"x" * (wire.LINE_LIMIT + 10),
    ],
)
async def test_whatever_a_stranger_says_he_stays_outside(world: World, first: bytes) -> None:
    reader, writer = await world.raw()
    writer.write(first)
    with contextlib.suppress(OSError):
        said = await reader.read()
        assert b"coder" not in said
    writer.close()
    async with inside(world):
        pass


def test_totals_are_told_without_content(world: World) -> None:
    client = load(world.client())
    ask(client, "secret_name")
    client.close()
    other = load(world.client("bob-token"))
    world.backend.fails = True
    with pytest.raises(BackendError):
        ask(other)
    other.close()
    world._loop.call_soon_threadsafe(world.door._tell)
    world._loop.call_soon_threadsafe(world._stop.set)
    world._thread.join(10)
    ann, bob = world.reports
    assert "user=ann requests=1 refused=0 failed=0" in ann
    assert "user=bob requests=1 refused=0 failed=1" in bob
    assert ann.startswith("perimeter 20")
    assert ann.endswith("peers=127.0.0.1")
    assert "secret_name" not in ann + bob


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", {}),
        ("# nobody\n\n", {}),
        (f"ann {'a' * 64}  # her laptop\n", {"a" * 64: "ann"}),
        (f"ann {'a' * 64}\nann {'b' * 64}\n", {"a" * 64: "ann", "b" * 64: "ann"}),
    ],
)
def test_a_file_of_users(text: str, wanted: dict[str, str]) -> None:
    assert read_users(text) == wanted


@pytest.mark.parametrize(
    "text", ["ann", "ann token", f"ann {'A' * 64}", f"a/b {'a' * 64}", f"x y {'a' * 64}"]
)
def test_a_file_of_users_that_is_none(text: str) -> None:
    with pytest.raises(BadTokens, match="line 1") as raised:
        read_users(text)
    assert "token" not in text or "ann token" not in str(raised.value)
