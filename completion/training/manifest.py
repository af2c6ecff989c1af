"""Which packages a corpus is made of, and which it must not hold: rows, and one decision.

A manifest is TOML: an array of tables `package`, each a `Row`.  There are no addresses in
it: a package is what its registry calls so, and its archive's digest is pinned.
"""

import re
import tomllib
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal, get_args

# What a row is for: text to train on, text to measure the loss on, or text that is only
# there so that nothing like it is trained on.
Use = Literal["train", "validate", "held"]
Registry = Literal["pypi", "npm", "crates", "folder"]

# SPDX names of licences that ask for attribution at most.
# fmt: off
PERMISSIVE = frozenset((
    "0BSD", "Apache-2.0", "BlueOak-1.0.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0",
    "HPND", "ISC", "MIT", "MIT-0", "NCSA", "PSF-2.0", "PostgreSQL", "Python-2.0", "Unicode-3.0",
    "Unlicense", "Zlib",
))
# fmt: on
# Words by which other metadata tell a licence that is none of these.
COPYLEFT = re.compile(
    r"\b(?:[AL]?GPL|MPL|EUPL|CDDL|EPL|OSL|CC-BY-SA|SSPL|BUSL)|GNU\b|Mozilla Public|copyleft",
    re.IGNORECASE,
)
# Packages that no model of ours is trained on, because it is measured on them, each with
# what is made from it: forks, ports and wrappers that repeat its text.
HELD: dict[str, tuple[str, ...]] = {
    "requests": ("niquests", "requests2", "grequests", "pip"),
    "httpx": ("httpx2", "httpcore", "httpcore2", "httpxyz"),
    "click": ("asyncclick", "rich-click", "typer", "cloup"),
    "flask": ("quart",),
    "starlette": ("blacksheep", "starlite", "litestar"),
    "rich": ("textual", "rich-argparse"),
    "attrs": ("attr",),
    "jinja2": ("jinja",),
    "werkzeug": (),
    "fastapi": ("fastapi-slim", "ninja", "django-ninja"),
    "pygls": (),
    "lsprotocol": (),
}


class BadManifest(Exception):
    """A manifest that must not or cannot be used; the message is one line."""


@dataclass(frozen=True, slots=True)
class Row:
    """One package of one version.

    `licence` is an SPDX expression, `sha256` that of the archive, 64 hexadecimal digits;
    of a "folder" it is empty, and `name` is a path.
    """

    name: str
    version: str
    licence: str
    sha256: str
    registry: Registry = "pypi"
    use: Use = "train"


def read(path: Path) -> list[Row]:
    """The rows of a manifest, all of them allowed.  Raises BadManifest."""
    try:
        said = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise BadManifest(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise BadManifest(f"{path}: is no TOML: {str(error).splitlines()[0]}") from None
    tables = said.get("package")
    if not isinstance(tables, list) or not tables:
        raise BadManifest(f"{path}: has no [[package]] tables; see docs/training.md")
    rows = [_row(path, table) for table in tables]  # pyright: ignore[reportUnknownVariableType]
    for row in rows:
        if why := refusal(row):
            raise BadManifest(f"{path}: {row.name}: {why}; take the row out")
    return rows


def refusal(row: Row) -> str:
    """Why a package must not be used so; "" where it may.  Pure."""
    if row.use == "train" and (kin := held(row.name)):
        return f"is {kin} or made from it, and models are measured on that"
    if row.use == "train" and not permissive(row.licence):
        return f"its licence, {row.licence or 'not said'}, is not among the permissive ones"
    return ""


def held(name: str) -> str:
    """The held-out package that `name` is, or is made from; "" for others."""
    name = normalised(name)
    return next((kept for kept, kin in HELD.items() if name == kept or name in kin), "")


def normalised(name: str) -> str:
    """As PyPI compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def permissive(expression: str) -> bool:
    """Whether an SPDX expression lets everybody use the text for attribution at most.

    Of alternatives one must be permissive, of parts all; what cannot be read is not.
    """
    tokens = re.findall(r"\(|\)|[^\s()]+", expression)
    value, left = _either(tokens)
    return value and not left


def _either(tokens: list[str]) -> tuple[bool, list[str]]:
    value, left = _all(tokens)
    while left[:1] == ["OR"]:
        other, left = _all(left[1:])
        value = value or other
    return value, left


def _all(tokens: list[str]) -> tuple[bool, list[str]]:
    value, left = _one(tokens)
    while left[:1] == ["AND"]:
        other, left = _one(left[1:])
        value = value and other
    return value, left


def _one(tokens: list[str]) -> tuple[bool, list[str]]:
    match tokens:
        case ["(", *rest]:
            value, left = _either(rest)
            return (value, left[1:]) if left[:1] == [")"] else (False, ["unclosed"])
        case [name, *rest]:
            # An exception ("WITH ...") only ever allows more.
            return name in PERMISSIVE, rest[2:] if rest[:1] == ["WITH"] else rest
        case _:
            return False, []


def contradiction(row: Row, metadata: str) -> str:
    """What an archive's own metadata say against the row's licence; "" for nothing.

    `metadata` is the head of METADATA or PKG-INFO, package.json or Cargo.toml.  Only fields
    about the licence count, not indented text below them, which is about libraries that were
    linked in; and one that leaves a choice does not speak against the choice.
    """
    said = re.findall(
        r"^(?:\s*\")?(?:Licen[sc]e(?:-Expression)?|Classifier: Licen[sc]e ::[^\n]*?)\"?\s*[:=]?\s*"
        r"([^\n]*)$",
        metadata,
        re.MULTILINE | re.IGNORECASE,
    )
    for line in said:
        if COPYLEFT.search(line) and not permissive(line.strip(" \",'")):
            return f"its own metadata say {line.strip()[:80]!r}, the manifest {row.licence}"
    return ""


def _row(path: Path, table: Any) -> Row:
    names = {field.name for field in fields(Row)}
    if not isinstance(table, dict) or (unknown := sorted(set(table) - names)):  # pyright: ignore
        raise BadManifest(f"{path}: a package has unknown keys: {unknown}")  # pyright: ignore
    try:
        row = Row(**table)  # pyright: ignore[reportUnknownArgumentType]
    except TypeError:
        raise BadManifest(
            f"{path}: every package needs name, version, licence and sha256"
        ) from None
    if row.registry not in get_args(Registry) or row.use not in get_args(Use):
        raise BadManifest(f"{path}: {row.name}: unknown registry or use")
    if row.registry != "folder" and not re.fullmatch(r"[0-9a-f]{64}", row.sha256):
        raise BadManifest(f"{path}: {row.name}: sha256 is not 64 hexadecimal digits")
    return row
