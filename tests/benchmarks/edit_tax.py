"""What masking costs edits: the same edits with redaction on and off, and which ones fail.

    python tests/benchmarks/edit_tax.py [--cases 576] [--seed 1] [--failures]

Functions of real modules with made-up secrets and personal data planted in, near and far from
what is edited; a model behind the loopback that makes one change to the letter of what it
received; the flow of an edit as the terminal has it, over the gate's socket, Anthropic's SDK and
a real log, up to the files on the disk.  An edit succeeded if the file is byte for byte what
the same change makes of it with nothing masked.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from wicket.escalation.redaction.rules import Pack

from tests.server.edit_desk import EditDesk
from tests.server.obedient import Case, cases


async def measure(rows: Sequence[Case]) -> dict[str, list[str]]:
    """For each way what became of each case: `right`, or why not."""
    found: dict[str, list[str]] = {}
    for way, rules in (("on", None), ("off", Pack((), (), ""))):
        with tempfile.TemporaryDirectory(prefix="wt", dir="/tmp") as place:
            async with EditDesk.open(Path(place), rules) as desk:
                found[way] = [await desk.outcome(case) for case in rows]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=576)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--failures", action="store_true")
    arguments = parser.parse_args()
    rows = list(cases(arguments.seed, arguments.cases))
    found = asyncio.run(measure(rows))
    right = {way: sum(said == "right" for said in given) for way, given in found.items()}
    print(f"{len(rows)} edits: right with redaction {right['on']}, without {right['off']}")
    pairs = list(zip(rows, found["on"], found["off"], strict=True))
    worse = [one for one in pairs if one[1] != "right" and one[2] == "right"]
    better = [one for one in pairs if one[1] == "right" and one[2] != "right"]
    print(f"only without {len(worse)}, only with {len(better)}; load {os.getloadavg()[0]:.1f}")
    for what in ("where", "style", "kind"):
        print(what, dict(Counter(str(getattr(case, what)) for case, _, _ in worse)))
    print("change", dict(Counter(case.change["do"] for case, _, _ in worse)))
    if arguments.failures:
        for case, on, off in pairs:
            if on != "right" or off != "right":
                print(case, "| on:", on, "| off:", off)


if __name__ == "__main__":
    main()
