"""Wicket in a real VS Code: code-server in a headless Chromium, our VSIX installed."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wicket-dev/vscode"
NODE = TOOLS / "node/runtime/bin/node"
WICKET = [sys.executable, "-I", "-m", "wicket.server"]
START_SECONDS = 60
# Long enough for an engine that loads its model beside other tests.
SEEN_MS = 60_000

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

USER_SETTINGS = {
    "workbench.startupEditor": "none",
    "workbench.secondarySideBar.defaultVisibility": "hidden",
    "workbench.tips.enabled": False,
    "editor.minimap.enabled": False,
    "extensions.autoCheckUpdates": False,
    "extensions.autoUpdate": False,
    "telemetry.telemetryLevel": "off",
    "update.mode": "none",
    "security.workspace.trust.enabled": False,
}
UNTRUSTED = {
    "security.workspace.trust.enabled": True,
    "security.workspace.trust.startupPrompt": "never",
    "security.workspace.trust.banner": "never",
}


@dataclass(frozen=True)
class Editor:
    """A running code-server; `home` holds all that it and Wicket write."""

    url: str
    home: Path
    environment: dict[str, str]

    def settings(self, place: str, settings: dict[str, Any]) -> None:
        """`place` is User, or Machine for what only the machine may say."""
        (self.home / "vscode" / place / "settings.json").write_text(json.dumps(settings))

    def start_server_by(self, command: list[str]) -> None:
        self.settings("Machine", {"wicket.command": command})

    def drive(self, scenario: str, workspace: Path, **asked: Any) -> dict[str, Any]:
        """What the eyes saw, as JSON; a failure names the screenshot taken at its end."""
        failure = self.home / "failure.png"
        asked |= {
            "scenario": scenario,
            "url": self.url,
            "chromium": shutil.which("chromium"),
            "folder": str(workspace),
            "file": str(workspace / "reading.py"),
            "timeout": SEEN_MS,
            "failure": str(failure),
        }
        done = subprocess.run(
            [NODE, Path(__file__).with_name("drive_vscode.js"), json.dumps(asked)],
            env=self.environment | {"NODE_PATH": str(TOOLS / "clients/node_modules")},
            capture_output=True,
            text=True,
            timeout=4 * SEEN_MS / 1000,
        )
        if done.returncode:
            kept = Path(tempfile.gettempdir()) / f"wicket-vscode-{scenario}.png"
            if failure.exists():
                shutil.copy(failure, kept)
            pytest.fail(f"{done.stderr.strip()}\nscreenshot: {kept}")
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def editor() -> Iterator[Editor]:
    """One code-server for all tests."""
    with code_server() as running:
        yield running


@contextlib.contextmanager
def code_server() -> Iterator[Editor]:
    """A code-server in a directory of its own, on loopback only."""
    ready = subprocess.run([ROOT / ".ci/vscode", "--check"], capture_output=True, text=True)
    if ready.returncode:
        pytest.fail(ready.stderr.strip(), pytrace=False)
    # Short, because the paths of unix sockets may have 100 bytes and no more.
    home = Path(tempfile.mkdtemp(prefix="wv", dir="/tmp"))
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(home)}
    for name in ("CONFIG_HOME", "DATA_HOME", "CACHE_HOME", "STATE_HOME", "RUNTIME_DIR"):
        folder = home / name.split("_")[0].lower()
        folder.mkdir(mode=0o700)
        environment[f"XDG_{name}"] = str(folder)
    data = home / "vscode"
    for place in ("User", "Machine"):
        (data / place).mkdir(parents=True)
    entry = TOOLS / "code-server/node_modules/code-server/out/node/entry.js"
    code = [NODE, entry, "--user-data-dir", data, "--extensions-dir", home / "extensions"]
    subprocess.run(
        [*code, "--install-extension", TOOLS / "wicket.vsix"],
        env=environment,
        check=True,
        capture_output=True,
        timeout=START_SECONDS,
    )
    log = home / "code-server.log"
    quiet = ("--disable-telemetry", "--disable-update-check")
    with log.open("w") as log_file:
        server = subprocess.Popen(
            [*code, "--auth", "none", "--bind-addr", "127.0.0.1:0", *quiet],
            env=environment,
            stdout=log_file,
            stderr=subprocess.STDOUT,
            # The first process starts others; the group is what ends them all.
            start_new_session=True,
        )
    try:
        yield Editor(address_in(log, server), home, environment)
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
        subprocess.run([*WICKET, "stop"], env=environment, capture_output=True, check=False)
        shutil.rmtree(home, ignore_errors=True)


def address_in(log: Path, server: subprocess.Popen[bytes]) -> str:
    """Where code-server says that it listens."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        if found := re.search(r"http://127\.0\.0\.1:\d+/", log.read_text()):
            return found[0]
        time.sleep(0.1)
    pytest.fail(f"code-server does not listen: {log.read_text()}")


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
    assert '"source"' in seen["explanation"]
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
    assert len(seen["done"]) == 6
    assert [one for one in seen["done"] if one["expected"] != one["inferred"]] == []


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
    editor.start_server_by(["/nowhere/wicket", "lsp"])
    seen = editor.drive(
        "broken", workspace, typed=TYPED, wait=1_000, reason="no program /nowhere/wicket"
    )
    assert seen["toasts"] == 1
    assert "install Wicket" in seen["message"]


def test_a_server_that_keeps_crashing_is_left_alone(editor: Editor, workspace: Path) -> None:
    """Three starts, one message that quotes the server's last words, no more starts."""
    starts = workspace / "starts"
    script = f"echo start >> {starts}; echo the disk is full >&2; exit 1"
    editor.start_server_by(["/bin/sh", "-c", script])
    seen = editor.drive("broken", workspace, typed=TYPED, wait=3_000, reason="times in a minute")
    assert seen["toasts"] == 1
    assert "the disk is full" in seen["message"]
    assert starts.read_text().split() == ["start"] * 3
