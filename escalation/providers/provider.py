"""A provider as the settings name it, and what any provider's stream comes down to."""

import re
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

import httpx2

from ..conversation import Conversation


class ProviderError(Exception):
    """The provider refused or made no sense; the message is one line of ours.

    `said` are the provider's own words, which may quote what was sent.  `status` is the
    HTTP status where that was the refusal, `fix` what to do where that is known.
    """

    def __init__(
        self, message: str, said: str = "", status: int | None = None, fix: str = ""
    ) -> None:
        super().__init__(message)
        self.said, self.status, self.fix = said, status, fix


MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Prices:
    """Micro-USD for a million tokens.  `since` says where they are from: "settings", or a date.

    `cached` and `written` are of the parts of the input that a provider's cache gave or took.
    """

    input: int
    output: int
    cached: int
    written: int
    since: str

    def of(self, used: "Usage") -> int:
        """Micro-USD, rounded up."""
        plain = max(0, used.tokens_in - used.cached - used.written)
        parts = (
            (plain, self.input),
            (used.cached, self.cached),
            (used.written, self.written),
            (used.tokens_out, self.output),
        )
        return -(-sum(tokens * price for tokens, price in parts) // MILLION)


@dataclass(frozen=True, slots=True)
class Provider:
    """A row of `[providers]`.  `base_url` has no slash at its end.

    `answers_as` is the model that answers must name, where that is not how it is asked for.
    """

    name: str
    kind: str
    base_url: str
    model: str
    tier: Literal["on-prem", "frontier"]
    region: str | None = None
    retention: str | None = None
    contract: str | None = None
    prices: Prices | None = None
    key: str | None = field(default=None, repr=False)
    answers_as: str | None = None
    # Of Azure's dated API, and Google's project.
    api_version: str | None = None
    project: str | None = None

    @property
    def expected(self) -> str:
        """The model that answers should name."""
        if self.kind == "bedrock" and not self.answers_as:
            return re.sub(r"^([a-z-]+\.)?anthropic\.|-v\d+:\d+$", "", self.model)
        if self.kind == "vertex" and not self.answers_as:
            return self.model.replace("@", "-")
        return self.answers_as or self.model

    @property
    def scheme(self) -> str:
        return urlsplit(self.base_url).scheme

    @property
    def host(self) -> str:
        return urlsplit(self.base_url).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self.base_url).port or (443 if self.scheme == "https" else 80)


@dataclass(frozen=True, slots=True)
class Text:
    text: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens so far, of which the provider told.

    Of those that went in its cache gave `cached`, and took `written` anew.
    """

    tokens_in: int
    tokens_out: int
    cached: int = 0
    written: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """The model asks for a tool; `arguments` is what should be a JSON object."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Ended:
    """Why the model stopped, and which model it says it is.

    `turn` is the whole answer as this provider wants it back in a later request.
    """

    finish: str
    model: str | None
    turn: object = None


Event = Text | Usage | Call | Ended

# A wire format: all of one request and its answer, over an HTTP client that decides what
# really leaves.  The words are who asks.  Raises ProviderError and the client's own errors.
Converse = Callable[[Provider, Conversation, str, httpx2.AsyncClient], AsyncGenerator[Event, None]]

# The headers that take the key's place in a request with this body, made as it leaves; None
# where the key itself is sent.  Raises ProviderError.
Sign = Callable[[Provider, httpx2.Request, bytes], Mapping[str, str] | None]

MOST_TOKENS = 1 << 40
# Of a provider's own words about a failure.
LONGEST_WHY = 200


def key_of(provider: Provider) -> str:
    """Without one an SDK would look for credentials elsewhere.  Raises ProviderError."""
    if not provider.key:
        raise ProviderError(f"no key is set for {provider.name}")
    return provider.key


def headers(agent: str, key: str) -> dict[str, str]:
    """Every header of a request that leaves, so that an SDK takes none from elsewhere."""
    return {
        "Accept": "text/event-stream",
        "Content-Type": "application/json",
        "User-Agent": agent,
        "Authorization": f"Bearer {key}",
    }


def count(value: object) -> int:
    """A number that a provider told, or ValueError."""
    if not isinstance(value, int) or not 0 <= value < MOST_TOKENS:
        raise ValueError("no number of tokens")
    return value


def printable(text: object) -> str:
    """A provider's own words as one line; empty for what is no text."""
    said = text[:LONGEST_WHY] if isinstance(text, str) else ""
    return "".join(c if c.isprintable() else " " for c in said)
