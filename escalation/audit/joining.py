"""The examined pieces of a log joined in order: chain, tree, intents, payloads, checkpoints."""

from dataclasses import dataclass, field
from pathlib import Path

from .errors import NotALog
from .examination import Examined, Piece, misfits
from .findings import Finding, Report
from .leaf import NO_LEAF
from .note import Checkpoint
from .reading import one
from .tree import Span


@dataclass(slots=True)
class Joined:
    """What has been joined so far."""

    report: Report
    notes: list[tuple[str, Checkpoint]]
    log: str = ""
    seq: int = 0
    h: str = NO_LEAF
    group: int = 0
    span: Span = field(default_factory=Span)
    whole: bool = True
    roots: dict[int, bytes] = field(default_factory=lambda: {0: Span().root})
    intents: set[int] = field(default_factory=set[int])
    segment: int = 0
    pay_end: int = 0
    zeroed: set[int] = field(default_factory=set[int])
    erased: set[int] = field(default_factory=set[int])
    gone: dict[int, int] = field(default_factory=dict[int, int])
    retired: set[int] = field(default_factory=set[int])
    last_type: str = ""


def join(joined: Joined, found: Examined, directory: Path, last: bool, live: bool) -> None:
    report, piece = joined.report, found.piece
    place = f"seg-{piece.segment:010}.jsonl, byte {piece.begin}"
    if piece.segment != joined.segment:
        _begin_segment(joined, piece, directory)
    findings = found.findings
    if last:
        findings = _last_findings(joined, found, live)
    report.findings += findings[: max(0, 1000 - len(report.findings))]
    if found.first is None:
        joined.whole = joined.whole and not found.unreadable
        return
    joined.log = joined.log or found.log
    if found.log != joined.log:
        report.find("tampered", "spliced", found.first[0], place, "it is a leaf of another log")
    for what, text in misfits(found.first, joined.seq, joined.h, joined.group):
        report.find("tampered", what, found.first[0], place, text)
        joined.whole = False
    _join_tree(joined, found)
    joined.seq, joined.h, joined.group = found.next_seq, found.last_h, found.group
    joined.last_type, report.last = found.last_type, found.last_ts
    for kind, count in found.kinds.items():
        report.kinds[kind] = report.kinds.get(kind, 0) + count
        report.records += count
    _join_payloads(joined, found, place)
    for ref in sorted(found.outcomes - joined.intents):
        text = f"an outcome refers to record {ref}, which is no open intent"
        report.find("tampered", "outcome", ref, place, text)
    joined.intents = (joined.intents - found.outcomes) | found.intents
    if found.genesis is not None and (found.first[0] != 0 or found.kinds["genesis"] > 1):
        report.find("tampered", "genesis", found.first[0], place, "the log begins a second time")


def _begin_segment(joined: Joined, piece: Piece, directory: Path) -> None:
    report = joined.report
    if joined.segment:
        _end_payloads(joined, directory)
        if joined.last_type != "rotate":
            place = f"seg-{joined.segment:010}.jsonl"
            report.find("tampered", "segment", joined.seq, place, "it does not end with `rotate`")
    joined.segment, joined.pay_end, joined.last_type = piece.segment, 0, ""


def _join_tree(joined: Joined, found: Examined) -> None:
    """The tree over the leaves so far, and its roots at the sizes that were signed."""
    span = found.span
    assert span is not None
    for size, part in found.spans.items():
        if joined.whole and part.begin == joined.span.end:
            until = joined.span.copy()
            until.join(part)
            joined.roots[size] = until.root
    if found.unreadable or span.begin != joined.span.end:
        joined.whole = False
    if joined.whole:
        joined.span.join(span)


def _join_payloads(joined: Joined, found: Examined, place: str) -> None:
    report = joined.report
    report.payloads += found.pay_count
    report.payload_bytes += found.pay_bytes
    if found.pay_begin is not None:
        if found.pay_begin != joined.pay_end:
            text = "its first payload is not where it belongs"
            report.find("tampered", "payload", None, place, text)
        joined.pay_end = found.pay_end
    joined.zeroed.update(found.zeroed)
    joined.erased.update(found.erased)
    joined.retired.update(found.retired)
    if found.pay_gone:
        joined.gone[found.piece.segment] = found.pay_gone[0]


