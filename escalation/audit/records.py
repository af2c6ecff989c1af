"""The kinds of record and their fields: a row here is what the log can say.

Every field is written, `null` where nothing is known.  Numbers are integers: money in
millionths of a US dollar, times in milliseconds, sizes in bytes.  Nothing here may hold
content or a bare hash of content: that is what payloads and keyed commitments are for.
Fields named `path`, `id` of a workspace and `repository` hold `AuditLog.pseudonym`s.
"""

from dataclasses import dataclass
from typing import Literal

Level = Literal["metadata", "request", "full"]
# A keyed commitment or a pseudonym: 64 hexadecimal digits of HMAC-SHA-256.
Keyed = str


@dataclass(frozen=True, slots=True)
class Spilled:
    """A list that would not fit into a leaf: it is a part of the payload.

    `commit` is the keyed commitment to that part's bytes.
    """

    part: str
    count: int
    commit: Keyed


@dataclass(frozen=True, slots=True)
class Actor:
    """Who.  `identity` is "asserted" or "authenticated(METHOD)"."""

    user: str
    uid: int
    host: str
    identity: str = "asserted"
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Client:
    editor: str
    version: str


@dataclass(frozen=True, slots=True)
class Workspace:
    id: Keyed
    repository: Keyed | None = None
    commit: str | None = None
    dirty: bool | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    scheme: str
    host: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class Provider:
    """To whom.  `retention` is what the provider is asked or bound to keep."""

    name: str
    endpoint: Endpoint
    region: str | None = None
    retention: str | None = None
    contract: str | None = None
    proxy: str | None = None
    tls: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """One item of the context manifest; lines are 1-based, the end is inclusive."""

    path: Keyed
    start: int
    end: int
    bytes: int
    commit: Keyed | None = None
    classification: str | None = None
    trust: str | None = None


@dataclass(frozen=True, slots=True)
class Redaction:
    rule: str
    pack_sha256: str
    kind: str
    count: int
    placeholders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy said; `sha256` is the digest of the policy in force."""

    sha256: str
    decision: str
    rule: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Consent:
    """The approval that covers a request; `mode` is auto, user, or standing: a yes that
    holds on for what is alike."""

    id: str
    mode: str
    who: str | None = None
    when: str | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """An edit the model proposed: lines added and removed in one file."""

    path: Keyed
    added: int
    removed: int
    in_workspace: bool


@dataclass(frozen=True, slots=True)
class Genesis:
    """The first leaf.  `key` is the verifier key (C2SP vkey) of the checkpoints."""

    key: str
    origin: str
    format: int = 1


@dataclass(frozen=True, slots=True)
class Open:
    """A process began to write.  `limits` is the level of kernel limits reached."""

    version: str
    release_sha256: str | None = None
    settings_sha256: str | None = None
    policy_sha256: str | None = None
    limits: str | None = None
    level: Level = "full"
    recipients: tuple[str, ...] = ()
    process: str = "gate"
    pid: int = 0


@dataclass(frozen=True, slots=True)
class Intent:
    """Written before the first byte leaves.  `exchange` groups the turns of one task."""

    exchange: str
    actor: Actor
    client: Client
    workspace: Workspace | None
    purpose: str
    provider: Provider
    model: str
    decision: Decision
    consent: Consent
    bytes: int
    server_version: str
    release_sha256: str | None = None
    turn: int = 1
    attempt: int = 1
    command: str | None = None
    gesture: str | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    template: str | None = None
    template_sha256: str | None = None
    tools: tuple[str, ...] | Spilled = ()
    manifest: tuple[Source, ...] | Spilled = ()
    redactions: tuple[Redaction, ...] | Spilled = ()
    tokens_estimated: int | None = None
    cost_estimated: int | None = None
    budget_left: int | None = None


Status = Literal["ok", "refused", "http_error", "timeout", "cancelled", "failed", "unknown_crash"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an intent ended; its `ref` is the intent.  Durable before an edit is offered."""

    status: Status
    sent: int | None = None
    received: int | None = None
    http_status: int | None = None
    request_id: str | None = None
    model: str | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost: int | None = None
    prices: str | None = None
    first_token_ms: int | None = None
    duration_ms: int | None = None
    finish: str | None = None
    tool_calls: tuple[str, ...] | Spilled = ()
    edits: tuple[Edit, ...] | Spilled = ()
    peer_spki_sha256: str | None = None
    flags: tuple[str, ...] = ()
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool the model called; its `ref` is the intent whose answer asked for it."""

    exchange: str
    name: str
    status: Literal["ok", "refused", "failed"]
    bytes: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of proposed edits; `commit` is the keyed commitment to the diff."""

    exchange: str
    decision: Literal["applied", "rejected", "partly", "reverted"]
    edits: tuple[Edit, ...] | Spilled = ()
    commit: Keyed | None = None


