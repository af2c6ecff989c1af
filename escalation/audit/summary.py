"""What a log says on the whole: totals and tables for a report, added up in bounded memory.

Every table keeps its first `KEYS_LIMIT` keys, the others share a row, and every list keeps
its newest `NEWEST_LIMIT` entries and counts all.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from .errors import NotALog
from .leaf import Leaf

# Rows of a table, entries of a list, days of the chart, intents that wait for an outcome.
KEYS_LIMIT = 1000
NEWEST_LIMIT = 100
DAYS_LIMIT = 400
WAITING_LIMIT = 10_000
# What readers, owners and the log itself did, as against what was asked for and sent.
EVENTS = (
    *("access", "erasure", "retention", "hold", "annotation", "rollback", "recovery"),
    *("clock", "config", "policy", "freeze"),
)

Key = TypeVar("Key")
Row = TypeVar("Row")


@dataclass(slots=True)
class Tally:
    """Sums over requests: bytes, tokens, millionths of a US dollar, times of first and last."""

    requests: int = 0
    ok: int = 0
    failed: int = 0
    unknown: int = 0
    cancelled: int = 0
    sent: int = 0
    received: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: int = 0
    files: int = 0
    masked: int = 0
    first: str = ""
    last: str = ""


@dataclass(slots=True)
class Table(Generic[Key, Row]):
    """Rows by key; all keys beyond the limit share the row `others`."""

    make: Callable[[], Row]
    rows: dict[Key, Row] = field(default_factory=dict[Any, Any])
    others: Row | None = None

    def row(self, key: Key) -> Row:
        if (found := self.rows.get(key)) is not None:
            return found
        if len(self.rows) < KEYS_LIMIT:
            return self.rows.setdefault(key, self.make())
        self.others = self.others or self.make()
        return self.others


@dataclass(slots=True)
class Newest(Generic[Row]):
    """The newest of many, oldest first; `count` is of all."""

    rows: deque[Row] = field(default_factory=lambda: deque(maxlen=NEWEST_LIMIT))
    count: int = 0

    def add(self, row: Row) -> None:
        self.rows.append(row)
        self.count += 1


@dataclass(slots=True)
class Request:
    """One intent and how it ended; `status` is empty while nobody knows."""

    seq: int
    ts: str
    user: str
    identity: str
    purpose: str
    provider: str
    endpoint: tuple[str, str, int]
    model: str
    exchange: str
    decision: str
    consent: str
    bytes: int
    files: int
    masked: int
    outcome: int | None = None
    status: str = ""
    sent: int | None = None
    received: int | None = None
    http_status: int | None = None
    error: str | None = None
    duration_ms: int | None = None


@dataclass(slots=True)
class Host:
    """What was said of a host when it was last asked, and the sums."""

    tally: Tally = field(default_factory=Tally)
    provider: str = ""
    region: str | None = None
    retention: str | None = None
    contract: str | None = None


@dataclass(slots=True)
class Seen:
    """How often, in how many records, and when last."""

    count: int = 0
    records: int = 0
    last: str = ""
    about: str = ""


@dataclass(slots=True)
class Anchored:
    """The newest record of an anchor at one place."""

    size: int = 0
    root: str = ""
    ts: str = ""
    records: int = 0


@dataclass(slots=True)
class Event:
    seq: int
    ts: str
    kind: str
    who: str
    text: str


@dataclass(slots=True)
class Day:
    ok: int = 0
    failed: int = 0
    denied: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which requests are counted: from a time on, of a user, of a workspace or repository.

    `since` is the beginning of a record's `ts`, `workspaces` are pseudonyms or their
    beginnings.  What the log itself, its readers and owners did is always counted.
    """

    since: str = ""
    user: str | None = None
    workspaces: tuple[str, ...] | None = None

    def counts(self, data: dict[str, Any], ts: str) -> bool:
        if ts < self.since or (self.user is not None and data["actor"]["user"] != self.user):
            return False
        if self.workspaces is None:
            return True
        its: dict[str, Any] = data["workspace"] or {}
        names = [name for name in (its.get("id"), its.get("repository")) if name]
        return any(name.startswith(self.workspaces) for name in names)


