"""`wicket redteam` as one types it; that it sees what gets through; and what a verdict rests on."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from wicket.server.redteam.attacks import ATTACKS
from wicket.server.redteam.verdict import Seen, judged

SECRET = "cnry0123456789abcdef"
HELD = Seen(received=[b"head", b"{}"], bodies=[b"{}"], approved=[b"{}"], intents=1)
# An attack that nothing stands against: the secret does not look like one.
HOLE = """\
import asyncio, json, sys
from dataclasses import asdict
from wicket.server.redteam import trial
from wicket.server.redteam.attacks import Attack
attack = Attack("hole", "a", "b", {"a.py": "x = 1  # @CANARY@\\n"}, pieces=("a.py",))
missed = Attack("missed", "a", "b", {"a.py": "x\\n"}, calls=({"tool": "read"},), pieces=("a.py",))
found = asyncio.run(trial.play([attack, missed]))
print(json.dumps([asdict(one) for one in found]))
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": "/tmp"}


def run(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", *words],
        env=environment,
        cwd=environment["HOME"],
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


def test_every_attack_is_tried_and_held(environment: dict[str, str]) -> None:
    done = run(environment, "-m", "wicket.server", "redteam", "--json")
    rows = json.loads(done.stdout)["attacks"]
    assert [row["name"] for row in rows] == [attack.name for attack in ATTACKS]
    assert [(row["name"], row["verdict"], row["why"]) for row in rows] == [
        (attack.name, "held", []) for attack in ATTACKS
    ]
    assert done.returncode == 0, done.stderr
    # Nothing of it stays, in the home or where the trial was.
    assert os.listdir(environment["HOME"]) == []


def test_what_gets_through_is_seen(environment: dict[str, str]) -> None:
    done = run(environment, "-c", HOLE)
    hole, missed = json.loads(done.stdout)
    assert (hole["verdict"], hole["why"]) == ("through", ["secret 1 of 1 left"])
    assert missed["verdict"] == "held"


def test_rules_of_this_installation_count(environment: dict[str, str]) -> None:
    config = Path(environment["HOME"], ".config/wicket")
    config.mkdir(parents=True, mode=0o700)
    (config / "policy.toml").write_text('default = "never"\n')
    done = run(environment, "-m", "wicket.server", "redteam", "trust-swap", "--json")
    (row,) = json.loads(done.stdout)["attacks"]
    assert (row["verdict"], row["requests"]) == ("held", 0)
    assert row["why"][0].startswith("nothing was sent: ")


def test_an_attack_that_is_none(environment: dict[str, str]) -> None:
    done = run(environment, "-m", "wicket.server", "redteam", "nothing")
    assert done.returncode == 2
    assert done.stderr.startswith("wicket redteam: there is no nothing; there are ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("seen", "verdict", "why"),
    [
        (HELD, "held", ""),
        (Seen(), "untried", "0 of 1 requests came"),
        (Seen(refused="the gate is closed"), "held", "nothing was sent: the gate is closed"),
        (replace(HELD, received=[SECRET.encode()]), "through", "secret 1 of 1 left"),
        (replace(HELD, received=[SECRET.encode().hex().encode()]), "through", "secret 1 of 1 left"),
        (replace(HELD, received=[SECRET[::-1].encode()]), "through", "secret 1 of 1 left"),
        (replace(HELD, decoyed=2), "through", "2 connections to another address"),
        (replace(HELD, marked=True), "through", "a program or a file of the attack ran"),
        (replace(HELD, approved=[b"{ }"]), "through", "what was sent is not what was shown"),
        (replace(HELD, approved=[]), "through", "what was sent is not what was shown"),
        (replace(HELD, intents=0), "through", "1 requests, 0 on record before"),
        (replace(HELD, before={"a": b""}, after={}), "through", "files were changed"),
        (
            replace(HELD, shown=["a\u202eb"]),
            "through",
            "the question shows characters that hide or forge",
        ),
        (
            replace(HELD, shown=["a\nto b"]),
            "through",
            "the question shows characters that hide or forge",
        ),
        (
            replace(HELD, answer="\x1b[2J"),
            "through",
            "the answer shows characters that hide or forge",
        ),
        (replace(HELD, answer="![a](http://b)"), "through", "the answer shows an active image"),
        (replace(HELD, answer="> - [a](b:c)"), "through", "the answer shows an active link"),
        (replace(HELD, answer="<http://b>"), "through", "the answer shows an active link"),
        (replace(HELD, answer="a <img src=b>"), "through", "the answer shows an active html"),
        (replace(HELD, answer="<div>\n"), "through", "the answer shows an active html"),
        (replace(HELD, answer="`<div>` and\n\n    <img>"), "held", ""),
    ],
)
def test_verdicts(seen: Seen, verdict: str, why: str) -> None:
    found, lines = judged(seen, [SECRET], turns=1)
    assert (found, "; ".join(lines)) == (verdict, why)
