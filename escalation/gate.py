"""The gate: prepare a request, show it, record it, send it, record how it ended."""

import asyncio
import base64
import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from .approval import GROWTH, LEAST_BYTES, MINUTES, TURNS, Offer, Scope, narrowed
from .audit import AuditError, AuditLog, Receipt
from .audit.records import (
    Actor,
    Approval,
    Client,
    Consent,
    Decision,
    Denied,
    Endpoint,
    Freeze,
    Intent,
    Record,
    Source,
    Tool,
    Workspace,
)
from .audit.records import Provider as Recorded
from .conversation import Conversation, Result, shown
from .envelope import Envelope
from .exchange import Exchange
from .noting import Note
from .outgoing import Considered, Denial, Forbidden, consider, summed
from .policy import UNWRITTEN, Destination, Policy
from .policy import digest as digest_of
from .providers.provider import Provider, ProviderError
from .redaction.known import known
from .redaction.masking import Masks
from .redaction.rules import Pack, shipped
from .task import Document, Malformed, Task, documents
from .transport import Network, Refused
from .way import Way

# How long a prepared request, and the approval of it, is good.
EXPIRES_SECONDS = MINUTES * 60
MOST_PREPARED = 64
# Source code, roughly; shown as an estimate and used for nothing else.
BYTES_PER_TOKEN = 4


class Closed(Exception):
    """Nothing can be sent.  `fix` is what to do."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.fix = fix


class Unprepared(Exception):
    """Nothing of this name waits: never prepared, sent, expired, or at its end."""


class Outside(Exception):
    """A tool's result is not covered by the approval; another yes is needed."""


def never_frozen() -> str | None:
    return None


def _nothing(_frozen: bool, _reason: str) -> None:
    """A house without a brake."""


def _unhindered() -> Closed | None:
    return None


def _unheard(_record: Record) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class House:
    """What the gate is told at its start.  `forbidden` answers the rule that keeps a path
    from leaving, or None; `frozen` why nothing may be sent just now, or None, and `freeze`
    makes it so or undoes it; `hindrance` says why the log binds nothing just now, or None;
    `noted` hears of every note of readers and owners."""

    version: str
    providers: Mapping[str, Provider]
    actor: Actor
    forbidden: Forbidden
    network: Network
    limits: str
    frozen: Callable[[], str | None] = never_frozen
    freeze: Callable[[bool, str], None] = _nothing
    policies: tuple[Policy, ...] = (UNWRITTEN,)
    rules: Pack = field(default_factory=shipped)
    hindrance: Callable[[], Closed | None] = _unhindered
    noted: Callable[[Record], None] = _unheard


@dataclass(frozen=True, slots=True)
class Prepared:
    conversation: Conversation
    way: Way
    envelope: Envelope
    considered: Considered
    offer: Offer
    scope: Scope
    due: float

    @property
    def provider(self) -> Provider:
        return self.way.provider


