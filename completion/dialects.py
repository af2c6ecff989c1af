"""The languages of inference servers: how each is asked, and what its answers mean.

What stands behind an endpoint is found out by asking, never guessed from a name:
llama-server tokenises for us, so a marker that is one token is a marker; any other server
is given a small hole in each family's format until one is filled rightly.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from . import prompt
from .cursor import Snippet
from .formats import Order
from .wire import Complete

Json = dict[str, Any]
# Asks a path of the server: GET without a body, POST with one; status and JSON object.
Ask = Callable[[str, Json | None], tuple[int, Json]]

# Where the server does not say how long its context is.
UNKNOWN_CONTEXT = 4096
CONTEXT_TOKENS = 8192


@dataclass(frozen=True, slots=True)
class Said:
    """One event of a stream.

    `ended` is set by the last one, and then `tokens` by servers that count.
    """

    text: str
    logprob: float = 0.0
    ended: Literal["stop", "length"] | None = None
    tokens: dict[str, int] = field(default_factory=dict[str, int])


class Dialect(Protocol):
    """`path` is where completions are asked for, `ping` costs the server nothing."""

    ask: Ask
    family: str
    order: Order
    context: int
    path: str
    ping: str
    about: str

    def body(self, request: Complete, budget: prompt.Budget, anchors: prompt.Anchors) -> Json: ...

    def read(self, event: Json) -> Said: ...


# A hole that even a tiny model fills like this where it understands the format, and that
# begins with a whole word: half of one is tokenised unlike the text of any training.
HOLE = (
    "def double(number):\n    return number * 2\n\n\ndef triple(number):\n    ",
    "\n\n\ndef half(number):\n    return number / 2\n",
)
FILLING = "return number"


def cut(
    request: Complete, budget: prompt.Budget, anchors: prompt.Anchors
) -> tuple[str, str, list[Snippet]]:
    """Prefix, suffix and other files in the budget, counted without asking the server."""
    estimate = Estimate()

    def size(*texts: str) -> int:
        return sum(len(estimate.tokenize(text)) for text in texts)

    after = prompt.cut_suffix(request.suffix, estimate, budget.suffix)
    context = list(request.context)
    while context and size(*(s.path + s.text for s in context)) > budget.prompt // 2:
        context.pop(0)
    room = budget.prompt - size(after, request.path, *(s.path + s.text for s in context)) - 32
    window = prompt.cut_prefix(request.prefix, estimate, room, anchors.of(request.path))
    anchors.remember(request.path, window)
    return window, after, context


class Estimate:
    """A vocabulary that only counts: a token as three bytes, the safe side."""

    size = 0
    metadata: Mapping[str, str] = {}

    def id_of(self, token_text: str) -> int | None:
        return None

    def tokenize(self, text: str) -> list[int]:
        return [0] * math.ceil(len(text.encode("utf-8", "replace")) / 3)
