"""Dataclasses of records to JSON values, and the check that a JSON value has their shape.

One description, the dataclass, drives both, so that reader and writer cannot drift apart.
"""

import types
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

# Characters of one string in a leaf; what is cut off is counted behind the ellipsis.
STRING_LIMIT = 2000
# Integers that every JSON reader keeps exact.
INTEGER_LIMIT = (1 << 53) - 1

Check = Callable[[object], bool]


def to_json(value: object) -> object:
    """The JSON value of a record's field; strings are cut to `STRING_LIMIT`."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, tuple):
        return [to_json(item) for item in cast(tuple[object, ...], value)]
    if is_dataclass(value):
        return {field.name: to_json(getattr(value, field.name)) for field in fields(value)}
    return value


def _text(value: str) -> str:
    # A lone surrogate (an undecodable file name) has no place in UTF-8.
    value = value.encode("utf-8", "replace").decode() if not value.isascii() else value
    if len(value) <= STRING_LIMIT:
        return value
    return f"{value[: STRING_LIMIT - 20]}…[+{len(value) - STRING_LIMIT + 20}]"


@cache
def check_of(kind: type) -> Check:
    """Whether a JSON value is one that `to_json` makes of a `kind`."""
    hints = get_type_hints(kind)
    checks = tuple((field.name, _check(hints[field.name])) for field in fields(kind))
    names = frozenset(name for name, _ in checks)

    def fits(value: object) -> bool:
        if type(value) is not dict:
            return False
        members = cast(dict[str, object], value)
        if members.keys() != names:
            return False
        return all(check(members[name]) for name, check in checks)

    return fits


def _check(hint: Any) -> Check:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _either(tuple(_check(argument) for argument in arguments))
    if origin is Literal:
        allowed = frozenset(arguments)
        return lambda value: type(value) is str and value in allowed
    if origin is tuple:
        return _list(arguments)
    if hint is type(None):
        return lambda value: value is None
    if hint is str:
        return lambda value: type(value) is str and len(value) <= STRING_LIMIT
    if hint is int:
        return lambda value: type(value) is int and -INTEGER_LIMIT <= value <= INTEGER_LIMIT
    if hint is bool:
        return lambda value: type(value) is bool
    return check_of(hint)


def _either(checks: tuple[Check, ...]) -> Check:
    if len(checks) == 2:
        one, other = checks
        return lambda value: one(value) or other(value)
    return lambda value: any(check(value) for check in checks)


def _list(arguments: tuple[Any, ...]) -> Check:
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        check = _check(arguments[0])
        return lambda value: (
            type(value) is list and all(check(item) for item in cast(list[object], value))
        )
    checks = tuple(_check(argument) for argument in arguments)

    def fits(value: object) -> bool:
        if type(value) is not list:
            return False
        items = cast(list[object], value)
        return len(items) == len(checks) and all(
            check(item) for check, item in zip(checks, items, strict=True)
        )

    return fits
