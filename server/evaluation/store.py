"""Answers that are done: an evaluation that was interrupted goes on where it stood.

A file of JSON lines per contender and repository, named by everything that an answer
depends on, the code of this package included; only this user may read it, for what a
model said is somebody's source code.
"""

import contextlib
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ...completion.holes import digest
from ..paths import Paths, private_directory, private_file

ROOT = Path(__file__).parents[2]
# What decides about an answer to a hole; how holes are made and judged does not.
CODE = ("completion/**/*.py", "indexing/**/*.py", "server/evaluation/contenders.py")
BESIDES = ("holes.py", "blemishes.py", "metrics.py")


class Store:
    """What was said to each hole, by its id.  Raises UnsafePath and OSError."""

    def __init__(self, paths: Paths, about: Mapping[str, Any], fresh: bool = False) -> None:
        named = digest(json.dumps(about, sort_keys=True), code_hash())[:32]
        folder = private_directory(paths.cache / "evaluation")
        self.reused = 0
        self._rows: dict[str, dict[str, Any]] = {}
        self._path = folder / f"{named}.jsonl"
        if fresh:
            self._path.unlink(missing_ok=True)
        self._file: BinaryIO = private_file(self._path)
        self._read()

    def find(self, hole: str) -> dict[str, Any] | None:
        found = self._rows.get(hole)
        self.reused += found is not None
        return found

    def keep(self, hole: str, said: Mapping[str, Any]) -> None:
        self._rows[hole] = dict(said)
        line = json.dumps({"hole": hole, **said}, ensure_ascii=False)
        self._file.write(line.encode("utf-8", "replace") + b"\n")
        # An interrupted run loses the hole at work, not those before it.
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def _read(self) -> None:
        data = self._path.read_bytes()
        for line in data.splitlines():
            # The last line of a run that was killed may be half a line.
            with contextlib.suppress(ValueError, KeyError, TypeError):
                said = json.loads(line)
                self._rows[said.pop("hole")] = said
        if data and not data.endswith(b"\n"):
            self._file.write(b"\n")


@functools.cache
def code_hash() -> str:
    """Names the code that answers: with one line of it changed, all is asked again.

    Once in a process: what is edited meanwhile is not what runs.
    """
    files = sorted(f for pattern in CODE for f in ROOT.glob(pattern) if f.name not in BESIDES)
    return digest(*(file.read_text("utf-8") for file in files))
