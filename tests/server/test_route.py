"""`wicket route`, budgets and features by the real gate process, and what a repository tightens."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from wicket.server import processes
from wicket.server.route_verb import budget_lines, lines

from ..escalation.provider import ProviderServer
from .gate_home import PROVIDER, TASK, Home, events

TWO = (
    PROVIDER
    + """
[providers.cloud]
kind = "compatible"
base_url = "https://api.example/v1"
model = "m"
"""
)


async def wicket(home: Home, *words: str, here: Path | None = None) -> tuple[int, str, str]:
    """`wicket WORDS` in a folder: its code, output and complaints."""
    folder = here or home.root / "work"
    folder.mkdir(exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        *processes.command(words[0], *words[1:]),
        cwd=folder,
        env=home.environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


CASES: list[tuple[str, list[str], str, int, str]] = [
    ("", ["ask"], "home cloud", 0, "on-prem before frontier, the nearest first"),
    ("[routes]\nask = ['frontier', 'on-prem']", ["ask"], "cloud home", 0, "as [routes] says"),
    ("[routes]\nask = ['on-prem']", ["ask", "--prefer", "cloud"], "", 1, "nobody"),
    ("", ["ask", "--prefer", "more"], "cloud home", 0, "you asked for more"),
    ("", ["review", "--size", "500000"], "cloud home", 0, "on-prem before frontier"),
    ("", ["complete"], "", 0, "the model on this machine can complete"),
    ("[budget]\nday_usd = 1", ["ask"], "home", 0, "on-prem"),
    ("[budget]\nday_tokens = 0", ["ask"], "", 1, "nobody"),
]


@pytest.mark.parametrize(("settings", "words", "order", "code", "reason"), CASES)
async def test_what_it_says(
    home: Home, server: ProviderServer, settings: str, words: list[str], order: str, code: int,
    reason: str,
) -> None:  # fmt: skip
    home.paths.provider_keys.write_text('home = "x"\ncloud = "y"\n')
    home.says(TWO.format(port=server.port) + settings)
    await home.start()
    ended, out, _ = await wicket(home, "route", *words, "--json")
    found = json.loads(out)
    assert (ended, " ".join(found["order"])) == (code, order)
    assert reason in found["reason"]
    shown = await wicket(home, "route", *words)
    assert shown[0] == code
    assert shown[1].startswith(f"{words[0]}: ")
    assert all(f"not {row['name']}: {row['why']}" in shown[1] for row in found["passed"])
    assert home.records("intent") == home.records("denied") == []
    assert server.connections == 0


async def test_a_file_decides_with_its_policy(home: Home, server: ProviderServer) -> None:
    home.paths.provider_keys.write_text('home = "x"\ncloud = "y"\n')
    home.says(TWO.format(port=server.port))
    rule = '[[rule]]\nname = "prices"\npaths = ["pricing/"]\ndecision = "on-prem"\n'
    home.paths.policies[1].write_text(rule)
    work = home.root / "work"
    (work / "pricing").mkdir(parents=True)
    (work / "pricing" / "a.py").write_text("x = 1\n")
    (work / ".env").write_text("A=1\n")
    (work / ".git").mkdir()
    code, out, _ = await wicket(home, "route", "ask", "pricing/a.py", "--json")
    found = json.loads(out)
    assert (code, found["order"]) == (0, ["home"])
    assert {row["name"]: row["why"] for row in found["passed"]} == {
        "cloud": "pricing/a.py: on-prem by the policy's rule 'prices'"
    }
    assert "may not leave" in (await wicket(home, "route", "ask", ".env"))[2]
    assert "is outside" in (await wicket(home, "route", "ask", "/etc/hosts"))[2]
    assert (await wicket(home, "route", "nonsense"))[0] == 2
    await wicket(home, "stop", "gate")


FOLDERS = [
    ("[gate]\nenabled = false\n", "gate.enabled is false here"),
    ("[features]\nask = false\n", "features.ask is false here"),
    ("[budget]\nday_tokens = 0\n", "used up"),
    ("[budget]\nday_tokens = 10000000\n[features]\nask = true\n[gate]\nenabled = true\n", None),
    ("[routes]\nask = ['frontier']\n", None),
    ("[providers.home]\nbase_url = 'http://127.0.0.1:1'\n", None),
]


@pytest.mark.parametrize(("says", "why"), FOLDERS)
async def test_a_repository_only_tightens(
    home: Home, server: ProviderServer, says: str, why: str | None
) -> None:
    await home.start()
    work = home.root / "work"
    (work / ".git").mkdir(parents=True)
    (work / ".wicket.toml").write_text(says)
    for words in (["route", "ask"], ["ask", "What is this?", "--show"]):
        code, out, err = await wicket(home, *words)
        assert (code != 0) == (why is not None), err
        assert why is None or why in out + err
    assert server.connections == 0


async def test_the_budget_outlives_the_gate(home: Home, server: ProviderServer) -> None:
    """What was spent stands in the log, which the next gate reads."""
    home.says(PROVIDER.format(port=server.port) + "[budget]\nday_tokens = 1000\n")
    process = await home.start()
    answer = await home.post("/v1/send", await home.prepared())
    assert events(answer.text)[-1][1]["status"] == "ok"
    before = (await home.get("/v1/status")).json()["budget"]
    assert before["day_tokens"] == {"spent": 18, "limit": 1000}
    process.kill()
    await process.wait()
    home.socket.unlink()
    home.says(PROVIDER.format(port=server.port) + "[budget]\nday_tokens = 18\n")
    await home.start()
    assert (await home.get("/v1/status")).json()["budget"]["day_tokens"]["spent"] == 18
    answer = await home.post("/v1/prepare", TASK)
    assert (answer.status_code, answer.json()["rule"]) == (403, "budget")
    assert "used up: 18 tokens of 18 tokens" in (await wicket(home, "route", "explain"))[1]
    assert len(server.requests) == 1


def test_what_is_left_is_said() -> None:
    budget: dict[str, dict[str, int | None]] = {
        "day_cost": {"spent": 1_250_000, "limit": 5_000_000},
        "month_cost": {"spent": 1_250_000, "limit": None},
        "day_tokens": {"spent": 150, "limit": 100},
    }
    wanted = ["$3.75 of $5.00 are left of this day", "0 of 100 tokens are left of this day"]
    assert budget_lines(budget) == wanted
    found: dict[str, Any] = {"kind": "ask", "tier": None, "order": [], "reason": "\x1b[31m"}
    said = lines(found | {"passed": [{"name": "a", "why": "b"}], "budget": budget})
    assert said[:2] == [r"ask: nobody: \x1b[31m", "  not a: b"]
