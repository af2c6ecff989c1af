"""`wicket model pull` as a person meets it: a real process, a hub on loopback, a real model."""

import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..completion.hub_server import Hub, serving
from .home import MODEL, Home

DIGEST = hashlib.sha256(MODEL.read_bytes()).hexdigest()
ROW = "qwen2.5-coder-0.5b"
RESEARCH = "qwen2.5-coder-3b"


@pytest.fixture
def home(plain_home: Home) -> Home:
    return plain_home


@pytest.fixture
def hub(home: Home) -> Iterator[Hub]:
    with serving(Hub(MODEL.read_bytes())) as hub:
        home.configure(f'[models]\nendpoint = "{hub.url}"\n')
        yield hub


def models(home: Home) -> Path:
    return home.folder / "data/wicket/models"


def names(home: Home) -> list[str]:
    return sorted(path.name for path in models(home).iterdir()) if models(home).exists() else []


def pull(home: Home, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return home.wicket("model", "pull", *arguments, "--no-test")


def refused(done: "subprocess.CompletedProcess[str]", *parts: str) -> None:
    assert done.returncode == 1, done.stdout
    assert done.stdout == ""
    for part in parts:
        assert part in done.stderr


def test_nothing_is_fetched_unless_asked(home: Home, hub: Hub) -> None:
    """Listing, choosing and verifying reach no network."""
    home.wicket("model", "list")
    home.wicket("model", "use", ROW)
    home.wicket("model", "verify")
    home.wicket("doctor")
    assert hub.asked == []


def test_a_model_of_the_table_is_pulled_listed_verified_and_removed(
    home: Home,
    hub: Hub,
) -> None:
    done = pull(home, ROW)
    assert done.returncode == 0, done.stderr
    assert f"{ROW} pulled, sha256 {DIGEST}." in done.stdout
    path = "/ggml-org/Qwen2.5-Coder-0.5B-Q8_0-GGUF/resolve/main/qwen2.5-coder-0.5b-q8_0.gguf"
    assert hub.asked[0].path == path
    assert names(home) == [".hashes.json", f"{ROW}.gguf", f"{ROW}.json"]
    note = json.loads((models(home) / f"{ROW}.json").read_text())
    assert (note["sha256"], note["licence"]) == (DIGEST, "Apache-2.0")
    (row,) = (
        row
        for row in json.loads(home.wicket("model", "list", "--json").stdout)["models"]
        if row["name"] == ROW
    )
    assert (row["sha256"], row["openness"]["weights"]) == (DIGEST, "open")
    assert home.wicket("model", "verify", ROW).returncode == 0

    before = len(hub.asked)
    refused(pull(home, ROW), "is on this machine already")
    assert len(hub.asked) == before
    assert f"{ROW} removed, 7.5 MB freed." in home.wicket("model", "remove", ROW).stdout
    assert names(home) == [".hashes.json"]
    refused(home.wicket("model", "remove", ROW), "model list")
    refused(home.wicket("model", "remove", "wicket-base"), "ships with Wicket and stays")

    # What it was the first time holds, whatever the hub says now.
    hub.sha256 = "0" * 64
    refused(pull(home, ROW), "is another file now", "--accept-change")
    hub.content = MODEL.read_bytes() + b"\0" * 64
    hub.sha256, hub.said_size = hashlib.sha256(hub.content).hexdigest(), len(hub.content)
    assert pull(home, ROW, "--accept-change").returncode == 0


def test_a_non_commercial_licence_is_said_first_and_needs_consent(
    home: Home,
    hub: Hub,
) -> None:
    refused(pull(home, RESEARCH), "NOT FOR COMMERCIAL USE", "--accept-licence")
    assert hub.asked == []
    done = pull(home, RESEARCH, "--accept-licence")
    assert done.returncode == 0
    assert done.stderr.startswith(f"{RESEARCH}: NOT FOR COMMERCIAL USE")


def test_an_address_of_the_users_own(home: Home, hub: Hub) -> None:
    """Its licence is in the file; one that is not there at all keeps nothing."""
    done = pull(home, f"{hub.cdn}/tiny.gguf", "--name", "mine")
    assert done.returncode == 0, done.stderr
    assert "names no content hash" in done.stderr
    assert names(home) == [".hashes.json", "mine.gguf", "mine.json"]
    refused(pull(home, "http://example.com/x.gguf"), "is no https address")
    refused(pull(home, "wicket-base"), "ships with Wicket")
    refused(pull(home, "nothing"), "no model is called 'nothing'")


def test_what_is_no_model_is_not_kept(home: Home, hub: Hub) -> None:
    hub.content = b"<html>sign in</html>" * 100
    hub.sha256 = hub.said_size = None
    refused(pull(home, ROW), "not a GGUF file")
    assert names(home) == []


def test_ctrl_c_keeps_the_part_and_the_next_call_goes_on(home: Home, hub: Hub) -> None:
    """The line breaks and says so; the person gives up while it waits."""
    hub.cuts = [4_000_000, *[0] * 9]
    command = [sys.executable, "-I", "-m", "wicket.server", "model", "pull", ROW, "--no-test"]
    with subprocess.Popen(
        command, env=home.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        while len(hub.gets()) < 2:
            assert running.poll() is None
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _said, told = running.communicate(timeout=30)
    assert running.returncode == 130
    assert "goes on from there" in told
    assert "Traceback" not in told
    assert names(home) == [f"{ROW}.gguf.part", f"{ROW}.gguf.part.json"]
    hub.cuts.clear()
    assert pull(home, ROW).returncode == 0
    assert hub.gets()[-1].range == "bytes=4000000-"
    assert home.wicket("model", "verify", ROW).returncode == 0


def test_offline_is_one_line(home: Home) -> None:
    home.configure('[models]\nendpoint = "http://127.0.0.1:1"\n')
    home.environment["HTTPS_PROXY"] = "http://127.0.0.1:9"
    done = pull(home, ROW)
    refused(done, "127.0.0.1 cannot be reached", "HTTPS_PROXY is not read here")
    assert done.stderr.count("\n") == 1


def test_a_proxy_of_the_settings_is_the_only_address(home: Home) -> None:
    """The hub's name is not even looked up here: the proxy is asked for it."""
    with serving(Hub(MODEL.read_bytes())) as proxy:
        home.configure(
            f'[models]\nendpoint = "http://localhost:4"\n[network]\nproxy = "{proxy.url}"\n'
        )
        proxy.send_on = "http://localhost:5/bytes"
        proxy.cdn_status = []
        refused(pull(home, ROW), "sent on")
        assert proxy.asked[0].path.startswith("http://localhost:4/ggml-org/")
        assert proxy.asked[1].path == "http://localhost:5/bytes"


def test_an_import_may_be_a_second_name(home: Home) -> None:
    copy = home.folder / "mine.gguf"
    copy.write_bytes(MODEL.read_bytes())
    assert home.wicket("model", "import", str(copy), "--link", "--no-test").returncode == 0
    stored = models(home) / "mine.gguf"
    assert stored.stat().st_ino == copy.stat().st_ino
    with copy.open("r+b") as file:
        file.seek(5_000_000)
        file.write(b"damaged")
    refused(home.wicket("model", "verify", "mine"), "damaged")
