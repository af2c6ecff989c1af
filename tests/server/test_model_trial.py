"""A model is tried by a real engine after it arrived, and one that is of no use is caught."""

import json
import struct
from pathlib import Path

import pytest

from .home import MODEL, Home


@pytest.fixture
def home(plain_home: Home) -> Home:
    return plain_home


def number(key: str, value: int) -> bytes:
    """A pair of a GGUF header, without the length of its key."""
    return key.encode() + struct.pack("<II", 4, value)


def changed(folder: Path, *changes: tuple[bytes, bytes]) -> Path:
    data = MODEL.read_bytes()
    for old, new in changes:
        assert data.count(old) == 1
        assert len(old) == len(new)
        data = data.replace(old, new)
    path = folder / "other.gguf"
    path.write_bytes(data)
    return path


NAME = struct.pack("<Q", 11)
# The shipped model, asked in another family's way; and with markers that it never saw.
OTHER_FAMILY = ((NAME + b"wicket-base", NAME + b"coder-model"),)
OTHER_MARKERS = tuple(
    (
        number(f"tokenizer.ggml.fim_{name}_token_id", old),
        number(f"tokenizer.ggml.fim_{name}_token_id", new),
    )
    for name, old, new in (("pre", 1, 4), ("suf", 3, 5), ("mid", 2, 6))
)


def test_the_shipped_model_passes_and_its_rate_is_listed(home: Home) -> None:
    done = home.wicket("model", "test", "wicket-base", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["why"] == ""
    assert list(said["scores"]) == ["python"]
    assert said["scores"]["python"]["holes"] == 20
    assert said["rates"]["decode"] > 0
    assert said["memory"] > 7_500_000
    (row,) = (
        row
        for row in json.loads(home.wicket("model", "list", "--json").stdout)["models"]
        if row["name"] == "wicket-base"
    )
    assert row["trial"]["scores"] == said["scores"]
    assert "tokens/s" in home.wicket("model", "list").stdout
    # The engine was the test's own.
    assert json.loads(home.wicket("ps", "--json").stdout) == {"processes": []}


@pytest.mark.parametrize("changes", [OTHER_FAMILY, OTHER_MARKERS], ids=["family", "markers"])
def test_a_wrong_prompt_format_is_caught(
    home: Home, changes: tuple[tuple[bytes, bytes], ...], tmp_path: Path
) -> None:
    """It stays where it is: its owner decides, and is told again when choosing it."""
    path = changed(tmp_path, *changes)
    done = home.wicket("model", "import", str(path))
    assert done.returncode == 1
    assert "other imported, sha256" in done.stdout
    assert "other fails its test: its best, in " in done.stderr
    assert "it may be a chat model, or need another prompt format" in done.stderr
    assert "`wicket model remove other` deletes it" in done.stderr
    assert "FAILED" in home.wicket("model", "list").stdout
    chosen = home.wicket("model", "use", "other")
    assert chosen.returncode == 0
    assert "Note that other failed its test" in chosen.stdout