@dataclass(frozen=True, slots=True)
class Approval:
    """A question and its answer; intents name it by `approval`."""

    approval: str
    mode: str
    granted: bool
    who: str | None = None
    provider: str | None = None
    model: str | None = None
    endpoint: str | None = None
    region: str | None = None
    paths: tuple[str, ...] | Spilled = ()
    classes: tuple[str, ...] = ()
    bytes_max: int | None = None
    turns_max: int | None = None
    cost_max: int | None = None
    expires: str | None = None


@dataclass(frozen=True, slots=True)
class Denied:
    """Something that was asked for and did not leave."""

    actor: Actor
    purpose: str
    decision: Decision
    provider: str | None = None
    model: str | None = None
    workspace: Workspace | None = None
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """A setting in force changed, or one was refused; never a secret value."""

    key: str
    source: str
    value: str | None
    accepted: bool = True
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    sha256: str
    rules: int
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Freeze:
    frozen: bool
    who: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Written every minute while a writer runs, so that silence means something."""

    open_intents: int


@dataclass(frozen=True, slots=True)
class Clock:
    """The wall clock moved by itself: milliseconds away from where it should be."""

    jump_ms: int
    before: str
    boot_changed: bool = False


@dataclass(frozen=True, slots=True)
class Perimeter:
    """Hourly totals of a shared engine, without content."""

    peer: str
    requests: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Rotate:
    """The last leaf of a segment."""

    next: int


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a start after a crash found and moved to quarantine."""

    leaf_bytes: int
    leaf_sha256: str | None
    payload_bytes: int
    payload_sha256: str | None
    quarantine: str | None
    unanswered: int


@dataclass(frozen=True, slots=True)
class Rollback:
    """Somebody accepted a log that is older than its head."""

    head_size: int
    head_root: str
    size: int
    who: str
    reason: str


@dataclass(frozen=True, slots=True)
class Access:
    """Somebody opened payloads."""

    who: str
    purpose: str
    seqs: tuple[int, ...] | Spilled = ()


@dataclass(frozen=True, slots=True)
class Annotation:
    """A reviewer's word on the record that `ref` names."""

    who: str
    text: str
    verdict: str | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Records that may not be erased until the hold is lifted."""

    name: str
    who: str
    reason: str
    lifted: bool = False
    seqs: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Erasure:
    """Payloads whose keys and ciphertext are destroyed right after this is durable."""

    who: str
    basis: str
    seqs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Retention:
    """Payload segments that are removed right after this is durable."""

    segments: tuple[int, ...]
    months: int
    who: str


@dataclass(frozen=True, slots=True)
class Anchor:
    """A checkpoint was copied elsewhere."""

    kind: str
    place: str
    size: int
    root: str


@dataclass(frozen=True, slots=True)
class Close:
    reason: str


Record = (
    Genesis | Open | Intent | Outcome | Tool | Applied | Approval | Denied | Config | Policy
    | Freeze | Heartbeat | Clock | Perimeter | Rotate | Recovery | Rollback | Access
    | Annotation | Hold | Erasure | Retention | Anchor | Close
)  # fmt: skip

KINDS: dict[str, type[Record]] = {
    kind.__name__.lower(): kind
    for kind in (
        Genesis, Open, Intent, Outcome, Tool, Applied, Approval, Denied, Config, Policy,
        Freeze, Heartbeat, Clock, Perimeter, Rotate, Recovery, Rollback, Access,
        Annotation, Hold, Erasure, Retention, Anchor, Close,
    )
}  # fmt: skip
# Kinds that only the log itself writes.
OWN = (Genesis, Open, Intent, Outcome, Heartbeat, Clock, Rotate, Recovery, Close)
