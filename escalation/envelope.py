"""Exactly what is to leave: one HTTP request as bytes that are recorded, shown and compared.

    METHOD SP URL LF
    name ": " value LF      one line per header, sorted
    LF
    body

A header that is not in `HEADERS` does not leave.  The provider's key stands there as a
short keyed hash, so that a record says which key was used and not what it is.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

HEADERS = frozenset({"accept", "anthropic-version", "authorization", "content-type", "user-agent"})
SECRET_HEADERS = frozenset({"authorization"})

# The keyed hash of a secret header's value.
StandIn = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Envelope:
    """A request without its secrets.  Made by `seal` alone."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)

    @property
    def exact(self) -> bytes:
        lines = [f"{self.method} {self.url}", *(f"{name}: {value}" for name, value in self.headers)]
        if any("\n" in line or "\r" in line for line in lines):
            raise ValueError("a line break in a header or URL")
        return "\n".join((*lines, "", "")).encode() + self.body

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.exact).hexdigest()


def seal(
    method: str, url: str, headers: Iterable[tuple[str, str]], body: bytes, stand_in: StandIn
) -> Envelope:
    """The envelope of a request that is about to be, or to be compared."""
    kept = [(name.lower(), value) for name, value in headers if name.lower() in HEADERS]
    hidden = [(n, stand_in(v) if n in SECRET_HEADERS else v) for n, v in kept]
    return Envelope(method, url, tuple(sorted(hidden)), body)
