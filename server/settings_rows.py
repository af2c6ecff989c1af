"""What a row of a table of settings may be: models, providers, profiles, routes; pure.

As in `settings_checks.py`, a check turns what a source says into the value, or raises Unfit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from ..completion.shelf import Profile, Trigger
from ..escalation import kinds
from .settings_checks import (
    Unfit,
    absolute,
    command_of,
    endpoint,
    file,
    is_loopback,
    is_plain,
    languages,
    one_of,
    plain,
    texts_of,
    words_of,
)

PROVIDER_KINDS = ("anthropic", "openai", "compatible", "azure", "bedrock", "vertex")
# What a kind needs besides.
NEEDED = {"bedrock": ("region",), "vertex": ("region", "project")}
TIERS = ("frontier", "on-prem")


@dataclass(frozen=True, slots=True)
class ModelSource:
    """A model under a name of the user's: a file, or an inference server.

    Exactly one of `path` (absolute) and `endpoint` (http, https or wicket+tls) is set;
    `token_command` is an argument list whose output is the server's token, `ca_file` the
    certificates to believe instead of those of `network.ca_file`.
    """

    path: Path | None = None
    endpoint: str | None = None
    token_command: tuple[str, ...] = ()
    ca_file: Path | None = None

    @property
    def elsewhere(self) -> bool:
        """Whether prompts for it leave this machine."""
        return bool(self.endpoint) and not is_loopback(urlsplit(self.endpoint or "").hostname or "")


@dataclass(frozen=True, slots=True)
class ProviderSource:
    """A provider of frontier or own models; fields as in `[providers.NAME]`.

    `key` says where its key is: keyring, file, `command: WORDS`, or None for whichever of
    the first two has it.  `prices` are micro-USD for a million tokens in, out, and in from
    the provider's cache.
    """

    kind: str
    base_url: str
    model: str
    tier: str
    region: str | None = None
    retention: str | None = None
    contract: str | None = None
    key: str | None = None
    prices: tuple[int, int, int] | None = None
    answers_as: str | None = None
    api_version: str | None = None
    project: str | None = None


def model_source(value: object) -> ModelSource:
    if not isinstance(value, Mapping):
        raise Unfit("must be a table with path or endpoint")
    row = cast(Mapping[str, object], value)
    known = {"path", "endpoint", "token_command", "ca_file"}
    if unknown := sorted(set(row) - known):
        raise Unfit(f"knows path, endpoint, token_command and ca_file, not {plain(unknown[0])}")
    if ("path" in row) == ("endpoint" in row):
        raise Unfit("must have either path or endpoint")
    token_command = words_of(row["token_command"]) if "token_command" in row else ()
    if "endpoint" in row:
        ca_file = file(row["ca_file"]) if "ca_file" in row else None
        return ModelSource(None, endpoint(row["endpoint"]), token_command, ca_file)
    path = row["path"]
    if not isinstance(path, str) or not path or not is_plain(path):
        raise Unfit("must have a path that is text")
    return ModelSource(absolute(path), None, token_command)


def provider_source(value: object) -> ProviderSource:
    if not isinstance(value, Mapping):
        raise Unfit("must be a table with kind, base_url and model")
    row = {str(k): v for k, v in cast(Mapping[str, object], value).items()}
    known = ProviderSource.__dataclass_fields__
    if unknown := sorted(set(row) - set(known)):
        raise Unfit(f"knows {', '.join(known)}, not {plain(unknown[0])}")
    prices = _prices(row.pop("prices")) if "prices" in row else None
    row = {"tier": "frontier"} | row
    texts = {name: text for name, text in row.items() if isinstance(text, str) and is_plain(text)}
    if texts.keys() != row.keys() or not {"kind", "base_url", "model"} <= texts.keys():
        raise Unfit("must have kind, base_url and model, all text")
    if texts["kind"] not in PROVIDER_KINDS or texts["tier"] not in TIERS:
        raise Unfit(f"knows the kinds {PROVIDER_KINDS} and the tiers {TIERS}")
    for name in NEEDED.get(texts["kind"], ()):
        if not texts.get(name):
            raise Unfit(f"must have a {name}, as its kind is {texts['kind']}")
    url = endpoint(texts["base_url"])
    at_home = texts["tier"] == "on-prem" and is_loopback(urlsplit(url).hostname or "")
    if not url.startswith("https://") and not at_home:
        raise Unfit("must be https; http is for an on-prem provider on this machine")
    if (key := texts.get("key")) and key not in ("keyring", "file"):
        command_of(key)
    return ProviderSource(**(texts | {"base_url": url}), prices=prices)


def profile(value: object) -> Profile:
    """Which model answers where; models go by name, as an editor may say this."""
    if not isinstance(value, Mapping):
        raise Unfit("must be a table with model, and languages or trigger")
    row = cast(Mapping[str, object], value)
    if unknown := sorted(set(row) - {"model", "languages", "trigger"}):
        raise Unfit(f"knows model, languages and trigger, not {plain(unknown[0])}")
    model = model_name(row.get("model"))
    if not model:
        raise Unfit("must have a model, by its name")
    named = languages(row.get("languages", ["*"]))
    trigger = one_of("any", "auto", "manual")(row.get("trigger", "any"))
    return Profile(model, () if "*" in named else named, cast(Trigger, trigger))


def routes(value: object) -> Mapping[str, tuple[kinds.Tier, ...]]:
    """Tiers by kind of task, the first that may get it wins."""
    if not isinstance(value, Mapping):
        raise Unfit("must be a table: KIND = [tiers]")
    found: dict[str, tuple[kinds.Tier, ...]] = {}
    for kind, said in cast(Mapping[str, object], value).items():
        if kind not in kinds.KINDS:
            raise Unfit(f"knows the kinds {', '.join(kinds.KINDS)}, not {plain(kind)}")
        names = texts_of(said) or ()
        tiers: list[kinds.Tier] = [name for name in names if name in kinds.TIERS]
        if not tiers or len(set(tiers)) != len(names):
            raise Unfit(f"must have for {kind} a list of {', '.join(kinds.TIERS)}, each once")
        found[kind] = tuple(tiers)
    return found


def repositories(value: object) -> tuple[Path, ...]:
    """The folders that `[[repository]]` rows name, each once."""
    rows = cast(Sequence[object], value) if isinstance(value, list | tuple) else None
    if rows is None or len(rows) > 100:
        raise Unfit("must be at most 100 tables, each [[repository]] with a path")
    found: list[Path] = []
    for row in rows:
        path = cast(Mapping[str, object], row).get("path") if isinstance(row, Mapping) else row
        if not isinstance(path, str | Path) or not is_plain(str(path)) or not str(path):
            raise Unfit("must be at most 100 tables, each [[repository]] with a path")
        found.append(absolute(str(path)))
    return tuple(dict.fromkeys(found))


def model_choice(value: object) -> str:
    """A name, an absolute path, or nothing for the model that ships with Wicket."""
    if not isinstance(value, str) or not is_plain(value):
        raise Unfit("must be a model's name or the absolute path of a .gguf file")
    return str(absolute(value)) if is_path(value) else value


def model_name(value: object) -> str:
    """What an editor may say, which hands on the settings of any folder it opened."""
    if isinstance(value, str) and is_path(value):
        raise Unfit("must be a name here: a path counts only in your own wicket.toml")
    return model_choice(value)


def model_names(value: object) -> tuple[str, ...]:
    """Names of models, the best first; an empty one is the model that ships."""
    names = cast(Sequence[object], value) if isinstance(value, list | tuple) else None
    if names is None or len(names) > 8:
        raise Unfit("must be a list of at most 8 names of models")
    return tuple(dict.fromkeys(model_name(name) for name in names))


def row_name(name: str) -> str:
    """A name of the user's own; one that reads as a path could never be chosen."""
    if not name or is_path(name) or not is_plain(name):
        raise Unfit("must have a name, not a path")
    return name


def is_path(model: str) -> bool:
    """Whether a choice of model names a file; all else is a name to be looked up."""
    return "/" in model or "\\" in model or model.startswith(("~", "."))


def _prices(value: object) -> tuple[int, int, int]:
    row = dict(cast(Mapping[str, object], value)) if isinstance(value, Mapping) else {}
    row = {"cached": row.get("input")} | row
    prices = [row.get(name) for name in ("input", "output", "cached")]
    dollars = [p for p in prices if isinstance(p, int | float) and not isinstance(p, bool)]
    if len(row) != 3 or len(dollars) != 3 or not all(0 <= p < 1e6 for p in dollars):
        raise Unfit("must have prices = {input, output, cached}, US dollars for a million tokens")
    into, out, cached = (round(p * 1_000_000) for p in dollars)
    return into, out, cached
