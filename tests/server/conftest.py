"""Fixtures of more than one file: a user, and one of a gate with a provider on the loopback."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from wicket.server import processes

from ..escalation.provider import ProviderServer
from . import home as user
from .gate_home import Home


@pytest.fixture
def plain_home() -> Iterator[user.Home]:
    with tempfile.TemporaryDirectory(prefix="wc", dir="/tmp") as folder:
        made = user.Home(Path(folder))
        yield made
        for found in processes.running(made.sockets) if made.sockets.exists() else []:
            assert processes.stop(found)


@pytest.fixture
async def server() -> AsyncIterator[ProviderServer]:
    made = ProviderServer()
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
async def home(server: ProviderServer) -> AsyncIterator[Home]:
    """In a short path: a socket's may have 100 bytes."""
    with tempfile.TemporaryDirectory(prefix="wg", dir="/tmp") as folder:
        made = Home(Path(folder), server.port)
        yield made
        await made.stop()
        assert server.connections <= len(made.records("intent"))
