"""What can be told about half-typed code without a parser: strings, comments, brackets.

Trimming needs it where a tree is late, broken or missing: at the cursor.  A language is a
row; a language without a row is prose, in which no bracket and no quote means anything.
"""

import re
from dataclasses import dataclass
from functools import cache, lru_cache


@dataclass(frozen=True, slots=True)
class Quote:
    """A string or a comment: what is in between is no code."""

    start: str
    end: str
    lines: bool = False  # It goes on past the end of a line.
    escapes: bool = True  # A backslash takes the next character with it.
    comment: bool = False


@dataclass(frozen=True, slots=True)
class Syntax:
    """`block` finds, at the end of a statement's code, that an indented block follows.

    `skip` is a pattern of code in which quotes and brackets mean nothing.  In a language
    that is `indented` only a block may be deeper than the line above it.
    """

    quotes: tuple[Quote, ...] = ()
    block: re.Pattern[str] = re.compile(r"(?!)")
    skip: str = "(?!)"
    brackets: bool = True
    indented: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """What stands open at the end of a text, and what the text closes of the text before.

    `opened` holds the closers that are still due, innermost last.  `closers` are those
    that close nothing in the text itself, with their offsets.  `end` is the offset behind
    the last code; `pairs` are the offsets of brackets that found each other.
    """

    inside: Quote | None
    opened: tuple[str, ...]
    closers: tuple[tuple[int, str], ...]
    pairs: tuple[tuple[int, int], ...]
    end: int

    @property
    def due(self) -> tuple[str, ...]:
        """The closers due, that of an open string included."""
        if self.inside is None or self.inside.end == "\n":
            return self.opened
        return (*self.opened, self.inside.end)


@dataclass(frozen=True, slots=True)
class Halfway:
    """A text that was read up to the end of a line; `spans` are start, end, is a comment.

    `given` says that `inside` is what the text began in.
    """

    inside: Quote | None
    given: bool = True
    opened: tuple[tuple[int, str], ...] = ()
    closers: tuple[tuple[int, str], ...] = ()
    pairs: tuple[tuple[int, int], ...] = ()
    spans: tuple[tuple[int, int, bool], ...] = ()


def read(text: str, syntax: Syntax, inside: Quote | None = None) -> Reading:
    """Read `text`, which begins in the string or comment `inside`."""
    lines = text.rfind("\n") + 1
    # At the next key all but the last line is as it was.  Only a string goes over a line end,
    # so that a line can be read by itself.
    half = Halfway(inside) if lines < WORTH else _lines(text[:lines], syntax, inside)
    done = _on(text, lines if lines >= WORTH else 0, syntax, half)
    spans, end = list(done.spans), len(text)
    while spans and not text[spans[-1][1] : end].strip() and spans[-1][2]:
        end = spans.pop()[0]
    return Reading(
        done.inside,
        tuple(closer for _, closer in done.opened),
        done.closers,
        done.pairs,
        len(text[:end].rstrip()),
    )


@lru_cache(maxsize=8)
def _lines(text: str, syntax: Syntax, inside: Quote | None) -> Halfway:
    return _on(text, 0, syntax, Halfway(inside))


def _on(text: str, at: int, syntax: Syntax, half: Halfway) -> Halfway:
    """Go on with `text` from `at`, where it was read `half`."""
    inside, opened, closers = half.inside, list(half.opened), list(half.closers)
    pairs, spans, given = list(half.pairs), list(half.spans), half.given
    if inside is not None and at < len(text):
        found = _body(inside).match(text, at)
        assert found, "a body may be empty, so it always matches"
        at = found.end()
        if half.given and found["end"] and inside.end != "\n":
            closers.append((found.start("end"), inside.end))
        spans.append((spans.pop()[0] if spans else 0, at, inside.comment))
        if found["end"] or at < len(text):
            inside = None  # The line may have ended first: the string was never closed.
    given = given and inside is not None
    for found in _tokens(syntax).finditer(text, at):
        kind, start = found.lastgroup or "", found.start()
        if kind == "bracket":
            spans.append((start, start + 1, False))
            closer = CLOSER.get(text[start])
            if closer:
                opened.append((start, closer))
            elif opened and opened[-1][1] == text[start]:
                pairs.append((opened.pop()[0], start))
            else:
                closers.append((start, text[start]))
        elif kind[0] in "oc":
            quote = syntax.quotes[int(kind[1:])]
            spans.append((start, found.end(), quote.comment))
            if kind[0] == "o" and found.end() == len(text):
                inside = quote
    return Halfway(inside, given, tuple(opened), tuple(closers), tuple(pairs), tuple(spans))


