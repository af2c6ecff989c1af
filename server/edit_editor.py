"""`wicket.edit` in the editor: the question and its yes, then the diff where the code is.

The result is offered in place by clients of ours, elsewhere as a workspace edit that needs
a confirmation.  Whether it was applied is told by the document, not by what a client says.
"""

import asyncio
import logging
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from lsprotocol import types

from ..escalation.kinds import KINDS
from ..indexing.languages import indexed_as
from ..indexing.parse import parse
from . import approval, ask_editor, change, edit, undo
from .app import Startup
from .ask import NoAnswer, Yes
from .ask_editor import as_dict, folder_of, selected_lines
from .change import Change, Target
from .documents import Document, file_path
from .edit import Proposal, Wanted
from .features import announces
from .paths import UnsafePath
from .protocol import WicketServer
from .session import Session
from .settings_checks import plain
from .undo import Kept

logger = logging.getLogger(__name__)

# Server to client: {id, uri, version, edits, diff, notes, label}; answers {decision}.
PROPOSE = "wicket/proposeEdit"
APPLY, SHOW, DISCARD = "Apply", "Show the diff", "Discard"
# Of a document that is looked through for the definition around a cursor.
LARGEST_PARSED = 256 << 10
# Until a client that says it applied an edit has told of the change.
SEEN_SECONDS, LOOK_SECONDS = 3.0, 0.02


async def change_document(server: WicketServer, session: Session, said: object) -> dict[str, Any]:
    """`{uri, range, kind, instruction, comment, diagnostics}`; answers `{status, why}`."""
    desk = EditDesk(ask_editor.Desk(server, session, f"edit-{secrets.token_hex(4)}"))
    try:
        status, why = await _changed(server, session, as_dict(said), desk)
    except NoAnswer as error:
        status, why = "refused", str(error)
    finally:
        desk.inner.end_progress()
    if why:
        params = types.ShowMessageParams(types.MessageType.Warning, f"Wicket: {plain(why, 400)}")
        server.window_show_message(params)
    return {"status": status, "why": why}


async def _changed(
    server: WicketServer, session: Session, row: Mapping[str, Any], desk: "EditDesk"
) -> tuple[str, str | None]:
    """What became of it, and why where that needs words.  Raises NoAnswer."""
    uri = row.get("uri")
    document = server.document(uri) if isinstance(uri, str) else None
    if document is None or file_path(document.uri) is None:
        raise NoAnswer("open the file that is to be edited; it must lie in a folder")
    folder = folder_of(server, document.uri)
    target = await asyncio.to_thread(_target, server, document, row)
    kind = str(row.get("kind", "edit"))
    if kind not in KINDS or not KINDS[kind].edits:
        raise NoAnswer(f"there is no kind of edit {plain(kind)}")
    wanted = Wanted((target,), folder, kind, _words(row), editor=("editor", ""))
    proposal = await _cancellable(server, session, wanted, desk)
    if proposal is None:
        return "declined", None
    decision, why = "rejected", proposal.broken
    if why is None and _now(server, document) != document.text:
        why = "the document changed meanwhile; ask again"
    if why is None:
        offer = _Offer(server, document, proposal, desk)
        decision = await offer.made()
    startup, spawn = session.completions.startup, session.completions.spawn
    kept = None
    if decision == "applied":
        kept, why = await asyncio.to_thread(_kept, startup, proposal, folder)
    unrecorded = await edit.record(proposal, decision, startup, spawn)
    if kept is not None and (unrecorded is None or unrecorded.final):
        await asyncio.to_thread(undo.marked, kept, "applied")
    return decision, why or (unrecorded and unrecorded.why)


def _kept(startup: Startup, proposal: Proposal, folder: Path) -> tuple[Kept | None, str | None]:
    """What `wicket revert` needs once the file is saved; why it cannot, where it cannot."""
    digest = change.digest(proposal.changes)
    try:
        exchange, place = proposal.answer.exchange, folder.resolve()
        return undo.keep(startup.paths, exchange, digest, place, proposal.changes, True), None
    except (OSError, UnsafePath) as error:
        return None, f"`wicket revert` will not know of this edit: {error}"


async def _cancellable(
    server: WicketServer, session: Session, wanted: Wanted, desk: "EditDesk"
) -> Proposal | None:
    """The flow, which the editor's progress can cancel."""
    typed = {
        path: document.data
        for uri, document in server.documents.open_now.items()
        if (path := file_path(uri)) is not None
    }
    completions = session.completions
    work = asyncio.ensure_future(
        edit.propose(wanted, completions.startup, desk, completions.spawn, typed.get)
    )
    await desk.inner.show_progress(work, "Wicket: editing")
    try:
        return await work
    except asyncio.CancelledError:
        work.cancel()
        raise


class EditDesk:
    """The desk of a question, but its answer is edits: no document grows."""

    def __init__(self, inner: ask_editor.Desk) -> None:
        self.inner = inner
        self._heard = False

    async def approve(self, prepared: Mapping[str, Any]) -> Yes:
        return await self.inner.approve(prepared)

    async def widen(self, why: str) -> bool:
        return await self.inner.widen(why)

    def hear(self, text: str) -> None:
        if text and not self._heard:
            self._heard = True
            self.note("the answer comes")

    def note(self, what: str) -> None:
        self.inner.note(what)


