"""From a task to its route: what the gate knows of each provider, put before the decision."""

from dataclasses import dataclass

from . import routing
from .audit.records import Outcome
from .budgets import Limits, Meter, Price
from .health import Health
from .house import House
from .kinds import KINDS, PROBE, TIERS
from .outgoing import Denial
from .policy import Destination, decide
from .providers.provider import Provider, Usage
from .routing import Candidate, Route
from .task import Task

# Source code, roughly.
BYTES_PER_TOKEN = 4


def price(provider: Provider) -> Price:
    """What a provider takes, as its row or the dated table says."""
    prices = provider.prices
    return lambda into, out: prices.of(Usage(into, out)) if prices else None


@dataclass(frozen=True, slots=True)
class Choosing:
    """Who may get a task, as things stand now."""

    house: House
    health: Health

    def provider(self, task: Task) -> tuple[Route, Provider]:
        """The route and the first of it.  Raises Denial where nobody may get the task."""
        bars = self._bars(task, task.size)
        route = self._route(task, task.size, bars)
        if route.order:
            return route, self.house.providers[route.order[0]]
        barred = [bars[one.name] for one in route.passed if one.name in bars]
        if barred and len({denial.rule for denial in barred}) == 1:
            raise barred[0]
        others = f": {route.others}" if route.others else ""
        raise Denial("routes", f"{route.reason}{others}")

    def route(self, task: Task, size: int) -> Route:
        """The decision alone, also where it is that nobody may.  Raises Denial."""
        for document in task.documents:
            if rule := self.house.forbidden(document.path):
                raise Denial(rule, f"{document.path} may not leave this machine")
        return self._route(task, size, self._bars(task, size))

    def stopped(self, task: Task, provider: str) -> str | None:
        """Why what is frozen keeps a task from a provider, or None."""
        user = self.house.user
        for row in self.house.frozen():
            if row.holds(provider, task.kind, task.folder, user):
                named = ", ".join(f"{name} {value}" for name, value in row.scope.items())
                return f"{named or 'the gate'} is frozen {row.why}"
        return None

    def limits(self, task: Task) -> Limits:
        return self.house.budget.tightened(task.budget)

    def meter(self, task: Task, provider: Provider, user: str) -> Meter:
        """What an exchange with this provider is counted by."""

        def heard(outcome: Outcome) -> None:
            # What a provider does not know says nothing about how it does.
            if task.kind != PROBE:
                self.health.heard(provider.name, outcome)

        return Meter(self.house.ledger, user, self.limits(task), price(provider), heard)

    def outgrown(self, provider: Provider, tokens: int) -> str | None:
        """Why a body of about so many tokens is too long for this provider, or None."""
        return self.house.abilities().of(provider).outgrown(provider.name, tokens)

    def _route(self, task: Task, size: int, bars: dict[str, Denial]) -> Route:
        abilities = self.house.abilities()
        candidates = [
            Candidate(
                name,
                provider.tier,
                str(bars[name]) if name in bars else None,
                self.health.failures(name),
                self.health.latency_ms(name),
                abilities.of(provider).room,
            )
            for name, provider in self.house.providers.items()
        ]
        tiers = self.house.routes.get(task.kind)
        return routing.decide(KINDS[task.kind], size, candidates, tiers, task.prefer)

    def _bars(self, task: Task, size: int) -> dict[str, Denial]:
        """Why each provider may not get it; those that may are not in it.  Raises Denial."""
        house, feature = self.house, KINDS[task.kind].feature
        if feature in house.off:
            raise Denial("features", f"features.{feature} is false")
        known = (*house.providers, *TIERS, *routing.WISHES)
        if task.prefer is not None and task.prefer not in known:
            raise Denial("providers", f"there is no provider {task.prefer[:80]}")
        found: dict[str, Denial] = {}
        for name, provider in house.providers.items():
            if (denial := self._barred(task, size, provider)) is not None:
                found[name] = denial
        return found

    def _barred(self, task: Task, size: int, provider: Provider) -> Denial | None:
        house = self.house
        if why := self.stopped(task, provider.name):
            return Denial("frozen", why)
        to = Destination(task.kind, provider.name, provider.tier, provider.region)
        decision = decide(house.policies, [document.path for document in task.documents], to)
        if decision.forbids:
            return Denial(decision.rule, decision.reason)
        limits = self.limits(task)
        if limits.in_money and provider.prices is None and provider.tier == "frontier":
            reason = f"no prices in [providers.{provider.name}], and [budget] is in dollars"
            return Denial("budget", reason)
        tokens = size // BYTES_PER_TOKEN
        known = house.abilities().of(provider)
        if why := known.lacking(task.kind) or known.outgrown(provider.name, tokens):
            return Denial("abilities", why)
        spent = house.ledger.spent(house.user)
        if why := spent.over(limits, price(provider)(tokens, 0) or 0, tokens):
            return Denial("budget", why)
        return None
