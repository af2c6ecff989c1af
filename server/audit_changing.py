"""`wicket audit erase`, `hold`, `retain`, `anchor`, `accept-rollback`: changes, on record.

Each shows first what it would do; only with --yes it is done.  While the gate writes the log,
the gate puts it on record.
"""

import argparse
import getpass
import json
import os
import sys
import time
from collections.abc import Iterable, Mapping

from ..escalation.audit import erasing
from ..escalation.audit.anchors import anchor as copy_checkpoint
from ..escalation.audit.anchors import shown
from ..escalation.audit.erasing import Holdings, holdings
from ..escalation.audit.errors import AuditError, NotALog
from ..escalation.audit.files import Disk
from ..escalation.audit.layout import Layout
from ..escalation.audit.leaf import timestamp
from ..escalation.audit.note import BadNote
from ..escalation.audit.opening import Accepted
from ..escalation.audit.projection import COLUMNS
from ..escalation.audit.records import Anchor, Erasure, Hold, Retention
from . import audit_noting, audit_place, settings
from .audit_place import Place
from .audit_reading import numbers, projected
from .paths import Paths

# Records named in one erasure: that many numbers fit into a leaf.
ERASURE_LIMIT = 2000
SECONDS_PER_MONTH = 30.44 * 86_400


def erase(arguments: argparse.Namespace) -> int:
    """Destroy the payloads of records, given by number or as `exchange:ID`, `user:NAME`."""
    paths = Paths.of(os.environ)
    place = _own(audit_place.the_one(paths, arguments.dir))
    found = holdings(place.directory)
    chosen = _chosen(paths, place, found, arguments.what)
    held = sorted(chosen & found.held)
    seqs = sorted(chosen - found.held)
    shown = {"erase": seqs, "held": held, "done": False}
    if not seqs or not arguments.yes:
        return _preview(arguments, shown, f"{_count(seqs)} would be erased; {len(held)} are held")
    who, reason = _who(arguments)
    starts = range(0, len(seqs), ERASURE_LIMIT)
    parts = [tuple(seqs[start : start + ERASURE_LIMIT]) for start in starts]
    audit_noting.put(place, *(Erasure(who, reason, part) for part in parts))
    # A crash here leaves content that `verify` reports: erase it again.
    frames = [pay for seq in seqs if (pay := found.payloads[seq].pay)]
    erasing.wipe(Disk(), _layout(place), frames)
    return _preview(arguments, shown | {"done": True}, f"{_count(seqs)} erased; {len(held)} held")


def _chosen(paths: Paths, place: Place, found: Holdings, what: list[str]) -> set[int]:
    """Records with payloads, and the answers to them."""
    names = [word for word in what if word.partition(":")[0] in COLUMNS]
    seqs = set(numbers([word for word in what if word not in names]))
    if names:
        seqs |= set(projected(paths, place, names, limit=1 << 60))
    seqs |= {ref for seq in seqs for ref in found.refs.get(seq, [])}
    return seqs & found.payloads.keys()


def hold(arguments: argparse.Namespace) -> int:
    """`hold NAME SEQ..` keeps records from erasure and retention until `hold NAME --lift`."""
    place = _own(audit_place.the_one(Paths.of(os.environ), arguments.dir))
    found = holdings(place.directory)
    if not arguments.what:
        shown = {name: list(seqs) for name, seqs in found.holds.items()}
        said = f"{len(shown)} holds: {', '.join(shown)}" if shown else "no holds"
        return _preview(arguments, {"holds": shown}, said)
    name, seqs = arguments.what[0], tuple(numbers(arguments.what[1:]))
    if arguments.lift and name not in found.holds:
        raise NotALog(f"there is no hold {name}")
    if not arguments.lift and not seqs:
        print("wicket audit hold: say which records, such as `hold case-7 12-15`", file=sys.stderr)
        return 2
    seqs = found.holds[name] if arguments.lift else seqs
    shown = {"hold": name, "seqs": list(seqs), "lifted": arguments.lift, "done": arguments.yes}
    if arguments.yes:
        who, reason = _who(arguments)
        audit_noting.put(place, Hold(name, who, reason, arguments.lift, seqs))
    verb = "lifted from" if arguments.lift else "laid on"
    return _preview(arguments, shown, f"hold {name} {verb} {len(seqs)} records")


