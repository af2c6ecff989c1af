"""When the context of a document is chosen anew; between these moments it stays the same.

A context that changes with every key makes the model read all of it again, which costs more
than a slightly better one is worth.
"""

from dataclasses import dataclass
from typing import Literal

Reason = Literal["first request", "another file", "saved", "pause", "definition", "focus"]

# Without a key for so long, somebody reads or thinks.
PAUSE_MS = 300
# What to read a new prompt may take while somebody types: the time to the first line that
# a processor is given.
FIRST_LINE_MS = 400
# Reasons at which nobody is in the middle of a word.
AT_REST: frozenset[Reason] = frozenset(("another file", "saved", "pause"))


@dataclass(frozen=True, slots=True)
class Moment:
    """What the choice of a context rested on, or would rest on now.

    `around` is the first line of the top-level block that holds the cursor, "" outside of
    any; `focus` is what stands at the cursor: "store." or "open("; `saves` counts how often
    the document was saved, `visit` how often another one was turned to.
    """

    around: str = ""
    focus: str = ""
    saves: int = 0
    visit: int = 0


def reason_to_choose(chosen: Moment | None, now: Moment, idle_ms: float = 0) -> Reason | None:
    """Why the context is chosen anew, None where the frozen one stays.

    `idle_ms` is the time since the last key.
    """
    if chosen is None:
        return "first request"
    if chosen.visit != now.visit:
        return "another file"
    if chosen.saves != now.saves:
        return "saved"
    if idle_ms >= PAUSE_MS:
        return "pause"
    if now.around and chosen.around != now.around:
        return "definition"
    if now.focus and chosen.focus != now.focus:
        return "focus"
    return None


def in_time(tokens: int, rate: float) -> bool:
    """Whether a prompt of `tokens` is read while somebody types, at `rate` tokens per second.

    A rate of 0 is not known: a server elsewhere is taken to be fast enough.
    """
    return not rate or 1000 * tokens / rate <= FIRST_LINE_MS


def around(text: str, offset: int) -> str:
    """The line without indentation that the cursor's line lies below; "" if it has none itself."""
    start = _line_start(text, offset)
    if start == offset or text[start] not in " \t":
        return ""
    while start > 0:
        start = _line_start(text, start - 1)
        if text[start] not in " \t\r\n)]}":
            return text[start : text.find("\n", start)].rstrip()
    return ""


def _line_start(text: str, offset: int) -> int:
    return text.rfind("\n", 0, offset) + 1
