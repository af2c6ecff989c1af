"""Anthropic through its own SDK and a real socket: sent as shown, and every end recorded."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from wicket.escalation.house import Closed
from wicket.escalation.providers.provider import Provider
from wicket.escalation.reach import Network
from wicket.escalation.task import read
from wicket.escalation.way import Way

from .gate_world import TASK, World, running, shown_recorded_sent


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path, "anthropic") as made:
        yield made


async def test_what_was_shown_is_what_is_recorded_and_sent(world: World) -> None:
    found = await shown_recorded_sent(world, "/v1/messages", b"anthropic-version")
    assert (found.body["model"], found.body["stream"]) == ("m", True)
    assert found.body["cache_control"] == {"type": "ephemeral"}
    (message,) = found.body["messages"]
    assert "<<<document src/a.py:1-2\nx = 1" in message["content"]
    names = ("status", "finish", "model", "request_id", "tokens_in", "tokens_out")
    assert [found.outcome[name] for name in names] == [
        *("ok", "end_turn", "claude-2026", "req-1", 11, 7),
    ]
    usage = next(members for name, members in found.events if name == "usage")
    assert usage == {"tokens_in": 11, "tokens_out": 7, "cached": 5}


@pytest.mark.parametrize(
    ("answer", "status", "http", "error", "text"),
    [
        ("in pieces", "ok", 200, None, "Hello world"),
        ("chunked", "ok", 200, None, "Hello world"),
        ("unknown kinds", "ok", 200, None, "Hello world"),
        ("overload", "http_error", 529, "status 529", ""),
        ("unauthorized", "http_error", 401, "status 401", ""),
        ("too many", "http_error", 429, "status 429", ""),
        ("should retry", "http_error", 500, "status 500", ""),
        ("not json", "http_error", 500, "status 500", ""),
        ("redirect", "refused", None, "redirects (status 307)", ""),
        ("overloaded event", "failed", 200, "broke off (overloaded_error)", "Hel"),
        ("broken event", "failed", 200, "is not JSON", "Hel"),
        ("odd event", "failed", 200, "unknown form", ""),
        ("list event", "failed", 200, "unknown form", ""),
        ("odd index", "failed", 200, "unknown form", ""),
        ("odd usage", "failed", 200, "unknown form", ""),
        ("broken tool", "failed", 200, "is not JSON", ""),
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
    world.server.answer = f"claude {answer}"
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


async def test_without_a_key_the_sdk_looks_for_none(world: World) -> None:
    """It would find credentials in the user's files, that were never meant for Wicket."""
    row = Provider("home", "anthropic", "https://api.anthropic.com", "m", "frontier")
    bare = Way(row, "x", Network(_nowhere), str)
    world.gate.house = world.house(providers={"home": row})
    with pytest.raises(Closed) as raised:
        await world.gate.prepare(read(TASK))
    assert raised.value.fix == "wicket key set home"
    assert bare.provider.key is None


async def _nowhere(_host: str, _port: int) -> list[str]:
    return []
