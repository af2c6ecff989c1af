"""Each process killed at each step of an exchange, and a disk that fills: what leaves, what is
lost.  Every test ends in the same count: no byte came without a durable intent."""

import asyncio
import json
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from wicket.escalation.client import Declined, GateClient

from ..escalation.provider import ProviderServer
from .gate_home import CLAUDE, TASK, Home

ASK = TASK | {"kind": "ask", "tools": ["read"], "readable": ["**"]}
FOUND = {"path": "src/b.py", "text": "y = 1\n"}


@pytest.fixture
def server(server: ProviderServer) -> ProviderServer:
    server.answer = "claude whole"
    return server


@pytest.fixture
async def home(server: ProviderServer) -> AsyncIterator[Home]:
    with tempfile.TemporaryDirectory(prefix="wg", dir="/tmp") as folder:
        made = Home(Path(folder), server.port)
        made.says(CLAUDE.format(port=server.port))
        unrecorded: list[int] = []

        def heard() -> None:
            if len(made.records("intent")) < server.connections:
                unrecorded.append(server.connections)

        server.heard = heard
        yield made
        await made.stop()
        assert unrecorded == [], "bytes came without a durable intent"
        verified = await made.wicket("audit", "verify", "--json")
        assert verified[0] in (0, 3), verified[1]


async def approved(gate: GateClient, task: Mapping[str, Any] = ASK) -> tuple[str, dict[str, Any]]:
    prepared = await gate.prepare(task)
    names = ("digest", "provider", "model", "endpoint")
    return prepared["digest"], {name: prepared[name] for name in names} | {"mode": "user"}


# Where the gate is killed: the answers of the provider until then, what is waited for, and
# how the intents ended that are on record after the next start.
STEPS = [
    ("prepared", [], [], []),
    ("sent", ["claude silent"], [], ["unknown_crash"]),
    ("text", ["claude stalls"], [], ["unknown_crash"]),
    ("tool", ["claude tools"], [], ["ok"]),
    ("second", ["claude tools", "claude silent"], [FOUND], ["ok", "unknown_crash"]),
    ("second text", ["claude tools", "claude stalls"], [FOUND], ["ok", "unknown_crash"]),
    ("done", ["claude tools"], [FOUND], ["ok", "ok"]),
]


@pytest.mark.parametrize(("step", "script", "results", "ends"), STEPS)
async def test_the_gate_is_killed(
    home: Home,
    server: ProviderServer,
    step: str,
    script: list[str],
    results: list[Mapping[str, Any]],
    ends: list[str],
) -> None:
    process = await home.start()
    server.script = list(script)
    async with GateClient(home.socket) as gate:
        digest, approval = await approved(gate)
        if step != "prepared":
            await _until(gate, server, step, digest, approval, results)
        process.kill()
        await process.wait()
    home.socket.unlink(missing_ok=True)
    await home.start()
    intents, outcomes = home.records("intent"), home.records("outcome")
    assert [row["data"]["status"] for row in outcomes] == ends
    assert [row["ref"] for row in outcomes] == [row["seq"] for row in intents]
    assert len(intents) == server.connections
    async with GateClient(home.socket) as gate:
        with pytest.raises(Declined) as raised:
            async with aclosing(gate.send(digest, approval)) as events:
                await anext(events)
        assert raised.value.status == 404, "an approval does not outlive its gate"
        assert (await gate.prepare(ASK))["digest"], "and it goes on"


async def _until(
    gate: GateClient,
    server: ProviderServer,
    step: str,
    digest: str,
    approval: Mapping[str, Any],
    results: list[Mapping[str, Any]],
) -> None:
    """Run the exchange to the step at which something dies."""
    exchange, texts = "", 0
    async with aclosing(gate.send(digest, approval)) as events:
        async for name, members in events:
            exchange = members.get("exchange", exchange)
            texts += name == "text" and members["text"] == "Hel"
            if name == "tool":
                if step == "tool":
                    return
                found = {"id": members["id"], "name": "read", "documents": results}
                await gate.answer(exchange, found)
            if name == "record" and step in ("sent", "second"):
                async with asyncio.timeout(30):
                    while server.connections < 1 + (step == "second") and name == "record":
                        if step == "second" and "turn" not in members:
                            break
                        await asyncio.sleep(0.01)
                if server.connections == 1 + (step == "second"):
                    return
            if texts and step in ("text", "second text"):
                return
    assert step == "done"


