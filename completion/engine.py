"""The engine: one thread per backend, one request at a time in each, the most urgent first.

Requests wait in order of priority; among equals the users take turns, and of one user the
first comes first.  A more urgent one interrupts a less urgent one of the same user,
wherever it stands; a cancelled one stops inside its prefill or after its current token.
Every request gets exactly one `Done`.
"""

import logging
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from .wire import PRIORITIES, Complete, Done, Piece, Reason, State

logger = logging.getLogger(__name__)

# Between two attempts to load, when requests come.
RETRY_SECONDS = 5.0

Answer = Piece | Done
# What a request asks between two tokens: None to go on, else why to stop.
Halted = Callable[[], Reason | None]


class BackendError(Exception):
    """A backend cannot start or go on.  `args[0]` says what and why, `fix` what to do.

    `wait` is how many seconds it asked to be left alone.
    """

    def __init__(self, message: str, fix: str | None = None, wait: float | None = None) -> None:
        super().__init__(message)
        self.fix = fix
        self.wait = wait


def not_installed() -> BackendError:
    """What stands where llama.cpp cannot be imported; everything else still works."""
    return BackendError("llama-cpp-python is not installed", "wicket engine build")


class Backend(Protocol):
    """Where tokens come from.  One thread calls it, but for `interrupt`."""

    def load(self, progress: Callable[[float], None]) -> None:
        """Get ready, reporting the share done; raise BackendError where it cannot."""

    def describe(self, state: State) -> State:
        """`state` with what is known of the model: family, context, measured rates."""
        ...

    def complete(self, request: Complete, halted: Halted) -> Iterator[Answer]:
        """Pieces and then one Done; raise BackendError where it cannot go on."""
        ...

    def interrupt(self) -> None:
        """Make a running computation look at `halted` very soon.  Any thread may call."""

    def resume(self) -> None:
        """Take back an interrupt that came too late."""


class Missing:
    """A `Backend` of which something is not installed."""

    def load(self, progress: Callable[[float], None]) -> None:
        raise not_installed()

    def describe(self, state: State) -> State:
        return state

    def complete(self, request: Complete, halted: Halted) -> Iterator[Answer]:
        raise not_installed()

    def interrupt(self) -> None:
        """Nothing is computed."""

    def resume(self) -> None:
        """Nothing was interrupted."""


@dataclass(slots=True)
class Job:
    """A request on its way.  `halt` is set once, by whoever wants it to stop."""

    request: Complete
    answer: Callable[[Answer], None]
    arrived: float = field(default_factory=time.monotonic)
    halt: Reason | None = None
    # A job that yields to a more urgent one starts again; what it already sent, it skips.
    sent: int = 0

    @property
    def rank(self) -> int:
        return PRIORITIES.index(self.request.priority)

    def outranks(self, other: "Job") -> bool:
        """Whether `other` makes room for this one: nobody waits for a stranger's key."""
        return self.request.user == other.request.user and self.rank < other.rank

    @property
    def late(self) -> bool:
        limit = self.request.deadline_ms
        return limit is not None and time.monotonic() > self.arrived + limit / 1000


