"""The gate as a process: who may talk to it, what it says, how it ends, what it leaves."""

import asyncio
import base64
import os
import signal
import socket
import tempfile
from pathlib import Path

import httpx2
import pytest
from wicket.escalation.client import Declined, GateClient
from wicket.server import gate_client, processes

from ..escalation.gate_world import WORDS
from ..escalation.provider import ProviderServer
from ..escalation.test_environment import ROGUE as OF_THE_SDKS
from .gate_home import CLAUDE, KEY, OPENAI, PROVIDER, TASK, Home, events


async def test_it_is_started_when_it_is_needed(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        monkeypatch.delenv(name)
    for name, value in home.environment.items():
        monkeypatch.setenv(name, value)
    log = home.paths.logs / "gate.log"
    starter = gate_client.starter(home.paths)
    _, writer = await starter.connect()
    writer.close()
    status = (await home.get("/v1/status")).json()
    assert status["open"], status
    (opened,) = home.records("open")
    assert opened["data"]["limits"] == status["limits"]
    assert log.read_text().strip() == f"wicket gate: {status['limits']}"
    (found,) = processes.running(home.socket.parent)
    assert found.process == "gate"
    assert await asyncio.to_thread(processes.stop, found)
    assert home.records()[-1]["type"] == "close"
    assert starter.left, "it took its socket away"


async def test_prepare_and_send_over_the_socket(home: Home, server: ProviderServer) -> None:
    await home.start()
    answer = await home.post("/v1/send", await home.prepared())
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")
    said = events(answer.text)
    assert [name for name, _ in said] == ["record", "text", "text", "usage", "record", "done"]
    assert said[-1][1] == {"status": "ok", "finish": "stop"}
    assert len(server.requests) == 1
    assert home.records("outcome")[0]["data"]["status"] == "ok"


async def test_a_policy_that_changes_binds_a_gate_that_runs(
    home: Home, server: ProviderServer
) -> None:
    """Also what was prepared before; and what is no policy at all forbids everything."""
    await home.start()
    waiting = await home.prepared()
    policy = home.paths.policies[1]
    for said, code in (('default = "never"\n', 403), ("default = ", 403), ("", 200)):
        policy.write_text(said)
        async with asyncio.timeout(10):
            while (await home.post("/v1/prepare", TASK)).status_code != code:
                await asyncio.sleep(0.05)
        if code == 403:
            assert (await home.post("/v1/send", waiting)).status_code == 404
    assert server.connections == 0
    assert (await home.post("/v1/send", await home.prepared())).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "localhost"},
        {"Host": "127.0.0.1"},
        {"Host": "wicket:80"},
        {"Origin": "http://localhost"},
        {"Origin": "null"},
        {"Origin": ""},
    ],
)
async def test_a_browser_is_refused(home: Home, headers: dict[str, str]) -> None:
    """Every route, before anything is looked at."""
    await home.start()
    assert (await home.get("/v1/status", **headers)).status_code == 403
    assert (await home.post("/v1/prepare", TASK, **headers)).status_code == 403
    async with home.client(**headers) as client:
        assert (await client.delete("/v1/exchanges/x")).status_code == 403
    assert (await home.get("/v1/status")).status_code == 200


STRANGER = """
import socket, sys
asking = socket.socket(socket.AF_UNIX)
asking.connect(sys.argv[1])
try:
    asking.sendall(b"GET /v1/status HTTP/1.1\\r\\nHost: wicket\\r\\n\\r\\n")
    heard = asking.recv(100)
except ConnectionError:
    heard = b""
print("connected, then", heard or "nothing")
"""


async def test_another_user_is_not_let_in(home: Home) -> None:
    """Even one that the directory and the socket's mode would let through."""
    if os.getuid() != 0:
        pytest.skip("only root can take on another user's id")
    await home.start()
    for place in (home.root, home.socket.parent):
        place.chmod(0o755)
    home.socket.chmod(0o666)
    other = await asyncio.create_subprocess_exec(
        "/usr/bin/python3" if Path("/usr/bin/python3").exists() else "python3",
        *("-c", STRANGER, str(home.socket)),
        user=65534,
        group=65534,
        stdout=asyncio.subprocess.PIPE,
    )
    assert (await other.communicate())[0] == b"connected, then nothing\n"
    for place in (home.root, home.socket.parent):
        place.chmod(0o700)


async def test_its_socket_and_files_are_private(home: Home) -> None:
    await home.start()
    answer = await home.post("/v1/send", await home.prepared())
    assert answer.status_code == 200
    assert home.socket.stat().st_mode & 0o777 == 0o600
    for place in (home.paths.audit, home.paths.heads, home.paths.reader_key.parent):
        for path in (place, *place.rglob("*")):
            assert path.stat().st_mode & 0o077 == 0, path


