"""What a model writes and what of it may be shown: tables by rule, then properties."""
# ruff: noqa: E501  A row of a table is one line.

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wicket.completion.cursor import Cursor
from wicket.completion.place import place_of
from wicket.completion.syntax import SYNTAX, read, syntax_of
from wicket.completion.trim import RULES, Draft, Mode, lines_wanted, trim

NAMES = [rule.name for rule in RULES]
PATHS = {"python": "a.py", "typescript": "a.ts", "go": "a.go", "rust": "a.rs", "c": "a.c"}


def cursor_in(marked: str, language: str) -> Cursor:
    offset = marked.index("$0")
    text = marked.replace("$0", "", 1)
    return Cursor(PATHS.get(language, "a.txt"), language, text, offset)


def applied(cursor: Cursor, draft: Draft) -> str:
    return cursor.prefix + draft.text + cursor.suffix[draft.replace :]


def sound(cursor: Cursor, draft: Draft, lines: int) -> None:
    """What holds for every draft, whatever the model wrote."""
    assert "\r" not in draft.text
    assert 0 <= draft.replace <= len(cursor.line_after)
    assert not set(cursor.suffix[: draft.replace]) - set(")]}\"'`,:; \t")
    assert (draft.text == "") == (draft.filtered is not None)
    assert draft.text.count("\n") <= lines
    assert [name for name in NAMES if name in draft.rules] == list(draft.rules)
    again = trim(cursor, draft.text, lines)
    assert (again.text, again.replace) == (draft.text, draft.replace)


def check(
    marked: str,
    raw: str,
    want: str | None,
    *rules: str,
    language: str = "python",
    lines: int = 1,
    done: str = "stop",
) -> None:
    """`want` is the document with the suggestion in it, None if the last rule refuses."""
    cursor = cursor_in(marked, language)
    draft = trim(cursor, raw, lines, done)
    if want is None:
        assert (draft.text, draft.filtered) == ("", rules[-1])
    else:
        assert applied(cursor, draft) == want
        assert draft.filtered is None
    assert draft.rules == rules
    sound(cursor, draft, lines)


@pytest.mark.parametrize(
    ("raw", "want", "rules"),
    [
        ("1", "x = 1\n", ()),
        ("1<|endoftext|>", "x = 1\n", ("stop",)),
        ("1<|fim_middle|>2", "x = 1\n", ("stop",)),
        ("1<|file_sep|>b.py\nimport os", "x = 1\n", ("stop",)),
        ("1<｜end▁of▁sentence｜>", "x = 1\n", ("stop",)),
        ("1<[fim-suffix]>", "x = 1\n", ("stop",)),
        ("1 <EOT>", "x = 1\n", ("stop", "lines")),
        ("1▁<MID>", "x = 1\n", ("stop",)),
        ("1</s>", "x = 1\n", ("stop",)),
        ("1<fim_prefix>", "x = 1\n", ("stop",)),
        ("1\n<filename>b.py", "x = 1\n", ("stop", "lines")),
        ("1<|endof", "x = 1\n", ("stop",)),
        ("<|endoftext|>", None, ("stop",)),
        # A name in a string, in a usage text, a comparison, a pipe: no marker.
        ('"<|endoftext|>"', 'x = "<|endoftext|>"\n', ()),
        ('"usage: a <filename>"', 'x = "usage: a <filename>"\n', ()),
        ("a <s> b", "x = a <s> b\n", ()),
        ("a <| b |> c", "x = a <| b |> c\n", ()),
        # Half a character, control characters, a surrogate, hidden direction marks.
        ("a\ufffd", "x = a\n", ("stop",)),
        ("a\x00b", "x = a\n", ("stop",)),
        ("a\x1b[0m", "x = a\n", ("stop",)),
        (f"a{chr(0xD83D)}", "x = a\n", ("stop",)),
        ("a\u202eb", "x = a\n", ("stop",)),
        ("a\tb", "x = a\tb\n", ()),
        ("1\r\ny = 2\r\n", "x = 1\n", ("stop", "lines")),
        ("```python\n1\n```\nHere is", "x = 1\n", ("stop", "lines")),
        ("1\n```\nThis sets x.", "x = 1\n", ("stop", "lines")),
    ],
)
def test_the_text_ends_where_the_model_ended(
    raw: str, want: str | None, rules: tuple[str, ...]
) -> None:
    check("x = $0\n", raw, want, *rules)


def test_markers_are_text_where_the_document_has_them() -> None:
    check('a("<|pad|>")\nb = $0\n', "<|eot|>", 'a("<|pad|>")\nb = <|eot|>\n')
    check("<s>a</s>\n$0\n", "b</s>", "<s>a</s>\nb</s>\n", language="html")
    check("```sh\nls\n$0\n", "```", "```sh\nls\n```\n", language="markdown")


