"""Which of several engines speaks: a distant one as long as it answers in time.

A request goes to the first tier that is up.  An automatic one that waits longer than our
patience for its first word is handed on to the next tier, and a tier that keeps being
late or fails is passed by.  It is probed again when somebody asks and a pause is over:
while nobody types, nothing is sent and nothing wakes up.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from .dialects import HOLE
from .engine import Answer, Backend, BackendError, Halted
from .wire import Complete, Piece, Priority, State

logger = logging.getLogger(__name__)

# Late answers in a row after which a tier is passed by.
LATE = 2
# Answers in time after which what happened before is forgotten.
PROVED = 5
# Seconds between probes, longer each time.
PAUSES = (1.0, 2.0, 5.0, 10.0, 30.0)
# A distant tier that has not said by then what it is joins later.
LOAD_SECONDS = 2.0
# The longest that a probe's completion may take.
PROBE_SECONDS = 5.0
PROBE = Complete(0, "numbers.py", "python", *HOLE, priority="warm")


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of a tier; every event gives the next value.  Times are monotonic."""

    state: Literal["up", "slow", "down"] = "down"
    why: str | None = None
    fix: str | None = None
    due: float = 0.0
    late: int = 0
    good: int = 0
    lapses: int = 0

    def in_time(self) -> "Health":
        good = self.good + 1
        return Health("up", good=good, lapses=0 if good >= PROVED else self.lapses)

    def was_late(self, ms: float, now: float) -> "Health":
        late = self.late + 1
        if late < LATE and self.state == "up":
            return replace(self, late=late)
        why = f"takes over {ms:.0f} ms for its first word"
        return self._lapsed("slow", why, "wait, or ask by hand", now, None)

    def failed(self, error: BackendError, now: float) -> "Health":
        return self._lapsed("down", str(error), error.fix, now, error.wait)

    def recovered(self) -> "Health":
        return Health("up", lapses=self.lapses)

    def serves(self, priority: Priority) -> bool:
        """Who asks by hand waits for a slow tier; nobody else does."""
        return self.state == "up" or (self.state == "slow" and priority == "manual")

    def _lapsed(
        self,
        state: Literal["slow", "down"],
        why: str,
        fix: str | None,
        now: float,
        wait: float | None,
    ) -> "Health":
        pause = PAUSES[min(self.lapses, len(PAUSES) - 1)]
        due = now + (pause if wait is None else max(pause, wait))
        return Health(state, why, fix, due, lapses=self.lapses + 1)


@dataclass(slots=True)
class Tier:
    """One engine of the chain.  `languages` are LSP identifiers, none meaning any."""

    name: str
    backend: Backend
    distant: bool
    languages: tuple[str, ...] = ()
    health: Health = field(default_factory=Health)
    loaded: bool = False
    # A thread of its own has the backend; the engine's thread keeps away from it.
    probed: bool = False

    def set(self, health: Health) -> None:
        if health.state != self.health.state:
            logger.warning("%s is %s%s", self.name, health.state, f": {health.why or ''}"[:200])
        self.health = health

    def speaks(self, language: str) -> bool:
        return not self.languages or language in self.languages


