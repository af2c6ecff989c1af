"""Dataclasses of records to canonical JSON, and the grammar that such JSON follows.

One description, the dataclass, drives both, so that reader and writer cannot drift apart.
Canonical JSON leaves no choice (member order, escapes, white space), so that the texts of
one kind of record are a regular language: one regular expression checks fields, types and
form in a single pass.
"""

import json
import re
import types
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

# Characters of one string in a leaf; what is cut off is counted behind the ellipsis.
STRING_LIMIT = 2000

# What Python's `json` writes with ensure_ascii: short escapes where there are any, lower
# case, and characters beyond the first plane as pairs of surrogates.
_ESCAPE = (
    r'\\(?:["\\bfnrt]|u(?:00(?:0[0-7bef]|1[0-9a-f]|7f|[89a-f][0-9a-f])'
    r"|0[1-9a-f][0-9a-f]{2}|[1-9abcef][0-9a-f]{3}|d[0-7][0-9a-f]{2}"
    r"|d[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}))"
)
_PLAIN = r"[ !#-\[\]-~]*+"
_STRING = rf'"{_PLAIN}(?:{_ESCAPE}{_PLAIN})*+"'
# Below 2 to the 53rd, which every JSON reader keeps exact.
_INTEGER = r"(?:0|-?[1-9][0-9]{0,14})"
_SIMPLE = {str: _STRING, int: _INTEGER, bool: "(?:true|false)", type(None): "null"}

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def dump(value: object) -> str:
    """Canonical JSON: members sorted, ASCII, no white space."""
    return _ENCODER.encode(value)


def to_json(value: object) -> object:
    """The JSON value of a record's field; strings are cut to `STRING_LIMIT`."""
    if value is None or isinstance(value, int):
        return value
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, tuple):
        return [to_json(item) for item in cast(tuple[object, ...], value)]
    if names := _names(type(value)):
        return {name: to_json(getattr(value, name)) for name in names}
    return value


@cache
def _names(kind: type) -> tuple[str, ...]:
    """The fields of a dataclass, asked once: every record has a score of values."""
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else ()


def _text(value: str) -> str:
    # A lone surrogate (an undecodable file name) has no place in Unicode.
    if not value.isascii():
        value = value.encode("utf-8", "replace").decode()
    if len(value) <= STRING_LIMIT:
        return value
    return f"{value[: STRING_LIMIT - 20]}…[+{len(value) - STRING_LIMIT + 20}]"


@cache
def grammar(kind: type) -> re.Pattern[str]:
    """Matches exactly the texts that `dump(to_json(record))` makes of records of a kind."""
    return re.compile(_pattern(kind))


def _pattern(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint in _SIMPLE:
        return _SIMPLE[hint]
    if origin in (Union, types.UnionType):
        return f"(?:{'|'.join(_pattern(argument) for argument in arguments)})"
    if origin is Literal:
        return f"(?:{'|'.join(re.escape(dump(argument)) for argument in arguments)})"
    if origin is tuple and arguments[-1] is Ellipsis:
        item = _pattern(arguments[0])
        return rf"\[(?:{item}(?:,{item})*+)?+\]"
    if origin is tuple:
        return rf"\[{','.join(_pattern(argument) for argument in arguments)}\]"
    members = sorted(get_type_hints(hint).items())
    return r"\{" + ",".join(f'"{name}":{_pattern(each)}' for name, each in members) + r"\}"
