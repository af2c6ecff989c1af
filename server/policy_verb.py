"""`wicket policy`: is it right, what does it say of a file, and what would it have changed."""

import argparse
import json
import os
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, cast

from ..escalation import policy
from ..escalation.audit import reading
from ..escalation.audit.errors import AuditError
from ..escalation.audit.frame import ReaderKey
from ..escalation.audit.leaf import Leaf
from ..escalation.policy import BadPolicy, Decision, Destination, Policy
from ..escalation.task import KINDS
from . import app, audit_place, exclusions, policies
from .paths import Paths, UnsafePath
from .repositories import repository
from .settings_checks import plain
from .settings_file import LARGEST_FILE, Unreadable, content, shown
from .settings_rows import ProviderSource


def run(arguments: argparse.Namespace) -> int:
    act = {"check": check, "explain": explain, "test": test, "replay": replay}[arguments.action]
    try:
        return act(arguments)
    except (BadPolicy, Unreadable, AuditError, UnsafePath) as error:
        print(f"wicket policy {arguments.action}: {plain(str(error), 4096)}", file=sys.stderr)
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        print(f"wicket policy {arguments.action}: {name}{error.strerror}", file=sys.stderr)
    return 1


def check(arguments: argparse.Namespace) -> int:
    """Whether the files can be read, and the rules in them."""
    found = _binding(arguments)
    said = ("name", "decision", "paths", "kinds", "providers", "regions", "classification")
    rules = [
        {"policy": number} | {name: getattr(rule, name) for name in said}
        for number, one in enumerate(found.binding, 1)
        for rule in one.rules
    ]
    if arguments.json:
        defaults = [one.default for one in found.binding]
        print(json.dumps({"defaults": defaults, "rules": rules, "faults": found.faults}))
        return 1 if found.faults else 0
    for number, one in enumerate(found.binding, 1):
        of_several = f"policy {number} of {len(found.binding)}: " if len(found.binding) > 1 else ""
        print(f"{of_several}default {one.default}, {len(one.rules)} rules")
        for rule in one.rules:
            print(f"  {rule.decision:12} {plain(rule.name)}: {_conditions(rule)}")
    for fault in found.faults:
        print(f"wicket policy check: {fault}", file=sys.stderr)
    return 1 if found.faults else 0


def explain(arguments: argparse.Namespace) -> int:
    """What holds for the files named, and which rule says so."""
    if not arguments.what:
        print("wicket policy explain: say which file", file=sys.stderr)
        return 2
    binding = _binding(arguments).binding
    to = _destination(arguments)
    rows = [_explained(binding, path, to) for path in arguments.what]
    if arguments.json:
        print(json.dumps({"kind": to.kind, "provider": to.provider, "files": rows}))
        return 0
    for row in rows:
        classes = f" ({', '.join(row['classifications'])})" if row["classifications"] else ""
        print(f"{row['reason']}{classes}")
    return 0


def test(arguments: argparse.Namespace) -> int:
    """The expectations in a file against the policy: `[[case]]` rows of path and verdict."""
    if len(arguments.what) != 1:
        print("wicket policy test: say which file of cases", file=sys.stderr)
        return 2
    binding = _binding(arguments).binding
    failed = 0
    cases = list(_cases(Path(arguments.what[0])))
    for number, case in enumerate(cases, 1):
        to = Destination(case["kind"], case["provider"], case["tier"], case["region"])
        found = policy.decide(binding, case["paths"], to)
        if found.verdict != case["verdict"]:
            failed += 1
            print(f"case {number}: {found.reason}; expected {case['verdict']}")
    print(f"{len(cases) - failed} of {len(cases)} cases hold")
    return 1 if failed else 0


def replay(arguments: argparse.Namespace) -> int:
    """What was sent and would not be sent today, or asked about: the log against the policy."""
    paths = Paths.of(os.environ)
    place = audit_place.the_one(paths, arguments.dir)
    reader = ReaderKey.of(Path(arguments.reader).read_text()) if arguments.reader else None
    reader = reader or audit_place.reader_key(paths)
    binding = _binding(arguments).binding
    providers = app.start().effective.settings.providers
    seen = without_paths = 0
    changed: list[dict[str, object]] = []
    for leaf, _line in reading.leaves(place.directory):
        if leaf.tail.type != "intent":
            continue
        seen += 1
        sent = _paths(place.directory, leaf, reader)
        without_paths += sent is None
        data = leaf.data
        provider = data["provider"]
        name, region = provider["name"], provider.get("region")
        row = providers.get(name)
        tier = cast(policy.Tier, row.tier) if row else "frontier"
        to = Destination(data["purpose"], name, tier, region)
        now = policy.decide(binding, sent or [], to)
        if now.forbids:
            then = data["decision"]["decision"]
            changed.append(
                {"seq": leaf.tail.seq, "then": then, "now": now.verdict, "why": now.reason}
            )
    if arguments.json:
        print(json.dumps({"sent": seen, "changed": changed, "without_paths": without_paths}))
        return 0
    for row in changed:
        print(f"{row['seq']}: was {row['then']}, would be {row['now']}: {plain(str(row['why']))}")
    print(f"{len(changed)} of {seen} requests would not leave today")
    if without_paths:
        print(f"of {without_paths} the files are not known here: no key opens the record")
    return 0


