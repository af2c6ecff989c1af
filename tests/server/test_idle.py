"""Nobody types: no process of ours runs, not for a moment."""

import asyncio
import tempfile
from pathlib import Path

import psutil
from wicket.server import processes

from .test_lsp import Editor, environment, initialize, starting

# Work that a last request leaves behind has ended by then.
SETTLED_SECONDS, WATCHED_SECONDS = 3.0, 3.0


def ours(home: str) -> list[psutil.Process]:
    """Every process whose home is `home`: server, launcher, engine, index, its parsers."""
    wanted = environment(home)["XDG_STATE_HOME"]
    found: list[psutil.Process] = []
    for process in psutil.process_iter(["environ"]):
        if (process.info["environ"] or {}).get("XDG_STATE_HOME") == wanted:
            found.append(process)
    return found


def switches(process: psutil.Process) -> int:
    """How often any of its threads was given a processor."""
    count = 0
    for task in Path(f"/proc/{process.pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if "ctxt_switches" in line:
                count += int(line.split()[1])
    return count


async def test_idle_processes_never_run() -> None:
    with tempfile.TemporaryDirectory(prefix="wi", dir="/tmp") as home:
        client = await starting(home).start()
        editor = Editor(client)
        await initialize(client)
        await editor.until("ready")
        editor.open()
        assert (await editor.ask()).items
        await asyncio.sleep(SETTLED_SECONDS)
        before = {process: switches(process) for process in ours(home)}
        assert len(before) >= 3, "the language server, its launcher and the engine"
        await asyncio.sleep(WATCHED_SECONDS)
        woken = {" ".join(p.cmdline()[3:6]): switches(p) - n for p, n in before.items()}
        assert sum(woken.values()) == 0, woken
        await client.shutdown_session()
        await client.stop()
        for found in processes.running(Path(home) / "wicket"):
            assert processes.stop(found)
