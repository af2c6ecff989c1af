"""The only way out: an HTTP transport that needs a receipt for exactly these bytes.

Beside it stands one that sends nothing, for finding out what would be sent.
"""

import ipaddress
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import httpx2

from .audit import AuditLog, Receipt
from .envelope import HEADERS, SECRET_HEADERS, SIGNED, Envelope, StandIn, seal
from .retries import Wish, wish

# Answers are text that a person waits for; what is longer is a mistake or an attack.
LARGEST_ANSWER = 8 << 20

# Headers by which providers name a request.
REQUEST_IDS = ("request-id", "x-request-id", "x-amzn-requestid", "apim-request-id")

# The numeric addresses of a host; raises OSError.
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


# Headers that take those of the key's place, made of the request and its body; None where
# the key itself is sent.
Sign = Callable[[httpx2.Request, bytes], Mapping[str, str] | None]


def unsigned(_request: httpx2.Request, _body: bytes) -> None:
    return None


class Refused(Exception):
    """The transport would not send, or not take what came; the message is one line."""


@dataclass(frozen=True, slots=True)
class Network:
    """How hosts are found, and whose certificates are believed (None: the system's)."""

    resolve: Resolve
    trust: ssl.SSLContext | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """The one place that a request may go to.  `private` admits addresses that are not
    public: a provider of one's own."""

    scheme: str
    host: str
    port: int
    private: bool

    def refuse(self, url: httpx2.URL) -> None:
        """Raises Refused for a URL elsewhere."""
        port = url.port or (443 if url.scheme == "https" else 80)
        if (url.scheme, url.host, port) != (self.scheme, self.host, self.port) or url.userinfo:
            raise Refused(f"{url.host} is not the provider's host")
        if url.scheme != "https" and not (self.private and is_loopback(url.host)):
            raise Refused("only a provider on this machine may be spoken to without TLS")

    def admits(self, number: str) -> bool:
        """Whether a host may have this address: no other way into the local network."""
        address = ipaddress.ip_address(number.partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        # Link-local is where clouds keep their credentials.
        return address.is_global or (self.private and not address.is_link_local)


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


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
        """The answer from the first address that takes the connection."""
        found = await self._resolve(self._reach.host, self._reach.port)
        numbers = [number for number in found if self._reach.admits(number)]
        failed: httpx2.HTTPError | None = None
        for number in numbers:
            try:
                return await self._inner.handle_async_request(self._pinned(request, body, number))
            except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
                failed = error
        raise failed or Refused(f"{self._reach.host} has no address that may be reached")

    def _pinned(self, request: httpx2.Request, body: bytes, number: str) -> httpx2.Request:
        """The recorded request, to a number: a name could mean another host by now."""
        headers = [(n.lower(), v) for n, v in request.headers.items() if n.lower() in HEADERS]
        if (signed := self._sign(request, body)) is not None:
            # The secret itself does not leave.
            headers = [(name, value) for name, value in headers if name not in SECRET_HEADERS]
            headers += [(n.lower(), v) for n, v in signed.items() if n.lower() in SIGNED]
        headers.append(("host", request.url.netloc.decode("ascii")))
        extensions: dict[str, Any] = {"trace": self._watch}
        if "timeout" in request.extensions:
            extensions["timeout"] = request.extensions["timeout"]
        if request.url.scheme == "https":
            extensions["sni_hostname"] = request.url.host
        url = request.url.copy_with(host=number)
        made = httpx2.Request(
            request.method, url, headers=headers, content=body, extensions=extensions
        )
        self._length = len(body)
        return made

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
