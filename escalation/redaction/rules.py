"""The rule pack: rows of data, each with where its format is written down."""

# RE2 has no type stubs.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false

import hashlib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal, Protocol, cast, get_args

import re2

from . import checks

Class = Literal["secret", "personal", "organisation", "invisible"]


class BadRules(ValueError):
    """A rule file that cannot be used; the message is one line."""


class Match(Protocol):
    def span(self, group: int, /) -> tuple[int, int]: ...


class Pattern(Protocol):
    groups: int

    def finditer(self, text: bytes, /) -> Sequence[Match]: ...


@dataclass(frozen=True, slots=True)
class Rule:
    """`pattern` is looked for where one of `keywords` (lower case) occurs; its first group,
    else all of it, is masked if `check` holds for it.

    `source` names the document that defines the format; `examples` are found by it.
    """

    id: str
    kind: Class
    pattern: Pattern
    keywords: tuple[bytes, ...]
    check: Callable[[str], bool]
    source: str
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pack:
    """Rules, the organisation's own words, and the digest of the files they stand in."""

    rules: tuple[Rule, ...]
    words: tuple[str, ...]
    sha256: str


@cache
def shipped() -> Pack:
    """The pack of this release."""
    return read(resources.files(__name__.rpartition(".")[0]).joinpath("rules.toml").read_bytes())


def read(content: bytes) -> Pack:
    """The pack in a TOML file: `[[rule]]` rows and `words = [...]`.  Raises BadRules."""
    try:
        said = tomllib.loads(content.decode())
    except ValueError as error:
        raise BadRules(f"the rules are no TOML: {error}") from None
    if unknown := said.keys() - {"rule", "words"}:
        raise BadRules(f"unknown key {min(unknown)} in the rules")
    words = _texts(said, "words", "the rules")
    if short := [word for word in words if len(word) < SHORTEST_WORD]:
        raise BadRules(f"the word {short[0]!r} is too short: it would match everywhere")
    rows = cast(list[object], said.get("rule", []))
    if not isinstance(said.get("rule", []), list):
        raise BadRules("rule must be a list of tables")
    return Pack(tuple(map(_rule, rows)), words, hashlib.sha256(content).hexdigest())


def joined(packs: Sequence[Pack]) -> Pack:
    """All of them; the digest is that of their digests."""
    if len(packs) == 1:
        return packs[0]
    digest = hashlib.sha256("".join(pack.sha256 for pack in packs).encode()).hexdigest()
    rules = tuple(rule for pack in packs for rule in pack.rules)
    return Pack(rules, tuple(word for pack in packs for word in pack.words), digest)


SHORTEST_WORD = 4
_MEMBERS = {"id", "class", "pattern", "keywords", "check", "source", "examples"}


def _rule(row: object) -> Rule:
    if not isinstance(row, Mapping):
        raise BadRules("a rule must be a table")
    said = cast(Mapping[str, Any], row)
    name, kind, pattern = said.get("id"), said.get("class"), said.get("pattern")
    if not isinstance(name, str) or not isinstance(pattern, str):
        raise BadRules("a rule needs an id and a pattern, both text")
    if unknown := said.keys() - _MEMBERS:
        raise BadRules(f"unknown key {min(unknown)} in rule {name}")
    if kind not in get_args(Class):
        raise BadRules(f"the class of rule {name} must be one of {', '.join(get_args(Class))}")
    check = said.get("check", "anything")
    if check not in checks.CHECKS:
        raise BadRules(f"rule {name} asks for the unknown check {check!r}")
    return Rule(
        name,
        cast(Class, kind),
        linear(pattern, name),
        tuple(word.lower().encode() for word in _texts(said, "keywords", f"rule {name}")),
        checks.CHECKS[cast(str, check)],
        str(said.get("source", "")),
        _texts(said, "examples", f"rule {name}"),
    )


def linear(pattern: str, name: str) -> Pattern:
    """`pattern` in RE2, over bytes.  Raises BadRules."""
    options = re2.Options()
    options.log_errors = False
    # Offsets are then those of the bytes, and a match never starts inside a character:
    # no rule asks for a byte above 127.
    options.encoding = re2.Options.Encoding.LATIN1
    try:
        return cast(Pattern, re2.compile(pattern.encode(), options))
    except re2.error as error:
        raise BadRules(f"the pattern of rule {name} is not one of RE2: {error}") from None


def _texts(said: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value: object = said.get(key, [])
    if not isinstance(value, list) or not all(
        isinstance(v, str) for v in cast(list[object], value)
    ):
        raise BadRules(f"{key} in {where} must be a list of texts")
    return tuple(cast(list[str], value))
