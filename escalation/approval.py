"""An approval as a value: what a person said yes to, and what that yes covers.

It names one first request by its digest.  Later requests of the same exchange need no new
question as long as they stay inside the scope.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, cast

import pathspec

from .outgoing import Denial
from .task import Malformed, globs, texts

# Of the first body, and what a short question may grow to all the same.
GROWTH = 4
LEAST_BYTES = 64 << 10
TURNS = 12
MINUTES = 15


@dataclass(frozen=True, slots=True)
class Offer:
    """What is asked: the first request and to whom it would go.

    `endpoint` is the URL of the request.
    """

    digest: str
    provider: str
    model: str
    endpoint: str
    region: str | None

    def as_json(self) -> dict[str, Any]:
        """The members of an approval of just this."""
        return asdict(self)

    def refuse_other(self, said: Mapping[str, object]) -> None:
        """Raises Denial where the approval is one of something else."""
        wanted = {"digest": self.digest, "provider": self.provider, "model": self.model}
        wanted["endpoint"] = self.endpoint
        for name, value in wanted.items():
            if said.get(name) != value:
                raise Denial("approval", f"the approval is for another {name}")
        if said.get("region") not in (None, self.region):
            raise Denial("approval", "the approval is for another region")


@dataclass(frozen=True, slots=True)
class Scope:
    """What later requests may hold.

    `paths` are whole, `globs` patterns as of .gitignore; `bytes_max` is of one body, each
    of which repeats what was sent before; `cost_max` in micro-USD.  `masked` are the rules by
    which something may have to be masked in what tools read; None where any may.
    """

    paths: frozenset[str]
    globs: tuple[str, ...]
    bytes_max: int
    turns_max: int
    expires: datetime
    classes: tuple[str, ...] = ()
    cost_max: int | None = None
    masked: tuple[str, ...] | None = None

    def outside(
        self, paths: Iterable[str], classes: Iterable[str] = (), masked: Iterable[str] = ()
    ) -> "Lack":
        """What of these files, classes and rules that masked something is not covered."""
        allowed = pathspec.PathSpec.from_lines("gitignore", self.globs)
        return Lack(
            tuple(p for p in paths if p not in self.paths and not allowed.match_file(p)),
            tuple(sorted(set(classes) - set(self.classes))),
            () if self.masked is None else tuple(sorted(set(masked) - set(self.masked))),
        )

    def spent(self, turn: int, size: int, cost: int | None, now: datetime) -> str | None:
        """Why the `turn`th request, a body of `size` bytes, is not covered, or None."""
        if now >= self.expires:
            return "the approval has expired"
        if turn > self.turns_max:
            return f"{self.turns_max} turns were approved"
        if size > self.bytes_max:
            return f"{self.bytes_max} bytes were approved, this would be {size}"
        if cost is not None and self.cost_max is not None and cost > self.cost_max:
            return "it would cost more than was approved"
        return None

    def wider(self, said: object) -> "Scope":
        """This scope and what a later yes adds.  Raises Malformed."""
        if not isinstance(said, Mapping):
            raise Malformed("an approval must be a JSON object")
        more = cast(Mapping[str, Any], said)
        return replace(
            self,
            paths=self.paths | set(texts(more, "paths")),
            globs=(*self.globs, *globs(more, "globs")),
            classes=(*self.classes, *texts(more, "classes")),
            masked=None if self.masked is None else (*self.masked, *texts(more, "masked")),
            bytes_max=max(self.bytes_max, _number(more, "bytes_max", self.bytes_max)),
            turns_max=max(self.turns_max, _number(more, "turns_max", self.turns_max)),
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "paths": sorted(self.paths),
            "globs": list(self.globs),
            "classes": list(self.classes),
            "bytes_max": self.bytes_max,
            "turns_max": self.turns_max,
            "cost_max": self.cost_max,
            "expires": self.expires.isoformat(timespec="seconds"),
        }


@dataclass(frozen=True, slots=True)
class Lack:
    """What a scope does not cover: members that an approval of it has to name."""

    paths: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()

    @property
    def why(self) -> str:
        """All of it, as one line; empty where nothing is lacking."""
        said: list[str] = []
        if self.paths:
            more = f" and {len(self.paths) - 1} more" if self.paths[1:] else ""
            said.append(f"{self.paths[0]}{more} is not among the approved files")
        if self.classes:
            said.append(f"it holds what was not approved: {', '.join(self.classes)}")
        if self.masked:
            said.append(f"something in it had to be masked: {', '.join(self.masked)}")
        return "; ".join(said)

    def as_json(self) -> dict[str, list[str]]:
        return {name: list(rows) for name, rows in asdict(self).items() if rows}


def narrowed(offered: Scope, said: Mapping[str, Any]) -> Scope:
    """What of the offered scope was approved: all of it, or less.  Raises Malformed."""
    found = replace(
        offered,
        bytes_max=min(offered.bytes_max, _number(said, "bytes_max", offered.bytes_max)),
        turns_max=min(offered.turns_max, _number(said, "turns_max", offered.turns_max)),
    )
    if "globs" in said:
        kept = globs(said, "globs")
        found = replace(found, globs=tuple(glob for glob in offered.globs if glob in kept))
    return found


def _number(said: Mapping[str, Any], name: str, default: int) -> int:
    value = said.get(name, default)
    if type(value) is not int or value < 0:
        raise Malformed(f"{name} must be a whole number")
    return value
