"""`wicket engine --listen`: a team's token door, from its files to its end."""

import argparse
import asyncio
import logging
import os
import secrets
import signal
import socket
import ssl
import stat
import sys
from pathlib import Path

from .. import __version__
from ..completion.door import BadTokens, Door, Users, digest, read_users
from ..completion.engine import Backend, Engine
from ..completion.gguf import BadModel
from ..completion.wire import State
from . import app, engine, perimeter
from .engine import Order
from .paths import UnsafePath, private_file

logger = logging.getLogger(__name__)


class Unusable(Exception):
    """Something that the door was given; the message is one line."""


def run(arguments: argparse.Namespace) -> int:
    """Serve until a signal.  An exit code."""
    try:
        users = TokensFile(_given(arguments, "tokens"))
        users.read()
        context = _context(_given(arguments, "cert"), _given(arguments, "key"))
        order = app.order(app.start().with_model(arguments.model))
        listening = _bind(arguments.listen)
    except (BadModel, UnsafePath, BadTokens, Unusable) as error:
        print(f"wicket engine: {error}", file=sys.stderr)
        return 2 if isinstance(error, Unusable) else 1
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    # Its lines name every request.
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    model = order.model
    perimeter.enclose([listening.getsockname()[:2], *engine.addresses((model,))])
    first, *others = _backends(order, arguments.parallel)
    state = State(model.name, model.sha256, "loading", languages=tuple(model.languages))
    serving = Engine(first, state, others)
    serving.start()
    logger.info("a door to %s on %s:%d", model.name, *listening.getsockname()[:2])
    asyncio.run(_until_signal(Door(serving, users, __version__), listening, context))
    serving.close()
    return 0


def add_user(arguments: argparse.Namespace) -> int:
    """Make a token for a new user: its digest goes into the file, it itself to stdout."""
    token = secrets.token_urlsafe(32)
    try:
        path = _given(arguments, "tokens")
        line = f"{arguments.url} {digest(token)}\n"
        read_users(line)
        if path.exists() and arguments.url in TokensFile(path).read().values():
            raise Unusable(f"{arguments.url} has a token; take that line out of {path} first")
        with private_file(path) as file:
            file.write(line.encode())
    except (BadTokens, UnsafePath, Unusable, OSError) as error:
        print(f"wicket engine token: {error}", file=sys.stderr)
        return 1
    print(token)
    return 0


class TokensFile:
    """The users in a file that only its owner may change; read again when it changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] = ()
        self._users: Users = {}

    def __call__(self) -> Users:
        """Nobody, where the file cannot be read: a door that is not sure stays shut."""
        try:
            found = self._path.stat()
            seen = (found.st_mtime_ns, found.st_size, found.st_ino)
            if seen != self._seen:
                self._users, self._seen = self.read(), seen
        except (OSError, BadTokens) as error:
            if self._users or not self._seen:
                logger.error("nobody is let in: %s", error)
            self._users, self._seen = {}, (0,)
        return self._users

    def read(self) -> Users:
        """Raises BadTokens with one line."""
        try:
            found = self._path.stat()
            if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise BadTokens(f"{self._path}: others may write it; chmod go-w")
            if found.st_uid not in (0, os.getuid()):
                raise BadTokens(f"{self._path}: belongs to another user")
            return read_users(self._path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "no UTF-8"
            raise BadTokens(f"{self._path}: {why}") from None
        except BadTokens as error:
            raise BadTokens(f"{self._path}: {error}") from None


def _backends(order: Order, parallel: int) -> list[Backend]:
    """A server takes several requests at once; a model in this process takes one."""
    if order.model.endpoint is None:
        return [engine.local(order)]
    first = engine.distant(order.model)
    return [first, *(first.sibling() for _ in range(parallel - 1))]


async def _until_signal(door: Door, listening: socket.socket, context: ssl.SSLContext) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await door.serve(listening, context, stop)


def _given(arguments: argparse.Namespace, option: str) -> Path:
    value = getattr(arguments, option)
    if value is None:
        raise Unusable(f"say --{option} FILE too")
    return Path(value)


def _context(cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # Both ends are ours, and its handshake costs one round trip less.
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    try:
        for file in (cert, key):
            file.open("rb").close()
        context.load_cert_chain(cert, key)
    except ssl.SSLError:
        raise Unusable(f"{cert} and {key} are no certificate and its key") from None
    except OSError as error:
        raise Unusable(f"{error.filename}: {error.strerror}") from None
    return context


def _bind(where: str) -> socket.socket:
    host, _, port = where.rpartition(":")
    host = host.strip("[]")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise Unusable(f"{where} is not HOST:PORT, like 0.0.0.0:7411")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, int(port)), family=family, backlog=128)
    except OSError as error:
        raise Unusable(f"{where}: {error.strerror}") from None
