"""LSP as pygls 2.1 speaks it, mended; the only module that touches pygls's private parts.

A message is taken in when it arrives, in order and at once: what it says about documents,
folders and the life of the server holds for every message after it.  Its handler then runs
as one task, sees the documents as they were at that moment, and is what a cancellation
stops.  Every request gets exactly one answer; no answer, popup or log line carries a
traceback or a word of a document.
"""

import asyncio
import contextvars
import inspect
import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Mapping
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

from cattrs import Converter
from lsprotocol import types
from pygls.capabilities import ServerCapabilitiesBuilder
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer
from pygls.progress import Progress
from pygls.protocol import LanguageServerProtocol, lsp_method

from .documents import Document, Documents
from .stdio import Inbox, Outbox, claim, outlive, watchable

logger = logging.getLogger(__name__)

Handler = Callable[..., Any]
MessageId = int | str

# Codes of JSON-RPC 2.0 section 5.1 and LSP 3.18 "ErrorCodes".
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
NOT_INITIALIZED = -32002
CANCELLED = -32800

# Seconds from the order to stop: to a shutdown handler that still runs, to handlers that
# end, to an editor that reads.  VS Code kills two seconds after its order.
SHUTDOWN_SECONDS = 0.5
HANDLERS_SECONDS = 0.3
OUTPUT_SECONDS = 0.3
LEAVE_SECONDS = 1.5

_arrival: contextvars.ContextVar[Mapping[str, Document] | None] = contextvars.ContextVar(
    "arrival", default=None
)


class WicketProtocol(LanguageServerProtocol):
    """Answers one client; made for `run`, which gives it standard input and output."""

    def __init__(self, server: "WicketServer", converter: Converter) -> None:
        super().__init__(server, converter)
        self.documents = Documents()
        self.progress = _Progress(self)
        self._initialized = False
        self._exit_code = 1
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._running: dict[MessageId, asyncio.Task[None]] = {}
        self._closing: asyncio.Task[None] | None = None
        # pygls keeps documents of its own; here they would be a second copy.
        for method in KEPT_HERE:
            self.fm.add_builtin_feature(method, partial(self._pass_on, method))

    # Messages

    def receive(self, body: bytes) -> None:
        """Take in one message as it came from the client."""
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            self._refuse(None, PARSE_ERROR, "the message is not JSON")
        else:
            self.handle_message(message)

    def structure_message(self, data: Any) -> Any:
        # pygls turns every object of a message that has a "jsonrpc" key into a message.
        return data

    def handle_message(self, message: Any) -> None:
        if not isinstance(message, dict):
            return self._refuse(None, INVALID_REQUEST, "a message is a JSON object")
        message = cast(dict[str, Any], message)
        if "method" not in message and ("result" in message or "error" in message):
            return self._settle(message)
        msg_id, method = message.get("id"), message.get("method")
        numbered = isinstance(msg_id, int | str) and not isinstance(msg_id, bool)
        known = msg_id if numbered else None
        if message.get("jsonrpc") != self.VERSION:
            return self._refuse(known, INVALID_REQUEST, "jsonrpc is not 2.0")
        if not isinstance(method, str):
            return self._refuse(known, INVALID_REQUEST, "the method is missing")
        if "id" not in message:
            return self._notified(method, message.get("params"))
        if known is None or known in self._running:
            why = "the id is not a string or integer of its own"
            return self._refuse(None, INVALID_REQUEST, why)
        return self._requested(known, method, message.get("params"))

    def _requested(self, msg_id: MessageId, method: str, params: Any) -> None:
        if self._shutdown:
            return self._refuse(msg_id, INVALID_REQUEST, "the server shuts down")
        if method == types.INITIALIZE and self._initialized:
            return self._refuse(msg_id, INVALID_REQUEST, "initialized already")
        if method != types.INITIALIZE and not self._initialized:
            return self._refuse(msg_id, NOT_INITIALIZED, "not initialized")
        if not (handler := self._handler(method)):
            return self._refuse(msg_id, METHOD_NOT_FOUND, f"no method {method[:80]}")
        try:
            params = self._structured(method, params)
        except Exception:
            # Whatever the constructors raise, the client sent it.
            return self._refuse(msg_id, INVALID_PARAMS, f"malformed params of {method}")
        self._take_in(method, params)
        task = self._start(self._answer(msg_id, method, handler, params), msg_id)
        self._running[msg_id] = task
        if method == types.SHUTDOWN:
            self._closing = task
        return None

    def _notified(self, method: str, params: Any) -> None:
        if method == types.EXIT:
            return self.stop()
        handler = self._handler(method)
        known = handler or method == types.CANCEL_REQUEST
        if not known or not self._initialized or self._shutdown:
            return None
        try:
            params = self._structured(method, params)
        except Exception:
            return logger.warning("malformed params of %s", method)
        if method == types.CANCEL_REQUEST:
            return self._cancel(params.id)
        self._take_in(method, params)
        if handler:
            self._start(self._obey(method, handler, params))
        return None

    def _structured(self, method: str, params: Any) -> Any:
        """Params as LSP's type; plain JSON values where LSP does not know the method."""
        kind = types.METHOD_TO_TYPES[method][2] if method in types.METHOD_TO_TYPES else None
        if kind is None:
            return params
        return self._converter.structure({} if params is None else params, kind)
