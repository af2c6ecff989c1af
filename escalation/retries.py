"""Whether a request that failed is sent once more, when, and whom to ask instead.  Pure.

Each attempt is a request of its own, with an intent and an outcome.  What the model has
begun to say is never asked for again: it was shown, and is paid for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from .audit.records import Outcome

# What passes: too much at once, a lock, a machine that fails.  529 is Anthropic's overload.
PASSING = (408, 409, 425, 429, 500, 502, 503, 504, 529)
# What lies in the request, so that nobody else would take it either.
OF_THE_REQUEST = (400, 413, 422)


@dataclass(frozen=True, slots=True)
class Wish:
    """What the answer's headers said of another attempt: seconds to wait, and whether at all."""

    seconds: float | None = None
    again: bool | None = None


@dataclass(frozen=True, slots=True)
class Retries:
    """`attempts` of one request in all, the pause before the second and the longest one.

    A provider that asks for a longer pause is not waited for: a person sits there.
    """

    attempts: int = 3
    first_seconds: float = 1.0
    longest_seconds: float = 30.0

    def pause(self, attempt: int, ended: Outcome, wish: Wish, chance: float) -> float | None:
        """Seconds until the attempt after this one, or None for no more.

        `chance` from 0 to 1 spreads those who were refused at the same time.
        """
        if attempt >= self.attempts or not passing(ended, wish):
            return None
        usual = min(self.longest_seconds, self.first_seconds * 2 ** (attempt - 1))
        if wish.seconds is None:
            return usual * (0.5 + chance / 2)
        spread = wish.seconds + self.first_seconds * chance / 4
        return spread if wish.seconds <= self.longest_seconds else None


def passing(ended: Outcome, wish: Wish) -> bool:
    """Whether the same request may well succeed a moment later."""
    if ended.first_token_ms is not None or wish.again is False:
        return False
    match ended.status:
        case "http_error":
            return ended.http_status in PASSING or wish.again is True
        case "failed" | "timeout":
            # Once it was under way it may be worked on, and is paid for.
            return ended.http_status is None and not ended.sent
        case _:
            return False


def elsewhere(ended: Outcome) -> bool:
    """Whether another provider might answer what this one did not."""
    if ended.first_token_ms is not None:
        return False
    ill = ended.status in ("http_error", "failed", "timeout")
    return ill and ended.http_status not in OF_THE_REQUEST


def wish(headers: Mapping[str, str], now: datetime | None = None) -> Wish:
    """What `retry-after` (seconds or a date), its `-ms` and `x-should-retry` say."""
    again = {"true": True, "false": False}.get(headers.get("x-should-retry", ""))
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        said = headers.get(name, "")
        if said.isascii() and said.replace(".", "", 1).isdigit():
            return Wish(min(float(said) / unit, 1e9), again)
    try:
        at = parsedate_to_datetime(headers.get("retry-after", ""))
    except (ValueError, OverflowError):
        return Wish(None, again)
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return Wish(max(0.0, (at - (now or datetime.now(UTC))).total_seconds()), again)
