"""Where Wicket's files are, and which places it refuses."""

import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from wicket.server.paths import (
    LONGEST_SOCKET_NAME,
    InsideWorkspace,
    Paths,
    UnsafeDirectory,
    UnsafePath,
    private_directory,
    private_file,
    refuse_inside,
    socket_directory,
)

NOBODY = 65534


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty directory with a short name, owned by a user without powers."""
    made = Path(tempfile.mkdtemp(dir="/tmp", prefix="w"))
    if os.getuid() == 0:
        os.chown(made, NOBODY, NOBODY)
    yield made
    shutil.rmtree(made)


def without_powers(action: Callable[[], object]) -> str:
    """What `action` answers, or "Error: message", in a child that is not root.

    Root may enter and write everywhere: under root half of these tests would pass
    whatever the code did.
    """
    if os.getuid() != 0:
        return outcome(action)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(writing, outcome(action).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with open(reading) as answer:
        told = answer.read()
    os.waitpid(child, 0)
    return told


def outcome(action: Callable[[], object]) -> str:
    try:
        return str(action())
    except (UnsafePath, OSError) as error:
        return f"{type(error).__name__}: {error}"


def mode(path: Path) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


HOME = {"HOME": "/home/ada"}
USUAL = {
    "config": "/home/ada/.config/wicket",
    "data": "/home/ada/.local/share/wicket",
    "state": "/home/ada/.local/state/wicket",
    "cache": "/home/ada/.cache/wicket",
    "runtime": "None",
}


@pytest.mark.parametrize(
    ("environ", "other"),
    [
        ({}, {}),
        ({"XDG_CONFIG_HOME": "/c"}, {"config": "/c/wicket"}),
        ({"XDG_DATA_HOME": "/d"}, {"data": "/d/wicket"}),
        ({"XDG_STATE_HOME": "/s"}, {"state": "/s/wicket"}),
        ({"XDG_CACHE_HOME": "/k"}, {"cache": "/k/wicket"}),
        ({"XDG_RUNTIME_DIR": "/run/user/7"}, {"runtime": "/run/user/7/wicket"}),
        ({"XDG_CONFIG_HOME": ""}, {}),
        ({"XDG_CONFIG_HOME": ".config", "XDG_DATA_HOME": "d"}, {}),
        ({"XDG_STATE_HOME": "./s", "XDG_CACHE_HOME": "../k"}, {}),
        ({"XDG_RUNTIME_DIR": "run"}, {}),
        ({"WICKET_CONFIG": "/x", "XDG_CONFIG_DIRS": "/x", "TMPDIR": "/x"}, {}),
    ],
)
def test_locations_follow_the_specification(environ: dict[str, str], other: dict[str, str]) -> None:
    """Unset, empty and relative variables leave the default in place."""
    paths = Paths.of(HOME | environ)
    found = {name: str(getattr(paths, name)) for name in USUAL}
    assert found == USUAL | other
    assert paths.managed_settings == Path("/etc/wicket/wicket.toml")
    assert paths.administrator == 0


def test_models_are_searched_in_the_package_the_system_and_the_users_data() -> None:
    shipped, system, pulled = Paths.of(HOME).models
    assert shipped.parts[-2:] == ("completion", "models")
    assert shipped.is_dir()
    assert system == Path("/usr/share/wicket/models")
    assert pulled == Path("/home/ada/.local/share/wicket/models")


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "ada"}])
def test_without_a_home_variable_the_user_database_is_asked(
    environ: dict[str, str],
) -> None:
    config = Paths.of(environ).config
    assert config.is_absolute()
    assert config.parts[-2:] == (".config", "wicket")


# ---- Directories.


def a_file(path: Path) -> None:
    path.write_text("")


def a_link(path: Path) -> None:
    target = path.with_name("target")
    target.mkdir(mode=0o700)
    path.symlink_to(target)


def a_dangling_link(path: Path) -> None:
    path.symlink_to("nowhere")


def with_mode(bits: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.mkdir()
        path.chmod(bits)

    return make


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (a_file, "is not a directory"),
        (a_link, "is a symbolic link"),
        (a_dangling_link, "is a symbolic link"),
        (with_mode(0o755), "open to others (mode 0755)"),
        (with_mode(0o710), "open to others (mode 0710)"),
        (with_mode(0o701), "open to others (mode 0701)"),
        (with_mode(0o1777), "open to others (mode 1777)"),
    ],
)
def test_an_unsafe_directory_is_refused(
    place: Path, make: Callable[[Path], None], why: str
) -> None:
    """And left as it was: who could enter it may have left something in it."""
    path = place / "d"

    def attempt() -> Path:
        make(path)
        return private_directory(path)

    told = without_powers(attempt)
    assert told.startswith(f"UnsafeDirectory: {path} ")
    assert why in told
    assert "\n" not in told


def test_somebody_elses_directory_is_refused() -> None:
    """The root directory belongs to root on every system, and we are not root."""
    told = without_powers(lambda: private_directory(Path("/")))
    assert told.startswith("UnsafeDirectory: / belongs to user id 0, not to you")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
@pytest.mark.parametrize("bits", [0o700, 0o777])
def test_a_private_directory_of_another_user_is_refused(place: Path, bits: int) -> None:
    """Ownership counts whatever the mode says, for root as well."""
    path = place / "d"
    path.mkdir()
    path.chmod(bits)
    assert "belongs to user id 0" in without_powers(lambda: private_directory(path))
    os.chown(path, NOBODY, NOBODY)
    with pytest.raises(UnsafeDirectory, match=f"belongs to user id {NOBODY}"):
        private_directory(path)


def test_a_directory_that_cannot_be_made_is_one_line() -> None:
    told = without_powers(lambda: private_directory(Path("/proc/wicket/run")))
    assert told.startswith("UnsafeDirectory: /proc/wicket/run cannot be created: ")
    assert "\n" not in told


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_created_directories_are_private(place: Path, umask: int) -> None:
    """All that are made on the way, whatever the umask; again is no error."""
    path = place / "a" / "b" / "c"

    def attempt() -> list[str]:
        before = os.umask(umask)
        try:
            private_directory(path)
            assert private_directory(path) == path
        finally:
            os.umask(before)
        return [oct(mode(d)) for d in (path, path.parent, path.parent.parent)]

    assert without_powers(attempt) == "['0o700', '0o700', '0o700']"


# ---- Sockets.


def paths_in(place: Path, runtime: Path | None) -> Paths:
    return Paths(place / "c", place / "d", place / "s", place / "k", runtime)


def test_sockets_live_in_the_runtime_directory(place: Path) -> None:
    chosen = without_powers(lambda: socket_directory(paths_in(place, place / "wicket")))
    assert chosen == str(place / "wicket")
    assert mode(place / "wicket") == 0o700


@pytest.mark.parametrize("runtime", [None, "/nonexistent/wicket", "/usr/wicket"])
def test_without_a_runtime_directory_of_ours_they_live_in_the_state(
    place: Path, runtime: str | None
) -> None:
    """Unset, gone, or somebody else's as after sudo."""
    paths = paths_in(place, Path(runtime) if runtime else None)
    assert without_powers(lambda: socket_directory(paths)) == str(place / "s" / "run")


