"""The grammar and the query of each language, loaded when a file first needs them."""

import re
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import cast

from tree_sitter import Language as Compiled
from tree_sitter import Parser, Query, Tree

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
    return own.parse(lambda offset, _point: source[offset : offset + CHUNK])


def at_once(parser: Parser, source: bytes) -> Tree:
    """The tree of `source`; no other thread runs until it is made."""
    return parser.parse(source)


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