def _tallies() -> Table[tuple[str, ...], Tally]:
    return Table(Tally)


def _seen() -> Table[tuple[str, ...], Seen]:
    return Table(Seen)


@dataclass(slots=True)
class Summary:
    """`stopped` says why reading ended before the end of the log, where it did."""

    wanted: Wanted = field(default_factory=Wanted)
    records: int = 0
    first: str = ""
    last: str = ""
    stopped: str | None = None
    total: Tally = field(default_factory=Tally)
    statuses: Counter[str] = field(default_factory=Counter[str])
    may_have_left: int = 0
    hosts: Table[tuple[str, str, int], Host] = field(default_factory=lambda: Table(Host))
    whom: Table[tuple[str, ...], Tally] = field(default_factory=_tallies)
    masks: Table[tuple[str, ...], Seen] = field(default_factory=_seen)
    denied: Table[tuple[str, ...], Seen] = field(default_factory=_seen)
    anchors: Table[tuple[str, str], Anchored] = field(default_factory=lambda: Table(Anchored))
    opens: Table[tuple[str, ...], Seen] = field(default_factory=_seen)
    newest: Newest[Request] = field(default_factory=Newest[Request])
    crashes: Newest[Request] = field(default_factory=Newest[Request])
    failures: Newest[Request] = field(default_factory=Newest[Request])
    events: Newest[Event] = field(default_factory=Newest[Event])
    event_kinds: Counter[str] = field(default_factory=Counter[str])
    days: dict[str, Day] = field(default_factory=dict[str, Day])
    waiting: dict[int, Request] = field(default_factory=dict[int, Request])
    forgotten: int = 0

    def day(self, ts: str) -> Day:
        made = self.days.setdefault(ts[:10], Day())
        if len(self.days) > DAYS_LIMIT:
            del self.days[min(self.days)]
        return made


def summarize(leaves: Iterable[tuple[Leaf, bytes]], wanted: Wanted) -> Summary:
    """Read all leaves once.  Never raises for what is wrong with them: `stopped` says it."""
    found = Summary(wanted)
    try:
        for leaf, _line in leaves:
            _add(found, leaf)
    except NotALog as error:
        found.stopped = str(error)
    return found


def _add(found: Summary, leaf: Leaf) -> None:
    its = leaf.tail
    found.records += 1
    found.first = found.first or its.ts
    found.last = its.ts
    kind, data = its.type, leaf.data
    if kind == "intent":
        if found.wanted.counts(data, its.ts):
            _intent(found, its.seq, its.ts, data)
    elif kind == "outcome":
        if its.ref is not None and (request := found.waiting.pop(its.ref, None)) is not None:
            _outcome(found, its.seq, request, data)
    elif kind == "denied":
        if found.wanted.counts(data, its.ts):
            _denied(found, its.ts, data)
    elif kind == "anchor":
        row = found.anchors.row((data["kind"], data["place"]))
        row.size, row.root, row.ts = data["size"], data["root"], its.ts
        row.records += 1
    elif kind == "open":
        limits = data["limits"] or "not said"
        _see(found.opens.row((data["process"], data["version"], limits, data["level"])), its.ts)
    elif kind in EVENTS:
        found.event_kinds[kind] += 1
        who = str(data.get("who") or data.get("source") or "")
        found.events.add(Event(its.seq, its.ts, kind, who, _said(kind, data)))


def _intent(found: Summary, seq: int, ts: str, data: dict[str, Any]) -> None:
    provider = data["provider"]
    masks: list[dict[str, Any]] | dict[str, Any] = data["redactions"]
    end = provider["endpoint"]
    endpoint = (end["scheme"], end["host"], end["port"])
    masked = sum(mask["count"] for mask in masks) if isinstance(masks, list) else masks["count"]
    request = Request(
        seq, ts, data["actor"]["user"], data["actor"]["identity"], data["purpose"],
        provider["name"], endpoint, data["model"], data["exchange"],
        data["decision"]["decision"], data["consent"]["mode"], data["bytes"],
        _length(data["manifest"]), masked,
    )  # fmt: skip
    host = found.hosts.row(endpoint)
    host.provider, host.region = provider["name"], provider["region"]
    host.retention, host.contract = provider["retention"], provider["contract"]
    for tally in _tallied(found, request):
        tally.requests += 1
        tally.files += request.files
        tally.masked += masked
        tally.first, tally.last = tally.first or ts, ts
    if isinstance(masks, list):
        for mask in masks:
            _see(found.masks.row((mask["rule"], mask["kind"])), ts, mask["count"])
    else:
        _see(found.masks.row(("in the payload", "")), ts, masked)
    found.newest.add(request)
    found.waiting[seq] = request
    if len(found.waiting) > WAITING_LIMIT:
        del found.waiting[next(iter(found.waiting))]
        found.forgotten += 1


