"""A suggestion on its way is kept while what is typed agrees with it."""

import asyncio

import pytest
from wicket.completion import flight as module
from wicket.completion.cursor import Cursor, Suggestion
from wicket.completion.flight import Flight, Hear


def at(marked: str, path: str = "a.py") -> Cursor:
    before, after = marked.split("$0")
    return Cursor(path, "python", before + after, len(before))


class Model:
    """Says its text in pieces, each when it is told to."""

    def __init__(self) -> None:
        self.said = asyncio.Queue[str | None]()
        self.cancelled = False

    async def ask(self, hear: Hear) -> Suggestion:
        text = ""
        try:
            while (piece := await self.said.get()) is not None:
                hear(piece)
                text += piece
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return Suggestion(text)


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("said", "now", "kept"),
    [
        ("", "x = $0\n", True),
        ("", "x = anything$0\n", True),
        ("foo(", "x = f$0\n", True),
        ("foo(", "x = foo(bar$0\n", True),
        ("foo(", "x = g$0\n", False),
        ("foo(", "y = f$0\n", False),
        ("foo(", "x = f$0;\n", False),
        ("foo(", "x =$0\n", False),
    ],
)
async def test_it_is_kept_while_the_text_follows_it(said: str, now: str, kept: bool) -> None:
    model = Model()
    flight = Flight(at("x = $0\n"), "auto", model.ask)
    model.said.put_nowait(said)
    await settle()
    assert flight.carries(at(now), "auto") is kept
    assert not flight.carries(at(now), "line")
    assert not flight.carries(at(now, "b.py"), "auto")
    flight.cancel()
    await settle()


async def test_all_who_wait_are_answered_by_one_asking() -> None:
    model = Model()
    flight = Flight(at("x = $0\n"), "auto", model.ask)
    waiting = [
        asyncio.ensure_future(flight.land(at(f"x = {t}$0\n"), "auto")) for t in ("", "f", "fo")
    ]
    for piece in ("f", "oo", None):
        model.said.put_nowait(piece)
    assert await asyncio.gather(*waiting) == [Suggestion("foo")] * 3
    assert not flight.carries(at("x = f$0\n"), "auto")


async def test_who_turns_out_to_type_something_else_waits_no_longer() -> None:
    model = Model()
    flight = Flight(at("x = $0\n"), "auto", model.ask)
    waiting = asyncio.ensure_future(flight.land(at("x = fa$0\n"), "auto"))
    model.said.put_nowait("f")
    await settle()
    assert not waiting.done()
    model.said.put_nowait("o")
    assert await waiting is None
    flight.cancel()
    await settle()


async def test_the_next_key_may_come_after_the_editor_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = Model()
    flight = Flight(at("x = $0\n"), "auto", model.ask)
    first = asyncio.ensure_future(flight.land(at("x = $0\n"), "auto"))
    await settle()
    first.cancel()
    await settle()
    assert not flight.awaited
    assert not model.cancelled
    second = asyncio.ensure_future(flight.land(at("x = f$0\n"), "auto"))
    for piece in ("foo", None):
        model.said.put_nowait(piece)
    assert await second == Suggestion("foo")


async def test_nobody_waits_for_ever_for_a_next_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER_SECONDS", 0.0)
    model = Model()
    flight = Flight(at("x = $0\n"), "auto", model.ask)
    first = asyncio.ensure_future(flight.land(at("x = $0\n"), "auto"))
    await settle()
    first.cancel()
    await settle()
    assert flight.over
    assert model.cancelled


async def test_an_error_reaches_those_who_wait() -> None:
    async def fails(hear: Hear) -> Suggestion:
        raise OSError("gone")

    flight = Flight(at("x = $0\n"), "auto", fails)
    with pytest.raises(OSError, match="gone"):
        await flight.land(at("x = $0\n"), "auto")
