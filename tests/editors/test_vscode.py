"""Wicket in a real VS Code: code-server in a headless Chromium, our VSIX installed."""

import contextlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .vscode import START_SECONDS, USER_SETTINGS, WICKET, Editor, code_server

# The model that ships knows how this goes on.
SOURCE = '''\
import json


def read_settings(path):
    """The settings as a dictionary."""
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def read_lines(path):
    """The lines without their line breaks."""
    with open(path'''
TYPED = ", "
# Every reader ends alike, so that model and copy are sure enough of one more.
READERS = "import json\n" + "".join(
    f"""

def read_{name}(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)
"""
    for name in ("settings", "colours", "names", "sizes", "places", "dates")
)

# Two ways to go on, so that there is something to choose from.
WAYS = """\
def first(values):
    return sorted(values)[0]


def last(values):
    return sorted(values)[-1]


def middle(values):
    return """

UNTRUSTED = {
    "security.workspace.trust.enabled": True,
    "security.workspace.trust.startupPrompt": "never",
    "security.workspace.trust.banner": "never",
}


@pytest.fixture(scope="module")
def editor() -> Iterator[Editor]:
    """One for all tests."""
    with contextlib.ExitStack() as stack:
        try:
            running = stack.enter_context(code_server())
        except LookupError as error:
            pytest.fail(str(error), pytrace=False)
        yield running


@pytest.fixture
def workspace(editor: Editor) -> Iterator[Path]:
    """A repository whose own settings name another server, which must never be started."""
    editor.settings("User", USER_SETTINGS)
    folder = Path(tempfile.mkdtemp(prefix="w", dir=editor.home)) / "library"
    folder.mkdir()
    (folder / "reading.py").write_text(SOURCE)
    (folder / ".vscode").mkdir()
    trap = ["touch", str(folder / "trapped")]
    (folder / ".vscode/settings.json").write_text(json.dumps({"wicket.command": trap}))
    yield folder
    assert not (folder / "trapped").exists(), "a repository chose the program to start"


def test_ghost_text_is_shown_typed_into_and_accepted(editor: Editor, workspace: Path) -> None:
    """What is grey on the screen is what Tab puts into the file, and nothing pops up."""
    editor.start_server_by([*WICKET, "lsp"])
    picture = editor.home / "ghost.png"
    seen = editor.drive("complete", workspace, typed=TYPED, picture=str(picture))
    assert seen["ghost"]
    assert seen["typedInto"], f"{seen['ghost']!r} became {seen['rest']!r}"
    assert seen["accepted"], seen["line"]
    assert (workspace / "reading.py").read_text() == SOURCE + TYPED + seen["ghost"]
    assert "source       the model" in seen["explanation"] or "copied" in seen["explanation"]
    assert "ready" in seen["ready"]
    assert "wicket.enabled is false" in seen["off"]
    assert "ready" in seen["again"]
    assert seen["toasts"] == 0
    assert picture.stat().st_size > 0


def test_what_is_done_to_suggestions_is_inferred(editor: Editor, workspace: Path) -> None:
    """VS Code reports none of it but the accept command."""
    settings = Path(editor.environment["XDG_CONFIG_HOME"]) / "wicket"
    settings.mkdir(mode=0o700, exist_ok=True)
    (settings / "wicket.toml").write_text('[log]\nlevel = "debug"\n')
    log = Path(editor.environment["XDG_STATE_HOME"]) / "wicket/log/lsp.log"
    # A bracket that the editor closes is another text, for which the model may say something
    # else: nobody could tell what was on the screen then.
    plain = {"editor.quickSuggestions": False, "editor.autoClosingBrackets": "never"}
    editor.settings("User", USER_SETTINGS | plain | {"editor.autoClosingQuotes": "never"})
    editor.start_server_by([*WICKET, "lsp"])
    (workspace / "reading.py").write_text(READERS)
    try:
        seen = editor.drive("events", workspace, log=str(log))
    finally:
        shutil.rmtree(settings)
    assert len(seen["done"]) == 7
    assert [one for one in seen["done"] if one["expected"] != one["inferred"]] == []