class Gate:
    """`log` is None where it could not be opened; `closed` says why and what to do."""

    def __init__(self, house: House, log: AuditLog | None, closed: Closed | None = None) -> None:
        self.house, self._log, self._closed = house, log, closed
        self._prepared: dict[str, Prepared] = {}
        self._exchanges: dict[str, Exchange] = {}
        self._frozen = house.frozen()

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
            "frozen": self.house.frozen(),
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
        masks = Masks(self.house.rules, known(task.known_secrets))
        try:
            # A large text takes seconds: meanwhile others are served.
            considered = await asyncio.to_thread(self._considered, task, provider, masks)
        except Denial as denial:
            sizes = sum(len(document.text.encode()) for document in task.documents)
            await self._deny(log, task.kind, provider, denial, sizes)
            raise
        conversation = Conversation(_rewritten(task, considered), masks=masks)
        way = Way(provider, f"wicket/{self.house.version}", self.house.network, self._key)
        try:
            envelope = await way.rehearse(conversation)
        except ProviderError as error:
            raise Closed(str(error), f"wicket key set {provider.name}") from None
        offer = Offer(envelope.digest, provider.name, provider.model, envelope.url, provider.region)
        scope = Scope(
            paths=frozenset(document.path for document in task.documents),
            globs=task.readable if task.tools else (),
            bytes_max=max(GROWTH * len(envelope.body), LEAST_BYTES),
            turns_max=TURNS if task.tools else 1,
            expires=datetime.now(UTC) + timedelta(minutes=MINUTES),
            classes=considered.classes,
        )
        due = time.monotonic() + EXPIRES_SECONDS
        prepared = Prepared(conversation, way, envelope, considered, offer, scope, due)
        self._keep(prepared)
        return _said(prepared, "you asked for it" if task.prefer else "the first in your settings")

    async def begin(self, digest: str, approval: object) -> Exchange:
        """Record the approval and the intent to send what was prepared; the exchange is
        ready to run.

        Raises Unprepared, Denial, Malformed and Closed; then nothing leaves.
        """
        log = self._opened()
        self._forget_expired()
        if (prepared := self._prepared.get(digest)) is None:
            raise Unprepared(digest[:64])
        said = cast(dict[str, Any], approval) if isinstance(approval, dict) else {}
        prepared.offer.refuse_other(said)
        scope = narrowed(prepared.scope, said)
        consent = _consent(said, self.house.actor.user)
        del self._prepared[digest]
        exchange = secrets.token_hex(16)
        await self._note(log, self._approval(log, prepared, consent, scope))
        intent = self._intent(log, exchange, prepared, consent)
        receipt = await self._record(log, intent, prepared.conversation, prepared.envelope)

        async def intend(conversation: Conversation, turn: int, envelope: Envelope) -> Receipt:
            """The intent of a later request, if the approval covers it."""
            size, now = len(envelope.body), datetime.now(UTC)
            if why := made.scope.spent(turn, size, None, now) or self.house.frozen():
                raise Refused(f"not sent: {why}")
            redactions = summed((*prepared.considered.redactions, *made.redactions))
            later = replace(intent, turn=turn, bytes=size, redactions=redactions)
            try:
                return await self._record(self._opened(), later, conversation, envelope)
            except Closed as error:
                raise Refused(f"not sent: {error}; {error.fix}") from error

        # A crash from here on leaves an intent without an outcome: the next start writes
        # that bytes may have left.
        size = len(prepared.envelope.body)
        made = Exchange(
            exchange, log, prepared.way, prepared.conversation, scope, receipt, size, intend
        )
        self._exchanges[exchange] = made
        made.ended.add_done_callback(lambda _: self._exchanges.pop(exchange, None))
        return made

    async def answer(self, name: str, said: Mapping[str, Any]) -> None:
        """Take in what a tool answered: `{id, documents, text}`, or that the user declined.

        Raises Unprepared, Malformed and Closed.  Raises Outside where the approval does not
        cover it: the model waits on, and `approval` in a second try widens the scope.
        Raises Denial where it may not leave; the model is told so.
        """
        log = self._opened()
        exchange, call = self._exchanges.get(name), said.get("id")
        if exchange is None or not isinstance(call, str) or not exchange.wants(call):
            raise Unprepared(name[:64])
        tool = str(said.get("name", "tool"))[:80]
        if said.get("declined"):
            exchange.take(Result(call, "not done: the user did not approve", failed=True))
            record = Tool(name, tool, "refused", 0, "the user declined")
            await self._note(log, record, exchange.asking)
            return
        rows, text = documents(said), said.get("text", "")
        if not isinstance(text, str):
            raise Malformed("text must be text")
        try:
            talk = exchange.conversation
            considered = await asyncio.to_thread(
                self._consider, talk.task, exchange.provider, rows, [text], talk.masks
            )
        except Denial as denial:
            exchange.take(Result(call, f"not done: {denial.rule} forbids it", failed=True))
            await self._note(log, Tool(name, tool, "refused", 0, denial.rule), exchange.asking)
            raise
        if "approval" in said:
            exchange.scope = exchange.scope.wider(said["approval"])
            await self._note(log, self._widened(log, exchange))
        pieces = (*map(shown, considered.documents), *filter(None, considered.texts))
        result = Result(call, "\n\n".join(pieces) or "nothing found")
        # As JSON it will be as large as this, or a little larger.
        size = exchange.size + len(json.dumps(result.text))
        paths = [document.path for document in considered.documents]
        now = datetime.now(UTC)
        why = exchange.scope.outside(paths, considered.classes)
        if why or (why := exchange.scope.spent(exchange.turn + 1, size, None, now)):
            raise Outside(why)
        await self._note(log, Tool(name, tool, "ok", len(result.text.encode())), exchange.asking)
        # While that was written somebody else may have answered, or it was cancelled.
        if not exchange.wants(call):
            raise Unprepared(name[:64])
        exchange.take(result, considered.redactions)

    def cancel(self, exchange: str, why: str = "asked to") -> bool:
        """Whether there was such an exchange; its outcome says that it was cancelled."""
        if found := self._exchanges.get(exchange):
            found.cancel(why)
        return found is not None

    async def freeze(self, frozen: bool, reason: str) -> None:
        """Send nothing more from now on, or again.  Raises OSError and Closed."""
        self.house.freeze(frozen, reason)
        await self.heed()

    async def heed(self) -> None:
        """Look whether the gate was frozen or thawed; what runs is cancelled then."""
        why = self.house.frozen()
        if why:
            for exchange in list(self._exchanges.values()):
                exchange.cancel("frozen")
        if why == self._frozen:
            return
        self._frozen = why
        if self._log is not None and self._log.trouble is None:
            await self._note(self._log, Freeze(why is not None, self.house.actor.user, why))

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
            positions = await asyncio.gather(*done)
        except AuditError as error:
            raise _closed_by(error) from error
        for note in notes:
            self.house.noted(note.record)
        return [position.seq for position in positions]

    async def close(self) -> None:
        """Cancel what runs, write its outcomes, and close the log."""
        running = list(self._exchanges.values())
        for exchange in running:
            exchange.cancel("the gate closes")
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
        if why := self.house.frozen():
            raise Closed(f"the gate is frozen: {why}", "wicket gate thaw")
        if (hindrance := self.house.hindrance()) is not None:
            raise hindrance
        return self._log

    def _considered(self, task: Task, provider: Provider, masks: Masks) -> Considered:
        """What of a task may leave: all words of it go through `consider`."""
        earlier = [text for turn in task.earlier for text in (turn.question, turn.answer)]
        texts = (task.instruction, *earlier)
        return self._consider(task, provider, task.documents, texts, masks)

    def _consider(
        self,
        task: Task,
        provider: Provider,
        rows: Sequence[Document],
        texts: Sequence[str],
        masks: Masks,
    ) -> Considered:
        house = self.house
        to = Destination(task.kind, provider.name, provider.tier, provider.region)
        return consider(rows, texts, masks, house.forbidden, house.policies, to)

    def _decision(self, decision: str, rule: str | None, reason: str | None) -> Decision:
        return Decision(digest_of(self.house.policies), decision, rule, reason)

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

    async def _deny(
        self, log: AuditLog, kind: str, provider: Provider, denial: Denial, size: int
    ) -> None:
        decision = self._decision("never", denial.rule, str(denial))
        await self._note(
            log,
            Denied(self.house.actor, kind, decision, provider.name, provider.model, bytes=size),
        )

    async def _note(self, log: AuditLog, record: Record, ref: int | None = None) -> None:
        try:
            await log.note(record, ref=ref)
        except AuditError as error:
            raise _closed_by(error) from error

    async def _record(
        self, log: AuditLog, intent: Intent, conversation: Conversation, envelope: Envelope
    ) -> Receipt:
        """The receipt for exactly these bytes.  Raises Closed."""
        parts = {"manifest": _manifest(conversation.task)}
        try:
            return await log.intent(intent, envelope.exact, parts)
        except AuditError as error:
            raise _closed_by(error) from error

    def _intent(self, log: AuditLog, exchange: str, prepared: Prepared, consent: Consent) -> Intent:
        provider, task = prepared.provider, prepared.conversation.task
        path = "/" + prepared.envelope.url.split("://", 1)[1].partition("/")[2]
        return Intent(
            exchange=exchange,
            actor=self.house.actor,
            client=Client(*task.editor),
            workspace=Workspace(log.pseudonym(task.folder)) if task.folder else None,
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
            decision=self._decision(prepared.considered.decision, prepared.considered.rule, None),
            consent=consent,
            bytes=len(prepared.envelope.body),
            server_version=self.house.version,
            tools=task.tools,
            manifest=_sources(log, task.documents),
            redactions=prepared.considered.redactions,
            tokens_estimated=_tokens(prepared.envelope),
            cost_estimated=_cost(provider, _tokens(prepared.envelope), 0),
        )

    def _approval(
        self, log: AuditLog, prepared: Prepared, consent: Consent, scope: Scope
    ) -> Approval:
        offer = prepared.offer
        return Approval(
            consent.id, consent.mode, True, consent.who,
            offer.provider, offer.model, offer.endpoint, offer.region,
            _pseudonyms(log, scope), scope.classes, scope.bytes_max, scope.turns_max,
            scope.cost_max, scope.expires.isoformat(timespec="seconds"),
        )  # fmt: skip

    def _widened(self, log: AuditLog, exchange: Exchange) -> Approval:
        scope = exchange.scope
        return Approval(
            secrets.token_hex(8), "user", True, self.house.actor.user,
            paths=_pseudonyms(log, scope), classes=scope.classes, bytes_max=scope.bytes_max,
            turns_max=scope.turns_max, expires=scope.expires.isoformat(timespec="seconds"),
        )  # fmt: skip


