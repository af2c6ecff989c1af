"""What a provider can do: asked on record, kept, and used before anything is sent to it."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from wicket.escalation import abilities, probing
from wicket.escalation.abilities import Abilities, Kept
from wicket.escalation.freezes import Frozen
from wicket.escalation.house import Closed
from wicket.escalation.outgoing import Denial
from wicket.escalation.policy import Policy, Rule
from wicket.escalation.task import Malformed, read

from .gate_world import KEY, TASK, World, running


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as made:
        kept = [Kept()]
        made.gate.house = replace(
            made.gate.house,
            abilities=lambda: kept[0],
            keep_abilities=lambda new: kept.insert(0, new),
        )
        yield made


YES, NO, WHO_KNOWS = True, False, None
# The answers, then context, tools, schema, streaming.
CASES: list[tuple[list[str], Any]] = [
    (["vllm models", "ping", "object"], (8192, YES, YES, YES)),
    (["plain models", "props", "ping", "object"], (1024, YES, YES, YES)),
    (["odd models", "not found", "ping", "object"], (None, YES, YES, YES)),
    (["not found", "not found", "whole", "whole"], (None, NO, NO, YES)),
    (["vllm models", "text refusal", "object"], (8192, NO, YES, YES)),
    (["vllm models", "text refusal", "text refusal", "whole"], (8192, NO, NO, YES)),
    (["vllm models", "cut short", "cut short"], (8192, WHO_KNOWS, WHO_KNOWS, YES)),
    (["vllm models", "overload", "object"], (8192, WHO_KNOWS, YES, YES)),
    (["vllm models", "not streamed", "not streamed"], (8192, WHO_KNOWS, WHO_KNOWS, NO)),
    (["vllm models", "text refusal", "text refusal", "text refusal"], None),
    (["unauthorized"], None),
    (["vllm models", "unauthorized"], None),
    (["redirect"], None),
    (["no http"], None),
]


@pytest.mark.parametrize(("answers", "wanted"), CASES, ids=[", ".join(c[0]) for c in CASES])
async def test_what_is_found(world: World, answers: list[str], wanted: Any) -> None:
    world.server.script, world.server.answer = list(answers), "hangs up"
    said = await world.gate.probe("home")
    one = world.gate.house.abilities().rows.get("home")
    found = one and (one.context, one.tools, one.schema, one.streaming)
    assert found == wanted
    assert (said["abilities"] is None) == (wanted is None)
    assert said["abilities"] == (asdict(one) if one else None)
    # As many as were scripted, each written before it was sent, with its end.
    assert said["requests"] == world.server.connections == len(answers)
    assert world.unrecorded == []
    intents, outcomes = world.records("intent"), world.records("outcome")
    assert len(intents) == len(outcomes) == len(world.records("approval")) == len(answers)
    for row in (record["data"] for record in intents):
        assert (row["purpose"], row["manifest"], row["workspace"]) == ("probe", [], None)
        assert row["consent"]["mode"] == "user"
    assert KEY not in json.dumps(world.records())


async def test_what_leaves_is_the_same_whatever_is_open(world: World) -> None:
    world.server.script = ["plain models", "props", "ping", "object"]
    await world.gate.probe("home")
    heads = [head.split(b"\r\n")[0] for head, _ in world.server.requests]
    assert heads == [
        b"GET /v1/models HTTP/1.1", b"GET /props HTTP/1.1",
        b"POST /v1/chat/completions HTTP/1.1", b"POST /v1/chat/completions HTTP/1.1",
    ]  # fmt: skip
    bodies = [json.loads(body) for _, body in world.server.requests if body]
    assert [sorted(body) for body in bodies] == [
        ["max_tokens", "messages", "model", "stream", "stream_options", "tools"],
        ["max_tokens", "messages", "model", "response_format", "stream", "stream_options"],
    ]
    assert all(len(body["messages"]) == 1 for body in bodies)
    assert sum(len(body) for _, body in world.server.requests) < 1000


REFUSED: list[tuple[dict[str, Any], str, bool, type[Exception], str]] = [
    ({}, "nobody", False, Malformed, "there is no provider nobody"),
    ({"tier": "frontier"}, "home", False, Denial, "probe does not go to frontier"),
    ({"kind": "anthropic"}, "home", True, Malformed, "are documented"),
    ({"off": frozenset({"ask"})}, "home", False, Denial, "features.ask is false"),
    ({"frozen": lambda: (Frozen("x"),)}, "home", False, Closed, "frozen"),
    ({"frozen": lambda: (Frozen("x", "home"),)}, "home", False, Denial, "frozen"),
    (
        {"policies": (Policy("ask", (Rule("no", "never", kinds=("probe",)),), "p"),)},
        "home", False, Denial, "no",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "name", "any_tier", "error", "why"), REFUSED)
async def test_who_is_not_asked(
    world: World, changes: dict[str, Any], name: str, any_tier: bool, error: type[Exception],
    why: str,
) -> None:  # fmt: skip
    house = world.gate.house
    own = {name: changes.pop(name) for name in ("tier", "kind") if name in changes}
    row = replace(house.providers["home"], **own)
    world.gate.house = replace(house, providers={"home": row}, **changes)
    with pytest.raises(error, match=why):
        await world.gate.probe(name, any_tier)
    assert world.server.connections == 0
    assert world.records("intent") == []


async def test_another_tier_is_asked_where_that_is_said(world: World) -> None:
    row = replace(world.gate.house.providers["home"], tier="frontier")
    world.gate.house = replace(world.gate.house, providers={"home": row})
    # The address is private, and that is for providers of one's own only.
    said = await world.gate.probe("home", any_tier=True)
    assert "TLS" in said["shown"]
    assert world.records("intent")[0]["data"]["purpose"] == "probe"
    assert world.server.connections == 0


async def test_nothing_is_sent_where_it_cannot_be_recorded(world: World) -> None:
    world.disk.broken = True
    with pytest.raises(Closed):
        await world.gate.probe("home")
    assert world.server.connections == 0


def knows(world: World, **found: Any) -> None:
    row = world.gate.house.providers["home"]
    one = Abilities(row.base_url, row.model, "2026-01-02T03:04:05+00:00", **found)
    world.gate.house = replace(world.gate.house, abilities=lambda: Kept({"home": one}))


async def test_without_tools_none_are_offered(world: World) -> None:
    task = TASK | {"kind": "ask", "tools": ["read", "search"], "readable": ["**"]}
    for tools, offered in ((False, []), (True, ["read", "search"]), (None, ["read", "search"])):
        knows(world, tools=tools)
        prepared = await world.gate.prepare(read(task))
        assert prepared["tools"] == offered
        assert prepared["scope"]["turns_max"] == (12 if offered else 1)
    knows(world, tools=False)
    await world.send(read(task))
    assert "tools" not in json.loads(world.server.requests[-1][1])


async def test_edits_need_tools(world: World) -> None:
    edited = TASK["documents"][0] | {"role": "edit"}  # type: ignore[index]
    task = read(TASK | {"kind": "fix", "tools": ["edit"], "documents": [edited]})
    assert (await world.gate.prepare(task))["tools"] == ["edit"]
    knows(world, tools=False)
    with pytest.raises(Denial, match="fix needs tools"):
        await world.gate.prepare(task)


async def test_what_does_not_fit_is_refused_before_it_is_sent(world: World) -> None:
    document = {"path": "a.py", "language": "python", "text": "x = 1\n" * 4000}
    task = read(TASK | {"documents": [document]})
    knows(world, context=100_000)
    await world.gate.prepare(task)
    knows(world, context=1024)
    with pytest.raises(Denial, match=r"more than home takes \(1024\): give fewer files"):
        await world.gate.prepare(task)
    found = world.gate.route(task, task.size)
    assert (found["order"], found["abilities"].keys()) == ([], {"home"})
    assert "1024 tokens of context" in found["abilities"]["home"]
    assert [row["data"]["decision"]["rule"] for row in world.records("denied")] == ["abilities"]
    assert world.server.connections == 0


async def test_a_round_of_tools_does_not_outgrow_it_either(world: World) -> None:
    knows(world, context=1000, tools=True)
    world.server.script = ["tools"]
    task = TASK | {"kind": "ask", "tools": ["read"], "readable": ["**"]}
    prepared = await world.gate.prepare(read(task))
    names = ("digest", "provider", "model", "endpoint")
    approval = {name: prepared[name] for name in names} | {"mode": "user"}
    exchange = await world.gate.begin(prepared["digest"], approval)
    events: list[tuple[str, Any]] = []
    run = exchange.start(lambda name, members: events.append((name, members)))
    while not (asked := [m for n, m in events if n == "tool"]):
        await world.server.arrived.wait()
        await asyncio.sleep(0.01)
    document = {"path": "src/b.py", "language": "python", "text": "y = 1\n" * 900}
    await world.gate.answer(exchange.name, {"id": asked[0]["id"], "documents": [document]})
    await run
    assert any("more than home takes" in str(m) for n, m in events if n == "error")
    assert world.server.connections == 1


@pytest.mark.parametrize("other", [{"model": "another"}, {"base_url": "http://127.0.0.1:1/v1"}])
def test_other_settings_are_not_known(tmp_path: Path, other: dict[str, str]) -> None:
    row = World(tmp_path).house().providers["home"]
    kept = Kept({"home": Abilities(row.base_url, row.model, "2026-01-02", 10, False)})
    assert kept.known(row) == kept.rows["home"]
    assert kept.known(replace(row, **other)) is None
    assert kept.of(replace(row, **other)).outgrown("home", 1 << 30) is None


def test_what_is_kept_is_read_back_or_left_out() -> None:
    good = Abilities("http://a", "m", "2026-01-02", 10, True, None, False)
    said = json.loads(json.dumps(abilities.as_json(Kept({"a": good}))))
    assert abilities.read(said) == Kept({"a": good})
    broken: list[Any] = [
        3, [], {"a": 3}, {"a": said["a"] | {"context": "10"}}, {"a": said["a"] | {"context": 0}},
        {"a": said["a"] | {"tools": 1}}, {"a": said["a"] | {"more": 1}}, {"a": {"model": "m"}},
    ]  # fmt: skip
    for one in broken:
        assert abilities.read(one) == Kept(), one


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({"data": [{"id": "m", "max_model_len": 7}]}, 7),
        ({"data": [{"id": "other", "max_model_len": 7}]}, 7),
        ({"data": [{"id": "o", "max_model_len": 7}, {"id": "p", "max_model_len": 8}]}, None),
        ({"data": [{"id": "m", "meta": {"n_ctx_train": 4096}}]}, None),
        ({"data": [{"id": "m", "meta": {"n_ctx": 1024, "n_ctx_train": 4096}}]}, 1024),
        ({"default_generation_settings": {"n_ctx": 512}}, 512),
        ({"data": [{"id": "m", "max_model_len": True}]}, None),
        ({"data": [{"id": "m", "max_model_len": 1 << 60}]}, None),
        ({"data": {"id": "m"}}, None),
        ([], None),
        (None, None),
    ],
)
def test_a_context_in_a_servers_words(said: Any, wanted: int | None) -> None:
    assert probing.context(said, "m") == wanted
