"""The only way out: an HTTP transport that needs a receipt for exactly these bytes.

Beside it stands one that sends nothing, for finding out what would be sent.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any, cast

import httpx2

from .audit import AuditLog, Receipt
from .envelope import HEADERS, SECRET_HEADERS, SIGNED, Envelope, StandIn, seal
from .reach import Network, Reach, Refused, connected, to_number
from .retries import Wish, wish

# Answers are text that a person waits for; what is longer is a mistake or an attack.
LARGEST_ANSWER = 8 << 20

# Headers by which providers name a request.
REQUEST_IDS = ("request-id", "x-request-id", "x-amzn-requestid", "apim-request-id")

# Headers that take those of the key's place, made of the request and its body; None where
# the key itself is sent.
Sign = Callable[[httpx2.Request, bytes], Mapping[str, str] | None]


def unsigned(_request: httpx2.Request, _body: bytes) -> None:
    return None


class Captured(Exception):
    """The request was taken down, and goes nowhere."""


class CapturingTransport(httpx2.AsyncBaseTransport):
    """Sends nothing: `envelope` is the request that would have been sent."""

    def __init__(self, stand_in: StandIn) -> None:
        self._stand_in = stand_in
        self.envelope: Envelope | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises Captured."""
        body = await request.aread()
        url = str(request.url)
        self.envelope = seal(request.method, url, request.headers.items(), body, self._stand_in)
        raise Captured


class ReceiptTransport(httpx2.AsyncBaseTransport):
    """Sends one request, once: the one that `receipt` covers.

    `sent` is what was handed to the connection, `received` and `answer` what came, in
    bytes of bodies; `status`, `request_id` and `wish` are those of the answer.
    """

    def __init__(
        self,
        log: AuditLog,
        receipt: Receipt,
        reach: Reach,
        network: Network,
        stand_in: StandIn,
        sign: Sign = unsigned,
    ) -> None:
        self._sign = sign
        self._log, self._receipt, self._reach = log, receipt, reach
        self._resolve, self._stand_in = network.resolve, stand_in
        # No environment, no retries, no proxy, and no connection that outlives a request.
        limits = httpx2.Limits(max_keepalive_connections=0)
        self._inner = httpx2.AsyncHTTPTransport(
            verify=network.trust or True, trust_env=False, retries=0, limits=limits
        )
        self.sent = self.received = 0
        self.status: int | None = None
        self.request_id: str | None = None
        self.wish = Wish()
        self.answer = bytearray()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises Refused and AuditError before a byte has left, and httpx2's own errors."""
        body = await request.aread()
        url = str(request.url)
        envelope = seal(request.method, url, request.headers.items(), body, self._stand_in)
        self._reach.refuse(request.url)
        # A crash up to here leaves an intent whose bytes never left.
        self._log.redeem(self._receipt, envelope.exact)
        response = await self._connected(request, body)
        if 300 <= response.status_code < 400:
            await response.aclose()
            raise Refused(f"the provider redirects (status {response.status_code})")
        if response.headers.get("content-encoding", "") not in ("", "identity"):
            # Nobody asked for it, and what a few bytes become has no bound.
            await response.aclose()
            raise Refused("the answer is compressed")
        self.status = response.status_code
        self.wish = wish(response.headers)
        names = (response.headers.get(name) for name in REQUEST_IDS)
        self.request_id = next(filter(None, names), None)
        stream = cast(httpx2.AsyncByteStream, response.stream)
        kept = _Counted(stream, self._take)
        return httpx2.Response(response.status_code, headers=response.headers, stream=kept)

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _connected(self, request: httpx2.Request, body: bytes) -> httpx2.Response:
        return await connected(
            self._inner, self._reach, self._resolve, partial(self._pinned, request, body)
        )

    def _pinned(self, request: httpx2.Request, body: bytes, number: str) -> httpx2.Request:
        """The recorded request, to a number: a name could mean another host by now."""
        headers = [(n.lower(), v) for n, v in request.headers.items() if n.lower() in HEADERS]
        if (signed := self._sign(request, body)) is not None:
            # The secret itself does not leave.
            headers = [(name, value) for name, value in headers if name not in SECRET_HEADERS]
            headers += [(n.lower(), v) for n, v in signed.items() if n.lower() in SIGNED]
        self._length = len(body)
        return to_number(request, number, headers, body, trace=self._watch)

    async def _watch(self, event: str, _info: Mapping[str, Any]) -> None:
        # From its start on, any part of the body may have left.
        if event.endswith("send_request_body.started"):
            self.sent = self._length

    def _take(self, chunk: bytes) -> None:
        self.received += len(chunk)
        if self.received > LARGEST_ANSWER:
            raise Refused(f"the answer is longer than {LARGEST_ANSWER} bytes")
        self.answer += chunk


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, take: Callable[[bytes], None]) -> None:
        self._stream, self._take = stream, take

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._take(chunk)
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()
