"""`wicket lsp`: put together what serves one editor, and serve it."""

import argparse
import contextlib
import sys
import threading

from ..completion.client import EngineGone
from . import app, logs
from .session import Session


def run(arguments: argparse.Namespace) -> int:
    if sys.stdin.isatty():
        print("wicket lsp: an editor starts this and talks LSP to it", file=sys.stderr)
    startup = app.start()
    logs.log_to(startup.paths.logs / "lsp.log", startup.effective.settings.log.level)
    completions = app.Completions(startup)
    # The engine loads its model while this process still imports its own libraries.
    if startup.effective.settings.completion.enabled:
        threading.Thread(target=_start_ahead, args=(completions,), daemon=True).start()
    # Imported late for the same reason: pygls takes most of our own start.
    from .features import serve  # noqa: PLC0415

    return serve(Session(completions), arguments.clientProcessId)


def _start_ahead(completions: app.Completions) -> None:
    # What is wrong is said when the editor asks.
    with contextlib.suppress(EngineGone):
        completions.starter.ahead()
