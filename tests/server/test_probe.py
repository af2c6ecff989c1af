"""`wicket doctor --probe`: by the real gate process, kept for its user alone, shown afterwards."""

import json
import stat

import pytest

from ..escalation.provider import ProviderServer
from .gate_home import PROVIDER, Home
from .test_route import wicket

CAN = ["vllm models", "ping", "object"]


async def test_only_the_command_asks_and_what_it_finds_is_used(
    home: Home, server: ProviderServer
) -> None:
    server.script = list(CAN)
    gate = await home.start()
    await wicket(home, "doctor", "--json")
    await wicket(home, "route", "ask")
    assert server.connections == 0
    code, out, _ = await wicket(home, "doctor", "--probe", "home")
    told = "8192 tokens of context, tools yes, JSON schema yes, stream yes"
    assert (code, out.startswith(f"ok  provider: home: {told}")) == (0, True), out
    assert "3 requests, all on record" in out
    assert len(home.records("intent")) == len(home.records("outcome")) == server.connections == 3
    kept = home.paths.abilities
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    # Another gate knows it, too.
    gate.terminate()
    await gate.wait()
    code, out, _ = await wicket(home, "route", "ask", "--json")
    assert json.loads(out)["abilities"]["home"].startswith(told)
    assert f"  home: {told}" in (await wicket(home, "route", "ask"))[1]
    code, out, _ = await wicket(home, "route", "ask", "--size", "40000")
    assert (code, "about 10000 tokens are more than home takes (8192)" in out) == (1, True), out
    rows = json.loads((await wicket(home, "doctor", "--json"))[1])["findings"]
    (row,) = (row["detail"] for row in rows if row["name"] == "provider")
    assert told in row
    assert server.connections == 3
    await wicket(home, "stop", "gate")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--probe", "nobody"], "there is no provider nobody"),
        (["--probe", "home"], "probe does not go to frontier"),
        (["--probe", "home", "--any-tier"], "nothing is known"),
    ],
)
async def test_one_line_says_why_not(
    home: Home, server: ProviderServer, words: list[str], why: str
) -> None:
    home.says(
        PROVIDER.format(port=server.port)
        .replace("http:", "https:")
        .replace('tier = "on-prem"', 'tier = "frontier"')
    )
    code, out, err = await wicket(home, "doctor", *words)
    assert (code, why in out, err) == (1, True, ""), out
    assert server.received == b""
    assert not home.paths.abilities.exists()
    await wicket(home, "stop", "gate")
