"""Exactly what is to leave: one HTTP request as bytes that are recorded, shown and compared.

    METHOD SP URL LF
    name ": " value LF      one line per header, sorted
    LF
    body

A header that is not in `HEADERS` does not leave.  The provider's key stands there as a
short keyed hash, so that a record says which key was used and not what it is.

Some kinds of provider do not send their key but sign with it (Bedrock, Vertex).  A signature
differs from one moment to the next, and the request must not: so `authorization` stands for
the key here too.  Only when the recorded request is compared and leaves, the transport takes
that header out and puts `SIGNED` ones in its place.  They say nothing that the record does not
hold but the moment: they are made of these very bytes, the key and the time.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

SECRET_HEADERS = frozenset({"api-key", "authorization", "x-api-key"})
HEADERS = SECRET_HEADERS | {"accept", "anthropic-version", "content-type", "user-agent"}
SIGNED = frozenset({"authorization", "x-amz-date", "x-amz-security-token"})

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
