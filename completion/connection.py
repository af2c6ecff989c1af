"""HTTP to one inference server: warm connections, bounded answers, ended from any thread.

A request is cancelled by closing its connection, the one way that every server
understands.  A new connection to a server far away costs two or three round trips, so
that connections are kept, and one that was closed is opened again in the background.
"""

import contextlib
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import httpx2

from .engine import BackendError

Json = dict[str, Any]
# The server's token; True asks for a new one, because the last was refused.
Token = Callable[[bool], str]

# A server that is there answers a question about itself at once.
ASK_SECONDS = 10.0
# A connection for a stream is made while somebody types, and nothing ends that attempt
# earlier.
CONNECT_SECONDS = 0.5
# The longest that a stream may stay silent; the engine's deadline comes first.
SILENCE_SECONDS = 30.0
# The longest answer to a question, and the longest event of a stream.
ANSWER_BYTES = 4 << 20
EVENT_BYTES = 1 << 20
# What is still read after the last event, so that the connection can be kept.
REST_BYTES = 64 << 10
# uvicorn and llama-server close a connection that was idle for five seconds.
KEPT_SECONDS = 4.5
# A server that asks for more than this many seconds is asked again all the same.
LONGEST_WAIT = 600.0
# Connections that are opened ahead: one in use, one ready, one being opened.
LINES = 3


class Server:
    """One server.  One thread at a time may ask and stream; any thread may `stop` it."""

    def __init__(
        self, endpoint: str, token: Token | None = None, ca_file: Path | None = None
    ) -> None:
        self.base = endpoint.rstrip("/").removesuffix("/v1")
        self.stopped = False
        # Where streams are asked for, and what is asked only to have a connection open.
        self.path = ""
        self.ping = "/v1/models"
        self._token = token
        self._expired = False
        self._far = not on_loopback(self.base)
        self._ca_file = ca_file
        self._context: ssl.SSLContext | None = None
        self._lines: list[Line] = []
        self._current: Line | None = None
        self._lock = threading.Lock()

    def stop(self) -> None:
        """End the request in use, wherever its reader waits."""
        with self._lock:
            self.stopped = True
            if self._current is not None:
                self._current.cut()

    def resume(self) -> None:
        with self._lock:
            self.stopped = False

    def abandon(self) -> None:
        """Close the connection in use: nobody wants the rest of its answer."""
        with self._lock:
            if self._current is not None:
                self._current.cut()

    def ask(self, path: str, body: Json | None) -> tuple[int, Json]:
        """Status and object of an answer; the object is empty where the status is not 200."""
        with self._answer(path, body, renew=True) as (response, data):
            if response.status_code != 200:
                return response.status_code, {}
            return 200, cast(Json, json.loads(_whole(data)))

    def stream(self, path: str, body: Json) -> Generator[Json]:
        """The JSON objects of a stream of server-sent events; an empty one for `[DONE]`.

        Raises BackendError where it is refused, ValueError where they are none, and
        httpx2.HTTPError once somebody calls `stop`.
        """
        with self._answer(path, body) as (response, data):
            if response.status_code != 200:
                raise _refusal(response)
            yield from _events(data)

    def close(self) -> None:
        """Close every connection; a later request opens one again."""
        for line in self._lines:
            line.http.close()

    @contextlib.contextmanager
    def _answer(
        self, path: str, body: Json | None, renew: bool = False
    ) -> Generator[tuple[httpx2.Response, Iterator[bytes]]]:
        """An answer and its body, still to be read; afterwards its line is free again.

        A refused token is fetched anew before the next request, or with `renew` at once.
        """
        if self._token and self._far and not self.base.startswith("https:"):
            raise BackendError(
                "a token would cross the network in clear",
                "use https, or `wicket engine --listen` on that machine",
            )
        line, response, data = self._take(), None, iter(())
        try:
            response = self._send(line, path, body)
            self._expired = response.status_code in (401, 403)
            if self._expired and renew and self._token:
                response.close()
                response = self._send(line, path, body)
            # One iterator for all who read: the body ends with the first that is closed.
            data = response.iter_raw()
            yield response, data
        finally:
            with self._lock:
                self._current = None
            if self._far and not (response and response.is_closed):
                work = (line, response, data)
                threading.Thread(target=self._mend, args=work, daemon=True).start()
            else:
                _close(response)
                line.busy = False

    def _send(self, line: "Line", path: str, body: Json | None) -> httpx2.Response:
        silence, connect = ASK_SECONDS, ASK_SECONDS
        if path == self.path:
            silence, connect = SILENCE_SECONDS, CONNECT_SECONDS
        # A short answer that is compressed could unpack to any size.
        headers = {"Accept-Encoding": "identity"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token(self._expired)}"
            self._expired = False
        request = line.http.build_request(
            "GET" if body is None else "POST",
            self.base + path,
            json=body,
            headers=headers,
            extensions={"trace": line.watch},
            timeout=httpx2.Timeout(silence, connect=connect),
        )
        if self.stopped and line is self._current:
            raise httpx2.ReadError("stopped", request=request)
        kept = line.open
        try:
            return line.http.send(request, stream=True)
        except (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError):
            if line.was_cut or not kept:
                raise
            # The server closed the kept connection while we were asking.
            return line.http.send(request, stream=True)

    def _take(self) -> "Line":
        """A free line, one with an open connection first."""
        with self._lock:
            free = [line for line in self._lines if not line.busy]
            if not free:
                self._context = self._context or trusted(self._ca_file)
                free = [Line(self._context, keep=self._far)]
                self._lines += free
            line = min(free, key=lambda line: not line.open)
            line.busy, line.was_cut = True, False
            self._current = line
            return line

    def _mend(self, line: "Line", response: httpx2.Response | None, data: Iterator[bytes]) -> None:
        """Leave `line` with an open connection, whatever its last request did to it."""
        with contextlib.suppress(httpx2.HTTPError):
            if not line.was_cut:
                _drain(data)
        _close(response)
        # A server that could not even be reached is left to who probes it.
        reached = response is not None or line.was_cut
        if reached and not line.open and len(self._lines) <= LINES:
            line.was_cut = False
            with contextlib.suppress(httpx2.HTTPError, BackendError):
                opened = self._send(line, self.ping, None)
                _drain(opened.iter_raw())
                _close(opened)
        line.busy = False


