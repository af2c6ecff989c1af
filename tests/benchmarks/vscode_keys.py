"""Key press to visible ghost text in a real VS Code with the real server and model.

A key counts from the moment the page hears of it until the first frame in which the cursor has
moved and ghost text that fits is in the document; a key without ghost text until the next one
counts only for the share.  A browser without a screen paints 60 frames a second.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import frame
from neovim_keys import BEFORE, GAPS_SECONDS, TYPED, Key, figures

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.editors.vscode import USER_SETTINGS, WICKET, Missed, code_server

WARM_UP_MS = 3000
# What is typed is typed whole; an editor that helps would type parts of it twice.
PLAIN = {
    "editor.autoIndent": "none",
    "editor.autoClosingBrackets": "never",
    "editor.autoClosingQuotes": "never",
    "editor.quickSuggestions": False,
    "files.autoSave": "off",
}


def replay(count: int, seed: int) -> list[dict[str, Any]]:
    gaps = random.Random(seed)
    with code_server() as editor:
        folder = Path(tempfile.mkdtemp(dir=editor.home))
        (folder / "settings.py").write_text(BEFORE)
        editor.settings("User", USER_SETTINGS | PLAIN)
        editor.start_server_by([*WICKET, "lsp"])
        typed = TYPED[:count]
        seen = editor.drive(
            "keys",
            folder,
            file=str(folder / "settings.py"),
            typed=typed,
            gaps=[1000 * gaps.choice(GAPS_SECONDS) for _ in typed],
            wait=WARM_UP_MS,
        )
    return seen["keys"]


def of(keys: Sequence[dict[str, Any]]) -> list[Key]:
    return [Key(key["continued"], key["shown"]) for key in keys]


def measure(asked: argparse.Namespace) -> dict[str, float]:
    try:
        found = replay(asked.keys, asked.seed)
    except (LookupError, Missed) as error:
        sys.exit(" ".join(str(error).split()))
    continued = [key for key in found if key["continued"]]
    return {
        **figures("all", of(found)),
        # What is shown already goes on with the key, or the server is asked.
        **figures("continued", of(continued)),
        **figures("asked", of([key for key in found if not key["continued"]])),
        "continued_frames_without": sum(key["blank"] for key in continued),
    }


if __name__ == "__main__":
    frame.main(__doc__, measure, ("--keys", 60, "that are pressed"))
