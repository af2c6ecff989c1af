"""LSP as pygls 2.1 speaks it, mended; the only module that uses pygls's private parts.

A message is taken in when it arrives, in order and at once: what it says about
documents, folders and the life of the server holds for every message after it.  Its
handler runs as one task, which sees the documents as they were at the arrival and which
a cancellation stops.  Every request gets exactly one answer; no answer, popup or log
line carries a traceback or a word of a document.
"""

import asyncio
import contextvars
import inspect
import json
from collections.abc import Callable, Coroutine, Generator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

from cattrs import Converter
from lsprotocol import types
from pygls.capabilities import ServerCapabilitiesBuilder
from pygls.exceptions import JsonRpcException, JsonRpcInvalidParams
from pygls.lsp.server import LanguageServer
from pygls.progress import Progress
from pygls.protocol import LanguageServerProtocol, lsp_method

from . import discreet, jsonrpc, stdio
from .documents import Document, Documents
from .jsonrpc import Id, Malformed, Notification, Reply, Request

Handler = Callable[..., Any]
Steps = Generator[Any, Any, Any]

# Seconds waited, at the end, for a shutdown handler and for the other handlers.
SHUTDOWN_SECONDS = 0.5
HANDLERS_SECONDS = 0.3
# What pygls would do itself when these arrive: keep a second copy of the documents.
KEPT_HERE = (
    types.TEXT_DOCUMENT_DID_OPEN,
    types.TEXT_DOCUMENT_DID_CHANGE,
    types.TEXT_DOCUMENT_DID_CLOSE,
    types.NOTEBOOK_DOCUMENT_DID_OPEN,
    types.NOTEBOOK_DOCUMENT_DID_CHANGE,
    types.NOTEBOOK_DOCUMENT_DID_CLOSE,
)

_arrival: contextvars.ContextVar[Mapping[str, Document] | None]
_arrival = contextvars.ContextVar("arrival", default=None)


class WicketServer(LanguageServer):
    """Where features and commands are registered: `feature`, `command`.

    Handlers are coroutine functions, or functions that are done in a moment.  Params of
    methods that LSP does not know are plain JSON values.  Only `run` starts it.
    """

    # pygls declares it for each class as a plain attribute, too.
    protocol: "WicketProtocol"  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, name: str, version: str) -> None:
        discreet.hush("pygls")
        super().__init__(  # pyright: ignore[reportUnknownMemberType]
            name, version, protocol_cls=WicketProtocol
        )

    @property
    def documents(self) -> Documents:
        """Every document in its newest state, and the workspace's folders."""
        return self.protocol.documents

    def document(self, uri: str) -> Document | None:
        """A document as it was when the message that is being handled arrived."""
        arrival = _arrival.get()
        return (self.documents.open_now if arrival is None else arrival).get(uri)

    def report_server_error(self, error: Exception, source: Any) -> None:
        # pygls would show a popup.
        discreet.report("pygls", error)

    def thread(self) -> Any:
        raise TypeError("a handler in a thread cannot be cancelled: make it async")


def run(
    server: WicketServer,
    client_process_id: int | None = None,
    heard: stdio.Heard = stdio.nothing,
) -> int:
    """Serve the client on standard input and output until it leaves; the exit code."""
    return stdio.run(server.protocol, client_process_id, heard)


