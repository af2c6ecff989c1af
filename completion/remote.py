"""Tokens from an inference server: llama-server, or any that speaks OpenAI's language."""

import contextlib
import time
from collections.abc import Callable, Generator, Iterator
from copy import copy
from dataclasses import replace
from pathlib import Path

import httpx2

from . import prompt
from .budget import UNMEASURED, budget_for
from .connection import Server, Token
from .dialects import Ask, Dialect, Json
from .engine import Answer, BackendError, Halted
from .lines import Text
from .llama_server import Infill, LlamaServer
from .openai_server import OpenAI
from .wire import Complete, Done, Piece, Reason, State

# Events past the number of tokens that were asked for; a server that sends more has lost
# count, or wants to.
MORE_EVENTS = 32


def probe(ask: Ask, openai_only: bool) -> Dialect:
    """Find out what answers.  Raises BackendError with what to do."""
    if not openai_only:
        status, props = ask("/props", None)
        if status == 200:
            try:
                return LlamaServer(ask, props)
            except BackendError:
                # It may know markers that we do not, or keep its tokenizer to itself.
                if (infill := Infill(ask, props)).works():
                    return infill
                raise
    status, answer = ask("/v1/models", None)
    if status != 200:
        raise BackendError(
            f"it is neither llama-server nor OpenAI-compatible (status {status})",
            "start llama-server, Ollama or LM Studio there",
        )
    served: list[Json] = answer.get("data") or []
    if not served:
        raise BackendError("it serves no model", "load one there")
    return OpenAI(ask, served[0])


class RemoteBackend:
    """An `engine.Backend` over HTTP.

    An endpoint that ends in `/v1` is taken to be OpenAI-compatible; any other is asked.
    """

    def __init__(
        self, endpoint: str, token: Token | None = None, ca_file: Path | None = None
    ) -> None:
        self._openai_only = endpoint.rstrip("/").endswith("/v1")
        self._named = (endpoint, token, ca_file)
        self._server = Server(*self._named)
        # Each user's windows are anchored by themselves: paths alone would mix them up.
        self._anchors: dict[str, prompt.Anchors] = {}
        self._elder: RemoteBackend | None = None

    def sibling(self) -> "RemoteBackend":
        """One more for a thread of its own, which takes over what this one found out."""
        twin = RemoteBackend(*self._named)
        twin._anchors, twin._elder = self._anchors, self
        return twin

    @property
    def about(self) -> str:
        """What answers there, for a person.  After `load`."""
        return f"{self._dialect.about} at {self._server.base}"

    def load(self, progress: Callable[[float], None]) -> None:
        with self._one_line_errors():
            if self._elder:
                self._dialect: Dialect = copy(self._elder._dialect)
                self._dialect.ask = self._server.ask
            else:
                self._dialect = probe(self._server.ask, self._openai_only)
        self._server.path, self._server.ping = self._dialect.path, self._dialect.ping

    def describe(self, state: State) -> State:
        return replace(
            state,
            family=self._dialect.family,
            order=self._dialect.order,
            served=self._dialect.about,
            context=self._dialect.context,
        )

    def interrupt(self) -> None:
        self._server.stop()

    def resume(self) -> None:
        self._server.resume()

    def close(self) -> None:
        self._server.close()

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
            dialect = self._dialect
            budget = budget_for(request, dialect.context, UNMEASURED, dialect.order)
            try:
                anchors = self._anchors.setdefault(request.user, prompt.Anchors())
                body = self._dialect.body(request, budget, anchors)
                events = self._server.stream(self._dialect.path, body)
                with contextlib.closing(events):
                    for count, event in enumerate(events):
                        if "error" in event:
                            # Its text may quote the code.
                            raise BackendError("it reports an error")
                        said = self._dialect.read(event)
                        first = first or time.monotonic()
                        tokens["decoded"] += bool(said.text)
                        tokens |= said.tokens
                        if shown := text.add(said.text.encode("utf-8", "replace")):
                            yield Piece(request.id, shown, round(said.logprob, 4))
                        if said.ended:
                            reason = said.ended
                            break
                        if text.full:
                            reason = "stop"
                        elif why := halted():
                            reason = why
                        elif count < budget.decode + MORE_EVENTS:
                            continue
                        self._server.abandon()
                        break
                    else:
                        raise BackendError("it ended in the middle of its answer")
            except httpx2.HTTPError:
                if not self._server.stopped:
                    raise
                reason = halted() or "cancelled"
        now = time.monotonic()
        spent = {
            "prefill": round(((first or now) - began) * 1000, 2),
            "decode": round((now - (first or now)) * 1000, 2),
        }
        yield Done(request.id, reason, tokens=tokens, ms=spent)

    @contextlib.contextmanager
    def _one_line_errors(self) -> Generator[None]:
        try:
            yield
        except BackendError as error:
            error.args = (f"{self._server.base}: {error}",)
            raise
        except httpx2.HTTPError as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise BackendError(
                f"{self._server.base} cannot be reached: {reason}",
                "start the server there, or: wicket model use wicket-base",
            ) from None
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            kind = type(error).__name__
            raise BackendError(
                f"{self._server.base} answered something unexpected ({kind})"
            ) from None
