"""Budgets in money and tokens, per user, day and month: counted from the audit log.

The log is the truth; a gate reads it once at its start, back to the first of the month,
and counts on from there.  What is under way counts with its estimate until its outcome is
there.  Days and months are those of UTC, as the log's own times.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .audit.reading import backwards
from .audit.records import Outcome

MILLION = 1_000_000
# The flag of an outcome whose answer was cut off before its provider had told the tokens.
ESTIMATED = "tokens estimated"

# Micro-USD of so many tokens in and out; None where no price is known.
Price = Callable[[int, int], int | None]


@dataclass(frozen=True, slots=True)
class Limits:
    """Micro-USD and tokens, in and out together; None is no limit."""

    day_cost: int | None = None
    month_cost: int | None = None
    day_tokens: int | None = None

    @property
    def in_money(self) -> bool:
        return self.day_cost is not None or self.month_cost is not None

    def tightened(self, other: "Limits") -> "Limits":
        """The lower of each two."""
        return Limits(
            _least(self.day_cost, other.day_cost),
            _least(self.month_cost, other.month_cost),
            _least(self.day_tokens, other.day_tokens),
        )


UNLIMITED = Limits()


@dataclass(frozen=True, slots=True)
class Spent:
    """Of one user: this day and this month until now."""

    day_cost: int = 0
    month_cost: int = 0
    day_tokens: int = 0

    def over(self, limits: Limits, cost: int = 0, tokens: int = 0) -> str | None:
        """Why so much more may not be spent, or None where it may."""
        rows = (
            ("day", self.day_cost, cost, limits.day_cost, _dollars),
            ("month", self.month_cost, cost, limits.month_cost, _dollars),
            ("day", self.day_tokens, tokens, limits.day_tokens, _tokens),
        )
        for span, spent, more, limit, shown in rows:
            if limit is None or (spent < limit and spent + more <= limit):
                continue
            if spent >= limit:
                return f"the budget of the {span} is used up: {shown(spent)} of {shown(limit)}"
            left = shown(limit - spent)
            return f"it would take {shown(more)}, and {left} of the {span}'s budget is left"
        return None

    def left(self, limits: Limits) -> int | None:
        """Micro-USD that are left today; None without a limit in money."""
        pairs = ((limits.day_cost, self.day_cost), (limits.month_cost, self.month_cost))
        found = [max(0, limit - spent) for limit, spent in pairs if limit is not None]
        return min(found, default=None)

    def as_json(self, limits: Limits) -> dict[str, dict[str, int | None]]:
        """By limit: how much of how much.  Money in micro-USD."""
        return {
            name: {"spent": getattr(self, name), "limit": getattr(limits, name)}
            for name in ("day_cost", "month_cost", "day_tokens")
        }


@dataclass(frozen=True, slots=True)
class _Under:
    user: str
    at: datetime
    cost: int
    tokens: int


@dataclass(slots=True)
class Ledger:
    """What every user spent this month, and what is under way, by the intent's number."""

    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    # By user and day, and by user and month.
    _days: dict[tuple[str, str], tuple[int, int]] = field(
        default_factory=dict[tuple[str, str], tuple[int, int]]
    )
    _months: dict[tuple[str, str], int] = field(default_factory=dict[tuple[str, str], int])
    _under_way: dict[int, _Under] = field(default_factory=dict[int, _Under])

    def recall(self, directory: Path) -> None:
        """Count what the log says of this month.  Raises AuditError and OSError."""
        since = f"{self.now():%Y-%m}-01"
        outcomes: dict[int, Mapping[str, Any]] = {}
        for leaf in backwards(directory):
            if leaf.tail.ts < since:
                break
            if leaf.tail.type == "outcome" and leaf.tail.ref is not None:
                outcomes[leaf.tail.ref] = leaf.data
            elif leaf.tail.type == "intent":
                data = leaf.data
                cost, tokens = counted(data, outcomes.pop(leaf.tail.seq, {}))
                at = datetime.fromisoformat(leaf.tail.ts)
                self._add(_Under(user_of(data["actor"]), at, cost, tokens))

    def spent(self, user: str) -> Spent:
        now = self.now()
        day, month = _day(now), _month(now)
        cost, tokens = self._days.get((user, day), (0, 0))
        by_month = self._months.get((user, month), 0)
        for one in self._under_way.values():
            if one.user == user:
                cost, tokens = cost + one.cost, tokens + one.tokens
                by_month += one.cost
        return Spent(cost, by_month, tokens)

    def begin(self, seq: int, user: str, cost: int, tokens: int) -> None:
        """A request is about to leave; or more is known of what it takes."""
        at = known.at if (known := self._under_way.get(seq)) else self.now()
        self._under_way[seq] = _Under(user, at, cost, tokens)

    @contextmanager
    def holding(self, user: str, cost: int, tokens: int) -> Generator[None]:
        """Counted as under way while its intent is written, so that of two at once that do
        not fit together the second one knows."""
        self.begin(held := min(self._under_way, default=0) - 1, user, cost, tokens)
        try:
            yield
        finally:
            del self._under_way[held]

    def end(self, seq: int, cost: int, tokens: int) -> None:
        """Its outcome is known."""
        if (one := self._under_way.pop(seq, None)) is not None:
            self._add(_Under(one.user, one.at, cost, tokens))

    def _add(self, one: _Under) -> None:
        day, month = (one.user, _day(one.at)), (one.user, _month(one.at))
        cost, tokens = self._days.get(day, (0, 0))
        self._days[day] = (cost + one.cost, tokens + one.tokens)
        self._months[month] = self._months.get(month, 0) + one.cost


