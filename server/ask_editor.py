"""`wicket.ask` in the editor: the same question and the same yes, the answer in a document.

Where the client can, the document is a virtual one that grows by notifications; elsewhere it
is a file that only its user can read, opened by `window/showDocument`.
"""

import asyncio
import contextlib
import logging
import os
import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

from lsprotocol import types

from . import approval
from .ask import Answer, NoAnswer, Piece, Question, Yes, ask
from .ask_places import inert
from .documents import file_path
from .paths import UnsafePath, answers_in, private_directory, socket_directory
from .protocol import WicketServer
from .session import Session
from .settings_checks import plain

logger = logging.getLogger(__name__)

# Server to client: {id, uri, text, done}, the whole text so far.
NEWS = "wicket/answer"
SEND, ALWAYS, SHOW, REFUSE = "Send", "Send for 30 days", "Show every byte", "Don't send"
# Seconds between two states of a growing document.
PAINT_SECONDS = 0.15
# Conversations that can be gone on with.
REMEMBERED = 8


# Conversations by the name of their latest answer, the latest last.
Conversations = OrderedDict[str, tuple[Question, Answer]]


async def converse(
    server: WicketServer, session: Session, said: object, earlier: Conversations
) -> dict[str, Any]:
    """`{question, uri, range, again}`; answers `{id, uri, status, why}` at the end."""
    desk = Desk(server, session, f"answer-{secrets.token_hex(4)}")
    try:
        question = _question(server, as_dict(said), earlier)
        await desk.begin(question.text)
        answer = await _cancellable(server, session, question, desk)
    except NoAnswer as error:
        await desk.end(str(error))
        return {"id": None, "uri": desk.uri, "status": "refused", "why": str(error)}
    except asyncio.CancelledError:
        await desk.end("cancelled")
        raise
    if answer is None:
        await desk.end("not sent")
        return {"id": None, "uri": desk.uri, "status": "declined", "why": None}
    await desk.finish(answer, question.folder)
    earlier[desk.name] = question, answer
    while len(earlier) > REMEMBERED:
        earlier.popitem(last=False)
    return {"id": desk.name, "uri": desk.uri, "status": answer.status, "why": answer.why}


async def _cancellable(
    server: WicketServer, session: Session, question: Question, desk: "Desk"
) -> Answer | None:
    """The flow, which the editor's progress can cancel."""
    startup = session.completions.startup
    # As they are now: threads read them while the person goes on typing.
    typed = {
        path: document.data
        for uri, document in server.documents.open_now.items()
        if (path := file_path(uri)) is not None
    }
    work = asyncio.ensure_future(ask(question, startup, desk, session.completions.spawn, typed.get))
    await desk.show_progress(work)
    try:
        return await work
    except asyncio.CancelledError:
        work.cancel()
        raise


def _question(
    server: WicketServer,
    row: Mapping[str, Any],
    earlier: Mapping[str, tuple[Question, Answer]],
) -> Question:
    """Raises NoAnswer for what makes no sense."""
    text = row.get("question")
    if not isinstance(text, str) or not text.strip():
        raise NoAnswer("say what you want to know")
    if (again := row.get("again")) is not None:
        if again not in earlier:
            raise NoAnswer("that answer is not known any more; ask anew")
        before, answer = earlier[again]
        said = (*before.earlier, (before.text, answer.text))
        return Question(
            text, before.folder, before.pieces, said, answer.documents, editor=before.editor
        )
    uri = row.get("uri")
    folder = folder_of(server, uri if isinstance(uri, str) else None)
    pieces: tuple[Piece, ...] = ()
    if isinstance(uri, str) and (document := server.document(uri)):
        lines = document.text.split("\n")
        first, last = selected_lines(row.get("range"), len(lines))
        path = server.documents.relative_path(uri)
        pieces = (Piece(path, "\n".join(lines[first - 1 : last]), first, last),)
    return Question(text, folder, pieces, editor=("editor", ""))