def test_the_rest_of_what_was_taken_in_part_is_kept(editor: Editor, workspace: Path) -> None:
    """By word and by line; the rest stays drawn, and the server gives it for no token."""
    plain = {"editor.quickSuggestions": False, "editor.autoClosingBrackets": "never"}
    editor.settings("User", USER_SETTINGS | plain)
    editor.start_server_by([*WICKET, "lsp"])
    (workspace / "reading.py").write_text(READERS + "\n\ndef read_trees(path):\n    ")
    keys = ["Control+ArrowRight", "Control+ArrowRight", "Control+ArrowRight"]
    seen = editor.drive("parts", workspace, typed="with op", keys=keys, wait=500)
    left = seen["ghost"]
    for step in seen["steps"]:
        assert step["left"], seen
        assert left.endswith(step["left"])
        # What was taken and what is left are drawn as the one text that they were.
        assert step["line"] == seen["before"]
        left = step["left"]
    assert "kept from an earlier answer; no model was asked" in seen["explanation"]
    assert "prefill 0, reused 0, decoded 0" in seen["explanation"]
    assert seen["toasts"] == 0


def test_alternatives_are_gone_through(editor: Editor, workspace: Path) -> None:
    """Next, next, previous: other texts each time, and Tab takes the one that is seen."""
    editor.settings("User", USER_SETTINGS | {"editor.quickSuggestions": False})
    editor.start_server_by([*WICKET, "lsp"])
    picture = editor.home / "alternatives.png"
    (workspace / "reading.py").write_text(WAYS)
    seen = editor.drive("alternatives", workspace, typed="sort", picture=str(picture))
    first, second, third, again = seen["texts"]
    assert second not in ("", first)
    assert third not in ("", second)
    assert again == second
    assert [line.strip() for line in seen["lines"]] == [
        f"return sort{text}".strip() for text in (second, third, again)
    ]
    assert seen["line"].strip() == f"return sort{again}".strip()
    assert seen["toasts"] == 0


def test_an_explanation_leads_to_what_was_copied(editor: Editor, workspace: Path) -> None:
    """In a language that the model does not know."""
    editor.settings("User", USER_SETTINGS | {"editor.quickSuggestions": False})
    editor.start_server_by([*WICKET, "lsp"])
    area = "fn area(radius: f64) -> f64 {\n    radius * "
    (workspace / "area.rs").write_text("// Shapes.\n" + area + "radius * PI\n}\n")
    (workspace / "other.rs").write_text(area)
    subprocess.run(
        [*WICKET, "index", str(workspace)],
        env=editor.environment,
        check=True,
        capture_output=True,
        timeout=START_SECONDS,
    )
    seen = editor.drive(
        "copied", workspace, file=str(workspace / "other.rs"), typed="rad", link="area.rs:3"
    )
    assert seen["ghost"] == "ius * PI"
    assert "copied from  area.rs:3" in seen["explanation"]
    assert seen["place"], seen


def test_an_untrusted_folder_may_exclude_its_files_and_choose_nothing(
    editor: Editor, workspace: Path
) -> None:
    """Settings reach the server, those that choose a model only where there is trust."""
    editor.start_server_by([*WICKET, "lsp"])
    editor.settings("User", USER_SETTINGS | UNTRUSTED)
    settings = workspace / ".vscode/settings.json"
    wanted = {
        "wicket.completion.exclude": ["reading.py"],
        "wicket.completion.model": "chosen-by-the-repository",
    }
    settings.write_text(json.dumps(json.loads(settings.read_text()) | wanted))
    seen = editor.drive("refused", workspace, typed=TYPED, wait=1_500)
    assert "wicket-base" in seen["ready"]
    assert seen["ghost"] == ""
    assert "excluded" in seen["explanation"]
    assert seen["toasts"] == 0


def test_a_missing_server_is_said_once_and_typing_goes_on(editor: Editor, workspace: Path) -> None:
    """Its button leads to the first steps, all of which the package brings along."""
    editor.start_server_by(["/nowhere/wicket", "lsp"])
    seen = editor.drive(
        *("broken", workspace),
        typed=TYPED, wait=1_000, reason="no program /nowhere/wicket", shows="Install the server",
    )  # fmt: skip
    assert seen["messages"] == 1
    assert "install Wicket" in seen["message"]
    assert seen["toasts"] == 0


def test_a_server_that_keeps_crashing_is_left_alone(editor: Editor, workspace: Path) -> None:
    """Three starts, one message that quotes the server's last words, no more starts."""
    starts = workspace / "starts"
    script = f"echo start >> {starts}; echo the disk is full >&2; exit 1"
    editor.start_server_by(["/bin/sh", "-c", script])
    seen = editor.drive("broken", workspace, typed=TYPED, wait=3_000, reason="times in a minute")
    assert seen["toasts"] == 1
    assert "the disk is full" in seen["message"]
    assert starts.read_text().split() == ["start"] * 3
