"""The one writer of a log: a group of records at a time, durable or poisoned.

Synchronous; `AuditLog` calls it from one thread.  Section 5 of `docs/audit-format.md`.
"""

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from . import leaf
from .errors import AuditError, NoSpace, Poisoned
from .files import Files, close, content, create, replace, sync_directory, write_all
from .frame import Sealed
from .layout import Layout
from .leaf import Frame, Stamp, timestamp
from .note import Checkpoint, Signer
from .records import Clock as ClockRecord
from .records import Rotate
from .reserve import Reserve
from .shapes import dump, to_json
from .stamps import JUMP_MS, Clock, identifier
from .tree import Span, leaf_hash


@dataclass(frozen=True, slots=True)
class Entry:
    """A record ready to be written; `essential` ones may use the disk reserve."""

    kind: str
    data: str
    id: str
    ref: int | None = None
    sealed: Sealed | None = None
    essential: bool = True

    @property
    def size(self) -> int:
        """Bytes it takes, at most."""
        payload = self.sealed.length if self.sealed else 0
        return len(self.data) + leaf.ENVELOPE_LIMIT + payload


@dataclass(frozen=True, slots=True)
class Position:
    """Where a durable record stands: sequence number, its uuid, the leaf's own hash."""

    seq: int
    id: str
    h: str


@dataclass(slots=True)
class State:
    """Where a log ends.  `last` is the stamp of its last leaf."""

    log: str
    seq: int = 0
    prev: str = leaf.NO_LEAF
    span: Span = field(default_factory=Span)
    segment: int = 1
    leaf_bytes: int = 0
    pay_bytes: int = 0
    unanswered: set[int] = field(default_factory=set[int])
    last: Stamp | None = None


@dataclass(slots=True)
class _Open:
    """A file that grows only by us: `size` is what it must have."""

    path: str
    descriptor: int
    size: int


