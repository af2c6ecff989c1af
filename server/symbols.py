"""`textDocument/documentSymbol` and `workspace/symbol`, where `editor.symbols` asks for them.

Off by default: most languages have a server that knows more, and editors show the answers of
all servers side by side.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from lsprotocol import types
from lsprotocol.types import SymbolKind

from ..indexing.facts import Definition, Facts
from ..indexing.languages import indexed_as
from ..indexing.manifests import PACKAGE
from ..indexing.parse import parse
from ..indexing.reader import Reader
from . import index
from .app import Startup
from .documents import Document, file_path
from .exclusions import excluded
from .protocol import WicketServer
from .settings import for_folder

# Bytes of the largest document that is parsed for one answer, on the event loop; of a larger
# one the index tells, as it was saved.
LARGEST_PARSED = 64 << 10
# Names that are looked up, and symbols in one answer; editors filter what they get.
MOST_NAMES, MOST = 100, 200

KINDS = {
    **{"class": SymbolKind.Class, "function": SymbolKind.Function, "method": SymbolKind.Method},
    **{"field": SymbolKind.Field, "variable": SymbolKind.Variable, "enum": SymbolKind.Enum},
    **{"interface": SymbolKind.Interface, "trait": SymbolKind.Interface},
    **{"type": SymbolKind.TypeParameter, "struct": SymbolKind.Struct},
    **{"macro": SymbolKind.Function, "namespace": SymbolKind.Namespace},
    **{"heading": SymbolKind.String},
}


def register(server: WicketServer, startup: Callable[[], Startup]) -> None:
    """Offer both; `startup` gives the settings of now."""

    @server.feature(types.TEXT_DOCUMENT_DOCUMENT_SYMBOL)
    async def of_document(
        params: types.DocumentSymbolParams,
    ) -> Sequence[types.DocumentSymbol] | Sequence[types.SymbolInformation]:
        document = server.document(params.text_document.uri)
        if document is None:
            return []
        path = server.documents.relative_path(document.uri)
        language = indexed_as(path)
        file = file_path(document.uri)
        wanted = for_folder(startup().effective, file) if file else startup().effective
        if language is None or excluded(path, wanted.settings.index.exclude):
            return []
        facts = None
        if len(document.data) <= LARGEST_PARSED:
            facts = parse(language, document.data)
        elif file:
            facts = await asyncio.to_thread(_stored, startup(), _folders(server), file)
        found = outline(document, facts, server.documents.encoding) if facts else []
        return found if _nests(server) else flat(document.uri, found)

    @server.feature(types.WORKSPACE_SYMBOL)
    async def of_workspace(
        params: types.WorkspaceSymbolParams,
    ) -> Sequence[types.SymbolInformation]:
        return await asyncio.to_thread(find, startup(), _folders(server), params.query)


def outline(
    document: Document, facts: Facts, encoding: types.PositionEncodingKind
) -> list[types.DocumentSymbol]:
    """The definitions of a document as a tree, each inside of what it is a member of."""
    offset = _offsets(document)
    made: list[types.DocumentSymbol] = []
    top: list[types.DocumentSymbol] = []
    for one in facts.definitions:
        start, end = offset(one.start), offset(max(one.start, one.end))
        whole = types.Range(
            document.position_at(start, encoding), document.position_at(end, encoding)
        )
        at = document.text.find(one.name, start, end)
        name = types.Range(
            document.position_at(max(start, at), encoding),
            document.position_at(at + len(one.name) if at >= 0 else start, encoding),
        )
        symbol = types.DocumentSymbol(one.name, _kind(one), whole, name, one.signature, children=[])
        made.append(symbol)
        (_listed(made[one.parent]) if one.parent >= 0 else top).append(symbol)
    return top


def flat(
    uri: str, symbols: Iterable[types.DocumentSymbol], around: str | None = None
) -> list[types.SymbolInformation]:
    """The same for clients that know no trees."""
    found: list[types.SymbolInformation] = []
    for one in symbols:
        place = types.Location(uri, one.selection_range)
        found.append(types.SymbolInformation(place, one.name, one.kind, container_name=around))
        found += flat(uri, one.children or (), one.name)
    return found


def find(startup: Startup, folders: Iterable[Path], query: str) -> list[types.SymbolInformation]:
    """The definitions of the open folders whose names have the letters of `query` in order."""
    found: list[types.SymbolInformation] = []
    for folder in folders:
        reader = Reader(index.directory(startup.paths, folder) / "db")
        try:
            for name in reader.spelled_like(query, MOST_NAMES):
                if len(found) < MOST and not name.startswith(PACKAGE):
                    found += _named(reader, folder, name)
        finally:
            reader.close()
    return found[:MOST]


def _named(reader: Reader, folder: Path, name: str) -> Iterable[types.SymbolInformation]:
    for path in reader.definers(name):
        facts = reader.facts(path)
        rows = facts.definitions if facts else ()
        for one in rows:
            if one.name == name:
                place = types.Position(one.line, 0)
                where = types.Location((folder / path).as_uri(), types.Range(place, place))
                around = rows[one.parent].name if one.parent >= 0 else path
                yield types.SymbolInformation(where, name, _kind(one), container_name=around)


def _stored(startup: Startup, folders: Iterable[Path], file: Path) -> Facts | None:
    for folder in folders:
        if file.is_relative_to(folder):
            reader = Reader(index.directory(startup.paths, folder) / "db")
            try:
                return reader.facts(file.relative_to(folder).as_posix())
            finally:
                reader.close()
    return None


def _kind(one: Definition) -> SymbolKind:
    return KINDS.get(one.kind, SymbolKind.Variable)


def _listed(symbol: types.DocumentSymbol) -> list[types.DocumentSymbol]:
    symbol.children = list(symbol.children or ())
    return symbol.children


def _offsets(document: Document) -> Callable[[int], int]:
    """From bytes to code points, neither beyond the end."""
    data = document.data
    if len(data) == len(document.text):
        return lambda at: min(at, len(data))
    return lambda at: len(data[:at].decode("utf-8", "ignore"))


def _folders(server: WicketServer) -> list[Path]:
    return [path for uri in server.documents.folders if (path := file_path(uri))]


def _nests(server: WicketServer) -> bool:
    said = server.client_capabilities.text_document
    symbols = said.document_symbol if said else None
    return bool(symbols and symbols.hierarchical_document_symbol_support)
