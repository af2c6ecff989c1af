"""What is put before the model: each reason finds its own, and the budget holds."""

from dataclasses import replace
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wicket.indexing.memory import InMemory
from wicket.indexing.retrieval import Item, by_file, retrieve
from wicket.indexing.retrieval.cursor import focus
from wicket.indexing.retrieval.freezing import Moment, around, in_time, reason_to_choose
from wicket.indexing.retrieval.packing import FILE_TOKENS, without_types
from wicket.indexing.retrieval.receivers import local_type

SHOP = {
    "shop/__init__.py": "from .store import Store, open_store\n",
    "shop/rows.py": """\
        class Row:
            name: str
            def price(self, currency: str) -> float: ...
            def _hidden(self): ...
        class Sale(Row):
            def rebate(self, share: float) -> "Sale": ...
        """,
    "shop/store.py": """\
        from .rows import Row, Sale
        class Base:
            def close(self) -> None: ...
        class Store(Base):
            def __init__(self, path: str, rows: list[Row]) -> None:
                self.path = path
                self.first: Row = rows[0]
                self.cache = Cache(path)
            def find(self, name: str) -> Row | None: ...
            @property
            def best(self) -> Sale: ...
            async def sell(self, row: Row) -> Sale: ...
        class Cache:
            def drop(self, key: str) -> int: ...
        def open_store(path: str) -> Store: ...
        def _internal(path): ...
        """,
    "shop/money.py": "LIMIT = 3\ndef as_euros(cents: int) -> str: ...\ndef total(rows): ...\n",
    "shop/report.py": "from .money import as_euros\nfrom .store import Store\nas_euros(3)\n",
    "shop/bill.py": "from .money import as_euros\nfrom .store import Store\n",
    "far/away/odd.py": "def calibrate_flux(level: int) -> None: ...\n",
    "view/cart.ts": """\
        export interface Line { label: string; total(): number }
        export class Cart {
          lines: Line[] = [];
          constructor(private owner: Owner) {}
          add(line: Line): Cart { return this; }
        }
        export class Owner { rename(to: string): void {} }
        export default function render(cart: Cart): string { return ''; }
        """,
    "view/index.ts": "export { Cart as Basket } from './cart';\nexport * from './cart';\n",
}
REPOSITORY = InMemory({path: dedent(text) for path, text in SHOP.items()})


def found(path: str, marked: str, budget: int = 1024) -> dict[str, Item]:
    """The items at `$0`, by the name of what they show."""
    text = dedent(marked)
    before, after = text.split("$0")
    language = "python" if path.endswith(".py") else "typescript"
    items = retrieve(REPOSITORY, path, language, before + after, len(before), budget)
    return {f"{item.path.rpartition('/')[2]}:{item.name}": item for item in items}


@pytest.mark.parametrize(
    ("path", "text", "name", "why"),
    [
        ("shop/a.py", "from .store import Store\nx = $0", "store.py:Store", "not used yet"),
        (
            "shop/a.py",
            "from shop import open_store\ns = open_store(1)\nt = $0",
            "store.py:open_store",
            "used near the cursor",
        ),
        (
            "shop/a.py",
            "from . import store\nx = store.$0",
            "store.py:open_store",
            "member of store",
        ),
        ("shop/a.py", "import shop.money\nx = shop.money.$0", "money.py:total", "member of"),
        (
            "shop/a.py",
            "from shop import open_store\nopen_store($0)",
            "store.py:open_store",
            "called here",
        ),
        (
            "shop/a.py",
            "from .store import Store\ndef f(store: Store):\n    store.find($0)",
            "store.py:Store.find",
            "called here: store.find",
        ),
        ("shop/a.py", "from .store import Store\nx = 1\n$0", "money.py:as_euros", "2 other files"),
        ("shop/a.py", "def f():\n    calibrate_flux(1)\n    $0", "odd.py:calibrate_flux", "name"),
        ("shop/a.py", "from .money import LIMIT\n# rows\n$0", "money.py:total", "beside"),
        ("tests/test_money.py", "x = 1\n$0", "money.py:total", "in the file that this one tests"),
        ("view/cart.test.ts", "$0", "cart.ts:Owner", "in the file that this one tests"),
        (
            "shop/a.py",
            "from . import store, money\nx = store.open_store(1)\n$0",
            "store.py:open_store",
            "member of an imported module, used in this file",
        ),
        (
            "shop/a.py",
            "from .rows import Sale\ndef f(sale: Sale):\n    $0",
            "rows.py:Sale.rebate",
            "member of Sale, which is used near",
        ),
        (
            "shop/a.py",
            "def here(x): ...\n" + "y = 1\n" * 70 + "z = here(2)\n$0",
            "a.py:here",
            "of this file, used near",
        ),
        ("shop/a.py", "x = 1\n$0", "store.py:_internal", "same directory"),
        (
            "shop/a.py",
            "from .store import Base\nclass A(Base):\n    def m(self):\n        $0",
            "store.py:Base.close",
            "inherited",
        ),
        ("view/a.ts", "import { Basket } from '.';\nconst b = $0", "cart.ts:Cart", "not used yet"),
        (
            "view/a.ts",
            "import draw from './cart';\ndraw($0)",
            "cart.ts:render",
            "called here: draw",
        ),
    ],
)
def test_each_reason_finds_its_own(path: str, text: str, name: str, why: str) -> None:
    items = found(path, text)
    assert name in items
    assert why in items[name].why


