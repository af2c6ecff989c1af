"""Drives a real VS Code: code-server in a headless Chromium, with our VSIX installed."""

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

ROOT = Path(__file__).parents[2]
TOOLS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wicket-dev/vscode"
NODE = TOOLS / "node/runtime/bin/node"
WICKET = [sys.executable, "-I", "-m", "wicket.server"]
START_SECONDS = 60
# Long enough for an engine that loads its model beside other tests.
SEEN_MS = 60_000

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


class Missed(Exception):
    """What was to be seen was not; the message says what, and where a picture is."""


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

    def set_up_provider(self, settings: str, key: str = "sk-canary-0123456789") -> None:
        """`settings` as wicket.toml; a key for the provider `home`, "" for none."""
        config, keys = self.home / "config/wicket", self.home / "data/wicket/providers"
        for folder in (config, keys.parent, keys):
            folder.mkdir(mode=0o700, exist_ok=True)
        (config / "wicket.toml").write_text(settings)
        (keys / "keys.toml").write_text(f'home = "{key}"\n' if key else "")
        (keys / "keys.toml").chmod(0o600)

    def drop_provider(self) -> None:
        """And the gate, which knows it."""
        self.wicket("stop", "gate")
        (self.home / "config/wicket/wicket.toml").unlink()

    def wicket(self, *words: str) -> None:
        command = [*WICKET, *words]
        subprocess.run(command, env=self.environment, check=True, capture_output=True)

    def drive(self, scenario: str, workspace: Path, **asked: Any) -> dict[str, Any]:
        """What the eyes saw, as JSON; a failure names the screenshot taken at its end."""
        failure = self.home / "failure.png"
        asked = {
            "scenario": scenario,
            "url": self.url,
            "chromium": shutil.which("chromium"),
            "folder": str(workspace),
            "file": str(workspace / "reading.py"),
            "timeout": SEEN_MS,
            "failure": str(failure),
        } | asked
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
            raise Missed(f"{done.stderr.strip()}\nscreenshot: {kept}")
        return json.loads(done.stdout)


@contextlib.contextmanager
def code_server() -> Iterator[Editor]:
    """One code-server in a directory of its own, on loopback only.

    LookupError where it is not installed.
    """
    ready = subprocess.run([ROOT / ".ci/vscode", "--check"], capture_output=True, text=True)
    if ready.returncode:
        raise LookupError(ready.stderr.strip())
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
    raise Missed(f"code-server does not listen: {log.read_text()}")
