"""A provider as the settings name it, and what any provider's stream comes down to."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

import httpx2

from ..task import Task


class ProviderError(Exception):
    """The provider refused or made no sense; the message is one line of ours.

    `said` are the provider's own words, which may quote what was sent.  `status` is the
    HTTP status where that was the refusal.
    """

    def __init__(self, message: str, said: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.said, self.status = said, status


@dataclass(frozen=True, slots=True)
class Provider:
    """A row of `[providers]`.  `base_url` has no slash at its end."""

    name: str
    kind: str
    base_url: str
    model: str
    tier: Literal["on-prem", "frontier"]
    region: str | None = None
    retention: str | None = None
    contract: str | None = None
    key: str | None = field(default=None, repr=False)

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
    """Tokens, of which the provider told."""

    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class Ended:
    """Why the model stopped, and which model it says it is."""

    finish: str
    model: str | None


Event = Text | Usage | Ended


@dataclass(frozen=True, slots=True)
class Kind:
    """A wire format.  `request` is all that leaves; `read` raises ProviderError."""

    request: Callable[[Provider, Task, str], httpx2.Request]
    read: Callable[[httpx2.Response], AsyncIterator[Event]]
