"""Tokens through a team's door: the engine's line protocol over one TLS connection.

The connection stays, requests have numbers, and a cancel is a line: a request costs one
round trip whatever happened to the one before.
"""

import contextlib
import math
import os
import selectors
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .connection import Token, trusted
from .engine import Answer, BackendError, Halted
from .wire import (
    LINE_LIMIT,
    Cancel,
    Complete,
    Done,
    Malformed,
    Piece,
    State,
    from_line,
    hello,
    read_answer,
    read_hello,
    read_state,
    to_line,
    write_request,
)

# A connection is made while somebody waits, and nothing ends that attempt earlier.
CONNECT_SECONDS = 0.5
# The longest that a request may stay silent; the engine's deadline comes first.
SILENCE_SECONDS = 30.0
# A connection that was idle for longer may have been forgotten by what stands between.
IDLE_SECONDS = 240.0


class TeamBackend:
    """An `engine.Backend` behind `wicket+tls://HOST:PORT`."""

    def __init__(
        self, endpoint: str, token: Token | None, ca_file: Path | None, version: str
    ) -> None:
        self._named = (endpoint, token, ca_file, version)
        parts = urlsplit(endpoint)
        self._address = (parts.hostname or "", parts.port or 0)
        self._name = f"{parts.hostname}:{parts.port}"
        self._token = token
        self._expired = False
        self._ca_file = ca_file
        self._trusted: ssl.SSLContext | None = None
        self._version = version
        self._socket: ssl.SSLSocket | None = None
        self._buffer = bytearray()
        self._state = State("", "", "loading")
        self._number = 0
        self._used = 0.0
        self._stopped = False
        self._bell, self._ring = os.pipe()
        os.set_blocking(self._bell, False)
        os.set_blocking(self._ring, False)

    def sibling(self) -> "TeamBackend":
        """One more for a thread of its own, with a connection of its own."""
        return TeamBackend(*self._named)

    @property
    def about(self) -> str:
        """What answers there, for a person.  After `load`."""
        return f"{_plain(self._state.model)} at {self._name}"

    def load(self, progress: Callable[[float], None]) -> None:
        self._close()
        try:
            self._connect()
        except Unknown:
            # The token may have run out since it was printed.
            self._connect()
        if self._state.state != "ready":
            why = self._state.reason or "its model is loading"
            self._close()
            raise BackendError(f"{self._name}: {why}")

    def describe(self, state: State) -> State:
        theirs = self._state
        return replace(
            state,
            family=theirs.family,
            order=theirs.order,
            context=theirs.context,
            languages=theirs.languages,
            rates=theirs.rates,
        )

    def close(self) -> None:
        self._close()
        os.close(self._bell)
        os.close(self._ring)

    def interrupt(self) -> None:
        self._stopped = True
        with contextlib.suppress(BlockingIOError):
            os.write(self._ring, b"!")

    def resume(self) -> None:
        self._stopped = False
        with contextlib.suppress(BlockingIOError):
            while os.read(self._bell, 4096):
                pass

    def complete(self, request: Complete, halted: Halted) -> Iterator[Answer]:
        kept = self._socket is not None and time.monotonic() - self._used < IDLE_SECONDS
        self._number += 1
        # Texts are looked into on this machine only.
        asked = replace(request, id=self._number, decoding="plain", texts=())
        heard = False
        try:
            if not kept:
                self._close()
                self._connect()
            try:
                self._send(write_request(asked))
                answers = self._answers(asked.id)
                first = next(answers)
            except Lost:
                if not kept or self._stopped:
                    raise
                # The door was restarted since; the connection of then is no more.
                self._close()
                self._connect()
                self._send(write_request(asked))
                answers = self._answers(asked.id)
                first = next(answers)
            heard = True
            while True:
                yield replace(first, id=request.id)
                if isinstance(first, Done):
                    return
                if why := halted():
                    self._send(write_request(Cancel(0, asked.id)))
                    yield Done(request.id, why)
                    return
                first = next(answers)
        except _Stopped:
            if heard or halted():
                self._send(write_request(Cancel(0, asked.id)))
            else:
                # Not a word in all this time: what connects us may be dead.
                self._close()
            yield Done(request.id, halted() or "cancelled")

    def _answers(self, number: int) -> Iterator[Piece | Done]:
        """Pieces and the Done of one request; lines about earlier ones are passed over."""
        while True:
            said = self._line(SILENCE_SECONDS)
            if "error" in said:
                raise self._refused(said)
            if said.get("id") == 0 and "state" in said:
                self._state = read_state(said)
            elif said.get("id") == number:
                answer = self._read(said)
                if isinstance(answer, Done) and answer.done == "failed":
                    raise BackendError(f"{self._name}: {_plain(answer.why)}")
                yield answer
                if isinstance(answer, Done):
                    return

    def _read(self, said: dict[str, Any]) -> Piece | Done:
        try:
            answer = read_answer(said)
        except (Malformed, TypeError, ValueError):
            answer = None
        if not isinstance(answer, Piece | Done):
            self._close()
            raise BackendError(f"{self._name} answered something unexpected")
        return answer

    def _connect(self) -> None:
        """Connect, show the token, hear what is there.  Raises BackendError."""
        said = from_line(hello(self._version))
        if self._token:
            # One that was refused is fetched anew, at the next attempt.
            said["token"], self._expired = self._token(self._expired), False
        self._trusted = self._trusted or trusted(self._ca_file)
        try:
            raw = socket.create_connection(self._address, CONNECT_SECONDS)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket = self._trusted.wrap_socket(raw, server_hostname=self._address[0])
        except ssl.SSLCertVerificationError as error:
            why = error.verify_message
            raise BackendError(
                f"{self._name}: its certificate is not believed ({why})", "look at ca_file"
            ) from None
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise BackendError(
                f"{self._name} cannot be reached: {why}", "ask who runs the team's door"
            ) from None
        self._buffer.clear()
        self._send(to_line(said))
        answer = self._line(CONNECT_SECONDS)
        if "error" in answer:
            self._expired = True
            raise self._refused(answer)
        try:
            _version, state = read_hello(to_line(answer))
            if state is None:
                raise Malformed("says no state")
            self._state = state
        except (Malformed, TypeError) as error:
            self._close()
            raise BackendError(f"{self._name} {error}", "update Wicket on one side") from None

    def _send(self, line: bytes) -> None:
        if self._socket is None:
            return
        try:
            self._socket.settimeout(CONNECT_SECONDS)
            self._socket.sendall(line)
        except OSError as error:
            raise self._lost(error) from None
        self._used = time.monotonic()

    def _line(self, seconds: float) -> dict[str, Any]:
        """The next line.  Raises BackendError, and _Stopped after an interrupt."""
        until = time.monotonic() + seconds
        while b"\n" not in self._buffer:
            if self._stopped:
                raise _Stopped
            if self._socket is None or len(self._buffer) > LINE_LIMIT:
                raise self._lost(None)
            if not self._socket.pending() and not self._wait(until - time.monotonic()):
                raise self._lost(TimeoutError("says nothing"))
            try:
                self._socket.settimeout(0)
                data = self._socket.recv(65536)
            except (ssl.SSLWantReadError, BlockingIOError):
                continue
            except OSError as error:
                raise self._lost(error) from None
            if not data:
                raise self._lost(None)
            self._buffer += data
        line, _, rest = self._buffer.partition(b"\n")
        self._buffer = bytearray(rest)
        self._used = time.monotonic()
        try:
            return from_line(bytes(line))
        except Malformed:
            self._close()
            raise BackendError(f"{self._name} answered something unexpected") from None

    def _wait(self, seconds: float) -> bool:
        """Until there is something to read, or an interrupt."""
        assert self._socket is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._bell, selectors.EVENT_READ)
            return bool(selector.select(math.ceil(max(0.0, seconds) * 1000) / 1000))

    def _lost(self, error: OSError | None) -> BackendError:
        self._close()
        why = (error.strerror or str(error)) if error else "the connection was closed"
        return Lost(f"{self._name}: {why}", "ask who runs the team's door")

    def _refused(self, said: dict[str, Any]) -> BackendError:
        self._close()
        why = _plain(said["error"])
        return Unknown(f"{self._name} refuses: {why}", "look at token_command in wicket.toml")

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _plain(text: object) -> str:
    return "".join(c for c in str(text)[:200] if c.isprintable())


class Lost(BackendError):
    """The connection has ended."""


class Unknown(BackendError):
    """The door does not know the token."""


class _Stopped(Exception):
    """Somebody interrupted the request."""
