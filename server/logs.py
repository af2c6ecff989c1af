"""Our own log files: private, small, and never a word of source code."""

import io
import logging
import logging.handlers
from pathlib import Path

from ..completion.private import make_private
from .paths import private_file

# Five files of a megabyte each.
FILE_BYTES = 1_000_000
FILES = 5


class _PrivateRotatingFile(logging.handlers.RotatingFileHandler):
    def _open(self):
        return io.TextIOWrapper(private_file(Path(self.baseFilename)), encoding="utf-8")


def log_to(path: Path, level: str = "warning") -> None:
    """Send this process's log to `path`; a full disk or a read-only home loses it quietly."""
    logging.raiseExceptions = False
    root = logging.getLogger()
    root.setLevel(getattr(logging, level.upper(), logging.WARNING))
    try:
        make_private(path.parent)
        handler: logging.Handler = _PrivateRotatingFile(
            path, maxBytes=FILE_BYTES, backupCount=FILES - 1, delay=True
        )
    except OSError:
        handler = logging.NullHandler()
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s")
    )
    root.handlers[:] = [handler]
