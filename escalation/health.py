"""How the providers do: failures in a row, and the usual time to the first word.

It forgets: what failed long ago says nothing, and a gate that starts knows nothing.
"""

import statistics
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from .audit.records import Outcome

# A provider that was ill is tried again after so long.
ILL_SECONDS = 300.0
# First words of so many answers are remembered.
REMEMBERED = 20
ILLNESSES = ("http_error", "timeout", "failed")
# A question that is refused for what it is says nothing about the provider.
ITS_OWN = (400, 413, 422)


@dataclass(slots=True)
class _Provider:
    failures: int = 0
    failed_at: float = 0.0
    first: deque[int] = field(default_factory=lambda: deque[int](maxlen=REMEMBERED))


@dataclass(slots=True)
class Health:
    now: Callable[[], float] = time.monotonic
    _known: dict[str, _Provider] = field(default_factory=dict[str, _Provider])

    def heard(self, provider: str, outcome: Outcome) -> None:
        """A request has ended."""
        one = self._known.setdefault(provider, _Provider())
        if outcome.first_token_ms is not None:
            one.first.append(outcome.first_token_ms)
        if outcome.status == "ok":
            one.failures = 0
        elif outcome.status in ILLNESSES and outcome.http_status not in ITS_OWN:
            one.failures, one.failed_at = one.failures + 1, self.now()

    def failures(self, provider: str) -> int:
        """In a row, of late."""
        one = self._known.get(provider)
        if one is None or self.now() - one.failed_at > ILL_SECONDS:
            return 0
        return one.failures

    def latency_ms(self, provider: str) -> int | None:
        """To the first word, the median; None where nothing was measured."""
        one = self._known.get(provider)
        return round(statistics.median(one.first)) if one and one.first else None