def _binding(arguments: argparse.Namespace) -> policies.Policies:
    """The policies in force, or the one in the file that was named."""
    if not arguments.policy:
        return policies.load(Paths.of(os.environ))
    path = Path(arguments.policy)
    found = content(path)
    if found is None:
        raise Unreadable(f"there is no {shown(path)}")
    return policies.Policies((policy.read(found),))


def _explained(binding: Sequence[Policy], given: str, to: Destination) -> dict[str, Any]:
    path = _in_repository(given)
    if rule := exclusions.excluded(str(path), ()):
        found = Decision("never", rule, str(path), f"{path}: never by {rule}")
    else:
        found = policy.decide(binding, [str(path)], to)
    said = ("verdict", "rule", "path", "reason", "classifications")
    return {name: getattr(found, name) for name in said}


def _in_repository(given: str) -> PurePosixPath:
    """A path as rules see it: from the root of the repository, wherever in it one stands."""
    here = repository(Path.cwd() / "x")
    path = Path(os.path.normpath(Path.cwd() / given))
    if not path.is_relative_to(here):
        path = path.resolve()
        here = repository(path)
    return PurePosixPath(path.relative_to(here))


def _destination(arguments: argparse.Namespace) -> Destination:
    kind = arguments.kind or "ask"
    if kind not in KINDS:
        raise BadPolicy(f"there is no kind {kind}; there are {', '.join(KINDS)}")
    rows = app.start().effective.settings.providers
    name = arguments.provider or next(iter(rows), "any")
    row: ProviderSource | None = rows.get(name)
    if row is None:
        return Destination(kind, name, "frontier")
    return Destination(kind, name, cast(policy.Tier, row.tier), row.region or None)


def _paths(directory: Path, leaf: Leaf, reader: ReaderKey | None) -> list[str] | None:
    """The files of a request; None where nothing here opens the record."""
    if reader is None or leaf.tail.pay is None:
        return None
    try:
        manifest = json.loads(reading.payload(directory, leaf.tail, reader)["manifest"])
    except (AuditError, KeyError, ValueError):
        return None
    return [document["path"] for document in manifest["documents"]]


def _cases(path: Path) -> Iterator[dict[str, Any]]:
    """Raises BadPolicy."""
    try:
        with path.open("rb") as file:
            said = tomllib.loads(file.read(LARGEST_FILE).decode())
    except ValueError as error:
        raise BadPolicy(f"{path}: {error}") from None
    rows = cast(list[object], said.get("case", []))
    if not rows:
        raise BadPolicy(f"{path} has no [[case]]")
    for number, row in enumerate(rows, 1):
        case = cast(dict[str, Any], row) if isinstance(row, dict) else {}
        if unknown := case.keys() - {
            "path",
            "paths",
            "kind",
            "provider",
            "tier",
            "region",
            "verdict",
        }:
            raise BadPolicy(f"{path}: case {number}: unknown key {min(unknown)}")
        if case.get("verdict") not in policy.VERDICTS:
            raise BadPolicy(
                f"{path}: case {number}: verdict must be one of {', '.join(policy.VERDICTS)}"
            )
        yield {
            "paths": case.get("paths", [case["path"]] if "path" in case else []),
            "kind": case.get("kind", "ask"),
            "provider": case.get("provider", "any"),
            "tier": case.get("tier", "frontier"),
            "region": case.get("region"),
            "verdict": case["verdict"],
        }


def _conditions(rule: policy.Rule) -> str:
    parts = {"paths": rule.paths, "kinds": rule.kinds, "to": rule.providers, "in": rule.regions}
    said = [f"{name} {', '.join(map(plain, those))}" for name, those in parts.items() if those]
    if rule.classification:
        said.append(f"classified {plain(rule.classification)}")
    return "; ".join(said) or "everything"
