"""What is understood of a file: golden outlines, broken source, and hostile source."""

import ast
import re
import sysconfig
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wicket.indexing.facts import Facts, pack, unpack
from wicket.indexing.grammars import at_once
from wicket.indexing.languages import LANGUAGES, language_of
from wicket.indexing.parse import parse

ROOT = Path(__file__).parents[2]
LIBRARY = Path(sysconfig.get_path("stdlib"))


def outline(facts: Facts) -> str:
    """One line per definition: its kind, where it is, its signature, type, bases and doc."""
    lines: list[str] = []
    for one in facts.definitions:
        names, parent = [one.name], one.parent
        while parent >= 0:
            names.insert(0, facts.definitions[parent].name)
            parent = facts.definitions[parent].parent
        said = [one.signature.replace("\n", " / ")]
        said += [f"-> {one.type}"] * bool(one.type) + [f"< {one.bases}"] * bool(one.bases)
        said += [f"# {one.doc}"] * bool(one.doc) + ["hidden"] * (not one.exported)
        lines.append(f"{one.line} {one.kind} {'.'.join(names)}: {'  '.join(said)}")
    return "\n".join(lines)


def imports(facts: Facts) -> str:
    return "\n".join(
        f"{one.module} {one.name or '.'} as {one.alias or '.'}{' !' * one.exported}"
        for one in facts.imports
    )


def check(language: str, source: str, expected: str, imported: str = "") -> None:
    facts = parse(language, dedent(source).encode())
    assert outline(facts) == dedent(expected).strip()
    assert imports(facts) == dedent(imported).strip()
    assert facts.understood == 1


def test_python() -> None:
    check(
        "python",
        '''\
        """A module."""
        from __future__ import annotations
        import os.path, json as j
        from ..store import (Store,
                             Row as R)
        from . import paths
        from .all import *

        LIMIT: int = 3
        cache = lru.Cache(LIMIT)

        @dataclass(frozen=True)
        class Page(Base, Generic[T], metaclass=Meta):
            """What a reader sees.

            And more.
            """
            title: str
            parts: list[Part] = field(default_factory=list)

            def __init__(
                self,
                store: Store,
                *, limit=10,
            ) -> None:
                self.store = store
                self.title = title
                self._rows = Rows(store)

            @property
            def first(self) -> Part | None: return self.parts[0]

            async def load(self, name):
                r"""Loads."""
                def inner(x): ...
                if True:
                    self.late: int = 1

        def _private(a, b=(1, 2)): pass
        ''',
        """
        8 variable LIMIT: LIMIT: int = 3  -> int
        9 variable cache: cache = lru.Cache(LIMIT)  -> lru.Cache()
        12 class Page: @dataclass(frozen=True) / class Page(Base, Generic[T], metaclass=Meta):  \
< Base, Generic  # What a reader sees.
        17 field Page.title: title: str  -> str
        18 field Page.parts: parts: list[Part] = field(default_factory=list)  -> list[Part]
        20 method Page.__init__: def __init__(self, store: Store, *, limit=10) -> None:  -> None
        25 field Page.store: self.store = store
        27 field Page._rows: self._rows = Rows(store)  -> Rows()  hidden
        30 method Page.first: @property / def first(self) -> Part | None:  -> Part | None
        32 method Page.load: async def load(self, name):  # Loads.
        34 function Page.load.inner: def inner(x):
        36 field Page.late: self.late: int = 1  -> int
        38 function _private: def _private(a, b=(1, 2)):  hidden
        """,
        """
        os.path . as os.path
        json . as j
        ..store Store as Store
        ..store Row as R
        . paths as paths
        .all * as .
        """,
    )


