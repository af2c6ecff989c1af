"""`wicket audit report`: the log verified, added up, and on one page for a reviewer."""

import argparse
import hmac
import os
import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from markupsafe import escape

from ..escalation.audit import reading
from ..escalation.audit.errors import AuditError, NotALog
from ..escalation.audit.findings import Report
from ..escalation.audit.frame import ReaderKey
from ..escalation.audit.layout import Layout
from ..escalation.audit.note import BadNote
from ..escalation.audit.opening import Secrets
from ..escalation.audit.summary import Request, Summary, Wanted, summarize
from . import audit_place
from .audit_page import ROWS_LIMIT, Facts, Opened, page, visible, when
from .audit_place import Place
from .audit_reading import put_access_on_record, reader
from .audit_verb import verified
from .paths import Paths

# Characters of one part of a payload, and of all payloads of one page.
PART_LIMIT = 20_000
CONTENT_LIMIT = 4_000_000


def report(arguments: argparse.Namespace) -> int:
    """Verify the log, add it up, and print the page.  1 where it was tampered with."""
    paths = Paths.of(os.environ)
    place = audit_place.the_one(paths, arguments.dir)
    wanted, narrowed = _wanted(place, arguments)
    key = reader(paths, arguments) if arguments.payload else None
    checked = verified(place, arguments)
    summary = summarize(reading.leaves(place.directory), wanted)
    opened = None if key is None else list(_opened(place, summary, key))
    anchors = _anchors(place.directory, summary, checked)
    log = checked.log or place.directory.name
    copy = place.head is None
    facts = Facts(
        log, datetime.now(UTC), summary, checked, narrowed, copy, anchors, opened
    )  # fmt: skip
    sys.stdout.write(page(facts))
    if checked.code == 1:
        print(
            "wicket audit report: the log was TAMPERED WITH; the page says where", file=sys.stderr
        )
    return 1 if checked.code == 1 else 0


def _wanted(
    place: Place, arguments: argparse.Namespace
) -> tuple[Wanted, Sequence[tuple[str, str]]]:
    """What is to be counted, and that in words.  Raises ValueError, NotALog."""
    narrowed: list[tuple[str, str]] = []
    since = arguments.since or ""
    if since:
        since = _utc(since)
        narrowed.append(("since", when(since) + " UTC"))
    if arguments.user is not None:
        narrowed.append(("user", arguments.user))
    workspaces = None
    if arguments.repo is not None:
        workspaces = tuple(pseudonyms(place, arguments.repo))
        narrowed.append(("repository", arguments.repo))
    return Wanted(since, arguments.user, workspaces), narrowed


def _utc(text: str) -> str:
    """A date or time as records write it.  Raises NotALog: an error of who asked."""
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise NotALog(f"{text!r} is no date such as 2026-11-01") from None
    given = given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    return given.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def pseudonyms(place: Place, repository: str) -> Iterator[str]:
    """How records may call a repository: by a keyed stand-in for its path or its remote.

    The key lies beside the log's head; a copy of a log knows the stand-ins alone, of which
    the first eight digits or more may be given.  Raises NotALog.
    """
    if len(repository) >= 8 and set(repository) <= set("0123456789abcdef"):
        yield repository
    if place.head is None:
        return
    try:
        text = Path(Layout(place.directory, place.head).secrets).read_bytes()
        key = Secrets.of(text).pseudonyms
    except (OSError, ValueError, BadNote) as error:
        raise NotALog(f"the key of repositories' names cannot be read: {error}") from None
    for name in dict.fromkeys((repository, os.path.realpath(repository))):
        content = name.encode("utf-8", "surrogateescape")
        yield hmac.digest(key, content, "sha256").hex()


def _anchors(directory: Path, summary: Summary, checked: Report) -> list[dict[str, object]]:
    """Anchors on record and copies beside the log, and whether the log agrees with them."""
    agrees = {row["name"]: row["agrees"] for row in checked.checkpoints}
    rows: list[dict[str, object]] = []
    for (kind, place), its in summary.anchors.rows.items():
        name = f"anchors/{its.size:012}.note"
        rows.append(
            {"kind": kind, "place": place, "size": its.size, "ts": its.ts, "times": its.records,
             "agrees": agrees.get(name)}
        )  # fmt: skip
    on_record = {row["size"] for row in rows}
    for path in sorted((directory / "anchors").glob("*.note"))[-ROWS_LIMIT:]:
        count = int(path.stem) if path.stem.isdigit() else 0
        if not summary.anchors.rows and count not in on_record:
            made = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            ts = made.isoformat(timespec="seconds")
            rows.append(
                {"kind": "copy", "place": "beside the log; not on record", "size": count,
                 "ts": ts, "times": 1, "agrees": agrees.get(f"anchors/{path.name}")}
            )  # fmt: skip
    return rows


def _opened(place: Place, summary: Summary, key: ReaderKey) -> Iterator[Opened]:
    """The content of the newest requests; that it was opened goes on record first."""
    requests = list(summary.newest.rows)
    seqs = [seq for r in requests for seq in (r.seq, r.outcome) if seq is not None]
    if seqs:
        put_access_on_record(place, tuple(seqs), "wicket audit report --payload")
    left = CONTENT_LIMIT
    for request in reversed(requests):
        if left <= 0:
            yield Opened(request, why="left out: the page would be too large; `audit show` has it")
            continue
        try:
            parts = list(_parts(place.directory, request, key))
        except (AuditError, OSError) as error:
            yield Opened(request, why=str(error))
            continue
        left -= sum(len(text) for _name, text in parts)
        yield Opened(request, parts, "" if parts else "the log's level keeps no content")


def _parts(directory: Path, request: Request, key: ReaderKey) -> Iterator[tuple[str, str]]:
    for seq in (request.seq, request.outcome):
        if seq is None:
            continue
        leaf, _line = reading.one(directory, seq)
        for name, content in reading.payload(directory, leaf.tail, key).items():
            text = content.decode("utf-8", "backslashreplace")
            # Escaped here, so that it is not cut once more as a name would be.
            yield name, escape(visible(text, PART_LIMIT, keep="\n\t"))
