"""Golden outlines of the languages beside Python and TypeScript."""

# ruff: noqa: E501  Golden lines are as long as they are.

import pytest
from wicket.indexing.memory import InMemory
from wicket.indexing.parse import parse
from wicket.indexing.retrieval import retrieve

from .test_parse import imports, outline

GO = """\
package store

import (
	"fmt"
	q "host/shop/rows"
)

// Store keeps.
type Store struct {
	*Base
	path string
	Rows map[string]*Row `json:"r"`
}
type Finder interface {
	Find(name string) (*Row, error)
}
type ID = int
type Num int

const Limit = 3

var cache = newCache()

// Open opens.
func Open[T any](path string) (*Store, error) { x := 1; return nil, nil }
func (s *Store) Find(name string) *Row        { return nil }
"""

GO_OUTLINE = """\
8 struct Store: type Store struct  # Store keeps.
10 field Store.path: path string  -> string  hidden
11 field Store.Rows: Rows map[string]*Row `json:"r"`  -> map[string]*Row
13 interface Finder: type Finder interface
14 method Finder.Find: Find(name string) (*Row, error)  -> (*Row, error)
16 type ID: ID = int
17 type Num: type Num int
19 variable Limit: Limit = 3
21 variable cache: cache = newCache()  -> newCache()  hidden
24 function Open: func Open[T any](path string) (*Store, error)  -> (*Store, error)  # Open opens.
25 method Store.Find: func (s *Store) Find(name string) *Row  -> *Row
"""

GO_IMPORTS = """\
fmt . as fmt
host/shop/rows . as q
"""

RUST = """\
use crate::store::{Store, Row as R, self};
use super::x;
use a::b::*;
mod other;
/// Doc.
pub struct Store<T> {
    pub path: PathBuf,
    rows: Vec<Row>,
}
pub enum Level { Low, High(u8) }
pub trait Find: Base { fn find(&self, n: &str) -> Option<Row>; }
impl<T> Find for Store<T> {
    fn find(&self, n: &'a str) -> Option<Row> { None }
}
impl Store<u8> { pub fn open(p: &Path) -> Result<Self> { x } }
pub const LIMIT: usize = 3;
macro_rules! m { () => {} }
impl<T> Find for [T] { fn first(&self) -> u8 { 0 } }
impl Find for () {}
fn main() {}
"""

RUST_OUTLINE = """\
5 struct Store: pub struct Store<T>  < Find  # Doc.
6 field Store.path: pub path: PathBuf  -> PathBuf
7 field Store.rows: rows: Vec<Row>  -> Vec<Row>  hidden
9 enum Level: pub enum Level
9 field Level.Low: Low  hidden
9 field Level.High: High(u8)  hidden
10 trait Find: pub trait Find: Base  < Base
10 method Find.find: fn find(&self, n: &str) -> Option<Row>  -> Option<Row>  hidden
12 method Store.find: fn find(&self, n: &'a str) -> Option<Row>  -> Option<Row>  hidden
14 method Store.open: pub fn open(p: &Path) -> Result<Self>  -> Result<Self>
15 variable LIMIT: pub const LIMIT: usize = 3  -> usize
16 macro m: macro_rules! m { () => {} }  hidden
17 function first: fn first(&self) -> u8  -> u8  hidden
19 function main: fn main()  hidden
"""

RUST_IMPORTS = """\
crate::store Store as Store
crate::store Row as R
crate::store . as store
super x as x
a::b * as .
other . as other
"""

JAVA = """\
package a.b;
import java.util.List;
import f.g.*;
/** Doc. */
@Entity
public class Store<T> extends Base implements Find, Other {
  private final Map<String, Row> rows = new HashMap<>();
  public Store(Path p) { }
  public Row find(String n) throws X { return null; }
}
interface Find { Row find(String n); }
enum Level { LOW, HIGH; int v() { return 1; } }
record Point(int x, int y) {}
"""

JAVA_OUTLINE = """\
5 class Store: @Entity public class Store<T> extends Base implements Find, Other  < Base, Find, Other  # Doc.
6 field Store.rows: private final Map<String, Row> rows = new HashMap<>()  -> Map<String, Row>  hidden
7 method Store.Store: public Store(Path p)
8 method Store.find: public Row find(String n) throws X  -> Row
10 interface Find: interface Find
10 method Find.find: Row find(String n)  -> Row
11 enum Level: enum Level
11 field Level.LOW: LOW
11 field Level.HIGH: HIGH
11 method Level.v: int v()  -> int
12 class Point: record Point(int x, int y)
"""

JAVA_IMPORTS = """\
java.util.List . as List
f.g * as .
"""

C = """\
#include "a.h"
struct row { int x; };
static int limit = 3;
int run(struct row *r, int a);
/* Runs. */
int run(struct row *r, int a) { return 1; }
typedef unsigned long size;
#define K 3
"""

C_OUTLINE = """\
1 struct row: struct row
1 field row.x: int x  -> int
2 variable limit: static int limit = 3  -> int  hidden
3 function run: int run(struct row *r, int a)  -> int
5 function run: int run(struct row *r, int a)  -> int  # Runs.
6 type size: typedef unsigned long size  -> unsigned long
7 macro K: #define K 3
"""

C_IMPORTS = """\
a.h * as .
"""