def folder_of(server: WicketServer, uri: str | None) -> Path:
    """The open folder that the document lies in, else the first.  Raises NoAnswer."""
    found = [path for path in map(file_path, server.documents.folders) if path is not None]
    file = file_path(uri) if uri else None
    around = [folder for folder in found if file and folder in file.parents]
    if not found:
        raise NoAnswer("no folder is open; a question is about one")
    return max(around, key=lambda folder: len(folder.parts), default=found[0])


def selected_lines(said: object, count: int) -> tuple[int, int]:
    """An LSP range as first and last line, from 1; all of them for none."""
    row = as_dict(said)
    start, end = as_dict(row.get("start")), as_dict(row.get("end"))
    first, last = start.get("line"), end.get("line")
    if type(first) is not int or type(last) is not int or not 0 <= first <= last:
        return 1, count
    # A selection of whole lines ends at the start of the next.
    last = last - 1 if end.get("character") == 0 and last > first else last
    return min(first + 1, count), min(last + 1, count)


def _cancel(work: asyncio.Future[Any], token: asyncio.Future[Any]) -> None:
    """The editor's button cancels the future of its progress."""
    if token.cancelled():
        work.cancel()


def as_dict(said: object) -> dict[str, Any]:
    """JSON objects come as dictionaries or, within commands, as named tuples."""
    if isinstance(said, dict):
        return cast(dict[str, Any], said)
    given = getattr(said, "_asdict", None)
    return cast(dict[str, Any], given()) if callable(given) else {}


