"""Every setting from every channel, and who wins."""

import dataclasses
import json
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from wicket.server.settings import Settings, for_folder, load, report
from wicket.server.settings_table import KEYS, TABLE
from wicket.server.verbs import VERBS

from .desk import CHANNELS, CONTRACT, MINE, ROWS, Desk, meant, typed


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


MAY_BE_TIGHTENED = [key for key, row in CONTRACT.items() if "T" in row.letters]


def test_the_table_has_the_settings_of_the_contract() -> None:
    assert {key.name: key.letters for key in TABLE} == {
        name: row.letters for name, row in CONTRACT.items()
    }


def test_dataclasses_and_table_name_the_same_settings() -> None:
    """And the words in a field's type are words that its check lets through."""
    fields: dict[str, Any] = {}
    for name, hint in get_type_hints(Settings).items():
        if dataclasses.is_dataclass(hint):
            fields |= {f"{name}.{n}": h for n, h in get_type_hints(hint).items()}
        else:
            fields[name] = hint
    assert set(fields) == set(KEYS)
    words = 0
    for name, hint in fields.items():
        for part in (hint, *get_args(hint)):
            for word in (w for w in get_args(part) if isinstance(w, str)):
                assert KEYS[name].check(word) == word
                words += 1
    assert words == 27


def test_defaults(desk: Desk) -> None:
    effective = desk.load()
    for key, row in CONTRACT.items():
        assert typed(effective, key) == row.default
        assert effective.origin[key] == "default"
    assert effective.warnings == ()
    assert effective.locked == frozenset()


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("key", CONTRACT)
def test_every_key_from_every_channel(desk: Desk, key: str, channel: str) -> None:
    """A channel sets what the letters allow; else the default stays, with one line."""
    row = CONTRACT[key]
    desk.says(channel, {key: row.other})
    effective = desk.load()
    if channel == "repository":
        heard = "T" in row.letters
    else:
        heard = channel != "editor" or "C" in row.letters
    assert typed(effective, key) == (meant(key, row.other) if heard else row.default)
    assert effective.values[key] == typed(effective, key)
    assert effective.origin[key] == (channel if heard else "default")
    if heard:
        assert effective.warnings == ()
    else:
        (warning,) = effective.warnings
        assert f": {key} is " in warning
        assert warning.endswith("(ignored)")


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("key", CONTRACT)
def test_a_wrong_value_is_one_line_and_the_default(desk: Desk, key: str, channel: str) -> None:
    for wrong in CONTRACT[key].wrong:
        desk.says(channel, {key: wrong})
        effective = desk.load()
        assert typed(effective, key) == CONTRACT[key].default, wrong
        assert effective.origin[key] == "default", wrong
        assert len(effective.warnings) == 1, wrong
        assert f": {key} " in effective.warnings[0]
        assert effective.warnings[0].isprintable()


@pytest.mark.parametrize("key", CONTRACT)
def test_a_wrong_value_lets_the_next_source_speak(desk: Desk, key: str) -> None:
    row = CONTRACT[key]
    desk.says("managed", {key: row.other})
    desk.says("user", {key: row.wrong[0]})
    effective = desk.load()
    assert typed(effective, key) == meant(key, row.other)
    assert effective.origin[key] == "managed"


@pytest.mark.parametrize(
    ("sources", "locked", "comfort", "security"),
    [
        (("managed", "user"), False, "user", "user"),
        (("managed", "editor"), False, "editor", "managed"),
        (("editor", "user"), False, "user", "user"),
        (("managed", "editor", "user"), False, "user", "user"),
        (("managed", "user"), True, "managed", "managed"),
        (("managed", "editor"), True, "managed", "managed"),
        (("managed", "editor", "user"), True, "managed", "managed"),
        (("editor", "user"), True, "default", "default"),
    ],
)
@pytest.mark.parametrize("key", [key for key in CONTRACT if key != "trusted"])
def test_who_wins(
    desk: Desk,
    key: str,
    sources: tuple[str, ...],
    locked: bool,
    comfort: str,
    security: str,
) -> None:
    """Locked over user over editor over managed; locked and not set is the default."""
    row = CONTRACT[key]
    winner = comfort if "C" in row.letters else security
    for best, rest in ((row.one, row.other), (row.other, row.one)):
        if locked:
            desk.says("managed", {}, locked=[key])
        for source in sources:
            lock = {"locked": [key]} if locked and source == "managed" else {}
            desk.says(source, {key: best if source == winner else rest}, **lock)
        effective = desk.load()
        wanted = row.default if winner == "default" else meant(key, best)
        heard = [source for source in sources if source != "editor" or "C" in row.letters]
        if key in ROWS and not locked and len(heard) > 1:
            wanted = ROWS[key]  # The rows of all who are heard.
        assert typed(effective, key) == wanted
        assert effective.origin[key] == winner
        assert effective.locked == ({key} if locked else set())
        said_to_the_user = [w for w in effective.warnings if "locked" in w]
        assert len(said_to_the_user) == (locked and "user" in sources)