@pytest.mark.parametrize(
    ("marked", "raw", "want", "rules"),
    [
        # The line from its start, with its indentation, without it, with another.
        ("    return sel$0\n", "    return self.x", "    return self.x\n", ("typed",)),
        ("    return sel$0\n", "return self.x", "    return self.x\n", ("typed",)),
        ("    return sel$0\n", "  return self.x", "    return self.x\n", ("typed",)),
        ("\treturn sel$0\n", "    return self.x", "\treturn self.x\n", ("typed",)),
        ("def f$0\n", "def f(x):", "def f(x):\n", ("typed",)),
        ("    raise $0\n", "    raise E", "    raise E\n", ("typed",)),
        ("foo(a, $0\n", "foo(a, b)", "foo(a, b)\n", ("typed",)),
        ("é = naï$0\n", "é = naïve", "é = naïve\n", ("typed",)),
        # The name, the word, or all from an earlier word on.
        ("x = self.fo$0\n", "self.foo()", "x = self.foo()\n", ("typed",)),
        ("x = self.$0\n", "self.foo()", "x = self.foo()\n", ("typed",)),
        ("x = resp$0\n", "response", "x = response\n", ("typed",)),
        ("if a and sel$0\n", "and self.x:", "if a and self.x:\n", ("typed",)),
        ("import os\nim$0\n", "import re", "import os\nimport re\n", ("typed",)),
        ("return self.$0\n", "return self.return self.x", "return self.x\n", ("typed",)),
        # A second space; an echo of the end of the line.
        ("x = $0\n", " 1", "x = 1\n", ("typed",)),
        ("def f(self) -> None:$0\n", " None:", None, ("typed",)),
        # What only looks typed.
        ("s$0\n", "sh = 1", "ssh = 1\n", ()),
        ("l$0\n", "lama = 1", "llama = 1\n", ()),
        ("tartar = 1\ntar$0\n", "tar += 1", "tartar = 1\ntartar += 1\n", ()),
        ("x = (None, $0\n", "None, None)", "x = (None, None, None)\n", ()),
        ("x = 1$0\n", "1", "x = 11\n", ()),
        ("foo($0\n", "(a, b))", "foo((a, b))\n", ()),
        ("x =$0\n", " 1", "x = 1\n", ()),
    ],
)
def test_typed_text_is_not_repeated(
    marked: str, raw: str, want: str | None, rules: tuple[str, ...]
) -> None:
    check(marked, raw, want, *rules)


@pytest.mark.parametrize(
    ("marked", "raw", "want", "rules"),
    [
        # The indentation there is repeated, or that of another depth.
        ("def f():\n    $0\n", "    return 1", "def f():\n    return 1\n", ("indentation",)),
        ("def f():\n    $0\n", "        return 1", "def f():\n    return 1\n", ("indentation",)),
        ("def f():\n$0\n", "    return 1", "def f():\n    return 1\n", ()),
        ("def f():\n  $0\n", "  return 1", "def f():\n    return 1\n", ()),
        (
            "def f():\n        $0\n",
            "    return 1",
            "def f():\n        return 1\n",
            ("indentation",),
        ),
        (
            "class A:\n    x = 1\n    $0\n",
            "    y = 2",
            "class A:\n    x = 1\n    y = 2\n",
            ("indentation",),
        ),
        # Half of it is typed, the model writes the rest.
        ("def f():\n    x = 1\n  $0\n", "  y = 2", "def f():\n    x = 1\n    y = 2\n", ()),
        # The cursor stands left of the block: both are possible, the model decides.
        (
            "if a:\n    if b:\n        c()\n    $0\n",
            "    d()",
            "if a:\n    if b:\n        c()\n        d()\n",
            (),
        ),
        # A line break first.
        ("def f():\n    $0\n", "\n    return 1", "def f():\n    return 1\n", ("indentation",)),
        ("x = 1\n$0\n", "\n\ny = 2", "x = 1\ny = 2\n", ("indentation",)),
        ("def f():\n    $0\n", "\ndef g():", None, ("indentation",)),
        ("x = $0\n", "\n1", None, ("lines",)),
        # In brackets and strings a line may begin anywhere.
        ("f(a,\n  $0\n", "  b)", "f(a,\n    b)\n", ()),
        ('"""\n  $0\n"""\n', "  - a", '"""\n    - a\n"""\n', ()),
    ],
)
def test_the_first_line_fits_the_indentation_that_is_there(
    marked: str, raw: str, want: str | None, rules: tuple[str, ...]
) -> None:
    check(marked, raw, want, *rules)


