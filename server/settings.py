"""The settings in force: who is heard about what, and where each value comes from.

For each setting, the first of these that says something:

1. the managed file, for what it locks (locked and not set: the default);
2. the user's file;
3. the editor, for comfort settings;
4. the managed file, for what it does not lock;
5. the default.

Then those are heard who may only tighten: the editor about `trusted`, and
`.wicket.toml` of each open folder.  The stricter value wins, even over a locked one.
What a policy lets nobody see is added to `completion.exclude`, whoever said what.
Of a table of named rows, the user's join the managed ones.  Environment variables set
nothing.

Nothing here raises.  What is unknown, of the wrong type, not allowed where it stands or
not readable is one line in `warnings` and counts as not said.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, cast

from ..completion.shelf import Profile, model_for
from ..completion.wire import Decoding, Priority
from ..escalation.kinds import Tier
from ..escalation.policy import Policy, Verdict, globs
from . import policies
from .paths import InsideWorkspace, Paths, refuse_inside
from .settings_checks import plain
from .settings_file import Forbidden, Unreadable, read, shown
from .settings_rows import ModelSource, ProviderSource
from .settings_sources import Said, Source, Values, locks, said
from .settings_table import KEYS, TABLE

Origin = Literal["default", "policy"] | Source

REPOSITORY_FILE = ".wicket.toml"
NOTHING_ALLOWED: Values = {"completion": {"enabled": False}}


@dataclass(frozen=True, slots=True)
class CompletionSettings:
    enabled: bool
    languages: tuple[str, ...]
    trigger: Literal["auto", "manual"]
    debounce_ms: int | Literal["adaptive"]
    lines: Literal["auto", "line", "block"]
    max_lines: int
    least_chance: int
    model: str
    profiles: Mapping[str, Profile]
    context: bool | Literal["auto"]
    decoding: Decoding
    add_imports: bool
    exclude: tuple[str, ...]

    def model_for(self, language: str, priority: Priority) -> str:
        """The model that answers, by its name; empty is the one that ships."""
        found = model_for(tuple(self.profiles.values()), language, priority)
        return found or self.model

    def speaks(self, language: str) -> bool:
        """Whether documents in `language` may have completions."""
        return "*" in self.languages or language in self.languages


@dataclass(frozen=True, slots=True)
class EngineSettings:
    models: Mapping[str, ModelSource]
    fallback: tuple[str, ...]
    patience_ms: int
    threads: int | Literal["auto"]
    gpu_layers: int | Literal["auto"]
    memory_mb: int | Literal["auto"]
    idle_minutes: int


@dataclass(frozen=True, slots=True)
class ModelsSettings:
    endpoint: str
    token_command: tuple[str, ...]
    licences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    proxy: str | None
    ca_file: Path | None


@dataclass(frozen=True, slots=True)
class GateSettings:
    enabled: bool
    idle_minutes: int


@dataclass(frozen=True, slots=True)
class BudgetSettings:
    day_usd: float | Literal["unlimited"]
    month_usd: float | Literal["unlimited"]
    day_tokens: int | Literal["unlimited"]


@dataclass(frozen=True, slots=True)
class FeaturesSettings:
    ask: bool
    edit: bool
    tools: bool


@dataclass(frozen=True, slots=True)
class AuditSettings:
    level: Literal["metadata", "request", "full"]
    recipients: tuple[str, ...]
    anchor: Mapping[str, str]
    anchor_minutes: int
    refuse_after_unanchored_hours: int | Literal["never"]


@dataclass(frozen=True, slots=True)
class RedactionSettings:
    rules: tuple[Path, ...]
    hook: str
    hook_seconds: int
    hook_bytes: bool


@dataclass(frozen=True, slots=True)
class IndexSettings:
    enabled: bool
    exclude: tuple[str, ...]
    max_files: int
    max_file_kb: int
    watch: Literal["auto", "poll", "off"]


@dataclass(frozen=True, slots=True)
class LogSettings:
    level: Literal["error", "warning", "info", "debug"]


@dataclass(frozen=True, slots=True)
class EditorSettings:
    symbols: bool


@dataclass(frozen=True, slots=True)
class StatsSettings:
    enabled: bool


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting that something reads; what it means: `settings_table.py`."""

    trusted: bool
    completion: CompletionSettings
    engine: EngineSettings
    models: ModelsSettings
    network: NetworkSettings
    providers: Mapping[str, ProviderSource]
    gate: GateSettings
    routes: Mapping[str, tuple[Tier, ...]]
    budget: BudgetSettings
    features: FeaturesSettings
    audit: AuditSettings
    index: IndexSettings
    editor: EditorSettings
    redaction: RedactionSettings
    repository: tuple[Path, ...]
    log: LogSettings
    stats: StatsSettings


