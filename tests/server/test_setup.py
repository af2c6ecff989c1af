"""`wicket setup`, typed into as a person would: a provider that works, or one line why not."""

import asyncio
import os
import pty
import sys
import tomllib
from collections.abc import Sequence

import pytest

from ..escalation.provider import ProviderServer
from .gate_home import Home

CANARY = "sk-canary-setup-4711"


@pytest.fixture
def home(home: Home) -> Home:
    """Nobody has written anything yet."""
    home.paths.provider_keys.unlink()
    home.paths.user_settings.unlink()
    return home


async def typed(home: Home, *answers: tuple[str, str], words: Sequence[str] = ()) -> str:
    """What stands on the terminal at the end; each answer is typed where its question stands."""
    main, terminal = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", "wicket.server", "setup", *words),
        env=home.environment | {"TERM": "dumb", "COLUMNS": "200"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    heard = ""
    left = list(answers)
    async with asyncio.timeout(60):
        while True:
            try:
                heard += (await asyncio.to_thread(os.read, main, 1000)).decode()
            except OSError:  # The terminal is closed.
                break
            if left and left[0][0] in heard:
                os.write(main, left.pop(0)[1].encode() + b"\n")
    await process.wait()
    os.close(main)
    assert not left, heard
    assert "Traceback" not in heard
    return heard


def rows(home: Home) -> dict[str, dict[str, str]]:
    if not home.paths.user_settings.exists():
        return {}
    return tomllib.loads(home.paths.user_settings.read_text())["providers"]


async def test_a_server_of_ones_own_works_at_once(home: Home, server: ProviderServer) -> None:
    address = f"http://127.0.0.1:{server.port}/v1"
    heard = await typed(
        home,
        ("compatible server", "own"),
        ("Its address", address),
        ("Its model", "m-2026"),
        ("Its key", CANARY),
    )
    assert CANARY not in heard
    assert rows(home) == {
        "home": {"kind": "compatible", "base_url": address, "model": "m-2026", "tier": "on-prem"}
    }
    assert server.connections == 0, "setting up sends nothing"
    await home.start()
    answer = await home.post("/v1/send", await home.prepared())
    assert answer.status_code == 200
    assert f"Bearer {CANARY}".encode() in server.received
    heard = await typed(home)
    assert "ok  provider: home" in heard, "who has one is not asked again"


@pytest.mark.parametrize(
    ("answers", "said", "written"),
    [
        pytest.param([("compatible server", "")], "everything stays", {}, id="none"),
        pytest.param(
            [("compatible server", "anthropic"), ("Its model", "claude-x"), ("Its key", CANARY)],
            "claude is in",
            {
                "kind": "anthropic",
                "base_url": "https://api.anthropic.com",
                "model": "claude-x",
                "tier": "frontier",
            },
            id="anthropic",
        ),
        pytest.param(
            [("compatible server", "openai"), ("Its model", "gpt-x"), ("Its key", "")],
            "needs a key; nothing is written",
            {},
            id="no key",
        ),
        pytest.param(
            [("compatible server", "openai"), ("Its model", "gpt-x"), ("Its key", "two words")],
            "one line of printable characters",
            {},
            id="no such key",
        ),
        pytest.param(
            [("compatible server", "own"), ("Its address", "http://box:8000"), ("Its model", "m"),
             ("own house", "yes")],
            "must be https",
            {},
            id="an open line",
        ),
        *(
            pytest.param(
                [("compatible server", "own"), ("Its address", address)],
                "setup: the provider must have an endpoint like http",
                {},
                id=address,
            )
            for address in ("http://[::1", "box", "https://u:p@box", "https://box:x")
        ),
        pytest.param([("compatible server", "\x04")], "nothing more is written", {}, id="end"),
    ],
)  # fmt: skip
async def test_what_is_answered_is_written_or_refused_in_a_line(
    home: Home, answers: list[tuple[str, str]], said: str, written: dict[str, str]
) -> None:
    assert said in " ".join((await typed(home, *answers)).split())
    assert rows(home) == ({"claude": written} if written else {})
    assert home.paths.provider_keys.exists() == bool(written)


async def test_without_a_terminal(home: Home) -> None:
    code, _ = await home.wicket("setup")
    assert (code, rows(home)) == (1, {})
    code, _ = await home.wicket("setup", "--provider", "openai", "--model", "gpt-x")
    assert (code, rows(home)) == (1, {}), "no key on standard input"
    code, said = await home.wicket("setup", "--provider", "none")
    assert code == 0, said
    given = ("--provider", "own", "--model", "m", "--base-url", "https://box.example/v1")
    code, said = await home.wicket("setup", *given)
    assert code == 0, said
    assert rows(home)["home"]["tier"] == "frontier", "nobody said that it is of the house"
    assert (await home.wicket("setup", *given))[0] == 1, "nothing is written over"
