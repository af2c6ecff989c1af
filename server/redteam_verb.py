"""`wicket redteam`: published attacks, tried on this installation and with its own rules."""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict

from rich.console import Console

from .ask import NoAnswer
from .index import IndexFailed
from .paths import UnsafePath
from .redteam import trial
from .redteam.attacks import ATTACKS
from .redteam.verdict import Outcome

SAID = {"held": "held       ", "through": "GOT THROUGH", "untried": "not tried  "}


def run(arguments: argparse.Namespace) -> int:
    """Exits 0 where every attack was tried and held."""
    wanted = arguments.attack or [attack.name for attack in ATTACKS]
    if unknown := sorted(set(wanted) - {attack.name for attack in ATTACKS}):
        names = ", ".join(attack.name for attack in ATTACKS)
        print(f"wicket redteam: there is no {unknown[0]}; there are {names}", file=sys.stderr)
        return 2
    attacks = [attack for attack in ATTACKS if attack.name in wanted]
    console = Console(highlight=False, soft_wrap=True)

    def hear(outcome: Outcome) -> None:
        if not arguments.json:
            line = f"{SAID[outcome.verdict]}  {outcome.name}: {outcome.tries} ({outcome.evidence})"
            console.print(line, markup=False)
            for why in outcome.why:
                console.print(f"             {why}", markup=False)

    try:
        outcomes = asyncio.run(trial.play(attacks, hear))
    except (NoAnswer, UnsafePath, IndexFailed, OSError) as error:
        print(f"wicket redteam: {error}", file=sys.stderr)
        return 1
    held = sum(outcome.verdict == "held" for outcome in outcomes)
    if arguments.json:
        print(json.dumps({"attacks": [asdict(outcome) for outcome in outcomes], "held": held}))
    else:
        print(f"{held} of {len(outcomes)} attacks held")
    return 0 if held == len(outcomes) else 1