class Meter:
    """What one exchange takes, request by request, held against the limits."""

    def __init__(
        self,
        ledger: Ledger,
        user: str,
        limits: Limits,
        price: Price,
        heard: Callable[[Outcome], None],
    ) -> None:
        self._ledger, self._user, self._limits, self._price = ledger, user, limits, price
        self._heard = heard
        self._seq, self._tokens = -1, 0

    def over(self, size_tokens: int) -> str | None:
        """Why a request of about so many tokens may not be sent, or None."""
        spent = self._ledger.spent(self._user)
        return spent.over(self._limits, self._price(size_tokens, 0) or 0, size_tokens)

    def estimate(self, tokens: int) -> int | None:
        """Micro-USD to send so many."""
        return self._price(tokens, 0)

    @property
    def left(self) -> int | None:
        return self._ledger.spent(self._user).left(self._limits)

    def holding(self, tokens: int) -> AbstractContextManager[None]:
        """What `over` had nothing against, until it has begun or nothing comes of it."""
        return self._ledger.holding(self._user, self._price(tokens, 0) or 0, tokens)

    def begin(self, seq: int, tokens: int) -> None:
        """The intent with this number is durable; `tokens` is the estimate in it."""
        self._seq, self._tokens = seq, tokens
        self._ledger.begin(seq, self._user, self._price(tokens, 0) or 0, tokens)

    def running(self, outcome: Outcome) -> str | None:
        """Why the stream has to end now, or None; `outcome` is what is known so far."""
        into = outcome.tokens_in or self._tokens
        out = outcome.tokens_out or 0
        self._ledger.begin(self._seq, self._user, self._price(into, out) or 0, into + out)
        return self._ledger.spent(self._user).over(self._limits)

    def priced(self, outcome: Outcome) -> int | None:
        """What the request cost, in micro-USD; None where no price is known."""
        told = outcome.cost is not None and ESTIMATED not in outcome.flags
        if told or _unsent(outcome.sent, outcome.status):
            return outcome.cost
        into = self._tokens if outcome.tokens_in is None else outcome.tokens_in
        return self._price(into, outcome.tokens_out or 0)

    def end(self, outcome: Outcome) -> None:
        """The outcome is durable."""
        known = {name: getattr(outcome, name) for name in _COUNTED}
        cost, tokens = counted({"tokens_estimated": self._tokens}, known)
        self._ledger.end(self._seq, cost, tokens)
        self._heard(outcome)


_COUNTED = ("cost", "tokens_in", "tokens_out", "sent", "status")


def counted(intent: Mapping[str, Any], outcome: Mapping[str, Any]) -> tuple[int, int]:
    """Micro-USD and tokens of one request, from its two records.

    Where nobody knows what became of it, its estimate counts: as if it had arrived.
    """
    if _unsent(outcome.get("sent"), outcome.get("status")):
        return 0, 0
    into, out = outcome.get("tokens_in"), outcome.get("tokens_out")
    into = into if into is not None else intent.get("tokens_estimated") or 0
    cost = outcome.get("cost")
    cost = cost if cost is not None else intent.get("cost_estimated") or 0
    return cost, into + (out or 0)


def user_of(actor: Mapping[str, Any]) -> str:
    """Whose budget it is: who a team gate knows, else the user of the machine."""
    return actor["subject"] or actor["user"]


def _unsent(sent: int | None, status: str | None) -> bool:
    """Whether it is certain that nothing left."""
    return sent == 0 and status != "unknown_crash"


def _least(first: int | None, second: int | None) -> int | None:
    return min((n for n in (first, second) if n is not None), default=None)


def _day(at: datetime) -> str:
    return f"{at:%Y-%m-%d}"


def _month(at: datetime) -> str:
    return f"{at:%Y-%m}"


def _dollars(micro: int) -> str:
    return f"${micro / MILLION:.2f}" if micro >= MILLION // 100 else f"${micro / MILLION:.6f}"


def _tokens(number: int) -> str:
    return f"{number} tokens"
