"""What Wicket costs while nobody types: processor time, and how often anything of it runs.

Starts `wicket lsp` as an editor does, types a little, waits until what that left behind has
ended, and then only looks: at the language server, its launcher, the engine and the index.
"""

import argparse
import asyncio
import random
import re
import tempfile
from pathlib import Path

import frame
import psutil
from keystrokes import SOURCE, Editor, gap
from lsprotocol import types

# The numbers for `wicket stats` are written 20 s after the last key.
KEYS, SETTLE_SECONDS = 40, 25.0


async def measure(seconds: float, seed: int) -> dict[str, float]:
    text, chance = SOURCE.read_text(), random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="wb", dir="/tmp") as folder:
        project = Path(folder, "project")
        project.mkdir()
        (project / SOURCE.name).write_text(text)
        editor = Editor(folder)
        await editor.start(str(project))
        editor.open(text, (project / SOURCE.name).as_uri())
        await asyncio.wait_for(editor.ready.wait(), 60)
        for column, key in enumerate(("value = self.loop" * KEYS)[:KEYS]):
            editor.insert(types.Position(0, column), key)
            await editor.ask(types.Position(0, column + 1))
            await asyncio.sleep(gap(chance))
        await asyncio.sleep(SETTLE_SECONDS)
        before = {process: spent(process) for process in ours(folder)}
        await asyncio.sleep(seconds)
        after = {process: spent(process) for process in before}
        await editor.close()
        for process in ours(folder):
            process.terminate()
    cpu = sum(after[process][0] - before[process][0] for process in before)
    woken = sum(after[process][1] - before[process][1] for process in before)
    return {
        "processes": len(before),
        "cpu_ms_per_minute": 1000 * cpu * 60 / seconds,
        "woken_per_minute": woken * 60 / seconds,
    }


def ours(folder: str) -> list[psutil.Process]:
    """Every process of this Wicket, by the directory in its environment."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter(["environ"]):
        if (process.info["environ"] or {}).get("XDG_STATE_HOME") == f"{folder}/state":
            found.append(process)
    return found


def spent(process: psutil.Process) -> tuple[float, int]:
    """Processor seconds, and how often any thread was given a processor."""
    switches = 0
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        said = (task / "status").read_text()
        switches += sum(int(n) for n in re.findall(r"ctxt_switches:\s+(\d+)", said))
    return sum(process.cpu_times()[:2]), switches


def run(asked: argparse.Namespace) -> dict[str, float]:
    return asyncio.run(measure(asked.seconds, asked.seed))


if __name__ == "__main__":
    frame.main(__doc__, run, ("--seconds", 30.0, "that are looked at"), runs=3)
