"""One exchange with a provider, from its recorded intent to its recorded outcome."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import httpx2

from .audit import AuditError, AuditLog, Receipt
from .audit.records import Outcome
from .envelope import StandIn
from .providers.provider import Ended, Event, ProviderError, Text, Usage
from .transport import Network, Reach, ReceiptTransport, Refused

# What a provider calls things is short; a record has no room for more.
LONGEST_NAME = 80
# A provider that says nothing for so long is taken to be gone.
SILENCE_SECONDS = 120.0
CONNECT_SECONDS = 10.0

# An event's name and its members, as the caller gets them.
Emit = Callable[[str, dict[str, Any]], None]


class Exchange:
    """Holds the receipt: made once the intent is durable, and run once."""

    def __init__(
        self,
        name: str,
        log: AuditLog,
        receipt: Receipt,
        request: httpx2.Request,
        read: Callable[[httpx2.Response], AsyncIterator[Event]],
        reach: Reach,
        network: Network,
        stand_in: StandIn,
    ) -> None:
        self.name = name
        # Done, whatever happened, once the outcome is durable or cannot be.
        self.ended = asyncio.get_running_loop().create_future()
        self._log, self._receipt, self._request, self._read = log, receipt, request, read
        self._transport = ReceiptTransport(log, receipt, reach, network, stand_in)
        self._began = time.monotonic()
        self._first: float | None = None
        self._work: asyncio.Task[Outcome] | None = None
        self._run: asyncio.Task[None] | None = None
        self._cancelled = False
        self._said = ""

    def cancel(self) -> None:
        """Stop sending and listening; the outcome is written all the same."""
        self._cancelled = True
        if self._work is not None:
            self._work.cancel()

    def start(self, emit: Emit) -> asyncio.Task[None]:
        """Send, pass on what comes, and write the outcome before saying `done`.

        The task is not to be cancelled: that is what `cancel` is for.
        """
        if self._run is None:
            self._run = asyncio.ensure_future(self._through(emit))
        return self._run

    async def _through(self, emit: Emit) -> None:
        emit("record", {"seq": self._receipt.position.seq})
        self._work = asyncio.ensure_future(self._converse(emit))
        if self._cancelled:
            self._work.cancel()
        try:
            outcome = await self._work
        except asyncio.CancelledError:
            outcome = Outcome("cancelled")
        try:
            outcome = self._measured(outcome)
            answer = bytes(self._transport.answer)
            parts = {"response": answer} if answer else {}
            position = await self._log.outcome(self._receipt, outcome, parts)
            # A crash before this line is an `unknown_crash` at the next start.
            emit("record", {"seq": position.seq})
            if outcome.error is not None:
                # What the provider says of it is told, and kept in the sealed payload only.
                reason = ": ".join(filter(None, (outcome.error, self._said)))
                emit("error", {"reason": reason, "status": outcome.http_status})
            emit("done", {"status": outcome.status, "finish": outcome.finish})
        except AuditError as error:
            # Without a durable outcome there is no `done`: nothing may be applied.
            emit("error", {"reason": str(error), "fix": "wicket audit doctor"})
        finally:
            self.ended.set_result(None)

    async def _converse(self, emit: Emit) -> Outcome:
        """What the provider's side came to; only a cancellation is raised."""
        outcome = Outcome("ok")
        timeout = httpx2.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS)
        try:
            async with httpx2.AsyncClient(
                transport=self._transport, trust_env=False, follow_redirects=False, timeout=timeout
            ) as http:
                self._request.extensions = {"timeout": timeout.as_dict()}
                response = await http.send(self._request, stream=True)
                try:
                    outcome = replace(
                        outcome,
                        http_status=response.status_code,
                        request_id=_short(response.headers.get("x-request-id")),
                    )
                    async for event in self._read(response):
                        outcome = self._heard(event, outcome, emit)
                finally:
                    await response.aclose()
        except ProviderError as error:
            status = "http_error" if error.status is not None else "failed"
            self._said = error.said
            return replace(outcome, status=status, error=str(error))
        except (Refused, AuditError) as error:
            return replace(outcome, status="refused", error=str(error))
        except httpx2.TimeoutException:
            return replace(outcome, status="timeout", error="the provider did not answer in time")
        except (httpx2.HTTPError, OSError) as error:
            why = (str(error).splitlines() or [""])[0] or type(error).__name__
            return replace(outcome, status="failed", error=f"the connection failed: {why[:200]}")
        return outcome

    def _heard(self, event: Event, outcome: Outcome, emit: Emit) -> Outcome:
        match event:
            case Text(text):
                self._first = self._first or time.monotonic()
                emit("text", {"text": text})
                return outcome
            case Usage(tokens_in, tokens_out):
                emit("usage", {"tokens_in": tokens_in, "tokens_out": tokens_out})
                return replace(outcome, tokens_in=tokens_in, tokens_out=tokens_out)
            case Ended(finish, model):
                return replace(outcome, finish=_short(finish), model=_short(model))

    def _measured(self, outcome: Outcome) -> Outcome:
        first = None if self._first is None else round((self._first - self._began) * 1000)
        return replace(
            outcome,
            sent=self._transport.sent,
            received=self._transport.received,
            first_token_ms=first,
            duration_ms=round((time.monotonic() - self._began) * 1000),
        )


def _short(text: str | None) -> str | None:
    """A provider's word for something, as a record may hold it."""
    return "".join(c for c in text[:LONGEST_NAME] if c.isprintable()) or None if text else None
