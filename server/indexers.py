"""The index processes of one editor: one for each folder, told what is open and listened to.

What goes wrong with an index is one line in the log; completion goes on without it.
"""

import asyncio
import contextlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from lsprotocol import types

from ..completion.client import EngineGone
from ..indexing.languages import LANGUAGES
from . import index_process, processes
from .documents import file_path
from .index import Order, order, readable, relative
from .paths import UnsafePath
from .protocol import WicketServer
from .session import Session

logger = logging.getLogger(__name__)

TITLE = "Wicket: indexing"
# Fewer files are done before anybody could read that they are being indexed.
WORTH_SHOWING = 100
# For the editor to answer that it will show progress.
ANSWER_SECONDS = 5.0
# Before another try, where the process cannot be started.
RETRY_SECONDS = 30.0


class Indexers:
    """Keeps a connection to the index process of every folder of the workspace."""

    def __init__(self, server: WicketServer, session: Session) -> None:
        self._server, self._session = server, session
        self._folders: dict[Order, tuple[asyncio.Task[None], _Connection]] = {}

        @server.feature(types.TEXT_DOCUMENT_DID_OPEN)
        def opened(_params: types.DidOpenTextDocumentParams) -> None:
            self._tell_open()

        @server.feature(types.TEXT_DOCUMENT_DID_CLOSE)
        def closed(_params: types.DidCloseTextDocumentParams) -> None:
            self._tell_open()

        @server.feature(types.WORKSPACE_DID_CHANGE_WATCHED_FILES)
        def changed(params: types.DidChangeWatchedFilesParams) -> None:
            self._changed(params)

    def start(self) -> None:
        """Begin, once the editor is ready to be asked."""
        self.follow()
        self._asking = asyncio.ensure_future(self._ask_for_hints())

    def follow(self) -> None:
        """Index the folders that are open now, under the settings of now, and no others."""
        wanted = {told: None for folder in self._roots() if (told := self._order(folder))}
        for told in self._folders.keys() - wanted.keys():
            self._folders.pop(told)[0].cancel()
        for told in wanted.keys() - self._folders.keys():
            connection = _Connection(self._server, self._session, told)
            self._folders[told] = asyncio.ensure_future(connection.keep()), connection
        self._tell_open()

    def states(self) -> Mapping[Path, Mapping[str, Any]]:
        """What each folder's process said last."""
        return {told.root: connection.said for told, (_, connection) in self._folders.items()}

    def _roots(self) -> list[Path]:
        startup = self._session.completions.startup
        if not readable(startup):
            return []
        folders = [file_path(uri) for uri in self._server.documents.folders]
        # Questions look into other clones, too: what the user names is kept as true.
        folders += (
            [place for place in startup.effective.settings.repository if place.is_dir()]
            if any(folders)
            else []
        )
        home = os.path.realpath(startup.paths.home)
        # A home directory that was opened is not one project, and never one's source only.
        return [
            folder
            for folder in folders
            if folder and not Path(home).is_relative_to(os.path.realpath(folder))
        ]

    def _order(self, folder: Path) -> Order | None:
        try:
            return order(self._session.completions.startup, folder)
        except UnsafePath as error:
            logger.warning("index: %s", error)
            return None

    def _tell_open(self) -> None:
        # The last one opened is looked at now.
        uris = reversed(tuple(self._server.documents.open_now))
        paths = [path for uri in uris if (path := file_path(uri))]
        for _task, connection in self._folders.values():
            connection.open = relative(connection.order.root, paths)
            connection.send("open", connection.open)

    def _changed(self, params: types.DidChangeWatchedFilesParams) -> None:
        paths = [path for change in params.changes if (path := file_path(change.uri))]
        for _task, connection in self._folders.values():
            connection.send("changed", relative(connection.order.root, paths))

    async def _ask_for_hints(self) -> None:
        """Have the editor say which source files change, if it can."""
        workspace = self._server.client_capabilities.workspace
        able = workspace and workspace.did_change_watched_files
        if not able or not able.dynamic_registration:
            return
        suffixes = sorted({s.lstrip(".") for row in LANGUAGES.values() for s in row.suffixes})
        names = sorted({name for row in LANGUAGES.values() for name in row.names})
        globs = [f"**/*.{{{','.join(suffixes)}}}", *(f"**/{n}" for n in (*names, ".gitignore"))]
        options = types.DidChangeWatchedFilesRegistrationOptions(
            [types.FileSystemWatcher(glob) for glob in globs]
        )
        method = types.WORKSPACE_DID_CHANGE_WATCHED_FILES
        registration = types.Registration("wicket.files", method, options)
        with contextlib.suppress(Exception):  # Whatever the client answers.
            await self._server.client_register_capability_async(
                types.RegistrationParams([registration])
            )
            for _task, connection in self._folders.values():
                connection.watching = True
                connection.send("watching")


