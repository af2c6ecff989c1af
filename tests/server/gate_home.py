"""A user with a provider on the loopback, and the real gate process of that user."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
from wicket.server import gate_client, processes
from wicket.server.paths import Paths

KEY = "sk-canary-0123456789"
TASK = {
    "kind": "explain",
    "instruction": "What is this?",
    "documents": [{"path": "src/a.py", "language": "python", "text": "x = 1\n"}],
}
PROVIDER = """
[providers.home]
kind = "compatible"
base_url = "http://127.0.0.1:{port}/v1"
model = "m"
answers_as = "m-2026"
tier = "on-prem"
"""
CLAUDE = """
[providers.home]
kind = "anthropic"
base_url = "http://127.0.0.1:{port}"
model = "m"
answers_as = "claude-2026"
tier = "on-prem"
"""

OPENAI = """
[providers.home]
kind = "openai"
base_url = "http://127.0.0.1:{port}/v1"
model = "m"
answers_as = "gpt-2026"
tier = "on-prem"
"""


class Home:
    """`rogue` is what else is set in the environment of who starts the gate."""

    def __init__(self, root: Path, port: int, **rogue: str) -> None:
        self.root = root
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(root)}
        self.environment |= {"XDG_RUNTIME_DIR": str(root)} | rogue
        self.paths = Paths.of(self.environment)
        for place in (self.paths.config, self.paths.provider_keys.parent):
            place.mkdir(parents=True, mode=0o700)
        for place in (self.paths.config, self.paths.data, self.paths.provider_keys.parent):
            place.chmod(0o700)
        self.says(PROVIDER.format(port=port))
        self.paths.provider_keys.write_text(f'home = "{KEY}"\n')
        self.paths.provider_keys.chmod(0o600)
        self.socket = gate_client.socket_path(self.paths)
        self.processes: list[asyncio.subprocess.Process] = []

    def says(self, settings: str) -> None:
        self.paths.user_settings.write_text(settings)

    def command(self) -> list[str]:
        return processes.command("gate", "--started", str(self.socket))

    async def start(self, *before: str, idle: float = 60) -> asyncio.subprocess.Process:
        """Start the gate, under `before` where that is given, and wait until it answers."""
        with (self.root / "gate.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *before,
                *self.command(),
                *("--idle", str(idle)),
                env=self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stderr=log,
            )
        self.processes.append(process)
        async with asyncio.timeout(60):
            while True:
                assert process.returncode is None, (self.root / "gate.log").read_text()
                try:
                    await self.get("/v1/status")
                except httpx2.TransportError:
                    await asyncio.sleep(0.05)
                else:
                    return process

    async def wicket(self, *words: str) -> tuple[int, str]:
        """`wicket WORDS`: its code and output."""
        process = await asyncio.create_subprocess_exec(
            *processes.command(words[0], *words[1:]),
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        out, _ = await process.communicate()
        return process.returncode or 0, out.decode()

    async def stop(self) -> None:
        for process in self.processes:
            if process.returncode is None:
                process.terminate()
            await process.wait()

    @asynccontextmanager
    async def client(self, **headers: str) -> AsyncIterator[httpx2.AsyncClient]:
        transport = httpx2.AsyncHTTPTransport(uds=str(self.socket), trust_env=False)
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://wicket", headers=headers, timeout=30
        ) as made:
            yield made

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        async with self.client(**headers) as client:
            return await client.get(path)

    async def post(self, path: str, body: Any, **headers: str) -> httpx2.Response:
        async with self.client(**headers) as client:
            return await client.post(path, json=body)

    async def prepared(self) -> dict[str, Any]:
        """What to post to `/v1/send`."""
        answer = await self.post("/v1/prepare", TASK)
        assert answer.status_code == 200, answer.text
        said = answer.json()
        names = ("digest", "provider", "model", "endpoint")
        approval = {name: said[name] for name in names} | {"mode": "user"}
        return {"digest": said["digest"], "approval": approval}

    def records(self, kind: str = "") -> list[Mapping[str, Any]]:
        files = sorted(self.paths.audit.glob("*/*.jsonl"))
        rows = [json.loads(line) for file in files for line in file.read_text().splitlines()]
        return [row for row in rows if kind in ("", row["type"])]

    async def until(self, kind: str, number: int = 1) -> list[Mapping[str, Any]]:
        async with asyncio.timeout(30):
            while len(found := self.records(kind)) < number:
                await asyncio.sleep(0.02)
            return found


def events(text: str) -> list[tuple[str, Any]]:
    """Server-sent events as names and members."""
    found: list[tuple[str, Any]] = []
    for block in text.strip().split("\n\n"):
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found
