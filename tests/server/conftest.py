"""Fixtures of more than one file."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from wicket.server import processes

from .home import Home


@pytest.fixture
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="wc", dir="/tmp") as folder:
        made = Home(Path(folder))
        yield made
        for found in processes.running(made.sockets) if made.sockets.exists() else []:
            assert processes.stop(found)