class _Connection:
    """The conversation with one index process, begun anew whenever it ends."""

    def __init__(self, server: WicketServer, session: Session, told: Order) -> None:
        self.order = told
        self.open: Sequence[str] = ()
        self.watching = False
        self.said: Mapping[str, Any] = {"state": "waiting"}
        self._progress = _Progress(server, told.root.name, self.send)
        self._writer: asyncio.StreamWriter | None = None
        self._opened = asyncio.Event()
        self._starter = processes.Starter(
            told.socket,
            processes.command("index", "--started", told.write()),
            session.completions.startup.paths.logs / "index.log",
            spawn=session.completions.spawn,
        )

    async def keep(self) -> None:
        """Stay connected until cancelled; never raises."""
        while True:
            try:
                reader, self._writer = await self._starter.connect()
                self.send("open", self.open)
                if self.watching:
                    self.send("watching")
                while line := await reader.readline():
                    await self._hear(json.loads(line))
            except EngineGone as error:
                logger.warning("index: %s", str(error).replace("the engine", "the index process"))
            except (OSError, ValueError) as error:
                logger.warning("index: the connection broke (%s)", type(error).__name__)
            finally:
                if self._writer:
                    self._writer.close()
                self._writer = None
                await self._progress.end()
            self._opened.clear()
            self._starter.note_loss()
            if self._starter.left:
                # Somebody stopped it: the next file that is opened starts it again.
                await self._opened.wait()
            else:
                await asyncio.sleep(RETRY_SECONDS)

    def send(self, do: str, paths: Sequence[str] = ()) -> None:
        if do == "open":
            self._opened.set()
        if self._writer and not self._writer.is_closing() and (paths or do != "changed"):
            self._writer.write(index_process.to_line(do, paths))

    async def _hear(self, said: dict[str, Any]) -> None:
        self.said = said
        match said:
            case {"state": "indexing", "done": int(done), "total": int(total)}:
                await self._progress.show(done, total)
            case {"state": "off", "reason": str(reason)}:
                logger.warning("index: %s", reason)
                await self._progress.end()
            case _:
                await self._progress.end()


class _Progress:
    """`$/progress` of a run, which the user may cancel; nothing where the editor has none."""

    def __init__(self, server: WicketServer, name: str, send: Any) -> None:
        self._server, self._name, self._send = server, name, send
        self._token: str | None = None
        self._number = 0

    async def show(self, done: int, total: int) -> None:
        percentage = 100 * done // max(total, 1)
        message = f"{done} of {total} files of {self._name}"
        progress: Any = self._server.work_done_progress
        if self._token is None:
            window = self._server.client_capabilities.window
            if total - done < WORTH_SHOWING or not window or not window.work_done_progress:
                return
            self._number += 1
            token = f"wicket-index-{self._name}-{self._number}"
            try:
                await asyncio.wait_for(progress.create_async(token), ANSWER_SECONDS)
            except Exception:  # Whatever the client answers.
                return
            self._token = token
            begin = types.WorkDoneProgressBegin(
                title=TITLE, cancellable=True, message=message, percentage=percentage
            )
            progress.begin(token, begin)
            progress.tokens[token].add_done_callback(self._ended)
            return
        made = types.WorkDoneProgressReport(
            cancellable=True, message=message, percentage=percentage
        )
        progress.report(self._token, made)

    async def end(self) -> None:
        token, self._token = self._token, None
        if token is not None:
            self._server.work_done_progress.end(token, types.WorkDoneProgressEnd())

    def _ended(self, future: "Future[None]") -> None:
        if future.cancelled():
            self._send("cancel")
