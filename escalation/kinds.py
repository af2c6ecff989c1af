"""What may be asked for: one row for each kind of task, with the words that a row brings.

Policies, routes and records name a task by its kind.
"""

from dataclasses import dataclass
from typing import Literal, get_args

Tier = Literal["local", "on-prem", "frontier"]
# The nearest first, which are the weaker ones.
TIERS: tuple[Tier, ...] = get_args(Tier)
AWAY: tuple[Tier, ...] = ("on-prem", "frontier")


@dataclass(frozen=True, slots=True)
class Kind:
    """`title` is what a menu says, and `words` what is asked where nobody says more;
    `edits` tells that files are to be changed by it; `tiers` who may get it, in this order, and
    `largest` how many bytes of text it may take along."""

    name: str
    title: str = ""
    words: str = ""
    edits: bool = False
    tiers: tuple[Tier, ...] = TIERS
    largest: int = 512 << 10

    @property
    def feature(self) -> str:
        """The setting in [features] that switches it off."""
        return "edit" if self.edits else "ask"


PROBE = "probe"
KINDS = {
    kind.name: kind
    for kind in (
        Kind("ask", tiers=AWAY, largest=4 << 20),
        Kind(
            "explain",
            "Explain",
            "Explain what this code does, why it is so, and what may surprise in it.",
        ),
        Kind("review", tiers=AWAY, largest=4 << 20),
        Kind("test"),
        Kind("rename-across", tiers=AWAY, largest=4 << 20),
        Kind("refactor", edits=True, tiers=AWAY, largest=2 << 20),
        Kind("edit", edits=True, tiers=AWAY, largest=1 << 20),
        Kind(
            "document",
            "Document",
            "Write the documentation of this code as the file around it does, or mend what is "
            "there. Change no code.",
            edits=True,
        ),
        Kind("fix", "Fix", "Find what is wrong with this code, and mend it.", edits=True),
        Kind(
            "types",
            "Add types",
            "Add the types that this code lacks, as exactly as the code around it tells. Change "
            "nothing that it does.",
            edits=True,
        ),
        Kind(
            "extract",
            "Extract",
            "Extract this code into a function of its own beside the one it is in, with a name "
            "that says what it does, and call it here.",
            edits=True,
        ),
        Kind(
            "simplify",
            "Simplify",
            "Make this code simpler and shorter. Change nothing that it does.",
            edits=True,
        ),
        # What a provider can do: the gate's own words, with nothing of the user's.
        Kind(PROBE, tiers=("on-prem",), largest=0),
    )
}