RECEIVERS = {
    "an annotated parameter": ("def f(store: Store, n=1):\n    store.$0", "Store.find"),
    "of several kinds": ("def f(*, s: 'Store | None' = None):\n    s.$0", "Store.find"),
    "a constructor": ("s = Store('a', [])\ns.$0", "Store.sell"),
    "a function that says what it returns": ("s = open_store('a')\ns.$0", "Store.find"),
    "an annotated variable": ("s: Store = unknown()\ns.$0", "Store.find"),
    "a base class": ("s = Store('a', [])\ns.$0", "Base.close"),
    "a field": ("s = Store('a', [])\ns.cache.$0", "Cache.drop"),
    "an annotated field": ("s = Store('a', [])\ns.first.$0", "Row.price"),
    "a property": ("s = open_store('a')\ns.best.$0", "Sale.rebate"),
    "an awaited call": ("s = open_store('a')\nx = await s.sell(1)\nx.$0", "Sale.rebate"),
    "a chain of calls": ("open_store('a').find('b').$0", "Row.price"),
    "another name for it": ("s = open_store('a')\nt = s.best\nt.$0", "Sale.rebate"),
    "a context manager": ("with open_store('a') as s:\n    s.$0", "Store.find"),
    "a check": ("def f(s):\n    if isinstance(s, Store):\n        s.$0", "Store.find"),
    "a half-typed name": ("s = open_store('a')\ns.fi$0", "Store.find"),
    "a member of self": (
        "class A:\n    def __init__(self, store: Store):\n        self.store = store\n"
        "    def m(self):\n        self.store.$0",
        "Store.find",
    ),
    "super": ("class A(Store):\n    def m(self):\n        super().$0", "Store.find"),
}


@pytest.mark.parametrize("case", RECEIVERS)
def test_members_of_what_stands_before_the_dot(case: str) -> None:
    text, name = RECEIVERS[case]
    text = f"from .store import Store, open_store\n\n{text}\n\ndef after(): ...\n"
    items = found("shop/a.py", text)
    assert "member of" in {key.split(":")[1]: item for key, item in items.items()}[name].why


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("function f(cart: Cart) {\n  cart.$0\n}", "Cart.add"),
        ("const c = new Cart(o);\nc.$0", "Cart.add"),
        ("const c = new Cart(o);\nc.owner.$0", "Owner.rename"),
        ("const c = new Cart(o).add(x);\nc.add(y).$0", "Cart.lines"),
        ("class B extends Cart {\n  m() {\n    this.$0\n  }\n}", "Cart.add"),
    ],
)
def test_members_in_typescript(text: str, name: str) -> None:
    items = found("view/a.ts", f"import {{ Cart, Owner }} from './cart';\n{text}\n")
    assert f"cart.ts:{name}" in items


def test_a_private_member_comes_last() -> None:
    items = found("shop/a.py", "from .rows import Row\nr = Row()\nr.$0")
    values = {item.name: item.value for item in items.values()}
    assert values["Row.price"] > values.get("Row._hidden", 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 3", ""),
        ("def f(x: A, y: B = C()):", "A"),
        ("x = A()\nx = B()", "B()"),
        ("x = A()\nx: B = c", "B"),
        ("x = a.b", "=a.b"),
        ("async with a.open(1) as x:", "a.open()"),
        ("xx = A()", ""),
    ],
)
def test_the_last_that_was_said_of_a_name_counts(text: str, said: str) -> None:
    assert local_type(text, "x") == said


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1500), st.sampled_from(sorted(SHOP)), st.data())
def test_the_budget_holds_anywhere(budget: int, path: str, data: st.DataObject) -> None:
    """At any cursor: no error, no more than the budget, no file alone, the same order twice."""
    text = dedent(SHOP[path])
    offset = data.draw(st.integers(0, len(text)))
    language = "python" if path.endswith(".py") else "typescript"
    items = retrieve(REPOSITORY, path, language, text, offset, budget)
    assert sum(item.tokens for item in items) <= budget
    assert items == sorted(items, key=lambda item: (item.path, item.lines))
    assert items == retrieve(REPOSITORY, path, language, text, offset, budget)
    assert all(item.why for item in items)