def test_javascript() -> None:
    check(
        "javascript",
        """\
        import d, { a as e, f } from "./m";
        import * as g from 'h';
        const r = require("r"), { s, t: u } = require("./v");
        export { x as y } from "./z"; export * from "./all"; export * as n from "./ns";

        /**
         * Draws it.
         * @param {Canvas} canvas
         */
        export default function draw(canvas, { depth = 1 } = {}) { const local = 1; }

        // Keeps things.
        export class Shelf extends React.Component {
          #count = 0;
          items = new Map();
          add(item) { this.last = wrap(item); }
          static get empty() { return true; }
        }
        export const twice = async (x) => { return 2 * x; };
        const limit = 10;
        Shelf.prototype.drop = function (item) {};
        module.exports = { limit, other: limit };
        export default limit;
        """,
        """
        2 variable r: const r = require("r")  -> require()  hidden
        9 function draw: export default function draw(canvas, { depth = 1 } = {})  # Draws it.
        12 class Shelf: export class Shelf extends React.Component  < React.Component  \
# Keeps things.
        13 field Shelf.#count: #count = 0  hidden
        14 field Shelf.items: items = new Map()  -> Map()
        15 method Shelf.add: add(item)
        15 field Shelf.last: this.last = wrap(item)  -> wrap()
        16 method Shelf.empty: static get empty()
        18 function twice: export const twice = async (x) =>
        19 variable limit: const limit = 10  hidden
        20 function drop: Shelf.prototype.drop = function (item)  hidden
        """,
        """
        ./m default as d
        ./m a as e
        ./m f as f
        h . as g
        r . as r
        ./v s as s
        ./v t as u
        ./z x as y !
        ./all * as . !
        ./ns . as n !
         limit as limit !
         limit as other !
         limit as default !
        """,
    )


TYPED = """\
import type { Row } from "./row";
import fs = require("fs");
export interface Reader<T> extends Base, Other<T> { path?: string; read(at: number): Row; }
export abstract class File<T> extends Handle<T> implements Reader<T> {
  private readonly rows: Map<string, T> = new Map();
  constructor(private store: Store, size = 1) { super(); this.size = size; }
  abstract close(): void;
  get first(): Row | undefined { return this.store.first; }
}
export type Place = { line: number; column: number } | null;
export enum Level { Low, High = 2 }
declare function now(zone: string): Date;
namespace Inner { export function deep() {} }
let shared: Store<Row> = make();
const open = async (path: string): Promise<File<Row>> => { return find(path); };
"""
OUTLINE = """
2 interface Reader: export interface Reader<T> extends Base, Other<T>  < Base, Other
2 field Reader.path: path?: string  -> string
2 method Reader.read: read(at: number): Row  -> Row
3 class File: export abstract class File<T> extends Handle<T> implements Reader<T>  < Handle, Reader
4 field File.rows: private readonly rows: Map<string, T> = new Map()  -> Map<string, T>
5 method File.constructor: constructor(private store: Store, size = 1)
5 field File.store: private store: Store  -> Store
5 field File.size: this.size = size
6 method File.close: abstract close(): void  -> void
7 method File.first: get first(): Row | undefined  -> Row | undefined
9 type Place: export type Place = { line: number; column: number } | null
10 enum Level: export enum Level
10 field Level.Low: Low
10 field Level.High: High = 2
11 function now: declare function now(zone: string): Date  -> Date  hidden
12 namespace Inner: namespace Inner  hidden
12 function Inner.deep: export function deep()
13 variable shared: let shared: Store<Row> = make()  -> Store<Row>  hidden
14 function open: const open = async (path: string): Promise<File<Row>> =>  \
-> Promise<File<Row>>  hidden
"""


@pytest.mark.parametrize("language", ["typescript", "tsx"])
def test_typescript(language: str) -> None:
    check(language, TYPED, OUTLINE, "./row Row as Row\nfs . as fs")


REFERRED = {
    "python": ("x = call(a.b, key=f'{deep.thing} word')  # comment\n'''prose'''", "prose comment"),
    "javascript": ("let x = call(a.b, {key}, `${deep.thing}`) /* comment */ // prose", "comment"),
    "typescript": ("x: key = call<a, b>(deep.thing('prose'))", "prose"),
}


