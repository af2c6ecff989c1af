"""What a source may say, by which names, and that no nonsense in it does harm."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import tomlkit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wicket.server.settings import load, report
from wicket.server.settings_table import KEYS

from .desk import BOX, CONTRACT, MODELS, Desk, check_sound, typed


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.mark.parametrize(
    ("channel", "text", "wanted"),
    [
        ("user", "[completion]\nenabeld = true", "did you mean completion.enabled?"),
        ("user", "[completions]\nenabled = true", "completions is not a setting"),
        ("user", "[zzz]\na = 1", "zzz is not a setting; `wicket config` lists them"),
        ("user", "completion = 3", "completion must be a table"),
        ("user", "[[completion]]\nenabled = false", "completion must be a table"),
        (
            "user",
            "'completion.enabled' = false",
            '"completion.enabled" is not a setting',
        ),
        ("user", "locked = ['trusted']", "locked is not a setting"),
        ("user", '"a\\nb" = 1', r"a\nb is not a setting"),
        ("user", '"\\u202e\\u001b[31m" = 1', r"\u202e\x1b[31m is not a setting"),
        ("user", f"{'k' * 5000} = 1", f"{'k' * 200}... is not a setting"),
        ("repository", "[editor]\na = 1", "editor.a is nothing"),
        ("repository", "[routes]\nask = ['frontier']", "routes is nothing"),
        ("repository", "[index]\nwatch = 'poll'", "index.watch"),
        (
            "repository",
            "[providers.x]\nbase_url = 'http://evil'",
            "providers is nothing",
        ),
        ("repository", "[network]\nproxy = 'http://evil'", "network.proxy is nothing"),
        ("repository", "locked = ['completion.enabled']", "locked is not a setting"),
        ("managed", "locked = ['network.proxy', 'policy']", None),
        ("managed", "locked = ['completion.modle']", "did you mean completion.model?"),
    ],
)
def test_names_that_are_unknown_or_not_allowed_are_one_line(
    desk: Desk, channel: str, text: str, wanted: str | None
) -> None:
    desk.file(channel).write_text(text)
    effective = desk.load()
    for key, row in CONTRACT.items():
        assert typed(effective, key) == row.default
    if wanted is None:
        assert effective.warnings == ()
    else:
        (warning,) = effective.warnings
        assert warning.startswith(f"{desk.file(channel)}: ")
        assert wanted in warning
        assert warning.isprintable()


@pytest.mark.parametrize("channel", ["managed", "user"])
def test_tables_of_other_features_are_known(desk: Desk, channel: str) -> None:
    """What they hold is looked at by their feature."""
    tables = ("policy",)
    desk.file(channel).write_text(
        "repository = [{path = '/x'}]\neditor.anything = 1\n"
        + "".join(f"[{table}]\nanything = 1\n" for table in tables)
    )
    assert desk.load().warnings == ()


@pytest.mark.parametrize(
    "editor",
    [
        {"completion": {"max_lines": 3, "lines": "line"}, "log": {"level": "debug"}},
        {"completion.max_lines": 3, "completion.lines": "line", "log.level": "debug"},
        {"completion.max_lines": 3, "completion": {"lines": "line"}} | {"log.level": "debug"},
        {"wicket": {"completion": {"max_lines": 3.0, "lines": "line"}}}
        | {"wicket.log.level": "debug"},
        {"wicket.completion.max_lines": 3, "wicket.completion.lines": "line"}
        | {"wicket": {"log": {"level": "debug"}}},
        {
            "completion": {"max_lines": 3, "lines": "line", "model": None},
            "trusted": None,
        }
        | {"log.level": "debug", "engine": None, "wicket": None},
    ],
)
def test_an_editor_may_write_names_nested_or_flat(desk: Desk, editor: dict[str, Any]) -> None:
    """Under `wicket` or not; null says nothing."""
    desk.editor = editor
    effective = desk.load()
    assert effective.settings.completion.max_lines == 3
    assert effective.settings.completion.lines == "line"
    assert effective.settings.log.level == "debug"
    assert effective.warnings == ()


@pytest.mark.parametrize("editor", [[], "x", 3, [{"completion": {}}]])
def test_settings_of_an_editor_that_are_no_object(desk: Desk, editor: object) -> None:
    desk.editor = editor
    assert desk.load().warnings == ("the editor: settings must be an object (ignored)",)


def test_an_editor_cannot_lock_and_cannot_reach_the_gate(desk: Desk) -> None:
    desk.editor = {"locked": ["trusted"], "gate": {"team_url": "http://evil"}}
    desk.editor |= {"network.proxy": "http://evil", "engine.models.x": BOX}
    effective = desk.load()
    assert effective.locked == frozenset()
    assert effective.settings.engine.models == {}
    assert len(effective.warnings) == 4


def test_locking_a_table_locks_its_keys(desk: Desk) -> None:
    desk.says("managed", {}, locked=["completion", "gate.team_url"])
    desk.says("user", {"completion.max_lines": 3, "engine.threads": 2})
    effective = desk.load()
    assert effective.settings.completion.max_lines == 10
    assert effective.settings.engine.threads == 2
    keys = {key for key in KEYS if key.startswith("completion.")}
    assert effective.locked == keys | {"gate.team_url"}


@pytest.mark.parametrize("locked", ["completion.model", True, {"a": 1}, [1], [["a"]]])
def test_a_lock_that_is_not_understood_locks_everything(desk: Desk, locked: object) -> None:
    """Its author meant to forbid something."""
    desk.says("managed", {"completion.lines": "line"}, locked=locked)
    desk.says("editor", {"log.level": "debug", "completion.lines": "block"})
    effective = desk.load()
    assert effective.locked == set(KEYS)
    assert effective.settings.log.level == "info"
    assert effective.settings.completion.lines == "line"
    (warning,) = effective.warnings
    assert "locked must be a list of names" in warning


def test_a_thousand_mistakes_are_a_few_lines(desk: Desk) -> None:
    desk.file("repository").write_text("".join(f"k{n} = 1\n" for n in range(1000)))
    warnings = desk.load().warnings
    assert len(warnings) == 21
    assert warnings[-1].endswith("980 more of these (ignored)")


@pytest.mark.parametrize(
    "path", ["/m/x.gguf", "~/x.gguf", "./x.gguf", "a/b", "..", r"C:\x.gguf", ".x", "~"]
)
def test_only_a_settings_file_may_name_the_path_of_a_model(desk: Desk, path: str) -> None:
    """An editor hands on the settings of any folder that it opened."""
    desk.says("editor", {"completion.model": path})
    effective = desk.load()
    assert effective.settings.completion.model == ""
    assert "a path counts only in your own wicket.toml" in effective.warnings[0]


def test_paths_of_models_are_absolute(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A relative path would mean another file in each working directory."""
    monkeypatch.setenv("HOME", "/home/ada")
    desk.says("user", {"completion.model": "~/x.gguf"})
    assert desk.load().settings.completion.model == "/home/ada/x.gguf"
    desk.says("user", {"completion.model": "models/x.gguf"})
    effective = desk.load()
    assert effective.settings.completion.model == ""
    assert "completion.model must be an absolute path" in effective.warnings[0]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({}, "either path or endpoint"),
        ({"path": "/x", "endpoint": "http://b"}, "either path or endpoint"),
        ({"path": 1}, "must have a path"),
        ({"path": ""}, "must have a path"),
        ({"path": "x.gguf"}, "must be an absolute path"),
        ({"path": "~no-such-user/x.gguf"}, "home directory of an unknown user"),
        ("http://b", "must be a table"),
        ({"endpoint": "box:8000"}, "endpoint like"),
        ({"endpoint": "ftp://box"}, "endpoint like"),
        ({"endpoint": "http://"}, "endpoint like"),
        ({"endpoint": "http://box:99999"}, "endpoint like"),
        ({"endpoint": "http://[::1"}, "endpoint like"),
        ({"endpoint": "http://user:word@box"}, "no password"),
        ({"endpoint": "http://box/?token=word"}, "endpoint like"),
        ({"endpoint": "http://b\n"}, "endpoint like"),
        ({"endpoint": 5}, "endpoint like"),
        ({"endpoint": "http://b", "key": "word"}, "not key"),
        ({"endpoint": "http://b", "token_command": "word 'b"}, "token_command"),
        ({"endpoint": "http://b", "token_command": []}, "token_command"),
        ({"endpoint": "http://b", "token_command": [1]}, "token_command"),
        ({"endpoint": "http://b", "ca_file": "ca.pem"}, "absolute path"),
        ({"endpoint": "wicket+tls://box"}, "with its port"),
        ({"endpoint": "wicket+tls://box:7411/v1"}, "no path"),
    ],
)
def test_a_bad_row_does_not_cost_the_others(desk: Desk, row: object, why: str) -> None:
    """And a warning never repeats a value: it could be a password."""
    desk.says("user", {"engine.models": {"bad": row, "box": BOX}})
    effective = desk.load()
    assert effective.settings.engine.models == {"box": MODELS["box"]}
    (warning,) = effective.warnings
    assert ": engine.models.bad " in warning
    assert why in warning
    assert "word@" not in warning
    assert "=word" not in warning


