"""Who speaks when a server is late, broken or gone, and how it comes back."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from wicket.completion import tiers
from wicket.completion.engine import Answer, BackendError, Engine, Halted, Job
from wicket.completion.remote import RemoteBackend
from wicket.completion.tiers import LATE, PAUSES, PROVED, Health, Tier, Tiers
from wicket.completion.wire import Complete, Done, Piece, Priority, State

from .fake_server import WORDS, FakeServer, wait_for

BOX = "".join(WORDS)
UP = Health("up")


@pytest.mark.parametrize(
    ("before", "event", "wanted"),
    [
        (UP, lambda h: h.in_time(), "up"),
        (UP, lambda h: h.was_late(900, 0), "up"),
        (replace(UP, late=LATE - 1), lambda h: h.was_late(900, 0), "slow"),
        (replace(UP, late=LATE - 1), lambda h: h.in_time().was_late(900, 0), "up"),
        (UP, lambda h: h.failed(BackendError("x"), 0), "down"),
        (Health("slow"), lambda h: h.was_late(900, 0), "slow"),
        (Health("slow"), lambda h: h.failed(BackendError("x"), 0), "down"),
        (Health("slow"), lambda h: h.in_time(), "up"),
        (Health(), lambda h: h.recovered(), "up"),
    ],
)
def test_what_an_event_makes_of_a_tier(
    before: Health, event: Callable[[Health], Health], wanted: str
) -> None:
    assert event(before).state == wanted


def test_pauses_grow_until_a_tier_has_proved_itself() -> None:
    health, dues = UP, []
    for _ in range(7):
        health = health.failed(BackendError("x"), 100.0)
        dues.append(health.due - 100)
        health = health.recovered()
    assert dues == [*PAUSES, PAUSES[-1], PAUSES[-1]]
    for _ in range(PROVED):
        health = health.in_time()
    assert health.failed(BackendError("x"), 0).due == PAUSES[0]


def test_a_server_that_asks_for_a_pause_gets_it() -> None:
    assert UP.failed(BackendError("x", wait=7), 100.0).due == 107
    assert UP.failed(BackendError("x", wait=0), 100.0).due == 100 + PAUSES[0]


@pytest.mark.parametrize(
    ("state", "priority", "served"),
    [
        ("up", "auto", True),
        ("slow", "manual", True),
        ("slow", "auto", False),
        ("slow", "prefetch", False),
        ("down", "manual", False),
    ],
)
def test_who_asks_by_hand_waits_for_a_slow_server(
    state: str, priority: Priority, served: bool
) -> None:
    assert Health(state).serves(priority) == served  # type: ignore[arg-type]


class Here:
    """The model of this machine: knows one word, and may be missing."""

    def __init__(self) -> None:
        self.loads = 0
        self.missing = False

    def load(self, progress: Callable[[float], None]) -> None:
        self.loads += 1
        if self.missing:
            raise BackendError("llama-cpp-python is not installed", "wicket engine build")

    def describe(self, state: State) -> State:
        return replace(state, family="wicket", order="spm", context=1024)

    def complete(self, request: Complete, halted: Halted) -> Iterator[Answer]:
        yield Piece(request.id, "here", -0.5)
        yield Done(request.id, "stop")

    def interrupt(self) -> None: ...

    def resume(self) -> None: ...


class World:
    """A box, a model of this machine, and the chain of both."""

    def __init__(self, server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tiers, "PAUSES", (0.0,))
        self.server = server
        self.here = Here()
        self.box = Tier("box", RemoteBackend(server.url), distant=True)
        self.local = Tier("tiny", self.here, distant=False, languages=("python",))
        self.tiers = Tiers([self.box, self.local], patience_ms=250)

    def load(self) -> "World":
        self.tiers.load(lambda _share: None)
        self.settle()
        return self

    def settle(self) -> None:
        wait_for(lambda: not self.box.probed)

    def ask(self, priority: Priority = "auto", language: str = "python") -> tuple[str, Done]:
        request = Complete(1, "a.py", language, "num", "\n", priority)
        *pieces, done = self.tiers.complete(request, lambda: None)
        assert isinstance(done, Done)
        return "".join(piece.text for piece in pieces if isinstance(piece, Piece)), done

    def said(self) -> State:
        return self.tiers.describe(State("box", "", "ready"))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with FakeServer() as server:
        made = World(server, monkeypatch)
        yield made
        # A probe under way would meet a server that has gone.
        made.settle()


def test_the_box_speaks_and_nothing_is_loaded_here(world: World) -> None:
    world.load()
    text, done = world.ask()
    assert (text, done.model, done.family) == (BOX, "box", "qwen2.5-coder")
    assert world.here.loads == 0
    assert (world.said().model, world.said().reason) == ("box", None)


@pytest.mark.parametrize("deed", ["500", "401", "closing", "garbage", "html"])
def test_a_box_that_fails_is_answered_for_in_the_same_request(world: World, deed: str) -> None:
    world.load().server.deed = deed
    text, done = world.ask()
    assert (text, done.model, done.family) == ("here", "tiny", "wicket")
    assert world.said().model == "tiny"
    assert "box" in str(world.said().reason)
    world.server.deed = ""
    world.ask()
    world.settle()
    assert world.ask()[0] == BOX, "a probe found it well again"


def test_a_box_that_asks_for_a_pause_is_not_asked_before(world: World) -> None:
    world.load().server.deed = "429"
    assert world.ask()[0] == "here"
    asked = len(world.server.asked)
    world.server.deed = ""
    for _ in range(3):
        assert world.ask("manual")[0] == "here"
    assert len(world.server.asked) == asked


@pytest.mark.parametrize("deed", ["hanging", "dribble"])
def test_a_box_that_says_nothing_is_answered_for_and_then_passed_by(
    world: World, deed: str
) -> None:
    world.load().server.deed = deed
    asked = len(world.server.completions)
    for _ in range(LATE):
        assert world.ask()[0] == "here"
    assert len(world.server.completions) == asked + LATE
    assert world.box.health.state == "slow"
    assert "first word" in str(world.said().reason)
    wait_for(lambda: world.server.cancelled == LATE)


def test_a_slow_box_is_asked_by_hand_only_until_it_is_fast_again(world: World) -> None:
    world.load().server.delay = 0.5
    for _ in range(LATE):
        assert world.ask()[0] == "here"
    assert world.ask("manual")[0] == BOX
    world.server.delay = 0
    world.ask()
    world.settle()
    assert world.ask()[0] == BOX


def test_a_box_that_breaks_in_the_middle_fails_once(world: World) -> None:
    """What was sent cannot be taken back; the next request goes elsewhere."""
    world.load().server.deed = "no end"
    with pytest.raises(BackendError, match="ended in the middle"):
        world.ask()
    world.server.deed = "500"
    assert world.ask()[0] == "here"


def test_a_box_that_comes_later_joins(world: World) -> None:
    world.server.languages = ("nothing",)
    world.load()
    assert world.ask()[0] == "here"
    world.server.languages = ("llama-server",)
    world.settle()
    world.ask()
    world.settle()
    assert world.ask()[0] == BOX


def test_nothing_is_sent_while_nobody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    with FakeServer() as server:
        world = World(server, monkeypatch).load()
        server.deed = "500"
        world.ask()
        world.settle()
        before, threads = len(server.asked), threading.active_count()
        threading.Event().wait(0.3)
        assert len(server.asked) == before
        assert threading.active_count() <= threads


def test_a_language_that_only_the_box_knows(world: World) -> None:
    world.load()
    assert world.said().languages == ()
    assert world.ask(language="go")[0] == BOX
    world.server.deed = "500"
    with pytest.raises(BackendError, match="status 500; tiny does not know go"):
        world.ask(language="go")


def test_nobody_is_there(world: World) -> None:
    world.server.languages, world.here.missing = ("nothing",), True
    with pytest.raises(BackendError, match="neither llama-server.*not installed"):
        world.load()
    world.server.languages = ("llama-server",)
    world.settle()
    world.load()
    assert world.ask()[0] == BOX


def test_a_cancel_ends_a_request_to_the_box_and_counts_for_nothing(world: World) -> None:
    """Through the engine: the box hangs, the user types on, nobody is late."""
    world.server.delay = 60
    engine = Engine(world.tiers, State("box", "", "loading"))
    world.tiers._patience = 30
    world.server.delay = 0
    engine.start()
    done = threading.Event()
    answers: list[Answer] = []

    def answered(answer: Answer) -> None:
        answers.append(answer)
        if isinstance(answer, Done):
            done.set()

    engine.submit(Job(Complete(1, "a.py", "python", "num", "\n"), answered))
    assert done.wait(10)
    done.clear()
    world.settle()
    world.server.delay = 60
    before = len(world.server.completions)
    job = Job(Complete(2, "a.py", "python", "num", "\n"), answered)
    engine.submit(job)
    wait_for(lambda: len(world.server.completions) > before)
    engine.cancel(job)
    assert done.wait(10)
    assert isinstance(answers[-1], Done)
    assert answers[-1].done == "cancelled"
    assert world.box.health.late == 0
    wait_for(lambda: world.server.cancelled == 1)
    engine.close()