class Writer:
    """Writes from `state` on.  The caller holds the locks and has recovered."""

    def __init__(
        self,
        files: Files,
        layout: Layout,
        signer: Signer,
        state: State,
        clock: Clock,
        writer_id: str,
        segment_bytes: int,
        reserve_bytes: int,
    ) -> None:
        self.state = state
        self.trouble: str | None = None
        self.unsealed = 0
        self.directory = layout.directory
        self._files, self._layout, self._signer = files, layout, signer
        self._clock, self._writer_id, self._boot = clock, writer_id, clock.boot()
        self._segment_bytes = segment_bytes
        self._reserve = Reserve(files, layout.reserve, reserve_bytes)
        self._head = content(files, str(layout.head))
        self._leaves = self._append_to(layout.leaves(state.segment), state.leaf_bytes)
        try:
            self._payloads = self._append_to(layout.payloads(state.segment), state.pay_bytes)
        except BaseException:
            close(files, self._leaves.descriptor)
            raise
        with self._poisoning():
            self._reserve.keep()

    def commit(self, entries: Sequence[Entry]) -> list[Position | AuditError]:
        """Write a group; its records are durable when this returns.

        An entry that was refused for want of space has a NoSpace in its place; the others
        are written.  Raises Poisoned, from then on always.
        """
        with self._poisoning():
            size = sum(entry.size for entry in entries)
            essential = any(entry.essential for entry in entries)
            room = self._reserve.room(self._leaves.descriptor, size, essential)
            allowed = [entry for entry in entries if entry.essential or room]
            done = iter(self._write(allowed) if allowed else [])
            if max(self._leaves.size, self._payloads.size // 4) >= self._segment_bytes:
                self._rotate()
        full = NoSpace(
            "the disk is nearly full, so nothing may leave: free some space in "
            f"{self._layout.directory}'s file system"
        )
        return [next(done) if entry.essential or room else full for entry in entries]

    def checkpoint(self) -> Checkpoint:
        """Sign the tree as it is, here and in the second place.  Raises Poisoned."""
        with self._poisoning():
            return self._seal()

    def close(self) -> None:
        close(self._files, self._leaves.descriptor, self._payloads.descriptor)

    def _write(self, entries: Sequence[Entry]) -> list[Position]:
        # A crash up to here: nothing of the group was written.
        for file in (self._leaves, self._payloads):
            self._look(file)
        stamp = Stamp(self._clock.wall_ms(), self._clock.mono_us(), self._boot, self._writer_id)
        jump = self._jump(stamp)
        frames, lines, positions, span = self._encode([*jump, *entries], stamp)
        # A crash in here: payload bytes that no leaf names, quarantined at the next start.
        if frames:
            write_all(self._files, self._payloads.descriptor, frames)
        # A crash in here: a torn last group, which nobody was told of; quarantined too.
        data = b"".join(b"%b\n" % line for line in lines)
        write_all(self._files, self._leaves.descriptor, data)
        # A crash in here: the group may be there whole; intents get `unknown_crash`.
        if frames:
            self._files.sync_data(self._payloads.descriptor)
        self._files.sync_data(self._leaves.descriptor)
        # Durable from here on.
        self._payloads.size += len(frames)
        self._leaves.size += len(data)
        self._adopt([*jump, *entries], positions, span, stamp)
        return positions[len(jump) :]

    def _encode(
        self, entries: Sequence[Entry], stamp: Stamp
    ) -> tuple[bytes, list[bytes], list[Position], Span]:
        state, span = self.state, self.state.span.copy()
        seq, prev = state.seq, state.prev
        frames: list[bytes] = []
        lines: list[bytes] = []
        positions: list[Position] = []
        offset = self._payloads.size
        for entry in entries:
            pay = None
            if entry.sealed is not None:
                pay = _frame(entry.sealed, state.segment, offset)
                frames += [entry.sealed.head, entry.sealed.ciphertext]
                offset += pay.len
            line, prev = leaf.write(
                state.log, seq, prev, state.seq, entry.id, entry.kind, entry.data, stamp,
                entry.ref, pay,
            )  # fmt: skip
            lines.append(line)
            positions.append(Position(seq, entry.id, prev))
            span.add(leaf_hash(line))
            seq += 1
        return b"".join(frames), lines, positions, span

    def _adopt(
        self, entries: Sequence[Entry], positions: list[Position], span: Span, stamp: Stamp
    ) -> None:
        state = self.state
        for entry, position in zip(entries, positions, strict=True):
            if entry.kind == "intent":
                state.unanswered.add(position.seq)
            elif entry.kind == "outcome" and entry.ref is not None:
                state.unanswered.discard(entry.ref)
        state.seq, state.prev, state.span = positions[-1].seq + 1, positions[-1].h, span
        state.leaf_bytes, state.pay_bytes = self._leaves.size, self._payloads.size
        state.last = stamp
        self.unsealed += len(entries)

    def _jump(self, now: Stamp) -> list[Entry]:
        """A record of the wall clock's own movement since the last leaf, where it moved."""
        last = self.state.last
        if last is None:
            return []
        same = last.boot == now.boot
        passed = (now.mono - last.mono) // 1000 if same else 0
        off = now.wall_ms - last.wall_ms - passed
        # After another boot only the direction is known: time does not run backwards.
        if (abs(off) if same else -off) <= JUMP_MS:
            return []
        off = min(max(off, -(1 << 52)), 1 << 52)
        return [self.entry(ClockRecord(off, timestamp(last.wall_ms), not same))]

    def entry(self, record: object, ref: int | None = None) -> Entry:
        """An entry of the log's own, without a payload."""
        kind = type(record).__name__.lower()
        return Entry(kind, dump(to_json(record)), identifier(self._clock.wall_ms()), ref)

    def _seal(self) -> Checkpoint:
        state = self.state
        checkpoint = Checkpoint(self._signer.name, state.seq, state.span.root)
        note = self._signer.sign(checkpoint)
        self._reserve.room(self._leaves.descriptor, len(note), essential=True)
        # A crash from here on: the next start finds leaves beyond the last checkpoint.
        replace(self._files, self._layout.checkpoint, note)
        # Another writer of this log, here or in a copy, would have moved the head.
        if content(self._files, str(self._layout.head)) != self._head:
            raise Poisoned("another process wrote this log's head; only one may write")
        replace(self._files, str(self._layout.head), note)
        self._head, self.unsealed = note, 0
        return checkpoint

    def _rotate(self) -> None:
        following = self.state.segment + 1
        # A crash after this: the next start finds `rotate` last and makes the files.
        self._write([self.entry(Rotate(following))])
        for path in (self._layout.leaves(following), self._layout.payloads(following)):
            create(self._files, path)
        sync_directory(self._files, str(self._layout.directory))
        self.close()
        for path in (self._leaves.path, self._payloads.path):
            self._files.chmod(path, 0o400)
        self.state.segment, self.state.leaf_bytes, self.state.pay_bytes = following, 0, 0
        self._leaves = self._append_to(self._layout.leaves(following), 0)
        self._payloads = self._append_to(self._layout.payloads(following), 0)
        self._seal()

    def _append_to(self, path: str, size: int) -> _Open:
        return _Open(path, self._files.open(path, os.O_WRONLY | os.O_APPEND), size)

    def _look(self, file: _Open) -> None:
        """See that the file is still the one at its path and that only we wrote to it."""
        ours = self._files.look(file.descriptor)
        there = self._files.look_at(file.path)
        if ours.st_nlink < 1 or (ours.st_dev, ours.st_ino) != (there.st_dev, there.st_ino):
            raise Poisoned(f"{file.path} was removed or replaced while it was written")
        if ours.st_size != file.size:
            raise Poisoned(
                f"{file.path} has {ours.st_size} bytes, not {file.size}: not only we write"
            )

    def _poisoning(self) -> "_Poisoning":
        if self.trouble is not None:
            raise Poisoned(self.trouble)
        return _Poisoning(self._poison)

    def _poison(self, why: str) -> None:
        self.trouble = self.trouble or why


@dataclass(frozen=True, slots=True)
class _Poisoning:
    """Turns whatever goes wrong inside into Poisoned, for good."""

    poison: Callable[[str], None]

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, _trace: object) -> None:
        if error is None:
            return
        reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        name = f" ({error.filename})" if isinstance(error, OSError) and error.filename else ""
        why = reason if isinstance(error, Poisoned) else f"the log failed: {reason}{name}"
        self.poison(why)
        if isinstance(error, Exception):
            raise Poisoned(why) from error


def _frame(sealed: Sealed, segment: int, offset: int) -> Frame:
    return Frame(
        segment,
        offset,
        sealed.length,
        hashlib.sha256(sealed.head).hexdigest(),
        hashlib.sha256(sealed.ciphertext).hexdigest(),
        sealed.commit,
    )
