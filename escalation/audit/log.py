"""`AuditLog`: what the gate holds; each call returns once the record is durable.

Calls that come while a group is being written wait and become the next group, so that
one sync serves them all.  There is no mode in which a record may be lost.
"""

import asyncio
import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from dataclasses import replace as with_changes
from pathlib import Path

from .entries import Sealing
from .errors import AuditError, BadReceipt, Poisoned, Unusable, Unwritable
from .files import Disk, Files
from .frame import SLOTS_LIMIT, recipient
from .layout import Layout
from .opening import Accepted, Opened, begin
from .records import OWN, Anchor, Close, Heartbeat, Intent, Level, Open, Outcome, Record
from .stamps import Clock, MachineClock, identifier
from .writer import Entry, Position

NOTHING: Mapping[str, bytes] = {}
# Records of one group: enough for any load, few enough for a bounded torn end.
GROUP_LIMIT = 256


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
class Receipt:
    """Proof, within this process, that an intent for exactly these bytes is durable.

    Only `AuditLog.intent` makes one; `AuditLog.redeem` sees through any other.
    `digest` is the SHA-256 of the exact bytes, in hexadecimal; it is never written.
    """

    position: Position
    digest: str
    tag: bytes = field(repr=False)


@dataclass(slots=True)
class _Waiting:
    entry: Entry
    future: asyncio.Future[Position]