@pytest.mark.parametrize("step", ["sent", "text", "tool", "second text"])
async def test_who_asks_is_killed(home: Home, server: ProviderServer, step: str) -> None:
    """Nothing more leaves for it, and the outcome says why; the gate goes on."""
    await home.start()
    _, script, results, _ = next(row for row in STEPS if row[0] == step)
    server.script = list(script)
    async with GateClient(home.socket) as gate:
        digest, approval = await approved(gate)
        await _until(gate, server, step, digest, approval, results)
    before = server.connections
    async with asyncio.timeout(30):
        while (await home.get("/v1/status")).json()["exchanges"]:
            await asyncio.sleep(0.02)
    outcomes = home.records("outcome")
    assert len(outcomes) == len(home.records("intent")) == server.connections == before
    last = outcomes[-1]["data"]
    if step == "tool":
        assert last["status"] == "ok", "it died between two requests"
    else:
        assert (last["status"], last["flags"]) == ("cancelled", ["the client went away"])
    async with GateClient(home.socket) as gate:
        assert (await gate.prepare(ASK))["digest"]


@pytest.mark.parametrize("step", ["prepared", "tool", "text"])
async def test_the_disk_fills(home: Home, server: ProviderServer, step: str) -> None:
    """New intents are refused before anything leaves; what is under way is recorded to its
    end from the reserve; with room again it goes on."""
    home.paths.audit.mkdir(parents=True, mode=0o700)
    home.paths.audit.parent.chmod(0o700)
    mount = ["mount", "-t", "tmpfs", "-o", "size=24m,mode=700", "tmpfs", str(home.paths.audit)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:  # noqa: ASYNC221
        pytest.skip("only root may mount a small file system, and not in every container")
    filler = home.paths.audit / "filler"
    try:
        await home.start()
        server.script = ["claude tools"] if step == "tool" else []
        server.answer = "claude stalls" if step == "text" else "claude whole"
        async with GateClient(home.socket) as gate:
            digest, approval = await approved(gate)
            events = gate.send(digest, approval)
            said: list[tuple[str, dict[str, Any]]] = []
            if step == "prepared":
                _fill(filler)
                with pytest.raises(Declined, match="(?i)space"):
                    await anext(events)
                assert server.connections == 0
            async for name, members in events:
                said.append((name, members))
                if name == "tool":
                    _fill(filler)
                    found = {"id": members["id"], "name": "read", "documents": [FOUND]}
                    # A note of a tool is small, and fits into the reserve; an intent does not.
                    await gate.answer(said[0][1]["exchange"], found)
                if name == "text" and step == "text":
                    _fill(filler)
                    server.go.set()
            await events.aclose()
            if step == "tool":
                assert "space" in said[-2][1]["reason"].lower()
                assert said[-1] == ("done", {"status": "refused", "finish": None})
            assert server.connections == (step != "prepared")
            if step == "text":
                assert said[-1][0] == "done"
                assert home.records("outcome")[-1]["data"]["status"] == "ok"
            filler.unlink()
            server.answer = "claude whole"
            digest, approval = await approved(gate)
            async with aclosing(gate.send(digest, approval)) as again:
                names = [name async for name, _ in again]
            assert names[-1] == "done"
        await home.stop()
        assert json.loads((await home.wicket("audit", "verify", "--json"))[1])
    finally:
        for process in home.processes:
            if process.returncode is None:
                process.kill()
                await process.wait()
        subprocess.run(["umount", "-l", str(home.paths.audit)], check=True)  # noqa: ASYNC221


def _fill(file: Path) -> None:
    """All but a page."""
    with file.open("wb", buffering=0) as opened:
        free = os.statvfs(file.parent)
        opened.write(bytes(max(0, free.f_bavail * free.f_frsize - 4096)))


async def test_a_key_that_was_revoked_at_the_provider_is_said(
    home: Home, server: ProviderServer
) -> None:
    server.answer = "claude unauthorized"
    await home.start()
    async with GateClient(home.socket) as gate:
        digest, approval = await approved(gate)
        async with aclosing(gate.send(digest, approval)) as events:
            said = [(name, members) async for name, members in events]
    (error,) = [members for name, members in said if name == "error"]
    assert error["status"] == 401
    assert "invalid" in error["reason"]
    assert home.records("outcome")[0]["data"]["status"] == "http_error"
