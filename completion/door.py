"""A team's token door: the engine's line protocol over TLS, for users with tokens.

It stands before the team's inference server and holds that server's credential; laptops
reach the door and nothing behind it.  Users take turns (`engine.py`), each may have a few
requests under way, and whoever sends no token in time is let go.
"""

import asyncio
import contextlib
import hashlib
import logging
import re
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from .engine import Answer, Engine
from .serve import converse
from .wire import LINE_LIMIT, Complete, Done, Malformed, from_line, hello, read_hello, to_line

logger = logging.getLogger(__name__)

# Digests of tokens, in hexadecimal, and whose they are.
Users = Mapping[str, str]

BUSY = "too many requests at once"
HOUR = 3600


@dataclass(frozen=True, slots=True)
class Limits:
    """What a door takes.  Times in seconds.

    `strangers` are connections that have not shown a token yet; `requests` are those of
    one user that wait or run.
    """

    connections: int = 512
    strangers: int = 64
    of_user: int = 16
    requests: int = 8
    handshake: float = 5.0
    penalty: float = 1.0
    deadline_ms: int = 10_000
    lines: int = 100


@dataclass(slots=True)
class Total:
    """What one user did in one hour, without content."""

    requests: int = 0
    refused: int = 0
    failed: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    peers: set[str] = field(default_factory=set[str])


class Door:
    """`users` is asked at every connection and request, so that a token taken away is
    worth nothing from then on.  `report` gets a line for each user of an hour."""

    def __init__(
        self,
        engine: Engine,
        users: Callable[[], Users],
        version: str,
        limits: Limits | None = None,
        report: Callable[[str], None] = logger.info,
    ) -> None:
        self._engine = engine
        self._users = users
        self._version = version
        self._limits = limits or Limits()
        self._report = report
        self._totals: dict[str, Total] = {}
        self._hour = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._strangers = 0
        self._inside: dict[str, int] = {}

    async def serve(
        self, listening: socket.socket, context: ssl.SSLContext, stop: asyncio.Event
    ) -> None:
        """Let in whoever has a token, until `stop` is set."""
        loop = asyncio.get_running_loop()
        listening.setblocking(False)
        stopped = asyncio.ensure_future(stop.wait())
        while not stop.is_set():
            accepting = asyncio.ensure_future(loop.sock_accept(listening))
            await asyncio.wait([accepting, stopped], return_when=asyncio.FIRST_COMPLETED)
            if not accepting.done():
                accepting.cancel()
                break
            try:
                connection, peer = accepting.result()
            except OSError as error:
                # No descriptor is free, or the peer has gone again.
                logger.warning("a connection was not accepted: %s", error.strerror)
                await asyncio.sleep(0.1)
                continue
            limits = self._limits
            if len(self._tasks) >= limits.connections or self._strangers >= limits.strangers:
                connection.close()
                continue
            self._strangers += 1
            task = asyncio.ensure_future(self._receive(connection, context, str(peer[0])))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        stopped.cancel()
        listening.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tell()

    async def _receive(self, connection: socket.socket, context: ssl.SSLContext, peer: str) -> None:
        """One connection, from its TLS handshake to its end."""
        writer = None
        try:
            try:
                async with asyncio.timeout(self._limits.handshake):
                    reader, writer = await _streams(connection, context, self._limits.handshake)
                    said = await reader.readline()
                user = self._user(said)
            finally:
                self._strangers -= 1
            if user is None:
                logger.warning("a connection from %s showed no known token", peer)
                await asyncio.sleep(self._limits.penalty)
                writer.write(to_line({"error": "this token is not known here"}))
                return
            if self._inside.get(user, 0) >= self._limits.of_user:
                writer.write(to_line({"error": "too many connections of this user"}))
                return
            self._inside[user] = self._inside.get(user, 0) + 1
            try:
                await self._converse(reader, writer, user, peer)
            finally:
                self._inside[user] -= 1
        except Malformed as error:
            if writer:
                writer.write(to_line({"error": str(error)}))
        except (OSError, ValueError, TimeoutError, asyncio.CancelledError):
            # No TLS, no hello in time, a line without end, or our own end.
            pass
        finally:
            if writer:
                writer.close()
                with contextlib.suppress(OSError, asyncio.CancelledError):
                    await writer.wait_closed()
            connection.close()

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, user: str, peer: str
    ) -> None:
        def admit(request: Complete) -> Complete | str:
            if user not in self._users().values():
                raise Malformed("this token is no longer known here")
            if self._engine.busy_with(user) >= self._limits.requests:
                self._total(user, peer).refused += 1
                return BUSY
            return self._within_limits(request, user)

        def noted(line: bytes, answer: Answer | None, sent: bool) -> None:
            total = self._total(user, peer)
            total.bytes_out += len(line) if sent else 0
            total.bytes_in += 0 if sent else len(line)
            if isinstance(answer, Done):
                total.requests += 1
                total.failed += answer.done == "failed"

        writer.write(hello(self._version, self._engine.state()))
        await converse(reader, writer, self._engine, admit, noted)

    def _user(self, line: bytes) -> str | None:
        """Whose token a first line shows.  Raises Malformed."""
        read_hello(line)
        token = from_line(line).get("token")
        if not isinstance(token, str):
            return None
        return self._users().get(digest(token))

    def _within_limits(self, request: Complete, user: str) -> Complete:
        most = self._limits.deadline_ms
        return replace(
            request,
            user=user,
            lines=min(request.lines, self._limits.lines),
            deadline_ms=min(most if request.deadline_ms is None else request.deadline_ms, most),
        )

    def _total(self, user: str, peer: str) -> Total:
        """This hour's; the first event of an hour closes the one before."""
        if self._totals and int(time.time()) // HOUR != self._hour:
            self._tell()
        if not self._totals:
            self._hour = int(time.time()) // HOUR
            # A timer per hour with traffic: a door that nobody uses does not wake up.
            wait = (self._hour + 1) * HOUR - time.time()
            asyncio.get_running_loop().call_later(wait, self._tell_hour, self._hour)
        total = self._totals.setdefault(user, Total())
        total.peers.add(peer)
        return total

    def _tell_hour(self, hour: int) -> None:
        if hour == self._hour:
            self._tell()

    def _tell(self) -> None:
        totals, self._totals = self._totals, {}
        hour = time.strftime("%Y-%m-%dT%H:00Z", time.gmtime(self._hour * HOUR))
        for user, total in sorted(totals.items()):
            self._report(
                f"perimeter {hour} user={user} requests={total.requests} "
                f"refused={total.refused} failed={total.failed} bytes_in={total.bytes_in} "
                f"bytes_out={total.bytes_out} peers={','.join(sorted(total.peers))}"
            )


