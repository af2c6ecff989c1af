"""What OpenAI-compatible services do differently from each other."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from wicket.escalation.conversation import Conversation
from wicket.escalation.providers.provider import Provider
from wicket.escalation.reach import Network
from wicket.escalation.task import read
from wicket.escalation.way import Way

from .gate_world import TASK, World
from .test_rounds import FOUND, begun


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    await made.start()
    yield made
    await made.stop()


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