CPP = """\
#include "store.h"
#include <vector>
#define MAX(a) (a)
namespace shop {
// Keeps.
class Store : public Base, Other {
 public:
  Store(int p);
  Row* find(const std::string& n) const;
  int rows;
  std::map<int, Row> m_;
};
}
struct P { int x; char *y; };
template <typename T> T max(T a, T b) { return a; }
class Shelf { void put(int n); };
void Shelf::put(int n) { }
int run(int a);
static int limit = 3;
enum class Level { Low, High };
typedef struct { int z; } Q;
using A = B<int>;
"""

CPP_OUTLINE = """\
2 macro MAX: #define MAX(a) (a)
3 namespace shop: namespace shop
5 class shop.Store: class Store : public Base, Other  < Base, Other  # Keeps.
7 method shop.Store.Store: Store(int p)
8 method shop.Store.find: Row* find(const std::string& n) const  -> Row
9 field shop.Store.rows: int rows  -> int
10 field shop.Store.m_: std::map<int, Row> m_  -> std::map<int, Row>
13 struct P: struct P
13 field P.x: int x  -> int
13 field P.y: char *y  -> char
14 function max: template <typename T> T max(T a, T b)  -> T
15 class Shelf: class Shelf
15 method Shelf.put: void put(int n)  -> void
16 method Shelf.put: void Shelf::put(int n)  -> void
17 function run: int run(int a)  -> int
18 variable limit: static int limit = 3  -> int  hidden
19 enum Level: enum class Level
19 field Level.Low: Low
19 field Level.High: High
20 type Q: typedef struct { int z; } Q  -> struct { int z; }
20 field Q.z: int z  -> int
21 type A: using A = B<int>
"""

CPP_IMPORTS = """\
store.h * as .
vector * as .
"""


CASES = {
    "go": (GO, GO_OUTLINE, GO_IMPORTS),
    "rust": (RUST, RUST_OUTLINE, RUST_IMPORTS),
    "java": (JAVA, JAVA_OUTLINE, JAVA_IMPORTS),
    "c": (C, C_OUTLINE, C_IMPORTS),
    "cpp": (CPP, CPP_OUTLINE, CPP_IMPORTS),
}


@pytest.mark.parametrize("language", CASES)
def test_outline(language: str) -> None:
    source, outlined, imported = CASES[language]
    facts = parse(language, source.encode())
    assert outline(facts) == outlined.strip()
    assert imports(facts) == imported.rstrip()
    assert facts.understood == 1


@pytest.mark.parametrize("language", CASES)
def test_a_cut_at_any_line_keeps_what_was_before(language: str) -> None:
    """With one more statement half typed, too, that the grammar cannot read."""
    source = CASES[language][0]
    whole = parse(language, source.encode())
    lines = source.splitlines(keepends=True)
    for row in range(len(lines)):
        for rest in ("", "x = y(z, \n"):
            facts = parse(language, ("".join(lines[:row]) + rest).encode())
            before = {(one.name, one.start) for one in whole.definitions if one.last < row}
            missing = before - {(one.name, one.start) for one in facts.definitions}
            assert not missing, (row, rest)


FILES = {
    "go.mod": "module host/shop\n",
    "rows/row.go": "package rows\n\ntype Row struct {\n\tName string\n}\n",
    "rows/open.go": "package rows\n\nfunc Open(path string) (*Row, error) { return nil, nil }\n",
    "cmd/a.go": "package main\n",
    "src/lib.rs": "pub mod store;\n",
    "src/store.rs": "pub struct Store { pub path: u8 }\n\nimpl Store {\n"
    "    pub fn find(&self) -> u8 { 1 }\n}\n",
    "app/a/b/Cart.java": "package a.b;\n\npublic class Cart {\n  public int total() { return 1; }\n}\n",
    "include/shelf.h": "struct shelf {\n  int rows;\n};\nint put(struct shelf *s);\n",
    "lib/shelf.hpp": "class Shelf {\n public:\n  void put(int n);\n};\n",
}


@pytest.mark.parametrize(
    ("path", "language", "text", "name"),
    [
        ("cmd/b.go", "go", 'import "host/shop/rows"\n\nfunc f() {\n\trows.$0\n}\n', "Open"),
        ("rows/b.go", "go", "package rows\n\nfunc f(r *Row) {\n\tOpen($0)\n}\n", "Open"),
        ("src/b.rs", "rust", "use crate::store::Store;\n\nfn f() {\n    $0\n}\n", "Store"),
        (
            "src/b.rs",
            "rust",
            "use crate::store::Store;\n\nfn f(s: &Store) {\n    s.$0\n}\n",
            "Store.find",
        ),
        (
            "app/a/c/B.java",
            "java",
            "import a.b.Cart;\nclass B {\n  void m() {\n    Cart cart = new Cart();\n"
            "    cart.$0\n  }\n}\n",
            "Cart.total",
        ),
        ("src/b.c", "c", '#include "shelf.h"\nint main() {\n  put($0)\n}\n', "put"),
        (
            "src/b.cpp",
            "cpp",
            '#include "lib/shelf.hpp"\nint main() {\n  Shelf *shelf = new Shelf();\n'
            "  shelf->$0\n}\n",
            "Shelf.put",
        ),
    ],
)
def test_retrieval_across_files(path: str, language: str, text: str, name: str) -> None:
    before, after = text.split("$0")
    items = retrieve(InMemory(FILES), path, language, before + after, len(before), 512)
    assert name in {item.name for item in items}
