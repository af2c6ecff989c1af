"""The decision hook: asked about every body, and what it does not allow is denied."""

import asyncio
import base64
import contextlib
import json
import os
import signal
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from wicket.escalation.client import Declined, GateClient
from wicket.escalation.hook import LARGEST_ANSWER, Hook, HookFailed, over_http, read
from wicket.escalation.reach import Network

from ..escalation.provider import ProviderServer
from ..escalation.test_transport import authority
from .gate_home import CLAUDE, PROVIDER, TASK, Home

ALLOW = b'{"decision": "allow", "reason": "fine"}'

ANSWERS = [
    (ALLOW, True, "fine"),
    (b'{"decision": "allow"}', True, "no reason given"),
    (b'{"decision": "deny", "reason": "a\\nb\\u202e"}', False, "a b"),
    (b'{"decision": "Allow"}', False, "its answer is not understood"),
    (b'{"decision": true}', False, "its answer is not understood"),
    (b'{"decision": "allow", "reason": 3}', False, "its answer is not understood"),
    (b'["allow"]', False, "its answer is not understood"),
    (b"allow", False, "its answer is not understood"),
    (b"", False, "its answer is not understood"),
    (b"\xff", False, "its answer is not understood"),
    (b"[" * 60_000, False, "its answer is not understood"),
    (ALLOW + b" " * LARGEST_ANSWER, False, "its answer is not understood"),
]


@pytest.mark.parametrize(("answer", "allowed", "reason"), ANSWERS)
def test_what_an_answer_means(answer: bytes, allowed: bool, reason: str) -> None:
    found = read(answer)
    assert (found.allowed, found.reason) == (allowed, reason)
    assert found.shown.isprintable()


async def test_silence_and_failure_are_denials() -> None:
    async def silent(_question: bytes) -> bytes:
        return await asyncio.get_running_loop().create_future()

    async def failing(_question: bytes) -> bytes:
        raise HookFailed("it is gone")

    assert (await Hook(silent, 0.01).judge({})).shown == "the hook denies it: no answer in 0.01 s"
    assert (await Hook(failing, 5).judge({})).shown == "the hook denies it: it is gone"


SCRIPT = """
import json, os, sys, time
asked = json.load(sys.stdin)
with open("{told}", "a") as told:
    json.dump({{"asked": asked, "argv": sys.argv, "environment": dict(os.environ)}}, told)
    told.write("\\n")
{then}
"""
THEN = [
    ("print(json.dumps({'decision': 'allow', 'reason': 'by the desk'}))", None),
    ("print(json.dumps({'decision': 'deny', 'reason': 'not today'}))", "not today"),
    ("print('yes')", "its answer is not understood"),
    ("pass", "its answer is not understood"),
    ("sys.exit(3)", "it ended with code 3"),
    ("time.sleep(60)", "took too long|no answer in 1 s"),
    ("os.kill(os.getpid(), 9)", "it ended with code -9"),
]


def _settle(home: Home, port: int, then: str, more: str = "", provider: str = PROVIDER) -> Path:
    told = home.root / "told"
    script = home.root / "hook.py"
    script.write_text(SCRIPT.format(told=told, then=then))
    words = f"{sys.executable} -I {script}"
    hook = (
        f'[redaction]\nhook = "command: {words}"\nhook_seconds = {1 if "sleep" in then else 60}\n'
    )
    home.says(provider.format(port=port) + hook + more)
    return told


@pytest.mark.parametrize(("then", "why"), THEN)
async def test_a_command_decides(
    home: Home, server: ProviderServer, then: str, why: str | None
) -> None:
    """With a question on its standard input, and nothing anywhere else."""
    told = _settle(home, server.port, then)
    await home.start()
    async with GateClient(home.socket) as gate:
        if why is not None:
            with pytest.raises(Declined, match=why) as raised:
                await gate.prepare(TASK)
            assert raised.value.status == 403
            decision = home.records("denied")[0]["data"]["decision"]
            assert (decision["rule"], decision["reason"]) == ("hook", raised.value.reason)
            assert server.connections == 0
    if why is None:
        answer = await home.post("/v1/send", await home.prepared())
        assert answer.status_code == 200
        reason = home.records("intent")[0]["data"]["decision"]["reason"]
        assert reason == "the hook allows it: by the desk"
    row = json.loads(told.read_text().splitlines()[0])
    asked = row["asked"]
    assert (asked["kind"], asked["provider"], asked["paths"]) == ("explain", "home", ["src/a.py"])
    assert len(asked["digest"]) == 64
    assert "request_base64" not in asked
    assert row["argv"] == [str(home.root / "hook.py")], "nothing of it is in an argument"
    seen = {"PATH", "HOME", "LANG", "TZ", "TMPDIR", "LC_CTYPE"}
    assert {name for name in row["environment"] if not name.startswith(("XDG_", "LC_"))} <= seen


