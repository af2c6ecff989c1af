"""From an editor's messages through the real server to `wicket stats`."""

import json
import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from ..benchmarks.events import Log, in_node
from ..editors.neovim import home
from .test_node_client import ROOT, WICKET


def test_what_was_done_is_what_is_told() -> None:
    """Each thing a person may do to a suggestion, once; what it leaves on the disk."""
    ready = subprocess.run([ROOT / ".ci/vscode", "--check"], capture_output=True, text=True)
    if ready.returncode:
        pytest.fail(ready.stderr.strip(), pytrace=False)
    with home() as place:
        done = list(in_node(place, rounds=1))
        assert [one for one in done if one.inferred != one.expected] == []

        told = subprocess.run(
            [*WICKET, "stats", "--json"],
            env=os.environ | place.environment,
            capture_output=True,
            check=True,
        )
        said = json.loads(told.stdout)
        wanted = [one.expected.partition(":")[0] for one in done]
        for outcome in ("accepted", "partial", "typed", "rejected"):
            assert said[outcome] == wanted.count(outcome)
        assert said["shown"] >= len(done)
        by_model = {name: one["shown"] for name, one in said["by"]["model"].items()}
        assert sum(by_model.values()) == said["shown"]
        # A text that other files repeat is shown without asking the model.
        assert set(by_model) == {"wicket-base"}

        state = Path(place.environment["XDG_STATE_HOME"]) / "wicket"
        with closing(sqlite3.connect(state / "stats/stats.db")) as database:
            kept = "\n".join(database.iterdump()) + Log(place).file.read_text()
        for word in ("retur", "double", "file://", ".py\n"):
            assert word not in kept
