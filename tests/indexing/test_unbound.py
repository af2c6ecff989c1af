"""Which names a piece of code uses that nothing binds; what stands in `[[` and `]]` is new."""

import pytest
from wicket.indexing.unbound import unbound


def check(language: str, marked: str, want: str) -> None:
    before, _, rest = marked.partition("[[")
    new, _, after = rest.partition("]]")
    found = unbound(language, before + new + after, len(before), len(before + new))
    assert " ".join(found) == want


PYTHON = {
    "uses": (
        "def f(a):\n    [[x = as_euros(a.total, n=LIMIT)\n    return Store(x)]]\n",
        "as_euros LIMIT Store",
    ),
    "calls": ("x = 1\n[[as_euros(x)]]", "as_euros"),
    "half a name stood there": ("def f():\n    return as_eu[[ros(3)]]", "as_euros"),
    "a whole name stood there": ("def f():\n    return as_euros[[(3)]]", ""),
    "imported": ("from m import as_euros\n[[as_euros(3)]]", ""),
    "imported inside": ("def f():\n    from m import as_euros\n    [[as_euros(3)]]", ""),
    "imported as another": ("import m as as_euros\n[[as_euros(3)]]", ""),
    "defined below": ("[[as_euros(3)]]\ndef as_euros(x): ...\n", ""),
    "assigned elsewhere": ("def f():\n    total = 1\ndef g():\n    [[print(total)]]\n", ""),
    "unpacked": ("a, total = b\n[[x.y(total)]]\n", "x"),
    "a parameter": ("def f(total):\n    [[return total]]\n", ""),
    "loops": ("[[for row in rows():\n    print(row, [i for i in row])]]\n", "rows"),
    "with": ("[[with opened() as g:\n    g()]]\n", "opened"),
    "caught": ("try:\n    pass\nexcept [[Broken as e:\n    raise Worse from e]]\n", "Broken Worse"),
    "walrus": ("[[if (n := size(3)) > n:\n    pass]]\n", "size"),
    "built in": ("[[print(len([]), ValueError)]]\n", ""),
    "members": ("x = 1\n[[x.as_euros(x)]]\n", ""),
    "arguments by name": ("x = 1\n[[x(as_euros=x)]]\n", ""),
    "in a text": ('[[x = "as_euros"  # as_euros]]\n', ""),
    "in a formatted text": ('[[x = f"{as_euros(1)}"]]\n', "as_euros"),
    "annotations": ("def f(a: [[Store | None) -> list[Row]]]: ...\n", "Store Row"),
    "bases and decorators": (
        "[[@marked\nclass A(Base, metaclass=Meta): ...]]\n",
        "marked Base Meta",
    ),
    "match": ("match x:\n    case [[Point(a, b)]]: ...\n", ""),
    "not finished": ("def f():\n    return [[as_euros(3,]]", ""),
}


@pytest.mark.parametrize("case", PYTHON)
def test_python(case: str) -> None:
    check("python", *PYTHON[case])


@pytest.mark.parametrize(
    ("language", "marked", "want"),
    [
        (
            "typescript",
            "function f([[x: Cart): Owner { return new Basket(x, {y: z, w}); }]]",
            "Cart Owner Basket z w",
        ),
        ("typescript", "import { a } from './a';\n[[a(b)]];", "b"),
        ("typescript", "import type { Cart } from './a';\nlet x: [[Cart = make()]];", "make"),
        ("typescript", "const { total, a: b } = x;\n[[use(total, b)]];", "use"),
        ("typescript", "interface Cart {}\nlet x: [[Cart]];", ""),
        ("typescript", "function f<T>(x: [[T): T { return x }]]", ""),
        ("typescript", "[[class B extends Cart implements Line {}]]", "Cart Line"),
        ("typescript", "[[for (const x of rows()) console.log(x)]]", "rows"),
        ("typescript", "[[try { a() } catch (e) { b(e) }]]", "a b"),
        ("javascript", "x = [[render(cart, (q) => q + LIMIT)]];", "render cart LIMIT"),
        ("javascript", "x = [[`${total(1)}`]];", "total"),
        ("tsx", "const v = [[<Row key={total(1)} />]];", "Row total"),
        ("tsx", "const v = [[<div>{new Map()}</div>]];", ""),
        ("go", "func f() { [[fmt.Println()]] }", ""),
    ],
)
def test_other_languages(language: str, marked: str, want: str) -> None:
    check(language, marked, want)
