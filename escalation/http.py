"""The gate over HTTP: Starlette routes for callers on our own socket."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, cast

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from . import noting, task
from .exchange import Exchange
from .freezes import everything
from .gate import NOT_WAITING, Gate, Outside, Unprepared
from .house import Closed
from .outgoing import Denial

LARGEST_SEND = 64 << 10


class TooLarge(ValueError):
    pass


def application(gate: Gate) -> ASGIApp:
    """Every route, behind `guarded`."""

    async def status(_request: Request) -> Response:
        return JSONResponse(gate.status())

    async def prepare(request: Request) -> Response:
        return JSONResponse(await gate.prepare(task.read(await _body(request, task.LARGEST_TASK))))

    async def route(request: Request) -> Response:
        said = _object(await _body(request, task.LARGEST_TASK))
        if type(size := said.get("size", 0)) is not int or size < 0:
            raise task.Malformed("size must be a whole number of bytes, from 0")
        return JSONResponse(gate.route(task.read(said), size))

    async def probe(request: Request) -> Response:
        said = _object(await _body(request, LARGEST_SEND))
        if not isinstance(name := said.get("provider"), str):
            raise task.Malformed("provider must be a name")
        return JSONResponse(await gate.probe(name, said.get("any_tier") is True))

    async def send(request: Request) -> Response:
        said = _object(await _body(request, LARGEST_SEND))
        exchange = await gate.begin(str(said.get("digest")), said.get("approval"))
        return _Stream(exchange)

    async def tools(request: Request) -> Response:
        said = _object(await _body(request, task.LARGEST_TASK))
        await gate.answer(request.path_params["id"], said)
        return JSONResponse({})

    async def applied(request: Request) -> Response:
        said = _object(await _body(request, LARGEST_SEND))
        return JSONResponse({"seq": await gate.applied(request.path_params["id"], said)})

    async def freeze(request: Request) -> Response:
        said = _object(await _body(request, LARGEST_SEND))
        if not isinstance(frozen := said.get("frozen"), bool):
            raise task.Malformed("frozen must be true or false")
        scope = _object(said.get("scope", {}))
        await gate.freeze(frozen, str(said.get("reason", "")), scope)
        rows = gate.house.frozen()
        return JSONResponse(
            {"frozen": everything(rows), "freezes": [row.as_json() for row in rows]}
        )

    async def cancel(request: Request) -> Response:
        known = gate.cancel(request.path_params["id"])
        return JSONResponse({"cancelled": known}, 200 if known else 404)

    async def notes(request: Request) -> Response:
        log, said = noting.read(await _body(request, noting.LARGEST))
        return JSONResponse({"seqs": await gate.note(log, said)})

    routes = [
        Route("/v1/status", status),
        Route("/v1/prepare", _said(prepare), methods=["POST"]),
        Route("/v1/route", _said(route), methods=["POST"]),
        Route("/v1/probe", _said(probe), methods=["POST"]),
        Route("/v1/send", _said(send), methods=["POST"]),
        Route("/v1/freeze", _said(freeze), methods=["POST"]),
        Route("/v1/exchanges/{id}/tools", _said(tools), methods=["POST"]),
        Route("/v1/exchanges/{id}/applied", _said(applied), methods=["POST"]),
        Route("/v1/exchanges/{id}", cancel, methods=["DELETE"]),
        Route("/v1/notes", _said(notes), methods=["POST"]),
    ]
    return guarded(Starlette(routes=routes))


def guarded(app: ASGIApp) -> ASGIApp:
    """Refuse what a browser could have been made to send: `Host` must be `wicket`, and an
    `Origin` is always wrong."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(name.lower(), value) for name, value in scope.get("headers", ())]
        hosts = [value for name, value in headers if name == b"host"]
        if scope["type"] != "http" or hosts != [b"wicket"] or b"origin" in dict(headers):
            refusal = JSONResponse({"reason": "this is no web server"}, 403)
            await refusal(scope, receive, send)
        else:
            await app(scope, receive, send)

    return serve


Handler = Callable[[Request], Awaitable[Response]]


def _said(handler: Handler) -> Handler:
    """`handler`, with the gate's answers of no as responses."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except Denial as error:
            return JSONResponse({"rule": error.rule, "reason": str(error)}, 403)
        except Outside as error:
            return JSONResponse({"reason": str(error), "needs": error.needs}, 409)
        except Unprepared:
            return JSONResponse({"reason": NOT_WAITING}, 404)
        except TooLarge as error:
            return JSONResponse({"reason": str(error)}, 413)
        except task.Malformed as error:
            return JSONResponse({"reason": str(error)}, 400)
        except Closed as error:
            return JSONResponse({"reason": str(error), "fix": error.fix}, 503)

    return answer


def _object(body: object) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise task.Malformed("the body must be a JSON object")
    return cast(dict[str, Any], body)


async def _body(request: Request, limit: int) -> object:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > limit:
            raise TooLarge(f"the body is larger than {limit} bytes")
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise task.Malformed("the body is not JSON") from None


class _Stream(Response):
    """An exchange as server-sent events; who hangs up cancels it, and its outcome is
    written all the same."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(media_type="text/event-stream")
        del self.headers["content-length"]
        self._exchange = exchange

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        events: asyncio.Queue[bytes] = asyncio.Queue()

        def emit(name: str, members: dict[str, Any]) -> None:
            events.put_nowait(f"event: {name}\ndata: {json.dumps(members)}\n\n".encode())

        work = self._exchange.start(emit)
        work.add_done_callback(lambda _: events.put_nowait(b""))
        watch = asyncio.ensure_future(self._gone(receive))
        try:
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(start)
            while event := await events.get():
                await send({"type": "http.response.body", "body": event, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        finally:
            watch.cancel()
            self._exchange.cancel("the client went away")

    async def _gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._exchange.cancel("the client went away")
