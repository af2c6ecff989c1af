"""What a conversation asks of the engine, counted where the engine hears it."""

import asyncio
from pathlib import Path

from wicket import __version__
from wicket.completion.client import EngineClient
from wicket.completion.cursor import Cursor
from wicket.server.app import Completions
from wicket.server.session import PREFETCH_SECONDS, Session

from .planted import Planted, serving, startup_in

BEFORE, SUGGESTED = "x = ", "value.first(other) + 1"


async def test_the_rest_of_what_was_taken_in_part_asks_no_engine(tmp_path: Path) -> None:
    """Word by word; nor is what follows the whole of it asked for again at each of them."""
    backend = Planted(lambda request: SUGGESTED if request.prefix.endswith(BEFORE) else "")
    async with serving(tmp_path, backend) as connect:
        completions = Completions(startup_in(tmp_path))
        completions.engine = EngineClient(connect, __version__)
        session = Session(completions)
        wanted = completions.startup.effective.settings.completion

        async def suggested(taken: str) -> str:
            text = BEFORE + taken
            cursor = Cursor("a.py", "python", text + "\n", len(text))
            found = await session.suggest("file:///a.py", cursor, wanted, "auto")
            # Longer than until what follows would be asked for.
            await asyncio.sleep(6 * PREFETCH_SECONDS)
            return found.text if found else ""

        assert await suggested("") == SUGGESTED
        asked = [request.priority for request in backend.requests]
        assert asked[-2:] == ["auto", "prefetch"]
        for word in ("value", "value.", "value.first", "value.first(other) +"):
            assert await suggested(word) == SUGGESTED[len(word) :]
        assert [request.priority for request in backend.requests] == asked
        # What was not foreseen is asked for, or the count would mean nothing.
        assert await suggested("other") == ""
        assert len(backend.requests) > len(asked)
        await completions.engine.close()
