"""Key press to visible ghost text in a real VS Code with the real server and model.

code-server in a headless Chromium: a key counts from its event in the page until the first
frame whose text has the key's character and ghost text; a key without ghost text until the
next one counts only for the share.  `frames_without` counts frames without ghost text after
keys that go on with what is shown.
"""

import argparse
import random
import sys
from pathlib import Path
from typing import Any

import frame
import pytest
from wicket.completion.metrics import quantile

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.benchmarks.neovim_keys import GAPS_SECONDS
from tests.editors.test_vscode import READERS, USER_SETTINGS, WICKET, code_server

# The editor indents by itself.
TYPED = (
    '\n\ndef read_tables(path):\nwith open(path, encoding="utf-8") as file:\nreturn json.load(file)'
)
# What the editor would put in or show besides.
PLAIN = {
    "editor.quickSuggestions": False,
    "editor.autoClosingBrackets": "never",
    "editor.autoClosingQuotes": "never",
}


def measure(asked: argparse.Namespace) -> dict[str, float]:
    chance = random.Random(asked.seed)
    gaps = [1000 * chance.choice(GAPS_SECONDS) for _ in TYPED]
    try:
        with code_server() as editor:
            editor.settings("User", USER_SETTINGS | PLAIN)
            editor.start_server_by([*WICKET, "lsp"])
            folder = editor.home / "library"
            folder.mkdir()
            (folder / "reading.py").write_text(READERS)
            typed = TYPED[: asked.keys]
            keys: list[dict[str, Any]] = editor.drive("keys", folder, typed=typed, gaps=gaps)[
                "keys"
            ]
    except pytest.fail.Exception as error:
        raise frame.Failed(str(error)) from None
    took = [key["shown"] for key in keys if key["shown"] is not None]
    going_on = [key for key in keys if key["goesOn"]]
    return {
        "keys": len(keys),
        "with_ghost_text": len(took),
        "p50_ms": quantile(took, 0.5),
        "p95_ms": quantile(took, 0.95),
        "continued_keys": len(going_on),
        "continued_p95_ms": quantile([key["shown"] for key in going_on if key["shown"]], 0.95),
        "continued_frames_without": sum(key["without"] for key in going_on if key["shown"]),
    }


if __name__ == "__main__":
    frame.main(__doc__, measure, ("--keys", len(TYPED), "that are pressed"))
