"""The gate: prepare a request, show it, record it, send it, record how it ended."""

import asyncio
import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx2

from .audit import AuditError, AuditLog
from .audit.records import (
    Actor,
    Client,
    Consent,
    Decision,
    Denied,
    Endpoint,
    Intent,
    Source,
)
from .audit.records import Provider as Recorded
from .envelope import Envelope, seal
from .exchange import Exchange
from .noting import Note
from .providers import KINDS
from .providers.provider import Provider
from .task import Malformed, Task
from .transport import Network, Reach

# How long a prepared request, and the approval of it, is good.
EXPIRES_SECONDS = 15 * 60
MOST_PREPARED = 64
# Shorter values would match everywhere.
SHORTEST_SECRET = 6
# Until there are policies: every request is a question to the user.
POLICY = b'default = "ask"'


class Closed(Exception):
    """Nothing can be sent.  `fix` is what to do."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.fix = fix


class Denial(Exception):
    """This request may not be sent.  `rule` names what forbids it."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule


class Unprepared(Exception):
    """No request of this digest waits to be sent: never prepared, sent, or expired."""


@dataclass(frozen=True, slots=True)
class House:
    """What the gate is told at its start.  `forbidden` answers the rule that keeps a path
    from leaving, or None."""

    version: str
    providers: Mapping[str, Provider]
    actor: Actor
    forbidden: Callable[[str], str | None]
    network: Network
    limits: str


@dataclass(frozen=True, slots=True)
class Prepared:
    task: Task
    provider: Provider
    envelope: Envelope
    # With the key in it.
    request: httpx2.Request = field(repr=False)
    due: float


class Gate:
    """`log` is None where it could not be opened; `closed` says why and what to do."""

    def __init__(self, house: House, log: AuditLog | None, closed: Closed | None = None) -> None:
        self.house, self._log, self._closed = house, log, closed
        self._prepared: dict[str, Prepared] = {}
        self._exchanges: dict[str, Exchange] = {}

    def status(self) -> dict[str, Any]:
        try:
            log = self._opened()
            closed = None
        except Closed as error:
            log, closed = self._log, {"reason": str(error), "fix": error.fix}
        return {
            "wicket": self.house.version,
            "open": closed is None,
            "closed": closed,
            "limits": self.house.limits,
            "log": {"id": log.log_id, "size": log.size} if log else None,
            "exchanges": sorted(self._exchanges),
            "providers": [
                {"name": p.name, "model": p.model, "host": p.host, "tier": p.tier}
                for p in self.house.providers.values()
            ],
        }

    async def prepare(self, task: Task) -> dict[str, Any]:
        """The request as it would be sent; nothing is.  Raises Closed and Denial."""
        log = self._opened()
        provider = self._provider(task)
        try:
            _refuse(task, self.house.forbidden)
        except Denial as denial:
            await self._deny(log, task, provider, denial)
            raise
        agent = f"wicket/{self.house.version}"
        request = KINDS[provider.kind].request(provider, task, agent)
        envelope = seal(
            request.method, str(request.url), request.headers.items(), request.content, self._key
        )
        due = time.monotonic() + EXPIRES_SECONDS
        self._keep(Prepared(task, provider, envelope, request, due))
        expires = datetime.now(UTC) + timedelta(seconds=EXPIRES_SECONDS)
        return {
            "digest": envelope.digest,
            "provider": provider.name,
            "model": provider.model,
            "endpoint": envelope.url,
            "region": provider.region,
            "request_base64": base64.b64encode(envelope.exact).decode(),
            "redactions": [],
            "decision": "ask",
            "rule": None,
            "cost": None,
            "manifest": [
                {"path": d.path, "lines": [d.start, d.end], "bytes": len(d.text.encode())}
                for d in task.documents
            ],
            "expires": expires.isoformat(timespec="seconds"),
        }

    async def begin(self, digest: str, approval: object) -> Exchange:
        """Record the intent to send what was prepared; the exchange is ready to run.

        Raises Unprepared, Denial and Closed; then nothing leaves.
        """
        log = self._opened()
        self._forget_expired()
        if (prepared := self._prepared.get(digest)) is None:
            raise Unprepared(digest[:64])
        consent = _consent(prepared, approval, self.house.actor.user)
        del self._prepared[digest]
        exchange = secrets.token_hex(16)
        intent = self._intent(log, exchange, prepared, consent)
        parts = {"manifest": _manifest(prepared.task)}
        try:
            receipt = await log.intent(intent, prepared.envelope.exact, parts)
        except AuditError as error:
            raise _closed_by(error) from error
        # A crash from here on leaves an intent without an outcome: the next start writes
        # that bytes may have left.
        provider = prepared.provider
        private = provider.tier == "on-prem"
        reach = Reach(provider.scheme, provider.host, provider.port, private)
        made = Exchange(
            exchange, log, receipt, prepared.request, KINDS[provider.kind].read, reach,
            self.house.network, self._key,
        )  # fmt: skip
        self._exchanges[exchange] = made
        made.ended.add_done_callback(lambda _: self._exchanges.pop(exchange, None))
        return made

    def cancel(self, exchange: str) -> bool:
        """Whether there was such an exchange; its outcome says that it was cancelled."""
        if found := self._exchanges.get(exchange):
            found.cancel()
        return found is not None

    async def note(self, log: str, notes: Sequence[Note]) -> list[int]:
        """Write what readers and owners have to say; their records' numbers, once durable.

        Also while nothing may be sent.  Raises Malformed and Closed.
        """
        if self._log is None:
            raise self._closed or Closed("there is no audit log", "wicket audit doctor")
        if self._log.log_id != log:
            raise Malformed("the gate writes another log")
        try:
            done = [self._log.note(note.record, ref=note.ref) for note in notes]
            return [position.seq for position in await asyncio.gather(*done)]
        except AuditError as error:
            raise _closed_by(error) from error

    async def close(self) -> None:
        """Cancel what runs, write its outcomes, and close the log."""
        running = list(self._exchanges.values())
        for exchange in running:
            exchange.cancel()
            # One that nobody came to run gets its outcome, too.
            exchange.start(lambda _name, _members: None)
        await asyncio.gather(*(exchange.ended for exchange in running))
        if self._log is not None:
            await self._log.close()

    def _opened(self) -> AuditLog:
        if self._closed is not None:
            raise self._closed
        if self._log is None:
            raise Closed("there is no audit log", "wicket audit doctor")
        if self._log.trouble is not None:
            raise Closed(self._log.trouble, "mend the cause, then: wicket stop gate")
        if not self.house.providers:
            raise Closed("no provider is set up", "add a [providers.NAME] to your wicket.toml")
        return self._log

    def _provider(self, task: Task) -> Provider:
        found = self.house.providers
        if task.prefer is not None and task.prefer not in found:
            raise Denial("providers", f"there is no provider {task.prefer[:80]}")
        return found[task.prefer] if task.prefer else next(iter(found.values()))

    def _key(self, value: str) -> str:
        assert self._log
        return f"key {self._log.pseudonym(value)[:16]}"

    def _keep(self, prepared: Prepared) -> None:
        self._forget_expired()
        while len(self._prepared) >= MOST_PREPARED:
            del self._prepared[next(iter(self._prepared))]
        self._prepared[prepared.envelope.digest] = prepared

    def _forget_expired(self) -> None:
        now = time.monotonic()
        for digest in [d for d, prepared in self._prepared.items() if prepared.due < now]:
            del self._prepared[digest]

    async def _deny(self, log: AuditLog, task: Task, provider: Provider, denial: Denial) -> None:
        decision = _decision("never", denial.rule, str(denial))
        sizes = sum(len(document.text.encode()) for document in task.documents)
        record = Denied(
            self.house.actor, task.kind, decision, provider.name, provider.model, bytes=sizes
        )
        try:
            await log.note(record)
        except AuditError as error:
            raise _closed_by(error) from error

    def _intent(self, log: AuditLog, exchange: str, prepared: Prepared, consent: Consent) -> Intent:
        provider, task = prepared.provider, prepared.task
        path = prepared.request.url.path
        return Intent(
            exchange=exchange,
            actor=self.house.actor,
            client=Client(*task.editor),
            workspace=None,
            purpose=task.kind,
            provider=Recorded(
                provider.name,
                Endpoint(provider.scheme, provider.host, provider.port, path),
                provider.region,
                provider.retention,
                provider.contract,
                tls="system" if provider.scheme == "https" else None,
            ),
            model=provider.model,
            decision=_decision("ask", None, None),
            consent=consent,
            bytes=len(prepared.envelope.body),
            server_version=self.house.version,
            manifest=tuple(
                Source(log.pseudonym(d.path), d.start, d.end, len(d.text.encode()))
                for d in task.documents
            ),
        )


