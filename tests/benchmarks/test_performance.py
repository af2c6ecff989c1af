"""docs/performance.md says what was measured, and its picture shows it."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import latencies
import performance

HERE = Path(__file__).parent


def result(bench: str, **figures: float) -> str:
    spread = {k: {"median": v, "low": v / 2, "high": v * 2} for k, v in figures.items()}
    said = {"machine": "x86_64", "processor": "P", "cores": 2, "load_before": 1.5}
    return json.dumps(
        {
            "bench": bench,
            "runs": 3,
            "subjects": {"here": spread},
            "options": {"times": 20, "samples": "/somewhere/file"},
            "machine": said,
            "time": "2026-11-21T12:00:00Z",
        }
    )


def test_the_page_is_what_was_measured() -> None:
    measured = performance.latest(performance.MEASURED.read_text().splitlines())
    text = performance.PAGE.read_text()
    assert performance.page(text, measured) == text, "run tests/benchmarks/performance.py"


def test_the_last_result_counts_and_marks_are_judged() -> None:
    text = performance.table(
        performance.latest(
            [
                result("cancel", idle_p95_ms=99),
                result("cancel", idle_p95_ms=12),
                result("keystrokes", with_item_p50_ms=26, share_with_item=0.4),
            ]
        )
    )
    assert (
        "| cancel to idle, 95 % within, ms | ≤ 25 | 12.0 (6.0 to 24.0) | yes | `cancel` |" in text
    )
    assert "| ≤ 25 | 26.0 (13.0 to 52.0) | **no** | `keystrokes` |" in text
    assert "| ≥ 30 | 40 (20 to 80) | yes | `keystrokes` |" in text
    assert "not measured" in text
    assert "3 runs, times 20 | x86_64, P, 2 cores, load before 1.5 |" in text
    assert "/somewhere" not in text


def test_every_benchmark_of_the_table_is_there() -> None:
    assert {row.bench for row in performance.ROWS} == set(performance.COMMANDS)
    for command in performance.COMMANDS.values():
        for word in command.split():
            assert not word.endswith(".py") or (performance.ROOT / word).exists()


def test_the_picture(tmp_path: Path) -> None:
    runs = [
        {"wicket": {"keys": 4, "ms": [0.01, 20]}, "llama_vim": {"keys": 4, "ms": [30]}},
        {"wicket": {"keys": 6, "ms": [5000]}, "llama_vim": {"keys": 6, "ms": [40, 50]}},
    ]
    samples = tmp_path / "samples"
    samples.write_text("".join(json.dumps(run) + "\n" for run in runs))
    picture = tmp_path / "picture.svg"
    done = subprocess.run(
        [sys.executable, HERE / "latencies.py", samples, picture], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said = " ".join(ET.parse(picture).getroot().itertext())
    assert "Wicket: 30 % of 10 keys, p50 20 ms, p95 4502 ms" in said
    assert "client: 30 % of 10 keys, p50 40 ms" in said
    assert latencies.read(samples.read_text().splitlines())["wicket"] == (10, [0.01, 20, 5000])


@pytest.mark.parametrize("content", ["", "no JSON\n", '{"wicket": {}}\n'])
def test_a_file_of_something_else_is_one_line(tmp_path: Path, content: str) -> None:
    samples = tmp_path / "samples"
    samples.write_text(content)
    done = subprocess.run(
        [sys.executable, HERE / "latencies.py", samples, tmp_path / "x.svg"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "--samples FILE` makes one" in done.stderr


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--measure", "--only", "server,nothing"), "'nothing' is none of keystrokes, "),
        (("--only", "server"), "give both"),
    ],
)
def test_what_is_to_be_measured_has_to_be_known(words: tuple[str, ...], why: str) -> None:
    command = [sys.executable, HERE / "performance.py", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert why in done.stderr
