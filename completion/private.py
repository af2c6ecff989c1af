"""Directories that only their user may enter, from the first one that is made."""

import os
from pathlib import Path


def make_private(path: Path) -> None:
    """Like `mkdir -p`, but every directory made on the way is 0700.  Raises OSError.

    Python's own leaves the ones above open to others, and who meets such a directory
    later cannot know what was left in it.
    """
    missing = [path]
    while not os.path.lexists(missing[-1].parent):
        missing.append(missing[-1].parent)
    for directory in reversed(missing):
        try:
            os.mkdir(directory, 0o700)
        except FileExistsError:
            continue  # It was there, or another process was first.
