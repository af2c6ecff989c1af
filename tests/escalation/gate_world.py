"""A gate with a real log and a real provider on the loopback, and what must hold of them."""

import base64
import json
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wicket.escalation.audit import AuditLog, Options
from wicket.escalation.audit.files import Disk
from wicket.escalation.audit.frame import ReaderKey
from wicket.escalation.audit.records import Actor, Open
from wicket.escalation.gate import Gate
from wicket.escalation.house import Closed, House
from wicket.escalation.providers.provider import Provider
from wicket.escalation.reach import Network
from wicket.escalation.retries import Retries
from wicket.escalation.task import Task, read

from .provider import ProviderServer

LOG = "ab" * 16
KEY = "sk-canary-0123456789"
TASK = {
    "kind": "explain",
    "instruction": "What is this?",
    "documents": [{"path": "src/a.py", "language": "python", "text": "x = 1\ny = 2\n"}],
}


# Under which names `provider.ANSWERS` has the answers of a kind.
WORDS = {"anthropic": "claude ", "openai": "openai "}


class FailingDisk(Disk):
    """Fails every sync of data once `broken` is set, as a full or dying disk would."""

    broken = False

    def sync_data(self, descriptor: int) -> None:
        if self.broken:
            raise OSError(5, os.strerror(5))
        super().sync_data(descriptor)


class World:
    def __init__(self, root: Path) -> None:
        self.root, self.directory, self.kind = root, root / "audit" / LOG, "compatible"
        self.disk, self.server = FailingDisk(), ProviderServer()
        # Bytes that came to the provider while the disk held fewer intents than requests.
        self.unrecorded: list[int] = []

    async def start(self, kind: str = "compatible", **changes: Any) -> Gate:
        self.kind = kind
        await self.server.start()
        self.server.heard = self._compare
        options = Options(recipients=(ReaderKey.new().public,), checkpoint_seconds=60)
        self.log = await AuditLog.open(
            self.directory, self.root / "heads" / LOG, Open("1"), options, files=self.disk
        )
        self.gate = Gate(self.house(**changes), self.log)
        return self.gate

    def house(self, **changes: Any) -> House:
        base = f"http://127.0.0.1:{self.server.port}" + ("/v1" * (self.kind != "anthropic"))
        row = Provider("home", self.kind, base, "m", "on-prem", key=KEY, answers_as=self.answered)
        house = House(
            version="1",
            providers={"home": row},
            actor=Actor("ada", 1000, "laptop"),
            forbidden=lambda path: "secret files" if path.endswith(".env") else None,
            network=Network(_itself),
            limits="none",
            retries=Retries(attempts=1),
        )
        return replace(house, **changes)

    async def stop(self) -> None:
        await self.gate.close()
        await self.server.stop()

    @property
    def answered(self) -> str:
        """The model that answers name here."""
        return {"anthropic": "claude-2026", "openai": "gpt-2026"}.get(self.kind, "m-2026")

    def says(self, answer: str) -> str:
        """The name of this answer in the wire format that is spoken here."""
        return WORDS.get(self.kind, "") + answer

    def records(self, kind: str = "") -> list[Mapping[str, Any]]:
        files = sorted(self.directory.glob("*.jsonl"))
        rows = [json.loads(line) for file in files for line in file.read_text().splitlines()]
        return [row for row in rows if kind in ("", row["type"])]

    def _compare(self) -> None:
        if len(self.records("intent")) < self.server.connections:
            self.unrecorded.append(self.server.connections)

    async def send(self, task: Task | None = None, **approval: Any) -> list[tuple[str, Any]]:
        """Prepare, approve and send; every event that came back."""
        prepared = await self.gate.prepare(task or read(TASK))
        exchange = await self.gate.begin(prepared["digest"], approved(prepared, **approval))
        events: list[tuple[str, Any]] = []
        await exchange.start(lambda name, members: events.append((name, members)))
        return events


@asynccontextmanager
async def running(
    root: Path, kind: str = "compatible", **changes: Any
) -> AsyncGenerator[World, None]:
    """A world whose gate answers, and what holds at the end of every test."""
    made = World(root)
    await made.start(kind, **changes)
    made.server.answer = made.says("whole")
    try:
        yield made
    finally:
        await made.stop()
    assert made.unrecorded == [], "bytes came without a durable intent"
    assert len(made.server.received) == 0 or made.records("intent")


@dataclass(frozen=True, slots=True)
class Sent:
    """One exchange: the body that came, what was said meanwhile, and its two records."""

    body: dict[str, Any]
    events: list[tuple[str, Any]]
    intent: Mapping[str, Any]
    outcome: Mapping[str, Any]


async def shown_recorded_sent(world: World, path: str, *headers: bytes) -> Sent:
    """Prepare and send, and see that what was shown is what is recorded and what came; no
    header but the usual and these."""
    prepared = await world.gate.prepare(read(TASK))
    shown = base64.b64decode(prepared["request_base64"])
    assert world.server.connections == 0
    exchange = await world.gate.begin(prepared["digest"], approved(prepared))
    events: list[tuple[str, Any]] = []
    await exchange.start(lambda name, members: events.append((name, members)))
    ((head, body),) = world.server.requests
    assert shown.partition(b"\n\n")[2] == body
    assert KEY.encode() not in shown
    lines = head.lower().split(b"\r\n")
    assert lines[0] == f"post {path} http/1.1".encode()
    assert {line.split(b":")[0] for line in lines[1:]} == {
        *(b"host", b"accept", b"authorization", b"content-type", b"user-agent"),
        *(b"content-length", *headers),
    }
    assert f"authorization: bearer {KEY}".encode() in lines
    assert b"user-agent: wicket/1" in lines
    assert [name for name, _ in events] == ["record", "text", "text", "usage", "record", "done"]
    assert "".join(m["text"] for name, m in events if name == "text") == "Hello world"
    (intent,), (outcome,) = world.records("intent"), world.records("outcome")
    assert intent["data"]["bytes"] == len(body) == outcome["data"]["sent"]
    assert [m["seq"] for name, m in events if name == "record"] == [intent["seq"], outcome["seq"]]
    log = b"".join(file.read_bytes() for file in world.directory.iterdir())
    for word in (KEY, "x = 1", "src/a.py", "What is this?", "Hello"):
        assert word.encode() not in log, f"{word} is in the log in clear"
    return Sent(json.loads(body), events, intent["data"], outcome["data"])


def approved(prepared: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    names = ("digest", "provider", "model", "endpoint")
    return {name: prepared[name] for name in names} | {"mode": "user"} | changes


async def _itself(host: str, _port: int) -> Sequence[str]:
    return ["127.0.0.1"] if host == "localhost" else [host]


__all__ = ["KEY", "TASK", "Closed", "World", "approved", "running", "shown_recorded_sent"]
