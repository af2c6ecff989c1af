"""Tokens from an inference server that already runs: llama-server, or any that speaks
OpenAI's `/v1/completions` (Ollama, LM Studio, vLLM).

The only module of this room that opens network connections, and only to the endpoint
that the settings name.
"""

import contextlib
import json
import socket
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

import httpx2

from . import dialects, prompt
from .dialects import Dialect, Json
from .engine import Answer, BackendError, Halted
from .local import UNMEASURED, Text, budget_for
from .wire import Complete, Done, Piece, Reason, State

# A server that is there answers a question about itself at once.
PROBE_SECONDS = 10.0
# The longest that one request may stay silent; the engine's deadline comes first.
SILENCE_SECONDS = 30.0


class RemoteBackend:
    """An `engine.Backend` over HTTP.

    An endpoint that ends in `/v1` is taken to be OpenAI-compatible; any other is asked.
    """

    def __init__(self, endpoint: str) -> None:
        self._base = endpoint.rstrip("/").removesuffix("/v1")
        self._openai_only = endpoint.rstrip("/").endswith("/v1")
        self._anchors = prompt.Anchors()
        self._stopper = Stopper()
        # The environment's proxies and certificates are not obeyed: only what the
        # settings name may be reached, and a redirect would be another address.
        self._http = httpx2.Client(
            trust_env=False,
            follow_redirects=False,
            timeout=httpx2.Timeout(SILENCE_SECONDS, connect=PROBE_SECONDS),
            # A connection per request: closing it is how a request is cancelled.
            limits=httpx2.Limits(max_keepalive_connections=0),
        )

    @property
    def about(self) -> str:
        """What answers there, for a person.  After `load`."""
        return f"{self._dialect.about} at {self._base}"

    def load(self, progress: Callable[[float], None]) -> None:
        with self._one_line_errors():
            self._dialect: Dialect = dialects.probe(self._ask, self._openai_only)

    def describe(self, state: State) -> State:
        fim = self._dialect.fim
        return replace(
            state,
            family=fim.family.name,
            order=fim.order,
            served=self._dialect.about,
            context=self._dialect.context,
        )

    def interrupt(self) -> None:
        self._stopper.stop()

    def resume(self) -> None:
        self._stopper.resume()

    def complete(self, request: Complete, halted: Halted) -> Iterator[Answer]:
        began = time.monotonic()
        tokens = {"prefill": 0, "reused": 0, "decoded": 0}
        text = Text(request.lines)
        reason: Reason = "length"
        first: float | None = None
        if request.priority == "warm":
            # The server keeps its own cache: what it has not been asked, it need not know.
            yield Done(request.id, "stop", tokens=tokens)
            return
        with self._one_line_errors():
            fim = self._dialect.fim
            budget = budget_for(request, self._dialect.context, UNMEASURED, fim.order)
            body = self._dialect.body(request, budget, self._anchors)
            try:
                for event in self._stream(body):
                    said = self._dialect.read(event)
                    first = first or time.monotonic()
                    tokens["decoded"] += bool(said.text)
                    tokens |= said.tokens
                    if shown := text.add(said.text.encode("utf-8", "replace")):
                        yield Piece(request.id, shown, round(said.logprob, 4))
                    if why := halted():
                        reason = why
                        break
                    if text.full or said.stopped:
                        reason = "stop"
                        break
            except httpx2.HTTPError:
                if not self._stopper.stopped:
                    raise
                reason = halted() or "cancelled"
        now = time.monotonic()
        spent = {
            "prefill": round(((first or now) - began) * 1000, 2),
            "decode": round((now - (first or now)) * 1000, 2),
        }
        yield Done(request.id, reason, tokens=tokens, ms=spent)

    def _ask(self, path: str, body: Json | None) -> tuple[int, Json]:
        url = self._base + path
        answer = self._http.get(url) if body is None else self._http.post(url, json=body)
        if answer.status_code != 200:
            return answer.status_code, {}
        return 200, cast(Json, answer.json())

    def _stream(self, body: Json) -> Iterator[Json]:
        """The JSON objects of a stream of server-sent events."""
        request = self._http.build_request(
            "POST",
            self._base + self._dialect.path,
            json=body,
            extensions={"trace": self._stopper.watch},
        )
        response = self._http.send(request, stream=True)
        with contextlib.closing(response):
            if response.status_code != 200:
                status = response.status_code
                raise BackendError(f"{self._base} answered status {status}")
            for line in response.iter_lines():
                if line.startswith("data:") and line[5:].strip() != "[DONE]":
                    yield cast(Json, json.loads(line[5:]))

    @contextlib.contextmanager
    def _one_line_errors(self) -> Generator[None]:
        try:
            yield
        except BackendError as error:
            raise BackendError(f"{self._base}: {error}", error.fix) from None
        except httpx2.HTTPError as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise BackendError(
                f"{self._base} cannot be reached: {reason}",
                "start the server there, or: wicket model use wicket-base",
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            kind = type(error).__name__
            raise BackendError(f"{self._base} answered something unexpected ({kind})") from None


class Stopper:
    """Ends the connection in use, from any thread, wherever its reader waits."""

    def __init__(self) -> None:
        self.stopped = False
        self._socket: socket.socket | None = None

    def watch(self, event: str, info: Mapping[str, Any]) -> None:
        """httpx2's trace extension: learn of the socket when it is connected."""
        if event == "connection.connect_tcp.complete":
            self._socket = info["return_value"].get_extra_info("socket")
            if self.stopped:
                self.stop()

    def stop(self) -> None:
        self.stopped = True
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def resume(self) -> None:
        self.stopped, self._socket = False, None
