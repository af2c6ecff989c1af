"""Where the gate keeps what providers can do; what cannot be read is not known."""

import contextlib
import json

from ..escalation import abilities
from ..escalation.abilities import Kept
from .paths import Paths, UnsafePath, private_directory
from .settings_file import replace

LARGEST = 1 << 20


def kept(paths: Paths) -> Kept:
    """Never raises."""
    with (
        contextlib.suppress(OSError, ValueError, RecursionError),
        open(paths.abilities, "rb") as file,
    ):
        return abilities.read(json.loads(file.read(LARGEST)))
    return Kept()


def keep(paths: Paths, found: Kept) -> None:
    """Never raises: what was found is told all the same."""
    with contextlib.suppress(OSError, UnsafePath):
        private_directory(paths.abilities.parent)
        replace(paths.abilities, json.dumps(abilities.as_json(found)).encode())