def test_what_is_typed_stands_for_the_file() -> None:
    """A live document masks what the index has of it, renamed members included."""
    text = SHOP["shop/store.py"].replace("def find", "def lookup")
    text = dedent(text) + "\ns = Store('', [])\ns."
    items = retrieve(REPOSITORY, "shop/store.py", "python", text, len(text), 1024)
    names = {item.name for item in items}
    assert "Store.lookup" in names
    assert "Store.find" not in names


def test_items_of_a_file_become_one_text() -> None:
    """A class with its constructor, or its fields; members below what they belong to."""
    text = "from .store import Store\nfrom .rows import Sale\nfrom .money import total\nx = "
    items = retrieve(REPOSITORY, "shop/a.py", "python", text, len(text), 400)
    pieces = {one.path: (one.text, one.lines, one.why) for one in by_file(items)}
    text, lines, why = pieces["shop/store.py"]
    assert "class Store(Base):\n    def __init__(self, path: str, rows: list[Row])" in text
    assert lines[0] <= 4 < lines[1]
    assert "imported and not used yet" in why
    row = Item("a", "Row.price", "def price(self): ...", (2, 2), "member", 1.0, 9)
    tokens = FILE_TOKENS + row.tokens
    assert by_file([row]) == [("a", "Row:\n    def price(self): ...", (2, 2), "member", tokens)]


def test_a_name_alone_is_enough_where_many_could_be_meant() -> None:
    """Of what is not imported yet, the likeliest have parameters, the others stand in a row."""
    many = "".join(f"def make_{number}(first, second): ...\n" for number in range(300))
    files = InMemory({"app/many.py": many, "app/b.py": "from .many import make_7\n"})
    items = retrieve(files, "app/a.py", "python", "x = 1\n", 6, 600)
    (piece,) = by_file(items)
    *signed, names = piece.text.split("\n")
    assert "def make_7(first, second)" in signed
    assert len(signed) < 20 < names.count(", ")
    assert "make_7," not in names
    # Behind a dot none of them is meant: what the document binds comes before them all.
    text = "from .many import make_9\nmake_9."
    items = retrieve(files, "app/a.py", "python", text, len(text), 200)
    assert max(items, key=lambda item: item.value).name == "make_9"
    assert not any("(" in item.text for item in items if item.name != "make_9")


@pytest.mark.parametrize("budget", [256, 512, 1024])
def test_what_is_bound_keeps_its_part(budget: int) -> None:
    """However much could be imported, what the file imports already is there, in short at least."""
    many = "".join(f"def make_{number}(first: int, second: str): ...\n" for number in range(300))
    own = "".join(f"def own_{number}(first: int, second: str): ...\n" for number in range(9))
    files = InMemory({"app/many.py": many, "app/own.py": own})
    text = f"from .own import {', '.join(f'own_{n}' for n in range(9))}\nx = "
    items = retrieve(files, "app/a.py", "python", text, len(text), budget)
    shown = {item.name: item.text for item in items if item.path == "app/own.py"}
    assert len(shown) >= (6 if budget == 256 else 9)
    assert any(": int" in text for text in shown.values())


A = Moment("def f():", "store.")


