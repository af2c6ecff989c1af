"""`wicket model tune`: the command itself, with real engines, on a small repository."""

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WITHOUT = "import sys; sys.modules['torch'] = None; "
MAIN = "import sys; from wicket.server.__main__ import main; sys.exit(main(sys.argv[1:]))"
NEEDS_TORCH = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None or importlib.util.find_spec("gguf") is None,
    reason="tuning needs the extra [train], which is not installed here",
)


class User:
    """Somebody with a home of their own, in a short path: a socket's may have 100 bytes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models = folder / "data/wicket/models"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            # Two threads that wait for each other on a busy machine are slower than one.
            "OMP_NUM_THREADS": "1",
            **{f"XDG_{name.upper()}_HOME": str(folder / name) for name in ("config", "data")},
            **{f"XDG_{name.upper()}_HOME": str(folder / name) for name in ("cache", "state")},
        }

    def wicket(self, *words: str, before: str = "") -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-I", "-c", before + MAIN, *words],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        return done


@pytest.fixture(scope="module")
def user() -> Iterator[User]:
    with tempfile.TemporaryDirectory(prefix="wt", dir="/tmp") as folder:
        made = User(Path(folder))
        repository = made.folder / "repo"
        repository.mkdir()
        for name in ("arbiter", "copies", "cursor", "earlier", "holes", "pace", "place", "shape"):
            text = (ROOT / f"completion/{name}.py").read_text()
            (repository / f"{name}.py").write_text(text)
        (repository / "secret.pem").write_text("no code")
        yield made


@NEEDS_TORCH
def test_a_model_is_tuned_measured_and_used(user: User) -> None:
    base = user.folder / "ours.gguf"
    base.write_bytes((ROOT / "completion/models/wicket-base-q8_0.gguf").read_bytes())
    words = ("model", "tune", "repo", "--minutes", "0.02", "--holes", "3", "--name", "mine")
    words = (*words, "--base", str(base))
    done = user.wicket(*words, "--use", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[0])
    assert (said["trained"], said["held"]) == (6, 2)
    assert 1 < said["loss"][1] < 4
    assert {"earlier", "ours", "mine", "wicket with mine"} <= set(said["exact"])
    assert said["exact"]["mine"]["count"] == said["model"]["count"] > 4
    assert said["verdict"] in ("alike", "better")
    # Its card says what it is made of, what it knows by heart and what was held out.
    told = (user.models / "mine.md").read_text()
    held = [path for path in sorted(os.listdir(user.folder / "repo")) if path in told]
    assert len([path for path in held if f"Held out: {path}" in told or f", {path}" in told]) >= 2
    for part in ("| ours, Apache-2.0, sha256 b42f32b8", "word for word", "as the repository"):
        assert part in told
    # It is a model like any other now, and the one in use.
    (row,) = (
        one
        for one in json.loads(user.wicket("model", "list", "--json").stdout)["models"]
        if one["name"] == "mine"
    )
    assert row["licence"] == "Apache-2.0"
    assert user.wicket("model", "verify", "mine").returncode == 0
    settings = tomllib.loads((user.folder / "config/wicket/wicket.toml").read_text())
    assert settings["completion"]["model"] == "mine"
    again = user.wicket(*words)
    assert again.returncode == 1
    assert "is there already" in again.stderr
    assert user.wicket("model", "remove", "mine").returncode == 0
    assert [file.name for file in user.models.iterdir() if file.name.startswith("mine")] == []


@NEEDS_TORCH
@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("config",), "characters of python to learn from"),
        (("nowhere",), "is not a folder"),
        (("repo", "--base", "nobody"), "no model is called nobody"),
        (("repo", "--name", "wicket-base"), "cannot be the name"),
    ],
)
def test_what_cannot_be_tuned_is_said_in_a_line(
    user: User, words: tuple[str, ...], why: str
) -> None:
    (user.folder / "config").mkdir(exist_ok=True)
    (user.folder / "config/a.py").write_text((ROOT / "completion/pace.py").read_text())
    (user.folder / "config/b.py").write_text((ROOT / "completion/copies.py").read_text())
    (user.folder / "config/c.py").write_text((ROOT / "completion/place.py").read_text())
    done = user.wicket("model", "tune", *words)
    assert done.returncode == 1
    assert why in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_the_extra_it_says_what_to_install(user: User) -> None:
    done = user.wicket("model", "tune", "repo", before=WITHOUT)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert 'pip install "wicket[train]"' in done.stderr
