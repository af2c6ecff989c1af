"""Suggestions as grammars judge them: tables by language, then who waits for a tree."""

import asyncio
from dataclasses import replace

import pytest
from wicket.completion.cursor import Cursor
from wicket.completion.trim import trim
from wicket.server.grammar import Grammar, at_once
from wicket.server.languages import language_of

GO = "package a\n\nfunc f(x int) int {\n\t$0\n}\n"
RUST = "fn f(x: u8) -> u8 {\n    $0\n}\n"
C = "int f(int x) {\n  $0\n}\n"
TS = "export function f(x: number): number {\n  $0\n}\n"
PY = "def f(x):\n    $0\n\n\ndef g():\n    pass\n"


def cursor_at(path: str, marked: str) -> Cursor:
    return Cursor(path, language_of(path), marked.replace("$0", "", 1), marked.index("$0"))


@pytest.mark.parametrize(
    ("path", "marked", "raw", "want"),
    [
        # Sound, or begun as it may be.
        ("a.py", PY, "return x + 1", "return x + 1"),
        ("a.py", PY, "if x:", "if x:"),
        ("a.py", PY, "if (", "if ("),
        ("a.py", PY, "y: list[", "y: list["),
        ("a.py", PY, "for a in x:\n        print(a)", "for a in x:\n        print(a)"),
        ("a.py", "def f(x):\n    retur$0\n", "n g(x,", "n g(x,"),
        ("a.py", "x = (1,\n     $0\n", "2)", "2)"),
        ("a.ts", TS, "if (x > 1) {", "if (x > 1) {"),
        ("a.ts", TS, "return [x].map((y) => {", "return [x].map((y) => {"),
        ("a.go", GO, "for i := range x {", "for i := range x {"),
        ("a.go", GO, "return x", "return x"),
        ("a.rs", RUST, "match x {", "match x {"),
        ("a.rs", RUST, "let y = vec![", "let y = vec!["),
        ("a.c", C, "for (int i = 0; i < x; i++) {", "for (int i = 0; i < x; i++) {"),
        ("a.c", C, "if (x == f(", "if (x == f("),
        ("a.c", "$0\n", "#ifdef A", "#ifdef A"),
        ("a.c", "$0\n", "static int", "static int"),
        # Broken.
        ("a.py", PY, "return x +", None),
        ("a.py", PY, "for in x:", None),
        ("a.py", PY, "return x\n    y = = 2", "return x"),
        ("a.py", PY, "a = 1\n    b = 2\n    def (x):", "a = 1\n    b = 2"),
        ("a.py", PY, "x = [1 2", None),
        ("a.ts", TS, "const y = = x;", None),
        ("a.ts", TS, "return x;\n  let 1y = 2;", "return x;"),
        ("a.go", GO, "x := := 2", None),
        ("a.go", GO, "return x\n\tif {", "return x"),
        ("a.rs", RUST, "let = 2;", None),
        ("a.rs", RUST, "let y = x;\n    fn fn;", "let y = x;"),
        ("a.c", C, "x = = 2;", None),
        ("a.c", C, "x = 1;\n  if x {", "x = 1;"),
        # The document is in disorder itself, or there is nothing to judge by.
        ("a.py", "x = = 1\n" * 9 + "$0\n", "y = = 2", "y = = 2"),
        ("a.ts", "function f() {\n  $0\n", "y = = x;", "y = = x;"),
        ("a.py", '"""Doc\n$0\n"""\n', "for in x:", "for in x:"),
        ("a.rb", "$0\n", "x = = 2", "x = = 2"),
    ],
)  # fmt: skip
def test_what_the_grammar_refuses(path: str, marked: str, raw: str, want: str | None) -> None:
    cursor = cursor_at(path, marked)
    lines = raw.count("\n") + 1
    draft = trim(cursor, raw, lines, troubles=at_once(cursor))
    assert draft.text == (want or "")
    assert ("syntax" in draft.rules) == (want != raw)
    assert draft.filtered == (None if want else "syntax")
    again = trim(cursor, draft.text or raw, lines, troubles=at_once(cursor))
    assert again.text == draft.text


@pytest.mark.parametrize("path", ["a.py", "a.ts", "a.go", "a.rs", "a.c"])
def test_closers_that_are_replaced_are_not_counted_twice(path: str) -> None:
    opened = {"a.py": PY, "a.ts": TS, "a.go": GO, "a.rs": RUST, "a.c": C}[path]
    cursor = cursor_at(path, opened.replace("$0", "g(h($0))", 1))
    draft = trim(cursor, "x))", 1, troubles=at_once(cursor))
    assert (draft.text, draft.replace, draft.filtered) == ("x))", 2, None)


async def test_no_request_waits_for_a_tree() -> None:
    grammar = Grammar(seconds=60)
    cursor = cursor_at("a.py", PY)
    assert grammar.of(cursor) is None
    async with asyncio.timeout(20):
        while (judge := grammar.of(cursor)) is None:
            await asyncio.sleep(0.01)
    assert judge(0, "") == 0
    assert judge(0, "for in x:") == 1
    # It goes on with what is typed.
    typed = replace(cursor, text=cursor.text.replace("    \n", "    y = 1\n"), offset=cursor.offset)
    judge = grammar.of(typed)
    assert judge
    assert judge(5, "for in x:") == 1
    assert judge(5, "z = 3") == 0
    grammar.close()


def test_what_has_no_grammar_is_not_judged() -> None:
    grammar = Grammar()
    for path in ("a.txt", "a"):
        assert at_once(cursor_at(path, "x = $0\n")) is None
        assert grammar.of(cursor_at(path, "x = $0\n")) is None
    grammar.close()
