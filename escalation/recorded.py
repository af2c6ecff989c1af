"""What the gate writes into its log; a log that cannot be written closes the gate."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .audit import AuditError, AuditLog, Receipt
from .audit.records import Denied, Freeze, Intent, Record
from .envelope import Envelope
from .freezes import Frozen
from .house import Closed, House
from .noting import Note
from .offered import again, decided_on, find
from .outgoing import Denial
from .prepared import decided, veiled
from .providers.provider import Provider
from .task import Task


async def note(log: AuditLog, record: Record, ref: int | None = None) -> None:
    """Durable once it returns.  Raises Closed."""
    try:
        await log.note(record, ref=ref)
    except AuditError as error:
        raise _closed_by(error) from error


async def notes(log: AuditLog, rows: Sequence[Note]) -> list[int]:
    """The numbers of the rows' records, all durable.  Raises Closed."""
    try:
        positions = await asyncio.gather(*(log.note(row.record, ref=row.ref) for row in rows))
    except AuditError as error:
        raise _closed_by(error) from error
    return [position.seq for position in positions]


async def intent(log: AuditLog, record: Intent, task: Task, envelope: Envelope) -> Receipt:
    """The receipt for exactly these bytes.  Raises Closed."""
    try:
        return await log.intent(record, envelope.exact, {"manifest": _manifest(task)})
    except AuditError as error:
        raise _closed_by(error) from error


async def denial(
    log: AuditLog, house: House, task: Task | None, provider: Provider | None, denied: Denial
) -> None:
    """`task` is None where nobody knows what was to be sent.  Raises Closed."""
    why = veiled(log, task, str(denied)) if task else str(denied)
    decision = decided(house, "never", denied.rule, why)
    name, model = (provider.name, provider.model) if provider else (None, None)
    size = sum(len(document.text.encode()) for document in task.documents) if task else 0
    kind = task.kind if task else "unknown"
    await note(log, Denied(house.actor, kind, decision, name, model, bytes=size))


async def freezes(
    log: AuditLog, user: str, before: Sequence[Frozen], now: Sequence[Frozen]
) -> None:
    """What was frozen and what was thawed between the two.  Raises Closed."""
    for row in now:
        if row not in before:
            await note(log, Freeze(True, user, _braked(log, row)))
    for row in before:
        if row not in now:
            await note(log, Freeze(False, user, _braked(log, replace(row, why="")) or None))


async def decision_on_edits(log: AuditLog, exchange: str, said: Mapping[str, Any]) -> int | None:
    """The number of the record of what became of an exchange's edits; None where it
    offered none.  Raises Malformed and Closed.
    """
    try:
        offered = await asyncio.to_thread(find, log.directory, exchange)
        if offered is None:
            return None
        if (number := again(offered, said, log.pseudonym)) is not None:
            return number
        record = decided_on(exchange, offered, said, log.pseudonym)
        return (await log.note(record, ref=offered.seq)).seq
    except AuditError as error:
        raise _closed_by(error) from error


def _manifest(task: Task) -> bytes:
    """The files of a request, for who can open the record."""
    rows = [{"path": d.path, "lines": [d.start, d.end]} for d in task.documents]
    return json.dumps({"kind": task.kind, "documents": rows}).encode()


def _braked(log: AuditLog, row: Frozen) -> str:
    """What is frozen and why, for the record; a folder by its stand-in."""
    named = [
        f"{name} {log.pseudonym(value) if name == 'repository' else value}"
        for name, value in row.scope.items()
    ]
    return ": ".join(filter(None, (", ".join(named), row.why)))


def _closed_by(error: AuditError) -> Closed:
    return Closed(str(error), "wicket audit doctor")