async def test_the_first_questions_may_come_at_once(home: Home, server: ProviderServer) -> None:
    told = _settle(home, server.port, THEN[0][0])
    await home.start()
    async with GateClient(home.socket) as gate:
        for _ in range(2):
            asked = (gate.prepare(TASK | {"instruction": f"{n}"}) for n in range(4))
            found = await asyncio.gather(*asked)
            assert {one["hook"] for one in found} == {"the hook allows it: by the desk"}
    assert len(told.read_text().splitlines()) == 8


async def test_it_sees_the_bytes_where_the_settings_say_so(
    home: Home, server: ProviderServer
) -> None:
    told = _settle(home, server.port, THEN[0][0], "hook_bytes = true\n")
    await home.start()
    prepared = (await home.post("/v1/prepare", TASK)).json()
    asked = json.loads(told.read_text().splitlines()[0])["asked"]
    assert asked["request_base64"] == prepared["request_base64"]
    assert b"What is this?" in base64.b64decode(asked["request_base64"])
    assert prepared["hook"] == "the hook allows it: by the desk"


async def test_results_of_tools_are_asked_about(home: Home, server: ProviderServer) -> None:
    """A later body that is denied does not leave, and the exchange ends."""
    then = "print(json.dumps({'decision': 'deny' if asked['turn'] > 1 else 'allow'}))"
    told = _settle(home, server.port, then, provider=CLAUDE)
    server.script = ["claude tools"]
    await home.start()
    said: list[tuple[str, Any]] = []
    async with GateClient(home.socket) as gate:
        task = TASK | {"kind": "ask", "tools": ["read"], "readable": ["**"]}
        prepared = await gate.prepare(task)
        names = ("digest", "provider", "model", "endpoint")
        approval = {name: prepared[name] for name in names} | {"mode": "user"}
        async for name, members in gate.send(prepared["digest"], approval):
            said.append((name, members))
            if name == "tool":
                found = {"path": "src/b.py", "text": "y = 1\n"}
                answer = {"id": members["id"], "name": "read", "documents": [found]}
                await gate.answer(said[0][1]["exchange"], answer)
    assert said[-1] == ("done", {"status": "refused", "finish": None})
    assert said[-2][1]["reason"] == "not sent: the hook denies it: no reason given"
    assert server.connections == 1
    assert home.records("denied")[0]["data"]["decision"]["rule"] == "hook"
    rows = [json.loads(line)["asked"] for line in told.read_text().splitlines()]
    assert [row["turn"] for row in rows] == [1, 2]
    assert rows[1]["paths"] == ["src/a.py", "src/b.py"]


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # It has ended by now.
            if int(file.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(file.parent.name))
    return found


async def test_who_runs_the_command_is_killed(home: Home, server: ProviderServer) -> None:
    """The question that is open is denied at once, not after its time, and so is the next."""
    number = home.root / "number"
    waits = f"import signal; open('{number}', 'w').write(str(os.getpid())); signal.pause()"
    _settle(home, server.port, waits)
    gate_process = await home.start()
    async with GateClient(home.socket) as gate, asyncio.timeout(50):
        asking = asyncio.ensure_future(gate.prepare(TASK))
        while not (number.exists() and number.read_text()):
            await asyncio.sleep(0.02)
        (runner,) = _children(gate_process.pid)
        os.kill(runner, signal.SIGKILL)
        for question in (asking, gate.prepare(TASK), gate.prepare(TASK)):
            with pytest.raises(Declined, match="nobody is left who could run it"):
                await question
        os.kill(int(number.read_text()), signal.SIGKILL)
    assert [row["data"]["decision"]["rule"] for row in home.records("denied")] == ["hook"] * 3
    assert server.connections == 0


