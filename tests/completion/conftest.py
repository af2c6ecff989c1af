"""A model takes memory, so none is kept longer than the test that loaded it."""

from collections.abc import Iterator

import pytest

from .test_local import LOADED


@pytest.fixture(autouse=True)
def _models_are_closed() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction]
    before = len(LOADED)
    yield
    while len(LOADED) > before:
        LOADED.pop().close()
