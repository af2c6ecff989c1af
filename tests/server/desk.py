"""One machine's settings in a temporary directory, and the contract about each."""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import tomlkit
from wicket.completion.models.licences import ALLOWED
from wicket.completion.shelf import Profile
from wicket.server.paths import Paths
from wicket.server.settings import Effective, load
from wicket.server.settings_rows import ModelSource, ProviderSource
from wicket.server.settings_table import TABLE

CHANNELS = ("managed", "user", "editor", "repository")


class Desk:
    """The administrator's file, the user's, an editor, and one open folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.paths = dataclasses.replace(
            Paths.of({"HOME": str(root / "home")}),
            managed=root / "etc",
            administrator=os.getuid(),
        )
        self.folder = root / "repository"
        self.editor: Any = None
        for directory in (self.paths.config, self.paths.managed, self.folder):
            directory.mkdir(parents=True, mode=0o755)

    def file(self, channel: str) -> Path:
        return {
            "managed": self.paths.managed_settings,
            "user": self.paths.user_settings,
            "repository": self.folder / ".wicket.toml",
        }[channel]

    def says(self, channel: str, values: Mapping[str, object], **top: object) -> None:
        """Let a channel say settings by dotted names, nested as TOML and JSON do it."""
        tables: dict[str, Any] = dict(top)
        for name, value in values.items():
            table, _, last = name.rpartition(".")
            (tables.setdefault(table, {}) if table else tables)[last] = value
        if channel == "editor":
            self.editor = tables
        else:
            self.file(channel).write_text(tomlkit.dumps(tables))

    def load(self) -> Effective:
        return load(self.paths, self.editor, [self.folder])


@dataclasses.dataclass(frozen=True)
class Row:
    """What the contract says of a setting, and values of it as they are written.

    `tightened` is what is left of `one` when a repository asks for `other`.
    """

    letters: Literal["S", "C", "ST", "CT"]
    default: object
    one: object
    other: object
    wrong: Sequence[object]
    tightened: object = None


BOX = {"endpoint": "wicket+tls://box:7411", "ca_file": "/ca.pem"}
MINE = {"path": "/m/mine.gguf", "token_command": "pass show 'my box'"}
MODELS = {
    "box": ModelSource(endpoint="wicket+tls://box:7411", ca_file=Path("/ca.pem")),
    "mine": ModelSource(Path("/m/mine.gguf"), None, ("pass", "show", "my box")),
}
CLOUD = {"kind": "compatible", "base_url": "https://api.example/v1", "model": "m"}
HOME = {
    "kind": "compatible",
    "base_url": "http://127.0.0.1:8000/v1",
    "model": "m",
    "tier": "on-prem",
    "region": "here",
}
PROVIDERS = {
    "cloud": ProviderSource("compatible", "https://api.example/v1", "m", "frontier"),
    "home": ProviderSource("compatible", "http://127.0.0.1:8000/v1", "m", "on-prem", "here"),
}
GO = {"model": "tiny", "languages": ["go"]}
HAND = {"model": "large", "trigger": "manual"}
PROFILES = {"go": Profile("tiny", ("go",)), "hand": Profile("large", trigger="manual")}
# Settings that are tables of named rows, and what `one` and `other` come to together.
ANCHORS = {"vault": "git@h:a.git", "disk": "/mnt/a"}
ROWS: dict[str, dict[str, Any]] = {
    "engine.models": MODELS,
    "providers": PROVIDERS,
    "completion.profiles": PROFILES,
    "audit.anchor": ANCHORS,
}
READER = f"x25519:{'A' * 43}="
# What is never one of a few words, and never a number from 1 to 100.
NO_WORD = (True, 1, "", "AUTO", "other", ["auto"], {"auto": True})
NO_NUMBER = (True, -1, 1.5, "7", [7], {"a": 1}, 10**30)
NO_DOLLARS = (True, -1, "7", [7], {"a": 1}, 10**30, "unlimitedly")
# Truth in the form of other types.
NO_TRUTH = (0, 1, "true", "false", [], {"a": 1})
# Written from the contract, not from the table under test.
CONTRACT = {
    "completion.enabled": Row("CT", True, True, False, NO_TRUTH, False),
    "completion.languages": Row(
        "CT",
        ("*",),
        ["python", "rust"],
        ["rust", "go"],
        ("python", [1], [""], ["a b"], ["x\n"], True, {"python": True}),
        ("rust",),
    ),
    "completion.trigger": Row("C", "auto", "manual", "auto", NO_WORD),
    "completion.debounce_ms": Row("C", "adaptive", 0, 250, ("auto", *NO_NUMBER)),
    "completion.lines": Row("C", "auto", "line", "block", NO_WORD),
    "completion.max_lines": Row("C", 10, 3, 40, (0, *NO_NUMBER)),
    "completion.least_chance": Row("C", 15, 30, 5, (100, -1, *NO_NUMBER)),
    "completion.model": Row("C", "", "qwen2.5-coder", "tiny:q8", (1, "a\nb", ["x"])),
    "completion.profiles": Row("C", {}, {"go": GO}, {"hand": HAND}, (1, "x", [GO], True)),
    "completion.context": Row("CT", "auto", True, False, NO_TRUTH, False),
    "completion.decoding": Row("C", "plain", "mixed", "drafted", NO_WORD),
    "completion.add_imports": Row("C", True, False, True, NO_TRUTH),
    "completion.exclude": Row(
        "CT",
        (),
        ["vendor/", "*.min.js"],
        ["secret/**"],
        ("a", ["!a/"], [1], [""], ["a"] * 201, ["a****b"], ["[z-a]"], ["\\"], ["!"]),
        ("vendor/", "*.min.js", "secret/**"),
    ),
    "engine.models": Row("S", {}, {"box": BOX}, {"mine": MINE}, (1, "x", [BOX], True)),
    "engine.fallback": Row("S", ("",), ["box", "mine"], [], ("box", [1], ["/m"], ["x\n"], True)),
    "engine.patience_ms": Row("S", 600, 50, 10_000, (49, *NO_NUMBER)),
    "engine.threads": Row("S", "auto", 4, 1, (0, *NO_NUMBER)),
    "engine.gpu_layers": Row("S", "auto", 0, 99, NO_NUMBER),
    "engine.memory_mb": Row("S", "auto", 64, 4096, (63, *NO_NUMBER)),
    "engine.idle_minutes": Row("S", 15, 1, 60, (0, *NO_NUMBER)),
    "models.endpoint": Row(
        "S",
        "https://huggingface.co",
        "https://hub.example",
        "http://127.0.0.1:8080",
        (1, "hub.example", "http://hub.example", "ftp://x", ["https://x"], True),
    ),
    "models.token_command": Row("S", (), ["pass", "hub"], ["other"], (1, True, {"a": 1}, "'")),
    "models.licences": Row("S", ALLOWED, ["MIT"], [], ("MIT", [1], [""], True)),
    "network.proxy": Row(
        "S", None, "http://proxy:3128", "https://proxy", ("proxy", 1, ["http://x"], True)
    ),
    "network.ca_file": Row(
        "S", None, "/etc/ca.pem", "/ca.pem", (1, "ca.pem", ["/a"], "/a\n", True)
    ),
    "providers": Row("S", {}, {"cloud": CLOUD}, {"home": HOME}, (1, "x", [CLOUD], True)),
    "gate.enabled": Row("ST", True, True, False, NO_TRUTH, False),
    "gate.idle_minutes": Row("S", 10, 1, 60, (0, *NO_NUMBER)),
    "routes": Row(
        "S",
        {},
        {"ask": ["frontier", "on-prem"]},
        {"explain": ["on-prem"]},
        (
            *(1, "x", {"asks": ["frontier"]}, {"ask": []}, {"ask": "frontier"}),
            *({"ask": ["cloud"]}, {"ask": ["on-prem"] * 2}, {"complete": ["frontier"]}),
        ),
    ),
    "budget.day_usd": Row("ST", "unlimited", 5, 2.5, NO_DOLLARS, 2.5),
    "budget.month_usd": Row("ST", "unlimited", 5.5, 0, NO_DOLLARS, 0),
    "budget.day_tokens": Row("ST", "unlimited", 500, 50, (*NO_NUMBER[:-1], 10**30), 50),
    "features.ask": Row("ST", True, True, False, NO_TRUTH, False),
    "features.edit": Row("ST", True, True, False, NO_TRUTH, False),
    "features.tools": Row("ST", True, True, False, NO_TRUTH, False),
    "audit.level": Row("S", "full", "metadata", "request", NO_WORD),
    "audit.recipients": Row("S", (), [READER], [], ("x25519:", [1], ["x25519:a"], True)),
    "audit.anchor": Row("S", {}, {"vault": "git@h:a.git"}, {"disk": "/mnt/a"}, (1, "/a", True)),
    "audit.anchor_minutes": Row("S", 5, 1, 60, (0, *NO_NUMBER)),
    "audit.refuse_after_unanchored_hours": Row("S", "never", 24, 1, (0, *NO_NUMBER)),
    "index.enabled": Row("CT", True, True, False, NO_TRUTH, False),
    "index.exclude": Row(
        "CT", (), ["vendor/"], ["old/**"], ("a", ["!a/"], [1]), ("vendor/", "old/**")
    ),
    "index.max_files": Row("CT", 100_000, 500, 50, (0, *NO_NUMBER[:-1], 10**30), 50),
    "index.max_file_kb": Row("CT", 1024, 100, 64, (0, *NO_NUMBER[:-1], 10**30), 64),
    "index.watch": Row("C", "auto", "poll", "off", NO_WORD),
    "editor.symbols": Row("C", False, True, False, NO_TRUTH),
    "redaction.rules": Row("S", (), ["/rules/a.toml"], [], ("a", [1], 1, True)),
    "redaction.hook": Row(
        "S",
        "",
        "command: /opt/decide --strict",
        "https://policy.example/wicket",
        ("x", "command:", "http://policy.example", "ftp://x", 1, True, ["command: x"], "a\n"),
    ),
    "redaction.hook_seconds": Row("S", 5, 1, 60, (0, 61, *NO_NUMBER)),
    "redaction.hook_bytes": Row("S", False, True, False, NO_TRUTH),
    "repository": Row("S", (), [{"path": "/clones/a"}], [], (1, "x", [{}], [1], ["a"], True)),
    "log.level": Row("C", "info", "debug", "error", NO_WORD),
    "stats.enabled": Row("CT", True, True, False, NO_TRUTH, False),
    "trusted": Row("C", True, True, False, NO_TRUTH),
}


def meant(key: str, written: Any) -> object:
    """A written value as the program gets it."""
    if key in ROWS:
        return {name: ROWS[key][name] for name in written}
    if key == "routes":
        return {kind: tuple(tiers) for kind, tiers in written.items()}
    if key == "network.ca_file":
        return Path(written)
    if key == "redaction.rules":
        return tuple(map(Path, written))
    if key == "repository":
        return tuple(Path(row["path"]) for row in written)
    return tuple(written) if isinstance(written, list) else written


def typed(effective: Effective, key: str) -> object:
    """A setting by way of the dataclasses, as the rest of the program asks."""
    found: object = effective.settings
    for part in key.split("."):
        found = getattr(found, part)
    return found


def check_sound(effective: Effective) -> None:
    """Every value passes its own check, and every warning is one line."""
    for key in TABLE:
        value = effective.values[key.name]
        if not key.rows:
            assert key.check(value) == value
        assert typed(effective, key.name) == value
    assert all(warning.isprintable() for warning in effective.warnings)