def _last_findings(joined: Joined, found: Examined, live: bool) -> list[Finding]:
    """What a crash can have done to the end of the log is incomplete, not tampered with."""
    floor = max((note.size for _name, note in joined.notes), default=0)
    torn_at = found.torn_at if found.first else joined.seq
    kept: list[Finding] = []
    for finding in found.findings:
        seq = joined.seq if finding.seq is None else finding.seq
        torn = finding.what == "leaf" and torn_at is not None and seq >= max(torn_at, floor)
        if finding.what == "payload":
            torn = seq >= max(found.group, floor)
        if not torn:
            kept.append(finding)
        elif not (live and finding.what == "leaf"):
            text = f"{finding.text}: torn by a crash? The next start moves it to quarantine"
            kept.append(Finding("incomplete", "torn", seq, finding.place, text))
    return kept


def _end_payloads(joined: Joined, directory: Path, last: bool = False, live: bool = False) -> None:
    path = directory / f"seg-{joined.segment:010}.pay"
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return
    if size > joined.pay_end and not (last and live):
        text = f"{size - joined.pay_end} bytes belong to no record"
        severity = "incomplete" if last else "tampered"
        joined.report.find(severity, "payload", None, f"{path.name}, byte {joined.pay_end}", text)


def end(joined: Joined, directory: Path, numbers: list[int], payloads: bool) -> None:
    report = joined.report
    report.log, report.unanswered = joined.log, len(joined.intents)
    if payloads:
        _end_payloads(joined, directory, last=True, live=report.live)
        _account_erasures(joined, directory, numbers)
    for name, note in joined.notes:
        _compare(joined, name, note)
    if joined.last_type == "rotate" and not report.live:
        place = f"seg-{numbers[-1]:010}.jsonl"
        text = f"segment {numbers[-1] + 1} is missing"
        report.find("incomplete", "segment", joined.seq, place, text)
    if joined.intents and not report.live:
        first = min(joined.intents)
        text = f"{len(joined.intents)} intents have no outcome; the next start answers them"
        report.find("incomplete", "unanswered", first, f"record {first}", text)


def _account_erasures(joined: Joined, directory: Path, numbers: list[int]) -> None:
    report = joined.report
    report.erased = len(joined.zeroed & joined.erased)
    for seq in sorted(joined.zeroed - joined.erased)[:10]:
        text = "its payload was wiped, and no erasure says so"
        report.find("tampered", "payload", seq, f"record {seq}", text)
    for segment, seq in joined.gone.items():
        if segment not in joined.retired:
            text = "its payload file is gone, and no retention says so"
            report.find("tampered", "payload", seq, f"seg-{segment:010}.pay", text)
    report.retired = len(joined.retired & set(numbers))
    if report.live:  # An erasure may be under way.
        report.findings = [
            found
            for found in report.findings
            if found.what != "payload" or found.seq not in joined.erased
        ]
    elif joined.whole:
        for seq in sorted(joined.erased - joined.zeroed)[:10]:
            _unfinished(joined, directory, seq)


def _unfinished(joined: Joined, directory: Path, seq: int) -> None:
    """An erasure on record of a payload that is still there."""
    place = f"record {seq}"
    try:
        pay = one(directory, seq)[0].tail.pay
    except NotALog:
        joined.report.find("tampered", "erasure", seq, place, "an erasure names no record")
        return
    if pay is not None and pay.seg not in joined.gone:
        text = "its erasure was recorded and not carried out; erase it again"
        joined.report.find("incomplete", "erasure", seq, place, text)


def _compare(joined: Joined, name: str, note: Checkpoint) -> None:
    report = joined.report
    place = f"{name} ({note.size} records)"
    row = {"name": name, "size": note.size, "root": note.root.hex(), "agrees": False}
    report.checkpoints.append(row)
    if note.size > joined.seq:
        text = f"{note.size - joined.seq} records that were signed are missing at the end"
        report.find("tampered", "cut", joined.seq, place, text)
    elif (root := joined.roots.get(note.size)) == note.root:
        row["agrees"] = True
        report.signed = max(report.signed, note.size)
    elif root is not None:
        text = "the log's first records are not those that were signed"
        report.find("tampered", "rewritten", None, place, text)
    # Without a root the damage that hides it has been reported.
