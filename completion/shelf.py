"""Several models in one engine: which one answers, and which ones stay in memory.

A profile names a model for some languages, or for who asks by hand.  A model is loaded at
its first request; where memory runs out, the one that was unused for longest leaves.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from .engine import Answer, Backend, BackendError, Halted
from .wire import Complete, Done, Priority, State

Trigger = Literal["any", "auto", "manual"]
# After a failure to load, until the next attempt.
RETRY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Profile:
    """Where `model` answers: no `languages` means any."""

    model: str
    languages: tuple[str, ...] = ()
    trigger: Trigger = "any"


def model_for(profiles: Sequence[Profile], language: str, priority: Priority) -> str | None:
    """The model of the profile that fits best: one that names the language before one that
    names how it was asked, the first among equals.  None where none fits."""
    asked = "manual" if priority == "manual" else "auto"
    fitting = [
        profile
        for profile in profiles
        if (not profile.languages or language in profile.languages)
        and profile.trigger in ("any", asked)
    ]
    best = max(fitting, key=lambda one: (bool(one.languages), one.trigger != "any"), default=None)
    return best.model if best else None


@dataclass(frozen=True, slots=True)
class Held:
    """A loaded model: `size` in bytes, `used` when it last answered."""

    name: str
    size: int
    used: float


def to_unload(held: Sequence[Held], needed: int, budget: int) -> tuple[str, ...]:
    """What has to leave so that `needed` bytes more are within `budget`, those unused for
    longest first.  All of them where even that is not enough: the person chose the model."""
    left = sum(one.size for one in held)
    gone: list[str] = []
    for one in sorted(held, key=lambda one: one.used):
        # What takes nothing here, a server, gives nothing back.
        if left + needed <= budget:
            break
        if one.size:
            gone.append(one.name)
            left -= one.size
    return tuple(gone)


@dataclass(slots=True)
class Member:
    """A model that may be loaded: `make` gives a backend, `size` is what it takes in bytes.

    `languages` are LSP identifiers, none meaning any.
    """

    name: str
    make: Callable[[], Backend]
    size: int
    languages: tuple[str, ...] = ()
    backend: Backend | None = None
    used: float = 0.0
    due: float = 0.0
    why: str = ""

    def speaks(self, language: str) -> bool:
        return not self.languages or language in self.languages


class Shelf:
    """A `Backend` over several models; the first is the one without a profile.

    `_lock` guards `_active` and `_stopped`.
    """

    def __init__(
        self,
        members: Sequence[Member],
        profiles: Sequence[Profile],
        budget: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._members = {member.name: member for member in members}
        self._first = members[0]
        self._profiles = profiles
        self._budget = budget
        self._clock = clock
        self._active: Backend | None = None
        self._stopped = False
        self._lock = threading.Lock()

    def load(self, progress: Callable[[float], None]) -> None:
        self._loaded(self._first, progress)

    def describe(self, state: State) -> State:
        """The first model, what the others add, and which are in memory."""
        members = self._members.values()
        backend = self._first.backend
        known = backend.describe(replace(state, model=self._first.name)) if backend else state
        anything = any(not member.languages for member in members)
        languages = dict.fromkeys(name for member in members for name in member.languages)
        named = {name for profile in self._profiles for name in profile.languages}
        automatic = {name: model_for(self._profiles, name, "auto") for name in sorted(named)}
        return replace(
            known,
            languages=() if anything else tuple(languages),
            profiles={name: model for name, model in automatic.items() if model},
            held=tuple(member.name for member in members if member.backend),
            reason="; ".join(f"{m.name}: {m.why}" for m in members if m.why) or known.reason,
        )

    def interrupt(self) -> None:
        with self._lock:
            self._stopped = True
            if self._active:
                self._active.interrupt()

    def resume(self) -> None:
        with self._lock:
            self._stopped = False

    def complete(self, request: Complete, halted: Halted) -> Iterator[Answer]:
        member = self._chosen(request)
        backend = self._loaded(member, lambda _share: None)
        member.used = self._clock()
        with self._lock:
            self._active = backend
            backend.resume()
            if self._stopped:
                backend.interrupt()
        try:
            for answer in backend.complete(request, halted):
                if isinstance(answer, Done):
                    # A chain has said already which of its own it was.
                    family = backend.describe(State(member.name, "", "ready")).family
                    answer = replace(
                        answer,
                        model=answer.model or member.name,
                        family=answer.family or family,
                    )
                yield answer
        finally:
            with self._lock:
                self._active = None

    def _chosen(self, request: Complete) -> Member:
        """The profile's model; the first one while that cannot be loaded."""
        name = model_for(self._profiles, request.language, request.priority)
        member = self._members.get(name or "", self._first)
        if member.why and self._clock() < member.due and self._first.speaks(request.language):
            return self._first
        if not member.backend and member is not self._first:
            try:
                self._loaded(member, lambda _share: None)
            except BackendError:
                if not self._first.speaks(request.language):
                    raise
                return self._first
        return member

    def _loaded(self, member: Member, progress: Callable[[float], None]) -> Backend:
        """The member's backend.  Raises BackendError."""
        if member.backend:
            return member.backend
        held = [Held(m.name, m.size, m.used) for m in self._members.values() if m.backend]
        for name in to_unload(held, member.size, self._budget):
            self._unload(self._members[name])
        backend = member.make()
        try:
            backend.load(progress)
        except BackendError as error:
            member.why, member.due = str(error), self._clock() + RETRY_SECONDS
            raise
        member.backend, member.why, member.used = backend, "", self._clock()
        return backend

    def _unload(self, member: Member) -> None:
        backend, member.backend = member.backend, None
        close: Callable[[], None] | None = getattr(backend, "close", None)
        if close:
            close()