def test_no_socket_path_passes_the_limit(place: Path) -> None:
    """At every length of the state directory's name; the rest goes to /tmp."""
    short = Path(f"/tmp/wicket-{NOBODY if os.getuid() == 0 else os.getuid()}")
    existed = short.exists()
    chosen: list[Path] = []
    for length in range(1, 80):
        paths = paths_in(place, None)
        paths = Paths(paths.config, paths.data, place / ("é" + "x" * length), paths.cache, None)
        chosen.append(Path(without_powers(lambda p=paths: socket_directory(p))))
    sizes = [len(os.fsencode(directory / LONGEST_SOCKET_NAME)) for directory in chosen]
    in_state = [d for d in chosen if d.is_relative_to(place)]
    if not existed:
        short.rmdir()
    assert max(sizes) == 100
    assert in_state == chosen[: len(in_state)]
    assert set(chosen[len(in_state) :]) == {short}


def test_an_unsafe_socket_directory_is_not_replaced_by_the_next(place: Path) -> None:
    """Falling back would let others choose where we go."""

    def attempt() -> Path:
        (place / "wicket").mkdir(mode=0o755)
        return socket_directory(paths_in(place, place / "wicket"))

    assert without_powers(attempt).startswith("UnsafeDirectory: ")


# ---- Files.


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_private_file_is_created_for_us_alone(place: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with private_file(place / "f") as file:
            file.write(b"one")
        with private_file(place / "f") as file:
            file.write(b", two")
    finally:
        os.umask(before)
    assert mode(place / "f") == 0o600
    assert (place / "f").read_bytes() == b"one, two"


def test_a_file_of_ours_that_was_open_to_others_is_closed(place: Path) -> None:
    (place / "f").write_text("old")
    (place / "f").chmod(0o644)
    with private_file(place / "f", "wb") as file:
        file.write(b"new")
    assert mode(place / "f") == 0o600
    assert (place / "f").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (a_link, "OSError"),
        (a_dangling_link, "OSError"),
        (lambda path: path.mkdir(), "IsADirectoryError"),
        (lambda path: os.mkfifo(path), ""),
    ],
)
def test_what_is_no_regular_file_is_refused(
    place: Path, make: Callable[[Path], None], why: str
) -> None:
    """And a named pipe without a reader does not hold us up."""
    make(place / "f")
    with pytest.raises((UnsafePath, OSError)) as raised:
        private_file(place / "f")
    assert why in type(raised.value).__name__


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_somebody_elses_file_is_neither_read_nor_emptied(place: Path) -> None:
    (place / "f").write_text("theirs")
    os.chown(place / "f", NOBODY, NOBODY)
    with pytest.raises(UnsafePath, match="belongs to user id"):
        private_file(place / "f", "wb")
    assert (place / "f").read_text() == "theirs"


