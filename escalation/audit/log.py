"""`AuditLog`: what the gate holds; each call returns once the record is durable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .records import Intent, Level, Open, Outcome, Record

NOTHING: Mapping[str, bytes] = {}


@dataclass(frozen=True, slots=True)
class Options:
    """How a log is written.

    `recipients` are X25519 public keys as `x25519:BASE64`, to which payloads are sealed.
    `level`: metadata stores no content, request what was sent, full also the answers.
    """

    recipients: tuple[str, ...] = ()
    level: Level = "full"
    segment_bytes: int = 64 << 20
    reserve_bytes: int = 16 << 20
    heartbeat_seconds: float = 60.0
    checkpoint_seconds: float = 1.0
    checkpoint_leaves: int = 256


@dataclass(frozen=True, slots=True)
class Position:
    """Where a durable record stands: sequence number, its uuid, the leaf's own hash."""

    seq: int
    id: str
    h: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof, within this process, that an intent for exactly these bytes is durable.

    Only `AuditLog.intent` makes one; `AuditLog.redeem` sees through any other.
    `digest` is the SHA-256 of the exact bytes, in hexadecimal; it is never written.
    """

    position: Position
    digest: str
    _tag: bytes = field(repr=False)


class AuditLog:
    """One writer of one log directory.  Any AuditError means: do not send."""

    @classmethod
    async def open(
        cls, directory: Path, head: Path, opened: Open, options: Options | None = None
    ) -> "AuditLog":
        """Open, or begin, the log in `directory` whose head is kept a second time at `head`.

        Recovers from a crash first.  Raises SecondWriter, RolledBack, Tampered, NotALog,
        NoSpace, Poisoned.
        """
        raise NotImplementedError

    async def intent(
        self, record: Intent, exact: bytes, parts: Mapping[str, bytes] = NOTHING
    ) -> Receipt:
        """Write what is about to leave; `exact` are the bytes that the receipt will cover.

        `exact` goes into the sealed payload as part `request`, `parts` beside it.
        Raises NoSpace, Unwritable (log unharmed) and Poisoned.
        """
        raise NotImplementedError

    def redeem(self, receipt: Receipt, exact: bytes) -> None:
        """Called by the transport before the first byte: once, for exactly these bytes.

        Raises BadReceipt, and Poisoned where the log has failed since.
        """
        raise NotImplementedError

    async def outcome(
        self, receipt: Receipt, record: Outcome, parts: Mapping[str, bytes] = NOTHING
    ) -> Position:
        """Write how it ended; `parts` as `response`.  Allowed to use the disk reserve."""
        raise NotImplementedError

    async def note(
        self, record: Record, parts: Mapping[str, bytes] = NOTHING, ref: int | None = None
    ) -> Position:
        """Write any other record; `ref` is the seq of the record it speaks about."""
        raise NotImplementedError

    def pseudonym(self, text: str) -> str:
        """A stable keyed stand-in for a path or a remote: 64 hexadecimal digits."""
        raise NotImplementedError

    @property
    def trouble(self) -> str | None:
        """Why nothing can be written any more; None while all is well."""
        raise NotImplementedError

    async def close(self, reason: str = "stopped") -> None:
        """Write `close` and a last checkpoint, and let go of the directory."""
        raise NotImplementedError
