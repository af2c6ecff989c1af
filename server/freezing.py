"""The gate's emergency brake: a file that says why nothing may be sent, for as long as it is there.

A file works where no gate runs, outlives every gate, and an administrator can put one, too.
"""

import os
from pathlib import Path

from .paths import Paths, private_directory, private_file
from .settings_checks import plain

# Seconds between two looks at the files: sends end within one second.
LOOK_SECONDS = 0.25
LONGEST_REASON = 200


def why(paths: Paths) -> str | None:
    """Why nothing may be sent, or None.  A file that cannot be read counts."""
    for place, who in ((managed(paths), "the administrator"), (own(paths), "you")):
        try:
            with open(place, "rb") as file:
                said = file.read(LONGEST_REASON).decode("utf-8", "replace").strip()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            return f"{place} cannot be read: {error.strerror}"
        return f"by {who}{f': {plain(said)}' if said else ''}"
    return None


def change(paths: Paths, frozen: bool, reason: str) -> None:
    """Freeze, or thaw what this user froze.  Raises OSError and UnsafePath."""
    place = own(paths)
    if not frozen:
        place.unlink(missing_ok=True)
        return
    private_directory(place.parent)
    with private_file(place, "wb") as file:
        file.write(reason[:LONGEST_REASON].encode("utf-8", "replace"))
        file.flush()
        os.fsync(file.fileno())


def own(paths: Paths) -> Path:
    return paths.gate / "frozen"


def managed(paths: Paths) -> Path:
    return paths.managed / "frozen"
