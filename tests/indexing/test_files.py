"""Which files belong to a workspace, asked of git and of ignore files, and what is in them."""

import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from wicket.indexing import files, git
from wicket.indexing.files import Skipped
from wicket.indexing.git import NoGit

MOST = 1 << 20


def make(root: Path, *paths: str, content: str = "x = 1\n") -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)


def run_git(root: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@b", *arguments],
        cwd=root,
        check=True,
        capture_output=True,
        env={"PATH": os.environ["PATH"], "HOME": str(root)}
        | {"GIT_ALLOW_PROTOCOL": "file", "GIT_CONFIG_NOSYSTEM": "1"},
    )


def repository(root: Path, *paths: str) -> Path:
    make(root, *paths)
    run_git(root, "init", "-q", ".")
    run_git(root, "add", "-A")
    run_git(root, "commit", "-q", "-m", "one")
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "r"
    place.mkdir()
    return place


def listed(root: Path, *only: str, most: int = 1000) -> set[str]:
    paths = files.list_files(root, most, only).paths
    assert len(paths) == len(set(paths))
    return {path for path, _stamp in files.stamps(root, paths)}


# With git and without: the same files.
BOTH = pytest.mark.parametrize("in_git", [True, False])


def place(root: Path, in_git: bool, *paths: str) -> None:
    make(root, *paths)
    if in_git:
        run_git(root, "init", "-q", ".")


@BOTH
def test_what_is_ignored_is_no_file_of_the_workspace(root: Path, in_git: bool) -> None:
    place(root, in_git, "a.py", "b/c.py", "b/build/d.py", "log/e.py", "b/keep.tmp.py")
    make(root, "b/x.tmp.py", "f.tmp.py", "b/deep/build/g.py")
    (root / ".gitignore").write_text("*.tmp.py\n/log/\n# a comment\n")
    (root / "b/.gitignore").write_text("build/\n!keep.tmp.py\n")
    assert listed(root) == {".gitignore", "a.py", "b/.gitignore", "b/c.py", "b/keep.tmp.py"}
    assert listed(root, "b") == {"b/.gitignore", "b/c.py", "b/keep.tmp.py"}
    assert listed(root, "b/c.py", "f.tmp.py", "none.py") == {"b/c.py"}


@BOTH
def test_links_are_never_followed(root: Path, in_git: bool) -> None:
    outside = root.parent / "outside"
    make(outside, "secret.py")
    place(root, in_git, "a/b.py")
    (root / "link.py").symlink_to(outside / "secret.py")
    (root / "inside.py").symlink_to(root / "a/b.py")
    (root / "directory").symlink_to(outside)
    (root / "a/loop").symlink_to(root)
    assert listed(root) == {"a/b.py"}
    assert listed(root, "directory/secret.py", "a/loop/a/b.py", "a/b.py") == {"a/b.py"}


def test_a_link_that_took_a_directorys_place_is_not_followed(root: Path) -> None:
    """Git's list of files still names what lies behind it."""
    repository(root, "a/b.py", "c.py")
    outside = root.parent / "outside"
    make(outside, "b.py")
    (root / "a/b.py").unlink()
    (root / "a").rmdir()
    (root / "a").symlink_to(outside)
    assert listed(root) == {"c.py"}
    assert next(files.stamps(root, ["a/b.py", "c.py/x", "c.py"]))[0] == "c.py"


@BOTH
def test_what_is_no_file_is_passed_over(root: Path, in_git: bool) -> None:
    place(root, in_git, "a.py")
    os.mkfifo(root / "pipe.py")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(root / "socket.py"))
        assert listed(root) == {"a.py"}
    with pytest.raises(Skipped, match="no file"):
        files.read(root, "pipe.py", MOST)


@BOTH
def test_a_directory_that_may_not_be_entered_is_passed_over(root: Path, in_git: bool) -> None:
    place(root, in_git, "a.py", "closed/b.py")
    (root / "closed").chmod(0)
    try:
        assert "a.py" in listed(root)
    finally:
        (root / "closed").chmod(0o700)


@BOTH
def test_names_of_all_kinds(root: Path, in_git: bool) -> None:
    names = ["ü.py", "a b.py", "-x.py", "q'\"*?[a].py", ":(top)y.py", os.fsdecode(b"\xff.py")]
    place(root, in_git, *names, "new\nline.py")
    assert listed(root) == {*names, "new\nline.py"}
    assert listed(root, *names) == set(names)


