"""What an editor may ask of Wicket: one short handler per LSP method and command."""

from collections import OrderedDict
from pathlib import Path
from typing import Any, cast

from lsprotocol import types

from .. import __version__
from . import protocol, symbols
from .contexts import Contexts
from .documents import file_path
from .explanations import EXPLAIN, page
from .grammar import Grammar
from .imports import Imports
from .indexers import Indexers
from .inline import ACCEPTED, inline_completion
from .nearby import Nearby
from .protocol import WicketServer
from .session import Session
from .stdio import Heard

ASK = "wicket.ask"
# What clients made for Copilot's server tell of a suggestion; others tell nothing.
SHOWED = "textDocument/didShowCompletion"
TOOK = "textDocument/didPartiallyAcceptCompletion"


def serve(session: Session, client_process_id: int | None, heard: Heard) -> int:
    """Register every handler and serve the editor until it leaves; the exit code."""
    server = WicketServer("wicket", __version__)
    register(server, session)
    try:
        return protocol.run(server, client_process_id, heard)
    finally:
        session.observer.close()


def register(server: WicketServer, session: Session) -> None:
    session.status.send = server.protocol.notify
    nearby = Nearby(server.documents, session.wanted, lambda: session.completions.startup)
    contexts = Contexts(server.documents, lambda: session.completions.startup, session.warm)
    session.completions.texts, session.completions.context = nearby.texts, contexts.of
    session.completions.grammar = Grammar().of
    session.observer.observe(server.documents)
    indexers = Indexers(server, session)
    imports = Imports(server, session)
    conversations: OrderedDict[str, Any] = OrderedDict()

    @server.feature(types.INITIALIZE)
    def initialize(params: types.InitializeParams) -> None:
        session.configure(options(params.initialization_options), folders(server))
        if session.completions.startup.effective.settings.editor.symbols:
            symbols.register(server, lambda: session.completions.startup)

    @server.feature(types.INITIALIZED)
    async def initialized(_params: types.InitializedParams) -> None:
        indexers.start()
        await session.watch_engine()

    @server.feature(types.WORKSPACE_DID_CHANGE_CONFIGURATION)
    def configured(params: types.DidChangeConfigurationParams) -> None:
        session.configure(options(params.settings), folders(server))
        indexers.follow()

    @server.feature(types.WORKSPACE_DID_CHANGE_WORKSPACE_FOLDERS)
    def folders_changed(_params: types.DidChangeWorkspaceFoldersParams) -> None:
        session.configure(None, folders(server))
        indexers.follow()

    @server.feature(types.TEXT_DOCUMENT_DID_SAVE)
    def saved(params: types.DidSaveTextDocumentParams) -> None:
        contexts.saved(params.text_document.uri)

    @server.feature(types.TEXT_DOCUMENT_INLINE_COMPLETION, types.InlineCompletionOptions())
    async def complete(
        params: types.InlineCompletionParams,
    ) -> types.InlineCompletionList | None:
        document = server.document(params.text_document.uri)
        asked = session.observer.asked(document, params)
        found = await inline_completion(session, server.documents, document, params)
        session.observer.answered(asked, found)
        imports.offered(document, found)
        return found

    @server.feature(EXPLAIN)
    def explain(params: Any) -> dict[str, Any] | None:
        number = mapping(params).get("id")
        found = session.explanations.find(None if number is None else str(number))
        here = (file_path(uri) for uri in server.documents.open_now)
        # A file outside of all folders is known by its name alone.
        around = dict.fromkeys([*folders(server), *(file.parent for file in here if file)])
        return found and found | {"page": page(found, list(around))}

    @server.command(ACCEPTED)
    async def accepted(number: str = "") -> None:
        session.explanations.accept(number)
        session.observer.accepted(number)
        await imports.accepted(number)

    @server.command(ASK)
    async def ask(said: Any = None) -> dict[str, Any]:
        # Imported when somebody asks: HTTP is a tenth of our memory.
        from .ask_editor import converse  # noqa: PLC0415

        return await converse(server, session, said, conversations)

    @server.feature(SHOWED)
    def showed(params: Any) -> None:
        session.observer.showed(mapping(params).get("item"))

    @server.feature(TOOK)
    def took(params: Any) -> None:
        said = mapping(params)
        session.took(said.get("item"), said.get("acceptedLength"))


def options(said: object) -> dict[str, Any]:
    """Comfort settings, which may stand below "wicket" as editors like to nest them."""
    return mapping(mapping(said).get("wicket", said))


def mapping(said: object) -> dict[str, Any]:
    """A JSON object; an empty one for whatever else a client sends."""
    return cast(dict[str, Any], said) if isinstance(said, dict) else {}


def folders(server: WicketServer) -> list[Path]:
    paths = (file_path(uri) for uri in server.documents.folders)
    return [path for path in paths if path is not None]
