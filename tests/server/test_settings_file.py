"""`wicket.toml` on disk: what is refused, and what writing a setting leaves alone."""

import dataclasses
import os
import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wicket.server.settings import load
from wicket.server.settings_file import Unwritten, set_user

from .desk import BOX, MINE, Desk, check_sound


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


FILES = ("managed", "user", "repository")
quick = settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def test_a_missing_file_and_a_missing_folder_say_nothing(desk: Desk) -> None:
    (desk.root / "file").write_text("")
    folders = [desk.root / "gone", desk.root / "file"]
    assert load(desk.paths, None, folders).warnings == ()


@pytest.mark.parametrize("channel", FILES)
@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"[completion]\nenabled = false\nx\n", 3),
        (b"a = 1\na = 2", 2),
        (b"\n\n[completion", 3),
        (b"a = '''\n\n", 2),
        (b"a = 1\nb = '\xff'", 2),
        (b"a = " + b"9" * 5000, 1),
        (b"a = " + b"[" * 20_000, 1),
        (b"\0", 1),
        (b"\xff\xfe", 1),
    ],
)
def test_an_unparsable_file_is_one_line_with_its_number(
    desk: Desk, channel: str, content: bytes, line: int
) -> None:
    defaults = desk.load().settings
    desk.file(channel).write_bytes(content)
    effective = desk.load()
    (warning,) = effective.warnings
    assert warning.startswith(f"{desk.file(channel)}:{line}: ")
    assert warning.endswith("; the whole file is ignored")
    assert warning.isprintable()
    assert effective.settings == defaults


@pytest.mark.parametrize("channel", FILES)
@pytest.mark.parametrize("kind", ["pipe", "directory", "device", "loop", "large"])
def test_what_is_no_ordinary_file_is_one_line(desk: Desk, channel: str, kind: str) -> None:
    """A pipe that nobody writes to does not hold us up; a device is not read."""
    file = desk.file(channel)
    match kind:
        case "pipe":
            os.mkfifo(file)
        case "directory":
            file.mkdir()
        case "device":
            file.symlink_to("/dev/zero")
        case "loop":
            file.symlink_to(file)
        case _:
            file.write_text("#" * 70_000)
    (warning,) = desk.load().warnings
    assert warning.startswith(str(file))
    assert warning.endswith("; it is ignored")
    assert warning.isprintable()


@pytest.mark.parametrize(
    ("file_mode", "directory_mode", "mine", "why"),
    [
        (0o644, 0o755, True, None),
        (0o600, 0o700, True, None),
        (0o664, 0o755, True, "wicket.toml is writable by others"),
        (0o646, 0o755, True, "wicket.toml is writable by others"),
        (0o644, 0o775, True, "etc is writable by others"),
        (0o644, 0o1777, True, "etc is writable by others"),
        (0o644, 0o755, False, "wicket.toml does not belong to"),
    ],
)
def test_the_managed_file_counts_if_only_its_owner_can_write_it(
    desk: Desk, file_mode: int, directory_mode: int, mine: bool, why: str | None
) -> None:
    desk.says("managed", {"log.level": "debug"}, locked=["log.level"])
    desk.file("managed").chmod(file_mode)
    desk.paths.managed.chmod(directory_mode)
    if not mine:
        desk.paths = dataclasses.replace(desk.paths, administrator=os.getuid() + 1)
    effective = desk.load()
    if why is None:
        assert effective.settings.log.level == "debug"
        assert effective.warnings == ()
    else:
        assert effective.settings.log.level == "info"
        assert effective.locked == frozenset()
        (warning,) = effective.warnings
        assert why in warning


@pytest.mark.parametrize("folder", ["home/.config", "home/.config/wicket"])
def test_the_users_settings_in_an_open_folder_do_not_count(desk: Desk, folder: str) -> None:
    """Whoever fills the folder could have written them."""
    desk.says("user", {"log.level": "debug"})
    effective = load(desk.paths, None, [desk.root / folder])
    assert effective.settings.log.level == "info"
    (warning,) = effective.warnings
    assert "lies in the open folder" in warning


@pytest.mark.parametrize("folder", [".", "home"])
def test_the_home_directory_may_be_an_open_folder(desk: Desk, folder: str) -> None:
    """It is the user's own, and a file beside no repository opens it."""
    desk.says("user", {"log.level": "debug"})
    effective = load(desk.paths, None, [desk.root / folder])
    assert (effective.settings.log.level, effective.warnings) == ("debug", ())


