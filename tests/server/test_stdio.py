"""Framing, standard streams and the end of the process."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from wicket.server import jsonrpc, stdio

from .probe_client import PATIENCE, PROBE, framed, started

FRAMES = [
    # What comes in, and the bodies in it.
    (framed(b"one") + framed(b"two"), [b"one", b"two"]),
    (b"content-length:3\r\n\r\none", [b"one"]),
    (b"Content-Type: x\r\nContent-Length: 3\r\nX: y\r\n\r\none", [b"one"]),
    (b"Content-Length: 3\n\none", [b"one"]),
    (b"noise\r\n\r\n" + framed(b"one"), [b"one"]),
    (b"Content-Length: -1\r\n\r\n" + framed(b"one"), [b"one"]),
    (b"Content-Length: x\r\n\r\n" + framed(b"one"), [b"one"]),
    # Too short: the rest of the body stands before the next header.
    (b"Content-Length: 2\r\n\r\none" + framed(b"two"), [b"on", b"two"]),
    (b"Content-Length: 0\r\n\r\none" + framed(b"two"), [b"", b"two"]),
    # Too long: it swallows the next header, and the one after it counts.
    (
        b"Content-Length: 10\r\n\r\none" + framed(b"two") + framed(b"three"),
        [b"oneContent", b"three"],
    ),
    # Larger than any memory: not even tried.
    (b"Content-Length: 999999999999\r\n\r\none" + framed(b"two"), [b"", b"two"]),
    (b"Content-Length: 9" + b"9" * 5_000 + b"\r\n\r\n" + framed(b"one"), [b"one"]),
    (b"x" * 100_000 + b"\r\n" + framed(b"one"), [b"one"]),
    # The end in the middle.
    (framed(b"one") + b"Content-Length: 9\r\n\r\ntwo", [b"one"]),
    (framed(b"one") + b"Content-Len", [b"one"]),
    (b"", []),
]


@pytest.mark.parametrize(("data", "want"), FRAMES)
def test_bodies_are_found_again_after_bad_framing(
    data: bytes, want: list[bytes], tmp_path: Path
) -> None:
    file = tmp_path / "stdin"
    file.write_bytes(data)
    with file.open("rb") as stream:
        assert list(stdio.bodies(stream)) == want


def test_stray_prints_do_not_reach_the_client() -> None:
    """Neither Python's, nor a C library's, nor a child's."""
    with started() as client:
        client.initialize()
        assert client.ask("probe/print") == "printed"
        assert client.ask("probe/ping", 5) == 5
        for words in ("a stray line", "stray bytes", "child"):
            client.wait_for_error(words)


def test_a_client_that_reads_late_stops_nobody() -> None:
    """Answers far larger than a pipe wait in the server, which goes on working."""
    with started() as client:
        client.initialize()
        client.reading.clear()
        large = "x" * 1_000_000
        requests = [client.request("probe/ping", large) for _ in range(4)]
        client.send(*requests)
        late = {"command": "probe.note", "arguments": ["meanwhile"]}
        client.tell("workspace/executeCommand", late)
        client.wait_for_error("noted meanwhile")
        client.reading.set()
        assert [client.next()["result"] for _ in requests] == [large] * 4


def test_the_server_ends_when_nobody_reads_any_more() -> None:
    with subprocess.Popen(
        [sys.executable, "-I", str(PROBE)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as server:
        assert server.stdout
        assert server.stdin
        assert server.stderr
        server.stdout.close()
        server.stdin.write(framed(b"broken, so there is an answer"))
        server.stdin.flush()
        assert server.wait(PATIENCE) == 1
        assert b"Traceback" not in server.stderr.read()


@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGTERM", 1)])
def test_signals_end_the_server(number: str, code: int) -> None:
    with started() as client:
        client.initialize()
        client.process.send_signal(signal.Signals[number])
        assert client.ended() == code
        assert b"Traceback" not in client.errors


def test_shutdown_then_exit_ends_with_0() -> None:
    """After shutdown only exit is obeyed; requests that were open are answered."""
    with started() as client:
        client.initialize()
        client.send(request := client.request("probe/sleep", "it"))
        client.wait_for("it began")
        client.send(client.request("shutdown"), client.request("probe/ping"))
        answers = [client.next() for _ in range(3)]
        assert answers[0]["id"] == request["id"]
        assert [a.get("error", {}).get("code") for a in answers] == [
            jsonrpc.CANCELLED,
            jsonrpc.INVALID_REQUEST,
            None,
        ]
        assert answers[2]["result"] is None
        client.open("ignored")
        client.tell("exit")
        assert client.ended() == 0


def test_exit_right_behind_shutdown_lets_it_finish() -> None:
    with started() as client:
        client.initialize()
        client.send(client.request("shutdown"), {"method": "exit"})
        assert client.next()["result"] is None
        assert client.ended() == 0
        assert b"closed" in client.errors


@pytest.mark.parametrize("initialized", [True, False])
def test_exit_without_shutdown_ends_with_1(initialized: bool) -> None:
    with started() as client:
        if initialized:
            client.initialize()
        client.tell("exit")
        assert client.ended() == 1


def test_the_end_of_input_ends_the_server() -> None:
    """Although a handler runs and a thread that nobody stops is there."""
    with started("--stubborn") as client:
        client.initialize()
        client.send(client.request("probe/sleep", "it"))
        client.wait_for("it began")
        assert client.process.stdin
        client.process.stdin.close()
        assert client.next()["error"]["code"] == jsonrpc.CANCELLED
        assert client.ended() == 1


@pytest.mark.parametrize("told", ["by flag", "in initialize"])
def test_the_server_goes_with_its_editor(told: str) -> None:
    """Somebody else may hold the pipe open for ever."""
    with subprocess.Popen(["sleep", "60"]) as editor:
        pid = editor.pid
        with started(*[str(pid)] * (told == "by flag")) as client:
            client.initialize(processId=pid if told == "in initialize" else None)
            assert client.ask("probe/ping", 6) == 6
            editor.kill()
            editor.wait()
            assert client.ended() == 1


@pytest.fixture
def ended_pid() -> int:
    with subprocess.Popen(["true"]) as process:
        pass
    return process.pid


async def test_only_an_editor_that_was_there_can_go(ended_pid: int) -> None:
    """Our own number, none, an unseen one: nobody to outlive, so nothing happens."""
    for pid in (None, 0, -1, 1 << 40, os.getpid(), ended_pid):
        await stdio.outlive(pid, pytest.fail)


def test_who_is_alive(ended_pid: int) -> None:
    """Ourselves, and the first process, whoever it belongs to."""
    assert stdio.alive(os.getpid())
    assert stdio.alive(1)
    assert not stdio.alive(ended_pid)
