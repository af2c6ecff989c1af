"""Where a request may go: one host, by the numbers that it has now and may have.

A host is looked up once for a connection, and connected to by its number: a name could mean
another host a moment later.
"""

import ipaddress
import ssl
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import httpx2

# The numeric addresses of a host; raises OSError.
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

# What machines of a cloud may ask, and nobody else should: their credentials above all.
# Link-local addresses (169.254.0.0/16, fe80::/10) need no row.
CLOUDS = tuple(
    map(
        ipaddress.ip_network,
        (
            "fd00:ec2::/32",  # Amazon: metadata ::254, credentials of pods ::23, DNS ::253
            "fd20:ce::/32",  # Google: metadata fd20:ce::254
            "168.63.129.16/32",  # Azure: its wire server, in the public range
            "100.100.100.200/32",  # Alibaba
        ),
    )
)
# Of IPv6, those in whose last 32 bits an IPv4 address lies: compatible (RFC 4291, 2.5.5.1),
# translated (RFC 2765) and by NAT64 (RFC 6052).
_IN_THE_END = tuple(map(IPv6Address, ("::", "::ffff:0:0:0", "64:ff9b::")))
# NAT64 of a network's own (RFC 8215): where in it the other address lies nobody can tell.
_UNTOLD = ipaddress.IPv6Network("64:ff9b:1::/48")
# Headers that a pinned request keeps; its host and length are its own.
SAID = frozenset({"accept", "content-type", "user-agent"})


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
        """Whether a host may have this address: no other way into the local network, nor
        by an address that leads to another one."""
        try:
            address = ipaddress.ip_address(number.partition("%")[0])
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address in _UNTOLD:
            return False
        return all(map(self._admits, _meant(address)))

    def _admits(self, address: IPv4Address | IPv6Address) -> bool:
        if any(address in cloud for cloud in CLOUDS) or address.is_link_local:
            return False
        if address.is_multicast or address.is_unspecified:
            return False
        return address.is_global or self.private


def _meant(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address | IPv6Address]:
    """The addresses that a connection to this one could come to."""
    if isinstance(address, IPv4Address):
        yield address
        return
    if address.ipv4_mapped:
        yield address.ipv4_mapped
        return
    yield address
    value = int(address)
    if any(value >> 32 == int(prefix) >> 32 for prefix in _IN_THE_END) and value > 1:
        yield IPv4Address(value & 0xFFFFFFFF)
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def connected(
    inner: httpx2.AsyncBaseTransport,
    reach: Reach,
    resolve: Resolve,
    pinned: Callable[[str], httpx2.Request],
) -> httpx2.Response:
    """The answer from the first address that takes the connection; `pinned` makes the request
    to a number.  Raises Refused, OSError and httpx2's own errors."""
    numbers = [n for n in await resolve(reach.host, reach.port) if reach.admits(n)]
    failed: httpx2.HTTPError | None = None
    for number in numbers:
        try:
            return await inner.handle_async_request(pinned(number))
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            failed = error
    raise failed or Refused(f"{reach.host} has no address that may be reached")


def to_number(
    request: httpx2.Request,
    number: str,
    headers: Iterable[tuple[str, str]],
    body: bytes,
    **more: Any,
) -> httpx2.Request:
    """The same request to a number of its host, which must prove its name all the same."""
    extensions: dict[str, Any] = dict(more)
    if "timeout" in request.extensions:
        extensions["timeout"] = request.extensions["timeout"]
    if request.url.scheme == "https":
        extensions["sni_hostname"] = request.url.host
    return httpx2.Request(
        request.method,
        request.url.copy_with(host=number),
        headers=[*headers, ("host", request.url.netloc.decode("ascii"))],
        content=body,
        extensions=extensions,
    )


class PinnedTransport(httpx2.AsyncBaseTransport):
    """Requests to one place, each to a number that it may have."""

    def __init__(self, reach: Reach, network: Network) -> None:
        self._reach, self._resolve = reach, network.resolve
        limits = httpx2.Limits(max_keepalive_connections=0)
        self._inner = httpx2.AsyncHTTPTransport(
            verify=network.trust or True, trust_env=False, retries=0, limits=limits
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Raises Refused, OSError and httpx2's own errors."""
        self._reach.refuse(request.url)
        body = await request.aread()
        kept = [(name, value) for name, value in request.headers.items() if name.lower() in SAID]
        return await connected(
            self._inner, self._reach, self._resolve, lambda n: to_number(request, n, kept, body)
        )

    async def aclose(self) -> None:
        await self._inner.aclose()
