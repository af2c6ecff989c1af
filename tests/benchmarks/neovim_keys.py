"""Key press to visible ghost text in a real Neovim with the real server and model.

A key counts from the moment it is sent until the first painted frame that has the key's
character and ghost text behind it; a key without ghost text until the next one counts only
for the share.  Reading the screen from outside is part of the figures.
"""

import argparse
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import frame
from wicket.completion.metrics import quantile

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.editors.neovim import SAMPLE, Neovim, home, neovim

# Human gaps: mostly around 180 ms, bursts of 60 ms.
GAPS_SECONDS = (0.06, 0.14, 0.18, 0.18, 0.24)
WARM_UP_SECONDS = 3.0

# What is typed goes on where the text before it ends, as `export` does: what stands nowhere
# else is seldom sure enough to be shown.
BEFORE = (
    SAMPLE
    + """\

    def set(self, name: str, value: str) -> None:
        self.values[name] = value

    def export(self, path: Path) -> None:
        text = json.dumps(self.values, indent=2)
        path.write_text(text, encoding="utf-8")
"""
)
TYPED = """
    def save(self) -> None:
        text = json.dumps(self.values, indent=2)
        self.path.write_text(text, encoding="utf-8")
"""


@dataclass(frozen=True, slots=True)
class Key:
    """One key press; `milliseconds` is None where no ghost text followed it."""

    continued: bool
    milliseconds: float | None


def press(editor: Neovim, key: str, gap: float) -> Key:
    before = editor.ghost
    expected = {"\n": "<CR>", "<": "<lt>"}.get(key, key)
    column = editor.cursor[1]
    editor.frames()
    sent = time.perf_counter()
    editor.nvim.input(expected)
    shown = None
    while time.perf_counter() - sent < gap:
        for painted in editor.frames():
            row, at = painted.cursor
            if shown is None and at != column and painted.rows[row][at:].strip():
                shown = (time.perf_counter() - sent) * 1000
    return Key(before.startswith(key), shown)


def replay(version: str, count: int, seed: int) -> list[Key]:
    gaps = random.Random(seed)
    with home() as place:
        file = place.project / "settings.py"
        file.write_text(BEFORE)
        with neovim(version, place.environment) as editor:
            editor.edit(file)
            editor.ready()
            # Vim's own indenting would double the typed one.
            editor.nvim.command("setlocal indentkeys= indentexpr= noautoindent | $")
            editor.press("A")
            time.sleep(WARM_UP_SECONDS)
            return [press(editor, key, gaps.choice(GAPS_SECONDS)) for key in TYPED[:count]]


def figures(name: str, keys: Sequence[Key]) -> dict[str, float]:
    took = [key.milliseconds for key in keys if key.milliseconds is not None]
    return {
        f"{name}_keys": len(keys),
        f"{name}_with_ghost_text": len(took),
        f"{name}_p50_ms": quantile(took, 0.5),
        f"{name}_p95_ms": quantile(took, 0.95),
    }


def measure(asked: argparse.Namespace) -> dict[str, float]:
    try:
        keys = replay(asked.version, asked.keys, asked.seed)
    except LookupError as error:
        sys.exit(str(error))
    return {
        **figures("all", keys),
        # What is shown already goes on with the key, or the server is asked.
        **figures("continued", [key for key in keys if key.continued]),
        **figures("asked", [key for key in keys if not key.continued]),
    }


if __name__ == "__main__":
    frame.main(
        __doc__,
        measure,
        ("--version", "0.12", "of Neovim: 0.10, 0.11 or 0.12"),
        ("--keys", 60, "that are pressed"),
    )
