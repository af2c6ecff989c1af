"""`wicket lsp` as Microsoft's own protocol library sees it, from another language."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wicket-dev/vscode"
CLIENT = Path(__file__).with_name("node_client") / "client.js"
WICKET = [sys.executable, "-I", "-m", "wicket.server"]
# The model is loaded within it, beside other tests.
SECONDS = 120
CANCELLED = -32800
INVALID_REQUEST = -32600


@pytest.fixture(scope="module")
def seen() -> Iterator[dict[str, Any]]:
    """One conversation with the real server and the real model."""
    ready = subprocess.run([ROOT / ".ci/vscode", "--check"], capture_output=True, text=True)
    if ready.returncode:
        pytest.fail(ready.stderr.strip(), pytrace=False)
    # Short, because the paths of unix sockets may have 100 bytes and no more.
    home = Path(tempfile.mkdtemp(prefix="wn", dir="/tmp"))
    environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "HOME": str(home)}
    for name in ("CONFIG_HOME", "DATA_HOME", "CACHE_HOME", "STATE_HOME", "RUNTIME_DIR"):
        folder = home / name.split("_")[0].lower()
        folder.mkdir(mode=0o700)
        environment[f"XDG_{name}"] = str(folder)
    try:
        done = subprocess.run(
            [TOOLS / "node/runtime/bin/node", CLIENT, *WICKET, "lsp"],
            env=environment | {"NODE_PATH": str(TOOLS / "clients/node_modules")},
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, done.stderr
        yield json.loads(done.stdout) | {"stderr": done.stderr}
    finally:
        subprocess.run([*WICKET, "stop"], env=environment, capture_output=True, check=False)
        shutil.rmtree(home, ignore_errors=True)


def test_it_introduces_itself(seen: dict[str, Any]) -> None:
    """The capability is an object: a client must not have to guess about `true`."""
    assert seen["serverInfo"]["name"] == "wicket"
    assert isinstance(seen["capabilities"]["inlineCompletionProvider"], dict)
    assert seen["capabilities"]["positionEncoding"] == "utf-16"
    assert "wicket.accepted" in seen["capabilities"]["executeCommandProvider"]["commands"]


def test_an_item_has_a_plain_text_a_range_at_the_cursor_and_a_command(
    seen: dict[str, Any],
) -> None:
    assert seen["wellShaped"]
    assert all(seen["wellShaped"])
    for item in seen["list"]["items"]:
        assert item["insertText"]
        assert "\r" not in item["insertText"]
        assert item["range"]["start"]["line"] == item["range"]["end"]["line"]
        assert item["range"] == {"start": seen["end"], "end": seen["end"]}
        assert item["command"]["command"] == "wicket.accepted"
        assert len(item["command"]["arguments"]) == 1


def test_the_explanation_is_of_the_item(seen: dict[str, Any]) -> None:
    [item] = seen["list"]["items"][:1]
    assert seen["explanation"]["text"] == item["insertText"]
    assert [seen["explanation"]["id"]] == item["command"]["arguments"]


def test_acceptance_is_taken_as_a_request_and_as_a_notification(
    seen: dict[str, Any],
) -> None:
    assert seen["explanation"]["accepted"] is False
    before, after = seen["explanation"], seen["acceptedByNotification"]
    assert after == before | {"accepted": True, "page": after["page"]}
    assert seen["accepted"] is None
    assert seen["messages"] == []


def test_the_newest_request_wins(seen: dict[str, Any]) -> None:
    """Older ones are answered null, which keeps what is on the screen."""
    *older, newest = seen["burst"]
    assert older == [None, None]
    assert newest["items"]


def test_a_cancelled_request_is_answered_so(seen: dict[str, Any]) -> None:
    assert seen["cancelled"] == {"code": CANCELLED}


@pytest.mark.parametrize("text", ["whole", "edited"])
def test_positions_count_utf_16_units(seen: dict[str, Any], text: str) -> None:
    """Two faces before the cursor are four units on the wire and two characters inside."""
    place = seen[text]
    column = place["position"]["character"] - 2 + 1
    assert place["range"][:2] == [place["position"]["line"] + 1, column]
    assert place["ranges"]
    assert all(found["start"] == place["position"] for found in place["ranges"])


def test_an_edit_behind_astral_characters_lands_where_it_was_meant(
    seen: dict[str, Any],
) -> None:
    """The edited text is completed as the same text opened whole."""
    assert seen["edited"]["text"] == seen["whole"]["text"]


def test_every_status_says_what_it_must(seen: dict[str, Any]) -> None:
    assert seen["statuses"][-1]["state"] == "ready"
    for status in seen["statuses"]:
        assert set(status) == {"state", "model", "reason", "fix", "progress"}
        assert (status["reason"] is not None) == (status["state"] == "off")


def test_it_leaves_as_the_protocol_says(seen: dict[str, Any]) -> None:
    assert seen["shutdown"] is None
    assert seen["afterShutdown"] == INVALID_REQUEST
    assert seen["exitCode"] == 0


def test_nothing_unexpected_was_said(seen: dict[str, Any]) -> None:
    """No notification that the library does not know, and nothing on standard error."""
    assert seen["unknown"] == []
    assert seen["stderr"] == ""
