"""`wicket bench`: a real engine, typed into; what is asserted are counts and shapes."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from wicket.server.app import AUTOMATIC_MS
from wicket.server.bench import server
from wicket.server.bench.completion import SOURCE, fast_enough, typed, verdict
from wicket.server.bench.result import Result, Spread
from wicket.server.bench.table import BENCHES

from .planted import wicket


def test_every_key_is_new_when_it_comes() -> None:
    cursors = list(typed(30))
    assert len(cursors) == 31
    text = SOURCE.read_text()
    for before, after in pairwise(cursors):
        assert after.prefix[:-1] == before.prefix
        assert after.suffix == before.suffix
        assert text.startswith(after.prefix)
        assert not after.line_after.strip()


def test_typing_ends_where_the_file_was() -> None:
    """The keys of the server's benchmark, each put in where it says."""
    text, keys = server.typed(120)
    lines = text.splitlines(keepends=True)
    for key in keys:
        line = lines[key.line]
        lines[key.line] = line[: key.column] + key.typed + line[key.column :]
        lines = "".join(lines).splitlines(keepends=True)
        assert key.after == {
            "line": key.line + (key.typed == "\n"),
            "character": (0 if key.typed == "\n" else key.column + 1),
        }
    whole = server.SOURCE.read_text()
    assert "".join(lines).startswith(whole[: len(whole) // 2 + 100])


@pytest.mark.parametrize(
    ("runs", "spread", "ratio"),
    [
        ({"a": [20, 90, 20]}, {"a": (20, 20, 90)}, {}),
        (
            {"a": [10, 20], "b": [20, 10]},
            {"a": (15, 10, 20), "b": (15, 10, 20)},
            {"b": (1.25, 0.5, 2)},
        ),
        ({"a": [0, 2], "b": [1, 1]}, {"a": (1, 0, 2), "b": (1, 1, 1)}, {"b": None}),
    ],
)
def test_the_middle_of_several_runs_counts_and_pairs_are_compared(
    runs: dict[str, list[float]],
    spread: dict[str, tuple[float, ...]],
    ratio: dict[str, tuple[float, ...] | None],
) -> None:
    said = {name: [{"ms": value} for value in values] for name, values in runs.items()}
    result = Result.of("x", said, {"cores": 1})
    assert result.runs == len(runs["a"])
    assert {name: of["ms"] for name, of in result.subjects.items()} == {
        name: Spread(*values) for name, values in spread.items()
    }
    assert {name: of.get("ms") for name, of in result.ratios.items()} == {
        name: Spread(*values) if values else None for name, values in ratio.items()
    }


@pytest.mark.parametrize(
    ("p95", "fast", "said"),
    [(20, True, "is fast enough here"), (AUTOMATIC_MS + 1, False, "choose a smaller one")],
)
def test_the_verdict(p95: float, fast: bool, said: str) -> None:
    figures = {"key_p95": Spread(p95, p95, p95)}
    assert fast_enough(figures) == fast
    assert said in verdict("m", figures)


@pytest.mark.parametrize(
    ("name", "subject", "sentence"),
    [
        ("completion", "wicket-base", "fast enough here"),
        ("server", "server", "An answer takes as long as the engine does"),
    ],
)
def test_it_is_measured_and_added_to_a_file(
    tmp_path: Path, name: str, subject: str, sentence: str
) -> None:
    few = ("bench", name, "--runs", "2", "--keys", "12", "--append", "speeds.jsonl")
    done = wicket(tmp_path, *few, "--json")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    said = json.loads(done.stdout)
    shown = wicket(tmp_path, *few)
    lines = [json.loads(line) for line in (tmp_path / "speeds.jsonl").read_text().splitlines()]
    assert lines[0] == said
    assert len(lines) == 2
    assert set(said["subjects"]) == {subject}
    figures = said["subjects"][subject]
    assert set(figures) == {figure.name for figure in BENCHES[name].figures}
    assert 0 < figures["answered"]["median"] <= 1
    assert figures["memory"]["median"] > 10 << 20
    assert 0 < figures.get("tokens_per_key", {"median": 1})["median"] < 10
    for one in figures.values():
        assert one["low"] <= one["median"] <= one["high"]
    words = " ".join(shown.stdout.split())
    assert sentence in words
    assert "cores, load before" in words
    assert all(figure.label in words for figure in BENCHES[name].figures)


def test_an_index_is_measured(tmp_path: Path) -> None:
    done = wicket(tmp_path, "bench", "index", "--runs", "1", "--keys", "12", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    figures = said["subjects"]["index"]
    assert set(figures) == {figure.name for figure in BENCHES["index"].figures}
    # Some say that a program wrote them.
    assert 110 <= figures["files"]["median"] <= 120
    assert figures["to_parsing"]["median"] > 1
    assert 0 < figures["size"]["median"] < 1
    assert "per processor second" in said["verdicts"]["index"]


def test_the_audit_log_is_measured(tmp_path: Path) -> None:
    done = wicket(tmp_path, "bench", "audit", "--runs", "1", "--keys", "10", "--json")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)["subjects"]["audit"]
    assert set(figures) == {figure.name for figure in BENCHES["audit"].figures}
    assert all(one["low"] > 0 for one in figures.values())
    assert list(tmp_path.rglob("bench-audit-*")) == []


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--runs", "0"), 2, "--runs takes at least 1"),
        (("--keys", "3"), 2, "--keys at least 10"),
        (("server", "--keys", "40000"), 2, "at most 15000"),
        (("--model", "nothing"), 1, "no model is called nothing"),
        (("server", "--model", "wicket-base"), 2, "the same for every model"),
        (("nothing",), 2, "invalid choice"),
        (("--runs", "1", "--keys", "10", "--append", "no/where"), 1, "no/where: No such file"),
    ],
)
def test_a_mistake_is_said(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = wicket(tmp_path, "bench", *arguments)
    assert done.returncode == code
    assert said in done.stderr
