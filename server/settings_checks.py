"""What a setting's value may be; pure.

A check turns what a source says into the value, or raises Unfit.  What a source says is
what TOML and JSON can express, from files and editors that may be hostile.
"""

import ipaddress
import math
import re
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import pathspec

Check = Callable[[object], object]

UNLIMITED = "unlimited"
# 32 bytes in base64.
RECIPIENT = re.compile(r"x25519:[A-Za-z0-9+/]{43}=")


class Unfit(ValueError):
    """Not a value of this setting; the message goes on after the setting's name."""


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
    names = texts_of(value)
    if names is None or not all(re.fullmatch(r"\*|[\w.+#-]{1,64}", n) for n in names):
        raise Unfit('must be a list of LSP language identifiers, or ["*"] for all')
    return ("*",) if "*" in names else tuple(dict.fromkeys(names))


def globs(value: object) -> tuple[str, ...]:
    """Patterns as in .gitignore, such that more of them never exclude less.

    They become backtracking expressions, and a repository chooses both the patterns and
    the paths: five stars in one name were measured to take 18 seconds on a path of 200
    characters, three take 12 milliseconds.
    """
    patterns = texts_of(value)
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


def file(value: object) -> Path | None:
    """The absolute path of a file, or nothing for none."""
    text = "" if value is None else str(value) if isinstance(value, Path) else value
    if not isinstance(text, str) or not is_plain(text):
        raise Unfit("must be the absolute path of a file")
    return absolute(text) if text else None


def texts(value: object) -> tuple[str, ...]:
    found = texts_of(value)
    if found is None or len(found) > 100:
        raise Unfit("must be a list of at most 100 texts")
    return tuple(dict.fromkeys(found))


def hub(value: object) -> str:
    """Where files are fetched from: https, or http on this machine."""
    url = endpoint(value)
    parts = urlsplit(url)
    if parts.scheme != "https" and not (
        parts.scheme == "http" and is_loopback(parts.hostname or "")
    ):
        raise Unfit("must be an address like https://hub.example")
    return url


def proxy(value: object) -> str | None:
    if value in (None, ""):
        return None
    url = endpoint(value)
    if urlsplit(url).scheme not in ("http", "https"):
        raise Unfit("must be an address like http://proxy.example:3128")
    return url


def argv(value: object) -> tuple[str, ...]:
    """A command; an empty list is none."""
    return () if value in ([], (), "") else words_of(value)


def dollars(value: object) -> float | str:
    """US dollars, or no limit."""
    if value == UNLIMITED:
        return UNLIMITED
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1e6:
        raise Unfit(f'must be US dollars from 0 to 1000000, or "{UNLIMITED}"')
    return value


def decision_hook(value: object) -> str:
    """`command: WORDS`, or an address, https unless it is on this machine; empty for none."""
    if not isinstance(value, str) or not is_plain(value):
        raise Unfit("must be command: WORDS or an address like https://policy.example/wicket")
    if not value:
        return value
    if value.startswith("command:"):
        command_of(value)
        return value
    return hub(value)


def command_of(key: str) -> tuple[str, ...]:
    """The words of `command: WORDS`.  Raises Unfit."""
    kind, _, words = key.partition(":")
    if kind != "command" or not words.strip():
        raise Unfit("must have a key that is keyring, file or command: WORDS")
    return words_of(words)


def anchor_place(value: object) -> str:
    """A directory or what git takes for a remote; nothing that a program reads as an option."""
    if not isinstance(value, str) or not is_plain(value) or value.startswith("-"):
        raise Unfit("must be a directory or a git repository")
    if not Path(value).is_absolute() and ":" not in value:
        raise Unfit("must be an absolute path or a git URL")
    return value


def recipients(value: object) -> tuple[str, ...]:
    texts = texts_of(value)
    if texts is None or not all(RECIPIENT.fullmatch(text) for text in texts):
        raise Unfit('must be a list of public keys like "x25519:BASE64"')
    return tuple(texts)


def files(value: object) -> tuple[Path, ...]:
    texts = texts_of(value)
    if texts is None or len(texts) > 100:
        raise Unfit("must be a list of at most 100 files")
    return tuple(absolute(text) for text in texts)


def plain(text: str, longest: int = 200) -> str:
    """Foreign text as part of one line: printable, without tricks, not too long."""
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:longest])
    return shown if len(text) <= longest else f"{shown}..."


def texts_of(value: object) -> Sequence[str] | None:
    """A list of printable, non-empty texts, or None."""
    if not isinstance(value, list | tuple):
        return None
    items = cast(Sequence[object], value)
    texts = [i for i in items if isinstance(i, str) and i and is_plain(i)]
    return texts if len(texts) == len(items) else None


def is_plain(text: str) -> bool:
    return text.isprintable() and len(text) <= 4096


def absolute(text: str) -> Path:
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise Unfit("starts with the home directory of an unknown user") from None
    if not path.is_absolute():
        raise Unfit("must be an absolute path, or start with ~/")
    return path


def endpoint(value: object) -> str:
    wanted = "must have an endpoint like http://127.0.0.1:8080, no password in it"
    door = "must have an endpoint like wicket+tls://box:7411, with its port and no path"
    if not isinstance(value, str) or not is_plain(value) or " " in value:
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


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def words_of(value: object) -> tuple[str, ...]:
    """An argument list, or one text that is split as a shell would, without a shell."""
    try:
        parts = shlex.split(value) if isinstance(value, str) else texts_of(value)
    except ValueError:
        parts = None
    if not parts:
        raise Unfit("must have a token_command: one line, or a list of arguments")
    return tuple(parts)
