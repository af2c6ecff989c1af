"""The command line as a person meets it: real processes, private directories."""

import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
from wicket.server import processes

from .home import MODEL, Home

SOURCE = "def double(number):\n    retur\n"


@pytest.fixture
def home(plain_home: Home) -> Home:
    return plain_home


def test_complete_prints_what_an_editor_would_show(home: Home) -> None:
    place = home.file("a.py", SOURCE) + ":2:10"
    shown = home.wicket("complete", place)
    assert shown.returncode == 0
    assert shown.stdout.startswith("n")
    said = json.loads(home.wicket("complete", place, "--json").stdout)
    assert said["text"] + "\n" == shown.stdout
    assert said["range"] == [2, 10, 2, 10]
    assert (said["source"], said["model"]) == ("model", "wicket-base")
    assert set(said["tokens"]) == {"prefill", "reused", "decoded"}
    assert set(said["ms"]) == {"context", "queue", "prefill", "decode", "total"}
    assert said["context"] == []


def test_complete_tells_the_alternatives_in_json(home: Home) -> None:
    text = "total = 1\ntotal += 2\ntotal += 3\ntotal -= 4\ntot\n"
    said = json.loads(home.wicket("complete", home.file("a.py", text) + ":5:4", "--json").stdout)
    texts = [said["text"], *(one["text"] for one in said["alternatives"])]
    assert len(set(texts)) == len(texts) > 1
    own = {"text", "range", "source", "chance", "copied_from", "copied_line", "rules"}
    assert all(set(one) == own for one in said["alternatives"])


@pytest.mark.parametrize(
    ("name", "text", "place", "code", "said"),
    [
        ("a.py", SOURCE, "a.py", 2, "is not PATH:LINE:COL"),
        ("a.py", SOURCE, "a.py:x:1", 2, "is not PATH:LINE:COL"),
        ("a.py", SOURCE, "b.py:1:1", 2, "No such file"),
        ("a.py", SOURCE, "a.py:99:1", 2, "has 3 lines"),
        ("a.py", SOURCE, "a.py:0:1", 2, "has 3 lines"),
        ("a.py", SOURCE, ".:1:1", 2, "Is a directory"),
        ("a.py", SOURCE, "a.py:1:0", 2, "columns count from 1"),
        ("a.py", SOURCE, f"a.py:1:{'9' * 5000}", 2, "is not PATH:LINE:COL"),
        ("a.rs", "fn main() {", "a.rs:1:3", 0, "does not know rust"),
        (".env", "KEY=", ".env:1:5", 0, "secret files"),
        ("a.py", "x\0y", "a.py:1:2", 0, "binary"),
    ],
)
def test_complete_says_why_not(
    home: Home, name: str, text: str, place: str, code: int, said: str
) -> None:
    home.file(name, text)
    done = home.wicket("complete", place)
    assert done.returncode == code
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_complete_past_the_end_of_a_line_means_its_end(home: Home) -> None:
    place = home.file("a.py", SOURCE) + ":2:999"
    assert home.wicket("complete", place).stdout.startswith("n")


def test_ps_and_stop(home: Home) -> None:
    assert "Nothing runs" in home.wicket("ps").stdout
    home.wicket("complete", home.file("a.py", SOURCE) + ":2:10")
    (row,) = json.loads(home.wicket("ps", "--json").stdout)["processes"]
    assert row["process"] == "engine"
    assert row["memory_mb"] > 20
    assert home.wicket("stop", "gate").stdout == "No gate runs.\n"
    assert f"engine {row['pid']} stopped" in home.wicket("stop").stdout
    assert json.loads(home.wicket("ps", "--json").stdout)["processes"] == []


def test_an_engine_that_nobody_needs_leaves(home: Home) -> None:
    engine = subprocess.Popen(
        [sys.executable, "-I", "-m", "wicket.server", "engine", "--idle", "0.5"],
        env=home.environment,
    )
    assert engine.wait(30) == 0
    assert not list(home.sockets.glob("*.sock"))


def test_doctor_finds_all_well(home: Home) -> None:
    done = home.wicket("doctor", "--json")
    found = {row["name"]: row for row in json.loads(done.stdout)["findings"]}
    assert done.returncode == 0, found
    assert "one answer in" in found["engine"]["detail"]


def test_doctor_names_what_is_wrong_and_the_mend(home: Home) -> None:
    home.configure('[completion]\nmodel = "nothing"\nlines = "many"\n')
    done = home.wicket("doctor")
    assert done.returncode == 1
    assert "!!  model: no model is called nothing" in done.stdout
    assert "-> wicket model list" in done.stdout
    assert "completion.lines" in done.stdout


def test_doctor_speaks_of_a_socket_directory_that_others_can_write(home: Home) -> None:
    home.sockets.mkdir()
    home.sockets.chmod(0o777)
    done = home.wicket("doctor")
    assert done.returncode == 1
    assert "!!  sockets:" in done.stdout
    assert home.wicket("complete", home.file("a.py", SOURCE) + ":2:10").returncode == 1
    home.sockets.chmod(0o700)


def test_config_shows_values_and_sources(home: Home) -> None:
    home.configure("[completion]\nmax_lines = 3\n")
    rows = json.loads(home.wicket("config", "--json").stdout)["settings"]
    row = next(row for row in rows if row["key"] == "completion.max_lines")
    assert (row["value"], row["source"], row["locked"]) == (3, "user", False)
    assert "completion.max_lines" in home.wicket("config").stdout