@BOTH
def test_deep_and_wide_trees_cost_a_bounded_number(root: Path, in_git: bool) -> None:
    place(root, in_git, "top.py", "/".join(["d"] * 60) + "/in.py", "/".join(["d"] * 300) + "/x.py")
    make(root, *(f"wide/{number}.py" for number in range(150)))
    assert listed(root) >= {"top.py", "/".join(["d"] * 60) + "/in.py"}
    assert "/".join(["d"] * 300) + "/x.py" not in listed(root)
    assert len(listed(root, most=100)) <= 100
    assert not files.list_files(root, 100).whole


def test_submodules_are_a_part_of_it(root: Path) -> None:
    other = repository(root.parent / "other", "lib/x.py")
    repository(root, "a.py")
    run_git(root, "submodule", "add", "-q", str(other), "vendor/other")
    make(root, "vendor/other/new.py")
    assert listed(root) >= {"a.py", "vendor/other/lib/x.py", "vendor/other/new.py"}
    assert listed(root, "a.py", "vendor/other/new.py") == {"a.py", "vendor/other/new.py"}
    assert listed(root, "vendor/other/lib") == {"vendor/other/lib/x.py"}
    run_git(root, "commit", "-q", "-a", "-m", "two")
    run_git(root, "submodule", "deinit", "-q", "-f", "--all")
    assert listed(root) == {".gitmodules", "a.py"}


def test_worktrees_and_folders_of_a_repository(root: Path) -> None:
    repository(root, "a.py", "b/c.py", "b/d/e.py")
    run_git(root, "worktree", "add", "-q", "../tree")
    assert listed(root.parent / "tree") == {"a.py", "b/c.py", "b/d/e.py"}
    assert listed(root / "b") == {"c.py", "d/e.py"}


def test_repositories_in_a_folder_without_one(root: Path) -> None:
    repository(root / "one", "a.py")
    repository(root / "two", "b.py", "ignored.py")
    (root / "two/.gitignore").write_text("ignored.py\n")
    make(root, "c.py", "node_modules/d.py")
    assert listed(root) >= {"one/a.py", "two/b.py", "c.py"}
    assert not any("node_modules" in path for path in listed(root))


def test_a_project_in_a_home_directory_that_git_ignores(root: Path) -> None:
    (root / ".gitignore").write_text("*\n")
    run_git(root, "init", "-q", ".")
    make(root / "project", "a.py")
    assert listed(root / "project") == {"a.py"}


def test_conflicts_and_deletions_name_a_file_once(root: Path) -> None:
    repository(root, "a.py", "gone.py")
    run_git(root, "checkout", "-q", "-b", "other")
    (root / "a.py").write_text("x = 2\n")
    run_git(root, "commit", "-q", "-a", "-m", "two")
    run_git(root, "checkout", "-q", "-")
    (root / "a.py").write_text("x = 3\n")
    run_git(root, "commit", "-q", "-a", "-m", "three")
    (root / "gone.py").unlink()
    with pytest.raises(subprocess.CalledProcessError):
        run_git(root, "merge", "-q", "other")
    assert listed(root) == {"a.py"}


def test_a_renamed_case_is_another_file(root: Path) -> None:
    repository(root, "Name.py")
    (root / "Name.py").rename(root / "name.py")
    assert listed(root) == {"name.py"}


# A repository that wants a program run.  Each way ends in `touch pwned`.
def _fsmonitor(root: Path, program: str) -> None:
    run_git(root, "config", "core.fsmonitor", program)


def _hooks(root: Path, program: str) -> None:
    for hook in ("post-index-change", "fsmonitor-watchman", "query-watchman", "post-checkout"):
        (root / ".git/hooks").mkdir(exist_ok=True)
        (root / ".git/hooks" / hook).write_text(f"#!/bin/sh\n{program}\n")
        (root / ".git/hooks" / hook).chmod(0o700)
    run_git(root, "config", "core.fsmonitor", ".git/hooks/fsmonitor-watchman")


def _hooks_elsewhere(root: Path, program: str) -> None:
    _hooks(root, program)
    (root / ".git/hooks").rename(root / "hooks")
    run_git(root, "config", "core.hooksPath", "hooks")


