"""One exchange with a provider: request by request, each from its intent to its outcome."""

import asyncio
import base64
import json
import random
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, TypeVar, cast

import httpx2

from .approval import Scope
from .audit import AuditError, AuditLog, Receipt
from .audit.records import Outcome, Redaction
from .budgets import ESTIMATED, Meter
from .conversation import Conversation, Result, Round
from .editing import Editing
from .envelope import Envelope
from .providers.provider import Call, Ended, Event, Provider, ProviderError, Text, Usage
from .reach import Refused
from .retries import Retries, elsewhere
from .tools import EDIT
from .transport import ReceiptTransport
from .way import Way

# What a provider calls things is short; a record has no room for more.
LONGEST_NAME = 80
# Of an answer, where its provider has not told the tokens yet.
BYTES_PER_TOKEN = 4
# The flag of an outcome whose answer named another model than was asked for.
OTHER_MODEL = "other model"

# An event's name and its members, as the caller gets them.
Emit = Callable[[str, dict[str, Any]], None]
# Writes the intent of a later request, by its turn and attempt.  Raises Refused where it may
# not be sent, AuditError.
Intend = Callable[[Conversation, int, int, Envelope], Awaitable[Receipt]]

T = TypeVar("T")


class Exchange:
    """Holds the receipt of its first request: made once that intent is durable, run once."""

    def __init__(
        self,
        name: str,
        log: AuditLog,
        way: Way,
        conversation: Conversation,
        scope: Scope,
        receipt: Receipt,
        size: int,
        intend: Intend,
        meter: Meter,
        retries: Retries,
        others: tuple[str, ...] = (),
        editing: Editing | None = None,
    ) -> None:
        self._meter = meter
        # Providers that may be asked instead, the next first: each by a question of its own.
        self._retries, self._others = retries, others
        self.name, self.scope, self.conversation = name, scope, conversation
        # Bytes of the latest body, and how many requests there were.
        self.size, self.turn = size, 1
        # What was masked in the results of tools.
        self.redactions: list[Redaction] = []
        # Done, whatever happened, once the outcome is durable or cannot be.
        self.ended = asyncio.get_running_loop().create_future()
        self._log, self._way, self._receipt, self._intend = log, way, receipt, intend
        self._work: asyncio.Future[Any] | None = None
        self._run: asyncio.Task[None] | None = None
        self._why: str | None = None
        self._wanted: dict[str, asyncio.Future[Result]] = {}
        self._editing = editing or Editing()

    @property
    def provider(self) -> Provider:
        return self._way.provider

    @property
    def asking(self) -> int:
        """The seq of the intent whose answer asked for tools last."""
        return self._receipt.position.seq

    def cancel(self, why: str = "cancelled") -> None:
        """Stop sending and listening; the outcome is written all the same, and says why."""
        self._why = self._why or why
        if self._work is not None:
            self._work.cancel()

    def start(self, emit: Emit) -> asyncio.Task[None]:
        """Send, pass on what comes, and write each outcome before going on.

        The task is not to be cancelled: that is what `cancel` is for.
        """
        if self._run is None:
            self._run = asyncio.ensure_future(self._through(emit))
        return self._run

    def wants(self, call: str) -> bool:
        """Whether the model waits for the result of this call."""
        return call in self._wanted and not self._wanted[call].done()

    def take(self, result: Result, redactions: Iterable[Redaction] = ()) -> None:
        """What a tool answered to a call that is wanted."""
        self._wanted[result.id].set_result(result)
        self.redactions += redactions

    async def _through(self, emit: Emit) -> None:
        emit("record", {"seq": self.asking, "exchange": self.name})
        try:
            while True:
                outcome, ended, calls = await self._turn(emit)
                if not calls or outcome.status != "ok" or self._editing.proposals:
                    said: dict[str, Any] = {"status": outcome.status, "finish": outcome.finish}
                    if OTHER_MODEL in outcome.flags:
                        wanted = self.provider.expected
                        said["model"] = {"wanted": wanted, "answered": outcome.model}
                    if self._others and elsewhere(outcome):
                        said["others"] = list(self._others)
                    emit("done", said)
                    return
                await self._again(emit, ended, calls)
        except asyncio.CancelledError:
            # Between two requests: nothing is open in the log.
            emit("done", {"status": "cancelled", "finish": None})
        except (Refused, ProviderError) as error:
            emit("error", {"reason": str(error), "status": None})
            emit("done", {"status": "refused", "finish": None})
        except AuditError as error:
            # Without a durable record there is no `done`: nothing may be applied.
            emit("error", {"reason": str(error), "fix": "wicket audit doctor"})
        finally:
            self.ended.set_result(None)

    async def _again(self, emit: Emit, ended: Ended, calls: list[Call]) -> None:
        """Have the tools run, and the intent of the request with their results written."""
        wanted = [self._want(call, emit) for call in calls]
        results = await self._cancellable(asyncio.wait_for(_all(wanted), self._patience()))
        rounds = (*self.conversation.rounds, Round(ended.turn, tuple(results)))
        self.conversation = replace(self.conversation, rounds=rounds)
        self.turn += 1
        await self._intended(emit, 1)

    async def _intended(self, emit: Emit, attempt: int) -> None:
        """Have the intent of the next request written, and show it."""
        envelope = await self._way.rehearse(self.conversation)
        self._receipt = await self._intend(self.conversation, self.turn, attempt, envelope)
        # A crash from here on leaves an intent whose bytes never left.
        self.size = len(envelope.body)
        exact = base64.b64encode(envelope.exact).decode()
        said = {"seq": self.asking, "turn": self.turn, "request_base64": exact}
        emit("record", said | ({"attempt": attempt} if attempt > 1 else {}))

    def _patience(self) -> float:
        """Seconds that a tool may take: a person may be asked, but not for ever."""
        left = self.scope.expires.timestamp() - time.time()
        return max(0.0, left)

    def _want(self, call: Call, emit: Emit) -> asyncio.Future[Result]:
        future: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        arguments = _arguments(call.arguments)
        if (edits := self._editing.said.get(call.id)) is not None:
            future.set_result(Result(call.id, *edits))
        elif self.wants(call.id):
            # Nobody could tell whose a result is.
            future.set_result(Result(call.id, "not done: another call has this id", failed=True))
        elif call.name not in self.conversation.task.tools or arguments is None:
            why = "there is no such tool" if arguments is not None else "no JSON object"
            future.set_result(Result(call.id, f"not done: {why}", failed=True))
        else:
            self._wanted[call.id] = future
            emit("tool", {"id": call.id, "name": call.name, "arguments": arguments})
        return future

    async def _turn(self, emit: Emit) -> tuple[Outcome, Ended, list[Call]]:
        """One request and its durable outcome, or as many as pass by themselves."""
        attempt = 1
        while True:
            sending, outcome = await self._attempt(emit)
            wish, chance = sending.transport.wish, random.random()  # noqa: S311 (no secret)
            pause = self._retries.pause(attempt, outcome, wish, chance)
            # What the provider says of it is told, and kept in the sealed payload only.
            reason = ": ".join(filter(None, (outcome.error, sending.said)))
            if pause is None or self._why is not None:
                if reason:
                    emit("error", {"reason": reason, "status": outcome.http_status})
                return outcome, sending.ended, sending.calls
            attempt += 1
            said = {"attempt": attempt, "of": self._retries.attempts}
            emit("retry", said | {"seconds": round(pause, 1), "reason": reason})
            await self._cancellable(asyncio.sleep(pause))
            await self._intended(emit, attempt)

    async def _attempt(self, emit: Emit) -> tuple["_Sending", Outcome]:
        """One request, and its outcome once that is durable."""
        sending = _Sending(self._way, self._log, self._receipt, emit, self._meter)
        try:
            outcome = await self._cancellable(sending.converse(self.conversation))
        except asyncio.CancelledError:
            flags = (self._why,) if self._why else ()
            outcome = replace(sending.outcome, status="cancelled", flags=flags)
        outcome = sending.measured(outcome)
        if outcome.status == "ok" and EDIT in self.conversation.task.tools:
            edits = [(call.id, call.arguments) for call in sending.calls if call.name == EDIT]
            await asyncio.to_thread(self._editing.hear, edits)
            outcome = replace(outcome, edits=self._editing.recorded(self._log.pseudonym))
        answer = bytes(sending.transport.answer)
        parts = {"response": answer} if answer else {}
        position = await self._log.outcome(self._receipt, outcome, parts)
        # A crash before this line is an `unknown_crash` at the next start.
        self._meter.end(outcome)
        emit("record", {"seq": position.seq})
        for edit in self._editing.proposals:
            emit("edit", edit.as_json())
        if self._editing.unfit:
            emit("unfit", {"reason": self._editing.unfit})
        return sending, outcome

    async def _cancellable(self, work: Coroutine[Any, Any, T]) -> T:
        """`work`, which `cancel` ends; then CancelledError."""
        self._work = task = asyncio.ensure_future(work)
        if self._why is not None:
            task.cancel()
        try:
            return await task
        except TimeoutError:
            raise Refused("no result of a tool came while the approval lasted") from None
        finally:
            self._work = None


