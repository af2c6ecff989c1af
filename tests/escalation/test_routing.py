"""Which provider gets a task: a table of cases, and what holds whatever the case."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wicket.escalation import task
from wicket.escalation.kinds import KINDS, TIERS, Kind
from wicket.escalation.routing import COMPLETE, EVERY, Candidate, Route, decide

HOME = Candidate("home", "on-prem")
CLOUD = Candidate("cloud", "frontier")
OTHER = Candidate("other", "frontier")


def check(route: Route, order: str, reason: str, passed: str = "") -> None:
    """`order` and `passed` are names; the reason holds these words, and is one line."""
    assert " ".join(route.order) == order, route
    assert reason in route.reason
    assert route.reason.isprintable()
    assert " ".join(one.name for one in route.passed) == passed, route.passed
    assert route.tier == (
        None if not order else {"home": "on-prem"}.get(route.order[0], "frontier")
    )


CASES: list[tuple[str, list[Candidate], dict[str, Any], str, str, str]] = [
    ("the only one", [CLOUD], {}, "cloud", "the only provider in your settings", ""),
    ("the nearest first", [CLOUD, HOME], {}, "home cloud", "on-prem before frontier", ""),
    (
        "in the order of the settings",
        *([OTHER, CLOUD], {}, "other cloud", "frontier, the first in your settings", ""),
    ),
    ("more", [HOME, CLOUD], {"wish": "more"}, "cloud home", "you asked for more", ""),
    ("less", [CLOUD, HOME], {"wish": "less"}, "home cloud", "you asked for less", ""),
    ("a tier", [HOME, CLOUD], {"wish": "frontier"}, "cloud", "you asked for frontier", "home"),
    ("a name", [CLOUD, OTHER], {"wish": "other"}, "other", "you asked for other", "cloud"),
    ("a tier that nobody has", [CLOUD], {"wish": "on-prem"}, "", "nobody", "cloud"),
    ("settings", [HOME, CLOUD], {"tiers": ["frontier", "on-prem"]}, "cloud home", "[routes]", ""),
    ("settings leave one out", [HOME, CLOUD], {"tiers": ["on-prem"]}, "home", "on-prem", "cloud"),
    (
        "no wish brings back what settings leave out",
        *([HOME, CLOUD], {"tiers": ["on-prem"], "wish": "cloud"}, "", "nobody", "home cloud"),
    ),
    (
        "policy wins over a wish",
        *([HOME, Candidate("cloud", "frontier", "never by a rule")], {"wish": "cloud"}),
        *("", "nobody", "cloud home"),
    ),
    (
        "policy wins over more",
        *([HOME, Candidate("cloud", "frontier", "never by a rule")], {"wish": "more"}),
        *("home", "you asked for more", "cloud"),
    ),
    (
        "who failed lately comes last",
        *([Candidate("cloud", "frontier", failures=2), OTHER], {}),
        *("other cloud", "frontier", "cloud"),
    ),
    (
        "and is asked where there is nobody else",
        *([Candidate("cloud", "frontier", failures=3)], {}),
        *("cloud", "though its last 3 requests failed", "cloud"),
    ),
    ("once is no pattern", [Candidate("cloud", "frontier", failures=1)], {}, "cloud", "only", ""),
    (
        "who is slow comes behind",
        *([Candidate("cloud", "frontier", latency_ms=9000),
           Candidate("other", "frontier", latency_ms=900)], {}),
        *("other cloud", "frontier", "cloud"),
    ),
    (
        "but not where all are",
        *([Candidate("cloud", "frontier", latency_ms=9000),
           Candidate("other", "frontier", latency_ms=4000)], {}),
        *("cloud other", "frontier", ""),
    ),
    ("a large task", [HOME, CLOUD], {"size": 200_000}, "cloud home", "before", "home"),
    (
        "that home has room for",
        *([Candidate("home", "on-prem", room=1 << 20), CLOUD], {"size": 200_000}),
        *("home cloud", "before", ""),
    ),
    ("larger than the kind", [HOME], {"size": 5 << 20}, "", "is more than ask takes", ""),
]  # fmt: skip


@pytest.mark.parametrize(("candidates", "given_", "order", "reason", "passed"),
                         [row[1:] for row in CASES], ids=[row[0] for row in CASES])  # fmt: skip
def test_who_gets_a_question(
    candidates: list[Candidate], given_: dict[str, Any], order: str, reason: str, passed: str
) -> None:
    said = {"size": 1000} | given_
    check(decide(KINDS["ask"], said.pop("size"), candidates, **said), order, reason, passed)


def test_this_machine_does_what_it_can() -> None:
    """And where it cannot, that is said, and the next tier gets it."""
    found = decide(COMPLETE, 1000, [HOME, CLOUD])
    assert (found.tier, found.order) == ("local", ())
    found = decide(KINDS["explain"], 1000, [HOME], ["local", "on-prem"])
    assert (found.order, found.passed[0].name) == (("home",), "local")
    assert found.passed[0].why == "the model on this machine completes code only"
    found = decide(KINDS["explain"], 1000, [HOME], ["local", "on-prem"], local={"explain"})
    assert (found.tier, found.order) == ("local", ())


def test_the_table_is_whole() -> None:
    """Every kind that leaves can be asked for, and knows where it goes."""
    assert set(EVERY) == {*KINDS, "complete"}
    for kind in EVERY.values():
        assert kind.tiers
        assert list(kind.tiers) == [tier for tier in TIERS if tier in kind.tiers], "nearest first"
        assert kind.largest <= task.LARGEST_TASK


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    found = st.builds(
        Candidate,
        name=st.sampled_from(["a", "b", "c", "d"]),
        tier=st.sampled_from(["on-prem", "frontier"]),
        barred=st.sampled_from([None, "policy", "budget"]),
        failures=st.integers(0, 4),
        latency_ms=st.none() | st.integers(0, 20_000),
        room=st.none() | st.integers(0, 1 << 20),
    )
    return draw(st.lists(found, max_size=4, unique_by=lambda one: one.name))


@given(
    kind=st.sampled_from(list(EVERY.values())),
    size=st.integers(0, 8 << 20),
    rows=candidates(),
    tiers=st.none() | st.lists(st.sampled_from(TIERS), min_size=1, unique=True),
    wish=st.none() | st.sampled_from(["a", "b", "nobody", "more", "less", *TIERS]),
)
def test_whatever_is_asked(
    kind: Kind, size: int, rows: list[Candidate], tiers: Any, wish: str | None
) -> None:
    """Nobody who is barred, nobody outside the tiers or the wish; and everybody who is not
    asked, or asked later for a reason, has one."""
    found = decide(kind, size, rows, tiers, wish)
    by_name = {row.name: row for row in rows}
    allowed = kind.tiers if tiers is None else tiers
    assert len(set(found.order)) == len(found.order)
    for name in found.order:
        assert by_name[name].barred is None
        assert by_name[name].tier in allowed
        assert wish in (None, "more", "less", name, by_name[name].tier)
    assert found == decide(kind, size, rows, tiers, wish), "the same again"
    assert found.reason
    assert (found.tier is None) == (not found.order and found.tier != "local")
    if size <= kind.largest and found.tier != "local":
        reasons = {one.name for one in found.passed}
        assert {row.name for row in rows} <= {*found.order, *reasons}