class _Offer:
    """A proposal before the person, as well as the client can show one."""

    def __init__(
        self, server: WicketServer, document: Document, proposal: Proposal, desk: EditDesk
    ) -> None:
        self._server, self._document, self._desk = server, document, desk
        self._change: Change = proposal.changes[0]
        self._proposal = proposal
        # They name the file, and a repository may bring names of several lines.
        self._notes = [plain(note, 400) for note in proposal.notes]
        self._edits = text_edits(document, self._change, server.documents.encoding)

    async def made(self) -> str:
        """What became of it: applied, rejected or partly."""
        if self._proposal.obeyed and not await self._confirmed():
            return "rejected"
        if announces(self._server, "wicketEdits"):
            said = await self._server.protocol.send_request_async(PROPOSE, self._in_place())
            agreed = as_dict(said).get("decision") == "applied"
        else:
            agreed = await self._as_workspace_edit()
        return await self._seen() if agreed else "rejected"

    def _in_place(self) -> dict[str, Any]:
        return {
            "id": self._desk.inner.name,
            "uri": self._document.uri,
            "version": self._document.version,
            "edits": self._edits,
            "diff": approval.visible(change.diff(self._proposal.changes)),
            "notes": self._notes,
            "label": self._label,
        }

    async def _as_workspace_edit(self) -> bool:
        """Whether the client says that it applied it, which some say too soon."""
        caps = self._server.client_capabilities.workspace
        able = caps.workspace_edit if caps else None
        confirmed = bool(able and able.change_annotation_support)
        if not confirmed and not await self._confirmed():
            return False
        whole = types.WorkspaceEdit(changes={self._document.uri: self._edits})
        if confirmed or (able and able.document_changes):
            edits: list[Any] = list(self._edits)
            if confirmed:
                edits = [types.AnnotatedTextEdit("wicket", e.range, e.new_text) for e in edits]
            identifier = types.OptionalVersionedTextDocumentIdentifier(
                uri=self._document.uri, version=self._document.version
            )
            whole = types.WorkspaceEdit(
                document_changes=[types.TextDocumentEdit(identifier, edits)]
            )
        if confirmed:
            note = "; ".join(self._notes) or None
            whole.change_annotations = {"wicket": types.ChangeAnnotation(self._label, True, note)}
        params = types.ApplyWorkspaceEditParams(whole, self._label)
        return (await self._server.workspace_apply_edit_async(params)).applied

    async def _confirmed(self) -> bool:
        """Ask with the diff's size, and show the diff on demand."""
        inner, path = self._desk.inner, plain(self._change.path)
        notes = "".join(f"\n{note}" for note in self._notes)
        text = change.diff(self._proposal.changes)
        rows = text.split("\n")[2:]
        more, less = (sum(row.startswith(sign) for row in rows) for sign in "+-")
        question = f"{self._label}: {more} lines more, {less} less in {path}{notes}"
        while True:
            said = await inner.choose(question, APPLY, SHOW, DISCARD)
            if said != SHOW:
                return said == APPLY
            await inner.open(f"{inner.name}-diff", ".diff", approval.visible(text))

    async def _seen(self) -> str:
        """What the document says became of it."""
        for _ in range(round(SEEN_SECONDS / LOOK_SECONDS)):
            now = _now(self._server, self._document)
            if now == self._change.after:
                return "applied"
            await asyncio.sleep(LOOK_SECONDS)
        return "rejected" if _now(self._server, self._document) == self._change.before else "partly"

    @property
    def _label(self) -> str:
        return "Wicket: proposed edit"


def text_edits(
    document: Document, one: Change, encoding: types.PositionEncodingKind
) -> list[types.TextEdit]:
    """The hunks of a change as edits of the document before it."""
    starts = [0]
    for line in document.text.split("\n"):
        starts.append(starts[-1] + len(line) + 1)
    found: list[types.TextEdit] = []
    for hunk in one.hunks:
        start, end = (document.position_at(starts[n], encoding) for n in (hunk.start, hunk.end))
        found.append(types.TextEdit(types.Range(start, end), "".join(hunk.lines)))
    return found


def _target(server: WicketServer, document: Document, row: Mapping[str, Any]) -> Target:
    """The lines that were selected, else the definition around them."""
    count = document.text.count("\n") + 1
    first, last = selected_lines(row.get("range"), count)
    comment = row.get("comment")
    comment = comment + 1 if type(comment) is int and 0 <= comment < count else None
    place = as_dict(row.get("range"))
    if comment is not None or as_dict(place.get("start")) == as_dict(place.get("end")):
        first, last = around(document, comment or first)
    path = server.documents.relative_path(document.uri)
    return Target(path, document.text, first, last, comment)


def around(document: Document, line: int) -> tuple[int, int]:
    """The innermost definition around a line, or right below it: first and last, from 1."""
    language = indexed_as(document.uri.rpartition("/")[2])
    if language is None or len(document.data) > LARGEST_PARSED:
        return line, line
    facts = parse(language, document.data)
    found: list[tuple[int, int]] = []
    below: list[tuple[int, int]] = []
    for one in facts.definitions:
        first = document.data.count(b"\n", 0, one.start) + 1
        if first <= line <= one.last + 1 and one.last + 1 > first:
            found.append((first, one.last + 1))
        elif first == line + 1:
            below.append((first, one.last + 1))
    return max(below or found, default=(line, line))


def _words(row: Mapping[str, Any]) -> str:
    """The instruction, and what the editor says is wrong."""
    said = row.get("instruction")
    words = [said] if isinstance(said, str) else []
    given: object = row.get("diagnostics")
    for about in map(as_dict, cast(list[object], given) if isinstance(given, list) else ()):
        words.append(f"Line {about.get('line')}: {plain(str(about.get('message')), 400)}")
    return "\n".join(words)


def _now(server: WicketServer, document: Document) -> str | None:
    now = server.documents.get(document.uri)
    return now.text if now else None
