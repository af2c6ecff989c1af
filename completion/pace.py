"""How long to wait before text is generated: less than nobody notices, more than is wasted.

Only the generating waits.  The prompt is evaluated at the first key, so that what waits
costs no time when the pause comes.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

# An answer that is there before the next key of a fast typist needs no waiting: a burst
# has gaps of 60 ms.
FREE_MS = 60.0
# Waiting longer than this is felt as slowness, whatever it saves.
LONGEST_MS = 400.0
# Gaps between keys that tell how somebody types now; a longer one is a pause for thought.
GAPS, PAUSE_MS = 20, 1_000.0
# After so many suggestions in a row were typed over, each further one doubles a wait.
PATIENCE, FIRST_MS = 3, 200.0


@dataclass(slots=True)
class Pace:
    """How somebody types, and how fast this engine generates, both of late."""

    _gaps: deque[float] = field(default_factory=lambda: deque[float](maxlen=GAPS))
    _spent: deque[float] = field(default_factory=lambda: deque[float](maxlen=GAPS))
    _last: float | None = None

    def key(self, now: float) -> None:
        """A key was pressed at `now`, in seconds of any clock that never goes back."""
        gap = PAUSE_MS if self._last is None else (now - self._last) * 1000
        self._last = now
        if gap < PAUSE_MS:
            self._gaps.append(gap)

    def generated(self, ms: float) -> None:
        """So long it took to generate a suggestion, the prompt aside."""
        self._spent.append(ms)

    def wait_ms(self, rejections: int) -> float:
        """How long to wait before generating, counted from the key."""
        return wait_ms(self._gaps, self._spent, rejections)


def wait_ms(gaps: Sequence[float], spent: Sequence[float], rejections: int) -> float:
    """Nothing for a fast engine; for a slow one, until the typist seems to pause.

    `gaps` are those between the latest keys, `spent` the times that the latest
    suggestions took, both in ms; `rejections` how many in a row were typed over.
    """
    backing_off = 0.0
    if rejections >= PATIENCE:
        backing_off = min(FIRST_MS * 2 ** min(rejections - PATIENCE, 8), 4 * LONGEST_MS)
    if not spent or not gaps or median(spent) <= FREE_MS:
        return backing_off
    return max(backing_off, min(1.5 * median(gaps), LONGEST_MS))