@pytest.mark.parametrize("locked", [False, True])
@pytest.mark.parametrize("source", ["managed", "user", "editor"])
@pytest.mark.parametrize("key", MAY_BE_TIGHTENED)
def test_a_repository_tightens_whatever_the_others_say(
    desk: Desk, key: str, source: str, locked: bool
) -> None:
    """Over a lock as well: it can only ask for less."""
    row = CONTRACT[key]
    if locked:
        desk.says("managed", {}, locked=[key])
    lock = {"locked": [key]} if locked and source == "managed" else {}
    desk.says(source, {key: row.one}, **lock)
    desk.says("repository", {key: row.other})
    effective = desk.load()
    from_default = locked and source != "managed"
    wanted = meant(key, row.other) if from_default else row.tightened
    assert typed(effective, key) == wanted
    assert effective.origin[key] == "repository"


@pytest.mark.parametrize("key", MAY_BE_TIGHTENED)
def test_a_repository_that_asks_for_nothing_new_is_not_the_origin(desk: Desk, key: str) -> None:
    row = CONTRACT[key]
    desk.says("user", {key: row.other})
    desk.says("repository", {key: row.other})
    effective = desk.load()
    assert typed(effective, key) == meant(key, row.other)
    assert effective.origin[key] == "user"


def test_a_repository_cannot_loosen(desk: Desk) -> None:
    """Enabling, more languages and fewer exclusions change nothing."""
    strict = {"enabled": False, "context": False, "languages": ["go"], "exclude": ["a"]}
    loose = {"enabled": True, "context": True, "languages": ["*"], "exclude": []}
    desk.says("user", {f"completion.{n}": v for n, v in strict.items()})
    before = desk.load()
    desk.says("repository", {f"completion.{n}": v for n, v in loose.items()})
    after = desk.load()
    assert after.settings == before.settings
    assert after.origin == before.origin
    assert after.warnings == ()


def test_languages_without_an_overlap_leave_none(desk: Desk) -> None:
    """And not all of them, as an empty list could be misread."""
    desk.says("user", {"completion.languages": ["python"]})
    desk.says("repository", {"completion.languages": ["rust"]})
    completion = desk.load().settings.completion
    assert completion.languages == ()
    assert not any(completion.speaks(name) for name in ("python", "rust", "*", ""))


@pytest.mark.parametrize(
    ("managed", "locked", "user", "editor", "trusted", "origin"),
    [
        (None, False, None, True, True, "default"),
        (None, False, None, False, False, "editor"),
        (None, False, True, False, False, "editor"),
        (True, False, None, False, False, "editor"),
        (None, False, False, True, False, "user"),
        (None, False, False, False, False, "user"),
        (False, False, None, True, False, "managed"),
        (False, False, True, True, True, "user"),
        (None, True, None, False, False, "editor"),
        (True, True, None, False, False, "editor"),
        (False, True, None, True, False, "managed"),
        (False, True, True, True, False, "managed"),
    ],
)
def test_an_editor_can_only_take_trust_away(
    desk: Desk,
    managed: bool | None,
    locked: bool,
    user: bool | None,
    editor: bool,
    trusted: bool,
    origin: str,
) -> None:
    said = {} if managed is None else {"trusted": managed}
    desk.says("managed", said, locked=["trusted"] if locked else [])
    if user is not None:
        desk.says("user", {"trusted": user})
    desk.says("editor", {"trusted": editor})
    effective = desk.load()
    assert effective.settings.trusted is trusted
    assert effective.origin["trusted"] == origin


def test_the_environment_sets_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    before = desk.load()
    for key, row in CONTRACT.items():
        for name in (key.upper().replace(".", "_"), key.replace(".", "_"), key):
            monkeypatch.setenv(f"WICKET_{name}", json.dumps(row.other))
            monkeypatch.setenv(name, json.dumps(row.other))
    assert desk.load() == before


