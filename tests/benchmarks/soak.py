"""Does the LSP process stay as small as it is?  Somebody types into many files for an hour.

Starts `wicket lsp` with a folder open, and again and again takes some lines out of one of
its files and types them anew: at a human pace, with mistakes that are taken back, jumps to
other places, suggestions that are accepted, files that are saved, closed and opened again.
`private` is what no other process shares.  Of `own` the server's launcher shares some as long
as neither writes to it, as Python does now and then when it looks for garbage: private grows
then, and own does not.  `--curve` keeps the memory of every ten seconds.
"""

import argparse
import asyncio
import json
import random
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import frame
from keystrokes import SOURCE, Editor, gap, processes_of
from lsprotocol import types
from wicket.server import machine

# Lines that are typed at a time, and the chances of what people do besides.
LINES = (3, 12)
MISTAKE, ACCEPT, CLOSE, SAVE = 0.03, 0.3, 0.3, 0.3
SAMPLE_SECONDS = 10.0


class Typist:
    """Types into the files of a folder."""

    def __init__(self, editor: Editor, folder: Path, seed: int) -> None:
        self.editor, self.chance = editor, random.Random(seed)
        self.texts = {path: path.read_text() for path in sorted(folder.glob("*.py"))}
        self.open: set[Path] = set()
        self.keys = self.answered = self.accepted = 0

    async def session(self, until: float) -> None:
        """Some lines of some file, as long as there is time."""
        path = self.chance.choice(list(self.texts))
        lines = self.texts[path].splitlines(keepends=True)
        count = self.chance.randint(*LINES)
        first = self.chance.randrange(max(1, len(lines) - count))
        gone = "".join(lines[first : first + count])
        self.show(path)
        self.editor.change(
            types.Range(types.Position(first, 0), types.Position(first + count, 0)), ""
        )
        at, typed = types.Position(first, 0), ""
        while len(typed) < len(gone):
            item = await self._key(at, gone[len(typed)])
            typed += gone[len(typed)]
            at = _after(at, typed[-1])
            said = str(item.insert_text) if item else ""
            if said and gone.startswith(typed + said) and self.chance.random() < ACCEPT:
                self.editor.insert(at, said)
                self.editor.accepted(item)
                self.accepted += 1
                typed += said
                at = _after(at, said)
            if time.monotonic() > until:
                break
        self.editor.insert(at, gone[len(typed) :])
        if self.chance.random() < SAVE:
            self.editor.save()
        if self.chance.random() < CLOSE:
            self.editor.shut()
            self.open.discard(path)

    async def _key(self, at: types.Position, key: str) -> Any:
        """One key, perhaps after a wrong one; the item that follows it, if any."""
        if self.chance.random() < MISTAKE and key != "\n":
            self.editor.insert(at, "#")
            await self._ask(_after(at, "#"))
            self.editor.change(types.Range(at, _after(at, "#")), "")
            await self._ask(at)
        self.editor.insert(at, key)
        return await self._ask(_after(at, key))

    async def _ask(self, at: types.Position) -> Any:
        self.keys += 1
        pause = asyncio.ensure_future(asyncio.sleep(gap(self.chance)))
        answer = await self.editor.ask(at)
        await pause
        items = answer.items if answer else []
        self.answered += bool(items)
        return items[0] if items else None

    def show(self, path: Path) -> None:
        if path in self.open:
            self.editor.uri = path.as_uri()
        else:
            self.open.add(path)
            self.editor.open(self.texts[path], path.as_uri())


def _after(at: types.Position, text: str) -> types.Position:
    """The position behind `text` that was inserted at `at`; in UTF-16, as LSP has it."""
    last = text.rpartition("\n")[2]
    width = len(last.encode("utf-16-le")) // 2
    rows = text.count("\n")
    return types.Position(at.line + rows, width if rows else at.character + width)


async def measure(minutes: float, seed: int, curve: str) -> dict[str, float]:
    samples: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory(prefix="wb", dir="/tmp") as folder:
        files = Path(folder) / "asyncio"
        shutil.copytree(SOURCE.parent, files, ignore=shutil.ignore_patterns("__pycache__"))
        editor = Editor(folder)
        await editor.start(str(files))
        typist = Typist(editor, files, seed)
        # Every file is open once, and a first suggestion starts the engine.
        for path in typist.texts:
            typist.show(path)
        await typist.session(time.monotonic())
        await asyncio.wait_for(editor.ready.wait(), 60)
        lsp, engine = processes_of(folder)
        began = time.monotonic()
        until = began + 60 * minutes

        async def watch() -> None:
            while True:
                samples.append(
                    {
                        "minute": (time.monotonic() - began) / 60,
                        "lsp_mb": machine.private_bytes(lsp.pid) / 1e6,
                        "lsp_own_mb": own_bytes(lsp.pid) / 1e6,
                        "engine_mb": machine.private_bytes(engine.pid) / 1e6,
                        "keys": typist.keys,
                    }
                )
                if curve:
                    _keep(curve, samples[-1])
                await asyncio.sleep(SAMPLE_SECONDS)

        watching = asyncio.ensure_future(watch())
        while time.monotonic() < until:
            await typist.session(until)
        watching.cancel()
        figures = {
            "minutes": (time.monotonic() - began) / 60,
            "keys": typist.keys,
            "with_item": typist.answered,
            "accepted": typist.accepted,
            **_memory("lsp", [one["lsp_mb"] for one in samples]),
            **_memory("lsp_own", [one["lsp_own_mb"] for one in samples]),
            **_memory("engine", [one["engine_mb"] for one in samples]),
            "lsp_cpu_s": sum(lsp.cpu_times()[:2]),
        }
        await editor.close()
        engine.terminate()
        engine.wait(10)
    return figures


def own_bytes(pid: int) -> int:
    """Memory that comes from no file, shared or not."""
    said = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(kb) << 10 for kb in re.findall(r"^Anonymous:\s+(\d+) kB", said, re.M))


def _keep(curve: str, sample: dict[str, float]) -> None:
    with open(curve, "a") as file:
        print(json.dumps(sample), file=file)


def _memory(name: str, mb: Sequence[float]) -> dict[str, float]:
    """Medians of the second and the last quarter, for the first holds the start; the most."""
    quarter = max(1, len(mb) // 4)
    return {
        f"{name}_second_quarter_mb": statistics.median(mb[quarter : 2 * quarter] or mb),
        f"{name}_last_quarter_mb": statistics.median(mb[-quarter:]),
        f"{name}_most_mb": max(mb),
    }


def run(asked: argparse.Namespace) -> dict[str, float]:
    return asyncio.run(measure(asked.minutes, asked.seed, asked.curve))


if __name__ == "__main__":
    frame.main(
        __doc__,
        run,
        ("--minutes", 60.0, "of typing"),
        ("--curve", "", "a file for the memory of every ten seconds, as lines of JSON"),
        runs=1,
    )