def block_head(text: str, syntax: Syntax, reading: Reading) -> str | None:
    """The first line of the statement that ends `text` and asks for an indented block."""
    start = text.rfind("\n", 0, reading.end) + 1
    for opener, closer in reversed(reading.pairs):
        if closer < start:
            break
        start = min(start, text.rfind("\n", 0, opener) + 1)
    statement = text[start : reading.end]
    return statement.split("\n", 1)[0] if syntax.block.search(statement) else None


def syntax_of(language: str) -> Syntax:
    """The row of an LSP language identifier; prose for one that is not known."""
    return SYNTAX.get(language, PROSE)


# Code points of lines from which on their reading is remembered.
WORTH = 512
CLOSER = {"(": ")", "[": "]", "{": "}"}
# Hard keywords begin no annotation (`match: int` is a field), soft ones need a subject.
PYTHON_BLOCK = re.compile(
    r"^\s*(?:(?:async\s+)?(?:def|class|if|elif|else|for|while|try|except|finally|with)\b"
    r"|(?:match|case)\s+[^:=\s]).*:\Z",
    re.DOTALL,
)
BRACE_BLOCK = re.compile(r"\{\Z|^\s*(?:case\b.*|default\s*):\Z", re.DOTALL)
TEXT = (Quote('"', '"'), Quote("'", "'"))
SLASHES = (
    Quote("//", "\n", escapes=False, comment=True),
    Quote("/*", "*/", lines=True, escapes=False, comment=True),
)
# A slash that follows no value and closes no tag begins a regular expression.
REGULAR_EXPRESSION = r"(?<![\w)\]}\"'`<])/(?![/*\s>])(?:\\.|\[(?:\\.|[^\]\n])*\]|[^/\\\n])+/"
APOSTROPHE = r"(?<=[a-z])'(?=[a-z])"  # In the text between tags: don't.
LIFETIME_OR_CHARACTER = r"'(?:\\[^'\n]*'|[^'\\\n]')|'\w+"
DIGIT_SEPARATOR = r"(?<=[0-9a-fA-F])'(?=[0-9a-fA-F])"

PROSE = Syntax(brackets=False)
PYTHON = Syntax(
    (
        Quote('"""', '"""', lines=True),
        Quote("'''", "'''", lines=True),
        *TEXT,
        Quote("#", "\n", escapes=False, comment=True),
    ),
    PYTHON_BLOCK,
    indented=True,
)
BRACES = Syntax((*SLASHES, *TEXT), BRACE_BLOCK)
CPP = Syntax(
    (*SLASHES, Quote('R"(', ')"', lines=True, escapes=False), *TEXT),
    BRACE_BLOCK,
    DIGIT_SEPARATOR,
)
GO = Syntax((*SLASHES, *TEXT, Quote("`", "`", lines=True, escapes=False)), BRACE_BLOCK)
SCRIPT = Syntax(
    (*SLASHES, *TEXT, Quote("`", "`", lines=True)),
    BRACE_BLOCK,
    f"{REGULAR_EXPRESSION}|{APOSTROPHE}",
)
RUST = Syntax(
    (
        *SLASHES,
        Quote('r#"', '"#', lines=True, escapes=False),
        Quote('"', '"', lines=True),
    ),
    BRACE_BLOCK,
    LIFETIME_OR_CHARACTER,
)
ROWS = (
    (PYTHON, "python"),
    (GO, "go"),
    (RUST, "rust"),
    (SCRIPT, "javascript javascriptreact typescript typescriptreact"),
    (CPP, "c cpp objective-c objective-cpp cuda-cpp"),
    (BRACES, "csharp java kotlin scala swift dart zig json jsonc"),
)
SYNTAX = {language: syntax for syntax, names in ROWS for language in names.split()}


def _rest(quote: Quote, group: str) -> str:
    """A pattern from behind the start of `quote` to its end, which `group` catches."""
    end, first = re.escape(quote.end), re.escape(quote.end[0])
    barred = ("" if quote.lines else r"\n") + (r"\\" if quote.escapes else "")
    escaped = r"|\\(?s:.)?" if quote.escapes else ""
    other = f"[^{barred}]" if barred else "(?s:.)"
    plain = f"[^{first}{barred}]++{escaped}|(?!{end}){other}"
    return f"(?:{plain})*+(?P<{group}>{end})?"


@cache
def _body(quote: Quote) -> re.Pattern[str]:
    return re.compile(_rest(quote, "end"))


@cache
def _tokens(syntax: Syntax) -> re.Pattern[str]:
    """Everything but plain code; `o<row>` is a quote left open, `c<row>` a closed one."""
    quotes = (
        f"(?P<o{row}>{re.escape(quote.start)}){_rest(quote, f'c{row}')}"
        for row, quote in enumerate(syntax.quotes)
    )
    brackets = [r"(?P<bracket>[()\[\]{}])"] if syntax.brackets else []
    return re.compile("|".join([f"(?P<skip>{syntax.skip})", *quotes, *brackets]))
