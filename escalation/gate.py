"""The gate: prepare a request, show it, record it, send it, record how it ended."""

import asyncio
import contextlib
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

from . import recorded, standing
from .approval import Scope, narrowed
from .audit import AuditLog, Receipt
from .audit.records import Consent, Intent, Tool
from .budgets import Limits, Meter
from .choosing import Choosing
from .conversation import Conversation, Result, shown
from .editing import Editing
from .envelope import Envelope
from .exchange import Emit, Exchange
from .freezes import SCOPES, everything
from .health import Health
from .house import Closed, House
from .kinds import PROBE
from .noting import Note
from .outgoing import Denial, summed
from .policy import Policy
from .policy import digest as digest_of
from .prepared import (
    Prepared,
    approval,
    consented,
    intent,
    question,
    summary,
    tokens_of,
    widened,
)
from .preparing import Preparing
from .probe import probe
from .reach import Refused
from .retries import Retries
from .task import Malformed, Task, documents
from .unapproved import Tally, with_others

MOST_PREPARED = 64
NOT_WAITING = "no such request waits: never prepared, sent by now, or expired"
# What a provider does not know it will not know a second later.
ONCE = Retries(attempts=1)


class Unprepared(Exception):
    """Nothing of this name waits: never prepared, sent, expired, or at its end."""


class Outside(Exception):
    """A tool's result is not covered by the approval; another yes is needed, to `needs`."""

    def __init__(self, why: str, needs: Mapping[str, Sequence[str]]) -> None:
        super().__init__(why)
        self.needs = needs