async def _streams(
    connection: socket.socket, context: ssl.SSLContext, seconds: float
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """TLS over an accepted connection, as its server."""
    loop = asyncio.get_running_loop()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    reader = asyncio.StreamReader(limit=LINE_LIMIT)
    transport, protocol = await loop.connect_accepted_socket(
        lambda: asyncio.StreamReaderProtocol(reader),
        connection,
        ssl=context,
        ssl_handshake_timeout=seconds,
        ssl_shutdown_timeout=1.0,
    )
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


def digest(token: str) -> str:
    """What is kept of a token.  It is random, so that a plain hash hides it."""
    return hashlib.sha256(token.encode()).hexdigest()


class BadTokens(ValueError):
    """A file of users that cannot be read as one; the message is one line."""


def read_users(text: str) -> dict[str, str]:
    """The lines `name digest` of a file; empty ones and comments (#) are passed over."""
    users: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split("#", 1)[0].split()
        if not words:
            continue
        if len(words) != 2 or not re.fullmatch(r"[0-9a-f]{64}", words[1]):
            raise BadTokens(f"line {number} is not a name and the sha256 of a token")
        if not re.fullmatch(r"[\w.@-]{1,64}", words[0]):
            raise BadTokens(f"line {number}: a name has letters, digits and . _ @ - only")
        users[words[1]] = words[0]
    return users