class AuditLog:
    """One writer of one log directory.  Any AuditError means: do not send."""

    def __init__(self, opened: Opened, options: Options, clock: Clock, sealing: Sealing) -> None:
        """Use `open`."""
        self._opened, self._options, self._clock = opened, options, clock
        self._sealing = sealing
        self._writer = opened.writer
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "audit")
        self._waiting: list[_Waiting] = []
        self._work: asyncio.Task[None] | None = None
        self._seal_due = self._closing = False
        self._seal_timer: asyncio.TimerHandle | None = None
        self._secret = secrets.token_bytes(32)
        self._unspent: set[int] = set()
        self._open_intents: set[int] = set()
        self._news = 0
        self._heart = self._loop.call_later(options.heartbeat_seconds, self._beat)

    @classmethod
    async def open(
        cls,
        directory: Path,
        head: Path,
        opened: Open,
        options: Options | None = None,
        *,
        files: Files | None = None,
        clock: Clock | None = None,
        accepted: Accepted | None = None,
    ) -> "AuditLog":
        """Open, or begin, the log in `directory` whose head is kept a second time at `head`.

        Recovers from a crash first.  Raises AuditError: SecondWriter, RolledBack,
        Tampered, NotALog, Unusable, Poisoned.
        """
        options, clock = options or Options(), clock or MachineClock()
        if not options.recipients and options.level != "metadata":
            raise Unusable("payloads are to be kept, but [audit] recipients names no key")
        recipients = tuple(recipient(text) for text in options.recipients)
        if len(recipients) > SLOTS_LIMIT:
            raise Unusable(f"[audit] recipients names more than {SLOTS_LIMIT} keys")
        layout = Layout(directory, head)
        opened = with_changes(
            opened, level=options.level, recipients=options.recipients, pid=os.getpid()
        )
        begun = await asyncio.to_thread(
            begin, files or Disk(), layout, clock, opened, options.segment_bytes,
            options.reserve_bytes, accepted,
        )  # fmt: skip
        sealing = Sealing(begun.writer.state.log, recipients, options.level)
        return cls(begun, options, clock, sealing)

    async def intent(
        self, record: Intent, exact: bytes, parts: Mapping[str, bytes] = NOTHING
    ) -> Receipt:
        """Write what is about to leave; `exact` are the bytes that the receipt will cover.

        `exact` goes into the sealed payload as part `request`, `parts` beside it.
        Raises NoSpace, Unwritable (log unharmed) and Poisoned.
        """
        future = self._append(record, {"request": exact, **parts}, None)
        try:
            position = await asyncio.shield(future)
        except asyncio.CancelledError:
            # Nobody gets the receipt, so nothing leaves; the record says so.
            future.add_done_callback(self._abandon)
            raise
        self._unspent.add(position.seq)
        self._open_intents.add(position.seq)
        digest = hashlib.sha256(exact).hexdigest()
        return Receipt(position, digest, self._tag(position, digest))

    def redeem(self, receipt: Receipt, exact: bytes) -> None:
        """Called by the transport before the first byte: once, for exactly these bytes.

        Raises BadReceipt, and Poisoned where the log has failed since.
        """
        if self.trouble is not None:
            raise Poisoned(self.trouble)
        self._refuse_forged(receipt)
        if not hmac.compare_digest(hashlib.sha256(exact).hexdigest(), receipt.digest):
            raise BadReceipt("the bytes are not those that were recorded; nothing was sent")
        if receipt.position.seq not in self._unspent:
            raise BadReceipt("this receipt was used before; nothing was sent")
        self._unspent.remove(receipt.position.seq)

    async def outcome(
        self, receipt: Receipt, record: Outcome, parts: Mapping[str, bytes] = NOTHING
    ) -> Position:
        """Write how it ended; the answer as part `response`.  May use the disk reserve."""
        self._refuse_forged(receipt)
        seq = receipt.position.seq
        if seq not in self._open_intents:
            raise BadReceipt("this intent has its outcome already")
        future = self._append(record, parts, seq)
        self._open_intents.remove(seq)
        self._unspent.discard(seq)
        return await asyncio.shield(future)

    async def note(
        self, record: Record, parts: Mapping[str, bytes] = NOTHING, ref: int | None = None
    ) -> Position:
        """Write any other record; `ref` is the seq of the record it speaks about."""
        if isinstance(record, OWN):
            raise Unwritable(f"{type(record).__name__} records are written by the log itself")
        return await asyncio.shield(self._append(record, parts, ref))

    def pseudonym(self, text: str) -> str:
        """A stable keyed stand-in for a path or a remote: 64 hexadecimal digits."""
        content = text.encode("utf-8", "surrogateescape")
        return hmac.digest(self._opened.pseudonyms, content, "sha256").hex()

    @property
    def trouble(self) -> str | None:
        """Why nothing can be written any more; None while all is well."""
        return self._writer.trouble or ("the log is closed" if self._closing else None)

    @property
    def log_id(self) -> str:
        return self._sealing.log

    @property
    def directory(self) -> Path:
        return self._writer.directory

    @property
    def size(self) -> int:
        """Durable records."""
        return self._writer.state.seq

    @property
    def news(self) -> int:
        """Records that this writer was given, signs of life and of anchors aside."""
        return self._news

    async def close(self, reason: str = "stopped") -> None:
        """Answer open intents, write `close` and a last checkpoint, let go of the directory."""
        if self._closing:
            return
        self._heart.cancel()
        with contextlib.suppress(AuditError):
            for seq in sorted(self._open_intents):
                unsent = Outcome("cancelled", sent=0, error="closed before it was sent")
                unknown = Outcome("unknown_crash", error="closed while it was under way")
                outcome = unsent if seq in self._unspent else unknown
                self._append(outcome, NOTHING, seq).add_done_callback(_seen)
            # What a crash is to the next start, a poisoned writer is to this one.
            future = self._append(Close(reason), NOTHING, None)
            self._closing = self._seal_due = True
            await future
        self._closing = True
        if self._work is not None:
            await self._work
        if self._seal_timer is not None:
            self._seal_timer.cancel()
        self._thread.shutdown()
        self._opened.release()

    def _append(
        self, record: Record, parts: Mapping[str, bytes], ref: int | None
    ) -> asyncio.Future[Position]:
        if self.trouble is not None:
            raise Poisoned(self.trouble)
        if ref is not None and not 0 <= ref < self.size:
            raise Unwritable(f"there is no record {ref} to refer to")
        entry = self._sealing.entry(record, identifier(self._clock.wall_ms()), parts, ref)
        waiting = _Waiting(entry, self._loop.create_future())
        self._waiting.append(waiting)
        self._news += not isinstance(record, Heartbeat | Anchor)
        self._wake()
        return waiting.future

    def _wake(self) -> None:
        if self._work is None:
            self._work = self._loop.create_task(self._write())

    async def _write(self) -> None:
        """Write groups until nobody waits and no checkpoint is due."""
        while self._waiting or self._seal_due:
            group, self._waiting = self._waiting[:GROUP_LIMIT], self._waiting[GROUP_LIMIT:]
            try:
                if group:
                    await self._commit(group)
                full = self._writer.unsealed >= self._options.checkpoint_leaves
                if full or (self._seal_due and not self._waiting):
                    self._seal_due = False
                    await self._loop.run_in_executor(self._thread, self._writer.checkpoint)
            except Exception as error:
                self._fail(group, error)
        if self._writer.unsealed and self._seal_timer is None and not self._closing:
            delay = self._options.checkpoint_seconds
            self._seal_timer = self._loop.call_later(delay, self._seal)
        self._work = None

    async def _commit(self, group: list[_Waiting]) -> None:
        entries = [waiting.entry for waiting in group]
        done = await self._loop.run_in_executor(self._thread, self._writer.commit, entries)
        for waiting, result in zip(group, done, strict=True):
            if isinstance(result, AuditError):
                _refuse(waiting.future, result)
            else:
                waiting.future.set_result(result)

    def _fail(self, group: list[_Waiting], error: Exception) -> None:
        """The writer is poisoned: whoever waits must know, and nothing is due any more."""
        self._seal_due = False
        self._writer.trouble = self._writer.trouble or f"the log failed: {error}"
        for waiting in (*group, *self._waiting):
            _refuse(waiting.future, Poisoned(self._writer.trouble))
        self._waiting.clear()

    def _seal(self) -> None:
        self._seal_timer = None
        if self.trouble is None:
            self._seal_due = True
            self._wake()

    def _beat(self) -> None:
        self._heart = self._loop.call_later(self._options.heartbeat_seconds, self._beat)
        with contextlib.suppress(AuditError):
            self._append(Heartbeat(len(self._open_intents)), NOTHING, None).add_done_callback(_seen)

    def _abandon(self, future: asyncio.Future[Position]) -> None:
        if future.cancelled() or future.exception() is not None:
            return
        with contextlib.suppress(AuditError):
            outcome = Outcome("cancelled", sent=0)
            self._append(outcome, NOTHING, future.result().seq).add_done_callback(_seen)

    def _tag(self, position: Position, digest: str) -> bytes:
        text = f"{position.seq} {position.id} {position.h} {digest}"
        return hmac.digest(self._secret, text.encode(), "sha256")

    def _refuse_forged(self, receipt: Receipt) -> None:
        if not hmac.compare_digest(self._tag(receipt.position, receipt.digest), receipt.tag):
            raise BadReceipt("this receipt was not made by this log; nothing was sent")


def _refuse(future: asyncio.Future[Position], error: AuditError) -> None:
    if not future.done():
        future.set_exception(error)
        future.add_done_callback(_seen)


def _seen(future: asyncio.Future[Position]) -> None:
    """Nobody may be waiting any more; asyncio would complain of an error nobody saw."""
    if not future.cancelled():
        future.exception()