class Desk:
    """An HTTP server that decides; `answer` is what it sends, b"" for silence."""

    def __init__(self) -> None:
        self.answer, self.asked = b"", bytearray()
        self.port = 0

        self.tls: ssl.SSLContext | None = None

    async def __aenter__(self) -> "Desk":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(line for line in lines if line.startswith(b"content-length:"))
        self.asked += await reader.readexactly(int(length.split(b":")[1]))
        if self.answer:
            writer.write(self.answer)
            await writer.drain()
        else:
            await reader.read(1)
        writer.close()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with Desk() as made:
        yield made


def _http(body: bytes, status: str = "200 OK", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}Connection: close\r\n\r\n"
    return head.encode() + body


OVER_HTTP = [
    (_http(ALLOW), None),
    (_http(b'{"decision": "deny", "reason": "no"}'), "the hook denies it: no"),
    (_http(b"<html>"), "not understood"),
    (_http(ALLOW, "500 Oops"), "status 500"),
    (_http(ALLOW, "302 Found", "Location: http://127.0.0.1:1/\r\n"), "status 302"),
    (_http(ALLOW + b" " * (1 << 17)), "too long"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", "cannot be asked"),
    (b"nonsense\r\n\r\n", "cannot be asked"),
    (b"", "no answer in 1 s"),
]


async def test_a_server_decides(home: Home, server: ProviderServer, desk: Desk) -> None:
    """One after the other, through one gate; its host is the only other place it reaches."""
    address = f"http://127.0.0.1:{desk.port}/wicket"
    hook = f'[redaction]\nhook = "{address}"\nhook_seconds = 1\n'
    home.says(PROVIDER.format(port=server.port) + hook)
    await home.start()
    for answer, why in OVER_HTTP:
        desk.answer = answer
        said = await home.post("/v1/prepare", TASK)
        assert (said.status_code, why is None) in ((200, True), (403, False)), said.text
        assert why is None or why in said.json()["reason"]
    asked = json.loads(bytes(desk.asked).split(b"}{")[0] + b"}")
    assert asked["paths"] == ["src/a.py"]
    assert server.connections == 0


async def test_a_server_that_is_not_there_denies(home: Home, server: ProviderServer) -> None:
    hook = '[redaction]\nhook = "http://127.0.0.1:1/wicket"\n'
    home.says(PROVIDER.format(port=server.port) + hook)
    await home.start()
    said = await home.post("/v1/prepare", TASK)
    assert (said.status_code, said.json()["rule"]) == (403, "hook")


@pytest.mark.parametrize(
    ("numbers", "why"),
    [
        (["127.0.0.1"], None),
        # One that may not be reached is passed over.
        (["169.254.169.254", "127.0.0.1"], None),
        (["169.254.169.254"], "no address that may be reached"),
        (["fd00:ec2::254", "64:ff9b::a9fe:a9fe"], "no address that may be reached"),
        ([], "no address that may be reached"),
    ],
)
async def test_a_server_is_connected_to_by_the_number_that_was_looked_up(
    tmp_path: Path, numbers: list[str], why: str | None
) -> None:
    """Once for each question: no second look-up can lead elsewhere; the certificate must prove
    the name all the same."""
    asked: list[tuple[str, int]] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append((host, port))
        return numbers

    desk = Desk()
    desk.tls, trust = authority(tmp_path, "policy.invalid")
    desk.answer = _http(ALLOW)
    async with desk:
        ask = over_http(f"https://policy.invalid:{desk.port}/wicket", Network(resolve, trust))
        if why is None:
            assert await ask(b'{"a": 1}') == ALLOW
        else:
            with pytest.raises(HookFailed, match=why):
                await ask(b'{"a": 1}')
        assert asked == [("policy.invalid", desk.port)]
        assert bytes(desk.asked) == (b'{"a": 1}' if why is None else b"")


@pytest.mark.parametrize("certified", ["policy.invalid", "other.invalid"])
async def test_a_server_proves_its_name(tmp_path: Path, certified: str) -> None:
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    desk = Desk()
    desk.tls, trust = authority(tmp_path, certified)
    desk.answer = _http(ALLOW)
    async with desk:
        ask = over_http(f"https://policy.invalid:{desk.port}/wicket", Network(resolve, trust))
        if certified == "policy.invalid":
            assert await ask(b"{}") == ALLOW
        else:
            with pytest.raises(HookFailed, match="certificate verify failed"):
                await ask(b"{}")
            assert desk.asked == b""