@pytest.mark.parametrize("answer", ["silent", "stalls"])
async def test_a_client_that_dies_cancels_its_send(
    home: Home, server: ProviderServer, answer: str
) -> None:
    """And the outcome says so, with what had come by then."""
    server.answer = answer
    await home.start()
    body = await home.prepared()
    async with home.client() as client, client.stream("POST", "/v1/send", json=body) as stream:
        assert stream.status_code == 200
        await server.arrived.wait()
        if answer == "stalls":
            async for line in stream.aiter_lines():
                if line.startswith("event: text"):
                    break
    (outcome,) = await home.until("outcome")
    assert outcome["data"]["status"] == "cancelled"
    assert (outcome["data"]["received"] > 0) == (answer == "stalls")
    await asyncio.wait_for(server.hung_up.wait(), 10)
    assert (await home.get("/v1/status")).json()["exchanges"] == []


async def test_cancelling_by_name(home: Home, server: ProviderServer) -> None:
    server.answer = "silent"
    await home.start()
    sending = asyncio.ensure_future(home.post("/v1/send", await home.prepared()))
    await server.arrived.wait()
    (name,) = (await home.get("/v1/status")).json()["exchanges"]
    async with home.client() as client:
        assert (await client.delete(f"/v1/exchanges/{name}")).json() == {"cancelled": True}
        assert (await client.delete(f"/v1/exchanges/{name}x")).status_code == 404
    assert events((await sending).text)[-1] == ("done", {"status": "cancelled", "finish": None})


async def test_stopped_in_the_middle_it_writes_the_outcome(
    home: Home, server: ProviderServer
) -> None:
    server.answer = "silent"
    process = await home.start()
    sending = asyncio.ensure_future(home.post("/v1/send", await home.prepared()))
    await server.arrived.wait()
    process.terminate()
    assert events((await sending).text)[-1][1]["status"] == "cancelled"
    assert await process.wait() == 0
    assert [row["type"] for row in home.records()[-3:]] == ["intent", "outcome", "close"]


async def test_killed_in_the_middle_the_next_start_says_that_nobody_knows(
    home: Home, server: ProviderServer
) -> None:
    server.answer = "silent"
    process = await home.start()
    sending = asyncio.ensure_future(home.post("/v1/send", await home.prepared()))
    await server.arrived.wait()
    process.kill()
    with pytest.raises(httpx2.TransportError):
        await sending
    await process.wait()
    assert home.records("outcome") == []
    home.socket.unlink()
    await home.start()
    (intent,), (outcome,) = home.records("intent"), home.records("outcome")
    assert (outcome["ref"], outcome["data"]["status"]) == (intent["seq"], "unknown_crash")


CLOSED = [
    ("[providers.home]\nkind = 'compatible'\n", "in doubt"),
    (PROVIDER + "nonsense = 1\n", "in doubt"),
    (PROVIDER + "[redaction]\nrules = 'x'\n", "in doubt"),
    (PROVIDER + "[redaction]\nhook = 'x'\n", "in doubt"),
    (PROVIDER + "[redaction]\nrules = ['/nowhere.toml']\n", "there is no /nowhere.toml"),
    (PROVIDER + "[redaction]\nrules = ['/proc/version']\n", "/proc/version: the rules are no TOML"),
    (PROVIDER + "[policy]\n", "[policy] is not heeded"),
    (PROVIDER + "[gate]\nenabled = false\n", "gate.enabled is false"),
    (PROVIDER + "[audit]\nlevel = 'none'\n", "in doubt"),
    (PROVIDER.replace("on-prem", "frontier"), "must be https"),
    ("not toml", "in doubt"),
    ("", "no provider"),
]


@pytest.mark.parametrize(("settings", "reason"), CLOSED)
async def test_settings_that_close_the_gate(
    home: Home, server: ProviderServer, settings: str, reason: str
) -> None:
    """503 with a reason and a fix; the process stays to say so."""
    home.says(settings.replace("{port}", str(server.port)))
    await home.start()
    for path, body in (("/v1/prepare", TASK), ("/v1/send", {"digest": "x"})):
        answer = await home.post(path, body)
        assert answer.status_code == 503
        assert reason in answer.json()["reason"]
        assert answer.json()["fix"]
    assert (await home.get("/v1/status")).json()["open"] is False