class Desk:
    """One answer in the editor.  Never a popup but the question itself."""

    def __init__(self, server: WicketServer, session: Session, name: str) -> None:
        self.name, self.uri = name, f"wicket-answer:/{name}.md"
        self._server, self._session = server, session
        self._title = self._text = self._notes = ""
        self._painted = 0.0
        self._later: asyncio.TimerHandle | None = None
        self._file: Path | None = None
        self._token: str | None = None

    async def begin(self, question: str) -> None:
        """Show an empty document, so that the answer is seen to grow."""
        self._title = " ".join(approval.visible(question).split())[:200]
        await self.open(self.name, ".md", self._page())

    async def show_progress(self, work: asyncio.Future[Any], title: str = "Wicket: asking") -> None:
        """A progress that cancels `work`, where the client shows any."""
        if not self._can("work_done_progress"):
            return
        # pygls leaves the types of its futures open.
        token, progress = self.name, cast(Any, self._server.work_done_progress)
        with contextlib.suppress(Exception):  # Without it the answer comes all the same.
            await progress.create_async(token)
            progress.begin(token, types.WorkDoneProgressBegin(title, cancellable=True))
            progress.tokens[token].add_done_callback(partial(_cancel, work))
            self._token = token

    async def approve(self, prepared: Mapping[str, Any]) -> Yes:
        if prepared["decision"] == "allow":
            return "auto"
        text = "\n".join(approval.summary(prepared))
        answers: dict[str | None, Yes] = {SEND: "user", ALWAYS: "standing"}
        while True:
            said = await self.choose(text, SEND, ALWAYS, SHOW, REFUSE)
            if said != SHOW:
                return answers.get(said, "")
            await self.open(
                f"{self.name}-request", ".txt", approval.exact(prepared["request_base64"])
            )

    async def widen(self, why: str) -> bool:
        return await self.choose(f"{plain(why, 400)}; send it all the same?", SEND, REFUSE) == SEND

    def hear(self, text: str) -> None:
        self._text += text
        self._paint_soon()

    def note(self, what: str) -> None:
        if self._token is not None:
            report = types.WorkDoneProgressReport(message=plain(what))
            self._server.work_done_progress.report(self._token, report)

    async def finish(self, answer: Answer, folder: Path) -> None:
        """The whole answer, where it points to, and what was sent for it."""
        sent = "\n\n".join(approval.exact(request) for request in answer.requests)
        place = self._write(f"{self.name}-sent.txt", sent)
        rows = [
            f"- [{plain(one.label)}]({(folder / one.path).as_uri()}#L{one.line}) {plain(one.path)}"
            for one in answer.places
        ]
        notes = ["", "## Places", *rows] if rows else []
        numbers = " ".join(str(number) for number in answer.records)
        what = f"[what exactly]({place.as_uri()})" if place else "`--payload` says what exactly"
        notes += [
            "",
            "---",
            f"{answer.status}: {approval.count(len(answer.requests), 'request')} left, {what}; "
            f"on record as `wicket audit show {numbers}`.",
        ]
        self._notes = "\n".join(notes)
        await self.end(answer.why)

    async def end(self, why: str | None) -> None:
        if not self._title:
            return  # Nothing was begun, so there is no document to end.
        if why:
            self._notes = f"\n\n*{plain(why, 400)}*\n{self._notes}"
        if self._later is not None:
            self._later.cancel()
        self._paint(done=True)
        self.end_progress()

    def end_progress(self) -> None:
        if self._token is not None:
            with contextlib.suppress(Exception):  # It was cancelled by the editor.
                self._server.work_done_progress.end(self._token, types.WorkDoneProgressEnd())
            self._token = None

    def _page(self) -> str:
        return f"# {inert(self._title)}\n\n{inert(self._text)}\n{self._notes}\n"

    def _paint_soon(self) -> None:
        """Now, or when the last state has been seen for a moment."""
        if self._later is None:
            wait = max(0.0, self._painted + PAINT_SECONDS - time.monotonic())
            self._later = asyncio.get_running_loop().call_later(wait, self._paint)

    def _paint(self, done: bool = False) -> None:
        self._later, self._painted = None, time.monotonic()
        page = self._page()
        if self._file is not None:
            self._write(self._file.name, page)
        news = {"id": self.name, "uri": self.uri, "text": page, "done": done}
        self._server.protocol.notify(NEWS, news)

    async def open(self, name: str, suffix: str, text: str) -> None:
        """Show a document: a virtual one, or a file."""
        if self._virtual:
            uri = f"wicket-answer:/{name}{suffix}"
            self._server.protocol.notify(
                NEWS, {"id": name, "uri": uri, "text": text, "done": False}
            )
            return
        place = self._write(f"{name}{suffix}", text)
        if place is None:
            return
        if name == self.name:
            self._file, self.uri = place, place.as_uri()
        if self._can("show_document"):
            with contextlib.suppress(Exception):  # The client may have closed meanwhile.
                await self._server.window_show_document_async(
                    types.ShowDocumentParams(place.as_uri(), take_focus=False)
                )

    def _write(self, name: str, text: str) -> Path | None:
        """A file that only its user reads and nobody edits, replaced whole."""
        try:
            sockets = socket_directory(self._session.completions.startup.paths)
            folder = private_directory(answers_in(sockets))
            place, fresh = folder / name, folder / f".{name}"
            fresh.unlink(missing_ok=True)
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
            fresh.replace(place)
        except (OSError, UnsafePath) as error:
            logger.warning("answer: %s", type(error).__name__)
            return None
        return place

    @property
    def _virtual(self) -> bool:
        """Whether the client shows `wicket-answer:` documents by itself."""
        said: object = self._server.client_capabilities.experimental
        return as_dict(said).get("wicketAnswers") is True

    def _can(self, what: str) -> bool:
        window = self._server.client_capabilities.window
        return bool(window and getattr(window, what))

    async def choose(self, text: str, *actions: str) -> str | None:
        """The action that the person chose; None for none."""
        items = [types.MessageActionItem(action) for action in actions]
        params = types.ShowMessageRequestParams(types.MessageType.Info, text, items)
        found = await self._server.window_show_message_request_async(params)
        return found.title if found else None
