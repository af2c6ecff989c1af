"""An accepted suggestion's import in a real VS Code: one edit above, one undo for both."""

from pathlib import Path

import pytest

from .test_neovim_imports import BILL, FILES
from .test_vscode import editor as editor  # noqa: PLC0414 - a fixture
from .test_vscode import workspace as workspace  # noqa: PLC0414 - a fixture
from .vscode import USER_SETTINGS, WICKET, Editor

TYPED = "\nlabel = as_"
BEFORE = f"{BILL}\n    label = as_"
IMPORTED = BEFORE.replace("import os\n", "import os\n\nfrom .money import as_euros\n", 1)
# By the keys pressed, the file after them.
ACCEPTED = [(["Tab"], f"{IMPORTED}euros(cents)"), (["Control+z"], BEFORE)]
IN_PARTS = [
    # The name stands there, but what was suggested was not accepted.
    (["Control+ArrowRight"], f"{BEFORE}euros"),
    (["Escape", "(", ")"], f"{BEFORE}euros()"),
]


@pytest.mark.parametrize("steps", [ACCEPTED, IN_PARTS], ids=["accepted", "in parts"])
def test_the_import_comes_with_what_was_accepted(
    editor: Editor, workspace: Path, steps: list[tuple[list[str], str]]
) -> None:
    plain = {"editor.quickSuggestions": False, "editor.autoClosingBrackets": "never"}
    editor.settings("User", USER_SETTINGS | plain | {"files.autoSave": "off"})
    editor.start_server_by([*WICKET, "lsp"])
    for name, text in {**FILES, "shop/bill.py": BILL}.items():
        file = workspace / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    editor.wicket("index", str(workspace))
    seen = editor.drive(
        *("imports", workspace),
        file=str(workspace / "shop/bill.py"), typed=TYPED, wait=500,
        picture=str(editor.home / "imports.png"),
        steps=[{"keys": keys, "text": text} for keys, text in steps],
    )  # fmt: skip
    assert seen["ghost"].startswith("euros(cents)")
    assert seen["steps"] == [True] * len(steps)
    assert seen["toasts"] == 0
