"""The editors' settings say what the server's table says, and the manuals name them all."""

import json
import re
from typing import Any

import pytest
from wicket.server.settings_checks import Unfit
from wicket.server.settings_table import KEYS, TABLE, Check, Key

from .neovim import ROOT

MANIFEST = json.loads((ROOT / "editors/vscode/package.json").read_text())
PROPERTIES: dict[str, dict[str, Any]] = MANIFEST["contributes"]["configuration"]["properties"]
# What a person may set in the editor, but for two: `wicket.enabled` runs no server at all,
# and the extension itself says whether the folder is trusted.
COMFORT = [
    key for key in TABLE if "C" in key.letters and key.name not in ("completion.enabled", "trusted")
]
OWN = {"wicket.enabled", "wicket.command"}


def test_vs_code_has_every_setting_that_an_editor_may_set() -> None:
    assert set(PROPERTIES) == {f"wicket.{key.name}" for key in COMFORT} | OWN


@pytest.mark.parametrize("key", COMFORT, ids=lambda key: key.name)
def test_vs_code_has_the_same_defaults_and_limits(key: Key) -> None:
    """What its settings page takes the server takes, and what it does not the server refuses."""
    said = PROPERTIES[f"wicket.{key.name}"]
    default = key.default
    assert said["default"] == (list(default) if isinstance(default, tuple) else default)
    check = _rows(key) if key.rows else key.from_editor or key.check
    bounds = [said[name] for name in ("minimum", "maximum") if name in said]
    inside = [said["default"], *said.get("enum", ()), *bounds]
    outside: list[object] = [*([bounds[0] - 1, bounds[1] + 1] if bounds else []), object()]
    if "enum" in said:
        outside.append("nothing of the kind")
    for value in inside:
        check(value)
    for value in outside:
        with pytest.raises(Unfit):
            check(value)
    assert said.get("description") or said.get("markdownDescription")


def _rows(key: Key) -> Check:
    """Of a table the setting's check looks at one row."""

    def check(value: object) -> object:
        if not isinstance(value, dict):
            raise Unfit("must be a table")
        return {name: key.check(row) for name, row in value.items()}

    return check


def test_a_folder_does_not_choose_for_the_machine() -> None:
    """What costs or tells something is the person's own, in any folder."""
    for name in ("command", "enabled", "stats.enabled", "log.level", "index.max_files"):
        assert PROPERTIES[f"wicket.{name}"]["scope"] in ("machine", "application")
    restricted = MANIFEST["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"]
    assert set(restricted) <= set(PROPERTIES)


def test_the_manual_of_vs_code_names_every_setting_command_and_key() -> None:
    manual = (ROOT / "editors/vscode/README.md").read_text()
    for name in PROPERTIES:
        assert f"`{name}`" in manual, name
    contributed = MANIFEST["contributes"]
    for command in contributed["commands"]:
        assert f"`{command['category']}: {command['title']}`" in manual
    for name in set(re.findall(r"`(wicket\.[a-z_.]+)`", manual)) - {"wicket.toml"}:
        assert name in PROPERTIES, name
    for binding in contributed["keybindings"]:
        assert binding["key"] in manual.lower(), binding


def test_the_manual_of_neovim_names_every_option_command_and_key() -> None:
    plugin = ROOT / "editors/neovim"
    short, long = (plugin / "README.md").read_text(), (plugin / "doc/wicket.txt").read_text()
    options = re.findall(r"---@field (\w+)\?", (plugin / "lua/wicket/init.lua").read_text())
    source = (plugin / "plugin/wicket.lua").read_text()
    commands = re.findall(r"^  (Wicket\w+) =", source, re.MULTILINE)
    accepts = re.findall(r"\['(accept[\w-]*)'\]", source)
    keys = [*accepts, "dismiss", "trigger", "next", "previous"]
    assert len(options) == 11
    assert len(commands) == 4
    assert len(accepts) == 3
    for word in [f"{option} = " for option in options] + [f":{one}" for one in commands]:
        assert word in short, word
        assert word in long, word
    for key in keys:
        assert f"<Plug>(wicket-{key})" in long


def test_neovim_sends_settings_that_there_are() -> None:
    """The examples in its manuals, at least."""
    for name in ("README.md", "doc/wicket.txt"):
        text = (ROOT / "editors/neovim" / name).read_text()
        examples = re.findall(r"(\w+) = \{ (\w+) = '(\w+)' \}", text)
        assert examples
        for table, key, value in examples:
            assert KEYS[f"{table}.{key}"].check(value) == value
