"""The scheduler: order, cancelling, yielding, deadlines, failures.  Exactly one Done each."""

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from wicket.completion.engine import Answer, BackendError, Engine, Halted, Job
from wicket.completion.wire import Complete, Done, Piece, State

WAIT = 5.0


class Letters:
    """A backend that answers the prefix letter by letter, one for each permit."""

    def __init__(self) -> None:
        self.permits = threading.Semaphore(0)
        self.started: queue.Queue[int] = queue.Queue()
        self.order: list[int] = []

    def load(self, progress: Callable[[float], None]) -> None:
        progress(0.5)

    def describe(self, state: State) -> State:
        return replace(state, family="letters")

    def complete(self, request: Complete, halted: Halted) -> Iterator[Answer]:
        self.order.append(request.id)
        self.started.put(request.id)
        if request.prefix == "!":
            raise BackendError("this backend fails on purpose")
        for letter in request.prefix:
            while not self.permits.acquire(timeout=0.01):
                if why := halted():
                    yield Done(request.id, why)
                    return
            if why := halted():
                yield Done(request.id, why)
                return
            yield Piece(request.id, letter, -0.1)
        yield Done(request.id, "stop")

    def interrupt(self) -> None: ...

    def resume(self) -> None: ...


class World:
    def __init__(self) -> None:
        self.backend = Letters()
        self.engine = Engine(self.backend, State("letters", "0", "loading"))
        self.engine.start()
        self.answers: queue.Queue[Answer] = queue.Queue()

    def ask(self, number: int, prefix: str, **members: object) -> Job:
        request = Complete(number, "a.py", "python", prefix, "", **members)  # type: ignore[arg-type]
        job = Job(request, self.answers.put)
        self.engine.submit(job)
        return job

    def until_done(self, count: int = 1) -> dict[int, tuple[str, str]]:
        """What each finished request said, and how it ended."""
        texts: dict[int, str] = {}
        ends: dict[int, tuple[str, str]] = {}
        while len(ends) < count:
            answer = self.answers.get(timeout=WAIT)
            if isinstance(answer, Piece):
                texts[answer.id] = texts.get(answer.id, "") + answer.text
            else:
                assert answer.id not in ends, "a second Done"
                ends[answer.id] = (texts.get(answer.id, ""), answer.done)
        return ends


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.engine.close()


def test_requests_are_answered_in_order_of_urgency(world: World) -> None:
    world.ask(1, "ab")
    world.backend.started.get(timeout=WAIT)
    for number, priority in ((2, "warm"), (3, "prefetch"), (4, "auto")):
        world.ask(number, "x", priority=priority)
    world.backend.permits.release(9)
    assert world.until_done(4) == {
        1: ("ab", "stop"),
        4: ("x", "stop"),
        3: ("x", "stop"),
        2: ("x", "stop"),
    }
    assert world.backend.order == [1, 4, 3, 2]


def test_a_more_urgent_request_interrupts_and_the_other_goes_on_later(
    world: World,
) -> None:
    """Nothing is sent twice: the interrupted answer continues where it was."""
    world.ask(1, "abc", priority="prefetch")
    world.backend.started.get(timeout=WAIT)
    world.backend.permits.release(1)
    assert world.answers.get(timeout=WAIT) == Piece(1, "a", -0.1)
    world.ask(2, "z", priority="manual")
    assert world.backend.started.get(timeout=WAIT) == 2
    world.backend.permits.release(9)
    assert world.until_done(2) == {2: ("z", "stop"), 1: ("bc", "stop")}
    assert world.backend.order == [1, 2, 1]


def test_a_waiting_request_can_be_cancelled(world: World) -> None:
    world.ask(1, "ab")
    world.backend.started.get(timeout=WAIT)
    world.engine.cancel(world.ask(2, "xyz"))
    world.backend.permits.release(9)
    assert world.until_done(2) == {1: ("ab", "stop"), 2: ("", "cancelled")}
    assert world.backend.order == [1]


def test_cancelling_inside_the_computation(world: World) -> None:
    job = world.ask(1, "abc")
    world.backend.started.get(timeout=WAIT)
    world.engine.cancel(job)
    assert world.until_done() == {1: ("", "cancelled")}


def test_a_deadline_in_the_past_is_not_computed(world: World) -> None:
    world.ask(1, "abc", deadline_ms=-1)
    assert world.until_done() == {1: ("", "deadline")}
    assert world.backend.order == []


def test_a_failing_backend_answers_and_the_next_request_works(world: World) -> None:
    world.ask(1, "!")
    world.backend.permits.release(1)
    world.ask(2, "y")
    assert world.until_done(2) == {1: ("", "failed"), 2: ("y", "stop")}


def test_a_backend_that_could_not_load_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that was not up, memory that was not free: a later request finds it."""

    class Late(Letters):
        attempts = 0

        def load(self, progress: Callable[[float], None]) -> None:
            self.attempts += 1
            if self.attempts == 1:
                raise BackendError("not up yet")

    monkeypatch.setattr("wicket.completion.engine.RETRY_SECONDS", 0.0)
    backend = Late()
    backend.permits.release(9)
    answers: queue.Queue[Answer] = queue.Queue()
    engine = Engine(backend, State("m", "0", "loading"))
    engine.start()
    while engine.state().state == "loading":
        pass
    engine.submit(Job(Complete(1, "a", "b", "x", ""), answers.put))
    assert next(answers.get(timeout=WAIT) for _ in range(2)) == Piece(1, "x", -0.1)
    assert engine.state().state == "ready"
    engine.close()


def test_a_backend_that_cannot_load_is_off_and_says_why() -> None:
    class Broken(Letters):
        def load(self, progress: Callable[[float], None]) -> None:
            raise BackendError("no such model", "wicket model list")

    answers: queue.Queue[Answer] = queue.Queue()
    engine = Engine(Broken(), State("m", "0", "loading"))
    engine.start()
    engine.submit(Job(Complete(1, "a", "b", "x", ""), answers.put))
    done = answers.get(timeout=WAIT)
    assert isinstance(done, Done)
    assert (done.done, done.why) == ("failed", "no such model")
    state = engine.state()
    assert (state.state, state.fix) == ("off", "wicket model list")
    engine.close()
