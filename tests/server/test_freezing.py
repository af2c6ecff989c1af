"""The brake: what files say, and what the running gate makes of it within a second."""

import asyncio
import dataclasses
import json
from pathlib import Path

import pytest
from wicket.escalation.freezes import Frozen
from wicket.server import freezing
from wicket.server.paths import Paths, UnsafePath

from ..escalation.provider import ProviderServer
from .gate_home import PROVIDER, TASK, Home, events
from .home import Home as PlainHome


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = dataclasses.replace(Paths.of({"HOME": str(tmp_path)}), managed=tmp_path / "etc")
    made.managed.mkdir()
    made.gate.mkdir(parents=True, mode=0o700)
    return made


CASES: list[tuple[str, str, bytes, list[dict[str, str]]]] = [
    ("managed", "frozen", b"", [{"why": "by the administrator"}]),
    ("managed", "frozen", b"provider = 'x'", [{"why": "by the administrator: provider = 'x'"}]),
    ("gate", "frozen", b"drill\n", [{"why": "by you: drill"}]),
    ("gate", "frozen", b"\xff\x1b[31m", [{"why": "by you: \ufffd\\x1b[31m"}]),
    ("managed", "freezes.toml", b"", []),
    (
        *("managed", "freezes.toml"),
        b"[[freeze]]\nprovider = 'cloud'\nreason = 'r'\n[[freeze]]\nkind = 'ask'\nuser = 'ada'\n",
        [
            {"why": "by the administrator: r", "provider": "cloud"},
            {"why": "by the administrator", "kind": "ask", "user": "ada"},
        ],
    ),
    ("gate", "freezes.toml", b"[[freeze]]\nrepository = '/'",
     [{"why": "by you", "repository": "/"}]),
    # All that is not understood freezes everything.
    ("gate", "freezes.toml", b"[[freeze]]\n", [{"why": "by you"}]),
    ("gate", "freezes.toml", b"[[freeze]]\nproviders = 'x'", [{"why": "unknown key providers"}]),
    ("gate", "freezes.toml", b"[[freeze]]\nprovider = ['x']", [{"why": "must be text"}]),
    ("gate", "freezes.toml", b"[freeze]\nprovider = 'x'", [{"why": "a list of tables"}]),
    ("gate", "freezes.toml", b"provider = 'x'", [{"why": "unknown key provider"}]),
    ("gate", "freezes.toml", b"[[freeze", [{"why": "is not understood"}]),
    ("managed", "freezes.toml", b"\xff", [{"why": "is not understood"}]),
    ("managed", "freezes.toml", b"#" * (1 << 17), [{"why": "is larger than"}]),
]  # fmt: skip


@pytest.mark.parametrize(("folder", "name", "content", "wanted"), CASES)
def test_what_a_file_says(
    paths: Paths, folder: str, name: str, content: bytes, wanted: list[dict[str, str]]
) -> None:
    assert freezing.rows(paths) == ()
    (getattr(paths, folder) / name).write_bytes(content)
    found = [row.as_json() for row in freezing.rows(paths)]
    assert [row | {"why": ""} for row in found] == [row | {"why": ""} for row in wanted]
    for said, one in zip(found, wanted, strict=True):
        assert one["why"] in said["why"]
        assert said["why"].isprintable()


def test_a_file_that_cannot_be_read_freezes(paths: Paths) -> None:
    (paths.managed / "frozen").mkdir()
    assert "cannot be read" in str(freezing.why(paths))


def test_rows_come_and_go(paths: Paths) -> None:
    freezing.change(paths, True, 'a "reason"\n', {"provider": "cloud"})
    freezing.change(paths, True, "", {"kind": "review", "user": "ada"})
    freezing.change(paths, True, "b", {"provider": "cloud"})
    assert freezing.rows(paths) == (
        Frozen("by you", kind="review", user="ada"),
        Frozen("by you: b", "cloud"),
    )
    assert freezing.why(paths) is None
    freezing.change(paths, False, "", {"provider": "cloud"})
    assert [row.scope for row in freezing.rows(paths)] == [{"kind": "review", "user": "ada"}]
    freezing.change(paths, True, "all", {})
    assert freezing.why(paths) == "by you: all"
    freezing.change(paths, False, "", {})
    assert freezing.rows(paths) == ()


@pytest.mark.parametrize("name", ["\U0001f600", "a\x7fb", '\x00\x1b\n"\\', "\u2028\x85", "é"])
def test_a_name_of_any_letters_is_frozen_by_itself(paths: Paths, name: str) -> None:
    freezing.change(paths, True, name, {"repository": name})
    assert [row.scope for row in freezing.rows(paths)] == [{"repository": name}]
    freezing.change(paths, False, "", {"repository": name})
    assert freezing.rows(paths) == ()


@pytest.mark.parametrize("name", ["\udcff", "x" * 5000])
def test_a_name_that_is_none_freezes_nothing_else(paths: Paths, name: str) -> None:
    with pytest.raises(UnsafePath, match="has no name"):
        freezing.change(paths, True, "\udcff", {"repository": name})
    assert freezing.rows(paths) == ()


def test_a_broken_file_is_not_loosened_by_one_more_row(paths: Paths) -> None:
    (paths.gate / "freezes.toml").write_text("nonsense")
    with pytest.raises(UnsafePath, match="not understood"):
        freezing.change(paths, True, "", {"provider": "cloud"})
    assert freezing.why(paths)
    freezing.change(paths, False, "")
    assert freezing.rows(paths) == ()