def test_each_folder_tightens_for_itself(desk: Desk) -> None:
    """Asked for no place in particular, the strictest of all holds."""
    a, b, inner = (desk.root / name for name in ("a", "b", "a/inner"))
    inner.mkdir(parents=True)
    b.mkdir()
    (desk.root / "link").symlink_to(inner)
    (a / ".wicket.toml").write_text("completion = {exclude = ['x'], context = false}")
    (b / ".wicket.toml").write_text("completion = {languages = ['rust'], lins = 1}")
    (inner / ".wicket.toml").write_text("completion = {exclude = ['y']}")
    desk.says("user", {"completion.exclude": ["u"]})
    whole = load(desk.paths, None, [a, b, inner])
    everything, rust = ("*",), ("rust",)
    for place, exclude, languages, context in (
        (None, ("u", "x", "y"), rust, False),
        (a, ("u", "x"), everything, False),
        (a / "src" / "gone.py", ("u", "x"), everything, False),
        (b / "f.rs", ("u",), rust, "auto"),
        (inner / "f.py", ("u", "x", "y"), everything, False),
        (desk.root / "link" / "f.py", ("u", "x", "y"), everything, False),
        (a / ".." / "b" / "f.rs", ("u",), rust, "auto"),
        (desk.root / "ab", ("u",), everything, "auto"),
        (Path("/elsewhere.py"), ("u",), everything, "auto"),
        (a / "\0", ("u", "x"), everything, False),
    ):
        found = whole if place is None else for_folder(whole, place)
        completion = found.settings.completion
        assert completion.exclude == exclude, place
        assert completion.languages == languages, place
        assert completion.context is context, place
        origin = "default" if context else "repository"
        assert found.origin["completion.context"] == origin
        assert found.warnings == whole.warnings
    assert len(whole.warnings) == 1
    assert for_folder(for_folder(whole, b), a) == for_folder(whole, a)


def test_the_report_has_every_setting_ready_for_json(desk: Desk) -> None:
    desk.says("managed", {"completion.max_lines": 5}, locked=["completion.max_lines"])
    desk.says("user", {"engine.models": {"mine": MINE}})
    desk.says("repository", {"completion.exclude": ["a"]})
    rows = {row["key"]: row for row in json.loads(json.dumps(report(desk.load())))}
    assert list(rows) == [key.name for key in TABLE]
    assert all(row["meaning"] for row in rows.values())
    assert rows["completion.max_lines"] == {
        "key": "completion.max_lines",
        "value": 5,
        "source": "managed",
        "locked": True,
        "meaning": "lines of the longest suggestion",
    }
    assert rows["engine.models"]["value"] == {
        "mine": {"path": "/m/mine.gguf", "token_command": ["pass", "show", "my box"]}
    }
    assert rows["completion.exclude"]["value"] == ["a"]
    assert rows["completion.exclude"]["source"] == "repository"
    assert rows["trusted"]["source"] == "default"
    assert rows["trusted"]["locked"] is False


@pytest.mark.parametrize("key", [key for key, row in CONTRACT.items() if "S" in row.letters])
def test_a_security_setting_has_no_other_channel(
    desk: Desk, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither an editor, nor a repository that asks for more, nor the environment, nor a word on
    a command line makes it looser; the administrator's lock holds against the user."""
    row = CONTRACT[key]
    before = typed(desk.load(), key)
    flat = key.replace(".", "_").upper()
    for name in (key, flat, f"WICKET_{flat}", f"WICKET_{key}"):
        monkeypatch.setenv(name, str(row.other))
    desk.says("editor", {key: row.other})
    assert typed(desk.load(), key) == before
    desk.says("repository", {key: row.one})
    desk.says("user", {key: row.other})
    loose = typed(desk.load(), key)
    if "T" not in row.letters:
        assert loose == meant(key, row.other), "a repository is not heard"
    else:
        assert loose == meant(key, row.other), "nor where it asks for more than the user"
    desk.says("managed", {key: row.other}, locked=[key])
    desk.says("user", {key: row.one})
    assert typed(desk.load(), key) == meant(key, row.other)
    last = key.rpartition(".")[2].replace("_", "-")
    for verb in VERBS:
        named = {flag for one in verb.arguments for flag in one.flags}
        spoken = {(verb.name, flag) for flag in named if flag == f"--{last}"}
        assert spoken <= MEANT_ELSEWHERE, f"{key} could be said on a command line"


# Words of a command line that are called like a security setting, and are none.
MEANT_ELSEWHERE = {("gate", "--repository")}
