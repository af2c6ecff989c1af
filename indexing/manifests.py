"""What files of settings say about imports: go.mod, package.json, tsconfig.json, Cargo.toml.

A package's own name is a definition, called `package:NAME` so that no code can mean it; where
an alias leads, or a package's entry, is an import.  Whatever is not understood says nothing.
"""

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from typing import Any, cast

from .facts import Definition, Import

PACKAGE = "package:"
# What an alias's row is called beside its pattern: "" is the pattern itself.
BASE, EXTENDS, REFERENCES = "base", "extends", "references"

Said = tuple[tuple[Definition, ...], tuple[Import, ...]]

# Strings are kept, comments are not; then commas before a closing bracket.
_COMMENTS = re.compile(r'("(?:\\.|[^"\\\n])*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_COMMAS = re.compile(r'("(?:\\.|[^"\\\n])*")|,(?=\s*[}\]])')
_MODULE = re.compile(rb"^[ \t]*module[ \t]+(\S+)", re.MULTILINE)
# Of a package.json, in the order in which they are likely to be source.
_ENTRIES = ("source", "types", "typings", "module", "main")
MOST = 200


def go_module(source: bytes) -> Said:
    found = _MODULE.search(source)
    if not found:
        return (), ()
    name = found[1].decode("utf-8", "replace").strip("\"'`")
    return (_package(name, source.count(b"\n", 0, found.start())),), ()


def cargo(source: bytes) -> Said:
    try:
        said: Any = tomllib.loads(source.decode("utf-8", "replace"))
        name, lib = said["package"]["name"], said.get("lib", {})
        crate = lib.get("name", name).replace("-", "_")
        entry = lib.get("path", "src/lib.rs")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return (), ()
    return (_package(str(crate)),), (Import(f"./{entry}", "", str(crate), 0, True),)


def node_package(source: bytes) -> Said:
    said = _object(source)
    name = said.get("name")
    if not isinstance(name, str) or not name:
        return (), ()
    exports: object = said.get("exports")
    if isinstance(exports, dict):
        conditions = cast(dict[str, object], exports)
        exports = conditions.get(".", conditions)
    entries = [said.get(key) for key in _ENTRIES] + list(_texts(exports))
    texts = dict.fromkeys(e for e in entries if isinstance(e, str) and e and "*" not in e)
    rows = (Import(entry, "", name, 0, True) for entry in list(texts)[:MOST])
    return (_package(name),), tuple(rows)


def tsconfig(source: bytes) -> Said:
    said = _object(source)
    rows: list[Import] = []
    extends = said.get("extends")
    for base in cast(list[object], extends) if isinstance(extends, list) else [extends]:
        if isinstance(base, str) and base:
            rows.append(Import(base, EXTENDS, "", 0, False))
    references = said.get("references")
    for one in cast(list[object], references) if isinstance(references, list) else []:
        place = cast(dict[str, object], one).get("path") if isinstance(one, dict) else None
        if isinstance(place, str) and place:
            rows.append(Import(place, REFERENCES, "", 0, False))
    said_options = said.get("compilerOptions")
    if not isinstance(said_options, dict):
        return (), tuple(rows)
    options = cast(dict[str, object], said_options)
    if isinstance(base := options.get("baseUrl"), str):
        rows.append(Import(base, BASE, "", 0, False))
    patterns = options.get("paths")
    for alias, targets in (
        cast(dict[str, object], patterns).items() if isinstance(patterns, dict) else ()
    ):
        for target in cast(list[object], targets) if isinstance(targets, list) else ():
            if isinstance(target, str) and alias.count("*") <= 1 and target.count("*") <= 1:
                rows.append(Import(target, "", alias, 0, False))
    return (), tuple(rows[:MOST])


READERS: dict[str, Callable[[bytes], Said]] = {
    "go.mod": go_module,
    "Cargo.toml": cargo,
    "package.json": node_package,
    "tsconfig.json": tsconfig,
}


def _package(name: str, line: int = 0) -> Definition:
    return Definition(
        PACKAGE + name, "namespace", -1, f"package {name}", "", "", "", 0, 0, line, line, True
    )


def _object(source: bytes) -> dict[str, object]:
    """JSON with comments and trailing commas; {} for what is none."""
    text = source.decode("utf-8-sig", "replace")
    text = _COMMENTS.sub(lambda found: found[1] or " ", text)
    try:
        said = json.loads(_COMMAS.sub(lambda found: found[1] or "", text))
    except (ValueError, RecursionError):
        return {}
    return cast(dict[str, object], said) if isinstance(said, dict) else {}


def _texts(value: object, depth: int = 4) -> Iterator[str]:
    """The strings in conditions of `exports`."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict) and depth:
        for one in cast(dict[str, object], value).values():
            yield from _texts(one, depth - 1)
