"""The grammar and the query of each language, loaded when a file first needs them."""

import re
from ctypes import py_object, pythonapi
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.resources import files
from sys import getrefcount
from typing import cast

from tree_sitter import Language as Compiled
from tree_sitter import Node, Parser, Point, Query, Tree

from .languages import LANGUAGES

# Bytes that a grammar is given at once, which are a millisecond or two of its work.
CHUNK = 16384

# What a pattern may find; its other captures are parts of that.
_FINDS = re.compile(
    r"@(class|function|method|field|variable|interface|type|enum|struct|trait|macro|namespace"
    r"|heading|implementation|import|whole)\b"
)


@dataclass(frozen=True, slots=True)
class Grammar:
    """`finds` says for each pattern of the query what it finds."""

    parser: Parser
    query: Query
    finds: tuple[str, ...]
    keywords: frozenset[bytes]


def in_steps(parser: Parser, source: bytes) -> Tree:
    """The tree of `source`, made in steps: a grammar lets other threads run only where it asks
    for more to read.  They may have a parser of the same language, so each tree has its own."""
    own = Parser(parser.language)
    with Steps(source) as read:
        return own.parse(read)


class Steps:
    """Gives a source to a grammar piece by piece, and takes the pieces back in the end.

    py-tree-sitter 0.26 keeps every piece that it is given for as long as the process lives.
    """

    def __init__(self, source: bytes, size: int = CHUNK) -> None:
        self._source, self._size = source, size
        self.given: list[bytes] = []

    def __call__(self, offset: int, _point: Point) -> bytes:
        piece = self._source[offset : offset + self._size]
        # One of a byte or none is the interpreter's own.
        if len(piece) > 1:
            self.given.append(piece)
        return piece

    def __enter__(self) -> "Steps":
        return self

    def __exit__(self, *_how: object) -> None:
        given, self.given = self.given, []
        if given and _keeps_pieces():
            while given:
                pythonapi.Py_DecRef(py_object(given.pop()))


@cache
def _keeps_pieces() -> bool:
    """Whether this version does: asked of itself, as a later one may not."""
    mine, given = Steps(b"x = 1\n" * 8, 24), Steps(b"x = 1\n" * 8, 24)
    mine(0, Point(0, 0))
    Parser(grammar_of("python").parser.language).parse(given)
    usual = [getrefcount(piece) for piece in mine.given]
    return {getrefcount(piece) for piece in given.given} == {usual[0] + 1}


def at_once(parser: Parser, source: bytes) -> Tree:
    """The tree of `source`; no other thread runs until it is made."""
    return parser.parse(source)


def text_of(source: bytes, node: Node) -> str:
    """Cut out of the source: a node whose tree was made in steps would ask for a piece of it
    for each of its bytes."""
    return source[node.start_byte : node.end_byte].decode("utf-8", "replace")


@cache
def grammar_of(language: str) -> Grammar:
    row = LANGUAGES[language]
    package, function = row.grammar
    compiled = Compiled(cast(object, getattr(import_module(package), function)()))
    folder = files(f"{__package__}.languages")
    text = "\n".join((folder / f"{name}.scm").read_text("utf-8") for name in row.queries)
    query = Query(compiled, text)
    kinds = [compiled.node_kind_for_id(n) or "" for n in range(compiled.node_kind_count)]
    words = {
        kind.encode()
        for number, kind in enumerate(kinds)
        if re.fullmatch(r"[A-Za-z_]\w*", kind) and not compiled.node_kind_is_named(number)
    }
    return Grammar(Parser(compiled), query, _finds(query, text.encode()), frozenset(words))


def _finds(query: Query, text: bytes) -> tuple[str, ...]:
    found: list[str] = []
    for number in range(query.pattern_count):
        pattern = text[query.start_byte_for_pattern(number) : query.end_byte_for_pattern(number)]
        (kind,) = set(_FINDS.findall(pattern.decode()))
        found.append(kind)
    return tuple(found)