# ---- Open folders.


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("w", True),
        ("w/.config/wicket", True),
        ("w/not/there/yet", True),
        ("w/../w/x", True),
        ("elsewhere/../w/x", True),
        ("to-w/x", True),  # A link that leads into the folder.
        ("to-sub/x", True),  # And one that leads below it.
        ("w/out/x", True),  # A link of the folder's that leads out.
        ("also-w", True),
        ("w2", False),
        ("w/../elsewhere", False),
        ("", False),
        ("elsewhere", False),
    ],
)
@pytest.mark.parametrize("folder", ["w", "to-w"])
def test_places_inside_an_open_folder_are_refused(
    tmp_path: Path, path: str, inside: bool, folder: str
) -> None:
    (tmp_path / "w" / "sub").mkdir(parents=True)
    (tmp_path / "to-sub").symlink_to("w/sub")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "to-w").symlink_to("w")
    (tmp_path / "also-w").symlink_to(tmp_path / "w", target_is_directory=True)
    (tmp_path / "w" / "out").symlink_to(tmp_path / "elsewhere")
    folders = [tmp_path / "elsewhere" / "gone", tmp_path / folder]
    if inside:
        with pytest.raises(InsideWorkspace, match="open folder") as raised:
            refuse_inside(tmp_path / path, folders)
        assert "\n" not in str(raised.value)
    else:
        refuse_inside(tmp_path / path, folders)


def test_a_folder_with_an_impossible_name_holds_nothing(tmp_path: Path) -> None:
    """Editors send names, and not all of them are names of files."""
    refuse_inside(tmp_path, [Path("/a\0b")])
