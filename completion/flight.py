"""A suggestion on its way: it is kept while what was typed since agrees with its text."""

import asyncio
from collections.abc import Callable, Coroutine

from .cursor import Cursor, Suggestion
from .recent import Spot
from .trim import Mode

# How long a request that nobody waits for any more runs on.  Editors cancel a request at
# each key and ask anew within this time; until then most of the answer may be there.
LINGER_SECONDS = 0.15

Hear = Callable[[str], None]
# Starts the work; what the model says meanwhile is passed on, piece by piece.
Ask = Callable[[Hear], Coroutine[None, None, Suggestion]]


class Flight:
    """One request to the engine, for which the requests of later keys may wait too."""

    def __init__(self, cursor: Cursor, mode: Mode, ask: Ask) -> None:
        self.path = cursor.path
        self._about = (cursor.path, mode)
        self._spot = Spot.of(cursor)
        self._said = ""
        self._waiting = 0
        self._news = asyncio.Event()
        self._task: asyncio.Task[Suggestion] = asyncio.ensure_future(ask(self._hear))
        self._task.add_done_callback(self._landed)

    @property
    def over(self) -> bool:
        return self._task.done()

    @property
    def awaited(self) -> bool:
        return self._waiting > 0

    def began_at(self, cursor: Cursor) -> bool:
        return self._spot.typed(cursor) == self._spot.closed(cursor) == ""

    def carries(self, cursor: Cursor, mode: Mode) -> bool:
        """Whether the answer, which has to be on its way, may still be one for `cursor`."""
        typed = self._spot.typed(cursor) if self._about == (cursor.path, mode) else None
        if typed is None or self.over:
            return False
        return self._said.startswith(typed) or typed.startswith(self._said)

    async def land(self, cursor: Cursor, mode: Mode) -> Suggestion | None:
        """The suggestion for where the flight began; None once it cannot be for `cursor`.

        Raises what the asking raises.  When the last waiter is cancelled the work goes on
        for LINGER_SECONDS.
        """
        self._waiting += 1
        try:
            while not self.over:
                if not self.carries(cursor, mode):
                    return None
                self._news.clear()
                await self._news.wait()
        finally:
            self._waiting -= 1
            if not self._waiting and not self.over:
                asyncio.get_running_loop().call_later(LINGER_SECONDS, self._give_up)
        return None if self._task.cancelled() else self._task.result()

    def cancel(self) -> None:
        self._task.cancel()

    def _hear(self, piece: str) -> None:
        self._said += piece
        self._news.set()

    def _landed(self, task: asyncio.Task[Suggestion]) -> None:
        self._news.set()
        if not task.cancelled():
            # An error that nobody waits for any more is no news.
            task.exception()

    def _give_up(self) -> None:
        if not self._waiting:
            self._task.cancel()
