"""Where the gate keeps the yeses that hold on, and how they are taken back.

What cannot be read is no yes, and what cannot be written is asked about again.
"""

import contextlib
import json
from collections.abc import Sequence

from ..escalation import standing
from ..escalation.standing import Standing
from .paths import Paths, UnsafePath, private_directory
from .settings_file import replace

LARGEST = 1 << 20


def kept(paths: Paths) -> list[Standing]:
    """Never raises."""
    with (
        contextlib.suppress(OSError, ValueError, RecursionError),
        open(paths.standing, "rb") as file,
    ):
        return standing.read(json.loads(file.read(LARGEST)))
    return []


def keep(paths: Paths, yeses: Sequence[Standing]) -> None:
    """Never raises."""
    with contextlib.suppress(OSError, UnsafePath):
        private_directory(paths.standing.parent)
        replace(paths.standing, json.dumps(standing.as_json(yeses)).encode())


def forget(paths: Paths) -> int:
    """Take all of them back; how many there were.  Raises OSError."""
    number = len(kept(paths))
    paths.standing.unlink(missing_ok=True)
    return number
