"""What may leave, decided in one place: for a task at its start and for every tool's result.

Whoever adds policy or masks adds them to `consider`, and nothing else has to know.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .audit.records import Redaction
from .task import Document

# Shorter values would match everywhere.
SHORTEST_SECRET = 6
# Until there are policies: every request is a question to the user.
POLICY = b'default = "ask"'

# The rule that keeps a path from leaving, or None.
Forbidden = Callable[[str], str | None]


class Denial(Exception):
    """This may not be sent.  `rule` names what forbids it."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Considered:
    """What may leave, as it may leave: masked, and with the decision on it.

    `decision` is ask or allow, `rule` what decided it; `classes` are those that policy
    finds in it.
    """

    documents: tuple[Document, ...]
    texts: tuple[str, ...]
    redactions: tuple[Redaction, ...] = ()
    classes: tuple[str, ...] = ()
    decision: str = "ask"
    rule: str | None = None


def consider(
    documents: Sequence[Document],
    texts: Sequence[str],
    known_secrets: Sequence[str],
    forbidden: Forbidden,
) -> Considered:
    """Pieces of files, and words around them.  Raises Denial.  Pure, but for `forbidden`."""
    for document in documents:
        if rule := forbidden(document.path):
            raise Denial(rule, f"{document.path} may not leave this machine")
    everything = [*texts, *(document.text for document in documents)]
    for secret in known_secrets:
        if len(secret) >= SHORTEST_SECRET and any(secret in text for text in everything):
            raise Denial("known secrets", "a secret of this machine is in what would be sent")
    return Considered(tuple(documents), tuple(texts))
