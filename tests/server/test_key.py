"""Keys of providers: kept where only their user reads them, and seen nowhere else."""

import asyncio
import contextlib
import json
import os
import pty
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..escalation.provider import ProviderServer
from .gate_home import PROVIDER, TASK, Home

CANARY = "sk-canary-fresh-98765"


@pytest.fixture
def home(home: Home) -> Home:
    home.paths.provider_keys.unlink()
    return home


async def wicket(home: Home, *words: str, said: str = "") -> tuple[int, str, str]:
    """`wicket WORDS` with `said` on its standard input: code, output, errors."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", "wicket.server", *words),
        env=home.environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate(said.encode())
    return process.returncode or 0, out.decode(), error.decode()


def sight(pids: set[int]) -> Iterator[tuple[str, bytes]]:
    """What anybody may see of these processes."""
    for pid in pids:
        for name in ("environ", "cmdline"):
            with contextlib.suppress(ProcessLookupError):  # It may have ended.
                yield f"{pid} {name}", Path(f"/proc/{pid}/{name}").read_bytes()


async def test_a_key_is_kept_used_listed_and_forgotten(home: Home, server: ProviderServer) -> None:
    code, out, error = await wicket(home, "key", "set", "home", said=f"{CANARY}\n")
    assert (code, error) == (0, "")
    assert CANARY not in out
    assert home.paths.provider_keys.stat().st_mode & 0o777 == 0o600
    await home.start()
    answer = await home.post("/v1/send", await home.prepared())
    assert answer.status_code == 200
    assert f"Bearer {CANARY}".encode() in server.received
    code, out, _ = await wicket(home, "key", "list", "--json")
    assert json.loads(out) == {
        "keys": [{"provider": "home", "kind": "compatible", "key": "file"}],
    }
    code, out, _ = await wicket(home, "key", "remove", "home")
    assert code == 0
    assert not home.socket.exists(), "the gate that knew it has left"
    assert (await wicket(home, "key", "remove", "home"))[0] == 1
    assert "no key" in (await wicket(home, "key", "list"))[1]
    assert CANARY not in "".join(p.read_text() for p in home.paths.data.rglob("*.toml"))


async def test_a_key_that_was_revoked_leaves_nothing_open(
    home: Home, server: ProviderServer
) -> None:
    """The gate that holds it is stopped in the middle; the next one has the new key."""
    await wicket(home, "key", "set", "home", said="old-key\n")
    server.answer = "silent"
    await home.start()
    sending = asyncio.ensure_future(home.post("/v1/send", await home.prepared()))
    await server.arrived.wait()
    assert (await wicket(home, "key", "set", "home", said="new-key\n"))[0] == 0
    await sending
    (outcome,) = home.records("outcome")
    assert (outcome["data"]["status"], outcome["data"]["flags"]) == (
        *("cancelled", ["the gate closes"]),
    )
    server.answer = "whole"
    await home.start()
    assert (await home.post("/v1/send", await home.prepared())).status_code == 200
    heads = [head for head, _ in server.requests]
    assert [b"old-key" in head for head in heads] == [True, False]
    assert b"new-key" in heads[1]


async def test_the_key_is_in_no_sight(home: Home, server: ProviderServer) -> None:
    """Not while it is typed, not while it is used, not in any file but its own."""
    main, terminal = pty.openpty()
    typing = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", "wicket.server", "key", "set", "home"),
        env=home.environment,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    heard = b""
    while b"key of home:" not in heard:
        heard += await asyncio.to_thread(os.read, main, 1000)
    limits = Path(f"/proc/{typing.pid}/limits").read_text().split("Max core file size")[1]
    assert limits.split()[:2] == ["0", "0"]
    os.write(main, f"{CANARY}\n".encode())
    while typing.returncode is None:
        for where, seen in sight({typing.pid}):
            assert CANARY.encode() not in seen, where
        try:
            async with asyncio.timeout(0.05):
                await typing.wait()
        except TimeoutError:
            continue
    while True:
        try:
            more = os.read(main, 1000)
        except OSError:
            break
        if not more:
            break
        heard += more
    os.close(main)
    assert CANARY.encode() not in heard, "it is not shown as it is typed"
    assert b"is kept in the file" in heard
    gate = await home.start()
    assert (await home.post("/v1/send", await home.prepared())).status_code == 200
    assert CANARY.encode() in server.received
    for where, seen in sight({gate.pid, os.getpid()}):
        assert CANARY.encode() not in seen, where
    for path in home.root.rglob("*"):
        if path.is_file() and path != home.paths.provider_keys:
            assert CANARY.encode() not in path.read_bytes(), path


async def test_a_command_prints_the_key_to_the_gate_alone(
    home: Home, server: ProviderServer
) -> None:
    vault = home.root / "vault"
    vault.write_text(CANARY)
    home.says(PROVIDER.format(port=server.port) + f"key = 'command: cat {vault}'\n")
    assert (await wicket(home, "key", "set", "home", said="x\n"))[0] == 1
    assert "command" in (await wicket(home, "key", "list"))[1]
    await home.start()
    assert (await home.post("/v1/send", await home.prepared())).status_code == 200
    assert f"Bearer {CANARY}".encode() in server.received
    assert not home.paths.provider_keys.exists()


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("command: /nowhere/at-all", "No such file"),
        ("command: false", "ended with code 1"),
        ("command: true", "printed no token"),
        ("keyring", "no keyring answers"),
    ],
)
async def test_a_key_that_cannot_be_had_closes_the_gate(
    home: Home, server: ProviderServer, key: str, reason: str
) -> None:
    home.says(PROVIDER.format(port=server.port) + f"key = '{key}'\n")
    await home.start()
    answer = await home.post("/v1/prepare", TASK)
    assert answer.status_code == 503
    assert reason in answer.json()["reason"]
    assert answer.json()["fix"]


@pytest.mark.parametrize(
    ("words", "said", "code", "reason"),
    [
        (("set",), "x", 2, "say whose"),
        (("set", "nobody"), "x", 1, "there is no provider nobody"),
        (("set", "home"), "", 1, "one line"),
        (("set", "home"), "two words", 1, "one line"),
        (("set", "home"), "two\nlines", 1, "one line"),
        (("set", "home", "sk-in-argv"), "", 2, "unknown arguments"),
        (("remove", "home"), "", 1, "there is no key"),
    ],
)
async def test_what_is_refused(
    home: Home, words: tuple[str, ...], said: str, code: int, reason: str
) -> None:
    found, out, error = await wicket(home, "key", *words, said=said)
    assert found == code
    assert reason in error
    assert "Traceback" not in out + error
    assert not home.paths.provider_keys.exists()


# A keyring as the library loads one for its user: real, but for the desktop behind it.
BACKEND = """
import json, pathlib
from keyring.backend import KeyringBackend