class Line:
    """At most one connection, and the way to end it while another thread reads."""

    def __init__(self, context: ssl.SSLContext, *, keep: bool) -> None:
        self.busy = False
        self.was_cut = False
        self._socket: socket.socket | None = None
        self._used = 0.0
        # The environment's proxies and certificates are not obeyed, and a redirect would
        # be another address than the one in the settings.
        self.http = httpx2.Client(
            verify=context,
            trust_env=False,
            follow_redirects=False,
            limits=httpx2.Limits(
                max_connections=1,
                max_keepalive_connections=1 if keep else 0,
                keepalive_expiry=KEPT_SECONDS,
            ),
        )

    @property
    def open(self) -> bool:
        fresh = time.monotonic() - self._used < KEPT_SECONDS
        return fresh and self._socket is not None and self._socket.fileno() >= 0

    def watch(self, event: str, info: Mapping[str, Any]) -> None:
        """httpx2's trace extension: learn of the socket when it is connected."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")
            if self.was_cut:
                self.cut()
        self._used = time.monotonic()

    def cut(self) -> None:
        self.was_cut = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                # Not SSLSocket's own: that takes the TLS state away under its reader.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)


def _refusal(response: httpx2.Response) -> BackendError:
    status, wait = response.status_code, response.headers.get("retry-after", "")
    return BackendError(
        f"it answered status {status}",
        "look at token_command in wicket.toml" if status in (401, 403) else None,
        min(float(wait), LONGEST_WAIT) if wait.isdecimal() else None,
    )


def _whole(body: Iterator[bytes]) -> bytes:
    """The body of a short answer.  Raises ValueError where it is long or dribbles."""
    until, read = time.monotonic() + ASK_SECONDS, bytearray()
    for data in body:
        read += data
        if len(read) > ANSWER_BYTES or time.monotonic() > until:
            raise ValueError("an answer without end")
    return bytes(read)


def _events(body: Iterator[bytes]) -> Iterator[Json]:
    rest = bytearray()
    for data in body:
        rest += data
        *lines, last = rest.split(b"\n")
        rest = bytearray(last)
        if len(rest) > EVENT_BYTES:
            raise ValueError("an event without end")
        for line in lines:
            if line.startswith(b"data:"):
                said = bytes(line[5:]).strip()
                event: object = {} if said == b"[DONE]" else json.loads(said)
                if not isinstance(event, dict):
                    raise ValueError("an event that is no object")
                yield cast(Json, event)


def _drain(body: Iterator[bytes]) -> None:
    """Read the little that follows the last event: then the connection can be kept."""
    size = 0
    for data in body:
        size += len(data)
        if size > REST_BYTES:
            break


def _close(response: httpx2.Response | None) -> None:
    if response is not None:
        with contextlib.suppress(httpx2.HTTPError, OSError):
            response.close()


def trusted(ca_file: Path | None) -> ssl.SSLContext:
    """The certificates to believe: of the system, or of `ca_file` alone.

    Neither goes by the environment.  Raises BackendError where the file is unusable.
    """
    if ca_file is None:
        return httpx2.create_ssl_context(trust_env=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(ca_file)
    except (OSError, ssl.SSLError) as error:
        why = error.strerror if error.strerror and not isinstance(error, ssl.SSLError) else "no PEM"
        raise BackendError(f"{ca_file}: no certificates ({why})", "look at ca_file") from None
    return context


def on_loopback(url: str) -> bool:
    """Whether a URL's host is this machine, going by the address alone."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
