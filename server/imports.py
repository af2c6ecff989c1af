"""The import that an accepted suggestion needs: added where there is no doubt which one it is.

Nothing is looked up while somebody types: it is done once a suggestion was accepted, beside
the event loop, and dropped where the document has become another one meanwhile.
"""

import asyncio
import logging
import re
from collections import ChainMap, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lsprotocol import types

from ..indexing import import_lines
from ..indexing.facts import Facts
from ..indexing.languages import language_of
from ..indexing.parse import parse
from ..indexing.reader import Reader
from ..indexing.retrieval.symbols import Index, Names
from ..indexing.retrieval.unimported import way
from ..indexing.unbound import unbound
from . import exclusions, index
from .documents import Document, Edit, difference, file_path
from .lookup import LARGEST, Live, beside
from .protocol import WicketServer
from .session import Session
from .stats.observer import number_of

logger = logging.getLogger(__name__)

# Answers that may still be accepted.
REMEMBERED = 64
# Somebody who types on changes the document while it is looked at.
TRIES = 3
LABEL = "Wicket: add import"


@dataclass(frozen=True, slots=True)
class Needed:
    """One edit that adds imports to a text, and each as a line of its own."""

    edit: Edit
    lines: tuple[str, ...]


def needed(
    known: Index,
    path: str,
    text: str,
    start: int,
    end: int,
    hidden: Callable[[str], object],
    live: Mapping[str, Facts] | None = None,
) -> Needed | None:
    """What to import so that `[start, end)` of `text`, which was just put there, means something.

    Offsets count code points; `path` is that of the text.  Files for which `hidden` says
    something are not there.  `live` are other open documents.  None where nothing is missing,
    nothing is known of it, or several things could be meant.
    """
    language = language_of(path)
    if language is None or len(text) > LARGEST:
        return None
    missing = unbound(language, text, start, end)
    if not missing:
        return None
    facts = parse(language, text.encode("utf-8", "replace"))
    names = Names(known, ChainMap({path: facts}, live or {}))  # pyright: ignore[reportArgumentType]
    made, lines = text, list[str]()
    for name in missing:
        if found := way(names, path, name, hidden):
            lines.append(import_lines.statement(language, text, found))
            made = import_lines.added(
                language, made, found, lambda module: bool(names.modules(module, path))
            )
    edit = difference(text, made)
    # Only what stands above: below, it would move what was accepted.
    return Needed(edit, tuple(lines)) if lines and edit.end <= start else None


def at_once(
    database: Path,
    path: str,
    text: str,
    start: int,
    end: int,
    globs: tuple[str, ...],
    live: Mapping[str, Facts] | None = None,
) -> Needed | None:
    """`needed` by the index whose database this is."""
    reader = Reader(database)
    try:
        if not reader.refresh():
            return None
        return needed(reader, path, text, start, end, exclusions.policy(globs), live)
    finally:
        reader.close()


@dataclass(frozen=True, slots=True)
class Offer:
    """An answer: what it puts at `start` of a document, as that was."""

    document: Document = field(repr=False)
    start: int
    text: str = field(repr=False)


class Imports:
    """Adds them for one editor.  Its methods run in the event loop."""

    def __init__(self, server: WicketServer, session: Session) -> None:
        self._server, self._session = server, session
        self._offers: OrderedDict[str, Offer] = OrderedDict()

    def offered(self, document: Document | None, found: types.InlineCompletionList | None) -> None:
        """What the editor was answered for `document`."""
        encoding = self._server.documents.encoding
        for item in found.items if document and found else ():
            if document and item.range and isinstance(item.insert_text, str):
                start = document.offset_at(item.range.start, encoding)
                self._offers[number_of(item)] = Offer(document, start, item.insert_text)
        while len(self._offers) > REMEMBERED:
            self._offers.popitem(last=False)

    async def accepted(self, number: str) -> None:
        """Add what the answer `number` needs, which now stands in its document."""
        offer = self._offers.pop(number, None)
        if offer is None or not self._can():
            return
        uri = offer.document.uri
        for _try in range(TRIES):
            document = self._server.documents.get(uri)
            place = document and standing(offer, document.text)
            if document is None or place is None:
                return
            found = await self._found(document, *place)
            if found is None:
                return
            if self._server.documents.get(uri) is document:
                if await self._apply(document, found.edit):
                    self._session.explanations.imported(number, found.lines)
                return

    def _can(self) -> bool:
        """Whether the client makes edits, and only those of the version that they are for."""
        said = self._server.client_capabilities.workspace
        edits = said.workspace_edit if said else None
        # Neovim knows versions and says so only by what it does to files beside edits.
        versions = edits and (edits.document_changes or edits.resource_operations)
        return bool(said and said.apply_edit and versions)

    async def _found(self, document: Document, start: int, end: int) -> Needed | None:
        documents, startup = self._server.documents, self._session.completions.startup
        wanted = self._session.wanted(file_path(document.uri))
        folder = documents.folder_of(document.uri)
        root = file_path(folder) if folder else None
        if not wanted.add_imports or root is None or not index.readable(startup):
            return None
        globs = (*startup.effective.settings.index.exclude, *wanted.exclude)
        database = index.directory(startup.paths, root) / "db"
        path = documents.relative_path(document.uri)
        live = Live(beside(documents, document.uri), globs)
        try:
            return await asyncio.to_thread(
                at_once, database, path, document.text, start, end, globs, live
            )
        except Exception as error:
            # What was accepted stays.
            logger.error("finding an import failed: %s", type(error).__name__)
            return None

    async def _apply(self, document: Document, edit: Edit) -> bool:
        encoding = self._server.documents.encoding
        span = types.Range(
            document.position_at(edit.start, encoding), document.position_at(edit.end, encoding)
        )
        changed = types.TextDocumentEdit(
            types.OptionalVersionedTextDocumentIdentifier(document.uri, document.version),
            [types.TextEdit(span, edit.text)],
        )
        told = types.ApplyWorkspaceEditParams(
            types.WorkspaceEdit(document_changes=[changed]), LABEL
        )
        try:
            return (await self._server.workspace_apply_edit_async(told)).applied
        except Exception as error:
            logger.error("adding an import failed: %s", type(error).__name__)
            return False


def standing(offer: Offer, text: str) -> tuple[int, int] | None:
    """Where an accepted answer stands in a text; None where it does not, or has moved."""
    before = offer.document.text[: offer.start]
    if not text.startswith(before):
        return None
    # Editors write it with the line breaks of the document.
    pattern = "\r?\n".join(map(re.escape, offer.text.split("\n")))
    found = re.compile(pattern).match(text, offer.start)
    return (offer.start, found.end()) if found else None
