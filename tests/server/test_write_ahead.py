"""Written first, sent afterwards: the kernel's own record of a send, by strace."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ..escalation.provider import ProviderServer
from .gate_home import KEY, Home

CALLS = "connect,write,pwrite64,writev,sendto,sendmsg,fdatasync,fsync,openat"
# `PID name(arguments) = result`, with file names beside descriptors (-y).
CALL = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+)")
UNFINISHED = re.compile(r"(\d+) +(\w+\(.*) <unfinished \.\.\.>$")
RESUMED = re.compile(r"(\d+) +<\.\.\. (\w+) resumed>(.*)$")


SENDS = ("write", "writev", "sendto", "sendmsg")


@dataclass(frozen=True)
class Call:
    """A system call, at the place in the trace where it had ended."""

    name: str
    arguments: str
    result: int


def calls(trace: str) -> Iterator[Call]:
    """The calls in the order in which they ended; those that were cut in two are joined."""
    begun: dict[str, str] = {}
    for line in trace.splitlines():
        if cut := UNFINISHED.match(line):
            begun[cut[1]] = cut[2]
            continue
        if rest := RESUMED.match(line):
            line = f"{rest[1]} {begun.pop(rest[1])}{rest[3]}"
        if whole := CALL.match(line):
            yield Call(whole[2], whole[3], int(whole[4]))


def order(trace: str, port: int) -> list[str]:
    """What matters of a trace: `intent`, `synced`, `connected`, `sent`, in order.

    `synced` is a successful fdatasync of the file that the intent went to, after it.
    """
    found: list[str] = []
    leaves = outgoing = None
    for call in calls(trace):
        name = call.arguments.split(",")[0]
        if call.name in ("write", "pwrite64") and r"\"type\":\"intent\"" in call.arguments:
            leaves = name
            found.append("intent")
        elif call.name in ("fdatasync", "fsync") and name == leaves and call.result == 0:
            found.append("synced")
        elif call.name == "connect" and f"sin_port=htons({port})" in call.arguments:
            outgoing = name
            found.append("connected")
        elif call.name in SENDS and name == outgoing:
            found.append("sent")
    return found


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
async def test_the_intent_is_on_the_disk_before_a_byte_leaves() -> None:
    server = ProviderServer()
    await server.start()
    with tempfile.TemporaryDirectory(prefix="wg", dir="/tmp") as folder:
        home, trace = Home(Path(folder), server.port), Path(folder) / "trace"
        strace = ("strace", "-f", "-y", "-s", "4096", "-e", f"trace={CALLS}", "-o", str(trace))
        await home.start(*strace)
        for _ in range(3):
            answer = await home.post("/v1/send", await home.prepared())
            assert answer.status_code == 200
            assert '"status": "ok"' in answer.text
        await home.stop()
        seen = trace.read_text()
        steps = order(seen, server.port)
    await server.stop()
    assert len(server.requests) == 3
    assert "".join(f"{step} " for step in steps).count("intent synced connected sent") == 3, steps
    assert steps.count("connected") == 3
    outgoing = {c.arguments.split(",")[0] for c in calls(seen) if f"htons({server.port})" in str(c)}
    told = {c.arguments.split(",")[0] for c in calls(seen) if c.name in SENDS and KEY in str(c)}
    assert told == outgoing, "the key goes to the provider and nowhere else"


INTENT = r'7 write(5</a/seg-1.jsonl>, "{\"type\":\"intent\"}", 17) = 17'
SYNC = "7 fdatasync(5</a/seg-1.jsonl>) = 0"
CONNECT = "8 connect(9<socket:[1]>, {sa_family=AF_INET, sin_port=htons(80)}, 16) = -1 EINPROGRESS"
SEND = r'8 sendto(9<socket:[1]>, "POST /", 6, 0, NULL, 0) = 6'


@pytest.mark.parametrize(
    ("trace", "found"),
    [
        ((INTENT, SYNC, CONNECT, SEND), ["intent", "synced", "connected", "sent"]),
        ((INTENT, CONNECT, SEND, SYNC), ["intent", "connected", "sent", "synced"]),
        ((INTENT, "7 fdatasync(5</a/seg-1.jsonl>) = -1 EIO", CONNECT), ["intent", "connected"]),
        ((INTENT, "7 fdatasync(6</a/seg-1.pay>) = 0", CONNECT), ["intent", "connected"]),
        (
            (
                INTENT,
                "7 fdatasync(5</a/seg-1.jsonl> <unfinished ...>",
                CONNECT,
                SEND,
                "7 <... fdatasync resumed>) = 0",
            ),
            ["intent", "connected", "sent", "synced"],
        ),
    ],
)
def test_the_reading_of_a_trace_tells_orders_apart(
    trace: tuple[str, ...], found: list[str]
) -> None:
    """A sync that failed, that was another file's, or that had only begun, is none."""
    assert order("\n".join(trace), 80) == found