class WicketProtocol(LanguageServerProtocol):
    """One client's conversation, to be led by `stdio.run`."""

    def __init__(self, server: WicketServer, converter: Converter) -> None:
        super().__init__(server, converter)
        self.documents = Documents()
        self.progress = _Progress(self)
        # Handlers and commands; pygls leaves their types open.
        self._known: Any = self.fm
        self._send: Callable[[bytes], None] | None = None
        self._initialized = False
        self._order: asyncio.Future[int] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._running: dict[Id, asyncio.Task[None]] = {}
        self._closing: asyncio.Task[None] | None = None
        for method in KEPT_HERE:
            self._known.add_builtin_feature(method, partial(self._pass_on, method))

    # The conversation

    def begin(self, send: Callable[[bytes], None]) -> None:
        self._send = send
        self._order = asyncio.get_running_loop().create_future()

    def receive(self, body: bytes) -> None:
        match jsonrpc.read(body):
            case Request() as request:
                self._request(request)
            case Notification() as notification:
                self._notification(notification)
            case Reply(message):
                self._reply(message)
            case Malformed(msg_id, code, why):
                self._send_data(jsonrpc.error(msg_id, code, why))

    def stop(self, code: int | None = None) -> None:
        """End soon, with `code` or what LSP says: 0 after a shutdown, else 1."""
        if self._order and not self._order.done():
            self._order.set_result(int(not self._shutdown) if code is None else code)

    async def stopped(self) -> int:
        assert self._order
        return await self._order

    async def finish(self) -> None:
        if self._closing:
            # `exit` may come right behind `shutdown`.
            await asyncio.wait({self._closing}, timeout=SHUTDOWN_SECONDS)
        for msg_id in list(self._running):
            self._cancel(msg_id)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=HANDLERS_SECONDS)

    # Arrival

    def _request(self, request: Request) -> None:
        method = request.method
        if refusal := self._refusal(request):
            self._send_data(jsonrpc.error(request.id, *refusal))
            return
        try:
            params = self._structured(method, request.params)
        except Exception:  # Whatever the constructors raise, the client sent it.
            why = f"malformed params of {method}"
            self._send_data(jsonrpc.error(request.id, jsonrpc.INVALID_PARAMS, why))
            return
        self._take_in(method, params)
        task = self._start(self._answer(request.id, method, params), request.id)
        self._running[request.id] = task
        if method == types.SHUTDOWN:
            self._closing = task

    def _refusal(self, request: Request) -> tuple[int, str] | None:
        """Why a request is answered with an error at once: code and message."""
        if self._shutdown:
            return jsonrpc.INVALID_REQUEST, "the server is shutting down"
        first = request.method == types.INITIALIZE
        if first and self._initialized:
            return jsonrpc.INVALID_REQUEST, "the server is initialized already"
        if not first and not self._initialized:
            return jsonrpc.NOT_INITIALIZED, "the server is not initialized"
        if request.id in self._running:
            return jsonrpc.INVALID_REQUEST, "the id is another request's"
        if not self._handler(request.method):
            return jsonrpc.METHOD_NOT_FOUND, f"no method {request.method[:80]}"
        return None

    def _notification(self, notification: Notification) -> None:
        method = notification.method
        if method == types.EXIT:
            self.stop()
        if not self._initialized or self._shutdown:
            return
        try:
            params = self._structured(method, notification.params)
        except Exception as error:
            discreet.report(f"malformed params of {method}", error)
            return
        self._take_in(method, params)
        if self._handler(method):
            self._start(self._obey(method, params))

    def _structured(self, method: str, params: Any) -> Any:
        """Params as LSP's type, or as they are where LSP does not know the method."""
        kind = types.METHOD_TO_TYPES.get(method, (None, None, None))[2]
        return params if kind is None else self._converter.structure(params, kind)

    def _take_in(self, method: str, params: Any) -> None:
        """What a message changes for all that follow it, whatever its handler does."""
        match method:
            case types.INITIALIZE:
                self._initialized = True
                wanted = ServerCapabilitiesBuilder.choose_position_encoding
                encoding = wanted(params.capabilities)
                self.documents.encoding = types.PositionEncodingKind(encoding)
                self.documents.change_folders(_folders(params))
                self._start(stdio.outlive(params.process_id, self.stop))
            case types.SHUTDOWN:
                self._shutdown = True
                for msg_id in list(self._running):
                    self._cancel(msg_id)
            case types.CANCEL_REQUEST:
                self._cancel(params.id)
            case types.TEXT_DOCUMENT_DID_OPEN:
                self.documents.open(params.text_document)
            case types.TEXT_DOCUMENT_DID_CHANGE:
                self.documents.change(params)
            case types.TEXT_DOCUMENT_DID_CLOSE:
                self.documents.close(params.text_document.uri)
            case types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS:
                added, removed = params.event.added, params.event.removed
                self.documents.change_folders(
                    (folder.uri for folder in added), (folder.uri for folder in removed)
                )
            case _:
                pass

    def _reply(self, message: dict[str, Any]) -> None:
        """Give the client's answer to whoever waits for it, if anybody still does."""
        msg_id = message.get("id")
        if not isinstance(msg_id, str):  # Ours are, so it answers no question of ours.
            return
        future = self._request_futures.pop(msg_id, None)
        kind = self._result_types.pop(msg_id, None)
        if future is None or future.done():
            return
        try:
            if "error" in message:
                error = self._converter.structure(message["error"], types.ResponseError)
                future.set_exception(JsonRpcException.from_error(error))
            elif kind is None:
                future.set_result(message["result"])
            else:
                future.set_result(self._converter.structure(message, kind).result)
        except Exception:
            future.set_exception(JsonRpcException("the client's answer is malformed"))

    # Handlers

    def _handler(self, method: str) -> Handler | None:
        own, features = self._known.builtin_features, self._known.features
        return own.get(method) or features.get(method)

    def _start(
        self, work: Coroutine[Any, Any, None], msg_id: Id | None = None
    ) -> asyncio.Task[None]:
        context = contextvars.copy_context()
        context.run(_arrival.set, self.documents.open_now)
        context.run(self._ctx_msg_id.set, msg_id)
        task = asyncio.get_running_loop().create_task(work, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _answer(self, msg_id: Id, method: str, params: Any) -> None:
        try:
            result = await _outcome(self._handler(method), params)
            answer = self._encoded(jsonrpc.result(msg_id, result))
        except asyncio.CancelledError:
            answer = self._encoded(_cancelled(msg_id))
        except JsonRpcException as error:
            why = (error.message.splitlines() or [""])[0][:200]
            answer = self._encoded(jsonrpc.error(msg_id, error.code, why))
        except Exception as error:
            discreet.report(method, error)
            why = f"{method} failed ({type(error).__name__})"
            answer = self._encoded(jsonrpc.error(msg_id, jsonrpc.INTERNAL_ERROR, why))
        # One that was cancelled has its answer, and its id may be another's by now.
        if self._running.get(msg_id) is asyncio.current_task():
            del self._running[msg_id]
            self._write(answer)

    async def _obey(self, method: str, params: Any) -> None:
        try:
            await _outcome(self._handler(method), params)
        except Exception as error:
            discreet.report(method, error)

    def _cancel(self, msg_id: Id) -> None:
        if task := self._running.pop(msg_id, None):
            # At once: a handler may take its time to end, or never have begun.
            self._send_data(_cancelled(msg_id))
            task.cancel()

    def _pass_on(self, method: str, params: Any) -> Steps:
        if handler := self._known.features.get(method):
            yield handler, (params,), None

    @lsp_method(types.INITIALIZE)
    def lsp_initialize(self, params: types.InitializeParams) -> Steps:
        result = yield from super().lsp_initialize(params)
        offered = types.TEXT_DOCUMENT_INLINE_COMPLETION in self._known.features
        if offered and result.capabilities.inline_completion_provider is None:
            # Registered without options, which pygls takes for absent.
            options = types.InlineCompletionOptions()
            result.capabilities.inline_completion_provider = options
        return result

    @lsp_method(types.WORKSPACE_EXECUTE_COMMAND)
    def lsp_workspace__execute_command(self, params: types.ExecuteCommandParams) -> Steps:
        try:
            return (yield from super().lsp_workspace__execute_command(params))
        except JsonRpcInvalidParams:
            known = params.command in self._known.commands
            why = "malformed arguments of" if known else "no command"
            raise JsonRpcInvalidParams(f"{why} {params.command[:80]}") from None

    # Output

    def _send_data(self, data: Any) -> None:
        """What pygls itself sends, too, goes through here."""
        self._write(self._encoded(data))

    def _encoded(self, message: Any) -> bytes:
        return json.dumps(message, default=self._serialize_message).encode()

    def _write(self, body: bytes) -> None:
        if self._send:
            self._send(body)


class _Progress(Progress):
    def end(self, token: types.ProgressToken, value: types.WorkDoneProgressEnd) -> None:
        """pygls would keep the token for ever."""
        super().end(token, value)
        cast(Any, self).tokens.pop(token, None)


async def _outcome(handler: Handler | None, *arguments: Any, **named: Any) -> Any:
    """What a handler gives: a function, a coroutine function or, as pygls's own are, a
    generator that yields further handlers with their arguments."""
    assert handler
    result = handler(*arguments, **named)
    if not inspect.isgenerator(result):
        return await result if inspect.isawaitable(result) else result
    steps, value = cast(Steps, result), None
    while True:
        try:
            inner, arguments, more = steps.send(value)
        except StopIteration as end:
            return end.value
        value = await _outcome(inner, *arguments, **(more or {}))


def _folders(params: types.InitializeParams) -> list[str]:
    if params.workspace_folders:
        return [folder.uri for folder in params.workspace_folders]
    if params.root_uri:
        return [params.root_uri]
    return [Path(params.root_path).as_uri()] if params.root_path else []


def _cancelled(msg_id: Id) -> dict[str, Any]:
    return jsonrpc.error(msg_id, jsonrpc.CANCELLED, "cancelled")
