"""What one file says: its definitions, its imports and the names it refers to.

The rows are named tuples, not dataclasses: an index makes millions of them, and a tuple is
made five times faster and goes into a database as it is.
"""

from array import array
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from sys import byteorder
from typing import Any, NamedTuple, TypeVar, cast

T = TypeVar("T")
R = TypeVar("R")

# Blobs of another number are parsed anew.
# 1: the first.  2: outlines and manifests.  3: Rust that implements something for a slice.
EXTRACTOR = 3


class Definition(NamedTuple):
    """Something with a name that other code can refer to; also a scope, where it has a body.

    `kind` is a class, function, method, field, variable, interface, type, enum, struct,
    trait, macro, namespace or heading.  `parent` is the index of the definition around it in
    `Facts.definitions`, -1 at the top; parents stand before their children.  `signature`
    is its text up to the body, on one line.  `type` is what the value, or that of a call, is
    said to be, as written: "Store", or "Store()" for what calling that gives; "" where
    nothing is said.  `bases` are the names a class derives from, as written, joined by
    ", ".  `start` and `end` are bytes, decorators included; `line` is the line of its name
    and `last` its last one, counted from 0.  What is assigned to `self.name` is a field.
    """

    name: str
    kind: str
    parent: int
    signature: str
    doc: str  # The first line of what documents it.
    type: str
    bases: str
    start: int
    end: int
    line: int
    last: int
    exported: bool


class Import(NamedTuple):
    """One name that an import binds.

    `module` is as written, leading dots or slashes included.  `name` is what is taken out
    of it: "" is the module itself, "*" everything, "default" what it offers by default.
    `alias` is what the code calls it: for `import a.b` it is "a.b", for "*" it is "".
    `exported` says that who imports this file may take the alias from here.
    """

    module: str
    name: str
    alias: str
    line: int
    exported: bool


class Reference(NamedTuple):
    """How often the code names `name`, definitions and imports included.

    Where, and inside of which definition, is found by reading the few files that a look-up
    of the name gives; keeping that for every name would double the index.
    """

    name: str
    times: int


class Facts(NamedTuple):
    """All of one file.  `understood` is the share of its bytes outside of syntax errors."""

    language: str
    lines: int
    understood: float
    definitions: tuple[Definition, ...] = ()
    imports: tuple[Import, ...] = ()
    references: tuple[Reference, ...] = ()


# The packed form: signed 32-bit numbers, the first of which counts the others, then strings
# in UTF-8 that are separated by NUL bytes; both column by column.  Reading it executes nothing
# and allocates little more than its own size, whoever wrote it.
_ROWS: tuple[Any, ...] = (Definition, Import, Reference)
_COLUMNS = [[kind is str for kind in row.__annotations__.values()] for row in _ROWS]
_NUMBER = "i" if array("i").itemsize == 4 else "l"


def made(row: Callable[..., R], values: Iterable[Iterable[Any]]) -> tuple[R, ...]:
    """Rows of as many values as `row` has fields: without a call of Python for each, of which
    there would be millions."""
    new = partial(cast(Any, tuple).__new__, row)
    return tuple(map(new, values))


def pack(facts: Facts) -> bytes:
    """The facts as bytes for another process on this machine; `unpack` reads them."""
    tables = facts[3:]
    numbers: list[int] = [facts.lines, round(facts.understood * 1_000_000), *map(len, tables)]
    strings: list[str] = [facts.language]
    for table, texts in zip(tables, _COLUMNS, strict=True):
        # A table without rows has no columns either.
        for text, column in zip(texts, zip(*table, strict=True), strict=False):
            (strings if text else numbers).extend(column)
    body = "\0".join(strings)
    if body.count("\0") >= len(strings):  # Only source that is not text has such names.
        body = "\0".join(string.replace("\0", "") for string in strings)
    return array(_NUMBER, [len(numbers), *numbers]).tobytes() + body.encode(
        "utf-8", "surrogateescape"
    )


def unpack(packed: bytes) -> Facts:
    """Raises ValueError for bytes that `pack` would not have written."""
    cut = 4 * (int.from_bytes(packed[:4], byteorder) + 1)
    if len(packed) < cut:
        raise ValueError("packed facts are cut")
    values = array(_NUMBER)
    values.frombytes(packed[4:cut])
    numbers = iter(values)
    strings = iter(packed[cut:].decode("utf-8", "surrogateescape").split("\0"))
    lines, understood, *sizes = _take(numbers, 2 + len(_ROWS))
    (language,) = _take(strings, 1)
    tables: list[Any] = []
    for row, texts, size in zip(_ROWS, _COLUMNS, sizes, strict=True):
        columns = [_take(strings if text else numbers, size) for text in texts]
        tables.append(made(row, zip(*columns, strict=True)))
    if next(numbers, None) is not None or next(strings, None) is not None:
        raise ValueError("packed facts have more values than rows")
    return Facts(language, lines, understood / 1_000_000, *tables)


def _take(values: Iterator[T], count: int) -> list[T]:
    taken = list(islice(values, count))
    if len(taken) != count:
        raise ValueError("packed facts have fewer values than rows")
    return taken


def names(packed: bytes) -> tuple[list[bytes], list[bytes]]:
    """The names that packed facts define, with repeats, and those that they refer to.

    Headings structure a document; nothing refers to them.  Reads no more of the facts than
    that: it is done for every file of the repository.
    """
    size = array(_NUMBER).itemsize
    values = array(_NUMBER)
    values.frombytes(packed[: size * (3 + len(_ROWS))])
    count, _lines, _understood, *sizes = values
    strings = packed[size * (count + 1) :].split(b"\0")
    defined, referred = sizes[0], sizes[-1]
    found, kinds = strings[1 : 1 + defined], strings[1 + defined : 1 + 2 * defined]
    if b"heading" in kinds:
        found = [name for name, kind in zip(found, kinds, strict=True) if kind != b"heading"]
    return found, strings[len(strings) - referred :]