@pytest.mark.parametrize("name", ["", "a/b", "~x", "../x"])
def test_a_model_cannot_have_a_name_that_reads_as_a_path(desk: Desk, name: str) -> None:
    """`completion.model` could never mean it."""
    desk.says("user", {"engine.models": {name: BOX}})
    effective = desk.load()
    assert effective.settings.engine.models == {}
    assert "a name, not a path" in effective.warnings[0]


NAMES = st.text(max_size=8) | st.sampled_from(
    [*KEYS, *(k.split(".")[-1] for k in KEYS), "completion", "engine", "log", "gate"]
)
WORDS = st.sampled_from(["auto", "line", "python", "*", "debug", "a/**", "/x"])
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
LISTS = st.lists(WORDS | st.text(max_size=3), max_size=3)
SENSE = st.fixed_dictionaries(
    {},
    optional={
        "enabled": st.booleans(),
        "context": st.booleans(),
        "languages": LISTS,
        "exclude": LISTS,
        "max_lines": st.integers(1, 20),
    },
)
TABLES = st.builds(
    lambda junk, sense: junk | ({"completion": sense} if sense else {}),
    st.dictionaries(NAMES, JUNK, max_size=5),
    SENSE,
)
quick = settings(
    max_examples=100,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def in_toml(value: object) -> Any:
    """What of a JSON value TOML can say."""
    if isinstance(value, dict):
        return {k: in_toml(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [in_toml(v) for v in value if v is not None]
    return value


@quick
@given(editor=TABLES | JUNK, folder=st.text(max_size=5))
def test_no_editor_can_break_or_arm_us(desk: Desk, editor: Any, folder: str) -> None:
    """Whatever it sends, security settings and paths stay as they were."""
    effective = load(desk.paths, editor, [desk.folder, desk.root / f"-{folder}"])
    check_sound(effective)
    json.dumps(report(effective))
    assert effective.settings.engine == load(desk.paths, None, []).settings.engine
    assert "/" not in effective.settings.completion.model
    assert effective.locked == frozenset()


@quick
@given(mine=TABLES, theirs=TABLES)
def test_a_repository_only_ever_tightens(
    desk: Desk, mine: dict[str, Any], theirs: dict[str, Any]
) -> None:
    """Against settings of the user's of any kind, well-formed or not."""
    desk.file("user").write_text(tomlkit.dumps(in_toml(mine)))
    before = load(desk.paths, None, [])
    desk.file("repository").write_text(tomlkit.dumps(in_toml(theirs)))
    after = desk.load()
    check_sound(after)
    old, new = before.settings.completion, after.settings.completion
    assert old.enabled >= new.enabled
    assert new.context in (old.context, False)
    assert set(old.exclude) <= set(new.exclude)
    for language in ("python", "cobol", *new.languages):
        assert old.speaks(language) >= new.speaks(language)
    free = {"enabled": True, "context": True, "exclude": (), "languages": ()}
    assert dataclasses.replace(old, **free) == dataclasses.replace(new, **free)
    assert before.settings.engine == after.settings.engine
    assert before.settings.log == after.settings.log
    assert before.settings.trusted == after.settings.trusted