@pytest.mark.parametrize(
    ("marked", "raw", "want", "rules"),
    [
        # On from the cursor, the indentation repeated, from the margin, one step too deep.
        ("def f():\n    $0\n", "x = 1\n    y = 2", "def f():\n    x = 1\n    y = 2\n", ()),
        (
            "def f():\n    $0\n",
            "    x = 1\n    y = 2",
            "def f():\n    x = 1\n    y = 2\n",
            ("indentation",),
        ),
        (
            "def f():\n    $0\n",
            "if a:\n    b\nelse:\n    c",
            "def f():\n    if a:\n        b\n    else:\n        c\n",
            ("indentation",),
        ),
        (
            "def f():\n    $0\n",
            "        x = 1\n        y = 2",
            "def f():\n    x = 1\n    y = 2\n",
            ("indentation",),
        ),
        (
            "def f():\n    $0\n",
            "    x = 1\n        y = 2",
            "def f():\n    x = 1\n    y = 2\n",
            ("indentation",),
        ),
        # Behind the header, with the line break still to come.
        ("def f():$0\n", "\n    x = 1\n    y = 2", "def f():\n    x = 1\n    y = 2\n", ()),
        ("def f():$0\n", "\n\n    x = 1\n", "def f():\n    x = 1\n", ("indentation", "lines")),
        (
            "def f():$0\n",
            "\n        x = 1\n        y = 2",
            "def f():\n    x = 1\n    y = 2\n",
            ("indentation",),
        ),
        ("def f(a,\n      b):$0\n", "\n    x = 1", "def f(a,\n      b):\n    x = 1\n", ()),
        ("def f():$0\n", " return 1\n", "def f(): return 1\n", ("lines",)),
        ("def f():$0\n", "\n\ndef g():\n    pass", None, ("indentation", "lines")),
    ],
)
def test_a_block_keeps_its_shape_under_the_indentation_that_is_there(
    marked: str, raw: str, want: str | None, rules: tuple[str, ...]
) -> None:
    check(marked, raw, want, *rules, lines=8)


@pytest.mark.parametrize(
    ("language", "marked", "raw", "want"),
    [
        ("go", "func f() {\n\tif a {$0\n\t}\n}\n", "\n        b()\n        c()", "func f() {\n\tif a {\n\t\tb()\n\t\tc()\n\t}\n}\n"),
        ("go", "func f() {\n\t$0\n}\n", "    a()\n    b()", "func f() {\n\ta()\n\tb()\n}\n"),
        ("c", "int f() {\n\ta();\n\t$0\n}\n", "if (b)\n        c();", "int f() {\n\ta();\n\tif (b)\n\t\tc();\n}\n"),
        ("typescript", "f() {\n  a()\n  $0\n}\n", "if (b) {\n\t\tc()\n\t}", "f() {\n  a()\n  if (b) {\n    c()\n  }\n}\n"),
        ("python", "if a:\n\tb\n\t$0\n", "if c:\n\t    d", "if a:\n\tb\n\tif c:\n\t    d\n"),
    ],
)  # fmt: skip
def test_tabs_and_spaces_follow_the_document(
    language: str, marked: str, raw: str, want: str
) -> None:
    cursor = cursor_in(marked, language)
    draft = trim(cursor, raw, 8)
    assert applied(cursor, draft) == want
    sound(cursor, draft, 8)


@pytest.mark.parametrize(
    ("marked", "raw", "want", "rules"),
    [
        # Indent scope.
        ("def f():\n    $0\n", "a\n    b\nc\n", "def f():\n    a\n    b\n", ("lines",)),
        ("def f():\n    $0\n", "a\n\n    b\n", "def f():\n    a\n\n    b\n", ("lines",)),
        ("if a:$0\n", "\n    b\nelse:\n    c", "if a:\n    b\n", ("lines",)),
        ("def f():\n    $0\n", "a\n  b", "def f():\n    a\n", ("lines",)),
        (
            "def f():\n    $0\n",
            'x = """\na\n"""\n    y',
            'def f():\n    x = """\na\n"""\n    y\n',
            (),
        ),
        # Two blank lines, blanks at the end of lines and of the text.
        ("$0", "a\n\n\nb\n", "a", ("lines",)),
        ("$0", "a  \n\nb\t\n\n", "a\n\nb", ("lines",)),
        # As many lines as were wanted.
        ("$0", "a\nb\nc\nd\ne", "a\nb\nc", ("lines",)),
        ("def f():$0", "\n    a\n    b\n    c\n    d", "def f():\n    a\n    b\n    c", ("lines",)),
    ],
)
def test_a_block_ends_with_its_indentation(
    marked: str, raw: str, want: str, rules: tuple[str, ...]
) -> None:
    lines = 3 if marked.endswith("$0") else 8
    check(marked, raw, want, *rules, lines=lines)


def test_one_line_ends_with_the_line() -> None:
    check("x = $0\n", "1  \ny = 2", "x = 1\n", "lines")
    check("x = $0\n", "1\n", "x = 1\n", "lines")
    # Where text follows, a block would tear the line apart.
    check("x = $0 + c\n", "a\nb", "x = a + c\n", "lines", lines=8)


