"""The gate as its callers see it: HTTP on its socket, and its events as they come."""

import json
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, cast

import httpx2

# The gate itself answers at once; a provider, and a person, may take long.
TIMEOUT = httpx2.Timeout(30.0, read=None)


class Declined(Exception):
    """The gate said no: `status` as in HTTP, `fix` what to do where there is something, `needs`
    what an approval has to name besides, where one is asked for."""

    def __init__(
        self,
        status: int,
        reason: str,
        fix: str | None = None,
        needs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{reason}; {fix}" if fix else reason)
        self.status, self.reason, self.fix, self.needs = status, reason, fix, needs or {}


class Lost(Exception):
    """The gate went away; what had begun is in its log."""


class GateClient:
    """`path` is the gate's socket, on which it listens already."""

    def __init__(self, path: Path) -> None:
        transport = httpx2.AsyncHTTPTransport(uds=str(path), trust_env=False)
        self._http = httpx2.AsyncClient(
            transport=transport, base_url="http://wicket", timeout=TIMEOUT, trust_env=False
        )

    async def __aenter__(self) -> "GateClient":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._http.aclose()

    async def status(self) -> dict[str, Any]:
        return await self._ask("GET", "/v1/status")

    async def prepare(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """What would be sent.  Raises Declined and Lost."""
        return await self._ask("POST", "/v1/prepare", task)

    async def route(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """Where a task would go.  Raises Declined and Lost."""
        return await self._ask("POST", "/v1/route", task)

    async def probe(self, provider: str, any_tier: bool) -> dict[str, Any]:
        """Have a provider asked what it can do.  Raises Declined and Lost."""
        return await self._ask("POST", "/v1/probe", {"provider": provider, "any_tier": any_tier})

    async def send(
        self, digest: str, approval: Mapping[str, Any]
    ) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        """Events by name until the exchange has ended; closing it cancels.

        Raises Declined and Lost.
        """
        body = {"digest": digest, "approval": approval}
        try:
            async with self._http.stream("POST", "/v1/send", json=body) as response:
                if response.status_code != 200:
                    await response.aread()
                    raise _declined(response)
                async for event in httpx2.EventSource(response):
                    yield event.event, cast(dict[str, Any], json.loads(event.data))
        except httpx2.HTTPError:
            raise Lost("the gate went away in the middle; `wicket audit tail` says more") from None

    async def answer(self, exchange: str, said: Mapping[str, Any]) -> None:
        """Hand in what a tool said.  Raises Declined, with status 409 for a new question."""
        await self._ask("POST", f"/v1/exchanges/{exchange}/tools", said)

    async def applied(self, exchange: str, decision: str, diff_sha256: str) -> None:
        """Put on record what became of an exchange's edits.  Raises Declined and Lost."""
        said = {"decision": decision, "diff_sha256": diff_sha256}
        await self._ask("POST", f"/v1/exchanges/{exchange}/applied", said)

    async def _ask(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        try:
            response = await self._http.request(method, path, json=body)
        except httpx2.HTTPError:
            raise Lost("the gate does not answer; `wicket ps` and its log say more") from None
        if response.status_code != 200:
            raise _declined(response)
        return response.json()


def _declined(response: httpx2.Response) -> Declined:
    try:
        said: object = response.json()
    except ValueError:
        said = None
    row = cast(dict[str, Any], said) if isinstance(said, dict) else {}
    reason = str(row.get("reason") or f"the gate answered status {response.status_code}")
    fix = row.get("fix")
    return Declined(response.status_code, reason, str(fix) if fix else None, row.get("needs"))