PLACE = pathlib.Path(__file__).with_suffix(".json")


class Keyring(KeyringBackend):
    priority = 9

    def _rows(self):
        return json.loads(PLACE.read_text()) if PLACE.exists() else {}

    def get_password(self, service, username):
        return self._rows().get(f"{service}/{username}")

    def set_password(self, service, username, password):
        PLACE.write_text(json.dumps(self._rows() | {f"{service}/{username}": password}))

    def delete_password(self, service, username):
        rows = self._rows()
        del rows[f"{service}/{username}"]
        PLACE.write_text(json.dumps(rows))
"""


async def test_a_keyring_comes_first(home: Home, server: ProviderServer) -> None:
    place = home.root / "ring"
    place.mkdir()
    (place / "desktop_ring.py").write_text(BACKEND)
    config = home.root / ".config" / "python_keyring"
    config.mkdir(parents=True)
    (config / "keyringrc.cfg").write_text(
        f"[backend]\ndefault-keyring=desktop_ring.Keyring\nkeyring-path={place}\n"
    )
    home.paths.provider_keys.write_text('home = "old-key"\n')
    home.paths.provider_keys.chmod(0o600)
    code, out, error = await wicket(home, "key", "set", "home", said=CANARY)
    assert (code, error) == (0, "")
    assert "kept in the keyring" in out
    assert home.paths.provider_keys.read_text() == ""
    assert CANARY in (place / "desktop_ring.json").read_text()
    await home.start()
    assert (await home.post("/v1/send", await home.prepared())).status_code == 200
    assert f"Bearer {CANARY}".encode() in server.received
    assert "keyring" in (await wicket(home, "key", "list"))[1]
    assert (await wicket(home, "key", "remove", "home"))[0] == 0
    assert CANARY not in (place / "desktop_ring.json").read_text()