class Gate:
    """`log` is None where it could not be opened; `closed` says why and what to do."""

    def __init__(self, house: House, log: AuditLog | None, closed: Closed | None = None) -> None:
        self.house, self._log, self._closed = house, log, closed
        self._prepared: dict[str, Prepared] = {}
        self._exchanges: dict[str, Exchange] = {}
        # Of each exchange, the files that tools have read for it.
        self._paths: dict[str, set[str]] = {}
        self._frozen, self._deciding = house.frozen(), asyncio.Lock()
        self._health, self._tally = Health(), Tally()

    def status(self) -> dict[str, Any]:
        try:
            log = self._opened()
            closed = None
        except Closed as error:
            log, closed = self._log, {"reason": str(error), "fix": error.fix}
        return {
            "wicket": self.house.version,
            "user": self.house.user,
            "open": closed is None,
            "closed": closed,
            "frozen": everything(frozen := self.house.frozen()),
            "freezes": [row.as_json() for row in frozen],
            "ending": [name for name, one in self._exchanges.items() if self._stopped(one)],
            "limits": self.house.limits,
            "log": {"id": log.log_id, "size": log.size} if log else None,
            "exchanges": sorted(self._exchanges),
            "budget": self._spent(self.house.budget),
            "standing": len(self.house.standing()),
            "providers": [
                {"name": p.name, "model": p.model, "host": p.host, "tier": p.tier}
                for p in self.house.providers.values()
            ],
        }

    async def prepare(self, task: Task) -> dict[str, Any]:
        """The request as it would be sent; nothing is.  Raises Closed and Denial."""
        prepared = await self._preparing(self._opened()).request(task)
        self._keep(prepared)
        return summary(prepared)

    def route(self, task: Task, size: int = 0) -> dict[str, Any]:
        """Where a task would go now if it had so many bytes, and why.

        Raises Closed and Denial.
        """
        self._opened()
        budget = self._spent(self._choosing.limits(task))
        kept, providers = self.house.abilities(), self.house.providers
        known = {name: kept.known(provider) for name, provider in providers.items()}
        told = {name: one.shown for name, one in known.items() if one}
        return self._choosing.route(task, size).as_json() | {"budget": budget, "abilities": told}

    async def probe(self, name: str, any_tier: bool = False) -> dict[str, Any]:
        """Ask one provider what it can do, and keep that; only because somebody said so now.

        Raises Closed, Denial, and Malformed for a provider that cannot be asked so.
        """

        async def send(prepared: Prepared, emit: Emit) -> None:
            self._keep(prepared)
            said = prepared.offer
            exchange = await self.begin(said.digest, said.as_json() | {"mode": "user"})
            await exchange.start(emit)

        return await probe(self._preparing(self._opened()), send, name, any_tier)

    async def begin(self, digest: str, approved: object) -> Exchange:
        """Record the approval and the intent to send what was prepared; the exchange is
        ready to run.

        Raises Unprepared, Denial, Malformed and Closed; then nothing leaves.
        """
        log = self._opened()
        try:
            prepared, scope, consent = self._approved(digest, approved)
        except (Unprepared, Denial, Malformed) as error:
            await self._unapproved(log, digest, error)
            raise
        task, provider = prepared.conversation.task, prepared.provider
        meter = self._choosing.meter(task, provider, self.house.user)
        if why := meter.over(needs := tokens_of(prepared.envelope)):
            denial = Denial("budget", why)
            await recorded.denial(log, self.house, task, provider, denial)
            raise denial
        name = secrets.token_hex(16)
        with meter.holding(needs):
            await recorded.note(log, approval(log, prepared, consent, scope))
            if consent.mode == "standing":
                self._hold(log, prepared, consent.id, scope)
            first = intent(log, self.house, name, prepared, consent)
            receipt = await recorded.intent(log, first, task, prepared.envelope)
            meter.begin(receipt.position.seq, needs)
        # A crash from here on leaves an intent without an outcome: the next start writes
        # that bytes may have left.
        made = Exchange(
            name, log, prepared.way, prepared.conversation, scope, receipt,
            len(prepared.envelope.body), partial(self._intend, prepared, first, meter), meter,
            ONCE if task.kind == PROBE else self.house.retries, prepared.route.order[1:],
            Editing(prepared.shown, prepared.conversation.masks, task.instruction),
        )  # fmt: skip
        self._exchanges[name], self._paths[name] = made, set()
        # While its intent was written `heed` did not know of it.
        if self._stopped(made):
            made.cancel("frozen")
        made.ended.add_done_callback(lambda _: self._forget(name))
        return made

    def _approved(self, digest: str, approved: object) -> tuple[Prepared, Scope, Consent]:
        """What waits under this digest, no more, and the yes to it.

        Raises Unprepared, Denial, Malformed and Closed; then it waits on.
        """
        self._forget_expired()
        prepared = self._prepared.get(digest)
        if prepared is None or prepared.considered.policies is not self.house.policies:
            raise Unprepared(digest[:64])
        if why := self._choosing.stopped(prepared.conversation.task, prepared.provider.name):
            raise Closed(why, "wicket gate thaw")
        said = cast(dict[str, Any], approved) if isinstance(approved, dict) else {}
        prepared.offer.refuse_other(said)
        scope = narrowed(prepared.scope, said)
        consent = consented(said, self.house.actor.user, prepared.considered.decision)
        kept, rule = self.house.standing(), prepared.considered.rule
        if consent.mode == "auto" and not standing.holds(kept, rule, datetime.now(UTC)):
            raise Denial("approval", f"the {rule} holds no more")
        del self._prepared[digest]
        return prepared, scope, consent

    async def _unapproved(self, log: AuditLog, digest: str, error: Exception) -> None:
        """Put a send on record that nobody said yes to, or not to this.  Raises Closed."""
        if not self._tally.due(time.monotonic()):
            return
        waiting = self._prepared.get(digest)
        why = NOT_WAITING if isinstance(error, Unprepared) else str(error)
        denial = Denial("approval", with_others(why, self._tally.uncounted()))
        task, provider = (waiting.conversation.task, waiting.provider) if waiting else (None, None)
        await recorded.denial(log, self.house, task, provider, denial)

    async def _intend(
        self,
        prepared: Prepared,
        first: Intent,
        meter: Meter,
        conversation: Conversation,
        turn: int,
        attempt: int,
        envelope: Envelope,
    ) -> Receipt:
        """The receipt of a later request, if the approval covers it.  Raises Refused."""
        made, task = self._exchanges[first.exchange], prepared.conversation.task
        size, now = len(envelope.body), datetime.now(UTC)
        if why := made.scope.spent(turn, size, None, now) or self._stopped(made):
            raise Refused(f"not sent: {why}")
        tokens = tokens_of(envelope)
        if why := meter.over(tokens) or self._choosing.outgrown(prepared.provider, tokens):
            raise Refused(f"not sent: {why}")
        redactions = summed((*prepared.considered.redactions, *made.redactions))
        classes = tuple(made.scope.classes)
        seen = replace(prepared.considered, redactions=redactions, classes=classes)
        paths = self._paths[first.exchange]
        asked = question(self.house, task, prepared.provider, envelope, seen, paths, turn)
        left = meter.left
        with meter.holding(tokens):
            try:
                log = self._opened()
                try:
                    judged = await self._preparing(log).judged(asked)
                except Denial as denial:
                    await recorded.denial(log, self.house, task, prepared.provider, denial)
                    raise Refused(f"not sent: {denial}") from None
                later = replace(
                    first, turn=turn, attempt=attempt, bytes=size, redactions=redactions,
                    tokens_estimated=tokens, cost_estimated=meter.estimate(tokens),
                    budget_left=left, decision=replace(first.decision, reason=judged),
                )  # fmt: skip
                # While it was judged the gate may have been closed.
                receipt = await recorded.intent(self._opened(), later, conversation.task, envelope)
            except Closed as error:
                raise Refused(f"not sent: {error}; {error.fix}") from error
            meter.begin(receipt.position.seq, tokens)
        return receipt

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
            await recorded.note(log, record, exchange.asking)
            return
        rows, text = documents(said), said.get("text", "")
        if not isinstance(text, str):
            raise Malformed("text must be text")
        try:
            talk = exchange.conversation
            result = self._preparing(log).result
            considered = await asyncio.to_thread(
                result, talk.task, exchange.provider, rows, [text], talk.masks
            )
        except Denial as denial:
            exchange.take(Result(call, f"not done: {denial.rule} forbids it", failed=True))
            await recorded.note(log, Tool(name, tool, "refused", 0, denial.rule), exchange.asking)
            raise
        if "approval" in said:
            exchange.scope = exchange.scope.wider(said["approval"])
            await recorded.note(log, widened(log, self.house.actor.user, exchange.scope))
        pieces = (*map(shown, considered.documents), *filter(None, considered.texts))
        answer = Result(call, "\n\n".join(pieces) or "nothing found")
        # As JSON it will be as large as this, or a little larger.
        size = exchange.size + len(json.dumps(answer.text))
        paths = [document.path for document in considered.documents]
        now = datetime.now(UTC)
        masked = [row.rule for row in considered.redactions]
        lack = exchange.scope.outside(paths, considered.classes, masked)
        if why := lack.why or exchange.scope.spent(exchange.turn + 1, size, None, now):
            raise Outside(why, lack.as_json())
        await recorded.note(log, Tool(name, tool, "ok", len(answer.text.encode())), exchange.asking)
        # While that was written somebody else may have answered, or it was cancelled.
        if not exchange.wants(call):
            raise Unprepared(name[:64])
        self._paths[name] |= set(paths)
        exchange.take(answer, considered.redactions)

    async def applied(self, exchange: str, said: Mapping[str, Any]) -> int:
        """Record what became of the edits of an exchange; the record's number.

        Also while nothing may be sent.  Raises Unprepared, Malformed and Closed.
        """
        # Of two decisions at once the second one has to see the first.
        async with self._deciding:
            number = await recorded.decision_on_edits(self._written(), exchange, said)
        if number is None:
            raise Unprepared(exchange[:64])
        return number

    def cancel(self, exchange: str, why: str = "asked to") -> bool:
        """Whether there was such an exchange; its outcome says that it was cancelled."""
        if found := self._exchanges.get(exchange):
            found.cancel(why)
        return found is not None

    async def freeze(self, frozen: bool, reason: str, scope: Mapping[str, Any]) -> None:
        """Send nothing more of this from now on, or again; of all, where `scope` is empty.

        Raises Malformed and Closed.
        """
        if scope.keys() - set(SCOPES) or not all(isinstance(v, str) for v in scope.values()):
            raise Malformed(f"only {', '.join(SCOPES)} can be frozen by themselves")
        self.house.freeze(frozen, reason, scope)
        await self.heed()

    def bind(self, policies: tuple[Policy, ...]) -> None:
        """These policies decide from now on; what waits for a yes has to be prepared anew."""
        if digest_of(policies) != digest_of(self.house.policies):
            self.house = replace(self.house, policies=policies)

    async def heed(self) -> None:
        """Look whether the gate was frozen or thawed; what runs is cancelled then."""
        for exchange in list(self._exchanges.values()):
            if self._stopped(exchange):
                exchange.cancel("frozen")
        before, now = self._frozen, self.house.frozen()
        self._frozen = now
        if self._log is None or self._log.trouble is not None:
            return
        await recorded.freezes(self._log, self.house.actor.user, before, now)

    async def note(self, log: str, notes: Sequence[Note]) -> list[int]:
        """Write what readers and owners have to say; their records' numbers, once durable.

        Also while nothing may be sent.  Raises Malformed and Closed.
        """
        if (written := self._written()).log_id != log:
            raise Malformed("the gate writes another log")
        numbers = await recorded.notes(written, notes)
        for note in notes:
            self.house.noted(note.record)
        return numbers

    async def close(self) -> None:
        """Cancel what runs, write its outcomes, and close the log."""
        running = list(self._exchanges.values())
        for exchange in running:
            exchange.cancel("the gate closes")
            # One that nobody came to run gets its outcome, too.
            exchange.start(lambda _name, _members: None)
        await asyncio.gather(*(exchange.ended for exchange in running))
        if self._log is not None:
            if others := self._tally.uncounted():
                denial = Denial("approval", f"{others} more were refused")
                with contextlib.suppress(Closed):
                    await recorded.denial(self._log, self.house, None, None, denial)
            await self._log.close()

    def _written(self) -> AuditLog:
        """The log, also while nothing may be sent.  Raises Closed."""
        if self._log is None:
            raise self._closed or Closed("there is no audit log", "wicket audit doctor")
        return self._log

    def _opened(self) -> AuditLog:
        if self._closed is not None:
            raise self._closed
        if self._log is None:
            raise Closed("there is no audit log", "wicket audit doctor")
        if self._log.trouble is not None:
            raise Closed(self._log.trouble, "mend the cause, then: wicket stop gate")
        if not self.house.providers:
            raise Closed("no provider is set up", "wicket setup adds one")
        if why := everything(self.house.frozen()):
            raise Closed(f"the gate is frozen: {why}", "wicket gate thaw")
        if (hindrance := self.house.hindrance()) is not None:
            raise hindrance
        return self._log

    def _hold(self, log: AuditLog, prepared: Prepared, approval: str, scope: Scope) -> None:
        """Keep a yes that is to hold on; where it cannot be kept, the next one is asked for."""
        if asked := self._preparing(log).compared(prepared, scope):
            now = datetime.now(UTC)
            new = standing.granted(approval, asked, now)
            self.house.keep_standing(standing.added(self.house.standing(), new, now))

    def _preparing(self, log: AuditLog) -> Preparing:
        return Preparing(self.house, log, self._choosing)

    @property
    def _choosing(self) -> Choosing:
        return Choosing(self.house, self._health)

    def _stopped(self, exchange: Exchange) -> str | None:
        return self._choosing.stopped(exchange.conversation.task, exchange.provider.name)

    def _spent(self, limits: Limits) -> dict[str, Any]:
        return self.house.ledger.spent(self.house.user).as_json(limits)

    def _forget(self, exchange: str) -> None:
        del self._exchanges[exchange], self._paths[exchange]

    def _keep(self, prepared: Prepared) -> None:
        self._forget_expired()
        while len(self._prepared) >= MOST_PREPARED:
            del self._prepared[next(iter(self._prepared))]
        self._prepared[prepared.envelope.digest] = prepared

    def _forget_expired(self) -> None:
        now = time.monotonic()
        for digest in [d for d, prepared in self._prepared.items() if prepared.due < now]:
            del self._prepared[digest]
