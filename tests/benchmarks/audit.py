"""The audit log's speed: append against bare fdatasync, verify per core, memory.

    python tests/benchmarks/audit.py [--json] [--records 1000000]

Appends with a 4 KB payload and bare fdatasyncs of as many bytes take turns, so that both see
the same disk and the same neighbours; ratios are of medians.
"""

import argparse
import asyncio
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wicket.escalation.audit.examination import Piece, examine
from wicket.escalation.audit.frame import ReaderKey
from wicket.escalation.audit.layout import ORIGIN
from wicket.escalation.audit.leaf import NO_LEAF, Stamp, write
from wicket.escalation.audit.log import AuditLog, Options
from wicket.escalation.audit.note import Checkpoint, Signer
from wicket.escalation.audit.records import Genesis, Open, Outcome
from wicket.escalation.audit.shapes import dump, to_json
from wicket.escalation.audit.stamps import identifier
from wicket.escalation.audit.tree import Span, leaf_hash
from wicket.server.bench.audit import INTENT, appended, bare

RUNS = 5


async def appends(folder: Path) -> dict[str, Any]:
    key = ReaderKey.new()
    name = "ab" * 16
    options = Options(recipients=(key.public,))
    log = await AuditLog.open(folder / name, folder / "heads" / name, Open("bench"), options)
    rows: dict[str, list[float]] = {"bare": [], "1": [], "16": [], "p99 1": [], "p99 16": []}
    await appended(log, 1, 50)
    for _ in range(RUNS):
        alone = bare(folder, 200)
        rows["bare"].append(len(alone) / sum(alone))
        for tasks, count in ((1, 200), (16, 1600)):
            rate, times = await appended(log, tasks, count)
            rows[str(tasks)].append(rate)
            p99 = sorted(times)[int(len(times) * 0.99)]
            rows[f"p99 {tasks}"].append(p99 / statistics.median(times))
    await log.close()
    found = {name: spread(values) for name, values in rows.items()}
    for tasks in ("1", "16"):
        ratios = [a / b for a, b in zip(rows[tasks], rows["bare"], strict=True)]
        found[f"ratio {tasks}"] = spread(ratios)
    return found


def spread(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
    }


async def filled(folder: Path, records: int, size: int) -> Path:
    """A log of so many intents with payloads of `size` bytes."""
    key, name = ReaderKey.new(), "cd" * 16
    options = Options(recipients=(key.public,), reserve_bytes=1 << 16)
    log = await AuditLog.open(folder / name, folder / "heads" / name, Open("bench"), options)
    content = os.urandom(size)
    await asyncio.gather(*(log.intent(INTENT, content) for _ in range(records)))
    await log.close()
    return folder / name


def forged(folder: Path, records: int) -> Path:
    """A whole log of so many records without payloads, written at once instead of safely."""
    directory = folder / ("ef" * 16)
    directory.mkdir(parents=True)
    signer = Signer(ORIGIN + directory.name, bytes(32))
    kinds = [Genesis(str(signer.verifier), signer.name), *[INTENT, Outcome("ok")] * (records // 2)]
    texts = {kind: dump(to_json(kind)) for kind in set(kinds)}
    stamp, prev, span = Stamp(1_790_000_000_000, 5, "b" * 32, "a" * 32), NO_LEAF, Span()
    id = identifier(stamp.wall_ms)
    with open(directory / "seg-0000000001.jsonl", "wb", 1 << 20) as file:
        for seq, record in enumerate(kinds):
            ref = seq - 1 if isinstance(record, Outcome) else None
            kind = type(record).__name__.lower()
            line, prev = write(
                directory.name, seq, prev, seq, id, kind, texts[record], stamp, ref, None
            )
            span.add(leaf_hash(line))
            file.write(line + b"\n")
    (directory / "seg-0000000001.pay").touch()
    checkpoint = Checkpoint(signer.name, span.end, span.root)
    (directory / "checkpoint").write_bytes(signer.sign(checkpoint))
    return directory


def measured(act: Callable[[], int]) -> float:
    """Units per second of CPU time."""
    begun = time.process_time()
    count = act()
    return count / (time.process_time() - begun)


def verify_rates(folder: Path) -> dict[str, Any]:
    """Leaves per core second, and payload bytes per core second."""
    leaves = forged(folder / "leaves", 20_000)
    heavy = asyncio.run(filled(folder / "heavy", 100, 1 << 20))

    def examined(directory: Path) -> Any:
        size = (directory / "seg-0000000001.jsonl").stat().st_size
        return examine(Piece(str(directory), 1, 0, size))

    rows = {"leaves": [], "bytes": []}
    for _ in range(RUNS):
        rows["leaves"].append(measured(lambda: sum(examined(leaves).kinds.values())))
        rows["bytes"].append(measured(lambda: examined(heavy).pay_bytes))
    return {name: spread(values) for name, values in rows.items()}


PROGRAM = """
import re, resource, sys, time
from pathlib import Path
from wicket.escalation.audit.verification import verify
if __name__ == "__main__":
    begun = time.perf_counter()
    report = verify(Path(sys.argv[1]), jobs=int(sys.argv[2]))
    # The kernel's own peak of this program; getrusage would count who started it as well.
    status = Path("/proc/self/status").read_text()
    peak = int(re.search(r"VmHWM:\\s+(\\d+)", status)[1])
    workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(report.code, report.records, time.perf_counter() - begun, max(peak, workers))
"""


def memory(folder: Path, records: int) -> dict[str, Any]:
    """Peak memory of the largest process (MB) and wall time, for one process and two."""
    directory = forged(folder / "many", records)
    program = folder / "peak.py"
    program.write_text(PROGRAM)
    found: dict[str, Any] = {}
    for jobs in (1, 2):
        done = subprocess.run(
            [sys.executable, str(program), str(directory), str(jobs)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        code, count, seconds, peak = done.stdout.split()
        assert code == "0"
        found[f"{jobs} processes"] = {
            "records": int(count), "seconds": round(float(seconds), 1),
            "peak_mb": round(int(peak) / 1024, 1),
        }  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--records", type=int, default=1_000_000)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="wicket-audit-", dir=Path.cwd()))
    try:
        found = {
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, "
            f"Python {platform.python_version()}",
            "load": os.getloadavg()[0],
            "append": asyncio.run(appends(folder)),
            "verify": verify_rates(folder),
            "memory": memory(folder, given.records) if given.records else {},
        }
    finally:
        shutil.rmtree(folder)
    if given.json:
        print(json.dumps(found))
        return
    print(f"{found['machine']}, load {found['load']:.1f}; medians of {RUNS} (min to max)")
    for table in ("append", "verify"):
        for name, row in found[table].items():
            print(f"  {table} {name:9} {row['median']:>14,} ({row['min']:,} to {row['max']:,})")
    for name, row in found["memory"].items():
        print(f"  verify with {name}: {row}")


if __name__ == "__main__":
    main()