@quick
@given(content=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_no_bytes_in_a_file_can_break_us(desk: Desk, content: bytes) -> None:
    for channel in FILES:
        desk.file(channel).write_bytes(content)
    check_sound(desk.load())


# ---- Writing.


def written(desk: Desk, before: str | None, key: str, value: object) -> str:
    file = desk.file("user")
    if before is not None:
        file.write_bytes(before.encode())
    set_user(desk.paths, key, value)
    return file.read_bytes().decode()


@pytest.mark.parametrize(
    ("before", "key", "value", "after"),
    [
        (None, "trusted", False, "trusted = false\n"),
        ("", "completion.model", "x", '[completion]\nmodel = "x"\n'),
        (
            "# Mine.\n[completion]  # all\nmodel = 'a' # why\nlines='line'\n[log]\n",
            "completion.model",
            "b",
            "# Mine.\n[completion]  # all\nmodel = \"b\" # why\nlines='line'\n[log]\n",
        ),
        (
            "[completion]\nlines = 'line'\n",
            "completion.model",
            "b",
            "[completion]\nlines = 'line'\nmodel = \"b\"\n",
        ),
        (
            "completion = {lines = 'line'} # short\n",
            "completion.model",
            "b",
            "completion = {lines = 'line',model = \"b\"} # short\n",
        ),
        (
            "completion.lines = 'line'\n# end\n",
            "completion.lines",
            "block",
            'completion.lines = "block"\n# end\n',
        ),
        (
            "[log]\nlevel = 'info'",
            "trusted",
            False,
            "trusted = false\n\n[log]\nlevel = 'info'",
        ),
        (
            "[log]\r\nlevel = 'info'\r\n",
            "log.level",
            "debug",
            '[log]\r\nlevel = "debug"\r\n',
        ),
        (
            "nonsense = 1\n[gate]\nteam_url = 'x'\n",
            "gate",
            None,
            "gate is not a setting",
        ),
        (
            "[engine.models.box] # the big one\nendpoint = 'http://a' # old\n[log]\n",
            "engine.models.box",
            {"endpoint": "http://b"},
            '[engine.models.box] # the big one\nendpoint = "http://b" # old\n[log]\n',
        ),
    ],
)
def test_writing_changes_one_setting_and_nothing_else(
    desk: Desk, before: str | None, key: str, value: object, after: str
) -> None:
    """Comments, order, spacing and line ends stay."""
    if value is None:
        with pytest.raises(Unwritten, match=after):
            written(desk, before, key, value)
    else:
        assert written(desk, before, key, value) == after


KEPT = "# kept 1\n[log] # kept 2\nlevel = 'info' # kept 3\n"


@pytest.mark.parametrize(
    "before",
    [
        None,
        "",
        KEPT,
        KEPT.strip(),
        f"{KEPT}[engine] # e\nthreads = 2 # t\n",
        f"{KEPT}[engine.models] # e\nother = {{path = '/o'}} # o\n",
        f"{KEPT}[engine.models.other] # e\npath = '/o' # o\n",
        f"{KEPT}[engine.models.new] # e\npath = '/o'\n",
        f"{KEPT}[engine.models.'new.er'] # e\npath = '/o'\n",
        f"[engine]\nthreads = 1 # t\n{KEPT}[engine.models.other]\npath = '/o' # o\n",
        f"engine = {{threads = 1}} # t\n{KEPT}",
        f"engine.models.other.path = '/o' # o\n{KEPT}",
        f"engine.models = {{new = {{path = '/x'}}}} # o\n{KEPT}",
    ],
)
@pytest.mark.parametrize("name", ["new", "new.er", "qwen2.5:q8", "ä b"])
@pytest.mark.parametrize("row", [BOX, MINE])
def test_a_model_of_any_name_is_written_into_any_form(
    desk: Desk, before: str | None, name: str, row: dict[str, str]
) -> None:
    after = written(desk, before, f"engine.models.{name}", row)
    wanted = tomllib.loads(before or "")
    wanted.setdefault("engine", {}).setdefault("models", {})[name] = row
    assert tomllib.loads(after) == wanted
    comments = ("# kept 1", "# kept 2", "# kept 3", "# t", "# e", "# o")
    assert all(c in after for c in comments if c in (before or ""))
    effective = desk.load()
    assert name in effective.settings.engine.models
    assert effective.warnings == ()


VALUES = {
    "completion.model": st.sampled_from(["a", "b.c", "/x/y.gguf", 'q"', "ö"]),
    "completion.enabled": st.booleans(),
    "completion.max_lines": st.integers(1, 100),
    "completion.exclude": st.lists(st.sampled_from(["a/", "*.js", "b c"]), max_size=3),
    "log.level": st.sampled_from(["info", "debug"]),
    "trusted": st.booleans(),
    "engine.threads": st.integers(1, 8),
}
WRITES = st.sampled_from(sorted(VALUES)).flatmap(lambda key: st.tuples(st.just(key), VALUES[key]))
PIECES = [
    "[completion]\nlines = 'line' # c1\n",
    "[log]\n# c2\n\nlevel = 'info'\n",
    "[gate] # c3\nx = [1, # c4\n 2]\n",
    "[engine]\n# c5\nidle_minutes = 3\n",
    "[engine.models.box]\nendpoint = 'http://b' # c6\n",
    "[[repository]]\npath = '/x' # c7\n",
    "[[repository]]\npath = '/y' # c8\n\n\n",
]


@quick
@given(
    pieces=st.lists(st.sampled_from(PIECES), unique=True),
    top=st.sampled_from(["", "# c0\n", "trusted = true # c9\n\n"]),
    writes=st.lists(WRITES, min_size=1, max_size=4),
)
def test_written_settings_are_in_force_and_the_rest_is_untouched(
    desk: Desk, pieces: list[str], top: str, writes: list[tuple[str, object]]
) -> None:
    """For files of any order, one write after the other."""
    text = top + "".join(pieces)
    desk.file("user").write_text(text)
    wanted = tomllib.loads(text)
    for key, value in writes:
        set_user(desk.paths, key, value)
        table, _, last = key.rpartition(".")
        (wanted.setdefault(table, {}) if table else wanted)[last] = value
    after = desk.file("user").read_text()
    assert tomllib.loads(after) == wanted
    for number in range(10):
        assert after.count(f"# c{number}") == text.count(f"# c{number}")
    effective = desk.load()
    for key, value in dict(writes).items():
        found = effective.values[key]
        assert (list(found) if isinstance(found, tuple) else found) in (
            value,
            list(dict.fromkeys(value)) if isinstance(value, list) else value,
        )
        assert effective.origin[key] == "user"


@pytest.mark.parametrize(
    ("before", "key", "value", "why"),
    [
        ("", "completion.modle", "x", "is not a setting; `wicket config` lists them"),
        ("", "engine.models", {"box": BOX}, "is not a setting"),
        ("", "engine.models.", BOX, "is not a setting"),
        ("", "gate.team_url", "x", "is not a setting"),
        ("", "completion.max_lines", 0, "must be a whole number from 1 to 100"),
        ("", "completion.model", "x/y", "must be an absolute path"),
        ("", "engine.models.a/b", BOX, "a name, not a path"),
        ("", "engine.models.box", {"endpoint": "box"}, "must have an endpoint like"),
        ("completion = 3", "completion.model", "x", "completion is not a table"),
        ("[[completion]]", "completion.model", "x", "completion is not a table"),
        ("a = 1\nb", "completion.model", "x", "wicket.toml:2: "),
    ],
)
def test_what_cannot_be_written_leaves_the_file_as_it_was(
    desk: Desk, before: str, key: str, value: object, why: str
) -> None:
    with pytest.raises(Unwritten) as raised:
        written(desk, before, key, value)
    assert why in str(raised.value)
    assert str(raised.value).isprintable()
    assert desk.file("user").read_text() == before
    assert os.listdir(desk.paths.config) == ["wicket.toml"]


@pytest.mark.parametrize(
    "before",
    [
        "[engine]\nmodels.a.path = '/x'\n",  # tomlkit 0.15.2 writes [models.new] here.
        "[engine.models.b]\n[engine.models.a]\n[engine]\n",
        "[engine]\nmodels = {a = {path = '/x'}}\n[log]\n",
    ],
)
def test_no_mistake_of_the_editing_library_reaches_the_disk(desk: Desk, before: str) -> None:
    """It is written right, or not at all with a line that says so."""
    desk.file("user").write_text(before)
    wanted = tomllib.loads(before)
    refusal = ""
    try:
        set_user(desk.paths, "engine.models.new", BOX)
        wanted["engine"]["models"]["new"] = BOX
    except Unwritten as error:
        refusal = str(error)
    assert tomllib.loads(desk.file("user").read_text()) == wanted
    assert not refusal or refusal.endswith("by hand")


@pytest.mark.parametrize("config", ["/proc/wicket", "/dev/null/wicket"])
def test_a_place_that_cannot_be_written_is_one_line(desk: Desk, config: str) -> None:
    """For root as well: these are not even root's to write."""
    desk.paths = dataclasses.replace(desk.paths, config=Path(config))
    with pytest.raises(Unwritten) as raised:
        set_user(desk.paths, "trusted", False)
    assert config in str(raised.value)
    assert str(raised.value).isprintable()


def test_the_written_file_is_private_and_its_directory_too(desk: Desk) -> None:
    """Also where it was open before, and where there was no directory."""
    file = desk.file("user")
    file.write_text("trusted = true\n")
    file.chmod(0o644)
    set_user(desk.paths, "trusted", False)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    desk.paths = dataclasses.replace(desk.paths, config=desk.root / "new" / "wicket")
    set_user(desk.paths, "trusted", False)
    assert stat.S_IMODE(desk.file("user").stat().st_mode) == 0o600
    assert stat.S_IMODE(desk.paths.config.stat().st_mode) == 0o700
    assert os.listdir(desk.paths.config) == ["wicket.toml"]


def test_a_file_that_is_kept_elsewhere_stays_there(desk: Desk) -> None:
    """As in a folder of dotfiles with symbolic links to it."""
    kept = desk.root / "dotfiles.toml"
    kept.write_text("# mine\n")
    desk.file("user").symlink_to(kept)
    set_user(desk.paths, "log.level", "debug")
    assert desk.file("user").is_symlink()
    assert kept.read_text() == '# mine\n\n[log]\nlevel = "debug"\n'
