"""Runs take turns, one line says what went wrong; a benchmark of ours ends well."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
BENCHMARK = f"""\
import sys
sys.path.insert(0, {str(HERE)!r})
import frame
import wicket

def measure(asked):
    with open(asked.log, "a") as log:
        print(asked.seed, "there" if "other" in wicket.__file__ else "here", file=log)
    assert asked.times > 0, "nothing to do"
    return {{"ms": 2.0 * asked.times * (asked.seed + 1)}}

frame.main("A benchmark.", measure, ("--times", 1, "what is done"), ("--log", "", "a file"))
"""


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """An interpreter that has another Wicket."""
    package = tmp_path / "other" / "wicket"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={package.parent} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return python


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = folder / "benchmark.py"
    script.write_text(BENCHMARK)
    return subprocess.run(
        [sys.executable, script, f"--log={folder / 'log'}", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_both_sides_take_turns_with_the_same_seeds(tmp_path: Path, other: Path) -> None:
    more = ("--runs", "2", "--times", "3", "--append", str(tmp_path / "file"), "--json")
    done = run(tmp_path, "--against", str(other), *more)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "log").read_text().split("\n")[:4] == [
        "0 here",
        "0 there",
        "1 here",
        "1 there",
    ]
    said = json.loads(done.stdout)
    assert json.loads((tmp_path / "file").read_text()) == said
    assert said["subjects"]["here"]["ms"] == {"median": 9, "low": 6, "high": 12}
    assert said["ratios"]["against"]["ms"] == {"median": 1, "low": 1, "high": 1}
    assert said["options"]["times"] == 3
    assert {"machine", "processor", "cores", "load_before"} <= set(said["machine"])
    assert said["subjects"]["against"]["run_cpu_s"]["median"] >= 0
    shown = run(tmp_path, "--against", str(other), *more[:-1])
    assert "against / here" in shown.stdout
    assert len((tmp_path / "file").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--against", sys.executable), "both interpreters run the Wicket in"),
        (("--against", "/no/python"), "/no/python: No such file"),
        (("--append", "/no/file"), "/no/file: No such file"),
        (("--times", "0"), "failed: AssertionError: nothing to do"),
        (("--against", "/bin/false"), "a run with /bin/false failed: it said nothing"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run(tmp_path, "--runs", "1", *arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("script", "few", "figure"),
    [
        ("cancel.py", ("--times", "3"), "idle_p95_ms"),
        ("keystrokes.py", ("--keys", "5"), "lsp_cpu_s"),
        ("llama_vim.py", ("--lines", "1"), "llama_vim_cpu_s"),
        ("soak.py", ("--minutes", "0.05"), "lsp_last_quarter_mb"),
    ],
)
def test_ours_end_well(script: str, few: tuple[str, ...], figure: str) -> None:
    done = subprocess.run(
        [sys.executable, HERE / script, *few, "--runs", "1", "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert figure in json.loads(done.stdout)["subjects"]["here"]
