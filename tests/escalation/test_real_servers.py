"""The gate against real servers with a real model: a llama-server, and llama-cpp-python's own.

The model only completes code, so what it answers is no answer; that it comes, is counted and
is recorded is what is looked at.
"""

import contextlib
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from wicket.escalation.abilities import Kept
from wicket.escalation.outgoing import Denial
from wicket.escalation.providers.provider import Provider
from wicket.escalation.task import read

from ..completion.llama_servers import MODEL, llama_server, serving
from .gate_world import TASK, World, running


@contextlib.contextmanager
def python_server() -> Iterator[str]:
    program = (sys.executable, "-m", "llama_cpp.server", "--model", str(MODEL))
    with serving("/v1/models", *program, "--n_ctx", "1024", "--n_threads", "1") as url:
        yield url


SERVERS = {"llama-server": llama_server, "llama_cpp.server": python_server}


@pytest.fixture(scope="module", params=SERVERS)
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    with SERVERS[request.param]() as found:
        yield found


@pytest.fixture
async def world(tmp_path: Path, url: str) -> AsyncIterator[World]:
    async with running(tmp_path) as made:
        row = Provider("home", "compatible", f"{url}/v1", "wicket", "on-prem")
        made.gate.house = replace(made.gate.house, providers={"home": row})
        yield made


@pytest.mark.parametrize("tools", [(), ("read", "search")])
async def test_an_answer_comes_and_is_counted(world: World, tools: tuple[str, ...]) -> None:
    task: dict[str, Any] = TASK | {"kind": "ask", "tools": list(tools), "readable": ["**"]}
    events = await world.send(read(task))
    (outcome,) = world.records("outcome")
    data = outcome["data"]
    assert data["status"] == "ok", data
    assert events[-1][1]["status"] == "ok"
    assert data["sent"] == world.records("intent")[0]["data"]["bytes"]
    assert data["received"] > 0
    assert data["finish"] in ("stop", "length")
    if data["tokens_in"] is not None:
        assert data["tokens_in"] > 20


async def test_what_does_not_fit_is_refused_in_its_own_words(world: World) -> None:
    """More than the context of 1,024 tokens: an error of the server's, told and recorded."""
    document = {"path": "a.py", "language": "python", "text": "x = 1\n" * 4000}
    events = await world.send(read(TASK | {"documents": [document]}))
    (outcome,) = world.records("outcome")
    assert outcome["data"]["status"] in ("http_error", "failed")
    (error,) = (members for name, members in events if name == "error")
    assert error["reason"]


async def test_it_says_what_it_can(world: World) -> None:
    """Its context is what it was started with; a model that only completes calls no tool."""
    kept = [Kept()]
    world.gate.house = replace(
        world.gate.house, abilities=lambda: kept[0], keep_abilities=lambda new: kept.insert(0, new)
    )
    said = await world.gate.probe("home")
    found = kept[0].rows["home"]
    assert (found.streaming, found.tools in (False, None)) == (True, True), said
    assert found.context in (1024, None)
    outcomes = [row["data"] for row in world.records("outcome")]
    assert len(outcomes) == len(world.records("intent")) == said["requests"]
    assert {row["purpose"] for row in (r["data"] for r in world.records("intent"))} == {"probe"}
    if found.context is None:
        return
    document = {"path": "a.py", "language": "python", "text": "x = 1\n" * 4000}
    with pytest.raises(Denial, match="more than home takes"):
        await world.gate.prepare(read(TASK | {"documents": [document]}))
    assert len(world.records("intent")) == said["requests"]
