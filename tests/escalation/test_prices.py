"""What a request costs, by which prices; and answers of another model than was asked for."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from wicket.escalation.providers import prices
from wicket.escalation.providers.provider import Prices, Usage
from wicket.escalation.task import read

from .gate_world import TASK, World, running

DEAR = Prices(3_000_000, 15_000_000, 300_000, 3_750_000, "settings")


@pytest.mark.parametrize(
    ("used", "micro"),
    [
        (Usage(0, 0), 0),
        (Usage(1_000_000, 0), 3_000_000),
        (Usage(0, 1_000_000), 15_000_000),
        (Usage(1_000_000, 0, 1_000_000), 300_000),
        (Usage(1_000_000, 0, 0, 1_000_000), 3_750_000),
        (Usage(1000, 100, 600, 200), 600 + 180 + 750 + 1500),
        (Usage(1, 0, 1), 1),
        (Usage(5, 0, 9, 9), 37),
    ],
)
def test_cost_is_by_parts_and_rounded_up(used: Usage, micro: int) -> None:
    assert DEAR.of(used) == micro


def test_the_table_is_dated_and_sane() -> None:
    """A slip of the decimal point would be found here."""
    rows = prices.table()
    assert len(rows) > 30
    for (host, model), row in rows.items():
        assert date.fromisoformat(row.since) < date.today()  # noqa: DTZ011
        assert "." in host
        assert model == model.lower()
        assert 50_000 <= row.input <= 20_000_000, model
        assert 2 <= row.output / row.input <= 10, model
        assert 0.1 <= row.cached / row.input <= 1, model
        assert row.written in (row.input, round(row.input * 1.25)), model


@pytest.mark.parametrize(
    ("host", "model", "known"),
    [
        ("api.openai.com", "gpt-4.1-2025-04-14", True),
        ("api.openai.com", "gpt-4.1-2031-01-01", False),
        ("api.openai.com", "claude-sonnet-4-20250514", False),
        ("api.anthropic.com", "claude-sonnet-4-20250514", True),
        ("api.anthropic.com.evil.example", "claude-sonnet-4-20250514", False),
        ("127.0.0.1", "gpt-4.1", False),
    ],
)
def test_only_what_is_certain_is_listed(host: str, model: str, known: bool) -> None:
    assert (prices.listed(host, model) is not None) is known


@pytest.fixture(params=["compatible", "anthropic", "openai"])
async def world(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    async with running(tmp_path, request.param) as made:
        yield made


async def test_costs_are_shown_before_and_recorded_after(world: World) -> None:
    """With where the prices are from; unknown ones are nobody's guess."""
    prepared = await world.gate.prepare(read(TASK))
    assert (prepared["cost"], prepared["prices"]) == (None, None)
    row = replace(world.gate.house.providers["home"], prices=DEAR)
    world.gate.house = replace(world.gate.house, providers={"home": row})
    prepared = await world.gate.prepare(read(TASK))
    assert (prepared["cost"], prepared["prices"]) == (3 * prepared["tokens"], "settings")
    await world.send()
    data = world.records("outcome")[0]["data"]
    cached, written = {"compatible": (0, 0), "anthropic": (5, 2), "openai": (5, 0)}[world.kind]
    assert data["cost"] == DEAR.of(Usage(11, 7, cached, written))
    assert data["prices"] == "settings"
    assert world.records("intent")[0]["data"]["cost_estimated"] == prepared["cost"]


@pytest.mark.parametrize("pinned", [True, False])
async def test_an_answer_of_another_model_is_flagged(world: World, pinned: bool) -> None:
    row = world.gate.house.providers["home"]
    row = replace(row, model=world.answered if pinned else "m", answers_as=None)
    world.gate.house = replace(world.gate.house, providers={"home": row})
    events = await world.send()
    assert world.records("outcome")[0]["data"]["flags"] == ([] if pinned else ["other model"])
    wanted = {"wanted": "m", "answered": world.answered}
    assert events[-1][1].get("model") == (None if pinned else wanted)
