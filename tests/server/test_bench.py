"""`wicket bench`: a real engine, typed into; what is asserted are counts and shapes."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from wicket.server.app import AUTOMATIC_MS
from wicket.server.bench import SOURCE, Run, Speed, Spread, spreads, typed

from .planted import wicket

RUN = Run(100, 50, 10, 20, 0.9, 1.5, 8, 3000, 700, 80 << 20)


def test_every_key_is_new_when_it_comes() -> None:
    cursors = list(typed(30))
    assert len(cursors) == 31
    text = SOURCE.read_text()
    for before, after in pairwise(cursors):
        assert after.prefix[:-1] == before.prefix
        assert after.suffix == before.suffix
        assert text.startswith(after.prefix)
        assert not after.line_after.strip()


def test_the_middle_of_several_runs_counts() -> None:
    runs = [RUN, Run(100, 50, 10, 90, 0.9, 1.5, 8, 3000, 700, 80 << 20), RUN]
    assert spreads(runs)["key_p95"] == Spread(20, 20, 90)


@pytest.mark.parametrize(
    ("p95", "fast", "said"),
    [(20, True, "is fast enough here"), (AUTOMATIC_MS + 1, False, "choose a smaller one")],
)
def test_the_verdict(p95: float, fast: bool, said: str) -> None:
    speed = Speed("m", {"key_p95": Spread(p95, p95, p95)})
    assert speed.fast_enough == fast
    assert said in speed.verdict


def test_the_embedded_model_is_measured(tmp_path: Path) -> None:
    few = ("bench", "completion", "--runs", "2", "--keys", "12")
    done = wicket(tmp_path, *few, "--json", "--append", "speeds.jsonl")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert json.loads((tmp_path / "speeds.jsonl").read_text()) == said
    (model,) = said["models"]
    assert model["model"] == "wicket-base"
    figures = model["figures"]
    assert set(figures) == set(Run.__dataclass_fields__)
    assert 0 < figures["tokens_per_key"]["median"] < 10
    assert 0 < figures["answered"]["median"] <= 1
    assert figures["memory"]["median"] > 10 << 20
    for one in figures.values():
        assert 0 <= one["low"] <= one["median"] <= one["high"]
    shown = wicket(tmp_path, *few)
    assert "fast enough here" in " ".join(shown.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--runs", "0"), 2, "--runs takes at least 1"),
        (("--keys", "3"), 2, "--keys at least 10"),
        (("--model", "nothing"), 1, "no model is called nothing"),
        (("index",), 2, "invalid choice"),
        (("--runs", "1", "--keys", "10", "--append", "no/where"), 1, "no/where: No such file"),
    ],
)
def test_a_mistake_is_said(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = wicket(tmp_path, "bench", *arguments)
    assert done.returncode == code
    assert said in done.stderr