class Tiers:
    """A `Backend` over several, the best first.

    `_lock` guards `_active`, `_stopped` and every `Tier.probed`.
    """

    def __init__(self, tiers: Sequence[Tier], patience_ms: int) -> None:
        self._tiers = tiers
        self._patience = patience_ms / 1000
        self._active: Tier | None = None
        self._stopped = False
        self._lock = threading.Lock()

    def load(self, progress: Callable[[float], None]) -> None:
        """Raises BackendError where no tier is ready; one that is enough."""
        for tier in self._tiers:
            if tier.distant and (probe := self._probe(tier)):
                probe.join(LOAD_SECONDS)
            elif not tier.distant:
                self._load(tier, progress)
            if tier.health.state != "down":
                return
        first = self._tiers[0].health
        whys = "; ".join(t.health.why or f"{t.name} does not answer" for t in self._tiers)
        raise BackendError(whys, first.fix)

    def describe(self, state: State) -> State:
        """The tier that an automatic request would get, and why no better one."""
        speaking = next((t for t in self._tiers if t.health.state == "up"), None)
        if speaking is None:
            return state
        silent = self._tiers[: self._tiers.index(speaking)]
        whys = [f"{t.name}: {t.health.why or 'does not answer'}" for t in silent]
        known = speaking.backend.describe(replace(state, model=speaking.name))
        anything = any(not t.languages for t in self._tiers)
        names = dict.fromkeys(name for tier in self._tiers for name in tier.languages)
        return replace(
            known,
            languages=() if anything else tuple(names),
            reason="; ".join(whys) or known.reason,
            fix=silent[0].health.fix if silent else known.fix,
        )

    def interrupt(self) -> None:
        with self._lock:
            self._stopped = True
            if self._active:
                self._active.backend.interrupt()

    def resume(self) -> None:
        with self._lock:
            self._stopped = False

    def complete(self, request: Complete, halted: Halted) -> Iterator[Answer]:
        whys: list[str] = []
        for tier in self._tiers:
            if not tier.speaks(request.language):
                whys.append(f"{tier.name} does not know {request.language}")
            elif self._ready(tier, request.priority):
                try:
                    yield from self._ask(tier, request, halted)
                except _Passed as passed:
                    whys.append(f"{tier.name}: {passed}")
                else:
                    return
            else:
                whys.append(f"{tier.name}: {tier.health.why or 'does not answer'}")
        raise BackendError("; ".join(whys), self._tiers[0].health.fix)

    def _ready(self, tier: Tier, priority: Priority) -> bool:
        with self._lock:
            if tier.health.serves(priority) and not tier.probed:
                return True
        if tier.distant:
            self._probe(tier)
        elif time.monotonic() >= tier.health.due:
            self._load(tier, lambda _share: None)
        return tier.health.serves(priority) and not tier.probed

    def _ask(self, tier: Tier, request: Complete, halted: Halted) -> Iterator[Answer]:
        """The tier's answer; raises _Passed where the next one is to answer instead."""
        watch = Watch(tier.backend, self._patience)
        began = time.monotonic()
        with self._lock:
            self._active = tier
            tier.backend.resume()
            if self._stopped:
                tier.backend.interrupt()
        if tier.distant and request.priority == "auto":
            watch.start()
        spoken = False
        try:
            for answer in tier.backend.complete(request, halted):
                watch.end()
                now = time.monotonic()
                late = watch.late or now - began > self._patience
                if tier.distant and not spoken and halted() != "cancelled":
                    ms = (now - began) * 1000
                    health = tier.health
                    tier.set(health.was_late(ms, now) if late else health.in_time())
                if isinstance(answer, Piece):
                    spoken = True
                elif watch.late and not spoken and not halted():
                    raise _Passed(f"takes over {self._patience * 1000:.0f} ms")
                else:
                    family = tier.backend.describe(State(tier.name, "", "ready")).family
                    answer = replace(answer, model=tier.name, family=family)
                yield answer
        except BackendError as error:
            if not tier.distant:
                raise
            tier.set(tier.health.failed(error, time.monotonic()))
            if spoken or halted():
                raise
            raise _Passed(str(error)) from None
        finally:
            watch.end()
            with self._lock:
                self._active = None

    def _load(self, tier: Tier, progress: Callable[[float], None]) -> None:
        try:
            tier.backend.load(progress)
            known = tier.backend.describe(State(tier.name, "", "ready", languages=tier.languages))
            tier.languages, tier.loaded = known.languages, True
            tier.set(tier.health.recovered())
        except BackendError as error:
            tier.set(tier.health.failed(error, time.monotonic()))

    def _probe(self, tier: Tier) -> threading.Thread | None:
        """Look in the background whether a tier is there again, unless it is too early."""
        with self._lock:
            if tier.probed or time.monotonic() < tier.health.due:
                return None
            tier.probed = True
        thread = threading.Thread(target=self._look, args=(tier,), daemon=True)
        thread.start()
        return thread

    def _look(self, tier: Tier) -> None:
        try:
            tier.backend.resume()
            if not tier.loaded:
                self._load(tier, lambda _share: None)
            if tier.loaded:
                spent = self._sample(tier)
                if spent > self._patience:
                    # The first answer of a server that was idle says little about the second.
                    spent = self._sample(tier)
                slow = tier.health.was_late(spent * 1000, time.monotonic())
                in_time = spent <= self._patience
                tier.set(tier.health.recovered() if in_time else replace(slow, state="slow"))
        except BackendError as error:
            tier.set(tier.health.failed(error, time.monotonic()))
        finally:
            tier.probed = False

    def _sample(self, tier: Tier) -> float:
        """Seconds to the first word of a small completion, PROBE_SECONDS at most."""
        watch, began = Watch(tier.backend, PROBE_SECONDS), time.monotonic()
        watch.start()
        try:
            for _answer in tier.backend.complete(PROBE, lambda: None):
                return time.monotonic() - began
        finally:
            watch.end()
            tier.backend.resume()
        return PROBE_SECONDS


class Watch:
    """Interrupts a backend that says nothing for so many seconds."""

    def __init__(self, backend: Backend, seconds: float) -> None:
        self.late = False
        self._backend = backend
        self._ended = False
        self._lock = threading.Lock()
        self._timer = threading.Timer(seconds, self._lapse)
        self._timer.daemon = True

    def start(self) -> None:
        self._timer.start()

    def end(self) -> None:
        with self._lock:
            self._ended = True
        self._timer.cancel()

    def _lapse(self) -> None:
        with self._lock:
            if not self._ended:
                self.late = True
                self._backend.interrupt()


class _Passed(Exception):
    """A tier gave no answer; the next one is asked."""