class _Spent(Exception):
    """The budget is reached in the middle of an answer."""


class _Sending:
    """One request under way, and what is known of it so far."""

    def __init__(self, way: Way, log: AuditLog, receipt: Receipt, emit: Emit, meter: Meter) -> None:
        self._meter, self._bytes = meter, 0
        self.transport: ReceiptTransport = way.transport(log, receipt)
        self.outcome = Outcome("ok")
        self.ended, self.calls = Ended("", None), list[Call]()
        self.said = ""
        self._way, self._emit = way, emit
        self._began = time.monotonic()
        self._first: float | None = None

    async def converse(self, conversation: Conversation) -> Outcome:
        """What the provider's side came to; only a cancellation is raised."""
        try:
            async with aclosing(self._way.converse(conversation, self.transport)) as events:
                async for event in events:
                    self._heard(event)
        except ProviderError as error:
            status = "http_error" if error.status is not None else "failed"
            self.said = error.said
            return replace(self.outcome, status=status, error=str(error))
        except (Refused, AuditError) as error:
            return replace(self.outcome, status="refused", error=str(error))
        except _Spent as error:
            flags = (*self.outcome.flags, "budget")
            return replace(self.outcome, status="cancelled", flags=flags, error=str(error))
        except httpx2.TimeoutException:
            error = "the provider did not answer in time"
            return replace(self.outcome, status="timeout", error=error)
        except (httpx2.HTTPError, OSError) as error:
            why = (str(error).splitlines() or [""])[0] or type(error).__name__
            error = f"the connection failed: {why[:200]}"
            return replace(self.outcome, status="failed", error=error)
        except Exception as error:
            # Whatever else an answer makes a library raise: the intent has its outcome.
            why = f"the answer cannot be read ({type(error).__name__})"
            return replace(self.outcome, status="failed", error=why)
        return self.outcome

    def measured(self, outcome: Outcome) -> Outcome:
        """With what the transport saw."""
        first = None if self._first is None else round((self._first - self._began) * 1000)
        untold = outcome.status != "ok" or outcome.tokens_out is None
        if untold and (weighed := self._weighed()) != self.outcome:
            # What was cut off, or is not told, was not counted by anybody else.
            flags = (*outcome.flags, ESTIMATED)
            outcome = replace(outcome, tokens_out=weighed.tokens_out, flags=flags)
        outcome = replace(outcome, sent=self.transport.sent)
        return replace(
            outcome,
            cost=self._meter.priced(outcome),
            received=self.transport.received,
            http_status=self.transport.status,
            request_id=_short(self.transport.request_id),
            tool_calls=tuple(_short(call.name) or "?" for call in self.calls),
            first_token_ms=first,
            duration_ms=round((time.monotonic() - self._began) * 1000),
        )

    def _heard(self, event: Event) -> None:
        match event:
            case Text(text):
                self._first = self._first or time.monotonic()
                self._bytes += len(text.encode())
                self._emit("text", {"text": text})
            case Usage(tokens_in, tokens_out, cached):
                used = {"tokens_in": tokens_in, "tokens_out": tokens_out}
                self._emit("usage", used | {"cached": cached})
                self.outcome = replace(self.outcome, **used)
                if (prices := self._way.provider.prices) is not None:
                    cost, since = prices.of(event), prices.since
                    self.outcome = replace(self.outcome, cost=cost, prices=since)
            case Call():
                self._first = self._first or time.monotonic()
                self._bytes += len(event.arguments.encode())
                self.calls.append(event)
            case Ended(finish, model):
                self.ended = event
                self.outcome = replace(self.outcome, finish=_short(finish), model=_short(model))
                if model is not None and model != self._way.provider.expected:
                    self.outcome = replace(self.outcome, flags=(OTHER_MODEL,))
        if why := self._meter.running(self._weighed()):
            raise _Spent(why)

    def _weighed(self) -> Outcome:
        """What is known so far, with at least the tokens that were seen."""
        least = self._bytes // BYTES_PER_TOKEN
        if least <= (self.outcome.tokens_out or 0):
            return self.outcome
        return replace(self.outcome, tokens_out=least)


async def _all(futures: list[asyncio.Future[Result]]) -> list[Result]:
    return list(await asyncio.gather(*futures))


def _arguments(text: str) -> dict[str, Any] | None:
    """The arguments of a call; None for what is no JSON object."""
    try:
        given: object = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return None
    return cast(dict[str, Any], given) if isinstance(given, dict) else None


def _short(text: str | None) -> str | None:
    """A provider's word for something, as a record may hold it."""
    return "".join(c for c in text[:LONGEST_NAME] if c.isprintable()) or None if text else None
