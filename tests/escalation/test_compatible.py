"""What OpenAI-compatible services do differently from each other."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from wicket.escalation.budgets import ESTIMATED
from wicket.escalation.conversation import Conversation
from wicket.escalation.providers.provider import Provider
from wicket.escalation.reach import Network
from wicket.escalation.task import read
from wicket.escalation.way import Way

from .gate_world import TASK, World, running
from .servers_wire import ONE_CALL, REFUSALS, TWO_CALLS, UNCOUNTED, WHOLE
from .test_rounds import FOUND, begun


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://api.mistral.ai/v1", False),
        ("https://generativelanguage.googleapis.com/v1beta/openai", True),
        ("https://vllm.example/v1", True),
        ("https://api.mistral.ai.evil.example/v1", True),
    ],
)
async def test_usage_is_asked_for_where_that_is_no_error(url: str, asked: bool) -> None:
    async def nowhere(_host: str, _port: int) -> list[str]:
        return []

    row = Provider("home", "compatible", url, "m", "frontier", key="k")
    envelope = await Way(row, "x", Network(nowhere), str).rehearse(Conversation(read(TASK)))
    assert ("stream_options" in json.loads(envelope.body)) is asked
    assert envelope.url == f"{url}/chat/completions"


async def test_a_signature_of_thoughts_goes_back_with_its_call(world: World) -> None:
    world.server.script = ["signed tools"]
    run = await begun(world)
    (call,) = await run.calls(1)
    await run.answer(call, documents=[FOUND])
    await run.work
    answer = json.loads(world.server.requests[1][1])["messages"][2]
    (sent,) = answer["tool_calls"]
    assert sent["extra_content"] == {"google": {"thought_signature": "c2ln"}}
    assert sent["id"] == "function-call-1"


async def test_an_answer_in_parts_is_text_without_thoughts(world: World) -> None:
    """As Mistral's reasoning models say it, who count tokens without being asked."""
    world.server.answer = "parts"
    events = await world.send()
    assert "".join(m["text"] for name, m in events if name == "text") == "Hello world"
    assert world.records("outcome")[0]["data"]["tokens_in"] == 11


@pytest.mark.parametrize("answer", ["list refusal", "bare refusal", "text refusal"])
async def test_refusals_are_told_in_every_form(world: World, answer: str) -> None:
    world.server.answer = answer
    events = await world.send()
    (error,) = (members for name, members in events if name == "error")
    assert error == {"reason": "the provider answered status 400: no such model", "status": 400}


@pytest.mark.parametrize("name", WHOLE | UNCOUNTED)
async def test_what_each_server_says(world: World, name: str) -> None:
    """The same words; and the same numbers, or what can be estimated where it tells none."""
    world.server.answer = f"{name}: whole"
    events = await world.send()
    assert events[-1][1]["status"] == "ok", events
    assert "".join(m["text"] for kind, m in events if kind == "text") == "Hello world"
    (outcome,) = (row["data"] for row in world.records("outcome"))
    counts = outcome["tokens_in"], outcome["tokens_out"], ESTIMATED in outcome["flags"]
    assert counts == ((None, 2, True) if name in UNCOUNTED else (11, 7, False))
    assert outcome["finish"] == ("eos_token" if name == "tgi 2.1" else "stop")


@pytest.mark.parametrize("name", ONE_CALL)
async def test_how_each_server_asks_for_a_tool(world: World, name: str) -> None:
    """And gets its own call back with the result, by the same id."""
    world.server.script = [f"{name}: a call"]
    run = await begun(world)
    (call,) = await run.calls(1)
    assert (call["name"], call["arguments"]) == ("read", {"path": "src/b.py"})
    await run.answer(call, documents=[FOUND])
    await run.work
    answer, result = json.loads(world.server.requests[1][1])["messages"][2:]
    (sent,) = answer["tool_calls"]
    assert sent["id"] == result["tool_call_id"] == call["id"] != ""
    assert json.loads(sent["function"]["arguments"]) == {"path": "src/b.py"}


@pytest.mark.parametrize("name", TWO_CALLS)
async def test_how_each_server_asks_for_two_tools(world: World, name: str) -> None:
    world.server.script = [f"{name}: two calls"]
    run = await begun(world)
    calls = await run.calls(2)
    assert [call["arguments"]["path"] for call in calls] == ["src/b.py", "src/c.py"]
    assert len({call["id"] for call in calls}) == 2
    for call in calls:
        await run.answer(call, documents=[FOUND])
    await run.work
    assert run.events[-1][1]["status"] == "ok"


@pytest.mark.parametrize(("name", "status", "words"), [(n, s, w) for n, _, s, w in REFUSALS])
async def test_how_each_server_refuses(
    world: World, name: str, status: int | None, words: str
) -> None:
    """In its own words for who asked; the record has the status alone, as words quote."""
    world.server.answer = f"{name}: refused"
    events = await world.send()
    (error,) = (members for kind, members in events if kind == "error")
    assert (error["status"], words in error["reason"]) == (status or 200, True), error
    (outcome,) = (row["data"] for row in world.records("outcome"))
    assert outcome["status"] == ("http_error" if status else "failed")
    assert not words or words not in json.dumps(world.records())