def retain(arguments: argparse.Namespace) -> int:
    """Remove payload segments that are older than --months; records and proofs stay."""
    place = _own(audit_place.the_one(Paths.of(os.environ), arguments.dir))
    months = 13 if arguments.months is None else arguments.months
    limit = timestamp(int(1000 * (time.time() - months * SECONDS_PER_MONTH)))
    found = holdings(place.directory)
    old = erasing.old_segments(place.directory, found, limit)
    shown = {"segments": old, "months": months, "done": bool(old) and arguments.yes}
    if old and arguments.yes:
        who, _reason = _who(arguments)
        audit_noting.put(place, Retention(tuple(old), months, who))
        # A crash here leaves files that the next `retain` removes.
        erasing.remove(Disk(), _layout(place), old)
    return _preview(arguments, shown, f"{len(old)} payload segments older than {months} months")


def anchor(arguments: argparse.Namespace) -> int:
    """Copy the checkpoint to --to, else to each place of `[audit.anchor]`, and record it."""
    paths = Paths.of(os.environ)
    place = _own(audit_place.the_one(paths, arguments.dir))
    wanted = [arguments.to] if arguments.to else list(_anchor_places(paths))
    if not wanted:
        print(
            "wicket audit anchor: say where with --to DIRECTORY|REPOSITORY, or in [audit.anchor]",
            file=sys.stderr,
        )
        return 2
    made: list[dict[str, object]] = []
    for to in wanted:
        try:
            made.append(_anchored(paths, place, to))
        except (AuditError, BadNote, OSError) as error:
            print(f"wicket audit anchor: {shown(to)}: {error}", file=sys.stderr)
    if arguments.json:
        print(json.dumps({"anchors": made, "done": len(made) == len(wanted)}))
    else:
        for row in made:
            print(f"{row['size']} records anchored in {row['place']}")
    return 0 if len(made) == len(wanted) else 1


def _anchor_places(paths: Paths) -> Iterable[str]:
    return settings.load(paths, None, ()).settings.audit.anchor.values()


def _anchored(paths: Paths, place: Place, to: str) -> dict[str, object]:
    made = copy_checkpoint(place.directory, to, paths.cache / "audit")
    root, size = made.checkpoint.root.hex(), made.checkpoint.size
    try:
        audit_noting.put(place, Anchor(made.kind, made.place, size, root))
    except AuditError as error:
        print(f"wicket audit anchor: anchored, but not on record: {error}", file=sys.stderr)
    return {"kind": made.kind, "place": made.place, "size": size, "root": root}


def accept_rollback(arguments: argparse.Namespace) -> int:
    """Go on with a log that is older than its head: the decision becomes a record."""
    place = _own(audit_place.the_one(Paths.of(os.environ), arguments.dir))
    shown = {"log": place.directory.name, "done": arguments.yes}
    if arguments.yes:
        audit_noting.put(place, accepted=Accepted(*_who(arguments)))
        return _preview(arguments, shown, "accepted, and recorded")
    return _preview(arguments, shown, "the log would be continued, and its rollback recorded")


def _own(place: Place) -> Place:
    if place.head is None:
        raise NotALog(f"{place.directory} is a copy; only the log itself can be changed")
    return place


def _who(arguments: argparse.Namespace) -> tuple[str, str]:
    if not arguments.reason:
        raise AuditError("say why with --reason; it is written into the log")
    return arguments.who or getpass.getuser(), arguments.reason


def _layout(place: Place) -> Layout:
    return Layout(place.directory, place.head or place.directory / "head")


def _preview(arguments: argparse.Namespace, shown: Mapping[str, object], text: str) -> int:
    if arguments.json:
        print(json.dumps(shown))
    else:
        done = shown.get("done", True)
        print(text if done else f"{text}; nothing is done without --yes")
    return 0


def _count(seqs: list[int]) -> str:
    some = ", ".join(str(seq) for seq in seqs[:12]) + (", ..." if len(seqs) > 12 else "")
    return f"{len(seqs)} payloads ({some})" if seqs else "no payloads"
