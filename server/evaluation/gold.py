"""A process that says what hidden texts cost a model, and how it is asked.

One JSON object per line goes in, a request as the engine got it with `gold` beside it; one
comes out, with `bits` or null.  The first that comes out says `ready` or `error`.  It is a
process of its own because no model runs in the one that evaluates.
"""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

from ...completion.client import EngineGone
from ...completion.models import Model
from ...completion.wire import (
    LINE_LIMIT,
    Complete,
    Malformed,
    from_line,
    read_request,
    to_line,
    write_request,
)
from .. import perimeter, processes
from ..engine import threads_for
from .contenders import Bits


@contextlib.asynccontextmanager
async def started(model: Model) -> AsyncGenerator[Bits]:
    """Start the process for a model on this machine.  Raises EngineGone."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-m", __name__, str(model.path), str(threads_for(model.path))),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=LINE_LIMIT,
        env=processes.environment(os.environ),
    )
    writing, reading = process.stdin, process.stdout
    assert writing is not None, "it was asked for a pipe"
    assert reading is not None, "it was asked for a pipe"

    async def heard() -> dict[str, object]:
        try:
            said = from_line(await reading.readline())
        except Malformed:
            raise EngineGone("the process that counts bits ended; leave --bits out") from None
        if "error" in said:
            raise EngineGone(str(said["error"]))
        return said

    async def bits(request: Complete, gold: str) -> float | None:
        writing.write(to_line(from_line(write_request(request)) | {"gold": gold}))
        found = (await heard())["bits"]
        return found if isinstance(found, float) else None

    try:
        await heard()
        yield bits
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def serve(path: Path, threads: int) -> None:
    """Answer what comes on standard input, until it ends."""
    # Whatever native code prints must not get between the lines.
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    # Needs numpy, after the environment is set.
    from ...completion.engine import BackendError  # noqa: PLC0415
    from ...completion.scoring import Scorer  # noqa: PLC0415

    try:
        scorer = Scorer(path, threads=threads)
    except BackendError as error:
        out.write(to_line({"error": str(error)}))
        return
    out.write(to_line({"ready": True}))
    for line in sys.stdin.buffer:
        request = read_request(line)
        assert isinstance(request, Complete)
        out.write(to_line({"bits": scorer.bits(request, str(json.loads(line)["gold"]))}))


if __name__ == "__main__":
    perimeter.enclose()
    serve(Path(sys.argv[1]), int(sys.argv[2]))