@pytest.mark.parametrize(
    ("marked", "raw", "want", "rules"),
    [
        ("print($0)\n", "x", "print(x)\n", ()),
        ("print($0)\n", "x)", "print(x)\n", ("suffix",)),
        ("print($0)\n", "x) + y", "print(x) + y\n", ("suffix",)),
        ("print($0)\n", "f(x)", "print(f(x))\n", ()),
        ("print($0)\n", "f(x))", "print(f(x))\n", ("suffix",)),
        ("print(len($0))\n", "x", "print(len(x))\n", ()),
        ("print(len($0))\n", "x)", "print(len(x))\n", ("suffix",)),
        ("print(len($0))\n", "x))", "print(len(x))\n", ("suffix",)),
        ("print(len($0))\n", "x), y)", "print(len(x), y)\n", ("suffix",)),
        ("print(len($0)\n", "x)", "print(len(x))\n", ()),
        ("print(len($0)\n", "x))", "print(len(x))\n", ("suffix",)),
        ("print(a[$0)\n", "i]", "print(a[i])\n", ()),
        ("print(a[$0)\n", "i])", "print(a[i])\n", ("suffix",)),
        ("print( $0 )\n", "x )", "print( x )\n", ("suffix",)),
        ("if f($0):\n", "x):", "if f(x):\n", ("suffix",)),
        ("if f($0):\n", "x) > 1:", "if f(x) > 1:\n", ("suffix",)),
        ("def f($0):\n", "x) -> int:", "def f(x) -> int:\n", ("suffix",)),
        ("d = {$0}\n", '"a": [1]}', 'd = {"a": [1]}\n', ("suffix",)),
        ('print("$0")\n', 'hi")', 'print("hi")\n', ("suffix",)),
        ('print("$0")\n', "hi", 'print("hi")\n', ()),
        ('print("$0")\n', 'hi", file=f', 'print("hi", file=f)\n', ("suffix",)),
        ('print("$0")\n', 'hi", "you', 'print("hi", "you")\n', ()),
        ('print("$0")\n', '%s" % x)', 'print("%s" % x)\n', ("suffix",)),
        ("x = a['$0']\n", "b']", "x = a['b']\n", ("suffix",)),
        ("x = $0''\n", "f''", "x = f''\n", ("suffix",)),
        ("f(a,$0,)\n", "b,", "f(a,b,)\n", ("suffix",)),
        ("print($0)\n", "x ", "print(x)\n", ("suffix",)),
        ('print("$0")\n', "a: ", 'print("a: ")\n', ()),
        ("print($0)\n", ")", None, ("unchanged",)),
        ("print(x$0):\n", "):", None, ("unchanged",)),
    ],
)
def test_closers_after_the_cursor_are_replaced_not_doubled(
    marked: str, raw: str, want: str | None, rules: tuple[str, ...]
) -> None:
    check(marked, raw, want, *rules)


def test_the_replaced_range_is_counted_in_code_points() -> None:
    draft = trim(cursor_in("print($0)\n", "python"), "x)", 1)
    assert (draft.text, draft.replace) == ("x)", 1)
    draft = trim(cursor_in("名 = f('é$0' )\n", "python"), "🦀' )", 1)
    assert (draft.text, draft.replace) == ("🦀' )", 3)


@pytest.mark.parametrize(
    ("marked", "raw", "want", "rules"),
    [
        ("x = $0 + b\n", "a + b", "x = a + b\n", ("suffix",)),
        ("x = $0 + b\n", "a", "x = a + b\n", ()),
        ("x = $0+ b\n", "a + b", "x = a + b\n", ("suffix",)),
        ("x = $0 + long\n", "a + long + c", "x = a + long\n", ("suffix",)),
        ("f($0, b)\n", "a, b)", "f(a, b)\n", ("suffix",)),
        ("f($0, b)\n", "a,", "f(a, b)\n", ("suffix",)),
        ("f($0, b)\n", "a, c", "f(a, c, b)\n", ()),
        ("f($0) + b\n", "g(a)", "f(g(a)) + b\n", ()),
        ("f($0) + b\n", "a)", "f(a) + b\n", ("suffix",)),
        ("f($0) + b\n", "a) * c", "f(a) + b\n", ("brackets",)),
        ("x = $0(a, b)\n", "f(a, b)", "x = f(a, b)\n", ("suffix",)),
        ("fo$0o(x)\n", "o(x)", None, ("suffix",)),
        ("pri$0t(x)\n", "nt(x)", "print(x)\n", ("suffix",)),
        ("x = $0  # why\n", "1  # why", "x = 1  # why\n", ("suffix",)),
        ("x = $0  # why\n", "1  # how", "x = 1  # how  # why\n", ()),
        ('x = "$0" + b\n', 'a" + b', 'x = "a" + b\n', ("suffix",)),
        ('x = "$0" + b\n', 'a" + c', 'x = "a" + b\n', ("brackets",)),
        ("from $0 import a\n", "b import", "from b import a\n", ("suffix",)),
        ("from $0 warn\n", "warnings", "from warnings warn\n", ()),
    ],
)
def test_the_rest_of_the_line_is_never_repeated(
    marked: str, raw: str, want: str | None, rules: tuple[str, ...]
) -> None:
    check(marked, raw, want, *rules)


