"""Rows of training data as they are needed: made ahead, beside the training, in order."""

import multiprocessing
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from multiprocessing.pool import AsyncResult

from .samples import Rows, Sampler

# Batches that are made ahead by each process.
AHEAD = 3

# What a process of the pool draws from; inherited, because it is large.
_sampler: Sampler | None = None


def _made(seed: int, number: int, count: int, length: int) -> Rows:
    assert _sampler is not None, "it is set before the processes begin"
    return _sampler.rows(seed, number, count, length)


class Batches:
    """Batches by number.  The same whoever makes them and however often one asks."""

    def __init__(self, sampler: Sampler, seed: int, processes: int) -> None:
        self._sampler, self._seed, self._processes = sampler, seed, processes
        self._pool = None
        if processes:
            global _sampler
            _sampler = sampler
            # Inherited memory is what makes many processes with one corpus possible.
            self._pool = multiprocessing.get_context("fork").Pool(processes)

    def from_number(self, first: int, count: int, length: int) -> Iterator[Rows]:
        """Batches `first`, `first` + 1, ... without end, each `count` rows of `length`."""
        if self._pool is None:
            while True:
                yield self._sampler.rows(self._seed, first, count, length)
                first += 1
        waiting: deque[AsyncResult[Rows]] = deque()
        while True:
            while len(waiting) < AHEAD * self._processes:
                asked = (self._seed, first + len(waiting), count, length)
                waiting.append(self._pool.apply_async(_made, asked))
            yield waiting.popleft().get()
            first += 1

    def close(self) -> None:
        if self._pool is not None:
            self._pool.terminate()
            self._pool.join()


@contextmanager
def batches(sampler: Sampler, seed: int, processes: int) -> Generator[Batches]:
    made = Batches(sampler, seed, processes)
    try:
        yield made
    finally:
        made.close()
