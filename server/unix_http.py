"""Serve an ASGI application on a unix socket of our own: peers checked, idle exit.

uvicorn would bind the socket open to everybody and does not show the peer, so the socket
is bound by us and each connection is looked at when it is made.
"""

import asyncio
import signal
import socket
from collections.abc import Awaitable, Callable

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

# From the order to stop until the connections are cut.
LEAVE_SECONDS = 2


async def serve(
    app: ASGIApp,
    listening: socket.socket,
    *,
    allowed: Callable[[socket.socket], bool],
    idle_seconds: float,
    leave: Callable[[], Awaitable[None]],
) -> None:
    """Answer every connection that `allowed` lets in.

    Returns after `idle_seconds` without one, or on SIGTERM and SIGINT.  `leave` is called
    before connections end: what runs in them should end by itself then.
    """
    loop = asyncio.get_running_loop()
    connections: set[H11Protocol] = set()

    class Peer(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:
            super().connection_made(transport)
            if not allowed(transport.get_extra_info("socket")):
                transport.abort()
                return
            connections.add(self)
            idle.cancel()

        def connection_lost(self, exc: Exception | None) -> None:
            nonlocal idle
            super().connection_lost(exc)
            connections.discard(self)
            if not connections:
                idle.cancel()
                idle = loop.call_later(idle_seconds, end)

    class Server(uvicorn.Server):
        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            idle.cancel()
            await leave()
            await super().shutdown(sockets)

    def end() -> None:
        server.should_exit = True

    server = Server(
        uvicorn.Config(
            app,
            http=Peer,
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=LEAVE_SECONDS,
        )
    )
    idle = loop.call_later(idle_seconds, end)
    # uvicorn raises the signal that ended it once more, when all is done.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _nothing)
    await server.serve([listening])


def _nothing(_number: int, _frame: object) -> None:
    pass
