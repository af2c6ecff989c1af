"""Several models in one engine: who answers, who stays in memory, who leaves."""

import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from wicket.completion import gguf
from wicket.completion.engine import Answer, BackendError
from wicket.completion.local import LocalBackend
from wicket.completion.models import shipped
from wicket.completion.models.catalogue import SHIPPED
from wicket.completion.shelf import Held, Member, Profile, Shelf, model_for, to_unload
from wicket.completion.wire import Complete, Done, Piece, Priority, State

GO = Profile("go-model", ("go", "rust"))
HAND = Profile("large", trigger="manual")
GO_HAND = Profile("go-large", ("go",), "manual")
TYPING = Profile("small", trigger="auto")


@pytest.mark.parametrize(
    ("profiles", "language", "priority", "wanted"),
    [
        ((), "go", "auto", None),
        ((GO,), "go", "auto", "go-model"),
        ((GO,), "go", "manual", "go-model"),
        ((GO,), "python", "auto", None),
        ((HAND,), "python", "manual", "large"),
        ((HAND,), "python", "auto", None),
        # What is fetched ahead is for who types.
        ((TYPING, HAND), "python", "prefetch", "small"),
        ((TYPING, HAND), "python", "warm", "small"),
        # The language counts for more than how it was asked, both for more than one.
        ((HAND, GO), "go", "manual", "go-model"),
        ((HAND, GO, GO_HAND), "go", "manual", "go-large"),
        ((HAND, GO, GO_HAND), "rust", "manual", "go-model"),
        # Among equals the first.
        ((GO, Profile("other", ("go",))), "go", "auto", "go-model"),
    ],
)
def test_who_answers(
    profiles: tuple[Profile, ...], language: str, priority: Priority, wanted: str | None
) -> None:
    assert model_for(profiles, language, priority) == wanted


A, B, C, SERVER = Held("a", 30, 1), Held("b", 20, 3), Held("c", 10, 2), Held("server", 0, 0)


@pytest.mark.parametrize(
    ("held", "needed", "budget", "gone"),
    [
        ((), 50, 100, ()),
        ((A, B), 50, 100, ()),
        ((A, B), 51, 100, ("a",)),
        ((A, B, C), 60, 100, ("a",)),
        # By when they were used, not by what they take.
        ((A, B, C), 75, 100, ("a", "c")),
        ((A, B, C), 90, 100, ("a", "c", "b")),
        # The person chose it, so it is tried though it is too large.
        ((A, B), 500, 100, ("a", "b")),
        # Sending a server away frees nothing.
        ((SERVER, A), 80, 100, ("a",)),
        ((A, B), 0, 10, ("a", "b")),
    ],
)
def test_who_leaves(
    held: tuple[Held, ...], needed: int, budget: int, gone: tuple[str, ...]
) -> None:
    assert to_unload(held, needed, budget) == gone


class World:
    """Three models that are real, and how often each was loaded."""

    def __init__(self, folder: Path, budget_in_models: float) -> None:
        source = shipped() / SHIPPED.file
        size = gguf.memory_needed(gguf.read(source), 4096)
        self.loads: list[str] = []
        self.missing: set[str] = set()
        members = []
        for name in ("first", "second", "third"):
            path = folder / f"{name}.gguf"
            shutil.copy(source, path)
            members.append(Member(name, self.maker(name, path), size, ("python",)))
        profiles = (Profile("second", ("go",)), Profile("third", trigger="manual"))
        clock = count(1)
        self.shelf = Shelf(
            members, profiles, int(size * budget_in_models), lambda: float(next(clock))
        )

    def maker(self, name: str, path: Path) -> Callable[[], LocalBackend]:
        def make() -> LocalBackend:
            if name in self.missing:
                return LocalBackend(path.with_name("missing.gguf"))
            self.loads.append(name)
            return LocalBackend(path)

        return make

    def ask(self, language: str = "python", priority: Priority = "auto") -> str:
        """Who answered; the text is the same, for they all are the same model."""
        request = Complete(1, "a.py", language, "def add(a, b):\n    return ", "\n", priority)
        answers: Iterator[Answer] = self.shelf.complete(request, lambda: None)
        *pieces, done = list(answers)
        assert isinstance(done, Done)
        assert done.family == "wicket"
        assert "".join(piece.text for piece in pieces if isinstance(piece, Piece)).startswith("a")
        return done.model

    @property
    def held(self) -> tuple[str, ...]:
        return self.shelf.describe(State("first", "", "ready")).held


def test_models_are_loaded_when_asked_and_the_oldest_leaves(tmp_path: Path) -> None:
    """Room for two: the third takes the place of the one unused for longest."""
    world = World(tmp_path, 2.5)
    world.shelf.load(lambda _share: None)
    assert world.held == ("first",)
    assert world.ask() == "first"
    assert world.ask("go") == "second"
    assert world.held == ("first", "second")
    assert world.ask() == "first"
    assert world.ask("python", "manual") == "third"
    assert world.held == ("first", "third")
    # One that left comes back, and nothing else is loaded twice.
    assert world.ask("go") == "second"
    assert world.held == ("second", "third")
    assert world.ask("go", "prefetch") == "second"
    assert world.loads == ["first", "second", "third", "second"]


def test_room_for_one_is_enough(tmp_path: Path) -> None:
    world = World(tmp_path, 0.5)
    world.shelf.load(lambda _share: None)
    for language, name in (("go", "second"), ("python", "first"), ("go", "second")):
        assert world.ask(language) == name
        assert world.held == (name,)
    # What it says of itself does not depend on who is in memory.
    state = world.shelf.describe(State("first", "", "ready"))
    assert (state.languages, state.profiles) == (("python",), {"go": "second"})


def test_a_model_that_cannot_be_loaded_leaves_the_word_to_the_first(tmp_path: Path) -> None:
    world = World(tmp_path, 9)
    world.missing = {"second", "third"}
    world.shelf.load(lambda _share: None)
    assert world.ask("python", "manual") == "first"
    assert "missing.gguf" in (world.shelf.describe(State("first", "", "ready")).reason or "")
    # The first does not know that language.
    with pytest.raises(BackendError, match="missing.gguf"):
        world.ask("go")


def test_an_interrupt_reaches_who_is_at_work(tmp_path: Path) -> None:
    world = World(tmp_path, 9)
    world.shelf.load(lambda _share: None)
    request = Complete(1, "a.py", "go", "def add(a, b):\n    return ", "\n")
    world.shelf.interrupt()
    (done,) = world.shelf.complete(request, lambda: None)
    assert isinstance(done, Done)
    assert (done.done, done.model) == ("cancelled", "second")
    world.shelf.resume()
    assert world.ask("go") == "second"
