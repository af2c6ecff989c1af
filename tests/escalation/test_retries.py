"""Attempts: each a request of its own, recorded; and who else may be asked."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from wicket.escalation.audit.records import Outcome, Status
from wicket.escalation.freezes import Frozen
from wicket.escalation.retries import Retries, Wish, elsewhere, wish
from wicket.escalation.task import read

from .gate_world import TASK, World, approved, running
from .provider import ANSWERS
from .wire import refusal

QUICK = Retries(attempts=3, first_seconds=0.001)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ANSWERS["asks for a day"] = [refusal("429 Too Many", "slow down", "retry-after: 86400")]
ANSWERS["asks for no more"] = [refusal("503 Down", "stop", "x-should-retry: false")]
ANSWERS["bad request"] = [refusal("400 Bad", "no such parameter")]


def check(status: Status, wanted: float | None, attempt: int = 1, **told: Any) -> None:
    said = told.pop("wish", Wish())
    assert Retries().pause(attempt, Outcome(status, **told), said, 1.0) == wanted


def test_what_passes_is_tried_again() -> None:
    check("ok", None, http_status=200)
    check("refused", None)
    check("cancelled", None, sent=9)
    check("http_error", 1.0, http_status=529)
    check("http_error", 2.0, attempt=2, http_status=503)
    check("http_error", None, attempt=3, http_status=503)
    for status in (400, 401, 403, 404, 413, 422, 501):
        check("http_error", None, http_status=status)
    check("http_error", 1.0, http_status=501, wish=Wish(again=True))
    check("http_error", None, http_status=503, wish=Wish(again=False))
    check("http_error", 5.25, http_status=429, wish=Wish(5))
    check("http_error", None, http_status=429, wish=Wish(86400))
    check("failed", 1.0, sent=0)
    check("failed", None, sent=99)
    check("failed", None, sent=99, http_status=200)
    check("failed", None, sent=0, first_token_ms=1)
    check("timeout", 1.0, sent=0)
    check("timeout", None, sent=99)


def test_pauses_grow_are_spread_and_have_a_bound() -> None:
    many = Retries(attempts=20)
    ended = Outcome("http_error", http_status=503)
    pauses = [many.pause(attempt, ended, Wish(), 0.0) for attempt in range(1, 20)]
    assert pauses[:4] == [0.5, 1, 2, 4]
    assert pauses[-1] == 15
    assert many.pause(1, ended, Wish(), 0.5) == 0.75


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({}, Wish()),
        ({"retry-after": "7"}, Wish(7)),
        ({"retry-after": "0.5"}, Wish(0.5)),
        ({"retry-after-ms": "250", "retry-after": "9"}, Wish(0.25)),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:30 GMT"}, Wish(30)),
        ({"retry-after": "Thu, 01 Jan 2026 11:00:30 GMT"}, Wish(0)),
        ({"retry-after": "Thu, 01 Jan 2026 12:00:30 -0000"}, Wish(30)),
        ({"retry-after": "soon"}, Wish()),
        ({"retry-after": f"1 Jan {'9' * 30} 00:00:00 GMT"}, Wish()),
        ({"retry-after": "-3"}, Wish()),
        ({"retry-after": "nan"}, Wish()),
        ({"retry-after": "²"}, Wish()),
        ({"retry-after": "9" * 5000}, Wish(1e9)),
        ({"x-should-retry": "true"}, Wish(None, True)),
        ({"x-should-retry": "false", "retry-after": "1"}, Wish(1, False)),
        ({"x-should-retry": "perhaps"}, Wish()),
    ],
)
def test_what_headers_wish(headers: dict[str, str], wanted: Wish) -> None:
    assert wish(headers, NOON) == wanted


@pytest.mark.parametrize(
    ("ended", "wanted"),
    [
        (Outcome("http_error", http_status=401), True),
        (Outcome("http_error", http_status=529), True),
        (Outcome("http_error", http_status=400), False),
        (Outcome("failed"), True),
        (Outcome("timeout", sent=9), True),
        (Outcome("failed", first_token_ms=3), False),
        (Outcome("refused"), False),
        (Outcome("cancelled"), False),
        (Outcome("ok"), False),
    ],
)
def test_when_somebody_else_is_asked(ended: Outcome, wanted: bool) -> None:
    assert elsewhere(ended) is wanted


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path, retries=QUICK) as made:
        yield made
    if not made.disk.broken:
        assert len(made.records("outcome")) == len(made.records("intent"))


def named(events: list[tuple[str, Any]], name: str) -> list[Any]:
    return [members for kind, members in events if kind == name]


async def test_each_attempt_is_recorded_by_itself(world: World) -> None:
    """The same bytes three times, each with its own intent and outcome; one approval."""
    world.server.script = ["overload", "overload"]
    events = await world.send()
    assert events[-1] == ("done", {"status": "ok", "finish": "stop"})
    assert [m["attempt"] for m in named(events, "retry")] == [2, 3]
    assert "status 529" in named(events, "retry")[0]["reason"]
    assert named(events, "error") == []
    intents, outcomes = world.records("intent"), world.records("outcome")
    assert [row["data"]["attempt"] for row in intents] == [1, 2, 3]
    assert {row["data"]["turn"] for row in intents} == {1}
    assert [row["data"]["http_status"] for row in outcomes] == [529, 529, 200]
    assert [row["ref"] for row in outcomes] == [row["seq"] for row in intents]
    assert len(world.records("approval")) == 1
    assert len({body for _, body in world.server.requests}) == 1
    assert world.server.connections == 3


@pytest.mark.parametrize(
    ("answer", "attempts"),
    [
        ("overload", 3),
        ("unauthorized", 1),
        ("bad request", 1),
        ("asks for a day", 1),
        ("asks for no more", 1),
        ("cut", 1),
        ("hangs up", 1),
    ],
)
async def test_it_is_given_up_with_one_error(world: World, answer: str, attempts: int) -> None:
    world.server.answer = answer
    events = await world.send()
    assert world.server.connections == len(world.records("intent")) == attempts
    assert len(named(events, "error")) == 1
    assert events[-1][0] == "done"
    assert events[-1][1]["status"] != "ok"


async def test_nobody_there_is_tried_again(world: World) -> None:
    world.server._server.close()  # type: ignore[union-attr]
    await world.send()
    outcomes = world.records("outcome")
    assert [(row["data"]["status"], row["data"]["sent"]) for row in outcomes] == [("failed", 0)] * 3


@pytest.mark.parametrize("how", ["cancel", "freeze", "disk"])
async def test_nothing_is_sent_after_a_stop_between_attempts(world: World, how: str) -> None:
    """In the pause nothing is open in the log, and nothing leaves any more."""
    frozen: list[str] = []
    pausing = Retries(3, 0.001 if how == "disk" else 60, 90)
    world.gate.house = replace(
        world.gate.house, retries=pausing, frozen=lambda: tuple(map(Frozen, frozen))
    )
    world.server.answer = "overload"
    prepared = await world.gate.prepare(read(TASK))
    exchange = await world.gate.begin(prepared["digest"], approved(prepared))
    events: list[tuple[str, Any]] = []

    def hear(name: str, members: dict[str, Any]) -> None:
        events.append((name, members))
        if name == "retry" and how == "disk":
            world.disk.broken = True

    work = exchange.start(hear)
    async with asyncio.timeout(30):
        while not named(events, "retry"):
            await asyncio.sleep(0.01)
    if how == "cancel":
        assert world.gate.cancel(exchange.name)
    elif how == "freeze":
        frozen.append("drill")
        await world.gate.heed()
    async with asyncio.timeout(30):
        await work
    assert world.server.connections == 1
    assert len(world.records("outcome")) == 1
    if how == "disk":
        assert events[-1][0] != "retry"
    else:
        assert events[-1] == ("done", {"status": "cancelled", "finish": None})


async def test_a_round_of_tools_is_tried_again_too(world: World) -> None:
    """With the results of its tools, and the turn's number."""
    world.server.script = ["tools", "overload"]
    ask = TASK | {"kind": "ask", "tools": ["read"], "readable": ["/src/"]}
    prepared = await world.gate.prepare(read(ask))
    exchange = await world.gate.begin(prepared["digest"], approved(prepared))
    events: list[tuple[str, Any]] = []
    work = exchange.start(lambda name, members: events.append((name, members)))
    async with asyncio.timeout(30):
        while not named(events, "tool"):
            await asyncio.sleep(0.01)
    (call,) = named(events, "tool")
    await world.gate.answer(exchange.name, {"id": call["id"], "name": "read", "text": "nothing"})
    await work
    numbers = [(r["data"]["turn"], r["data"]["attempt"]) for r in world.records("intent")]
    assert numbers == [(1, 1), (2, 1), (2, 2)]
    assert events[-1][1]["status"] == "ok"


async def test_others_are_named_and_need_a_question_of_their_own(world: World) -> None:
    """The approval of one provider sends nothing to another."""
    home = world.gate.house.providers["home"]
    rows = {
        "home": home,
        "spare": replace(home, name="spare", model="n"),
        "last": replace(home, name="last"),
    }
    world.gate.house = replace(world.gate.house, providers=rows)
    world.server.script = ["unauthorized"]
    events = await world.send()
    assert events[-1][1]["others"] == ["spare", "last"]
    prepared = await world.gate.prepare(read(TASK | {"prefer": "spare"}))
    exchange = await world.gate.begin(prepared["digest"], approved(prepared))
    events = []
    await exchange.start(lambda name, members: events.append((name, members)))
    assert events[-1] == ("done", {"status": "ok", "finish": "stop"})
    first, second = world.records("intent")
    assert (first["data"]["model"], second["data"]["model"]) == ("m", "n")
    assert len(world.records("approval")) == 2
    assert first["data"]["consent"]["id"] != second["data"]["consent"]["id"]
