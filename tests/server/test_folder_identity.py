"""What makes a folder another one, in the eyes of a yes that holds on, and what does not."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from wicket.server.folder_identity import identity

REMOTE = ("remote", "add", "origin", "https://git.example/shop.git")


def git(folder: Path, *words: str) -> None:
    said = ("-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false")
    subprocess.run(("git", "-C", folder, *said, *words), check=True, capture_output=True)


def repository(folder: Path) -> None:
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, *REMOTE)
    (folder / "a.py").write_text("x = 1\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "one")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    repository(tmp_path / "shop")
    (tmp_path / "shop" / ".wicket.toml").write_text("[completion]\nenabled = true\n")
    return tmp_path / "shop"


def _work(folder: Path) -> None:
    (folder / "b.py").write_text("y = 2\n")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "two")
    git(folder, "checkout", "--quiet", "-b", "topic")
    git(folder, "config", "user.email", "ada@shop.example")
    git(folder, "reflog", "expire", "--expire=all", "--all")
    git(folder, "gc", "--quiet", "--aggressive", "--prune=now")


def _moved_in(folder: Path) -> None:
    """Another one, made elsewhere, takes its name."""
    repository(folder.parent / "other")
    shutil.copy(folder / ".wicket.toml", folder.parent / "other")
    folder.rename(folder.parent / "was")
    (folder.parent / "other").rename(folder)


def _made_anew(folder: Path) -> None:
    """Deleted and cloned again, on a file system that gives numbers of files anew."""
    settings = (folder / ".wicket.toml").read_bytes()
    shutil.rmtree(folder)
    repository(folder)
    (folder / ".wicket.toml").write_bytes(settings)


def _only_git(folder: Path) -> None:
    shutil.rmtree(folder / ".git")
    git(folder, "init", "--quiet")
    git(folder, *REMOTE)


def _remote(folder: Path) -> None:
    git(folder, "remote", "set-url", "origin", "https://evil.example/shop.git")


def _push(folder: Path) -> None:
    git(folder, "remote", "set-url", "--push", "origin", "https://evil.example/shop.git")


def _settings(folder: Path) -> None:
    (folder / ".wicket.toml").write_text("[completion]\nenabled = false\n")


def _settings_linked(folder: Path) -> None:
    elsewhere = folder.parent / "settings"
    (folder / ".wicket.toml").rename(elsewhere)
    (folder / ".wicket.toml").symlink_to(elsewhere)


def _linked(folder: Path) -> None:
    (folder / ".git").rename(folder.parent / "git")
    (folder / ".git").symlink_to(folder.parent / "git")


def _no_git(folder: Path) -> None:
    shutil.rmtree(folder / ".git")


CASES: list[tuple[Callable[[Path], None], bool]] = [
    (lambda _folder: None, True),
    (_work, True),
    (_moved_in, False),
    (_made_anew, False),
    (_only_git, False),
    (_remote, False),
    (_push, False),
    (_settings, False),
    (_settings_linked, False),
    (lambda folder: (folder / ".wicket.toml").unlink(), False),
    (_linked, False),
    (_no_git, False),
]


@pytest.mark.parametrize(("change", "same"), CASES)
def test_what_is_the_same(folder: Path, change: Callable[[Path], None], same: bool) -> None:
    before = identity(folder)
    change(folder)
    assert (identity(folder) == before) is same


def test_of_a_folder_within_and_of_a_work_tree(folder: Path) -> None:
    (folder / "src").mkdir()
    tree = folder.parent / "tree"
    git(folder, "worktree", "add", "--quiet", str(tree))
    before = identity(folder / "src"), identity(tree)
    assert identity(folder / "src") == before[0]
    _remote(folder)
    assert identity(folder / "src") != before[0]
    # As its file says it; that is not followed.
    assert identity(tree) == before[1]
    (tree / ".git").write_text(f"gitdir: {folder.parent}/evil/.git\n")
    assert identity(tree) != before[1]


def test_no_repository_and_hostile_ones(tmp_path: Path) -> None:
    """Nothing waits, nothing is followed, and nothing raises."""
    plain = tmp_path / "plain"
    plain.mkdir()
    before = identity(plain)
    (plain / "a.py").write_text("x = 1\n")
    assert identity(plain) == before
    (plain / ".git").mkdir()
    os.mkfifo(plain / ".git" / "config")
    os.mkfifo(plain / ".wicket.toml")
    assert identity(plain) == identity(plain) != before
    (plain / ".wicket.toml").unlink()
    (plain / ".wicket.toml").mkdir()
    shutil.rmtree(plain / ".git")
    os.mkfifo(plain / ".git")
    assert len(identity(plain)) == 64
    assert len(identity(tmp_path / "nowhere")) == 64


@pytest.mark.parametrize("made", [(), ("init", "--quiet", "--template=")])
def test_a_folder_made_anew_is_another_one(tmp_path: Path, made: tuple[str, ...]) -> None:
    """Where nothing but the file system tells: with no repository, and in one that has no
    description, as other programs than git make them."""
    seen: set[str] = set()
    for _ in range(3):
        (tmp_path / "plain").mkdir()
        if made:
            git(tmp_path / "plain", *made)
        seen.add(identity(tmp_path / "plain"))
        shutil.rmtree(tmp_path / "plain")
    assert len(seen) == 3


def test_no_program_is_run(folder: Path) -> None:
    """A configuration may name programs, which git would start."""
    ran = folder.parent / "ran"
    git(folder, "config", "core.fsmonitor", f"touch {ran}")
    git(folder, "config", "core.sshCommand", f"touch {ran}")
    identity(folder)
    assert not ran.exists()
