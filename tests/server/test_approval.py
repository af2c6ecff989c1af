"""Six lines before anything leaves, whatever is in them; and how the answers are counted."""

from pathlib import Path
from typing import Any

import pytest
from wicket.server import approval, asked

PREPARED: dict[str, Any] = {
    "provider": "claude",
    "tier": "frontier",
    "model": "m",
    "host": "api.example",
    "region": None,
    "manifest": [{"path": "a.py", "lines": [1, 9]}],
    "bytes": 1234,
    "redactions": [],
    "tools": [],
    "scope": {"globs": [], "bytes_max": 65536, "turns_max": 1},
    "tokens": 308,
    "cost": None,
    "retention": None,
    "contract": None,
    "why": "the first in your settings",
}


@pytest.mark.parametrize(
    ("changes", "line", "shown"),
    [
        ({}, 0, "to      claude (frontier): m at api.example"),
        ({"region": "eu"}, 0, "to      claude (frontier): m at api.example, region eu"),
        ({"host": "api.example\u202e\x1b[2J"}, 0, "at api.example\\u202e\\x1b[2J"),
        ({}, 1, "sends   1.2 kB: 1 piece of 1 file (a.py:1-9)"),
        ({"manifest": []}, 1, "sends   1.2 kB, no file"),
        ({"manifest": [{"path": f"{n}", "lines": [1, 2]} for n in range(9)]}, 1, "5 more)"),
        ({"manifest": [{"path": "a\nto  b", "lines": [1, 2]}]}, 1, "(a\\nto  b:1-2)"),
        ({}, 2, "masked  nothing"),
        ({"redactions": [{"count": 2, "kind": "secret"}]}, 2, "masked  2 secret"),
        ({}, 3, "then    nothing more leaves without another question"),
        (
            {"tools": ["read"], "scope": {"globs": ["**"], "bytes_max": 65536, "turns_max": 12}},
            3,
            "read in any file of this folder, never in secret files: up to 65.5 kB in 12 turns",
        ),
        (
            {},
            4,
            "costs   about 308 tokens to read; no price is known: "
            "none in [providers.claude], nor in the table",
        ),
        ({"cost": 924}, 4, "costs   about 308 tokens to read, $0.0009, and the answer"),
        ({}, 5, "no retention is agreed in your settings; chosen: the first in your settings"),
        ({"retention": "30 days"}, 5, "kept    retention 30 days; chosen"),
    ],
)
def test_always_six_lines(changes: dict[str, Any], line: int, shown: str) -> None:
    lines = approval.summary(PREPARED | changes)
    assert len(lines) == 6
    assert not any("\n" in one for one in lines)
    assert shown in lines[line]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([(4.0, 1)], asked.Asked(1, 1, 4.0, 4.0, 0)),
        ([(1.0, 1), (3.0, 0), (9.0, 1)], asked.Asked(3, 2, 3.0, 9.0, 1)),
        ([(float(n), 1) for n in range(10)], asked.Asked(10, 10, 4.5, 9.0, 2)),
    ],
)
def test_figures(rows: list[tuple[float, int]], expected: asked.Asked) -> None:
    assert asked.figures(rows) == expected


def test_nobody_was_asked(tmp_path: Path) -> None:
    assert asked.read(tmp_path) is None
    (tmp_path / asked.FILE).write_bytes(b"no database")
    assert asked.to_json(tmp_path) is None