@dataclass(frozen=True, slots=True)
class Heard:
    """Values by dotted name, their origins, what the repositories ask for, and the
    policies that bind."""

    values: Values
    origin: Mapping[str, Origin]
    repositories: Mapping[Path, Values]
    policies: tuple[Policy, ...]


@dataclass(frozen=True, slots=True)
class Effective:
    """The settings in force.

    `values` and `origin` go by dotted names; `settings` is made of `values`.  `heard`
    is what there was before any repository tightened it.  Each warning is one line.
    """

    settings: Settings
    values: Values
    origin: Mapping[str, Origin]
    locked: frozenset[str]
    warnings: tuple[str, ...]
    heard: Heard


def load(paths: Paths, editor: Mapping[str, Any] | None, folders: Sequence[Path]) -> Effective:
    """Everything that the files and the editor say.

    `editor` is initializationOptions or the answer to workspace/configuration: dotted
    names, nested or flat.  The result is tightened by all `folders` at once, the safe
    answer where no file is meant in particular; for a file there is `for_folder`.
    """
    warnings: list[str] = []

    def heard_from(tables: Values, source: Source, where: str) -> Values:
        one: Said = said(tables, source, where)
        warnings.extend(one.warnings)
        return one.values

    where = shown(paths.managed_settings)
    tables = _tables(paths.managed_settings, warnings, owner=paths.administrator)
    locked, faults = locks(tables.pop("locked", None), where)
    warnings.extend(faults)
    managed = heard_from(tables, "managed", where)

    where = shown(paths.user_settings)
    user = heard_from(_user_tables(paths, folders, warnings), "user", where)
    for name in sorted(locked & set(user)):
        warnings.append(f"{where}: {name} is locked by the administrator (ignored)")

    if editor is not None and not isinstance(editor, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        warnings.append("the editor: settings must be an object (ignored)")
        editor = None
    by_editor = heard_from(editor or {}, "editor", "the editor")
    tightening = {n: v for n, v in by_editor.items() if KEYS[n].editor_tightens}

    values: dict[str, object] = {key.name: key.default for key in TABLE}
    origin: dict[str, Origin] = dict.fromkeys(values, "default")
    _set(values, origin, "managed", managed)
    _set(values, origin, "editor", _without(by_editor, locked | set(tightening)))
    _set(values, origin, "user", _without(user, locked))
    _tighten(values, origin, "editor", tightening)

    repositories: dict[Path, Values] = {}
    for folder in folders:
        file = folder / REPOSITORY_FILE
        tables = _repository_tables(file, warnings)
        repositories[folder] = heard_from(tables, "repository", shown(file))
    binding = policies.load(paths, folders)
    warnings.extend(binding.faults)
    heard = Heard(values, origin, repositories, binding.binding)
    return _effective(heard, repositories.values(), locked, tuple(warnings))


def for_folder(effective: Effective, place: Path) -> Effective:
    """The settings for a folder or a file: tightened by the open folders it lies in.

    Lying in a folder goes by the name and by where symbolic links lead; one of them is
    enough.  Outside every open folder no repository is heard.
    """
    seen = _both_names(place)
    around = (
        values
        for folder, values in effective.heard.repositories.items()
        if any(a.is_relative_to(b) for a in seen for b in _both_names(folder))
    )
    return _effective(effective.heard, around, effective.locked, effective.warnings)


def report(effective: Effective) -> list[dict[str, object]]:
    """Every setting with value, source, locked and meaning, ready for JSON."""
    return [
        {
            "key": key.name,
            "value": _plain_data(effective.values[key.name]),
            "source": effective.origin[key.name],
            "locked": key.name in effective.locked,
            "meaning": key.meaning,
        }
        for key in TABLE
    ]


def _effective(
    heard: Heard,
    repositories: Iterable[Values],
    locked: frozenset[str],
    warnings: tuple[str, ...],
) -> Effective:
    values, origin = dict(heard.values), dict(heard.origin)
    for asked in repositories:
        _tighten(values, origin, "repository", asked)
    # A prompt is made of several files, and any model of the settings may get it: where one
    # of them is elsewhere, files that stay on this machine are in no prompt at all.
    models = cast(Mapping[str, ModelSource], values["engine.models"]).values()
    kept: tuple[Verdict, ...] = ("never",)
    if any(model.elsewhere for model in models):
        kept = ("never", "this-machine")
    if hidden := globs(heard.policies, *kept):
        exclude = cast(tuple[str, ...], values["completion.exclude"])
        # A policy may let files in again that it forbids by default: the last pattern that
        # matches counts.  No setting can: so the settings' patterns stand behind.
        values["completion.exclude"] = (*hidden, *exclude)
        origin["completion.exclude"] = "policy"
    return Effective(_settings(values), values, origin, locked, warnings, heard)


def _set(values: dict[str, object], origin: dict[str, Origin], source: Source, new: Values) -> None:
    for name, value in new.items():
        if KEYS[name].rows:
            rows = cast(Mapping[str, object], value)
            value = {**cast(Mapping[str, object], values[name]), **rows}
        values[name], origin[name] = value, source


def _tighten(
    values: dict[str, object], origin: dict[str, Origin], source: Source, asked: Values
) -> None:
    for name, value in asked.items():
        tighter = KEYS[name].tighter
        assert tighter, f"{name} says T without saying what is tighter"
        result = tighter(values[name], value)
        if result != values[name]:
            values[name], origin[name] = result, source


def _settings(values: Mapping[str, Any]) -> Settings:
    def fields(table: str) -> dict[str, Any]:
        start = f"{table}."
        return {n[len(start) :]: v for n, v in values.items() if n.startswith(start)}

    return Settings(
        trusted=values["trusted"],
        completion=CompletionSettings(**fields("completion")),
        engine=EngineSettings(**fields("engine")),
        models=ModelsSettings(**fields("models")),
        network=NetworkSettings(**fields("network")),
        providers=values["providers"],
        gate=GateSettings(**fields("gate")),
        routes=values["routes"],
        budget=BudgetSettings(**fields("budget")),
        features=FeaturesSettings(**fields("features")),
        audit=AuditSettings(**fields("audit")),
        index=IndexSettings(**fields("index")),
        editor=EditorSettings(**fields("editor")),
        redaction=RedactionSettings(**fields("redaction")),
        repository=values["repository"],
        log=LogSettings(**fields("log")),
        stats=StatsSettings(**fields("stats")),
    )


def _tables(path: Path, warnings: list[str], owner: int | None = None) -> dict[str, object]:
    try:
        return read(path, owner)
    except Unreadable as error:
        warnings.append(str(error))
        return {}


def _repository_tables(path: Path, warnings: list[str]) -> Values:
    try:
        return read(path)
    except Forbidden:
        # What it asks for is unknown: an editor opened the folder after our limits were
        # set, or somebody closed the file to us.
        why = "it may not be read, so completion is off there; restart the language server"
        warnings.append(f"{shown(path)}: {why}")
        return NOTHING_ALLOWED
    except Unreadable as error:
        warnings.append(str(error))
        return {}


def _user_tables(paths: Paths, folders: Sequence[Path], warnings: list[str]) -> dict[str, object]:
    try:
        # The home directory, opened as a folder, is the user's own and no repository of
        # somebody else's.
        own = (paths.home, *paths.home.parents)
        refuse_inside(paths.user_settings, [f for f in folders if f not in own])
    except InsideWorkspace as error:
        warnings.append(f"{plain(str(error), 4096)}; its settings are ignored")
        return {}
    return _tables(paths.user_settings, warnings)


def _without(values: Values, names: Iterable[str]) -> Values:
    left_out = set(names)
    return {name: value for name, value in values.items() if name not in left_out}


def _both_names(place: Path) -> tuple[Path, ...]:
    named = Path(os.path.abspath(place))
    try:
        return (named, Path(os.path.realpath(place)))
    except ValueError:  # A name that no file can have.
        return (named,)


def _plain_data(value: object) -> object:
    match value:
        case ModelSource() | ProviderSource() | Profile():
            fields = asdict(value).items()
            return {name: _plain_data(field) for name, field in fields if field}
        case Path():
            return str(value)
        case tuple():
            return [_plain_data(item) for item in cast(tuple[object, ...], value)]
        case Mapping():
            rows = cast(Mapping[str, object], value)
            return {name: _plain_data(row) for name, row in rows.items()}
        case _:
            return value
