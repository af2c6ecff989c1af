"""What became of proposed edits: found in the log by their exchange, decided once, on record."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Literal, get_args

from .audit.leaf import Leaf
from .audit.reading import backwards
from .audit.records import Applied, Edit
from .task import Malformed

Decision = Literal["applied", "rejected", "partly", "reverted"]
# Records that are looked through from the end; more than a year of one person's.
REACH = 200_000
# What may follow what: a proposal is decided on once, and only what was applied is undone.
AFTER: Mapping[str | None, tuple[Decision, ...]] = {
    None: ("applied", "rejected", "partly"),
    "applied": ("reverted",),
    "partly": ("reverted",),
}


@dataclass(frozen=True, slots=True)
class Offered:
    """The edits in the outcome `seq`, and what was decided on them last: the commitment to
    the diff, and the number of the record."""

    seq: int
    edits: tuple[Edit, ...]
    decided: str | None
    commit: str | None = None
    record: int | None = None


def find(directory: Path, exchange: str) -> Offered | None:
    """The edits that an exchange proposed; None where it proposed none.  Reads the log."""
    outcomes: dict[int, Leaf] = {}
    last: Leaf | None = None
    for leaf in islice(backwards(directory), REACH):
        match leaf.tail.type:
            case "applied":
                if last is None and leaf.data["exchange"] == exchange:
                    last = leaf
            case "outcome" if leaf.tail.ref is not None:
                outcomes[leaf.tail.ref] = leaf
            case "intent":
                outcome = outcomes.pop(leaf.tail.seq, None)
                if leaf.data["exchange"] == exchange and outcome is not None:
                    if not (edits := _edits(outcome.data["edits"])):
                        return None
                    made = Offered(outcome.tail.seq, edits, None)
                    if last is None:
                        return made
                    data = last.data
                    return replace(
                        made, decided=data["decision"], commit=data["commit"], record=last.tail.seq
                    )
            case _:
                pass
    return None


def again(
    offered: Offered, said: Mapping[str, Any], commitment: Callable[[str], str]
) -> int | None:
    """The record of this very decision, where it was the last one: who was killed before
    the answer came asks once more."""
    same = said.get("decision") == offered.decided
    return (
        offered.record
        if same and offered.commit == commitment(str(said.get("diff_sha256")))
        else None
    )


def decided_on(
    exchange: str, offered: Offered, said: Mapping[str, Any], commitment: Callable[[str], str]
) -> Applied:
    """The record of a decision.  Raises Malformed, also for one that cannot follow."""
    decision, digest = said.get("decision"), said.get("diff_sha256")
    if decision not in get_args(Decision):
        raise Malformed(f"decision must be one of {', '.join(get_args(Decision))}")
    if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise Malformed("diff_sha256 must be 64 hexadecimal digits")
    if decision not in AFTER.get(offered.decided, ()):
        before = offered.decided or "only proposed"
        raise Malformed(f"these edits are {before}: they cannot be {decision} now")
    # Never a bare hash of content.
    return Applied(exchange, decision, offered.edits, commitment(digest))


def _edits(rows: list[dict[str, Any]]) -> tuple[Edit, ...]:
    """A row for each file: as many as a task can have fit into a leaf."""
    return tuple(Edit(**row) for row in rows)