@pytest.mark.parametrize(
    ("language", "marked", "raw", "want", "rules"),
    [
        ("python", "x = f($0\n", "a))", "x = f(a)\n", ("brackets",)),
        ("python", "x = $0\n", "a)", "x = a\n", ("brackets",)),
        ("python", "x = [$0\n", "a)", "x = [a\n", ("brackets",)),
        ("python", "f(\n    g($0\n)\n", "a))", "f(\n    g(a)\n)\n", ("brackets",)),
        ("python", "f(\n    g($0)\n)\n", "a))", "f(\n    g(a)\n)\n", ("suffix", "brackets")),
        ("python", "f(\n    a,\n$0\nb = 1\n", ")", "f(\n    a,\n)\nb = 1\n", ()),
        ("python", "x = $0\n", "')' + \"]\"", "x = ')' + \"]\"\n", ()),
        ("python", "x = $0\n", "a  # :)", "x = a  # :)\n", ()),
        ("python", '"""A smile $0\n"""\n', ":)", '"""A smile :)\n"""\n', ()),
        ("rust", "fn f<'a>(x: &'a str) -> char { $0 }\n", "'}'", "fn f<'a>(x: &'a str) -> char { '}' }\n", ()),
        ("rust", "let c = f($0);\n", "')');", "let c = f(')');\n", ("suffix",)),
        ("rust", "let v = vec![$0];\n", "1, 2];", "let v = vec![1, 2];\n", ("suffix",)),
        ("typescript", "foo(() => {$0})\n", " bar() })", "foo(() => { bar() })\n", ("suffix",)),
        ("typescript", "const r = $0\n", "/[)]/.test(x)", "const r = /[)]/.test(x)\n", ()),
        ("typescript", "const s = `${$0}`\n", "x}`", "const s = `${x}`\n", ("suffix",)),
        ("go", "if err := f($0); err != nil {\n", "x)", "if err := f(x); err != nil {\n", ("suffix",)),
        ("go", "s := `$0`\n", ")`", "s := `)`\n", ("suffix",)),
        ("c", "if ($0) {\n}\n", "x > 1) {", "if (x > 1) {\n}\n", ("suffix",)),
        ("c", "puts(\"$0\");\n", "a\\n\");", "puts(\"a\\n\");\n", ("suffix",)),
        ("c", "/* a $0\nint b;\n", "*/", "/* a */\nint b;\n", ()),
        ("plaintext", "Three reasons: $0\n", "1) a 2) b :)", "Three reasons: 1) a 2) b :)\n", ()),
        ("plaintext", "($0)\n", "don't)", "(don't)\n", ("suffix",)),
    ],
)  # fmt: skip
def test_no_closer_without_an_opener(
    language: str, marked: str, raw: str, want: str, rules: tuple[str, ...]
) -> None:
    check(marked, raw, want, *rules, language=language)


@pytest.mark.parametrize(
    ("language", "marked", "raw", "want", "rules"),
    [
        # The document has the closing bracket.
        ("c", "int f() {$0\n}\n", "\n    return 1;\n}\n\nint g() {", "int f() {\n    return 1;\n}\n", ("lines",)),
        ("c", "int f() {\n    $0\n}\n", "return 1;\n}\n", "int f() {\n    return 1;\n}\n", ("lines",)),
        ("c", "    if (a) {$0\n    } else {\n    }\n", "\n        b();\n    } else {\n        c();", "    if (a) {\n        b();\n    } else {\n    }\n", ("lines",)),
        ("typescript", "f(() => {\n  $0\n});\n", "a();\n});\n", "f(() => {\n  a();\n});\n", ("lines",)),
        # The document lacks it.
        ("c", "int f() {$0\n", "\n    return 1;\n}\n\nint g() {", "int f() {\n    return 1;\n}\n", ("lines",)),
        ("c", "int f() {$0\n\nint g() {\n}\n", "\n    return 1;\n}\n", "int f() {\n    return 1;\n}\n\nint g() {\n}\n", ("lines",)),
        ("go", "func f() {\n\tif a {$0\n}\n", "\n\t\tb()\n\t}\n}\n", "func f() {\n\tif a {\n\t\tb()\n\t}\n}\n", ("lines",)),
        ("rust", "fn f() {\n    if a {$0\n}\n", "\n        b();\n    } else {\n", "fn f() {\n    if a {\n        b();\n    }\n}\n", ("lines",)),
        ("typescript", "f(() => {$0\n", "\n  a();\n});\nb();", "f(() => {\n  a();\n});\n", ("lines",)),
        # The text has its own.
        ("rust", "fn f() {\n    $0\n}\n", "if a {\n        b();\n    }\n    c()", "fn f() {\n    if a {\n        b();\n    }\n    c()\n}\n", ()),
        ("python", "def f():\n    $0\n", "x = [\n        1,\n    ]\n    return x", "def f():\n    x = [\n        1,\n    ]\n    return x\n", ()),
    ],
)  # fmt: skip
def test_a_block_is_closed_once(
    language: str, marked: str, raw: str, want: str, rules: tuple[str, ...]
) -> None:
    check(marked, raw, want, *rules, language=language, lines=8)