class Engine:
    """Runs a backend, and others like it, each in a thread of its own.

    `_lock` guards `_waiting`, `_running`, `_served`, `_state` and every `Job.halt`.
    """

    def __init__(self, backend: Backend, state: State, others: Sequence[Backend] = ()) -> None:
        self._backend = backend
        self._others = others
        self._state = replace(state, state="loading", pid=os.getpid())
        self._waiting: list[Job] = []
        self._running: dict[Backend, Job] = {}
        # When each user last had a turn, those longest ago first.
        self._served: dict[str, float] = {}
        self._closed = False
        self._retry = 0.0
        self._lock = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, job: Job) -> None:
        with self._lock:
            self._waiting.append(job)
            for backend, running in self._running.items():
                if self._full and job.outranks(running):
                    backend.interrupt()
            self._lock.notify()

    def cancel(self, job: Job, reason: Reason = "cancelled") -> None:
        """Stop `job` wherever it is; it still answers with a Done."""
        with self._lock:
            job.halt = job.halt or reason
            for backend, running in self._running.items():
                if running is job:
                    backend.interrupt()
            self._lock.notify()

    @property
    def _full(self) -> bool:
        return len(self._running) > len(self._others)

    def busy_with(self, user: str) -> int:
        """How many requests of a user wait or run."""
        with self._lock:
            jobs = [*self._waiting, *self._running.values()]
        return sum(job.request.user == user for job in jobs)

    @property
    def busy(self) -> bool:
        with self._lock:
            return bool(self._waiting or self._running)

    def state(self) -> State:
        with self._lock:
            state = self._state
        described = self._backend.describe(state) if state.state == "ready" else state
        return replace(described, memory=resident_bytes())

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for backend in (self._backend, *self._others):
                backend.interrupt()
            self._lock.notify_all()

    def _run(self) -> None:
        self._load()
        for other in self._others:
            work = (other,)
            threading.Thread(target=self._serve, args=work, name="engine", daemon=True).start()
        self._serve(self._backend)

    def _serve(self, backend: Backend) -> None:
        while (job := self._next(backend)) is not None:
            self._answer(job, backend)

    def _load(self) -> None:
        def progress(share: float) -> None:
            with self._lock:
                self._state = replace(self._state, progress=round(share, 3))

        try:
            for backend in (self._backend, *self._others):
                backend.load(progress)
            loaded = replace(self._state, state="ready", progress=1.0)
        except BackendError as error:
            why = str(error)
            loaded = replace(self._state, state="off", reason=why, fix=error.fix)
        except Exception as error:
            # Without this the thread would end and every request wait for ever.
            _log_where("loading", error)
            why = f"the model cannot be loaded ({type(error).__name__})"
            loaded = replace(self._state, state="off", reason=why, fix="wicket doctor")
        with self._lock:
            self._state = loaded
            self._retry = time.monotonic() + RETRY_SECONDS

    def _next(self, backend: Backend) -> Job | None:
        """The most urgent job, once there is one; None when closed."""

        def turn(job: Job) -> tuple[int, float, float]:
            return job.rank, self._served.get(job.request.user, 0.0), job.arrived

        with self._lock:
            while not self._waiting and not self._closed:
                self._lock.wait()
            if self._closed:
                return None
            job = min(self._waiting, key=turn)
            self._waiting.remove(job)
            self._served[job.request.user] = time.monotonic()
            self._running[backend] = job
            # From here an interrupt means this job.
            backend.resume()
            return job

    def _answer(self, job: Job, backend: Backend) -> None:
        queued = time.monotonic() - job.arrived
        done = Done(job.request.id, "failed", "the engine gave no answer")
        try:
            with self._lock:
                retry = self._state.state == "off" and time.monotonic() > self._retry
                self._retry = time.monotonic() + RETRY_SECONDS if retry else self._retry
            if retry:
                # What was missing, a server or some memory, may be there by now.
                self._load()
            if self._state.state == "off":
                done = Done(job.request.id, "failed", self._state.reason)
            elif reason := self._halted(job):
                done = Done(job.request.id, reason)
            else:
                done = self._generate(job, backend)
        except BackendError as error:
            done = Done(job.request.id, "failed", str(error))
        except _Yield:
            with self._lock:
                self._running.pop(backend)
                self._waiting.append(job)
            return
        except Exception as error:
            # One bad request must not end the thread; the log has where, never text.
            _log_where("a request", error)
            done = Done(job.request.id, "failed", f"an error of {type(error).__name__}")
        with self._lock:
            self._running.pop(backend)
        job.answer(replace(done, ms=done.ms | {"queue": round(queued * 1000, 2)}))

    def _generate(self, job: Job, backend: Backend) -> Done:
        answers = backend.complete(job.request, lambda: self._halted(job))
        for seen, answer in enumerate(answers, start=1):
            if isinstance(answer, Done):
                if answer.done == "cancelled" and job.halt is None:
                    raise _Yield
                return answer
            if seen > job.sent:
                job.sent = seen
                job.answer(answer)
        raise BackendError("the model stopped without a reason")

    def _halted(self, job: Job) -> Reason | None:
        """Why `job` should stop now.  Without a `halt` of its own, "cancelled" means that
        a more urgent job waits."""
        with self._lock:
            if job.halt:
                return job.halt
            if job.late:
                job.halt = "deadline"
                return job.halt
            urgent = self._full and any(waiting.outranks(job) for waiting in self._waiting)
            return "cancelled" if urgent or self._closed else None


class _Yield(Exception):
    """The running job made room for a more urgent one and waits again."""


def _log_where(what: str, error: Exception) -> None:
    """The kind and the place of an error: its message may quote the user's text."""
    places = "".join(traceback.format_tb(error.__traceback__))
    logger.error("%s failed: %s\n%s", what, type(error).__name__, places)


def resident_bytes() -> int:
    """Memory of this process that is in use (Linux; 0 elsewhere)."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
