"""What the audit log costs on this machine's disk: appends against bare fdatasyncs, verifying."""

import asyncio
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from ... import __version__
from ...completion import metrics
from ...completion.client import EngineGone
from ...escalation.audit.errors import AuditError
from ...escalation.audit.frame import ReaderKey
from ...escalation.audit.log import AuditLog, Options
from ...escalation.audit.records import (
    Actor,
    Client,
    Consent,
    Decision,
    Endpoint,
    Intent,
    Open,
    Outcome,
    Provider,
)
from ...escalation.audit.verification import verify
from ..app import Startup
from .result import Figure, Figures, Run

INTENT = Intent(
    "e1",
    Actor("ada", 1000, "laptop"),
    Client("neovim", "0.11"),
    None,
    "explain",
    Provider("anthropic", Endpoint("https", "api.anthropic.com", 443, "/v1")),
    "claude",
    Decision("0" * 64, "allow"),
    Consent("c1", "auto"),
    4096,
    __version__,
)
BODY = os.urandom(4096)
# A record with its frame.
RECORD_BYTES = 5500
TASKS = 16

FIGURES = (
    Figure("bare", "bare fdatasyncs per second", digits=0),
    Figure("one", "records per second, one task", digits=0),
    Figure("one_to_bare", "the same, times the bare rate", digits=2),
    Figure("many", "records per second, 16 tasks", digits=0),
    Figure("many_to_bare", "the same, times the bare rate", digits=2),
    Figure("slow", "the slowest of a hundred, times the median"),
    Figure("verified", "records verified per second", digits=0),
)


async def once(startup: Startup, keys: int) -> Run:
    """Append so many records, as many for each of 16 tasks, and verify them.

    The log lies where the real one does, so that it is the same disk.  Raises EngineGone.
    """
    startup.paths.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = Path(tempfile.mkdtemp(prefix="bench-audit-", dir=startup.paths.state))
    try:
        return await _measured(folder, keys)
    except AuditError as error:
        raise EngineGone(str(error)) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _measured(folder: Path, keys: int) -> dict[str, float]:
    name = "ab" * 16
    options = Options(recipients=(ReaderKey.new().public,))
    log = await AuditLog.open(folder / name, folder / "heads" / name, Open("bench"), options)
    try:
        await appended(log, 1, 10)
        alone = bare(folder, keys)
        one, times = await appended(log, 1, keys)
        many, _times = await appended(log, TASKS, keys * TASKS)
    finally:
        await log.close()
    rate = len(alone) / sum(alone)
    began = time.perf_counter()
    report = await asyncio.to_thread(verify, folder / name)
    if report.code:
        raise EngineGone(f"the log that was written just now is not whole (code {report.code})")
    return {
        "bare": rate,
        "one": one,
        "one_to_bare": one / rate,
        "many": many,
        "many_to_bare": many / rate,
        "slow": metrics.quantile(times, 0.99) / statistics.median(times),
        "verified": report.records / (time.perf_counter() - began),
    }


def bare(folder: Path, count: int) -> list[float]:
    """Seconds of each append and fdatasync of as many bytes as a record with its frame."""
    times: list[float] = []
    descriptor = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for _ in range(count):
        begun = time.perf_counter()
        os.write(descriptor, bytes(RECORD_BYTES))
        os.fdatasync(descriptor)
        times.append(time.perf_counter() - begun)
    os.close(descriptor)
    return times


async def appended(log: AuditLog, tasks: int, count: int) -> tuple[float, list[float]]:
    """Records per second, and the seconds of each, with so many callers at once."""
    times: list[float] = []

    async def caller() -> None:
        for _ in range(count // tasks):
            begun = time.perf_counter()
            receipt = await log.intent(INTENT, BODY)
            times.append(time.perf_counter() - begun)
            receipts.append(receipt)

    receipts: list[Any] = []
    begun = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(tasks)))
    rate = len(times) / (time.perf_counter() - begun)
    for receipt in receipts:
        await log.outcome(receipt, Outcome("cancelled", sent=0))
    return rate, times


def verdict(_name: str, figures: Figures) -> str:
    return (
        f"This disk makes {figures['bare'].median:.0f} writes durable per second; the log makes "
        f"{figures['one'].median:.0f} records durable for one task, "
        f"{figures['many'].median:.0f} for {TASKS} at once"
    )
