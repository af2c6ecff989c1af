"""Golden outlines of what is outlined only: one source for each language."""

# ruff: noqa: E501  Sources have long lines.

import pytest
from wicket.indexing.languages import LANGUAGES, indexed_as, language_of
from wicket.indexing.manifests import READERS
from wicket.indexing.parse import parse

from .test_parse import outline

# Path, source and outline.
SOURCES = (
    (
        "a.cs",
        """\
using System;
namespace Shop.Core
{
    public interface IStore { Row Find(string name); }
    public class Store : Base, IStore
    {
        private int count = 0;
        public string Path { get; set; }
        public Store(string path) { Path = path; }
        public Row Find(string name) { return null; }
        enum Level { Low, High }
    }
    public record Point(int X, int Y);
    struct S { }
}
""",
        """\
1 namespace Shop.Core: namespace Shop.Core
3 interface Shop.Core.IStore: public interface IStore
3 method Shop.Core.IStore.Find: Row Find(string name)  -> Row
4 class Shop.Core.Store: public class Store : Base, IStore  < Base, IStore
6 field Shop.Core.Store.count: private int count = 0  -> int  hidden
7 field Shop.Core.Store.Path: public string Path  -> string
8 method Shop.Core.Store.Store: public Store(string path)
9 method Shop.Core.Store.Find: public Row Find(string name)  -> Row
10 enum Shop.Core.Store.Level: enum Level
10 field Shop.Core.Store.Level.Low: Low
10 field Shop.Core.Store.Level.High: High
12 class Shop.Core.Point: public record Point(int X, int Y)
13 struct Shop.Core.S: struct S
""",
    ),
    (
        "a.rb",
        """\
require 'json'
module Shop
  LIMIT = 3
  class Store < Base
    attr_reader :path
    def initialize(path)
      @path = path
    end
    def self.open(path) = new(path)
    def find(name)
      nil
    end
  end
end
""",
        """\
1 namespace Shop: module Shop
2 variable LIMIT: LIMIT = 3
3 class Shop.Store: class Store < Base  < Base
5 method Shop.Store.initialize: def initialize(path)
8 method Shop.Store.open: def self.open(path) =
9 method Shop.Store.find: def find(name)
""",
    ),
    (
        "a.php",
        """\
<?php
namespace Shop\\Core;
use Shop\\Rows\\Row;
const LIMIT = 3;
interface Finder { public function find(string $name): ?Row; }
abstract class Store extends Base implements Finder {
    private array $rows = [];
    const MAX = 4;
    public function find(string $name): ?Row { return null; }
}
trait Logs { function log($x) {} }
enum Level: string { case Low = 'l'; }
function open_store(string $path): Store { return new Store(); }
""",
        """\
3 variable LIMIT: LIMIT = 3
4 interface Finder: interface Finder
4 method Finder.find: public function find(string $name): ?Row  -> ?Row
5 class Store: abstract class Store extends Base implements Finder  < Base, Finder
6 field Store.rows: $rows = []
7 variable Store.MAX: MAX = 4
8 method Store.find: public function find(string $name): ?Row  -> ?Row
10 trait Logs: trait Logs
10 method Logs.log: function log($x)
11 enum Level: enum Level: string
11 field Level.Low: case Low = 'l'
12 function open_store: function open_store(string $path): Store  -> Store
""",
    ),
    (
        "a.sh",
        """\
#!/bin/bash
# Prepare.
LIMIT=3
readonly NAME="x"
function build() {
  local inner=1
  make all
}
clean () { rm -rf out; }
""",
        """\
2 variable LIMIT: LIMIT=3  # bin/bash
3 variable NAME: readonly NAME="x"
4 function build: function build()
8 function clean: clean ()
""",
    ),
    (
        "a.lua",
        """\
local M = {}
local limit = 3
function M.open(path) return {} end
local function hidden(x) end
function M:find(name) end
M.close = function(self) end
return M
""",
        """\
0 variable M: local M = {}
1 variable limit: local limit = 3
2 method M.open: function M.open(path)
3 function hidden: local function hidden(x) end
4 method M.find: function M:find(name) end
5 method M.close: M.close = function(self) end
""",
    ),
    (
        "a.sql",
        """\
-- Rows.
CREATE TABLE shop.orders (
  number TEXT PRIMARY KEY,
  total INTEGER NOT NULL
);
CREATE VIEW open_orders AS SELECT * FROM orders;
CREATE INDEX by_total ON orders (total);
CREATE FUNCTION add(a int, b int) RETURNS int AS $$ SELECT a + b $$ LANGUAGE sql;
SELECT 1;
""",
        """\
1 struct orders: CREATE TABLE shop.orders  # Rows.
2 field orders.number: number TEXT PRIMARY KEY  -> TEXT
3 field orders.total: total INTEGER NOT NULL  -> INTEGER
5 struct open_orders: CREATE VIEW open_orders AS SELECT * FROM orders
7 function add: CREATE FUNCTION add(a int, b int) RETURNS int
""",
    ),
    (
        "a.html",
        """\
<!doctype html>
<html><head><title>Shop</title></head>
<body><h1 id="top">Hello <b>you</b></h1><div id="cart" class="x"><h2>Sub</h2></div><script>var x = 1;</script></body></html>
""",
        """\
2 heading top: <h1 id="top">Hello <b>you</b></h1>
2 heading top.Hello: <h1 id="top">Hello <b>you</b></h1>
2 heading cart: <div id="cart" class="x"><h2>Sub</h2></div>
2 heading cart.Sub: <h2>Sub</h2>
""",
    ),
    (
        "a.css",
        """\
@import "base.css";
:root { --gap: 4px; }
.cart, #top > a:hover { color: red; }
@media (max-width: 3px) { .cart { display: none } }
@keyframes spin { from { top: 0 } }
""",
        """\
1 heading :root: :root
2 heading .cart, #top > a:hover: .cart, #top > a:hover
3 heading (max-width: 3px): @media (max-width: 3px) { .cart { display: none } }
3 heading (max-width: 3px)..cart: .cart
4 heading spin: @keyframes spin { from { top: 0 } }
""",
    ),
    (
        "a.json",
        """\
{"name": "shop", "scripts": {"build": "x", "deep": {"a": {"b": 1}}}, "files": ["a", {"in": 1}]}
""",
        """\
0 heading name: "name": "shop"
0 heading scripts: "scripts": {"build": "x", "deep": {"a": {"b": 1}}}
0 heading scripts.build: "build": "x"
0 heading scripts.deep: "deep": {"a": {"b": 1}}
0 heading files: "files": ["a", {"in": 1}]
""",
    ),
    (
        "a.yaml",
        """\
name: ci
on:
  push:
    branches: [main]
jobs:
  test:
    runs-on: x
    steps:
      - name: one
        run: x
""",
        """\
0 heading name: name: ci
1 heading on: on:
2 heading on.push: push:
4 heading jobs: jobs:
5 heading jobs.test: test:
""",
    ),
    (
        "a.toml",
        """\
top = 1
[project]
name = "x"
urls.home = "y"
[tool.ruff.lint]
select = ["E"]
[[repository]]
path = "z"
""",
        """\
0 heading top: top = 1
1 heading project: [project]
2 heading project.name: name = "x"
3 heading project.urls.home: urls.home = "y"
4 heading tool.ruff.lint: [tool.ruff.lint]
5 heading tool.ruff.lint.select: select = ["E"]
6 heading repository: [[repository]]
7 heading repository.path: path = "z"
""",
    ),
    (
        "a.tf",
        """\
variable "region" {
  default = "eu"
}
resource "aws_instance" "web" {
  ami = var.region
}
locals { x = 1 }
module "net" { source = "./net" }
""",
        """\
0 heading region: variable "region"
3 heading web: resource "aws_instance" "web"
6 heading locals: locals { x = 1 }
6 heading locals.x: x = 1
7 heading net: module "net" { source = "./net" }
""",
    ),
    (
        "Makefile",
        """\
NAME := wicket
SRC = $(wildcard *.c)
.PHONY: all
all: build test
build: $(SRC)
	cc -o $@ $<
define two
x
endef
""",
        """\
0 heading NAME: NAME := wicket
1 heading SRC: SRC = $(wildcard *.c)
3 heading all: all: build test
4 heading build: build: $(SRC)
6 heading two: define two
""",
    ),
    (
        "Dockerfile",
        """\
FROM python:3.12 AS build
ARG VERSION=1
ENV HOME=/x PATH=/y
RUN make
FROM scratch
COPY --from=build /a /b
ENTRYPOINT ["x"]
""",
        """\
0 heading build: FROM python:3.12 AS build
1 heading VERSION: ARG VERSION=1
2 heading HOME: ENV HOME=/x PATH=/y
2 heading HOME.PATH: ENV HOME=/x PATH=/y
4 heading scratch: FROM scratch
""",
    ),
    (
        "a.md",
        """\
# Top

text *x*

## Sub one

- a

Setext
------

more

```py
# no
```
""",
        """\
0 heading Top: # Top
4 heading Top.Sub one: ## Sub one
8 heading Top.Sub one.Setext: Setext ------
""",
    ),
    (
        "a.rst",
        """\
Top
===

text

Sub
---

more

Other
=====

x
""",
        """\
0 heading Top: Top
5 heading Sub: Sub
10 heading Other: Other
""",
    ),
)


@pytest.mark.parametrize(("path", "source", "wanted"), SOURCES, ids=[row[0] for row in SOURCES])
def test_outline(path: str, source: str, wanted: str) -> None:
    language = indexed_as(path)
    assert language
    facts = parse(language, source.encode())
    assert outline(facts).rstrip("\n") == wanted.rstrip("\n")
    assert facts.understood == 1
    # Names there are not what code refers to.
    assert facts.references == ()
    assert language_of(path) is None


def test_every_outlined_language_has_a_source() -> None:
    outlined = {name for name, row in LANGUAGES.items() if row.outline} - READERS.keys()
    assert {indexed_as(path) for path, _source, _wanted in SOURCES} == outlined


@pytest.mark.parametrize(
    ("path", "source"), [row[:2] for row in SOURCES], ids=[row[0] for row in SOURCES]
)
def test_a_broken_source_keeps_what_is_understood(path: str, source: str) -> None:
    """Cut in the middle, at least one of the definitions before the cut is still there."""
    language = indexed_as(path)
    assert language
    whole = parse(language, source.encode())
    cut = parse(language, source.encode()[: 2 * len(source) // 3])
    assert {one.name for one in cut.definitions} & {one.name for one in whole.definitions}
