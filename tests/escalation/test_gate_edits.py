"""Edits through the gate: proposed, durable before they are told of, decided on record."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from wicket.escalation.audit.verification import verify
from wicket.escalation.gate import Unprepared
from wicket.escalation.house import Closed
from wicket.escalation.task import Malformed, read

from . import anthropic_wire
from .gate_world import World, approved, running
from .provider import ANSWERS, called, chunk, head, said

SECRET = "Zt6Vb9Wn1Lk5"
TEXT = f"key = '{SECRET}'\nx = 1\n"
TASK: dict[str, Any] = {
    "kind": "refactor",
    "instruction": "Call it token.",
    "tools": ["read", "edit"],
    "readable": ["**"],
    "known_secrets": [SECRET],
    "documents": [
        {"path": "src/b.py", "text": "y = 3\n"},
        {"path": "src/a.py", "text": TEXT, "role": "edit", "selection": [1, 1]},
    ],
}
DIFF = "d1" * 32


def proposes(name: str, *calls: list[dict[str, Any]]) -> None:
    """An answer of this name in each wire format, with a call of `edit` for each list."""
    arguments = [json.dumps({"edits": rows}) for rows in calls]
    blocks = [
        anthropic_wire.tool(n + 1, f"toolu_{n}", "edit", *(text[:9], text[9:]))
        for n, text in enumerate(arguments)
    ]
    begun = anthropic_wire.HEAD + anthropic_wire.start() + anthropic_wire.text(0, "So be it.")
    ANSWERS[f"claude {name}"] = [begun + b"".join(blocks) + anthropic_wire.end("tool_use")]
    pieces = [called(n, f"call_{n}", "edit", text) for n, text in enumerate(arguments)]
    last = chunk(choices=[{"delta": {}, "finish_reason": "tool_calls"}])
    ANSWERS[name] = [head() + said("So be it.") + b"".join(pieces) + last + b"data: [DONE]\n\n"]


GOOD = {"path": "src/a.py", "old": "x = 1", "new": "x = 2"}
proposes("an edit", [GOOD])
proposes("two edits", [GOOD], [{"path": "src/a.py", "old": "key = ", "new": "token = "}])
proposes("a bad edit", [GOOD, {"path": "src/a.py", "old": "z", "new": ""}])
proposes("another file", [{"path": "src/b.py", "old": "y", "new": "z"}])


@pytest.fixture(params=["compatible", "anthropic"])
async def world(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with running(tmp_path, request.param) as made:
        yield made
    assert SECRET.encode() not in made.server.received
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and
                SECRET.encode() in path.read_bytes()]  # fmt: skip
    assert verify(made.directory).code in ((0, 3) if made.disk.broken else (0,))


async def run(world: World, task: Mapping[str, Any] = TASK) -> tuple[str, list[tuple[str, Any]]]:
    """The exchange's name and all events."""
    events = await world.send(read(task))
    return next(m["exchange"] for name, m in events if name == "record"), events


def named(events: list[tuple[str, Any]], name: str) -> list[Any]:
    return [members for kind, members in events if kind == name]


async def test_an_edit_ends_the_exchange_and_comes_after_its_record(world: World) -> None:
    world.server.script = [world.says("two edits")]
    _exchange, events = await run(world)
    assert world.server.connections == 1, "nobody has to be told that an edit was taken"
    edits = named(events, "edit")
    text = TEXT
    for one in reversed(edits):
        assert (one["document"], one["path"]) == (1, "src/a.py")
        text = text[: one["start"]] + one["text"] + text[one["end"] :]
    assert text == TEXT.replace("key", "token").replace("1\n", "2\n")
    (outcome,) = world.records("outcome")
    assert [(row["added"], row["removed"]) for row in outcome["data"]["edits"]] == [(2, 2)]
    durable = next(
        n for n, (name, m) in enumerate(events) if name == "record" and m["seq"] == outcome["seq"]
    )
    assert durable < next(n for n, (name, _) in enumerate(events) if name == "edit")
    assert events[-1] == ("done", {"status": "ok", "finish": events[-1][1]["finish"]})
    body = world.server.requests[0][1]
    assert b"This is about the lines src/a.py:1-1" in body
    assert b"WICKET_SECRET_1_" in body


