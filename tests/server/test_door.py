"""`wicket engine --listen` and laptops that use it, as real processes."""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from wicket.server import processes
from wicket.server.paths import Paths

from ..completion.certificates import Authority
from ..completion.fake_server import WORDS, FakeServer

BOX = "".join(WORDS)


class Home:
    """A user of this machine: settings, and the commands."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
        }
        self.file = folder / "a.py"
        self.file.write_text("def double(number):\n    retur\n")

    def settings(self, text: str) -> None:
        path = self.folder / ".config/wicket/wicket.toml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)

    def wicket(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-I", "-m", "wicket.server", *arguments],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stderr
        return done

    def complete(self) -> dict[str, object]:
        done = self.wicket("complete", f"{self.file}:2:10", "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def log(self) -> str:
        logs = Paths.of(self.environment).logs
        return "".join(file.read_text() for file in logs.glob("*.log"))

    def close(self) -> None:
        for found in processes.running(self.folder / "wicket"):
            assert processes.stop(found)


@pytest.fixture
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="wd", dir="/tmp") as folder:
        made = Home(Path(folder))
        yield made
        made.close()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def test_a_server_speaks_and_this_machine_does_while_it_is_down(home: Home) -> None:
    """One engine process, from the settings file to the suggestion and who gave it."""
    with FakeServer() as server:
        server.token = "secret-token-of-mine"
        script = home.folder / "token"
        script.write_text(f"#!/bin/sh\necho {server.token}\n")
        script.chmod(0o700)
        home.settings(
            f"""
            [completion]
            model = "box"
            [engine.models.box]
            endpoint = "{server.url}"
            token_command = ["{script}"]
            """
        )
        said = home.complete()
        assert (said["text"], said["model"]) == (BOX, "box")
        server.deed = "500"
        said = home.complete()
        assert said["model"] == "wicket-base"
        doctor = home.wicket("doctor").stdout
        assert "status 500" in doctor
        assert "secret-token" not in doctor + home.log()
        for found in processes.running(home.folder / "wicket"):
            argv = Path(f"/proc/{found.pid}/cmdline").read_bytes()
            assert b"token" not in argv
            assert b"secret" not in Path(f"/proc/{found.pid}/environ").read_bytes()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["/no/such/program"], "No such file"),
        (["false"], "ended with code 1"),
        (["printf", "two\\nlines"], "no token of one line"),
        (["true"], "no token of one line"),
    ],
)
def test_a_token_helper_that_fails_is_said_and_the_next_model_speaks(
    home: Home, command: list[str], said: str
) -> None:
    with FakeServer() as server:
        home.settings(
            f"""
            [completion]
            model = "box"
            [engine.models.box]
            endpoint = "{server.url}"
            token_command = {json.dumps(command)}
            """
        )
        assert home.complete()["model"] == "wicket-base"
        assert said in home.wicket("doctor").stdout
        assert server.asked == []


class Listening:
    """A door as its own process, and what it logged."""

    def __init__(self, home: Home, authority: Authority, tokens: Path) -> None:
        command = (sys.executable, "-I", "-m", "wicket.server", "engine")
        self.process = subprocess.Popen(
            [
                *command, "--listen", "127.0.0.1:0", "--tokens", tokens,
                "--cert", authority.cert, "--key", authority.key,
            ],
            env=home.environment,
            stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        assert self.process.stderr
        assert select.select([self.process.stderr], [], [], 30)[0]
        first = self.process.stderr.readline()
        assert "a door to" in first, first
        self.port = int(first.rsplit(":", 1)[1])

    def close(self) -> str:
        self.process.send_signal(signal.SIGTERM)
        _out, log = self.process.communicate(timeout=20)
        assert self.process.returncode == 0
        return log


def test_a_team_from_its_token_to_its_totals(home: Home, authority: Authority) -> None:
    with FakeServer() as server, tempfile.TemporaryDirectory(prefix="wd", dir="/tmp") as folder:
        server.token = "backend-credential"
        script = home.folder / "credential"
        script.write_text(f"#!/bin/sh\necho {server.token}\n")
        script.chmod(0o700)
        home.settings(
            f"""
            [completion]
            model = "gpu"
            [engine.models.gpu]
            endpoint = "{server.url}"
            token_command = ["{script}"]
            """
        )
        tokens = home.folder / "tokens"
        made = home.wicket("engine", "token", "ann", "--tokens", tokens)
        token = made.stdout.strip()
        assert len(token) > 30
        assert token not in tokens.read_text()
        assert tokens.stat().st_mode & 0o777 == 0o600
        assert home.wicket("engine", "token", "ann", "--tokens", tokens).returncode == 1
        door = Listening(home, authority, tokens)
        laptop = Home(Path(folder))
        try:
            laptop.settings(
                f"""
                [completion]
                model = "team"
                [network]
                ca_file = "{authority.file}"
                [engine.models.team]
                endpoint = "wicket+tls://127.0.0.1:{door.port}"
                token_command = "printf {token}"
                """
            )
            said = laptop.complete()
            assert (said["text"], said["model"]) == (BOX, "team")
            assert server.token not in laptop.log()
        finally:
            log = door.close()
        assert "perimeter 20" in log
        assert "user=ann requests=" in log
        assert token not in log
        assert server.token not in log
        assert "double" not in log
        deadline = time.monotonic() + 20
        while laptop.complete()["model"] != "wicket-base":
            assert time.monotonic() < deadline
        laptop.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--listen", "127.0.0.1:0"), "--tokens FILE"),
        (("--listen", "nonsense", "--tokens", "T", "--cert", "C", "--key", "K"), "HOST:PORT"),
        (("--listen", "127.0.0.1:0", "--tokens", "X", "--cert", "C", "--key", "K"), "No such file"),
        (("--listen", "127.0.0.1:0", "--tokens", "W", "--cert", "C", "--key", "K"), "chmod go-w"),
        (("--listen", "127.0.0.1:0", "--tokens", "B", "--cert", "C", "--key", "K"), "line 1"),
        (
            ("--listen", "127.0.0.1:0", "--tokens", "T", "--cert", "B", "--key", "K"),
            "no certificate",
        ),
        (("--listen", "127.0.0.1:0", "--tokens", "T", "--cert", "C", "--key", "X"), "No such file"),
    ],
)
def test_a_door_that_cannot_open_says_why(
    home: Home, authority: Authority, arguments: tuple[str, ...], said: str
) -> None:
    files = {"T": "", "W": "", "B": "nonsense here and there\n"}
    for name, text in files.items():
        (home.folder / name).write_text(text)
        (home.folder / name).chmod(0o622 if name == "W" else 0o600)
    (home.folder / "C").symlink_to(authority.cert)
    (home.folder / "K").symlink_to(authority.key)
    done = home.wicket("engine", *arguments)
    assert done.returncode in (1, 2)
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