def _said(prepared: Prepared, why: str) -> dict[str, Any]:
    """What the caller is shown of a prepared request."""
    provider, envelope = prepared.provider, prepared.envelope
    tokens = _tokens(envelope)
    return {
        "digest": envelope.digest,
        "provider": provider.name,
        "model": provider.model,
        "endpoint": envelope.url,
        "host": provider.host,
        "tier": provider.tier,
        "region": provider.region,
        "retention": provider.retention,
        "contract": provider.contract,
        "why": why,
        "request_base64": base64.b64encode(envelope.exact).decode(),
        "bytes": len(envelope.body),
        "redactions": [
            {"rule": row.rule, "kind": row.kind, "count": row.count}
            for row in prepared.considered.redactions
        ],
        "decision": prepared.considered.decision,
        "rule": prepared.considered.rule,
        "tokens": tokens,
        "cost": _cost(provider, tokens, 0),
        "manifest": [
            {"path": d.path, "lines": [d.start, d.end], "bytes": len(d.text.encode())}
            for d in prepared.conversation.task.documents
        ],
        "tools": list(prepared.conversation.task.tools),
        "scope": prepared.scope.as_json(),
        "expires": prepared.scope.expires.isoformat(timespec="seconds"),
    }


def _rewritten(task: Task, considered: Considered) -> Task:
    """The task with what `consider` made of its texts."""
    instruction, *earlier = considered.texts
    pairs = zip(earlier[::2], earlier[1::2], strict=True)
    turns = tuple(
        replace(turn, question=question, answer=answer)
        for turn, (question, answer) in zip(task.earlier, pairs, strict=True)
    )
    return replace(task, instruction=instruction, documents=considered.documents, earlier=turns)