@pytest.mark.parametrize(
    ("marked", "raw", "want", "rules"),
    [
        ("f()\n$0\ng(a)\n", "g(a)", None, ("duplicate",)),
        ("f()\n$0\n\n\ng(a)\n", "g(a)", None, ("duplicate",)),
        ("g(a)\n$0\n", "g(a)", None, ("duplicate",)),
        ("    x = $0\n    x = a\n", "a", None, ("duplicate",)),
        ("x = a\nx = $0\n", "a", None, ("duplicate",)),
        ("print(a)\nprint($0)\n", "a)", None, ("duplicate",)),
        # The same words at another depth, or without words, say something else.
        ("if a:\n    $0\ng(a)\n", "g(a)", "if a:\n    g(a)\ng(a)\n", ()),
        ("f(\n    {},\n    $0\n)\n", "{},", "f(\n    {},\n    {},\n)\n", ()),
        ("x = [\n    0,\n    $0\n    0,\n]\n", "0,", "x = [\n    0,\n    0,\n    0,\n]\n", ()),
    ],
)
def test_a_line_does_not_say_what_its_neighbour_says(
    marked: str, raw: str, want: str | None, rules: tuple[str, ...]
) -> None:
    check(marked, raw, want, *rules)


@pytest.mark.parametrize(
    ("marked", "raw", "want", "rules"),
    [
        ("a()\n$0\nb()\nc()\n", "x()\nb()\nc()\n", "a()\nx()\nb()\nc()\n", ("lines", "suffix")),
        ("a()\n$0\nb()\nc()\n", "x()\n\nb()", "a()\nx()\nb()\nc()\n", ("suffix",)),
        ("a()\n$0\nb()\nc()\n", "b()\nc()\n", None, ("lines", "duplicate")),
        (
            "a()\n$0\nreturn value\n",
            "x()\nreturn value\ny()",
            "a()\nx()\nreturn value\n",
            ("suffix",),
        ),
        ("a()\n$0\nb()\n", "x()\nb()\ny()", "a()\nx()\nb()\ny()\nb()\n", ()),
        ("call(a)\n$0\n", "call(a)\ncall(b)\n", "call(a)\ncall(b)\n", ("lines", "duplicate")),
        (
            "def f():\n    $0\n    return a\n",
            "if b:\n        return a",
            "def f():\n    if b:\n        return a\n    return a\n",
            (),
        ),
    ],
)
def test_a_block_stops_where_the_document_goes_on(
    marked: str, raw: str, want: str | None, rules: tuple[str, ...]
) -> None:
    check(marked, raw, want, *rules, lines=8)


def test_loops_are_cut() -> None:
    check("$0", "call(a)\n" * 5, "call(a)", "lines", "repetition", lines=8)
    check("$0", "call(a)\ncall(b)\n" * 3, "call(a)\ncall(b)", "lines", "repetition", lines=8)
    check("$0", "x = f(0" + ", 0" * 20, None, "repetition")
    check("$0", "# to the end of the start" + " of the end of the start" * 4, None, "repetition")
    check("$0", "a\nx = '" + "=" * 60 + "'", "a\nx = '" + "=" * 60 + "'", lines=8)
    check("$0", "x = [0, 0, 0, 0, 0, 0, 0, 0]", "x = [0, 0, 0, 0, 0, 0, 0, 0]")


@pytest.mark.parametrize(
    ("raw", "done", "lines", "want", "rules"),
    [
        # One line: whole only if a line break followed.
        ("known()\nf", "deadline", 1, "known()", ("lines",)),
        ("known()", "deadline", 1, None, ("unfinished",)),
        ("known()", "cancelled", 1, None, ("unfinished",)),
        ("known()", "length", 1, "known()", ()),
        ("known + known", "length", 1, "known + known", ()),
        ("known + unkno", "length", 1, "known +", ("unfinished",)),
        ("unkno", "length", 1, None, ("unfinished",)),
        # A block loses the line that was cut off.
        ("a = 1\nb = 2\nc = ", "length", 8, "a = 1\nb = 2", ("unfinished", "lines")),
        ("a = 1\nb = 2\n", "length", 8, "a = 1\nb = 2", ("lines",)),
        ("a = 1\nb = 2\nc", "deadline", 8, "a = 1\nb = 2", ("unfinished", "lines")),
        ("a = 1", "deadline", 8, None, ("unfinished",)),
        # A string of one line that is never closed.
        ('f("abc', "stop", 1, None, ("unfinished",)),
        ('f("abc")', "stop", 1, 'f("abc")', ()),
        ('x = """abc', "stop", 1, 'x = """abc', ()),
    ],
)
def test_what_was_cut_off_is_not_shown(
    raw: str, done: str, lines: int, want: str | None, rules: tuple[str, ...]
) -> None:
    doc = "known = 1\n"
    check(f"{doc}$0", raw, want and doc + want, *rules, lines=lines, done=done)


