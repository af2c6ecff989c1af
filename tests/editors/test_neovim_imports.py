"""An accepted suggestion's import in real Neovims: one edit above, one `u` for both."""

from collections.abc import Iterator

import pytest

from .neovim import VERSIONS, Home, home, neovim, required

FILES = {
    "shop/__init__.py": "",
    "shop/money.py": "def as_euros(cents: int) -> str:\n    return str(cents / 100)\n",
    "shop/report.py": (
        "from .money import as_euros\n\n\ndef report(cents: int) -> str:\n"
        "    label = as_euros(cents)\n    return label\n"
    ),
}
BILL = "import os\n\n\ndef bill(cents: int) -> str:\n    label = os.sep"


@pytest.fixture(scope="module")
def place() -> Iterator[Home]:
    with home() as made:
        (made.project / ".git").mkdir()
        for name, text in FILES.items():
            file = made.project / name
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        yield made


@pytest.mark.parametrize("version", VERSIONS)
def test_the_import_comes_with_what_was_accepted(version: str, place: Home) -> None:
    with neovim(required(version), place.environment) as editor:
        path = place.project / "shop" / "bill.py"
        path.write_text(BILL)
        editor.edit(path)
        editor.ready()
        editor.until(
            "an index",
            lambda: [*(place.path / "cac").glob("wicket/index/*/text")],
        )
        editor.nvim.command("setlocal indentkeys= indentexpr= noautoindent | $")
        editor.press("A")
        editor.type("\r    label = as_")
        editor.press("<Plug>(wicket-trigger)")
        ghost = editor.until("ghost text", lambda: editor.ghost)
        assert ghost.startswith("euros(cents)")
        typed = editor.lines
        editor.press("<Tab>")
        editor.until("the import", lambda: "from .money import as_euros" in editor.lines)
        text = "\n".join(editor.lines)
        assert (
            text == f"import os\n\nfrom .money import as_euros\n{BILL[10:]}\n    label = as_{ghost}"
        )
        editor.type(")")  # The cursor has stayed behind what was accepted.
        assert "\n".join(editor.lines) == f"{text})"
        editor.press("<Esc>", "u")
        assert editor.lines == typed
        assert editor.lua("return vim.v.errmsg") == ""
