"""What a provider can do, as it was found when somebody had it asked: kept, and used.  Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, cast

from .kinds import KINDS, PROBE
from .providers.provider import Provider
from .tools import EDIT

# Of the context, in bytes at four to a token, what a task may take without being large for it:
# three quarters, as for the large models of `routing.ROOM`.
ROOM_PER_TOKEN = 3


@dataclass(frozen=True, slots=True)
class Abilities:
    """`context` is in tokens; None is what was not told, or not seen.

    `base_url` and `model` are whom it was found of: other settings, and nothing is known.
    `when` is a moment in ISO 8601.
    """

    base_url: str
    model: str
    when: str
    context: int | None = None
    tools: bool | None = None
    schema: bool | None = None
    streaming: bool | None = None

    @property
    def room(self) -> int | None:
        """Bytes that a task may well have."""
        return None if self.context is None else self.context * ROOM_PER_TOKEN

    def lacking(self, kind: str) -> str | None:
        """Why a task of this kind is nothing for it, or None."""
        if self.streaming is False and kind != PROBE:
            return f"it does not stream its answers, which is needed (asked {self.when[:10]})"
        if KINDS[kind].edits and self.tools is False:
            return f"{kind} needs tools, which it does not have (asked {self.when[:10]})"
        return None

    def outgrown(self, name: str, tokens: int) -> str | None:
        """Why a body of about so many tokens is not sent to `name`, or None."""
        if self.context is None or tokens < self.context:
            return None
        return (
            f"about {tokens} tokens are more than {name} takes ({self.context}): give fewer files "
            f"or lines; if it has grown since, run wicket doctor --probe {name}"
        )

    @property
    def shown(self) -> str:
        """One line for a person."""
        size = f"{self.context} tokens of context" if self.context else "context not told"
        known = (("tools", self.tools), ("JSON schema", self.schema), ("stream", self.streaming))
        rows = [f"{name} {_WORDS[value]}" for name, value in known]
        return ", ".join((size, *rows, f"asked {self.when[:10]}"))


_WORDS = {True: "yes", False: "no", None: "unknown"}


@dataclass(frozen=True, slots=True)
class Kept:
    """Those of every provider that was ever asked, by name."""

    rows: Mapping[str, Abilities] = field(default_factory=dict[str, Abilities])

    def of(self, provider: Provider) -> Abilities:
        """What is known of it: nothing, where it was not asked as it is set up now."""
        found = self.rows.get(provider.name)
        if found and (found.base_url, found.model) == (provider.base_url, provider.model):
            return found
        return Abilities(provider.base_url, provider.model, "")

    def known(self, provider: Provider) -> Abilities | None:
        found = self.of(provider)
        return found if found.when else None


def offered(tools: tuple[str, ...], known: Abilities) -> tuple[str, ...]:
    """Tools for a task: none but edits for a provider that has none."""
    return tuple(t for t in tools if t == EDIT) if known.tools is False else tools


def read(said: object) -> Kept:
    """What `as_json` wrote; a row that is not understood is left out."""
    found: dict[str, Abilities] = {}
    rows = cast(Mapping[str, Any], said if isinstance(said, dict) else {})
    for name, row in rows.items():
        try:
            one = Abilities(**cast(dict[str, Any], row))
        except TypeError:
            continue
        told = (one.tools, one.schema, one.streaming)
        texts = (one.base_url, one.model, one.when)
        sized = one.context is None or (type(one.context) is int and one.context > 0)
        if sized and all(type(t) is str for t in texts) and {*map(type, told)} <= {bool, _NONE}:
            found[name] = one
    return Kept(found)


_NONE = type(None)


def as_json(kept: Kept) -> dict[str, Any]:
    return {name: asdict(one) for name, one in kept.rows.items()}