def _outcome(found: Summary, seq: int, request: Request, data: dict[str, Any]) -> None:
    request.outcome, request.status = seq, data["status"]
    request.sent, request.received = data["sent"], data["received"]
    request.http_status, request.error = data["http_status"], data["error"]
    request.duration_ms = data["duration_ms"]
    found.statuses[request.status] += 1
    day = found.day(request.ts)
    day.bytes += request.sent or 0
    if request.status == "ok":
        day.ok += 1
    else:
        day.failed += 1
    for tally in _tallied(found, request):
        tally.sent += request.sent or 0
        tally.received += request.received or 0
        tally.tokens_in += data["tokens_in"] or 0
        tally.tokens_out += data["tokens_out"] or 0
        tally.cost += data["cost"] or 0
        tally.ok += request.status == "ok"
        tally.unknown += request.status == "unknown_crash"
        tally.cancelled += request.status == "cancelled"
        tally.failed += request.status not in ("ok", "unknown_crash", "cancelled")
    if request.status == "unknown_crash":
        found.may_have_left += request.bytes
        found.crashes.add(request)
    elif request.status not in ("ok", "cancelled"):
        found.failures.add(request)


def _tallied(found: Summary, request: Request) -> tuple[Tally, Tally, Tally]:
    whom = (request.user, request.identity, request.purpose, request.provider, request.model)
    return found.total, found.hosts.row(request.endpoint).tally, found.whom.row(whom)


def _denied(found: Summary, ts: str, data: dict[str, Any]) -> None:
    decision = data["decision"]
    key = (data["actor"]["user"], data["purpose"], decision["rule"] or decision["decision"])
    row = found.denied.row(key)
    row.about = decision["reason"] or row.about
    _see(row, ts)
    found.day(ts).denied += 1


def _see(row: Seen, ts: str, count: int = 1) -> None:
    row.count += count
    row.records += 1
    row.last = ts


def _length(items: list[Any] | dict[str, Any]) -> int:
    """Of a list, or of one that was moved into the payload."""
    return items["count"] if isinstance(items, dict) else len(items)


def _said(kind: str, data: dict[str, Any]) -> str:
    """An event in words; the record has the rest."""
    match kind:
        case "access":
            return f"opened the content of {_length(data['seqs'])} records: {data['purpose']}"
        case "erasure":
            return f"erased the content of {len(data['seqs'])} records: {data['basis']}"
        case "retention":
            return f"removed {len(data['segments'])} segments, {data['months']} months old"
        case "hold":
            verb = "lifted the hold" if data["lifted"] else "laid a hold"
            return f"{verb} {data['name']} on {len(data['seqs'])} records: {data['reason']}"
        case "annotation":
            return f"{data['verdict'] or 'noted'}: {data['text']}"
        case "rollback":
            return f"accepted {data['size']} records of {data['head_size']}: {data['reason']}"
        case "recovery":
            moved = data["leaf_bytes"] + data["payload_bytes"]
            return f"after a crash {moved} torn bytes moved away, {data['unanswered']} open intents"
        case "clock":
            return f"the clock jumped by {data['jump_ms'] / 1000:+,.0f} s"
        case "config":
            verb = "set" if data["accepted"] else "REFUSED"
            return f"{verb} {data['key']}: {data['reason'] or data['value'] or ''}"
        case "policy":
            return f"{data['rules']} rules, {data['sha256'][:16]}: {data['reason'] or 'in force'}"
        case _:
            return f"{'frozen' if data['frozen'] else 'thawed'}: {data['reason'] or ''}"