def _refuse(task: Task, forbidden: Callable[[str], str | None]) -> None:
    """Raises Denial for files and values that may never leave."""
    for document in task.documents:
        if rule := forbidden(document.path):
            raise Denial(rule, f"{document.path} may not leave this machine")
    texts = [task.instruction, *(document.text for document in task.documents)]
    for secret in task.known_secrets:
        if len(secret) >= SHORTEST_SECRET and any(secret in text for text in texts):
            raise Denial("known secrets", "a secret of this machine is in what would be sent")


def _consent(prepared: Prepared, approval: object, user: str) -> Consent:
    """The approval of exactly this request.  Raises Denial for any other."""
    said = cast(dict[str, object], approval) if isinstance(approval, dict) else {}
    provider = prepared.provider
    wanted = {"digest": prepared.envelope.digest, "provider": provider.name}
    wanted |= {"model": provider.model, "endpoint": prepared.envelope.url}
    for name, value in wanted.items():
        if said.get(name) != value:
            raise Denial("approval", f"the approval is for another {name}")
    mode = said.get("mode")
    if mode not in ("user", "auto"):
        raise Denial("approval", "the approval's mode must be user or auto")
    when = datetime.now(UTC).isoformat(timespec="milliseconds")
    return Consent(secrets.token_hex(8), str(mode), user, when)


def _decision(decision: str, rule: str | None, reason: str | None) -> Decision:
    return Decision(hashlib.sha256(POLICY).hexdigest(), decision, rule, reason)


def _manifest(task: Task) -> bytes:
    rows = [{"path": d.path, "lines": [d.start, d.end]} for d in task.documents]
    return json.dumps({"kind": task.kind, "documents": rows}).encode()


def _closed_by(error: AuditError) -> Closed:
    return Closed(str(error), "wicket audit doctor")