@pytest.mark.parametrize(
    ("chosen", "now", "idle_ms", "reason"),
    [
        (None, A, 0, "first request"),
        (A, A, 0, None),
        (A, A, 299, None),
        (A, A, 300, "pause"),
        (A, replace(A, visit=1), 0, "another file"),
        (A, replace(A, saves=1), 0, "saved"),
        (A, replace(A, around="def g():"), 0, "definition"),
        (A, replace(A, around="def g():", saves=1, visit=1), 300, "another file"),
        (A, replace(A, focus="open("), 0, "focus"),
        # Between two definitions, and behind what was needed, nothing better is needed.
        (A, Moment(), 0, None),
    ],
)
def test_when_a_context_is_chosen_anew(
    chosen: Moment | None, now: Moment, idle_ms: float, reason: str | None
) -> None:
    assert reason_to_choose(chosen, now, idle_ms) == reason


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("def f(a,\n      b):\n    x$0", "def f(a,"),
        ("class A:\n    def f(self):\n\n        $0\n", "class A:"),
        ("func f() {\r\n\tg()\r\n\t$0", "func f() {"),
        ("fn f(\n) -> u8 {\n    $0", "fn f("),
        ("def f():\n    pass\n$0", ""),
        ("def f():\n    pass\nx = $0", ""),
        ("    $0", ""),
        ("$0", ""),
    ],
)
def test_what_is_around_a_cursor(text: str, line: str) -> None:
    before, after = text.split("$0")
    assert around(before + after, len(before)) == line


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("store.$0", "store."),
        ("self.store.fi$0", "self.store."),
        ("x = open(path, $0", "open("),
        ("x = open(path,\n    $0", "open("),
        ("open(path).rea$0", "open(path)."),
        ("x = (a, $0", ""),
        ("x = $0", ""),
    ],
)
def test_what_stands_at_a_cursor(text: str, what: str) -> None:
    before, after = text.split("$0")
    assert focus(before + after, len(before)) == what


@pytest.mark.parametrize(
    ("tokens", "rate", "fits"), [(400, 1000.0, True), (401, 1000.0, False), (9999, 0.0, True)]
)
def test_what_is_read_while_somebody_types(tokens: int, rate: float, fits: bool) -> None:
    assert in_time(tokens, rate) == fits


# How somebody else did the same, in files that the rare names lead to.
SIMILAR = {
    "app/tax.py": """\
        def tax_of(order, ledger):
            entry = ledger.open_entry(order.number)
            entry.add_amount(order.total)
            entry.close_with(order.customer)
            return entry
        """,
    "app/other.py": "def nothing_alike(value):\n    result = value + 1\n    return result\n" * 9,
}
TYPED = """\
    def fee_of(order, ledger):
        entry = ledger.open_entry(order.number)
        entry.add_amount(order.total)
        $0
    """


def alike(
    marked: str,
    edited: dict[str, list[int]] | None = None,
    budget: int = 600,
    said: dict[str, str] = SIMILAR,
) -> list[Item]:
    """The pieces of similar code at `$0`."""
    files = {path: dedent(text) for path, text in said.items()}
    before, after = dedent(marked).split("$0")
    items = retrieve(
        InMemory(files),
        "app/fee.py",
        "python",
        before + after,
        len(before),
        budget,
        read=files.get,
        edited=edited,
    )
    assert sum(item.tokens for item in items) <= budget
    return [item for item in items if not item.name]


def test_similar_code_is_found_by_what_it_shares() -> None:
    """A piece finds itself, with its lines and a reason; it stands alone in its file's text."""
    (item,) = alike(TYPED)
    assert (item.path, item.lines[0]) == ("app/tax.py", 1)
    assert "entry.close_with(order.customer)" in item.text
    assert item.why == "like the lines around the cursor"
    assert by_file([item])[0].text == item.text


def test_what_was_edited_lately_says_so() -> None:
    (item,) = alike(TYPED, {"app/tax.py": [2]})
    assert item.why == "edited lately and like the lines around the cursor"


@pytest.mark.parametrize(
    ("marked", "edited", "budget"),
    [
        ("def nothing_like_that(a):\n    b = a\n    $0\n", {"app/tax.py": [2]}, 600),
        ("$0", None, 600),
        (TYPED, None, 60),
    ],
    ids=["nothing is alike", "nothing is there", "there is no room"],
)
def test_there_is_none(marked: str, edited: dict[str, list[int]] | None, budget: int) -> None:
    assert alike(marked, edited, budget) == []


def test_it_takes_no_more_than_its_part() -> None:
    long = SIMILAR["app/tax.py"].replace("order.number", f"order.number, {'x' * 300}")
    assert [item.tokens <= 150 for item in alike(TYPED, None, 600, {"app/tax.py": long})] == [True]


@pytest.mark.parametrize(
    ("signature", "short"),
    [
        ("def f(a: int, b: dict[str, int] = {}, *args: Any, c=(1, 2), **kw) -> set[(a, b)]:",
         "def f(a, b, *args, c, **kw)"),
        ("@cached(1) async def f(self) -> None", "async def f(self)"),
        ("export function a<T>(x: Map<string, T>, cb: (q: number) => void = f): string",
         "export function a(x, cb)"),
        ("class A(Base)", "class A(Base)"),
        ("func F(a int) string", "func F(a int) string"),
    ],
)  # fmt: skip
def test_what_is_not_imported_yet_is_shown_in_short(signature: str, short: str) -> None:
    assert without_types(signature) == short