def test_a_model_is_imported_used_and_verified(home: Home) -> None:
    copy = home.folder / "mine.gguf"
    shutil.copy(MODEL, copy)
    assert home.wicket("model", "import", str(copy), "--name", "mine", "--no-test").returncode == 0
    assert home.wicket("model", "use", "mine").returncode == 0
    assert "* mine" in home.wicket("model", "list").stdout
    place = home.file("a.py", SOURCE) + ":2:10"
    assert json.loads(home.wicket("complete", place, "--json").stdout)["model"] == "mine"
    assert home.wicket("model", "verify").stdout.count("whole, sha256") == 2
    stored = home.folder / "data/wicket/models/mine.gguf"
    with stored.open("r+b") as file:
        file.seek(5_000_000)
        file.write(b"damaged")
    done = home.wicket("model", "verify", "mine")
    assert done.returncode == 1
    assert "damaged" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("model", "use", "nothing"), "no model is called nothing"),
        (("model", "use"), "say which"),
        (("model", "import", "missing.gguf"), "missing.gguf"),
        (("engine", "use"), "say which URL"),
        (("engine", "use", "ftp://x"), "is not a URL"),
        (("engine", "--model", "nothing"), "no model is called nothing"),
        (("demo", "missing.py"), "cannot read"),
        ((), "`wicket setup` to begin with"),
        (("fly",), "there is no `fly`; `wicket --help` lists all"),
        (("comlete", "a.py:1:1"), "did you mean `wicket complete`?"),
        (("model", "remove", "wicket-base"), "wicket-base ships with Wicket"),
        (("route", "ask", "missing.py"), "cannot read missing.py"),
        (("ps", "--fly"), "unknown arguments"),
    ],
)
def test_a_mistake_is_one_line(home: Home, arguments: tuple[str, ...], said: str) -> None:
    done = home.wicket(*arguments)
    assert done.returncode in (1, 2)
    assert said in re.sub(r"\s+", " ", done.stdout + done.stderr)


def test_a_hung_engine_is_named_and_can_be_stopped(home: Home) -> None:
    """It listens but answers nobody: a signal has stopped it in its tracks."""
    place = home.file("a.py", SOURCE) + ":2:10"
    home.wicket("complete", place)
    (engine,) = processes.running(home.sockets)
    os.kill(engine.pid, signal.SIGSTOP)
    done = home.wicket("complete", place)
    assert done.returncode == 1
    assert "does not answer; run `wicket stop engine`" in done.stderr
    assert f"engine {engine.pid} stopped" in home.wicket("stop").stdout
    assert home.wicket("complete", place).stdout.startswith("n")


def test_what_starts_the_engine_and_the_engine_cannot_disagree(home: Home) -> None:
    """The user's settings lie in the open repository, so only the engine would hear them."""
    repository = home.folder / "dotfiles"
    (repository / ".git").mkdir(parents=True)
    (repository / "wicket").mkdir(mode=0o700)
    (repository / "wicket/wicket.toml").write_text("[engine]\nthreads = 2\n")
    (home.folder / "config").mkdir()
    (home.folder / "config/wicket").symlink_to(repository / "wicket")
    place = home.file("dotfiles/a.py", SOURCE) + ":2:10"
    assert home.wicket("complete", place).stdout.startswith("n")


def test_a_very_long_path_leaves_room_for_the_code(home: Home) -> None:
    folder = home.folder.joinpath(*["部分" * 30] * 5)
    folder.mkdir(parents=True)
    (folder / "a.py").write_text(SOURCE)
    (home.folder / ".git").mkdir()
    assert home.wicket("complete", f"{folder}/a.py:2:10").stdout.startswith("n")


def test_a_pip_in_the_working_directory_is_not_run(home: Home) -> None:
    (home.folder / "pip").mkdir()
    (home.folder / "pip/__init__.py").touch()
    (home.folder / "pip/__main__.py").write_text("open('hostile', 'w')")
    home.environment["PIP_NO_INDEX"] = "1"
    done = home.wicket("engine", "build")
    assert done.returncode == 1
    assert not list(home.folder.rglob("hostile"))


def test_an_endpoint_may_have_a_name(home: Home) -> None:
    """It is refused for what answers there, not for being a name."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        url = f"http://localhost:{sock.getsockname()[1]}"
    done = home.wicket("engine", "use", url)
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert "perimeter" not in done.stderr


def test_the_demo_types_and_shows(home: Home) -> None:
    done = home.wicket("demo")
    assert done.returncode == 0, done.stdout
    assert "with ghost text" in done.stdout
    assert "Tokens evaluated per key" in done.stdout


def test_a_reader_that_leaves_is_no_error(home: Home) -> None:
    command = f"{sys.executable} -I -m wicket.server model list | head -n 1"
    done = subprocess.run(
        ["/bin/bash", "-o", "pipefail", "-c", command],
        env=home.environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stderr == ""


def test_a_closed_standard_input_is_an_empty_one(home: Home) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -I -m wicket.server setup <&-"],
        env=home.environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "answers come from a terminal" in done.stderr


def test_interrupting_is_quiet(home: Home) -> None:
    """Control-C in a terminal ends the command with code 130 and without a traceback."""
    pid, terminal = pty.fork()
    if pid == 0:
        # A shell's background job is born with this signal ignored, and hands that on.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.execve(
            sys.executable,
            [sys.executable, "-I", "-m", "wicket.server", "demo"],
            home.environment,
        )
    seen = b""
    while b"Typing into" not in seen:
        seen += os.read(terminal, 4096)
    time.sleep(0.3)
    os.write(terminal, b"\x03")
    try:
        while data := os.read(terminal, 4096):
            seen += data
    except OSError:
        pass  # Linux ends a terminal whose other side is gone with EIO.
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    assert b"Traceback" not in seen