async def test_words_of_the_house_are_masked(home: Home, server: ProviderServer) -> None:
    own = home.root / "own.toml"
    own.write_text('words = ["What is"]\n[[rule]]\nid = "x"\nclass = "organisation"\n')
    home.says(PROVIDER.format(port=server.port) + f"[redaction]\nrules = ['{own}']\n")
    await home.start()
    refused = await home.post("/v1/prepare", TASK)
    assert "a rule needs an id and a pattern" in refused.json()["reason"]
    await home.stop()
    own.write_text('words = ["What is"]\n')
    await home.start()
    said = (await home.post("/v1/prepare", TASK)).json()
    assert [row["rule"] for row in said["redactions"]] == ["house-word"]
    assert b"What is" not in base64.b64decode(said["request_base64"])


async def test_keys_that_others_can_read_close_the_gate(home: Home) -> None:
    home.paths.provider_keys.chmod(0o644)
    await home.start()
    answer = await home.post("/v1/prepare", TASK)
    assert answer.status_code == 503
    assert answer.json()["fix"].startswith("chmod 600")


async def test_a_log_that_is_not_whole_closes_the_gate(home: Home) -> None:
    """Cut, gone, or written by another gate."""
    process = await home.start()
    assert (await home.post("/v1/send", await home.prepared())).status_code == 200
    process.terminate()
    await process.wait()
    (leaves,) = home.paths.audit.glob("*/*.jsonl")
    whole = leaves.read_bytes()
    for content in (b"".join(whole.splitlines(True)[:3]), whole.replace(b'"ok"', b'"no"')):
        leaves.write_bytes(content)
        process = await home.start()
        answer = await home.post("/v1/prepare", TASK)
        assert answer.status_code == 503
        assert "audit log" in answer.json()["reason"]
        process.terminate()
        await process.wait()
    for file in leaves.parent.iterdir():
        file.unlink()
    leaves.parent.rmdir()
    await home.start()
    assert (await home.post("/v1/prepare", TASK)).status_code == 503
    # For the comparison of bytes sent and intents recorded.
    leaves.parent.mkdir(exist_ok=True)
    leaves.write_bytes(whole)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/prepare", [], 400),
        ("/v1/prepare", {"kind": "x"}, 400),
        ("/v1/prepare", TASK | {"instruction": "x" * (5 << 20)}, 413),
        ("/v1/prepare", TASK | {"documents": [{"path": "a/.env", "text": "A=1"}]}, 403),
        ("/v1/send", [], 400),
        ("/v1/send", {}, 404),
        ("/v1/send", {"digest": "0" * 64, "approval": {}}, 404),
        ("/v1/nothing", {}, 404),
    ],
)
async def test_requests_that_make_no_sense(
    home: Home, path: str, body: object, status: int
) -> None:
    await home.start()
    answer = await home.post(path, body)
    assert answer.status_code == status
    assert "Traceback" not in answer.text
    assert (await home.get("/v1/status")).json()["open"]


async def test_it_leaves_when_nobody_needs_it(home: Home, server: ProviderServer) -> None:
    """Not while somebody waits for an answer."""
    server.answer = "silent"
    process = await home.start(idle=0.4)
    sending = asyncio.ensure_future(home.post("/v1/send", await home.prepared()))
    await server.arrived.wait()
    await asyncio.sleep(1)
    assert process.returncode is None
    sending.cancel()
    assert await asyncio.wait_for(process.wait(), 30) == 0
    assert not home.socket.exists()
    assert home.records()[-1]["type"] == "close"


# What the environment could say to libraries: proxies, certificates, other hosts, code.
ROGUE = (
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"),
    *("OPENAI_BASE_URL", "OPENAI_API_BASE", "ANTHROPIC_BASE_URL", "OPENAI_API_KEY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE", "PYTHONPATH", "PYTHONSTARTUP"),
    *("LD_PRELOAD_", "NETRC", "WICKET_PROVIDER", "UVICORN_HOST"),
)


@pytest.mark.parametrize(
    ("kind", "settings", "names"),
    [
        ("compatible", PROVIDER, ROGUE),
        ("anthropic", CLAUDE, (*ROGUE, *OF_THE_SDKS)),
        ("openai", OPENAI, (*ROGUE, *OF_THE_SDKS)),
    ],
)
async def test_the_environment_says_nothing(
    server: ProviderServer, kind: str, settings: str, names: tuple[str, ...]
) -> None:
    """A decoy stands for every address that it could name."""
    decoy = socket.create_server(("127.0.0.1", 0))
    decoy.setblocking(False)
    where = f"http://127.0.0.1:{decoy.getsockname()[1]}"
    server.answer = f"{WORDS.get(kind, '')}whole"
    with tempfile.TemporaryDirectory(prefix="wg", dir="/tmp") as folder:
        home = Home(Path(folder), server.port, **dict.fromkeys(names, where))
        home.says(settings.format(port=server.port))
        process = await home.start()
        assert (await home.post("/v1/send", await home.prepared())).status_code == 200
        await home.stop()
        assert process.returncode == 0
        assert len(server.requests) == 1
        assert not (Path(folder) / where).exists()
    with pytest.raises(BlockingIOError):
        decoy.accept()
    decoy.close()