def _filters(root: Path, program: str) -> None:
    for name in ("clean", "smudge", "process"):
        run_git(root, "config", f"filter.x.{name}", program)
    (root / ".gitattributes").write_text("* filter=x diff=x\n")
    run_git(root, "config", "diff.external", program)
    run_git(root, "config", "diff.x.textconv", program)
    os.utime(root / "a.py", (1, 1))


def _included(root: Path, program: str) -> None:
    (root / "evil").write_text(f"[core]\n fsmonitor = {program}\n pager = {program}\n")
    run_git(root, "config", "include.path", "../evil")


def _pager_and_editor(root: Path, program: str) -> None:
    for name in ("core.pager", "core.editor", "core.askPass", "core.sshCommand", "pager.ls-files"):
        run_git(root, "config", name, program)
    run_git(root, "config", "alias.ls-files", f"!{program}")
    run_git(root, "config", "credential.helper", f"!{program}")


def _lazy_fetch(root: Path, program: str) -> None:
    run_git(root, "config", "extensions.partialClone", "origin")
    run_git(root, "config", "remote.origin.promisor", "true")
    run_git(root, "config", "remote.origin.url", f"ext::sh -c '{program}'")
    run_git(root, "config", "protocol.ext.allow", "always")
    run_git(root, "sparse-checkout", "set", "--cone", "--sparse-index", "b")
    for tree in (root / ".git/objects").glob("??/*"):
        tree.chmod(0o600)
        tree.unlink()


def _bare_inside(root: Path, program: str) -> None:
    """A folder that is itself a bare repository."""
    (root / "HEAD").write_text("ref: refs/heads/main\n")
    for name in ("objects", "refs"):
        (root / name).mkdir()
    (root / "config").write_text(f"[core]\n bare=false\n worktree=.\n fsmonitor = {program}\n")
    (root / ".git").rename(root.parent / "moved")


HOSTILE = (
    *(_fsmonitor, _hooks, _hooks_elsewhere, _filters, _included, _pager_and_editor),
    *(_lazy_fetch, _bare_inside),
)


