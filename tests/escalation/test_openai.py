"""OpenAI's Responses API through its own SDK: never stored, and every end recorded."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from wicket.escalation.house import Closed
from wicket.escalation.providers.provider import Provider
from wicket.escalation.task import read

from .gate_world import TASK, World, running, shown_recorded_sent
from .test_rounds import FOUND, begun


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path, "openai") as made:
        yield made


async def test_what_was_shown_is_what_is_recorded_and_sent(world: World) -> None:
    found = await shown_recorded_sent(world, "/v1/responses")
    body = found.body
    assert (body["model"], body["stream"], body["store"]) == ("m", True, False)
    assert [said["role"] for said in body["input"]] == ["user"]
    assert "<<<document src/a.py:1-2\nx = 1" in body["input"][0]["content"]
    assert ["store", "false"] in found.intent["parameters"]
    names = ("status", "finish", "model", "request_id", "tokens_in", "tokens_out")
    assert [found.outcome[name] for name in names] == [
        *("ok", "completed", "gpt-2026", "req-1", 11, 7),
    ]
    usage = next(members for name, members in found.events if name == "usage")
    assert usage == {"tokens_in": 11, "tokens_out": 7, "cached": 5}


@pytest.mark.parametrize(
    ("answer", "status", "http", "error", "text"),
    [
        ("in pieces", "ok", 200, None, "Hello world"),
        ("chunked", "ok", 200, None, "Hello world"),
        ("unknown kinds", "ok", 200, None, "Hello world"),
        ("refusal", "ok", 200, None, "Hello world"),
        ("incomplete", "ok", 200, None, "Hello world"),
        ("overload", "http_error", 503, "status 503", ""),
        ("unauthorized", "http_error", 401, "status 401", ""),
        ("too many", "http_error", 429, "status 429", ""),
        ("should retry", "http_error", 500, "status 500", ""),
        ("not json", "http_error", 500, "status 500", ""),
        ("redirect", "refused", None, "redirects (status 307)", ""),
        ("failed", "failed", 200, "broke off (server_error)", "Hel"),
        ("error event", "failed", 200, "broke off (rate_limit_exceeded)", "Hel"),
        ("nested error", "failed", 200, "broke off (rate_limit_exceeded)", "Hel"),
        ("broken event", "failed", 200, "is not JSON", "Hel"),
        ("odd event", "failed", 200, "unknown form", ""),
        ("odd delta", "failed", 200, "unknown form", ""),
        ("list event", "failed", 200, "unknown form", ""),
        ("odd usage", "failed", 200, "unknown form", ""),
        ("not unicode", "failed", 200, "unknown form", ""),
        ("cut", "failed", 200, "broke off before its end", "Hel"),
        ("cut tool", "failed", 200, "broke off before its end", ""),
        ("wrong length", "failed", 200, "the connection failed", "Hel"),
        ("wrong type", "failed", 200, "broke off before its end", ""),
        ("endless", "refused", 200, "longer than", None),
    ],
)
async def test_every_end_is_recorded(
    world: World, answer: str, status: str, http: int | None, error: str | None, text: str | None
) -> None:
    """One connection, one request, one intent, one outcome: the SDK neither retries nor
    follows."""
    world.server.answer = f"openai {answer}"
    events = await world.send()
    (outcome,) = world.records("outcome")
    assert (outcome["data"]["status"], outcome["data"]["http_status"]) == (status, http)
    assert error is None or error in outcome["data"]["error"]
    assert world.server.connections == len(world.records("intent")) == 1
    assert events[-1][0] == "done"
    assert events[-1][1]["status"] == status
    assert len([m for name, m in events if name == "error"]) == (error is not None)
    if text is not None:
        assert "".join(m["text"] for name, m in events if name == "text") == text


@pytest.mark.parametrize(
    ("answer", "finish"), [("whole", "completed"), ("incomplete", "max_output_tokens")]
)
async def test_the_reason_of_the_end_is_recorded(world: World, answer: str, finish: str) -> None:
    world.server.answer = f"openai {answer}"
    await world.send()
    assert world.records("outcome")[0]["data"]["finish"] == finish


async def test_without_a_key_the_sdk_looks_for_none(world: World) -> None:
    row = Provider("home", "openai", "https://api.openai.com/v1", "m", "frontier")
    world.gate.house = world.house(providers={"home": row})
    with pytest.raises(Closed) as raised:
        await world.gate.prepare(read(TASK))
    assert raised.value.fix == "wicket key set home"


async def test_calls_and_sealed_thoughts_go_back_as_they_came(world: World) -> None:
    """Nothing is kept at the provider, so each request repeats what was said; what was
    reasoned without a seal cannot be given back."""
    world.server.script = ["openai two tools"]
    run = await begun(world)
    first, second = await run.calls(2)
    await run.answer(second, text="nothing found")
    await run.answer(first, documents=[FOUND])
    await run.work
    sent = json.loads(world.server.requests[1][1])
    assert sent["store"] is False
    kinds = [said.get("type") or said["role"] for said in sent["input"]]
    assert kinds == [
        *("user", "reasoning", "function_call", "function_call"),
        *("function_call_output", "function_call_output"),
    ]
    assert sent["input"][1] == {
        "id": "rs_0", "type": "reasoning", "summary": [], "encrypted_content": "gAAAA",
    }  # fmt: skip
    assert sent["input"][2]["arguments"] == '{"path": "src/b.py"}'
    assert [said["call_id"] for said in sent["input"][4:]] == ["call_1", "call_2"]
    assert "y = 3" in sent["input"][4]["output"]


async def test_calls_that_make_no_sense_are_answered_by_the_gate(world: World) -> None:
    world.server.script = ["openai odd tools"]
    run = await begun(world)
    await run.work
    said = json.loads(world.server.requests[1][1])["input"]
    assert [row["output"] for row in said if row.get("type") == "function_call_output"] == [
        "not done: there is no such tool",
        "not done: no JSON object",
    ]
