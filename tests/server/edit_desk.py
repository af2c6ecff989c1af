"""Edits through all that a real one goes through, one after the other, in one process.

A gate on its socket with a real log, the wire of a provider on the loopback, and files of a
folder which are read before and after.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from wicket.escalation.http import application
from wicket.escalation.redaction.rules import Pack
from wicket.server import app, edit, processes, settings, undo, unix_http
from wicket.server.ask import NoAnswer, Yes
from wicket.server.change import Target
from wicket.server.edit import Wanted

from ..escalation.gate_world import World
from .gate_home import CLAUDE, Home
from .obedient import Case, Obedient

FILE = "src/edited.py"


async def _leave() -> None:
    pass


class EditDesk:
    """Says yes to everything; `words` is what is said instead of a case's own instruction."""

    def __init__(self, home: Home, world: World, model: Obedient, folder: Path) -> None:
        self.home, self.world, self.model, self.folder = home, world, model, folder
        effective = settings.load(home.paths, None, ())
        self.startup = app.Startup(home.paths, effective, None)

    @classmethod
    @asynccontextmanager
    async def open(cls, place: Path, rules: Pack | None = None) -> AsyncIterator[Self]:
        folder = place.resolve() / "repo"
        (folder / "src").mkdir(parents=True)
        world = World(place / "world")
        gate = await world.start("anthropic", **({} if rules is None else {"rules": rules}))
        home = Home(place / "home", world.server.port)
        home.says(CLAUDE.format(port=world.server.port))
        home.socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        listening = processes.bind(home.socket)
        # A gate has its process for itself, and its signals.
        signals = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
        serving = asyncio.ensure_future(
            unix_http.serve(
                application(gate),
                listening,
                allowed=processes.same_user,
                idle_seconds=600,
                leave=_leave,
            )
        )
        try:
            yield cls(home, world, Obedient(world.server), folder)
        finally:
            signal.raise_signal(signal.SIGTERM)
            await serving
            await world.stop()
            for number, handler in signals.items():
                signal.signal(number, handler)

    async def approve(self, _prepared: Mapping[str, Any]) -> Yes:
        return "user"

    async def widen(self, _why: str) -> bool:
        return False

    def hear(self, _text: str) -> None:
        pass

    def note(self, _what: str) -> None:
        pass

    async def edited(self, text: str, first: int, last: int, words: str) -> str | None:
        """Why nothing was written, or None; `FILE` has what became of `text`."""
        file = self.folder / FILE
        file.write_bytes(text.encode())
        wanted = Wanted((Target(FILE, text, first, last),), self.folder, "edit", words)
        try:
            proposal = await edit.propose(wanted, self.startup, self)
        except NoAnswer as error:
            return str(error)
        assert proposal is not None
        if proposal.broken or proposal.notes:
            return proposal.broken or proposal.notes[0]
        undo.write(self.folder, proposal.changes)
        return None

    async def outcome(self, case: Case) -> str:
        """`right`, or what went wrong."""
        self.model.style = case.style
        why = await self.edited(case.text, case.first, case.last, case.instruction)
        found = (self.folder / FILE).read_bytes().decode()
        if why is None:
            return "right" if found == case.wanted else "another text"
        return why if found == case.text else f"written all the same: {why}"
