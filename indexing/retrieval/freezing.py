"""When the context of a document is chosen anew; between these moments it stays the same.

A context that changes with every key makes the model read all of it again, which costs more
than a slightly better one is worth.
"""

from dataclasses import dataclass

# Without a key for so long, somebody reads or thinks.
PAUSE_MS = 300


@dataclass(frozen=True, slots=True)
class Moment:
    """What the choice of a context rested on, or would rest on now.

    `around` is the name of the top-level definition that holds the cursor, "" outside of
    any; `saves` counts how often the document was saved; `epoch` is that of the index.
    """

    path: str
    around: str
    saves: int = 0
    epoch: int = 0


def reason_to_choose(chosen: Moment | None, now: Moment, idle_ms: float) -> str | None:
    """Why the context is chosen anew, None where the frozen one stays.

    `idle_ms` is the time since the last key.
    """
    if chosen is None:
        return "first request"
    if chosen.path != now.path:
        return "another file"
    if chosen.saves != now.saves:
        return "saved"
    if idle_ms >= PAUSE_MS:
        return "pause"
    if chosen.around != now.around:
        return "another definition"
    return None
