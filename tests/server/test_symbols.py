"""Symbols for the editor: real stdio, a client that is not ours, and an index on disk."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from wicket.indexing.facts import Facts
from wicket.indexing.parse import parse
from wicket.server.documents import Document
from wicket.server.symbols import flat, outline

from ..indexing.test_files import make
from .test_indexers import Editor
from .test_indexers import editor as editor  # noqa: PLC0414 - a fixture

TEXT = '''\
LIMIT = 3


class Bücher:
    größe: int

    def öffnen(self, 𐐷=1):
        """Open."""
        return self


def end(): ...
'''
TREE = types.DocumentSymbolClientCapabilities(hierarchical_document_symbol_support=True)


def rows(symbols: Any, depth: int = 0) -> list[str]:
    found = []
    for one in symbols:
        a, b = one.selection_range.start, one.selection_range.end
        found.append(
            f"{'  ' * depth}{one.name} {one.kind.name} {a.line}:{a.character}-{b.character}"
        )
        found += rows(one.children or (), depth + 1)
    return found


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_a_document_is_a_tree_of_symbols(encoding: str) -> None:
    document = Document("file:///a.py", "python", 1, TEXT)
    kind = types.PositionEncodingKind(encoding)
    found = outline(document, parse("python", document.data), kind)
    wide = {"utf-8": 1}.get(encoding, 0)
    assert rows(found) == [
        "LIMIT Variable 0:0-5",
        f"Bücher Class 3:6-{12 + wide}",
        f"  größe Field 4:4-{9 + 2 * wide}",
        f"  öffnen Method 6:8-{14 + wide}",
        "end Function 11:4-7",
    ]
    (book,) = [one for one in found if one.name == "Bücher"]
    assert (book.range.start.line, book.range.end.line) == (3, 8)
    named = [(one.name, one.container_name) for one in flat(document.uri, found)]
    assert ("öffnen", "Bücher") in named


def test_facts_of_an_older_text_do_no_harm() -> None:
    """What the index has of a large document may be of what was saved before."""
    document = Document("file:///a.py", "python", 1, "x = 1\n")
    old = parse("python", TEXT.encode())
    found = outline(document, old, types.PositionEncodingKind.Utf16)
    assert [one.name for one in found] == ["LIMIT", "Bücher", "end"]
    assert all(one.range.end.line <= 1 for one in found)
    assert outline(document, Facts("python", 1, 1.0), types.PositionEncodingKind.Utf16) == []


@pytest.fixture
async def asked(editor: Editor) -> Editor:
    editor.options = {"editor": {"symbols": True}}
    make(editor.root, "shop/store.py", content="class Store:\n    def find_row(self): ...\n")
    make(editor.root, "notes.md", content="# Top\n\n## Below\n")
    make(editor.root, "shop/.env.py", content="def hidden_away(): ...\n")
    return editor


async def test_an_editor_gets_symbols_when_it_asks_for_them(asked: Editor) -> None:
    await asked.start(text_document=types.TextDocumentClientCapabilities(document_symbol=TREE))
    client = asked.client
    asked.open("shop/store.py")
    uri = types.TextDocumentIdentifier((asked.root / "shop/store.py").as_uri())
    found = await client.text_document_document_symbol_async(types.DocumentSymbolParams(uri))
    assert rows(found) == ["Store Class 0:6-11", "  find_row Method 1:8-16"]
    asked.open("notes.md")
    uri = types.TextDocumentIdentifier((asked.root / "notes.md").as_uri())
    found = await client.text_document_document_symbol_async(types.DocumentSymbolParams(uri))
    assert rows(found) == ["Top String 0:2-5", "  Below String 2:3-8"]
    asked.open("shop/.env.py")
    uri = types.TextDocumentIdentifier((asked.root / "shop/.env.py").as_uri())
    assert not await client.text_document_document_symbol_async(types.DocumentSymbolParams(uri))
    for _ in range(300):
        named = await client.workspace_symbol_async(types.WorkspaceSymbolParams("FDRO"))
        if named:
            break
        await asyncio.sleep(0.1)
    (one,) = named or ()
    assert (one.name, one.kind, one.container_name) == (
        "find_row",
        types.SymbolKind.Method,
        "Store",
    )
    assert Path(one.location.uri.removeprefix("file://")) == asked.root / "shop/store.py"
    assert one.location.range.start.line == 1
    for query in ("hidden", "%", "\\", "' OR 1"):
        assert not await client.workspace_symbol_async(types.WorkspaceSymbolParams(query))


async def test_they_are_off_by_default(editor: Editor) -> None:
    make(editor.root, "a.py", content="def f(): ...\n")
    await editor.start()
    editor.open("a.py")
    uri = types.TextDocumentIdentifier((editor.root / "a.py").as_uri())
    with pytest.raises(Exception, match="no method textDocument/documentSymbol"):
        await editor.client.text_document_document_symbol_async(types.DocumentSymbolParams(uri))