def _consent(said: Mapping[str, Any], user: str) -> Consent:
    """Raises Denial for a mode that is none."""
    mode = said.get("mode")
    if mode not in ("user", "auto"):
        raise Denial("approval", "the approval's mode must be user or auto")
    when = datetime.now(UTC).isoformat(timespec="milliseconds")
    return Consent(secrets.token_hex(8), str(mode), user, when)


def _sources(log: AuditLog, rows: Sequence[Document]) -> tuple[Source, ...]:
    return tuple(Source(log.pseudonym(d.path), d.start, d.end, len(d.text.encode())) for d in rows)


def _pseudonyms(log: AuditLog, scope: Scope) -> tuple[str, ...]:
    names: Iterable[str] = (*sorted(scope.paths), *scope.globs)
    return tuple(log.pseudonym(name) for name in names)


def _tokens(envelope: Envelope) -> int:
    return len(envelope.body) // BYTES_PER_TOKEN


def _cost(provider: Provider, tokens_in: int, tokens_out: int) -> int | None:
    """Micro-USD; None where no price is known."""
    if provider.prices is None:
        return None
    million = 1_000_000
    into, out = provider.prices
    return (tokens_in * into + tokens_out * out + million - 1) // million


def _manifest(task: Task) -> bytes:
    rows = [{"path": d.path, "lines": [d.start, d.end]} for d in task.documents]
    return json.dumps({"kind": task.kind, "documents": rows}).encode()


def _closed_by(error: AuditError) -> Closed:
    return Closed(str(error), "wicket audit doctor")


__all__ = ["Closed", "Denial", "Gate", "House", "Outside", "Prepared", "Unprepared"]