@pytest.mark.parametrize("raw", ["", " ", "\n", " \n\t\n", "#", "  # "])
def test_nothing_is_said_to_be_nothing(raw: str) -> None:
    draft = trim(cursor_in("a\n\n$0\n\nb\n", "python"), raw, 8)
    assert (draft.text, draft.filtered) == ("", "empty")


@pytest.mark.parametrize("line_break", ["\r\n", "\r"])
def test_other_line_breaks_change_nothing(line_break: str) -> None:
    """The document keeps its line breaks, the text has LF, the neighbours are compared."""
    doc = "def f():\n    a()\n    $0\n    c()\n".replace("\n", line_break)
    draft = trim(cursor_in(doc, "python"), "b()\r\n    d()\r\n    c()\r\n", 8)
    assert draft.text == "b()\n    d()"
    draft = trim(cursor_in("f($0)\r\ng()\r\n", "python"), "x)\r\n", 1)
    assert (draft.text, draft.replace) == ("x)", 1)
    cursor = cursor_in("def f():$0\n".replace("\n", line_break), "python")
    assert lines_wanted(cursor, "auto", 8) == 8


@pytest.mark.parametrize(
    ("language", "marked", "lines"),
    [
        ("python", "def f():$0\n", 8),
        ("python", "def f():  $0  \n", 8),
        ("python", "def f():\n    $0\n", 8),
        ("python", "def f():  # why:\n    $0\n", 8),
        ("python", "def f():\n    # why:\n    $0\n", 8),
        ("python", "def f(\n    a,\n):$0\n", 8),
        ("python", "def f(a,\n      b):$0\n", 8),
        ("python", "async def f() -> dict[str, int]:$0", 8),
        ("python", "try:$0", 8),
        ("python", "match x:\n    case [1, *_]:$0", 8),
        ("python", "class A:\n    def f(self):\n        $0\n\n    def g(self):\n", 8),
        # No opener, or not one at the end of code.
        ("python", "x = 1$0\n", 1),
        ("python", "$0", 1),
        ("python", "def f($0):\n", 1),
        ("python", "def f(): return$0\n", 1),
        ("python", "# why:$0\n", 1),
        ("python", "def f():  # why:$0\n", 1),
        ("python", '"""Args:$0\n"""\n', 1),
        ("python", '"""\nif a:\n    $0\n"""\n', 1),
        ("python", "x = 'if a:'\n$0\n", 1),
        ("python", "f = lambda x:$0\n", 1),
        ("python", "x:$0\n", 1),
        ("python", "    match:$0\n", 1),
        ("python", "d = {\n    'a':$0\n", 1),
        ("python", "def f(\n    a:$0\n", 1),
        ("python", "x = a[1:$0\n", 1),
        ("python", "x = {$0\n", 1),
        # The block has a body.
        ("python", "def f():\n    $0\n    return 1\n", 1),
        ("python", "def f():$0\n    return 1\n", 1),
        ("python", "def f():\n    return 1\n$0\n", 1),
        ("typescript", "function f() {$0\n}\n", 8),
        ("typescript", "const f = () => {\n  $0\n}\n", 8),
        ("typescript", "foo(() => {$0\n", 8),
        ("typescript", "f({$0})\n", 1),
        ("typescript", "const s = '{$0\n", 1),
        ("typescript", "const s = `{$0\n", 1),
        ("typescript", "// {$0\n", 1),
        ("go", "switch x {\ncase 1:$0\n}\n", 8),
        ("go", "type A struct {\n\t$0\n}\n", 8),
        ("rust", "impl<'a> A<'a> {\n    $0\n}\n", 8),
        ("rust", "match c {\n    '{' => 1,$0\n}\n", 1),
        ("c", "if (a) {\n    b();\n} else {$0\n}\n", 8),
        ("c", "/* if (a) {$0\n", 1),
        ("c", "int x;$0\n", 1),
        ("plaintext", "Note:$0\n", 1),
    ],
)
def test_a_block_is_wanted_where_a_statement_asks_for_one(
    language: str, marked: str, lines: int
) -> None:
    assert lines_wanted(cursor_in(marked, language), "auto", 8) == lines


def test_the_user_may_want_one_line_or_always_a_block() -> None:
    rows: list[tuple[str, Mode, int, int]] = [
        ("def f():$0\n", "line", 8, 1),
        ("x = $0\n", "block", 8, 8),
        ("x = $0 + 1\n", "block", 8, 1),
        ("def f():$0\n", "auto", 1, 1),
        ("def f():$0\n", "block", 0, 1),
    ]
    for marked, mode, most, lines in rows:
        assert lines_wanted(cursor_in(marked, "python"), mode, most) == lines, marked


