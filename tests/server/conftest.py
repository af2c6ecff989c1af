"""A provider on the loopback and a user of its gate, for the tests that send something."""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ..escalation.provider import ProviderServer
from .gate_home import Home


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