@pytest.mark.parametrize("plant", HOSTILE)
def test_no_configuration_runs_a_program(
    root: Path, plant: Callable[[Path, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(root, "a.py", "b/c.py", "d/e/f.py")
    pwned = root.parent / "pwned"
    program = root.parent / "program"
    program.write_text(f"#!/bin/sh\ntouch {pwned}\n")
    program.chmod(0o700)
    plant(root, str(program))
    monkeypatch.chdir(root)
    found = {path for path in listed(root) if path.endswith(".py")}
    assert listed(root, "a.py") <= {"a.py"}
    assert not pwned.exists()
    assert found >= {"a.py", "b/c.py"}


def test_the_plants_would_grow(root: Path) -> None:
    """A git that is not held back runs the program: the test above can fail."""
    repository(root, "a.py", "b/c.py", "d/e/f.py")
    pwned = root.parent / "pwned"
    program = root.parent / "program"
    program.write_text(f"#!/bin/sh\ntouch {pwned}\n")
    program.chmod(0o700)
    _fsmonitor(root, str(program))
    run_git(root, "ls-files", "-co", "--exclude-standard")
    assert pwned.exists()


@pytest.mark.parametrize("how", ["worktree", "git file", "index"])
def test_a_repository_that_says_it_is_elsewhere(root: Path, tmp_path: Path, how: str) -> None:
    """Whatever its git directory says, what lies outside of the folder is in no list."""
    outside = tmp_path / "outside"
    make(outside, "stolen.py", "inside.py")
    run_git(outside, "init", "-q")
    run_git(outside, "add", "-A")
    make(root, "inside.py")
    if how == "git file":
        (root / ".git").write_text(f"gitdir: {outside / '.git'}\n")
    else:
        run_git(root, "init", "-q")
    if how == "worktree":
        run_git(root, "config", "core.worktree", str(outside))
    if how == "index":
        (root / ".git/index").write_bytes((outside / ".git/index").read_bytes())
    assert listed(root) == {"inside.py"}


def test_the_environment_points_git_nowhere_else(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(root, "a.py")
    other = repository(root.parent / "other", "b.py")
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.fsmonitor")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "false")
    assert listed(root) == {"a.py"}


def test_a_program_named_git_in_the_folder_is_not_run(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(root, "a.py")
    (root / "git").write_text(f"#!/bin/sh\ntouch {root.parent}/pwned\n")
    (root / "git").chmod(0o700)
    monkeypatch.chdir(root)
    monkeypatch.setenv("PATH", f".::{os.environ['PATH']}")
    assert listed(root) == {"a.py", "git"}
    assert not (root.parent / "pwned").exists()


def test_without_git_the_ignore_files_are_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository(root, "a.py")
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(NoGit, match="cannot be started"):
        git.list_files(root, MOST)
    assert listed(root) == {"a.py"}


def test_patterns_that_would_take_for_ever_are_passed_over(root: Path) -> None:
    """Backtracking in an expression made of a pattern; a huge file; a pipe to wait at."""
    name = "a" * 60
    make(root, f"{name}.py", "b/c.py", "d/e.py", "f/g.py")
    (root / ".gitignore").write_text("a*" * 12 + "b\n" + "**/" * 30 + "z\n*.pyc\n")
    (root / "b/.gitignore").write_text("c.py\n" * 1_000_000)
    os.mkfifo(root / "d/.gitignore")
    (root / "f/.gitignore").write_bytes(b"\xff\xfe\0[\\\n!\n[z-a]\n")
    assert listed(root) >= {f"{name}.py", "b/c.py", "d/e.py", "f/g.py"}


def skipped(root: Path, path: str) -> str | None:
    try:
        source, _stamp = files.read(root, path, MOST)
    except Skipped as why:
        return str(why)
    return files.left_out(path, source)


LINE = b"value = compute(1)\n"


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.py", LINE, None),
        ("empty.py", b"", None),
        ("latin.py", b"# \xe9\xe8\n" + LINE, None),
        ("binary.py", b"\x7fELF\0\0" + LINE, "binary"),
        ("late.py", LINE * 1000 + b"\0", None),
        ("utf16.py", "x = 'ü'\n".encode("utf-16"), None),
        ("huge.py", LINE * 60_000, "large"),
        ("big.py", LINE * 50_000, None),
        ("line.js", b"x=1;" * 3000, "minified"),
        ("long_string.py", LINE * 500 + b"DATA = '" + b"x" * 4000 + b"'\n", None),
        ("data.py", LINE * 30_000 + b"y" * 6000, "minified"),
        ("jquery.min.js", LINE, "generated"),
        ("package-lock.json", b"{}", "generated"),
        ("poetry.lock", b"", "generated"),
        ("thing_pb2.py", LINE, "generated"),
        ("api.pb.go", LINE, "generated"),
        ("block.py", LINE, None),
        ("made.py", b"# Code generated by a tool. DO NOT EDIT.\n" + LINE, "generated"),
        ("maker.py", LINE * 200 + b"print('DO NOT EDIT')\n", None),
    ],
)
def test_what_is_not_worth_reading(root: Path, name: str, content: bytes, why: str | None) -> None:
    (root / name).write_bytes(content)
    assert skipped(root, name) == why


def test_a_file_of_a_gigabyte_is_not_read(root: Path) -> None:
    with open(root / "sparse.py", "wb") as file:
        file.truncate(1 << 30)
    assert skipped(root, "sparse.py") == "large"


def test_what_vanished_or_may_not_be_read_is_said(root: Path) -> None:
    assert skipped(root, "none.py") == "vanished"
    (root / "link.py").symlink_to("/etc/passwd")
    assert skipped(root, "link.py") == "unreadable"
    assert skipped(root, "a\0b.py") == "unreadable"


def test_utf_16_becomes_what_grammars_read(root: Path) -> None:
    (root / "a.py").write_bytes("x = 'ü'\n".encode("utf-16"))
    assert files.read(root, "a.py", MOST)[0].decode() == "x = 'ü'\n"


def test_a_stamp_changes_with_the_file(root: Path) -> None:
    make(root, "a.py", "b.py")
    now = os.stat(root / "a.py")

    def stamp() -> int:
        ((_path, number),) = files.stamps(root, ["a.py"])
        return number

    first = stamp()
    assert stamp() == first
    (root / "a.py").write_text("y = 1\n")
    os.utime(root / "a.py", ns=(now.st_atime_ns, now.st_mtime_ns))
    second = stamp()
    assert second != first, "equal size and time of change, other content"
    (root / "b.py").replace(root / "a.py")
    assert stamp() not in (first, second)


def test_what_was_written_a_moment_ago_is_not_believed(root: Path) -> None:
    make(root, "a.py")
    assert files.read(root, "a.py", MOST)[1] == 0