async def test_the_key_is_nowhere_but_in_the_request(home: Home, server: ProviderServer) -> None:
    process = await home.start()
    assert (await home.post("/v1/send", await home.prepared())).status_code == 200
    assert KEY.encode() in server.received
    for name in ("environ", "cmdline"):
        assert KEY.encode() not in Path(f"/proc/{process.pid}/{name}").read_bytes()
    core = Path(f"/proc/{process.pid}/limits").read_text().split("Max core file size")[1]
    assert core.split()[:2] == ["0", "0"]
    for path in home.root.rglob("*"):
        if path.is_file() and path != home.paths.provider_keys:
            assert KEY.encode() not in path.read_bytes(), path


async def test_who_asks_is_told_what_a_further_yes_has_to_name(
    home: Home, server: ProviderServer
) -> None:
    """So that one more answer of a person is enough, and the model does not wait in vain."""
    rule = '[[rule]]\nname = "c"\npaths = ["till/"]\nclassification = "till"\ndecision = "ask"\n'
    (home.paths.config / "policy.toml").write_text(rule)
    home.says(CLAUDE.format(port=server.port))
    server.script, server.answer = ["claude tools"], "claude whole"
    await home.start()
    asked: list[Declined] = []
    async with GateClient(home.socket) as gate:
        prepared = await gate.prepare(TASK | {"kind": "ask", "tools": ["read"], "readable": ["**"]})
        names = ("digest", "provider", "model", "endpoint")
        approval = {name: prepared[name] for name in names} | {"mode": "user"}
        exchange = ""
        async for name, members in gate.send(prepared["digest"], approval):
            exchange = members.get("exchange", exchange)
            if name == "tool":
                found = {"path": "till/b.py", "text": "y = 1\n"}
                said = {"id": members["id"], "name": "read", "documents": [found]}
                with pytest.raises(Declined) as raised:
                    await gate.answer(exchange, said)
                asked.append(raised.value)
                await gate.answer(exchange, said | {"approval": raised.value.needs})
    (error,) = asked
    assert (error.status, error.needs) == (409, {"classes": ["till"]})
    assert len(home.records("outcome")) == server.connections == 2
    assert home.records("approval")[1]["data"]["classes"] == ["till"]


async def test_frozen_within_a_second_and_across_restarts(
    home: Home, server: ProviderServer
) -> None:
    """By a command, by the administrator's file, and by who speaks to the socket."""
    server.answer = "silent"
    process = await home.start()
    sending = asyncio.ensure_future(home.post("/v1/send", await home.prepared()))
    await server.arrived.wait()
    frozen = await home.wicket("gate", "freeze", "--reason", "drill")
    assert frozen == (0, "frozen by you: drill; nothing is sent\n")
    assert events((await sending).text)[-1][1]["status"] == "cancelled"
    assert home.records("outcome")[0]["data"]["flags"] == ["frozen"]
    process.terminate()
    await process.wait()
    await home.start()
    answer = await home.post("/v1/prepare", TASK)
    assert (answer.status_code, answer.json()["fix"]) == (503, "wicket gate thaw")
    assert (await home.wicket("gate", "thaw"))[0] == 0
    assert (await home.post("/v1/prepare", TASK)).status_code == 200
    said = await home.post("/v1/freeze", {"frozen": True, "reason": "over the socket"})
    assert said.json()["frozen"] == "by you: over the socket"
    assert (await home.post("/v1/prepare", TASK)).status_code == 503
    assert (await home.post("/v1/freeze", {"frozen": "yes"})).status_code == 400
    assert [row["data"]["frozen"] for row in home.records("freeze")][:1] == [True]


async def test_a_second_gate_does_not_write(home: Home) -> None:
    """One that finds the socket gone, and starts all the same."""
    first = await home.start()
    home.socket.unlink()
    await home.start()
    answer = await home.post("/v1/prepare", TASK)
    assert answer.status_code == 503
    assert "another process writes" in answer.json()["reason"]
    first.send_signal(signal.SIGTERM)
    await first.wait()