@pytest.mark.parametrize(
    ("language", "text", "inside", "due", "closers"),
    [
        ("python", "f(a, [", None, ")]", ""),
        ("python", "f(a)) ]", None, "", ")]"),
        ("python", "f('(", "'", ")'", ""),
        ("python", "f('(\n[", None, ")]", ""),
        ("python", "f('\\'(", "'", ")'", ""),
        ("python", '"""\n(\\"""', '"""', '"""', ""),
        ("python", "(  # ]", "#", ")", ""),
        ("c", "{ /* } */ (", None, "})", ""),
        ("c", "{ /* }", "/*", "}*/", ""),
        ("cpp", 'f(R"({)") + 1\'000 + (', None, ")", ""),
        ("go", "f(`\\`, [", None, ")]", ""),
        ("rust", "fn f<'a>(c: char = '(', b = '\\'') {", None, "}", ""),
        ("rust", 'f("\n(', '"', ')"', ""),
        ("typescript", "/[(]/.test(x) / (", None, ")", ""),
        ("typescriptreact", "<p>don't</p> {", None, "}", ""),
        ("plaintext", "don't (", None, "", ""),
    ],
)
def test_strings_and_comments_hide_brackets(
    language: str, text: str, inside: str | None, due: str, closers: str
) -> None:
    reading = read(text, syntax_of(language))
    assert (reading.inside.start if reading.inside else None) == inside
    assert "".join(reading.due) == due
    assert "".join(closer for _, closer in reading.closers) == closers


def test_a_far_opener_is_closed_all_the_same() -> None:
    """In a long file the text is read from its middle: the class is open out of sight."""
    body = "".join(f"  m{i}() {{ return [{i}]; }}\n" for i in range(900))
    marked = f"class A {{\n{body}  f() {{\n    g($0)\n  }}\n{body}}}\n"
    cursor = cursor_in(marked, "typescript")
    assert place_of(cursor).unseen
    assert place_of(cursor).unread
    for raw in ("x", "x)", "x) "):
        assert trim(cursor, raw, 1).text.rstrip(")") == "x"
    assert applied(cursor, trim(cursor, "x);", 1)) == marked.replace("$0)", "x);")
    rows = f"const t = [\n{'  [1, 2],' + chr(10)}" + "  [1, 2],\n" * 3000
    cursor = cursor_in(f"{rows}  [$0],\n{rows}];\n", "typescript")
    draft = trim(cursor, "1, 3],", 1)
    assert (draft.text, draft.replace) == ("1, 3],", 2)


# Pieces of code, of what models leak, and of what breaks readers of code.
WORDS = (
    "( ) [ ] { } \" ' ` \"\"\" ''' , : ; . = + # // /* */ \\ a b self return if else def class f( x) "
    "{} () [] ): }); <|endoftext|> </s> ``` é 名 🦀 1 0, \ufffd \u2028"
)
SPACES = ("\n", "\n", "\r\n", "\r", "\t", " ", "    ", "\n    ", "\n\t", ":\n", "{\n", "\x00")
PIECES = st.sampled_from([*WORDS.split(" "), *SPACES])
CODE = st.lists(PIECES, max_size=25).map("".join)
LANGUAGES = st.sampled_from([*SYNTAX, "plaintext", "markdown", ""])


@settings(max_examples=400)
@given(CODE, CODE, CODE, LANGUAGES, st.integers(-1, 5), st.sampled_from(["stop", "length", "x"]))
def test_any_text_at_any_place_gives_a_sound_draft(
    prefix: str, suffix: str, raw: str, language: str, lines: int, done: str
) -> None:
    """Nothing raises, nothing but closers on the line is lost, trimmed text stays."""
    cursor = Cursor("a", language, prefix + suffix, len(prefix))
    sound(cursor, trim(cursor, raw, lines, done), max(lines, 1))


@settings(max_examples=200)
@given(st.text(), st.text(), st.text(), LANGUAGES)
def test_any_unicode_gives_a_sound_draft(prefix: str, suffix: str, raw: str, language: str) -> None:
    cursor = Cursor("a", language, prefix + suffix, len(prefix))
    sound(cursor, trim(cursor, raw, 4), 4)


@settings(max_examples=200)
@given(CODE, CODE, CODE, LANGUAGES)
def test_no_draft_closes_more_than_is_open(
    prefix: str, suffix: str, raw: str, language: str
) -> None:
    cursor = Cursor("a", language, prefix + suffix, len(prefix))
    place = place_of(cursor)
    text = trim(cursor, raw, 1).text
    closers = [closer for _, closer in read(text, place.syntax, place.code.inside).closers]
    assert len(closers) <= len(place.code.due)


@settings(max_examples=200)
@given(CODE, CODE, LANGUAGES, st.sampled_from(["auto", "line", "block"]), st.integers(-1, 9))
def test_lines_wanted_are_one_or_all(
    prefix: str, suffix: str, language: str, mode: Mode, most: int
) -> None:
    cursor = Cursor("a", language, prefix + suffix, len(prefix))
    assert lines_wanted(cursor, mode, most) in {1, max(most, 1)}


def test_a_draft_is_a_value() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Draft("a").text = "b"  # type: ignore[misc]
