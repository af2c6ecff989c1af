"""Which file may go where: rules as data, one pure decision with its reason.

    never < this-machine < on-prem < ask < allow        the left one wins

Rules hold for each file by itself; of all that match the most restrictive one decides,
and where none matches the default does.  The answer about several files is that about
the one that may go least far.  Several policies bind together: none loosens another.
"""

import hashlib
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

import pathspec

from .kinds import KINDS

Verdict = Literal["never", "this-machine", "on-prem", "ask", "allow"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
Tier = Literal["on-prem", "frontier"]

# What a decision's rule begins with where a standing yes made it.
STANDING = "standing approval"

_LISTS = ("paths", "kinds", "providers", "regions")
_MEMBERS = {"name", "classification", "decision", *_LISTS}


class BadPolicy(ValueError):
    """A policy that cannot be read; the message is one line."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Holds where all that it names matches; what it does not name matches always."""

    name: str
    decision: Verdict
    paths: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    classification: str | None = None
    _spec: pathspec.PathSpec[Any] | None = None

    @property
    def by_path_alone(self) -> bool:
        return not (self.kinds or self.providers or self.regions)

    def holds(self, path: str, to: "Destination") -> bool:
        return (
            (self._spec is None or self._spec.match_file(path))
            and (not self.kinds or to.kind in self.kinds)
            and (not self.providers or to.provider in self.providers)
            and (not self.regions or to.region in self.regions)
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """`sha256` is the digest of the file that says all this."""

    default: Verdict
    rules: tuple[Rule, ...]
    sha256: str


@dataclass(frozen=True, slots=True)
class Destination:
    """Where something would go, and what for."""

    kind: str
    provider: str
    tier: Tier
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """`rule` names what decided, `default` where no rule did; `path` is the file it was
    about, and `classified` are the classes of files by path."""

    verdict: Verdict
    rule: str
    path: str | None
    reason: str
    classified: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    @property
    def classifications(self) -> tuple[str, ...]:
        """Those of all files."""
        return tuple(sorted({name for names in self.classified.values() for name in names}))

    @property
    def forbids(self) -> bool:
        return self.verdict in ("never", "this-machine", "on-prem")


# Of a machine on which nobody wrote a policy.
UNWRITTEN = Policy("ask", (), hashlib.sha256(b"").hexdigest())


def blocked(content: bytes) -> Policy:
    """What a file that is no policy means: its author wanted to forbid something."""
    return Policy("never", (), hashlib.sha256(content).hexdigest())


def read(content: bytes) -> Policy:
    """The policy in a TOML file: `default` and `[[rule]]` rows.  Raises BadPolicy."""
    try:
        said = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise BadPolicy(f"it is no TOML: {error}") from None
    if unknown := said.keys() - {"default", "rule"}:
        raise BadPolicy(f"unknown key {min(unknown)}")
    rows: object = said.get("rule", [])
    if not isinstance(rows, list):
        raise BadPolicy("rule must be a list of tables")
    rules = tuple(_rule(row, n) for n, row in enumerate(cast(list[object], rows), 1))
    default = _verdict(said.get("default", "ask"), "default")
    return Policy(default, rules, hashlib.sha256(content).hexdigest())


def digest(policies: Sequence[Policy]) -> str:
    """Of all that binds; of a single policy its own."""
    if len(policies) == 1:
        return policies[0].sha256
    return hashlib.sha256("".join(p.sha256 for p in policies).encode()).hexdigest()


def decide(policies: Iterable[Policy], paths: Sequence[str], to: Destination) -> Decision:
    """What may happen to these files, workspace-relative with forward slashes.

    A request without files is decided by the rules that name none.
    """
    found = [_about(policy, path, to) for policy in policies for path in paths or [""]]
    worst = min(found, key=lambda one: VERDICTS.index(one.verdict))
    classified: dict[str, tuple[str, ...]] = {}
    for one in found:
        for path, names in one.classified.items():
            known = (*classified.get(path, ()), *names)
            classified[path] = tuple(sorted(set(known)))
    verdict = worst.verdict
    if verdict == "on-prem" and to.tier == "on-prem":
        verdict = "ask"
    subject = worst.path or "this request"
    reason = f"{subject}: {worst.verdict} by {_by(worst.rule)}"
    return Decision(verdict, worst.rule, worst.path, reason, classified)


def globs(policies: Iterable[Policy], *verdicts: Verdict) -> tuple[str, ...]:
    """Patterns of .gitignore, the last that matches counts, of the files with one of these
    verdicts whatever the destination.

    Where two policies both forbid by default, a file is let in by patterns of both alone.
    """
    closed: list[set[str]] = []
    found: list[str] = []
    for policy in policies:
        by_path = [rule for rule in policy.rules if rule.by_path_alone]
        if policy.default in verdicts:
            let_in = (rule.paths or ("**",) for rule in by_path if rule.decision not in verdicts)
            closed.append({path for paths in let_in for path in paths})
        for rule in by_path:
            if rule.decision in verdicts:
                found += rule.paths or ("**",)
    if closed:
        some = [paths for paths in closed if "**" not in paths] or [{"**"}]
        found = ["**", *(f"!{path}" for path in sorted(set[str].intersection(*some))), *found]
    return tuple(found)


def _about(policy: Policy, path: str, to: Destination) -> Decision:
    holding = [rule for rule in policy.rules if (path or not rule.paths) and rule.holds(path, to)]
    names = tuple(rule.classification for rule in holding if rule.classification)
    classified = {path: names} if names else {}
    if not holding:
        return Decision(policy.default, "default", path or None, "", classified)
    worst = min(holding, key=lambda rule: VERDICTS.index(rule.decision))
    return Decision(worst.decision, worst.name, path or None, "", classified)


def _by(rule: str) -> str:
    return "the policy's default" if rule == "default" else f"the policy's rule {rule!r}"


def _rule(row: object, number: int) -> Rule:
    where = f"rule {number}"
    if not isinstance(row, Mapping):
        raise BadPolicy(f"{where} must be a table")
    said = cast(Mapping[str, Any], row)
    name = said.get("name", where)
    if not isinstance(name, str) or not name or name == "default":
        raise BadPolicy(f"{where}: the name must be a text, and not `default`")
    if unknown := said.keys() - _MEMBERS:
        raise BadPolicy(f"{where} ({name}): unknown key {min(unknown)}")
    lists = {key: _texts(said, key, f"{where} ({name})") for key in _LISTS}
    if strange := set(lists["kinds"]) - set(KINDS):
        raise BadPolicy(f"{where} ({name}): there is no kind {min(strange)}")
    classification = said.get("classification")
    if not isinstance(classification, str | None):
        raise BadPolicy(f"{where} ({name}): classification must be a text")
    decision = _verdict(said.get("decision"), f"{where} ({name}): decision")
    return Rule(
        name, decision, **lists, classification=classification, _spec=_spec(lists["paths"], name)
    )


def _spec(paths: tuple[str, ...], name: str) -> pathspec.PathSpec[Any] | None:
    if taken_back := [path for path in paths if path.startswith("!")]:
        raise BadPolicy(f"rule {name}: {taken_back[0]!r} would loosen; write a rule instead")
    try:
        return pathspec.PathSpec.from_lines("gitignore", paths) if paths else None
    except ValueError as error:
        raise BadPolicy(f"rule {name}: {error}") from None


def _verdict(value: object, where: str) -> Verdict:
    if value not in VERDICTS:
        raise BadPolicy(f"{where} must be one of {', '.join(VERDICTS)}")
    return value


def _texts(said: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    value: object = said.get(key, [])
    texts = cast(list[object], value) if isinstance(value, list) else None
    if texts is None or not all(isinstance(text, str) and text for text in texts):
        raise BadPolicy(f"{where}: {key} must be a list of texts")
    if key in said and not texts:
        raise BadPolicy(f"{where}: {key} is empty, and would match nothing")
    return tuple(cast(list[str], texts))