@pytest.mark.parametrize(
    ("first", "why"),
    [
        ("a bad edit", "edit 2: old stands nowhere in src/a.py"),
        ("another file", "src/b.py is not a file that can be edited here"),
    ],
)
async def test_an_edit_that_does_not_fit_is_told_to_the_model(
    world: World, first: str, why: str
) -> None:
    world.server.script = [world.says(first), world.says("an edit")]
    _exchange, events = await run(world)
    assert why.encode() in world.server.requests[1][1]
    (edit,) = named(events, "edit")
    assert TEXT[edit["start"] : edit["end"]] == "x = 1"
    assert [bool(row["data"]["edits"]) for row in world.records("outcome")] == [False, True]
    assert len(world.records("approval")) == 1


async def test_no_edit_without_a_durable_outcome(world: World) -> None:
    """The disk fails between the answer and its record: nothing is offered, no `done` comes."""
    world.server.script = [world.says("an edit")]
    world.server.answers = lambda: setattr(world.disk, "broken", True)
    prepared = await world.gate.prepare(read(TASK))
    exchange = await world.gate.begin(prepared["digest"], approved(prepared))
    events: list[tuple[str, Any]] = []
    await exchange.start(lambda name, members: events.append((name, members)))
    assert named(events, "edit") == []
    assert named(events, "done") == []
    assert len(named(events, "error")) == 1
    with pytest.raises((Closed, Unprepared)):
        await world.gate.applied(exchange.name, {"decision": "applied", "diff_sha256": DIFF})


async def test_cancelled_before_its_record_there_is_no_edit(world: World) -> None:
    world.server.answer = world.says("stalls")
    prepared = await world.gate.prepare(read(TASK))
    exchange = await world.gate.begin(prepared["digest"], approved(prepared))
    events: list[tuple[str, Any]] = []
    work = exchange.start(lambda name, members: events.append((name, members)))
    await asyncio.wait_for(world.server.arrived.wait(), 30)
    exchange.cancel()
    await work
    assert named(events, "edit") == []
    assert named(events, "done") == [{"status": "cancelled", "finish": None}]


async def test_what_became_of_it_is_on_record_once(world: World) -> None:
    world.server.script = [world.says("an edit"), world.says("an edit")]
    first, _ = await run(world)
    second, _ = await run(world)
    gate = world.gate

    async def decide(exchange: str, decision: str, **more: Any) -> int:
        return await gate.applied(exchange, {"decision": decision, "diff_sha256": DIFF} | more)

    await decide(first, "applied")
    await decide(second, "rejected")
    number = await decide(first, "reverted")
    assert await decide(first, "reverted") == number, "asked once more: the answer was lost"
    for exchange, decision in (
        *((first, one) for one in ("applied", "rejected", "partly")),
        *((second, one) for one in ("applied", "reverted", "nonsense")),
    ):
        with pytest.raises(Malformed):
            await decide(exchange, decision)
    with pytest.raises(Malformed):
        await decide(first, "reverted", diff_sha256="short")
    with pytest.raises(Malformed):
        await decide(first, "reverted", diff_sha256="d2" * 32)
    with pytest.raises(Unprepared):
        await decide("00" * 16, "applied")
    rows = world.records("applied")
    outcomes = [row["seq"] for row in world.records("outcome")]
    assert [(row["data"]["exchange"], row["data"]["decision"], row["ref"]) for row in rows] == [
        (first, "applied", outcomes[0]),
        (second, "rejected", outcomes[1]),
        (first, "reverted", outcomes[0]),
    ]
    assert {row["data"]["edits"][0]["removed"] for row in rows} == {1}
    assert DIFF not in json.dumps(rows), "a commitment, no hash of content"
    assert rows[0]["data"]["commit"] == rows[2]["data"]["commit"]


async def test_of_two_decisions_at_once_one_is_on_record(world: World) -> None:
    world.server.script = [world.says("an edit")]
    exchange, _ = await run(world)
    said = [{"decision": one, "diff_sha256": DIFF} for one in ("applied", "rejected", "applied")]
    found = await asyncio.gather(
        *(world.gate.applied(exchange, one) for one in said), return_exceptions=True
    )
    assert [isinstance(one, Malformed) for one in found] == [False, True, False]
    assert found[0] == found[2], "the same decision is the same record"
    assert len(world.records("applied")) == 1


async def test_an_answer_without_edits_leaves_nothing_to_decide(world: World) -> None:
    exchange, events = await run(world)
    assert named(events, "edit") == []
    assert named(events, "done")[0]["status"] == "ok"
    with pytest.raises(Unprepared):
        await world.gate.applied(exchange, {"decision": "applied", "diff_sha256": DIFF})
