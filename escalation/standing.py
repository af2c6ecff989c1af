"""A standing yes: one that a person gave for all requests that are like the one they saw.

It holds for one folder with the repository that lay in it, one provider, model, endpoint and
region, and covers what is no more than was seen: no class that was not there, no tool and no
pattern of readable files, nothing in it or in what its tools read that had to be masked, at most
four times the bytes.  All else is asked about.  Where a rule of a policy says "ask" each request
is asked about: a standing yes stands in for the default alone.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

from .approval import GROWTH, LEAST_BYTES, Offer, Scope
from .outgoing import Considered

DAYS = 30
# What a decision's rule begins with where a standing yes made it.
RULE = "standing approval"
# One for each folder and provider; the oldest goes first.
MOST = 200


@dataclass(frozen=True, slots=True)
class Request:
    """What there is to compare: `folder` and `identity`, what lies there, are pseudonyms,
    `reach` the tools and readable patterns that go with it, `size` the bytes of its body."""

    folder: str
    identity: str
    kind: str
    offer: Offer
    considered: Considered
    reach: tuple[str, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Standing:
    """`id` names the approval in the log, `folder` is its pseudonym there, `identity` one of
    what lay in it; `bytes` is the size of the body that was seen, `reach` the tools and readable
    patterns that were shown with it, `until` a moment in ISO 8601."""

    id: str
    folder: str
    identity: str
    provider: str
    model: str
    endpoint: str
    region: str | None
    kind: str
    classes: tuple[str, ...]
    reach: tuple[str, ...]
    bytes: int
    until: str

    def covers(self, asked: Request, now: datetime) -> bool:
        offer = asked.offer
        theirs = (offer.provider, offer.model, offer.endpoint, offer.region)
        return (
            (asked.folder, asked.identity, asked.kind) == (self.folder, self.identity, self.kind)
            and theirs == (self.provider, self.model, self.endpoint, self.region)
            and asked.size <= GROWTH * self.bytes
            and set(asked.considered.classes) <= set(self.classes)
            and set(asked.reach) <= set(self.reach)
            and now < datetime.fromisoformat(self.until)
        )

    def bounded(self, scope: Scope) -> Scope:
        """Later requests of the exchange grow no further than was shown with the yes, and what
        its tools read holds nothing that has to be masked."""
        most = min(scope.bytes_max, max(GROWTH * self.bytes, LEAST_BYTES))
        return replace(scope, bytes_max=most, masked=())


def covering(kept: Iterable[Standing], asked: Request, now: datetime) -> Standing | None:
    """The standing yes that covers this request, or None: then a person is asked."""
    considered = asked.considered
    if (considered.decision, considered.rule) != ("ask", "default") or considered.redactions:
        return None
    return next((one for one in kept if one.covers(asked, now)), None)


def holds(kept: Iterable[Standing], rule: str | None, now: datetime) -> bool:
    """Whether a decision that a standing yes made, if one did, may still be gone by: it may
    have been taken back, or have ended, while the request waited."""
    if not rule or not rule.startswith(f"{RULE} "):
        return True
    until = (one.until for one in kept if rule == f"{RULE} {one.id}")
    return any(now < datetime.fromisoformat(moment) for moment in until)


def granted(approval: str, asked: Request, now: datetime) -> Standing:
    offer, until = asked.offer, (now + timedelta(days=DAYS)).isoformat(timespec="seconds")
    return Standing(
        approval, asked.folder, asked.identity, offer.provider, offer.model, offer.endpoint,
        offer.region, asked.kind, asked.considered.classes, asked.reach, asked.size, until,
    )  # fmt: skip


def added(kept: Iterable[Standing], new: Standing, now: datetime) -> list[Standing]:
    """Those that still hold, with the new one instead of one for the same."""

    def key(one: Standing) -> tuple[str, str, str, str]:
        return (one.folder, one.provider, one.endpoint, one.kind)

    held = [one for one in kept if now < datetime.fromisoformat(one.until)]
    return [*(one for one in held if key(one) != key(new)), new][-MOST:]


def read(said: object) -> list[Standing]:
    """What `as_json` wrote.  What is not understood is no yes."""
    found: list[Standing] = []
    for row in cast(list[object], said) if isinstance(said, list) else []:
        try:
            values: dict[str, Any] = dict(cast(Mapping[str, Any], row))
            values |= {name: tuple(values[name]) for name in ("classes", "reach")}
            one = Standing(**values)
            if datetime.fromisoformat(one.until).tzinfo is not None and type(one.bytes) is int:
                found.append(one)
        except (TypeError, ValueError, KeyError):
            continue
    return found


def as_json(kept: Iterable[Standing]) -> list[dict[str, Any]]:
    return [asdict(one) for one in kept]
