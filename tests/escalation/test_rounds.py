"""Rounds of tools: each its own intent and outcome, all of them inside one approval."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from wicket.escalation.exchange import Exchange
from wicket.escalation.freezes import Frozen
from wicket.escalation.gate import Gate, Outside, Unprepared
from wicket.escalation.outgoing import Denial
from wicket.escalation.task import Malformed, read

from .gate_world import TASK, World, approved, running

ASK = TASK | {"kind": "ask", "tools": ["read", "search"], "readable": ["/src/"]}
FOUND = {"path": "src/b.py", "language": "python", "text": "y = 3\n", "range": [1, 1]}


@pytest.fixture(params=["compatible", "anthropic", "openai"])
async def world(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with running(tmp_path, request.param) as made:
        yield made
    assert len(made.records("outcome")) == len(made.records("intent"))


class Run:
    """An exchange that was approved, and what it said so far."""

    def __init__(self, gate: Gate, exchange: Exchange) -> None:
        self.gate, self.exchange = gate, exchange
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.work = exchange.start(lambda name, members: self.events.append((name, members)))

    async def calls(self, number: int) -> list[Mapping[str, Any]]:
        """The calls so far, once there are so many."""
        async with asyncio.timeout(30):
            while len(found := self.named("tool")) < number and not self.work.done():
                await asyncio.sleep(0.01)
        return found

    def named(self, name: str) -> list[dict[str, Any]]:
        return [members for kind, members in self.events if kind == name]

    async def answer(self, call: Mapping[str, Any], **said: Any) -> None:
        await self.gate.answer(self.exchange.name, {"id": call["id"], "name": call["name"]} | said)


async def begun(world: World, task: Mapping[str, Any] = ASK, **approval: Any) -> Run:
    prepared = await world.gate.prepare(read(task))
    exchange = await world.gate.begin(prepared["digest"], approved(prepared, **approval))
    return Run(world.gate, exchange)


async def test_ten_rounds_are_one_question(world: World) -> None:
    """Eleven requests, each with an intent that names the one approval."""
    world.server.script = [world.says("tools")] * 10
    run = await begun(world)
    for number in range(1, 11):
        calls = await run.calls(number)
        assert calls[-1]["arguments"] == {"path": "src/b.py"}
        await run.answer(calls[-1], documents=[FOUND])
    await run.work
    assert run.events[-1][0] == "done"
    assert run.events[-1][1]["status"] == "ok"
    intents = world.records("intent")
    assert [row["data"]["turn"] for row in intents] == list(range(1, 12))
    assert len({row["data"]["exchange"] for row in intents}) == 1
    (approval,) = world.records("approval")
    assert {row["data"]["consent"]["id"] for row in intents} == {approval["data"]["approval"]}
    assert len(world.records("tool")) == 10
    assert [row["ref"] for row in world.records("outcome")] == [row["seq"] for row in intents]
    bodies = [body for _, body in world.server.requests]
    assert [row["data"]["bytes"] for row in intents] == [len(body) for body in bodies]
    assert b"<<<document src/b.py:1-1\\ny = 3" in bodies[1]
    shown = [m["request_base64"] for m in run.named("record") if "request_base64" in m]
    assert len(shown) == 10, "what is sent in later rounds is shown, too"


async def test_two_calls_at_once_and_thoughts_go_back_as_they_came(world: World) -> None:
    if world.kind != "anthropic":
        pytest.skip("a row of Anthropic's wire format")
    world.server.script = ["claude two tools"]
    run = await begun(world)
    first, second = await run.calls(2)
    await run.answer(second, text="nothing found")
    await run.answer(first, documents=[FOUND])
    await run.work
    _question, answer, results = json.loads(world.server.requests[1][1])["messages"]
    assert [block["type"] for block in answer["content"]] == ["thinking", "tool_use", "tool_use"]
    assert answer["content"][0] == {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    assert answer["content"][1]["input"] == {"path": "src/b.py"}
    rows = [(row["tool_use_id"], row["is_error"]) for row in results["content"]]
    assert rows == [("toolu_1", False), ("toolu_2", False)]


async def test_calls_that_make_no_sense_are_answered_by_the_gate(world: World) -> None:
    if world.kind != "anthropic":
        pytest.skip("a row of Anthropic's wire format")
    world.server.script = ["claude odd tools"]
    run = await begun(world)
    await run.work
    results = json.loads(world.server.requests[1][1])["messages"][2]["content"]
    assert [row["content"] for row in results] == [
        "not done: there is no such tool",
        "not done: no JSON object",
    ]
    assert run.named("tool") == []


async def test_two_calls_with_one_id_are_told_apart_at_once(world: World) -> None:
    """The first is answered by its tool, the second by the gate: nobody waits for it."""
    world.server.script = [world.says("twin tools")]
    run = await begun(world)
    (call,) = await run.calls(1)
    await run.answer(call, documents=[FOUND])
    async with asyncio.timeout(30):
        await run.work
    assert run.events[-1][1]["status"] == "ok"
    assert len(run.named("tool")) == 1
    assert b"another call has this id" in world.server.requests[1][1]
    assert b"y = 3" in world.server.requests[1][1]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"documents": [FOUND | {"path": "lib/c.py"}]}, "lib/c.py is not among"),
        ({"documents": [FOUND | {"path": "../src/b.py"}]}, "is not among"),
        ({"documents": [FOUND | {"text": "x" * 70_000}]}, "65536 bytes were approved"),
        ({"text": "x" * 70_000}, "65536 bytes were approved"),
    ],
)
async def test_outside_the_scope_is_a_new_question(
    world: World, said: dict[str, Any], why: str
) -> None:
    """Nothing leaves until somebody says yes; then the same result does."""
    world.server.script = [world.says("tools")]
    run = await begun(world)
    (call,) = await run.calls(1)
    with pytest.raises(Outside, match=why):
        await run.answer(call, **said)
    assert world.server.connections == 1
    wider = {"paths": ["lib/c.py", "../src/b.py"], "bytes_max": 1 << 20}
    await run.answer(call, **said, approval=wider)
    await run.work
    assert world.server.connections == 2
    assert len(world.records("approval")) == 2


async def test_who_declines_is_heard(world: World) -> None:
    world.server.script = [world.says("tools")]
    run = await begun(world)
    (call,) = await run.calls(1)
    await run.answer(call, declined=True)
    await run.work
    assert b"the user did not approve" in world.server.requests[1][1]
    (tool,) = world.records("tool")
    assert (tool["data"]["status"], tool["data"]["reason"]) == ("refused", "the user declined")


async def test_what_may_never_leave_does_not_leave_as_a_result(world: World) -> None:
    """Whatever was approved; the model is told, and the log says which rule."""
    world.server.script = [world.says("tools")]
    run = await begun(world, ASK | {"readable": ["**"]})
    (call,) = await run.calls(1)
    said = {"documents": [FOUND | {"path": "src/.env", "text": "TOKEN=canary"}]}
    with pytest.raises(Denial):
        await run.answer(call, **said, approval={"globs": ["**"]})
    await run.work
    (record,) = world.records("tool")
    assert record["data"]["status"] == "refused"
    assert b"canary" not in world.server.received.replace(b"sk-canary-0123456789", b"")


async def test_secrets_are_masked_in_results_as_well(world: World) -> None:
    """By the names they have since the first request; each intent says what is masked in it."""
    world.server.script = [world.says("tools")]
    run = await begun(world, ASK | {"known_secrets": ["hunter22-canary"], "readable": ["**"]})
    (call,) = await run.calls(1)
    text = "key = 'hunter22-canary' # maria.keller@bank-nord.de"
    await run.answer(call, documents=[FOUND | {"text": text}], text="hunter22-canary")
    await run.work
    assert b"canary" not in world.server.received.replace(b"sk-canary-0123456789", b"")
    first, second = (one["data"]["redactions"] for one in world.records("intent"))
    assert first == []
    assert {row["rule"]: row["count"] for row in second} == {"known-secret": 2, "mail-address": 1}
    names = [name for row in second for name in row["placeholders"]]
    assert len(names) == 2
    assert all(name.encode() in world.server.received for name in names)


async def test_turns_end_where_the_approval_ends(world: World) -> None:
    """The thirteenth request would be one too many."""
    world.server.answer = world.says("tools")
    run = await begun(world, turns_max=2)
    (call,) = await run.calls(1)
    await run.answer(call, text="nothing")
    _, call = await run.calls(2)
    with pytest.raises(Outside, match="2 turns were approved"):
        await run.answer(call, text="nothing")
    await run.answer(call, declined=True)
    await run.work
    assert world.server.connections == 2
    assert "2 turns were approved" in run.named("error")[0]["reason"]
    assert run.events[-1] == ("done", {"status": "refused", "finish": None})


async def test_an_approval_can_be_narrower_and_never_wider_than_was_offered(world: World) -> None:
    world.server.script = [world.says("tools")]
    run = await begun(world, globs=["/src/", "**"], bytes_max=1 << 40, turns_max=99)
    assert run.exchange.scope.globs == ("/src/",)
    assert (run.exchange.scope.bytes_max, run.exchange.scope.turns_max) == (65536, 12)
    (call,) = await run.calls(1)
    await run.answer(call, declined=True)
    await run.work


@pytest.mark.parametrize("said", [{}, {"id": "nobody"}, {"id": 3}])
async def test_a_result_that_nobody_waits_for(world: World, said: dict[str, Any]) -> None:
    world.server.script = [world.says("tools")]
    run = await begun(world)
    (call,) = await run.calls(1)
    with pytest.raises(Unprepared):
        await world.gate.answer(run.exchange.name, said)
    with pytest.raises(Unprepared):
        await world.gate.answer("nobody", {"id": call["id"]})
    with pytest.raises(Malformed):
        await run.answer(call, documents=[3])
    await run.answer(call, text="done")
    with pytest.raises(Unprepared):
        await run.answer(call, text="again")
    await run.work


async def test_cancelled_while_a_tool_runs_nothing_more_leaves(world: World) -> None:
    world.server.script = [world.says("tools")]
    run = await begun(world)
    (call,) = await run.calls(1)
    assert world.gate.cancel(run.exchange.name)
    await run.work
    assert run.events[-1] == ("done", {"status": "cancelled", "finish": None})
    with pytest.raises(Unprepared):
        await run.answer(call, text="late")
    assert world.server.connections == 1


async def test_a_log_that_fails_between_rounds_ends_the_exchange(world: World) -> None:
    world.server.script = [world.says("tools")]
    run = await begun(world)
    (call,) = await run.calls(1)
    exchange = run.exchange
    world.disk.broken = True
    with pytest.raises(Exception, match="the log failed"):
        await run.answer(call, documents=[FOUND])
    exchange.cancel()
    await run.work
    assert world.server.connections == 1
    world.disk.broken = False


async def test_a_frozen_gate_sends_nothing_and_ends_what_runs(world: World) -> None:
    frozen: list[str] = []
    world.gate.house = world.house(frozen=lambda: tuple(map(Frozen, frozen)))
    world.server.answer = world.says("silent")
    waiting = await world.gate.prepare(read(ASK))
    run = await begun(world)
    await world.server.arrived.wait()
    frozen.append("by ada: drill")
    await world.gate.heed()
    await run.work
    (outcome,) = world.records("outcome")
    assert (outcome["data"]["status"], outcome["data"]["flags"]) == ("cancelled", ["frozen"])
    for work in (
        world.gate.prepare(read(ASK)),
        world.gate.begin(waiting["digest"], approved(waiting)),
    ):
        with pytest.raises(Exception, match="frozen: by ada: drill"):
            await work
    assert world.server.connections == 1
    frozen.clear()
    await world.gate.heed()
    await world.gate.prepare(read(ASK))
    rows = [(row["data"]["frozen"], row["data"]["reason"]) for row in world.records("freeze")]
    assert rows == [(True, "by ada: drill"), (False, None)]
    world.gate.house = world.house()


async def test_earlier_answers_are_context(world: World) -> None:
    earlier = [{"question": "What is x?", "answer": "One."}]
    prepared = await world.gate.prepare(read(ASK | {"earlier": earlier}))
    exchange = await world.gate.begin(prepared["digest"], approved(prepared))
    await exchange.start(lambda _name, _members: None)
    sent = json.loads(world.server.requests[0][1])
    messages = sent.get("messages") or sent["input"]
    said = [(m["role"], m["content"]) for m in messages if m["role"] != "system"]
    assert [role for role, _ in said] == ["user", "assistant", "user"]
    assert said[0][1].startswith("<<<document src/a.py")
    assert said[0][1].endswith("What is x?")
    assert [text for _, text in said[1:]] == ["One.", "What is this?"]
