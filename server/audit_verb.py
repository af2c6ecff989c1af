"""`wicket audit`: verify, read, prove, export, erase and anchor the log."""

import argparse
import importlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

from ..escalation.audit.errors import AuditError
from ..escalation.audit.findings import Report
from ..escalation.audit.note import BadNote, Verifier
from ..escalation.audit.verification import Expected, verify
from . import audit_place
from .paths import Paths, UnsafePath

# "module:function" of every action; each takes the arguments and answers an exit code.
ACTIONS = {
    "verify": "audit_verb:verification",
    "show": "audit_reading:show",
    "tail": "audit_reading:tail",
    "search": "audit_reading:search",
    "doctor": "audit_reading:doctor",
    "report": "audit_report:report",
    "prove": "audit_proving:prove",
    "export": "audit_proving:export",
    "erase": "audit_changing:erase",
    "hold": "audit_changing:hold",
    "retain": "audit_changing:retain",
    "anchor": "audit_changing:anchor",
    "accept-rollback": "audit_changing:accept_rollback",
}

WHOLE, TAMPERED, USAGE, INCOMPLETE = 0, 1, 2, 3


def run(arguments: argparse.Namespace) -> int:
    module, _, function = ACTIONS[arguments.action].partition(":")
    act: Callable[[argparse.Namespace], int] = getattr(
        importlib.import_module(f".{module}", __package__), function
    )
    try:
        return act(arguments)
    except (AuditError, BadNote, UnsafePath) as error:
        print(f"wicket audit {arguments.action}: {error}", file=sys.stderr)
    except BrokenPipeError:
        raise
    except ValueError as error:
        print(f"wicket audit {arguments.action}: {error}", file=sys.stderr)
        return USAGE
    except OSError as error:
        name = f"{error.filename}: " if error.filename else ""
        print(f"wicket audit {arguments.action}: {name}{error.strerror}", file=sys.stderr)
    return INCOMPLETE if arguments.action == "verify" else 1


def verification(arguments: argparse.Namespace) -> int:
    """Examine every log; the worst of them is the exit code."""
    paths = Paths.of(os.environ)
    reports = [verified(place, arguments) for place in audit_place.places(paths, arguments.dir)]
    if arguments.json:
        print(json.dumps({"logs": [report.to_json() for report in reports]}))
    else:
        for report in reports:
            _print(report)
    codes = {report.code for report in reports}
    return TAMPERED if TAMPERED in codes else max(codes)


def verified(place: audit_place.Place, arguments: argparse.Namespace) -> Report:
    """One log examined, against what was kept elsewhere as well.  Raises BadNote, OSError."""
    key = Verifier.of(Path(arguments.key).read_text()) if arguments.key else None
    expected = [Expected(name, _bytes(Path(name))) for name in arguments.expect or ()]
    if place.head is not None and place.head.exists():
        expected.append(Expected("head", place.note))
    with_payloads = not arguments.no_payloads
    return verify(place.directory, tuple(expected), key, with_payloads, arguments.jobs)


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _print(report: Report) -> None:
    state = {WHOLE: "whole", TAMPERED: "TAMPERED WITH", INCOMPLETE: "incomplete"}[report.code]
    live = ", being written" if report.live else ""
    print(f"{report.log or report.directory}: {state}{live}")
    print(f"  {report.records} records in {report.segments} segments, the last of {report.last}")
    print(f"  {report.payloads} payloads, {report.payload_bytes} bytes hashed again")
    if report.erased or report.retired:
        print(f"  {report.erased} payloads erased and {report.retired} segments retired, on record")
    for row in report.checkpoints:
        agrees = "agrees" if row["agrees"] else "DOES NOT AGREE"
        print(f"  {row['name']}: {agrees} at {row['size']} records")
    if report.records > report.signed:
        print(f"  {report.records - report.signed} records are not signed yet")
    if report.key_from == "the log itself":
        print("  signed with the key that the log itself names; --key FILE compares with yours")
    for finding in report.findings[:20]:
        record = "" if finding.seq is None else f"record {finding.seq}, "
        print(f"  {finding.severity}: {record}{finding.place}: {finding.text}")
    if len(report.findings) > 20:
        print(f"  ... and {len(report.findings) - 20} more; --json has them")
