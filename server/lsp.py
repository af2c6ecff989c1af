"""`wicket lsp`: put together what serves one editor, limit it, and serve it."""

import argparse
import contextlib
import gc
import logging
import sys
from functools import partial
from pathlib import Path
from typing import Any, cast

from ..completion.client import EngineGone
from . import app, jsonrpc, launcher, limits, logs
from .app import Startup
from .paths import UnsafePath, private_directory, socket_directory
from .session import Session
from .settings_rows import is_path

logger = logging.getLogger(__name__)

# Python's own is five times that, which shows in how late an answer to a key is.
SWITCH_SECONDS = 0.001


def run(arguments: argparse.Namespace) -> int:
    if sys.stdin.isatty():
        print("wicket lsp: an editor starts this and talks LSP to it", file=sys.stderr)
    # A thread that looks up a context gives way to what the editor says.
    sys.setswitchinterval(SWITCH_SECONDS)
    startup = app.start()
    completions = app.Completions(startup)
    # The engine loads its model while this process still imports its own libraries.
    completions.spawn = launcher.fork(partial(_start_ahead, completions)).spawn
    logs.log_to(startup.paths.logs / "lsp.log", startup.effective.settings.log.level)
    # Imported late for the same reason: pygls takes most of our own start.
    from .features import serve  # noqa: PLC0415

    # What was imported stays.  Searching it for garbage again and again takes tens of
    # milliseconds in the midst of an answer, and writes to pages that others share.
    gc.freeze()
    return serve(Session(completions), arguments.clientProcessId, partial(_limit, startup))


def _start_ahead(completions: app.Completions) -> None:
    # What is wrong is said when the editor asks.
    if completions.startup.effective.settings.completion.enabled:
        with contextlib.suppress(EngineGone):
            completions.starter.ahead()


def _limit(startup: Startup, first: bytes) -> None:
    """Give up all but our own directories and the folders of the editor's first message."""
    paths, own = startup.paths, startup.effective.settings.engine.models.values()
    # A rule can only speak of what exists: what may come later is made now.  What cannot
    # be made, or is open to others, is said by whoever needs it.
    kept = (paths.logs, paths.stats, paths.cache, paths.undone_in_editors)
    for place in (paths.config, paths.pulled_models, *kept):
        with contextlib.suppress(UnsafePath):
            private_directory(place)
    try:
        sockets = socket_directory(paths)
    except UnsafePath:
        sockets = paths.state / "run"
    models = [source.path for source in own if source.path]
    if is_path(startup.model):
        models.append(Path(startup.model))
    others = startup.effective.settings.repository
    level = limits.apply(limits.lsp(paths, sockets, [*folders(first), *others], models))
    logger.info("limits: %s", level.shown)


def folders(first: bytes) -> list[Path]:
    """The folders that a first message opens; none where it is no `initialize`.

    LSP adds some later, too: their files are not needed, as documents come as text.
    """
    # Imported late: LSP's types are most of our memory, and the launcher needs none.
    from .documents import file_path  # noqa: PLC0415

    message = jsonrpc.read(first)
    if not isinstance(message, jsonrpc.Request) or message.method != "initialize":
        return []
    said: object = message.params
    params = cast(dict[str, Any], said) if isinstance(said, dict) else {}
    named: list[object] = [params.get("rootUri")]
    if isinstance(rows := params.get("workspaceFolders"), list):
        for row in cast(list[object], rows):
            named.append(cast(dict[str, Any], row).get("uri") if isinstance(row, dict) else None)
    found = [file_path(uri) for uri in named if isinstance(uri, str)]
    if isinstance(root := params.get("rootPath"), str) and root.startswith("/"):
        found.append(Path(root))
    return [path for path in found if path is not None]
