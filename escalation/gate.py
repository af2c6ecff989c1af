"""The gate: prepare a request, show it, record it, send it, record how it ended."""

import asyncio
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from . import standing
from .approval import GROWTH, LEAST_BYTES, MINUTES, TURNS, Offer, Scope, narrowed
from .audit import AuditError, AuditLog, Receipt
from .audit.records import Denied, Freeze, Intent, Record, Tool
from .conversation import Conversation, Result, shown
from .editing import Editing
from .envelope import Envelope
from .exchange import Exchange
from .house import Closed, House
from .noting import Note
from .offered import decided_on, find
from .outgoing import Considered, Denial, consider, summed
from .policy import Destination
from .prepared import (
    Prepared,
    approval,
    consented,
    decided,
    intent,
    manifest,
    rewritten,
    summary,
    widened,
)
from .providers.provider import Provider, ProviderError
from .redaction.known import known
from .redaction.masking import Masks
from .task import Document, Malformed, Task, documents
from .transport import Refused
from .way import Way

# How long a prepared request, and the approval of it, is good.
EXPIRES_SECONDS = MINUTES * 60
MOST_PREPARED = 64


class Unprepared(Exception):
    """Nothing of this name waits: never prepared, sent, expired, or at its end."""


class Outside(Exception):
    """A tool's result is not covered by the approval; another yes is needed."""


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
            "standing": len(self.house.standing()),
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
        conversation = Conversation(rewritten(task, considered), masks=masks)
        way = Way(provider, f"wicket/{self.house.version}", self.house.network, self._key)
        try:
            envelope = await way.rehearse(conversation)
        except ProviderError as error:
            raise Closed(str(error), error.fix or f"wicket key set {provider.name}") from None
        offer = Offer(envelope.digest, provider.name, provider.model, envelope.url, provider.region)
        scope = Scope(
            paths=frozenset(document.path for document in task.documents),
            globs=task.readable if task.tools else (),
            bytes_max=max(GROWTH * len(envelope.body), LEAST_BYTES),
            turns_max=TURNS if task.tools else 1,
            expires=datetime.now(UTC) + timedelta(minutes=MINUTES),
            classes=considered.classes,
        )
        folder = log.pseudonym(task.folder) if task.folder else None
        size, now = len(envelope.body), datetime.now(UTC)
        kept = self.house.standing()
        if yes := standing.covering(kept, folder, task.kind, offer, considered, size, now):
            considered = replace(considered, decision="allow", rule=f"{standing.RULE} {yes.id}")
        due = time.monotonic() + EXPIRES_SECONDS
        prepared = Prepared(conversation, way, envelope, considered, offer, scope, due)
        self._keep(prepared)
        return summary(
            prepared, "you asked for it" if task.prefer else "the first in your settings"
        )

    async def begin(self, digest: str, approved: object) -> Exchange:
        """Record the approval and the intent to send what was prepared; the exchange is
        ready to run.

        Raises Unprepared, Denial, Malformed and Closed; then nothing leaves.
        """
        log = self._opened()
        self._forget_expired()
        if (prepared := self._prepared.get(digest)) is None:
            raise Unprepared(digest[:64])
        said = cast(dict[str, Any], approved) if isinstance(approved, dict) else {}
        prepared.offer.refuse_other(said)
        scope = narrowed(prepared.scope, said)
        consent = consented(said, self.house.actor.user, prepared.considered.decision)
        del self._prepared[digest]
        exchange = secrets.token_hex(16)
        await self._note(log, approval(log, prepared, consent, scope))
        if consent.mode == "standing":
            self._hold(log, prepared, consent.id)
        first = intent(log, self.house, exchange, prepared, consent)
        receipt = await self._record(log, first, prepared.conversation, prepared.envelope)

        async def intend(
            conversation: Conversation, turn: int, attempt: int, envelope: Envelope
        ) -> Receipt:
            """The intent of a later request, if the approval covers it."""
            size, now = len(envelope.body), datetime.now(UTC)
            if why := made.scope.spent(turn, size, None, now) or self.house.frozen():
                raise Refused(f"not sent: {why}")
            redactions = summed((*prepared.considered.redactions, *made.redactions))
            later = replace(first, turn=turn, attempt=attempt, bytes=size, redactions=redactions)
            try:
                return await self._record(self._opened(), later, conversation, envelope)
            except Closed as error:
                raise Refused(f"not sent: {error}; {error.fix}") from error

        # A crash from here on leaves an intent without an outcome: the next start writes
        # that bytes may have left.
        size = len(prepared.envelope.body)
        made = Exchange(
            exchange, log, prepared.way, prepared.conversation, scope, receipt, size, intend,
            self.house.retries, self._others(prepared.provider),
            Editing(prepared.shown, prepared.conversation.masks),
        )  # fmt: skip
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
            await self._note(log, widened(log, self.house.actor.user, exchange.scope))
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

    async def applied(self, exchange: str, said: Mapping[str, Any]) -> int:
        """Record what became of the edits of an exchange; the record's number.

        Also while nothing may be sent.  Raises Unprepared, Malformed and Closed.
        """
        if self._log is None:
            raise self._closed or Closed("there is no audit log", "wicket audit doctor")
        log = self._log
        try:
            offered = await asyncio.to_thread(find, log.directory, exchange)
            if offered is None:
                raise Unprepared(exchange[:64])
            record = decided_on(exchange, offered, said, log.pseudonym)
            return (await log.note(record, ref=offered.seq)).seq
        except AuditError as error:
            raise _closed_by(error) from error

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

    def _hold(self, log: AuditLog, prepared: Prepared, approval: str) -> None:
        """Keep a yes that is to hold on; where it cannot be kept, the next one is asked for."""
        task, now = prepared.conversation.task, datetime.now(UTC)
        if task.folder is None:
            return
        new = standing.granted(
            approval,
            log.pseudonym(task.folder),
            task.kind,
            prepared.offer,
            prepared.considered,
            len(prepared.envelope.body),
            now,
        )
        self.house.keep_standing(standing.added(self.house.standing(), new, now))

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

    def _provider(self, task: Task) -> Provider:
        found = self.house.providers
        if task.prefer is not None and task.prefer not in found:
            raise Denial("providers", f"there is no provider {task.prefer[:80]}")
        return found[task.prefer] if task.prefer else next(iter(found.values()))

    def _others(self, asked: Provider) -> tuple[str, ...]:
        """Whom to ask where this one does not answer: those behind it in the settings."""
        names = list(self.house.providers)
        return tuple(names[names.index(asked.name) + 1 :])

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
        decision = decided(self.house, "never", denial.rule, str(denial))
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
        parts = {"manifest": manifest(conversation.task)}
        try:
            return await log.intent(intent, envelope.exact, parts)
        except AuditError as error:
            raise _closed_by(error) from error


def _closed_by(error: AuditError) -> Closed:
    return Closed(str(error), "wicket audit doctor")
