"""Sends that were refused for what their approval said: on record, and few, however many come."""

import math
from dataclasses import dataclass

# A person errs a few times in so many seconds; a client that is broken, without an end.
MOST = 20
SECONDS = 600.0


@dataclass(slots=True)
class Tally:
    """Which of many refusals get a record of their own; the others are counted in the next."""

    began: float = -math.inf
    written: int = 0
    left_out: int = 0

    def due(self, now: float) -> bool:
        """Whether this one is to be written.  `now` is of the monotonic clock."""
        if now - self.began >= SECONDS:
            self.began, self.written = now, 0
        if self.written >= MOST:
            self.left_out += 1
            return False
        self.written += 1
        return True

    def uncounted(self) -> int:
        """How many were left out since somebody asked last."""
        number, self.left_out = self.left_out, 0
        return number


def with_others(why: str, others: int) -> str:
    return f"{why}; {others} more before it were refused" if others else why
