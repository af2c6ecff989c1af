"""Log lines that say where something went wrong, never in which text.

Messages of exceptions and of pygls quote documents and requests.
"""

import asyncio
import logging
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


def where(error: BaseException) -> str:
    """The kind of an error and the line of code that raised it."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    if trace is None:
        return type(error).__name__
    file = Path(trace.tb_frame.f_code.co_filename).name
    return f"{type(error).__name__} at {file}:{trace.tb_lineno}"


def report(what: str, error: BaseException) -> None:
    logger.error("%s: %s", what, where(error))


def in_loop(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An exception handler of event loops; asyncio's own prints arguments."""
    error: BaseException | None = context.get("exception")
    logger.error("event loop: %s", where(error) if error else "no exception")


def hush(name: str) -> None:
    """Let a chatty logger and all below it say only where they had a warning."""
    chatty = logging.getLogger(name)
    chatty.setLevel(logging.WARNING)
    chatty.propagate = False
    chatty.handlers[:] = [_Place()]


class _Place(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[0] if record.exc_info else None
        what = error.__name__ if error else "see there"
        logger.log(record.levelno, "%s:%d: %s", record.name, record.lineno, what)