@pytest.mark.parametrize(
    ("row", "stopped"),
    [
        (Frozen("x"), True),
        (Frozen("x", "cloud"), True),
        (Frozen("x", "home"), False),
        (Frozen("x", kind="ask"), True),
        (Frozen("x", "cloud", "fix"), False),
        (Frozen("x", user="ada"), True),
        (Frozen("x", user="grace"), False),
        (Frozen("x", repository="/home/ada/bank"), True),
        (Frozen("x", repository="/home/ada"), True),
        (Frozen("x", repository="/home/ada/ban"), False),
        (Frozen("x", repository="/home/ada/bank/sub"), False),
    ],
)
def test_what_a_row_holds(row: Frozen, stopped: bool) -> None:
    assert row.holds("cloud", "ask", "/home/ada/bank", "ada") == stopped
    if row.repository:
        assert row.holds("cloud", "ask", None, "ada"), "no folder may be any folder"


@pytest.mark.parametrize(
    ("scope", "said"),
    [
        (("--provider", "claud"), "wicket gate: your settings have no provider claud\n"),
        (("--kind", "aks"), "wicket gate: there is no kind aks; there are complete, ask, "),
        (("--kind", "ask"), ""),
    ],
)
def test_a_slip_of_the_finger_is_frozen_and_said(
    plain_home: PlainHome, scope: tuple[str, ...], said: str
) -> None:
    done = plain_home.wicket("gate", "freeze", *scope)
    assert (done.returncode, done.stderr[: len(said) or None]) == (0, said)
    assert f"nothing of {scope[0].strip('-')} {scope[1]} is sent" in done.stdout


TWO = PROVIDER + PROVIDER.replace("home", "other")


async def test_one_provider_while_it_answers(home: Home, server: ProviderServer) -> None:
    """What goes to it ends within a second, and the next task goes to another one."""
    home.says(TWO.replace("{port}", str(server.port)))
    home.paths.provider_keys.write_text('home = "x"\nother = "y"\n')
    server.answer = "stalls"
    await home.start()
    sending = asyncio.ensure_future(home.post("/v1/send", await home.prepared()))
    await server.arrived.wait()
    code, said = await home.wicket("gate", "freeze", "--provider", "home", "--reason", "drill")
    assert (code, said) == (0, "frozen by you: drill; nothing of provider home is sent\n")
    assert events((await sending).text)[-1][1]["status"] == "cancelled"
    status = (await home.get("/v1/status")).json()
    assert (status["open"], status["frozen"]) == (True, None)
    assert status["freezes"] == [{"why": "by you: drill", "provider": "home"}]
    assert (await home.post("/v1/prepare", TASK)).json()["provider"] == "other"
    answer = await home.post("/v1/prepare", TASK | {"prefer": "home"})
    assert (answer.status_code, answer.json()["rule"]) == (403, "frozen")
    assert (await home.wicket("gate", "thaw", "--provider", "home"))[0] == 0
    assert (await home.post("/v1/prepare", TASK)).json()["provider"] == "home"
    rows = [(row["data"]["frozen"], row["data"]["reason"]) for row in home.records("freeze")]
    assert rows == [(True, "provider home: by you: drill"), (False, "provider home")]


@pytest.mark.parametrize(
    ("scope", "other", "words"),
    [
        ({"repository": "{root}/bank"}, {"repository": "{root}/shop"}, "repository"),
        ({"kind": "explain"}, {"kind": "review"}, "kind explain"),
        ({"user": "{user}"}, {"user": "nobody"}, "user"),
    ],
)
async def test_everything_that_can_be_frozen_by_itself(
    home: Home, server: ProviderServer, scope: dict[str, str], other: dict[str, str], words: str
) -> None:
    """By the administrator's or user's file alone, which the gate sees by itself."""
    await home.start()
    user = home.records("open") and (await home.get("/v1/status")).json()["user"]
    server.answer = "stalls"

    def filled(rows: dict[str, str]) -> dict[str, str]:
        return {name: text.format(root=home.root, user=user) for name, text in rows.items()}

    task = TASK | {"folder": f"{home.root}/bank"}
    said = (await home.post("/v1/prepare", task)).json()
    names = ("digest", "provider", "model", "endpoint")
    approval = {name: said[name] for name in names} | {"mode": "user"}
    body = {"digest": said["digest"], "approval": approval}
    sending = asyncio.ensure_future(home.post("/v1/send", body))
    await server.arrived.wait()
    freezing.change(home.paths, True, "other", filled(other))
    await asyncio.sleep(3 * freezing.LOOK_SECONDS)
    assert (await home.get("/v1/status")).json()["exchanges"], "another one is frozen"
    freezing.change(home.paths, True, "this", filled(scope))
    assert events((await sending).text)[-1][1]["status"] == "cancelled"
    answer = await home.post("/v1/prepare", task)
    assert answer.status_code == 403
    assert words in answer.json()["reason"]
    assert str(home.root) not in json.dumps(home.records("denied")), "folders have stand-ins"
    log = json.dumps(home.records("freeze"))
    assert str(home.root) not in log, "no path in clear"
    assert home.records("outcome")[0]["data"]["flags"] == ["frozen"]


async def test_who_asks_the_gate_hears_why_it_is_not_frozen(home: Home) -> None:
    await home.start()
    body = {"frozen": True, "reason": "drill", "scope": {"repository": "x" * 5000}}
    answer = await home.post("/v1/freeze", body)
    assert answer.status_code == 503
    assert "has no name" in answer.json()["reason"]
    assert (await home.get("/v1/status")).json()["freezes"] == []
