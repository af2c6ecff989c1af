"""What Wicket adds to a provider's time: from the question to the first streamed text.

    python tests/benchmarks/asking.py [--json] [--questions 40]

A real gate process, a real log, an index of Wicket's own source, and a provider on the
loopback whose own time (from its first byte in to its first byte out) is taken off.  The
person says yes at once.  `context` is gathering what the question is about, `gate` preparing,
recording and sending it.  Bytes that came without a durable intent are counted, too.
"""

import argparse
import asyncio
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from wicket.server import app, processes
from wicket.server.ask import Question, Yes, ask

from tests.escalation.provider import ProviderServer
from tests.server.gate_home import CLAUDE, Home

ROOT = Path(__file__).parents[2]
QUESTIONS = (
    "Who calls open_store?",
    "How is a torn tail of the log recovered?",
    "Where are peers of the gate's socket checked?",
    "What cancels a request when the editor types on?",
)


class Yes:
    """Says yes at once, and notes when it was asked and when the first text came."""

    asked = first = 0.0

    async def approve(self, _prepared: Mapping[str, Any]) -> Yes:
        self.asked = time.perf_counter()
        return "user"

    async def widen(self, _why: str) -> bool:
        return False

    def hear(self, _text: str) -> None:
        self.first = self.first or time.perf_counter()

    def note(self, _what: str) -> None:
        pass


async def measure(count: int) -> dict[str, Any]:
    server = ProviderServer(answer="claude whole")
    spans: list[tuple[float, float]] = []
    arrived = 0.0
    unrecorded = 0

    def heard() -> None:
        nonlocal arrived, unrecorded
        arrived = time.perf_counter()
        unrecorded += len(home.records("intent")) < server.connections

    server.heard = heard
    server.answers = lambda: spans.append((arrived, time.perf_counter()))
    await server.start()
    rows: list[tuple[float, float, float]] = []
    with tempfile.TemporaryDirectory(prefix="wb", dir="/tmp") as place:
        home = Home(Path(place), server.port)
        home.says(CLAUDE.format(port=server.port))
        os.environ.clear()
        os.environ.update(home.environment)
        indexing = await asyncio.create_subprocess_exec(
            *processes.command("index", str(ROOT), "--json"), stdout=asyncio.subprocess.DEVNULL
        )
        await indexing.wait()
        await home.start()
        startup = app.start(folders=[ROOT])
        for number in range(count + 1):
            desk = Yes()
            begun = time.perf_counter()
            answer = await ask(Question(QUESTIONS[number % len(QUESTIONS)], ROOT), startup, desk)
            assert answer is not None
            assert answer.status == "ok", answer.why
            theirs = spans[-1][1] - spans[-1][0]
            whole = desk.first - begun - theirs
            rows.append((whole, desk.asked - begun, desk.first - desk.asked - theirs))
        await home.stop()
    await server.stop()
    # The first question finds nothing warm; it is told apart.
    names = ("command to first text", "question to the yes", "yes to first text")
    figures = {
        name: {
            "p50": 1000 * statistics.median(row[column] for row in rows[1:]),
            "p95": 1000 * sorted(row[column] for row in rows[1:])[int(0.95 * count)],
            "first": 1000 * rows[0][column],
        }
        for column, name in enumerate(names)
    }
    return {
        "ms, the provider's time taken off": figures,
        "questions": count,
        "bytes without a durable intent": unrecorded,
        "machine": platform.processor() or platform.machine(),
        "load": os.getloadavg()[0],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--questions", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = asyncio.run(measure(arguments.questions))
    if arguments.json:
        print(json.dumps(found))
        return
    for name, row in found["ms, the provider's time taken off"].items():
        shown = ", ".join(f"{kind} {value:.0f}" for kind, value in row.items())
        print(f"{name}: {shown} ms")
    print(f"bytes without a durable intent: {found['bytes without a durable intent']}")
    print(f"{found['questions']} questions, load {found['load']:.1f}")


if __name__ == "__main__":
    main()
