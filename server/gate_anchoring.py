"""The gate anchors its log by itself, and sends nothing when it could not for too long.

The gate may start no program and reach no host but the providers.  `wicket audit anchor`,
started by the launcher that was split off before the limits were set, does the carrying;
it takes the places from the settings, and tells the gate by a note like everybody's.
"""

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from ..escalation.audit import AuditError
from ..escalation.audit.anchors import last_reached, shown
from ..escalation.audit.leaf import timestamp
from ..escalation.audit.records import Anchor, Record
from ..escalation.house import Closed
from . import processes
from .launcher import Launcher
from .settings import AuditSettings

# Until the next attempt where one failed, or where somebody wants to send and may not.
AGAIN_SECONDS = 60.0
# How often is looked whether there is something new.
LOOK_SECONDS = 1.0
# git is given up after a minute for each of its calls; there are at most so many of them.
CARRY_SECONDS = 900.0
POLL_SECONDS = 0.1

# Runs `wicket audit anchor`; the last line of what it complained of, empty where it did not.
Carry = Callable[[], Awaitable[str]]


@dataclass(slots=True)
class Anchoring:
    """When each place was reached last, and whether that is too long ago.

    `places` are those of the settings, by name; `limit` is in seconds, None for never.
    """

    places: Mapping[str, str]
    every: float
    limit: float | None
    carry: Carry
    now: Callable[[], float] = time.time
    look: float = LOOK_SECONDS
    reached: dict[str, float] = field(default_factory=dict[str, float])
    trouble: str = ""
    # What this process found at its start may be news, too.
    _anchored: int = -1
    _wanted: asyncio.Event = field(default_factory=asyncio.Event)
    _again: float = 0.0

    @classmethod
    def of(cls, settings: AuditSettings, carry: Carry) -> "Anchoring":
        hours = settings.refuse_after_unanchored_hours
        limit = None if hours == "never" else hours * 3600.0
        places = {name: shown(place) for name, place in settings.anchor.items()}
        return cls(places, settings.anchor_minutes * 60.0, limit, carry)

    def recall(self, directory: Path) -> None:
        """Read in the log's end when each place was reached.  What cannot be read, was not."""
        since = timestamp(int(1000 * (self.now() - max(self.every, self.limit or 0.0))))
        with contextlib.suppress(AuditError, OSError):
            for place, ts in last_reached(directory, set(self.places.values()), since).items():
                self.reached[place] = datetime.fromisoformat(ts).timestamp()

    def heard(self, record: Record) -> None:
        """A note was written: of an anchor, perhaps."""
        if isinstance(record, Anchor):
            self.reached[record.place] = self.now()

    def hindrance(self) -> Closed | None:
        """Why nothing may be sent now, or None."""
        if self.limit is None:
            return None
        if not self.places:
            return Closed(
                "the log is to be anchored, but nowhere", "name a place in [audit.anchor]"
            )
        for name, place in self.places.items():
            age = self._age(place)
            if age > self.limit:
                self._wanted.set()
                since = "never" if place not in self.reached else f"{age / 3600:.0f} h ago"
                why = f": {self.trouble}" if self.trouble else ""
                reason = f"the log was last anchored in {name} {since}{why}"
                return Closed(reason, "wicket audit anchor")
        return None

    async def run(self, news: Callable[[], int]) -> None:
        """Anchor when it is due and there is something new, until cancelled.

        `news` counts the records that are worth it.  An idle gate anchors no more, so that
        its own notes do not keep it from leaving.
        """
        while self.places:
            wanted = self._wanted.is_set()
            pause = self._again - self.now()
            due = pause if wanted else max(self._due(), pause)
            if due <= 0 and (wanted or news() > self._anchored):
                await self._attempt(news())
                continue
            with contextlib.suppress(TimeoutError):
                heard = asyncio.Event() if wanted else self._wanted
                await asyncio.wait_for(heard.wait(), self.look)

    async def _attempt(self, news: int) -> None:
        self._wanted.clear()
        self._again = self.now() + AGAIN_SECONDS
        trouble = await self.carry()
        if trouble and trouble != self.trouble:
            print(f"wicket gate: not anchored: {trouble}", file=sys.stderr, flush=True)
        self.trouble = trouble
        if not trouble:
            self._anchored = news

    def _due(self) -> float:
        """Seconds until the first place is due."""
        first = min(self.reached.get(place, 0.0) for place in self.places.values())
        return first + self.every - self.now()

    def _age(self, place: str) -> float:
        return max(0.0, self.now() - self.reached.get(place, 0.0))


def by_launcher(launcher: Launcher, folder: Path) -> Carry:
    """`folder` is where a limited process may make a file that nobody sees."""

    async def carry() -> str:
        return await asyncio.to_thread(_carried, launcher, folder)

    return carry


def _carried(launcher: Launcher, folder: Path) -> str:
    with tempfile.TemporaryFile(dir=folder) as said:
        try:
            started = launcher.spawn(processes.command("audit", "anchor"), said, said)
        except OSError as error:
            return f"it cannot be started: {error.strerror}"
        begun = time.monotonic()
        while started.poll() is None:
            if time.monotonic() - begun > CARRY_SECONDS:
                return "it takes too long"
            time.sleep(POLL_SECONDS)
        said.seek(0)
        lines = said.read().decode("utf-8", "replace").strip().splitlines()
    if started.returncode == 0:
        return ""
    return (lines or ["no reason given"])[-1].removeprefix("wicket audit anchor: ")[:300]
