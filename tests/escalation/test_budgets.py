"""Budgets: held before a request leaves and while its answer comes, and counted from the log."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from wicket.escalation.budgets import UNLIMITED, Ledger, Limits, Spent, counted
from wicket.escalation.house import Closed
from wicket.escalation.outgoing import Denial
from wicket.escalation.providers.provider import Prices
from wicket.escalation.retries import Retries
from wicket.escalation.task import Malformed, read

from .gate_world import TASK, World, approved, running

# Micro-USD for a million tokens: a token costs a cent on the way in and two on the way out.
INTO, OUT = 10_000 * 1_000_000, 20_000 * 1_000_000
PRICES = Prices(INTO, OUT, INTO, INTO, "settings")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as made:
        _priced(made)
        yield made


def _priced(world: World, **changes: Any) -> None:
    house = world.gate.house
    row = replace(house.providers["home"], prices=PRICES)
    world.gate.house = replace(house, providers={"home": row}, **changes)


def _spent(world: World) -> Spent:
    return world.gate.house.ledger.spent("ada")


@pytest.mark.parametrize(
    ("spent", "limits", "more", "why"),
    [
        (Spent(), UNLIMITED, (10**9, 10**9), None),
        (Spent(4_000_000), Limits(5_000_000), (1_000_000, 0), None),
        (Spent(4_000_000), Limits(5_000_000), (1_000_001, 0), "$1.00 of the day's budget is left"),
        (Spent(5_000_000), Limits(5_000_000), (0, 0), "day is used up: $5.00 of $5.00"),
        (Spent(0, 9_000_000), Limits(None, 9_000_000), (0, 0), "the month is used up"),
        (Spent(0, 0, 90), Limits(None, None, 100), (0, 11), "take 11 tokens, and 10 tokens of"),
        (Spent(), Limits(0), (0, 0), "used up"),
    ],
)
def test_what_may_be_spent(
    spent: Spent, limits: Limits, more: tuple[int, int], why: str | None
) -> None:
    found = spent.over(limits, *more)
    assert (found is None) == (why is None)
    assert why is None or why in str(found)


@pytest.mark.parametrize(
    ("outcome", "cost", "tokens"),
    [
        ({"status": "ok", "sent": 9, "cost": 7, "tokens_in": 5, "tokens_out": 3}, 7, 8),
        ({"status": "ok", "sent": 9, "tokens_in": 5, "tokens_out": 3}, 40, 8),
        ({"status": "cancelled", "sent": 9}, 40, 20),
        ({"status": "cancelled", "sent": 0}, 0, 0),
        ({"status": "refused", "sent": 0}, 0, 0),
        ({"status": "unknown_crash"}, 40, 20),
        ({"status": "unknown_crash", "sent": 0}, 40, 20),
        ({}, 40, 20),
    ],
)
def test_what_two_records_come_to(outcome: dict[str, Any], cost: int, tokens: int) -> None:
    """What nobody knows of counts as if it had arrived."""
    intent = {"tokens_estimated": 20, "cost_estimated": 40}
    assert counted(intent, outcome) == (cost, tokens)


def test_days_and_months_and_users_are_apart() -> None:
    now = [datetime(2026, 11, 20, 23, 59, tzinfo=UTC)]
    ledger = Ledger(lambda: now[0])
    ledger.begin(1, "ada", 5, 10)
    assert ledger.spent("ada") == Spent(5, 5, 10), "what is under way counts"
    ledger.begin(1, "ada", 6, 12)
    ledger.end(1, 7, 14)
    assert ledger.spent("ada") == Spent(7, 7, 14)
    assert ledger.spent("grace") == Spent()
    now[0] = datetime(2026, 11, 21, 0, 0, tzinfo=UTC)
    assert ledger.spent("ada") == Spent(0, 7, 0)
    now[0] = datetime(2026, 12, 1, tzinfo=UTC)
    assert ledger.spent("ada") == Spent()


async def test_the_log_says_what_was_spent(world: World) -> None:
    """A gate that starts counts the same as the one before it."""
    await world.send()
    # As the provider told: 11 tokens in, 7 out.
    assert _spent(world) == Spent(250_000, 250_000, 18)
    assert [row["data"]["cost"] for row in world.records("outcome")] == [250_000]
    world.server.answer = "overload"
    await world.send()
    (_, cut) = world.records("intent")
    estimate = cut["data"]["tokens_estimated"]
    assert cut["data"]["cost_estimated"] == estimate * 10_000
    assert _spent(world).day_tokens == 18 + estimate
    again = Ledger()
    again.recall(world.directory)
    assert again.spent("ada") == _spent(world)
    assert again.spent("grace") == Spent()


async def test_nothing_leaves_beyond_the_budget(world: World) -> None:
    _priced(world, budget=Limits(day_tokens=500))
    await world.send()
    _priced(world, budget=Limits(day_tokens=18))
    with pytest.raises(Denial, match="the day is used up: 18 tokens of 18 tokens"):
        await world.gate.prepare(read(TASK))
    assert world.records("denied")[-1]["data"]["decision"]["rule"] == "budget"
    assert world.server.connections == 1


async def test_what_was_shown_before_the_budget_was_reached_is_not_sent_after(
    world: World,
) -> None:
    _priced(world, budget=Limits(day_cost=10**7))
    prepared = await world.gate.prepare(read(TASK))
    assert prepared["budget_left"] == 10**7
    await world.send(read(TASK | {"instruction": "Another?"}))
    assert world.records("intent")[0]["data"]["budget_left"] == 10**7
    _priced(world, budget=Limits(day_cost=250_001))
    with pytest.raises(Denial, match="left"):
        await world.gate.begin(prepared["digest"], approved(prepared))
    assert world.server.connections == 1


async def test_a_retry_is_no_turn_and_counts_all_the_same(world: World) -> None:
    """One turn was approved, and is sent three times: two estimates and what was told."""
    _priced(world, retries=Retries(3, 0.001))
    world.server.script = ["overload", "overload"]
    events = await world.send(turns_max=1)
    assert events[-1][1]["status"] == "ok"
    intents = [row["data"] for row in world.records("intent")]
    assert [(row["turn"], row["attempt"]) for row in intents] == [(1, 1), (1, 2), (1, 3)]
    estimates = sum(row["tokens_estimated"] for row in intents[:2])
    assert _spent(world).day_tokens == estimates + 11 + 7


async def test_reached_in_the_middle_of_an_answer(world: World) -> None:
    """The stream is ended at once, and the outcome says so and what it took until then."""
    world.server.answer = "endless"
    _priced(world, budget=Limits(day_tokens=20_000))
    events = await world.send()
    (outcome,) = world.records("outcome")
    data = outcome["data"]
    assert (data["status"], data["flags"]) == ("cancelled", ["budget", "tokens estimated"])
    assert "the budget of the day is used up" in data["error"]
    # Two pieces of 60,000 bytes, at four bytes for a token.
    assert data["tokens_out"] == 30_000
    assert data["cost"] > 30_000 * 20_000
    said = [members["reason"] for name, members in events if name == "error"]
    assert said == [data["error"]]
    assert events[-1] == ("done", {"status": "cancelled", "finish": None})
    assert sum(len(m["text"]) for name, m in events if name == "text") == 120_000
    await asyncio.wait_for(world.server.hung_up.wait(), 10)
    again = Ledger()
    again.recall(world.directory)
    assert again.spent("ada") == _spent(world)
    with pytest.raises(Denial, match="used up"):
        await world.gate.prepare(read(TASK))


async def test_two_at_once_count_together(world: World) -> None:
    """What is under way is known to the next."""
    world.server.answer = "stalls"
    prepared = await world.gate.prepare(read(TASK))
    exchange = await world.gate.begin(prepared["digest"], approved(prepared))
    running = exchange.start(lambda _name, _members: None)
    await world.server.arrived.wait()
    _priced(world, budget=Limits(day_tokens=prepared["tokens"] + 1))
    with pytest.raises(Denial, match="left"):
        await world.gate.prepare(read(TASK))
    exchange.cancel()
    await running


async def test_two_that_begin_at_once_do_not_both_fit(world: World) -> None:
    """While the intent of one is written, the other is told no."""
    shown = [await world.gate.prepare(read(TASK | {"instruction": f"{n}"})) for n in range(4)]
    _priced(world, budget=Limits(day_tokens=shown[0]["tokens"] + 1))
    begun = await asyncio.gather(
        *(world.gate.begin(one["digest"], approved(one)) for one in shown), return_exceptions=True
    )
    assert [isinstance(one, Denial) for one in begun] == [False, True, True, True]
    assert len(world.records("intent")) == 1
    assert not isinstance(begun[0], BaseException)
    begun[0].cancel()
    await begun[0].start(lambda _name, _members: None)
    assert _spent(world) == Spent(), "nothing left, and nothing is held any more"


async def test_what_could_not_be_recorded_is_not_held(world: World) -> None:
    prepared = await world.gate.prepare(read(TASK))
    world.disk.broken = True
    with pytest.raises(Closed):
        await world.gate.begin(prepared["digest"], approved(prepared))
    assert _spent(world) == Spent()


@pytest.mark.parametrize(
    ("task", "why"),
    [
        ({"budget": {"day_tokens": 1}}, "1 tokens of the day's budget is left"),
        ({"budget": {"day_tokens": 100_000, "day_cost": 0}}, "used up"),
        ({"budget": {"day_tokens": 100_000}}, None),
        ({"budget": {"day_cost": None}}, None),
    ],
)
async def test_a_folder_can_only_tighten(
    world: World, task: dict[str, Any], why: str | None
) -> None:
    _priced(world, budget=Limits(day_tokens=20))
    if why is None:
        world.gate.house = replace(world.gate.house, budget=Limits(day_tokens=10_000))
        await world.gate.prepare(read(TASK | task))
        task, why = TASK | {"instruction": "x" * 100_000} | task, "left"
    with pytest.raises(Denial, match=why):
        await world.gate.prepare(read(TASK | task))


@pytest.mark.parametrize("budget", [{"day_cost": -1}, {"day_tokens": True}, {"day_cost": 1.5}, 3])
def test_a_budget_that_is_none(budget: object) -> None:
    with pytest.raises(Malformed):
        read(TASK | {"budget": budget})


async def test_who_has_no_prices_has_no_budget_in_dollars(world: World) -> None:
    """A provider at home is free; of another one nobody knows."""
    home = replace(world.gate.house.providers["home"], prices=None)
    limited = replace(world.gate.house, budget=Limits(month_cost=1), providers={"home": home})
    world.gate.house = limited
    await world.gate.prepare(read(TASK))
    world.gate.house = replace(limited, providers={"home": replace(home, tier="frontier")})
    with pytest.raises(Denial, match="no prices in"):
        await world.gate.prepare(read(TASK))


async def test_a_provider_that_fails_is_asked_last(world: World) -> None:
    """Until it is well again; and the record says why it was this one."""
    home = world.gate.house.providers["home"]
    two = {"home": home, "other": replace(home, name="other")}
    world.gate.house = replace(world.gate.house, providers=two)
    world.server.script = ["overload"] * 2
    for wanted in ("home", "home", "other"):
        assert (await world.gate.prepare(read(TASK)))["provider"] == wanted
        await world.send()
    last = dict(world.records("intent")[-1]["data"]["parameters"])
    assert last["route"] == "explain goes to on-prem, the first in your settings"
    assert "home: its last 2 requests failed" in last["passed"]
    assert "local: the model on this machine completes code only" in last["passed"]


@pytest.mark.parametrize(("off", "kind", "why"), [("ask", "explain", "features.ask"),
                                                  ("edit", "fix", "features.edit")])  # fmt: skip
async def test_a_feature_that_is_off(world: World, off: str, kind: str, why: str) -> None:
    world.gate.house = replace(world.gate.house, off=frozenset({off}))
    with pytest.raises(Denial, match=why):
        await world.gate.prepare(read(TASK | {"kind": kind}))
    assert world.records("denied")[0]["data"]["decision"]["rule"] == "features"


async def test_tools_that_are_off(world: World) -> None:
    world.gate.house = replace(world.gate.house, off=frozenset({"tools"}))
    prepared = await world.gate.prepare(read(TASK | {"kind": "ask", "tools": ["read"]}))
    assert (prepared["tools"], prepared["scope"]["turns_max"]) == ([], 1)
    await world.send(read(TASK | {"kind": "ask", "tools": ["read"]}))
    ((_, body),) = world.server.requests
    assert "tools" not in json.loads(body)


async def test_a_closed_gate_routes_nothing(world: World) -> None:
    world.gate.house = replace(world.gate.house, providers={})
    with pytest.raises(Closed):
        world.gate.route(read(TASK))
