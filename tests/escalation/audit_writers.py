"""One of several processes that want to write the same log until they are killed.

    python audit_writers.py DIRECTORY HEAD ACKNOWLEDGED COUNT

Appends `seq id h` to ACKNOWLEDGED after each record whose durability was confirmed.
"""

import asyncio
import random
import sys
from pathlib import Path

from wicket.escalation.audit.errors import SecondWriter
from wicket.escalation.audit.log import AuditLog, Options
from wicket.escalation.audit.records import (
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

INTENT = Intent(
    "e1", Actor("ada", 1000, "laptop"), Client("neovim", "0.11"), None, "explain",
    Provider("anthropic", Endpoint("https", "api.anthropic.com", 443, "/v1")), "claude",
    Decision("0" * 64, "allow"), Consent("c1", "auto"), 5, "0.1.0",
)  # fmt: skip


async def main(directory: Path, head: Path, acknowledged: Path, count: int) -> None:
    options = Options(level="metadata", segment_bytes=1 << 17)
    with acknowledged.open("ab", buffering=0) as out:
        while True:
            try:
                log = await AuditLog.open(directory, head, Open("0.1.0"), options)
            except SecondWriter:
                await asyncio.sleep(random.random() / 20)
                continue

            async def exchange(log: AuditLog = log) -> None:
                receipt = await log.intent(INTENT, b"bytes")
                out.write(f"{receipt.position.seq} {receipt.position.h}\n".encode())
                if random.random() < 0.9:
                    position = await log.outcome(receipt, Outcome("ok"))
                    out.write(f"{position.seq} {position.h}\n".encode())

            # A start reads the whole log: with many records to write, each writes more.
            for _ in range(random.randint(1, max(8, count // 80))):
                await asyncio.gather(*(exchange() for _ in range(random.randint(1, 30))))
            await log.close()
            if acknowledged.read_bytes().count(b"\n") >= count:
                return
            await asyncio.sleep(random.random() / 20)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4])))
