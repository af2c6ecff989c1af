"""What a setting's value may be, and which of two values is the stricter one; pure.

A check turns what a source says into the value, or raises Unfit.  What a source says is
what TOML and JSON can express, from files and editors that may be hostile.
"""

import ipaddress
import math
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import pathspec

from ..completion.shelf import Profile, Trigger

Check = Callable[[object], object]

# 32 bytes in base64.
RECIPIENT = re.compile(r"x25519:[A-Za-z0-9+/]{43}=")


class Unfit(ValueError):
    """Not a value of this setting; the message goes on after the setting's name."""


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
        return bool(self.endpoint) and not _is_loopback(
            urlsplit(self.endpoint or "").hostname or ""
        )


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


def truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise Unfit("must be true or false")
    return value


def truth_or(word: str) -> Check:
    """true, false, or `word`, which leaves it open."""

    def check(value: object) -> bool | str:
        if value == word:
            return word
        if not isinstance(value, bool):
            raise Unfit(f"must be true, false or {word}")
        return value

    return check


def one_of(*words: str) -> Check:
    def check(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise Unfit(f"must be one of {', '.join(words)}")
        return value

    return check


def whole(least: int, most: int, word: str | None = None) -> Check:
    """A whole number from `least` to `most`, or `word` where one is given."""

    def check(value: object) -> int | str:
        if word is not None and value == word:
            return word
        # JSON has one kind of number, so that an editor may send 3.0.
        if isinstance(value, float) and math.isfinite(value) and value.is_integer():
            value = int(value)
        # Not isinstance: in Python true is a number, in settings it is a mistake.
        if type(value) is int and least <= value <= most:
            return value
        also = f' or "{word}"' if word else ""
        raise Unfit(f"must be a whole number from {least} to {most}{also}")

    return check


def languages(value: object) -> tuple[str, ...]:
    """LSP language identifiers without repeats, or `*` alone for every language."""
    names = _texts(value)
    if names is None or not all(re.fullmatch(r"\*|[\w.+#-]{1,64}", n) for n in names):
        raise Unfit('must be a list of LSP language identifiers, or ["*"] for all')
    return ("*",) if "*" in names else tuple(dict.fromkeys(names))


def globs(value: object) -> tuple[str, ...]:
    """Patterns as in .gitignore, such that more of them never exclude less.

    They become backtracking expressions, and a repository chooses both the patterns and
    the paths: five stars in one name were measured to take 18 seconds on a path of 200
    characters, three take 12 milliseconds.
    """
    patterns = _texts(value)
    if patterns is None or len(patterns) > 200:
        raise Unfit("must be a list of at most 200 path patterns")
    for pattern in patterns:
        segments = pattern.split("/")
        if pattern.startswith("!"):
            raise Unfit("must not hold a pattern that starts with !: it includes again")
        if len(pattern) > 200 or segments.count("**") > 3:
            raise Unfit("must hold patterns of at most 200 characters and three **")
        if any(segment.count("*") > 3 for segment in segments):
            raise Unfit("must hold patterns with at most three * between slashes")
        try:
            pathspec.PathSpec.from_lines("gitignore", [pattern])
        except (ValueError, re.error):
            raise Unfit("holds a pattern that .gitignore does not know") from None
    return tuple(dict.fromkeys(patterns))


def is_path(model: str) -> bool:
    """Whether a choice of model names a file; all else is a name to be looked up."""
    return "/" in model or "\\" in model or model.startswith(("~", "."))


def model_choice(value: object) -> str:
    """A name, an absolute path, or nothing for the model that ships with Wicket."""
    if not isinstance(value, str) or not _is_plain(value):
        raise Unfit("must be a model's name or the absolute path of a .gguf file")
    return str(_absolute(value)) if is_path(value) else value


def model_name(value: object) -> str:
    """What an editor may say, which hands on the settings of any folder it opened."""
    if isinstance(value, str) and is_path(value):
        raise Unfit("must be a name here: a path counts only in your own wicket.toml")
    return model_choice(value)


def row_name(name: str) -> str:
    """A name of the user's own; one that reads as a path could never be chosen."""
    if not name or is_path(name) or not _is_plain(name):
        raise Unfit("must have a name, not a path")
    return name


def model_source(value: object) -> ModelSource:
    if not isinstance(value, Mapping):
        raise Unfit("must be a table with path or endpoint")
    row = cast(Mapping[str, object], value)
    known = {"path", "endpoint", "token_command", "ca_file"}
    if unknown := sorted(set(row) - known):
        raise Unfit(f"knows path, endpoint, token_command and ca_file, not {plain(unknown[0])}")
    if ("path" in row) == ("endpoint" in row):
        raise Unfit("must have either path or endpoint")
    token_command = _command(row["token_command"]) if "token_command" in row else ()
    if "endpoint" in row:
        ca_file = file(row["ca_file"]) if "ca_file" in row else None
        return ModelSource(None, _endpoint(row["endpoint"]), token_command, ca_file)
    path = row["path"]
    if not isinstance(path, str) or not path or not _is_plain(path):
        raise Unfit("must have a path that is text")
    return ModelSource(_absolute(path), None, token_command)


def file(value: object) -> Path | None:
    """The absolute path of a file, or nothing for none."""
    text = "" if value is None else str(value) if isinstance(value, Path) else value
    if not isinstance(text, str) or not _is_plain(text):
        raise Unfit("must be the absolute path of a file")
    return _absolute(text) if text else None


def texts(value: object) -> tuple[str, ...]:
    found = _texts(value)
    if found is None or len(found) > 100:
        raise Unfit("must be a list of at most 100 texts")
    return tuple(dict.fromkeys(found))


def hub(value: object) -> str:
    """Where files are fetched from: https, or http on this machine."""
    url = _endpoint(value)
    parts = urlsplit(url)
    if parts.scheme != "https" and not (
        parts.scheme == "http" and _is_loopback(parts.hostname or "")
    ):
        raise Unfit("must be an address like https://hub.example")
    return url


def proxy(value: object) -> str | None:
    if value in (None, ""):
        return None
    url = _endpoint(value)
    if urlsplit(url).scheme not in ("http", "https"):
        raise Unfit("must be an address like http://proxy.example:3128")
    return url


def argv(value: object) -> tuple[str, ...]:
    """A command; an empty list is none."""
    return () if value in ([], (), "") else _command(value)


def model_names(value: object) -> tuple[str, ...]:
    """Names of models, the best first; an empty one is the model that ships."""
    names = cast(Sequence[object], value) if isinstance(value, list | tuple) else None
    if names is None or len(names) > 8:
        raise Unfit("must be a list of at most 8 names of models")
    return tuple(dict.fromkeys(model_name(name) for name in names))


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


PROVIDER_KINDS = ("anthropic", "openai", "compatible", "azure", "bedrock", "vertex")
# What a kind needs besides.
NEEDED = {"bedrock": ("region",), "vertex": ("region", "project")}
TIERS = ("frontier", "on-prem")


def provider_source(value: object) -> ProviderSource:
    if not isinstance(value, Mapping):
        raise Unfit("must be a table with kind, base_url and model")
    row = {str(k): v for k, v in cast(Mapping[str, object], value).items()}
    known = ProviderSource.__dataclass_fields__
    if unknown := sorted(set(row) - set(known)):
        raise Unfit(f"knows {', '.join(known)}, not {plain(unknown[0])}")
    prices = _prices(row.pop("prices")) if "prices" in row else None
    row = {"tier": "frontier"} | row
    texts = {name: text for name, text in row.items() if isinstance(text, str) and _is_plain(text)}
    if texts.keys() != row.keys() or not {"kind", "base_url", "model"} <= texts.keys():
        raise Unfit("must have kind, base_url and model, all text")
    if texts["kind"] not in PROVIDER_KINDS or texts["tier"] not in TIERS:
        raise Unfit(f"knows the kinds {PROVIDER_KINDS} and the tiers {TIERS}")
    for name in NEEDED.get(texts["kind"], ()):
        if not texts.get(name):
            raise Unfit(f"must have a {name}, as its kind is {texts['kind']}")
    url = _endpoint(texts["base_url"])
    at_home = texts["tier"] == "on-prem" and _is_loopback(urlsplit(url).hostname or "")
    if not url.startswith("https://") and not at_home:
        raise Unfit("must be https; http is for an on-prem provider on this machine")
    if (key := texts.get("key")) and key not in ("keyring", "file"):
        command_of(key)
    return ProviderSource(**(texts | {"base_url": url}), prices=prices)


def command_of(key: str) -> tuple[str, ...]:
    """The words of `command: WORDS`.  Raises Unfit."""
    kind, _, words = key.partition(":")
    if kind != "command" or not words.strip():
        raise Unfit("must have a key that is keyring, file or command: WORDS")
    return _command(words)


def _prices(value: object) -> tuple[int, int, int]:
    row = dict(cast(Mapping[str, object], value)) if isinstance(value, Mapping) else {}
    row = {"cached": row.get("input")} | row
    prices = [row.get(name) for name in ("input", "output", "cached")]
    dollars = [p for p in prices if isinstance(p, int | float) and not isinstance(p, bool)]
    if len(row) != 3 or len(dollars) != 3 or not all(0 <= p < 1e6 for p in dollars):
        raise Unfit("must have prices = {input, output, cached}, US dollars for a million tokens")
    into, out, cached = (round(p * 1_000_000) for p in dollars)
    return into, out, cached


def anchor_place(value: object) -> str:
    """A directory or what git takes for a remote; nothing that a program reads as an option."""
    if not isinstance(value, str) or not _is_plain(value) or value.startswith("-"):
        raise Unfit("must be a directory or a git repository")
    if not Path(value).is_absolute() and ":" not in value:
        raise Unfit("must be an absolute path or a git URL")
    return value


def recipients(value: object) -> tuple[str, ...]:
    texts = _texts(value)
    if texts is None or not all(RECIPIENT.fullmatch(text) for text in texts):
        raise Unfit('must be a list of public keys like "x25519:BASE64"')
    return tuple(texts)


def files(value: object) -> tuple[Path, ...]:
    texts = _texts(value)
    if texts is None or len(texts) > 100:
        raise Unfit("must be a list of at most 100 files")
    return tuple(_absolute(text) for text in texts)


def repositories(value: object) -> tuple[Path, ...]:
    """The folders that `[[repository]]` rows name, each once."""
    rows = cast(Sequence[object], value) if isinstance(value, list | tuple) else None
    if rows is None or len(rows) > 100:
        raise Unfit("must be at most 100 tables, each [[repository]] with a path")
    found: list[Path] = []
    for row in rows:
        path = cast(Mapping[str, object], row).get("path") if isinstance(row, Mapping) else row
        if not isinstance(path, str | Path) or not _is_plain(str(path)) or not str(path):
            raise Unfit("must be at most 100 tables, each [[repository]] with a path")
        found.append(_absolute(str(path)))
    return tuple(dict.fromkeys(found))


def both(first: bool, second: bool) -> bool:
    return first and second


def least_true(first: bool | str, second: bool | str) -> bool | str:
    """No before a word that leaves it open, and that before yes."""
    return min(first, second, key=lambda said: (False, "auto", True).index(said))


def least(first: int, second: int) -> int:
    return min(first, second)


def in_both(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    """The languages of both lists; there may be none left."""
    if "*" in first:
        return second
    return first if "*" in second else tuple(n for n in first if n in second)


def in_either(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def plain(text: str, longest: int = 200) -> str:
    """Foreign text as part of one line: printable, without tricks, not too long."""
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:longest])
    return shown if len(text) <= longest else f"{shown}..."


def _texts(value: object) -> Sequence[str] | None:
    """A list of printable, non-empty texts, or None."""
    if not isinstance(value, list | tuple):
        return None
    items = cast(Sequence[object], value)
    texts = [i for i in items if isinstance(i, str) and i and _is_plain(i)]
    return texts if len(texts) == len(items) else None


def _is_plain(text: str) -> bool:
    return text.isprintable() and len(text) <= 4096


def _absolute(text: str) -> Path:
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise Unfit("starts with the home directory of an unknown user") from None
    if not path.is_absolute():
        raise Unfit("must be an absolute path, or start with ~/")
    return path


def _endpoint(value: object) -> str:
    wanted = "must have an endpoint like http://127.0.0.1:8080, no password in it"
    door = "must have an endpoint like wicket+tls://box:7411, with its port and no path"
    if not isinstance(value, str) or not _is_plain(value) or " " in value:
        raise Unfit(wanted)
    try:
        url = urlsplit(value)
        sound = url.hostname and url.port != 0 and "@" not in url.netloc
    except ValueError:
        raise Unfit(wanted) from None
    if url.scheme == "wicket+tls" and not (url.port and url.path in ("", "/")):
        raise Unfit(door)
    if url.scheme not in {"http", "https", "wicket+tls"} or not sound or url.query or url.fragment:
        raise Unfit(wanted)
    return value.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _command(value: object) -> tuple[str, ...]:
    """An argument list, or one text that is split as a shell would, without a shell."""
    try:
        parts = shlex.split(value) if isinstance(value, str) else _texts(value)
    except ValueError:
        parts = None
    if not parts:
        raise Unfit("must have a token_command: one line, or a list of arguments")
    return tuple(parts)
