"""Put on record what readers and owners do, by the gate where that holds the log."""

import asyncio
import contextlib
import http.client
import json
import os
import socket
from collections.abc import Sequence
from pathlib import Path

from .. import __version__
from ..escalation.audit.errors import AuditError, NotALog, SecondWriter
from ..escalation.audit.log import AuditLog, Options
from ..escalation.audit.opening import Accepted
from ..escalation.audit.records import Open, Record
from ..escalation.noting import Note, written
from . import gate_client, processes
from .audit_place import Place
from .paths import Paths, UnsafePath

# A record is durable within milliseconds; a disk that takes longer is dying.
SECONDS = 30.0


def put(place: Place, *records: Record, accepted: Accepted | None = None) -> None:
    """Write the records; they are durable when this returns.

    `accepted` is the decision to go on with a log that is older than its head; opening it
    with that is what puts it on record.  Raises AuditError.
    """
    if place.head is None:
        raise NotALog(f"{place.directory} is a copy; only the log itself can be changed")
    try:
        asyncio.run(_by_ourselves(place.directory, place.head, records, accepted))
    except SecondWriter as error:
        if accepted is not None or not _by_the_gate(place.directory.name, records):
            raise SecondWriter(f"{error}; `wicket stop gate` first") from None


async def _by_ourselves(
    directory: Path, head: Path, records: Sequence[Record], accepted: Accepted | None
) -> None:
    opened, options = Open(__version__, process="audit"), Options(level="metadata")
    log = await AuditLog.open(directory, head, opened, options, accepted=accepted)
    try:
        for record in records:
            await log.note(record)
    finally:
        await log.close("done")


def _by_the_gate(log: str, records: Sequence[Record]) -> bool:
    """Whether a gate of ours wrote them.  Raises AuditError where it refused."""
    body = json.dumps(written(log, [Note(record) for record in records]))
    try:
        path = gate_client.socket_path(Paths.of(os.environ))
        with contextlib.closing(_Gate(path)) as asking:
            asking.request("POST", "/v1/notes", body)
            answer = asking.getresponse()
            status, said = answer.status, answer.read()
    except (OSError, UnsafePath, http.client.HTTPException):
        return False
    if status != http.client.OK:
        raise AuditError(f"the gate did not put it on record: {_reason(said)}")
    return True


def _reason(said: bytes) -> str:
    try:
        return str(json.loads(said)["reason"])
    except (ValueError, KeyError, TypeError):
        return "it gave no reason"


class _Gate(http.client.HTTPConnection):
    """HTTP to the gate's unix socket, and to nobody else's."""

    def __init__(self, path: Path) -> None:
        super().__init__("wicket", timeout=SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(SECONDS)
        self.sock.connect(str(self._path))
        if not processes.same_user(self.sock):
            raise ConnectionRefusedError(f"{self._path} belongs to another user")
