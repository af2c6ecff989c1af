"""A yes that holds on: for what it covers nobody is asked, for everything else somebody is."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from wicket.escalation import policy, standing
from wicket.escalation.freezes import Frozen
from wicket.escalation.gate import Outside
from wicket.escalation.outgoing import Denial
from wicket.escalation.standing import Standing
from wicket.escalation.task import read

from .gate_world import TASK, World, approved, running
from .test_rounds import begun

FOLDER = {"folder": "/home/ada/shop", "identity": "1f" * 32}
ASKING = b'[[rule]]\nname = "look"\npaths = ["src/"]\ndecision = "ask"\n'
CLASSED = (
    b'[[rule]]\nname = "c"\npaths = ["crm/"]\nclassification = "customers"\ndecision = "allow"'
)


class Kept:
    rows: list[Standing]

    def __init__(self) -> None:
        self.rows = []

    def read(self) -> list[Standing]:
        return self.rows

    def write(self, rows: Any) -> None:
        self.rows = list(rows)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[tuple[World, Kept]]:
    kept = Kept()
    async with running(tmp_path, standing=kept.read, keep_standing=kept.write) as made:
        yield made, kept


async def say_yes(world: World, mode: str = "standing", **changes: Any) -> dict[str, Any]:
    prepared = await world.gate.prepare(read(TASK | FOLDER | changes))
    exchange = await world.gate.begin(prepared["digest"], approved(prepared, mode=mode))
    await exchange.start(lambda _name, _members: None)
    return prepared


async def test_what_is_alike_is_not_asked_about_again(world: tuple[World, Kept]) -> None:
    here, kept = world
    first = await say_yes(here)
    assert (first["decision"], first["rule"]) == ("ask", "default")
    second = await say_yes(here, mode="auto", instruction="And why?")
    (yes,) = kept.rows
    assert (second["decision"], second["rule"]) == ("allow", f"standing approval {yes.id}")
    one, two = (row["data"]["consent"] for row in here.records("intent"))
    assert (one["mode"], one["id"], two["mode"]) == ("standing", yes.id, "auto")
    assert here.records("intent")[1]["data"]["decision"]["rule"].endswith(yes.id)
    # The folder's name and what lies in it are nowhere in what is kept.
    written = str(standing.as_json(kept.rows))
    assert "shop" not in written
    assert FOLDER["identity"] not in written
    assert here.gate.status()["standing"] == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"folder": "/home/ada/bank"},
        {"folder": None},
        {"identity": "2f" * 32},
        {"identity": None},
        {"kind": "ask"},
        {"instruction": "x" * 40_000},
        {"tools": ["read"]},
        {"tools": ["read"], "readable": ["**"]},
        {"instruction": "mail maria.keller@bank-nord.de"},
        {"documents": [{"path": "a.py", "text": "k = 'hunter22-canary'"}],
         "known_secrets": ["hunter22-canary"]},
    ],
)  # fmt: skip
async def test_what_is_not_alike_is_asked_about(
    world: tuple[World, Kept], changes: dict[str, Any]
) -> None:
    here, _kept = world
    await say_yes(here)
    prepared = await here.gate.prepare(read(TASK | FOLDER | changes))
    assert prepared["decision"] == "ask"
    with pytest.raises(Denial, match="nobody was asked"):
        await here.gate.begin(prepared["digest"], approved(prepared, mode="auto"))
    assert len(here.records("intent")) == 1


async def test_a_tool_that_was_shown_is_covered_within_the_bytes_that_were_shown(
    world: tuple[World, Kept],
) -> None:
    here, kept = world
    wide = {"tools": ["read", "search"], "readable": ["**"]}
    first = await say_yes(here, **wide, instruction="x" * 20_000)
    again = await here.gate.prepare(read(TASK | FOLDER | wide | {"instruction": "x" * 70_000}))
    assert (again["decision"], again["scope"]["bytes_max"]) == (
        "allow",
        first["scope"]["bytes_max"],
    )
    fewer = {"tools": ["read"], "readable": []}
    assert (await here.gate.prepare(read(TASK | FOLDER | fewer)))["decision"] == "allow"
    other = wide | {"readable": ["src/"]}
    assert (await here.gate.prepare(read(TASK | FOLDER | other)))["decision"] == "ask"
    # An approval that left the patterns out keeps a yes without them.
    kept.rows = []
    prepared = await here.gate.prepare(read(TASK | FOLDER | wide))
    await here.gate.begin(prepared["digest"], approved(prepared, mode="standing", globs=[]))
    assert (await here.gate.prepare(read(TASK | FOLDER | wide)))["decision"] == "ask"


async def test_a_rule_that_asks_stands_above_it(world: tuple[World, Kept]) -> None:
    here, _kept = world
    await say_yes(here)
    here.gate.house = replace(here.gate.house, policies=(policy.read(ASKING),))
    prepared = await here.gate.prepare(read(TASK | FOLDER))
    assert (prepared["decision"], prepared["rule"]) == ("ask", "look")


async def test_a_policy_that_forbids_stands_above_it(world: tuple[World, Kept]) -> None:
    here, _kept = world
    await say_yes(here)
    here.gate.house = replace(here.gate.house, policies=(policy.read(b'default = "never"'),))
    with pytest.raises(Denial):
        await here.gate.prepare(read(TASK | FOLDER))


async def test_a_new_class_is_asked_about(world: tuple[World, Kept]) -> None:
    here, _kept = world
    here.gate.house = replace(
        here.gate.house, policies=(policy.UNWRITTEN, policy.read(CLASSED))
    )  # fmt: skip
    await say_yes(here)
    crm = [{"path": "crm/a.py", "text": "x = 1\n"}]
    assert (await here.gate.prepare(read(TASK | FOLDER)))["decision"] == "allow"
    found = await here.gate.prepare(read(TASK | FOLDER | {"documents": crm}))
    assert found["decision"] == "ask"


READ = {"tools": ["read"], "readable": ["**"]}
SECRET = {"known_secrets": ["hunter22-canary"]}
CRM = {"path": "crm/b.py", "text": "y = 2\n"}


@pytest.mark.parametrize(
    ("found", "needs", "why"),
    [
        ({"path": "b.py", "text": "# maria.keller@bank-nord.de\n"}, {"masked": ["mail-address"]},
         "had to be masked: mail-address"),
        ({"path": "b.py", "text": "k = 'hunter22-canary'\n"}, {"masked": ["known-secret"]},
         "had to be masked: known-secret"),
        ({"path": "hunter22-canary.py", "text": "y = 2\n"}, {"masked": ["known-secret"]},
         "had to be masked: known-secret"),
        (CRM, {"classes": ["customers"]}, "not approved: customers"),
        (CRM | {"text": "# maria.keller@bank-nord.de\n"},
         {"classes": ["customers"], "masked": ["mail-address"]}, "customers; something in it"),
    ],
)  # fmt: skip
async def test_what_a_tool_finds_is_covered_no_further_than_the_request_was(
    world: tuple[World, Kept], found: dict[str, Any], needs: dict[str, Any], why: str
) -> None:
    """A yes that held on was given to a request without such a thing: somebody is asked, and
    until then nothing of it leaves; their yes covers what it names."""
    here, _kept = world
    both = (policy.UNWRITTEN, policy.read(CLASSED))
    here.gate.house = replace(here.gate.house, policies=both)
    await say_yes(here, **READ, **SECRET)
    here.server.script = ["tools"]
    run = await begun(here, TASK | FOLDER | READ | SECRET, mode="auto")
    (call,) = await run.calls(1)
    with pytest.raises(Outside, match=why) as raised:
        await run.answer(call, documents=[found])
    assert raised.value.needs == needs
    assert here.server.connections == 2
    other = {"masked": ["iban"], "classes": ["prices"]}
    with pytest.raises(Outside, match=why):
        await run.answer(call, documents=[found], approval=other)
    assert here.server.connections == 2
    await run.answer(call, documents=[found], approval=needs)
    await run.work
    assert here.server.connections == 3
    for value in (b"hunter22", b"maria"):
        assert value not in here.server.received
    named = [f"masked by {rule}" for rule in needs.get("masked", ())]
    wider = here.records("approval")[-1]["data"]
    assert {*named, *needs.get("classes", ())} <= set(wider["classes"])


async def test_who_was_asked_now_is_not_asked_for_what_is_masked(
    world: tuple[World, Kept],
) -> None:
    """Also where their yes is to hold on: it is one to this exchange with its tools."""
    here, _kept = world
    here.server.script = ["tools"]
    run = await begun(here, TASK | FOLDER | READ, mode="standing")
    (call,) = await run.calls(1)
    await run.answer(call, documents=[{"path": "b.py", "text": "# maria.keller@bank-nord.de"}])
    await run.work
    assert here.server.connections == 2
    assert b"maria" not in here.server.received


async def test_frozen_while_its_intent_is_written(world: tuple[World, Kept]) -> None:
    """Who froze the gate has its word that nothing leaves from then on."""
    here, _ = world
    prepared = await here.gate.prepare(read(TASK | FOLDER))
    frozen: list[Frozen] = []

    def freeze(_rows: Any) -> None:
        frozen.append(Frozen("drill"))

    here.gate.house = replace(here.gate.house, keep_standing=freeze, frozen=lambda: tuple(frozen))
    exchange = await here.gate.begin(prepared["digest"], approved(prepared, mode="standing"))
    await exchange.start(lambda _name, _members: None)
    assert here.server.connections == 0
    (outcome,) = here.records("outcome")
    assert (outcome["data"]["status"], outcome["data"]["flags"]) == ("cancelled", ["frozen"])


@pytest.mark.parametrize("ended", [False, True])
async def test_one_that_is_taken_back_while_a_request_waits(
    world: tuple[World, Kept], ended: bool
) -> None:
    """Who took it back, or whose yes has ended, is asked; their yes to this one still counts."""
    here, kept = world
    await say_yes(here)
    prepared = await here.gate.prepare(read(TASK | FOLDER))
    assert prepared["decision"] == "allow"
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    kept.rows = [replace(kept.rows[0], until=past)] if ended else []
    with pytest.raises(Denial, match="holds no more"):
        await here.gate.begin(prepared["digest"], approved(prepared, mode="auto"))
    assert (here.server.connections, len(here.records("denied"))) == (1, 1)
    exchange = await here.gate.begin(prepared["digest"], approved(prepared))
    await exchange.start(lambda _name, _members: None)
    assert here.server.connections == 2


async def test_it_ends(world: tuple[World, Kept]) -> None:
    here, kept = world
    await say_yes(here)
    past = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    kept.rows = [replace(kept.rows[0], until=past)]
    assert (await here.gate.prepare(read(TASK | FOLDER)))["decision"] == "ask"
    await say_yes(here)
    assert len(kept.rows) == 1


@pytest.mark.parametrize(
    "said",
    [None, 3, {}, [3], [{}], [{"id": "a"}], [{"classes": 3}], "x"],
)
def test_what_is_not_understood_is_no_yes(said: object) -> None:
    assert standing.read(said) == []


def test_kept_and_read_again() -> None:
    until = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    one = Standing("a", "b", "i", "p", "m", "e", None, "ask", ("c",), ("read", "**"), 9, until)
    assert standing.read(standing.as_json([one])) == [one]
    naive = replace(one, until=until.partition("+")[0])
    assert standing.read(standing.as_json([naive])) == []
    rows = [replace(one, folder=str(number)) for number in range(standing.MOST + 3)]
    assert len(standing.added(rows, one, datetime.now(UTC))) == standing.MOST
