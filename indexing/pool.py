"""Processes that parse, and the sources on their way through them.

Each has the next source in its pipe while it parses one.  A process that dies takes only
the source it was at: one that took too long is given up at once, one that crashed is tried
again in a new process, and whatever waited behind it goes to another.
"""

import contextlib
import fcntl
import os
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from .worker import ANSWER, REQUEST

# Of processor time for one source; the process itself is told it.
SECONDS = 2.0
# Of silence, on a machine however busy, after which a process counts as stuck.
STUCK_SECONDS = 30.0
# Sources in a process at a time.
AHEAD = 2
# Read at a time: as much as most answers take.
_PIECE = 1 << 16
_PIPE = 1 << 20
# Facts take less than a small multiple of their source.
LARGEST_ANSWER = 64 << 20


@dataclass(slots=True, eq=False)
class Job:
    """A source to parse.  `path`, `digest` and `stamp` are for whoever asked."""

    path: str
    stamp: int
    digest: bytes
    language: str
    source: bytes
    crashes: int = 0


@dataclass(frozen=True, slots=True)
class Parsed:
    """What came of a job: packed facts, or why there are none."""

    job: Job
    packed: bytes | None
    why: Literal["slow", "crashed", "failed"] | None = None


class PoolFailed(Exception):
    """No process can be started: one line that says why."""


class Pool:
    """Up to `size` processes of `command`, started when there is work.

    The command is given the limit in seconds; it serves as `worker.serve` does.
    """

    def __init__(self, command: Sequence[str], size: int, seconds: float = SECONDS) -> None:
        self._command = [*command, str(seconds)]
        self._size = size
        self._workers: list[_Worker] = []
        self._again: deque[Job] = deque()

    @property
    def cpu_seconds(self) -> float:
        """Processor time of the processes that run, starts included."""
        return sum(worker.cpu for worker in self._workers)

    def parse(self, take: Callable[[], Job | None]) -> Iterator[Parsed]:
        """Parse what `take` gives until it gives None while nothing is on its way.

        Raises PoolFailed.  Whoever stops early calls `close`.
        """
        while True:
            self._feed(take)
            busy = [worker for worker in self._workers if worker.jobs]
            if not busy:
                return
            yield from self._wait(busy)

    def close(self, keep: int = 0) -> None:
        """End the processes, but for `keep` idle ones."""
        idle = [worker for worker in self._workers if not worker.jobs][:keep]
        for worker in self._workers:
            if worker not in idle:
                worker.end()
        self._workers = idle
        self._again.clear()

    def _feed(self, take: Callable[[], Job | None]) -> None:
        while len(self._workers) < self._size or any(w.has_room for w in self._workers):
            job = self._again.popleft() if self._again else take()
            if job is None:
                return
            self._freest().send(job)

    def _freest(self) -> "_Worker":
        """The process with the least to do; a new one, where all are busy and one may be."""
        free = min(self._workers, key=lambda worker: len(worker.jobs), default=None)
        if free is None or (free.jobs and len(self._workers) < self._size):
            free = _Worker.start(self._command)
            self._workers.append(free)
        return free

    def _wait(self, busy: Sequence["_Worker"]) -> Iterator[Parsed]:
        with selectors.PollSelector() as selector:
            for worker in busy:
                selector.register(worker.answers, selectors.EVENT_READ, worker)
                if worker.unsent:
                    selector.register(worker.requests, selectors.EVENT_WRITE, worker)
            ready = selector.select(STUCK_SECONDS)
        for key, event in ready:
            worker: _Worker = key.data
            if worker not in self._workers:
                continue
            if event & selectors.EVENT_WRITE:
                worker.write()
            elif (found := worker.read()) is not None:
                yield from found
            else:
                yield from self._bury(worker, "crashed")
        for worker in busy:
            if worker in self._workers and worker.silent_for() > STUCK_SECONDS:
                yield from self._bury(worker, "slow")

    def _bury(self, worker: "_Worker", why: Literal["slow", "crashed"]) -> Iterator[Parsed]:
        self._workers.remove(worker)
        worker.end()
        first, *rest = worker.jobs
        self._again.extend(rest)
        if worker.process.returncode == -signal.SIGPROF:
            why = "slow"
        first.crashes += 1
        if why == "crashed" and first.crashes < 2:
            # Perhaps the machine was short of memory, or somebody stopped the process.
            self._again.append(first)
        else:
            yield Parsed(first, None, why)


@dataclass(slots=True, eq=False)
class _Worker:
    process: subprocess.Popen[bytes]
    requests: int
    answers: int
    jobs: deque[Job] = field(default_factory=deque[Job])
    unsent: deque[memoryview] = field(default_factory=deque[memoryview])
    unread: bytearray = field(default_factory=bytearray)
    cpu: float = 0.0
    heard: float = field(default_factory=time.monotonic)

    @classmethod
    def start(cls, command: Sequence[str]) -> "_Worker":
        try:
            process = subprocess.Popen(
                command,
                cwd="/",
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
            )
        except OSError as error:
            raise PoolFailed(f"no process to parse in can be started: {error.strerror}") from None
        assert process.stdin
        assert process.stdout
        requests, answers = process.stdin.fileno(), process.stdout.fileno()
        for pipe in (requests, answers):
            os.set_blocking(pipe, False)
            if hasattr(fcntl, "F_SETPIPE_SZ"):  # Linux: most sources pass in one go.
                with contextlib.suppress(OSError):
                    fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)
        return cls(process, requests, answers)

    @property
    def has_room(self) -> bool:
        return len(self.jobs) < AHEAD

    def send(self, job: Job) -> None:
        if not self.jobs:
            self.heard = time.monotonic()
        language = job.language.encode()
        head = REQUEST.pack(len(language), len(job.source)) + language
        self.unsent += (memoryview(head), memoryview(job.source))
        self.jobs.append(job)
        self.write()

    def write(self) -> None:
        while self.unsent:
            try:
                written = os.write(self.requests, self.unsent[0])
            except BlockingIOError:
                return
            except OSError:
                # It is gone, as its other pipe will tell.
                self.unsent.clear()
                return
            if written == len(self.unsent[0]):
                self.unsent.popleft()
            else:
                self.unsent[0] = self.unsent[0][written:]

    def read(self) -> list[Parsed] | None:
        """What it answered; None when it is gone."""
        try:
            piece = os.read(self.answers, _PIECE)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if not piece:
            return None
        self.heard = time.monotonic()
        self.unread += piece
        found: list[Parsed] = []
        while len(self.unread) >= ANSWER.size and self.jobs:
            size, self.cpu = ANSWER.unpack_from(self.unread)
            end = ANSWER.size + size
            if size > LARGEST_ANSWER:
                return None  # A grammar wrote where it should not have.
            if len(self.unread) < end:
                break
            packed = bytes(self.unread[ANSWER.size : end]) or None
            found.append(Parsed(self.jobs.popleft(), packed, None if packed else "failed"))
            del self.unread[:end]
        return found

    def silent_for(self) -> float:
        return time.monotonic() - self.heard

    def end(self) -> None:
        assert self.process.stdin
        assert self.process.stdout
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self.process.stdout.close()
        # It may have ended by itself, and how says why.
        self.process.kill()
        self.process.wait()