@pytest.mark.parametrize("language", REFERRED)
def test_references_are_names_in_code(language: str) -> None:
    """Names in code and in expressions inside of strings count, prose and keywords do not."""
    source, absent = REFERRED[language]
    names = {reference.name for reference in parse(language, source.encode()).references}
    assert {"x", "call", "a", "b", "key", "deep"} <= names
    assert not names & {*absent.split(), "let"}


LONGER = """\
import { Row } from './row';

export class Store extends Base {
  rows = new Map();

  constructor(path: string) {
    super();
    this.path = path;
    if (path.length > 3) {
      this.open({ path, mode: 'r' });
    }
  }

  find(name: string) {
    const found = this.rows.get(name);
    return found ? found.map((row) => `${row.name}: ${row.size}`) : [];
  }
}

export function open(path: string): Store {
  return new Store(path, (error) => {
    throw error;
  });
}

const limit = 10;
"""
SOURCES = {
    "python": (ROOT / "server" / "documents.py").read_bytes(),
    "typescript": LONGER.encode(),
    "tsx": LONGER.encode() + b"const View = (p: Props) => <div onClick={p.go}>{p.name}</div>;\n",
    "javascript": re.sub(r"(?<=[a-z)]): [\w.]+(?=[ ,);])|private ", "", LONGER).encode(),
}


@pytest.mark.parametrize("language", SOURCES)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_half_typed_source_keeps_what_was_before(language: str, data: st.DataObject) -> None:
    """Cut at any byte, with any bytes after: what ended on an earlier line is still there."""
    source = SOURCES[language]
    whole = parse(language, source)
    cut = data.draw(st.integers(0, len(source)))
    rest = data.draw(st.sampled_from([b"", b"\n", b"(", b"\n\xff\0", b"'"]))
    row = source.count(b"\n", 0, cut)
    facts = parse(language, source[:cut] + rest)
    before = {(one.name, one.start) for one in whole.definitions if one.last < row}
    assert before <= {(one.name, one.start) for one in facts.definitions}
    assert unpack(pack(facts)).language == language
    assert parse(language, source[:cut] + rest, tree_of=at_once) == facts


@pytest.mark.parametrize("language", LANGUAGES)
@given(st.binary(max_size=200))
@settings(max_examples=40, deadline=None)
def test_any_bytes_are_parsed(language: str, source: bytes) -> None:
    facts = parse(language, source)
    assert 0 <= facts.understood <= 1
    assert all(-1 <= one.parent < n for n, one in enumerate(facts.definitions))


def test_a_word_that_the_grammar_does_not_know_costs_no_definition() -> None:
    source = b"pub auto trait Safe {}\n" + b"pub fn named() -> u8 { 1 }\n" * 9
    facts = parse("rust", source)
    assert facts.understood < 1
    assert (facts.definitions[0].name, facts.definitions[0].kind) == ("Safe", "trait")


def test_the_standard_library_is_understood() -> None:
    """Every def and class that Python's own parser finds near the top is found."""
    for name in ("argparse.py", "dataclasses.py", "asyncio/base_events.py", "typing.py"):
        source = (LIBRARY / name).read_bytes()
        facts = parse("python", source)
        tree = ast.parse(source)
        wanted = [node for node in tree.body if hasattr(node, "name")]
        wanted += [n for c in wanted if isinstance(c, ast.ClassDef) for n in c.body]
        named = {(node.name, node.lineno - 1) for node in wanted if hasattr(node, "name")}
        assert named <= {(one.name, one.line) for one in facts.definitions}
        assert facts.understood == 1


def test_what_has_no_row_has_no_facts() -> None:
    assert language_of("a/b.PY") == "python"
    assert language_of("Makefile.unknown") is None
    assert parse("klingon", b"a\nb") == Facts("klingon", 2, 0.0)
