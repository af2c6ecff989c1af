"""What one source says about the settings, and what of it counts; pure.

What does not count is one line: where, what, why.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, cast

from .settings_checks import Unfit, plain
from .settings_rows import row_name
from .settings_table import KEYS, TABLE, UNREAD, Key, Letters

Source = Literal["managed", "user", "editor", "repository"]
Values = Mapping[str, object]

# The letter that a setting needs for a source to be heard.  The administrator and the
# user need none.
NEEDS: dict[Source, Literal["C", "T"]] = {"editor": "C", "repository": "T"}
REFUSALS: dict[Source, str] = {
    "editor": "is a security setting; it counts only in your own wicket.toml",
    "repository": "is nothing that a repository may tighten",
}
# Of the lines about one source; a repository could cause thousands.
MOST_WARNINGS = 20
# The tables that our keys stand in: completion, engine, ...
TABLES = {key.name.rpartition(".")[0] for key in TABLE} - {""}


@dataclass(frozen=True, slots=True)
class Said:
    """Checked values by dotted name, and a line for everything that does not count."""

    values: Values
    warnings: tuple[str, ...] = ()


def said(tables: Values, source: Source, where: str) -> Said:
    """What a source says; `where` opens each warning.

    A file says it in tables.  The editor may write dotted names flat as well, may put
    all of it under `wicket`, and says null where it says nothing.
    """
    values: dict[str, object] = {}
    warnings: list[str] = []
    in_editor = source == "editor"
    for name, value in _named(_unwrapped(tables) if in_editor else tables, flat=in_editor):
        key = KEYS.get(name)
        letters = key.letters if key else UNREAD.get(name.partition(".")[0])
        fault = _fault(name, letters, source)
        if in_editor and value is None:
            continue
        if fault:
            warnings.append(f"{plain(name)} {fault}")
        elif key and key.rows:
            if rows := _rows(key, value, warnings):
                values[name] = rows
        elif key:
            check = key.from_editor if in_editor and key.from_editor else key.check
            try:
                values[name] = check(value)
            except Unfit as error:
                warnings.append(f"{name} {error}")
    return Said(values, _lines(where, warnings))


def locks(value: object, where: str) -> tuple[frozenset[str], tuple[str, ...]]:
    """The names that `locked = [...]` of the managed file means, a table for its keys.

    A list that is not understood locks everything: its author meant to forbid.
    """
    if value is None:
        return frozenset(), ()
    if not isinstance(value, list) or not all(
        isinstance(name, str) for name in cast(list[object], value)
    ):
        fault = f"{where}: locked must be a list of names of settings; all are locked"
        return frozenset(KEYS), (fault,)
    names: set[str] = set()
    unknown: list[str] = []
    for name in cast(list[str], value):
        keys = {key for key in KEYS if key == name or key.startswith(f"{name}.")}
        if not keys and name.partition(".")[0] not in UNREAD:
            unknown.append(f"locked: {plain(name)} {_unknown(name)}")
        names |= keys or {name}
    return frozenset(names), _lines(where, unknown)


def _named(tables: Values, *, flat: bool, within: str = "") -> Iterator[tuple[str, object]]:
    """Dotted names with their values; tables of ours are entered, no others are."""
    for part, value in tables.items():
        name = f"{within}{part}"
        if "." in str(part) and not flat:
            # Quoted in TOML, where "completion.enabled" is not [completion] enabled.
            yield f'"{name}"', value
        elif name in TABLES and isinstance(value, Mapping):
            yield from _named(cast(Values, value), flat=flat, within=f"{name}.")
        else:
            yield name, value


def _unwrapped(tables: Values) -> Values:
    inner = tables.get("wicket")
    outer = {str(name): value for name, value in tables.items() if name != "wicket"}
    if isinstance(inner, Mapping):
        outer |= {str(name): value for name, value in cast(Values, inner).items()}
    return {name.removeprefix("wicket."): value for name, value in outer.items()}


def _fault(name: str, letters: Letters | None, source: Source) -> str | None:
    if letters is None:
        return "must be a table" if name in TABLES else _unknown(name)
    needed = NEEDS.get(source)
    return REFUSALS[source] if needed and needed not in letters else None


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name[:100], [*KEYS, *UNREAD], n=1, cutoff=0.75)
    hint = f"did you mean {near[0]}?" if near else "`wicket config` lists them"
    return f"is not a setting; {hint}"


def _rows(key: Key, value: object, warnings: list[str]) -> dict[str, object]:
    if not isinstance(value, Mapping):
        warnings.append(f"{key.name} must be a table")
        return {}
    rows: dict[str, object] = {}
    for name, row in cast(Values, value).items():
        try:
            rows[row_name(name)] = key.check(row)
        except Unfit as error:
            warnings.append(f"{key.name}.{plain(name)} {error}")
    return rows


def _lines(where: str, faults: list[str]) -> tuple[str, ...]:
    lines = [f"{where}: {fault} (ignored)" for fault in faults[:MOST_WARNINGS]]
    if more := len(faults) - len(lines):
        lines.append(f"{where}: {more} more of these (ignored)")
    return tuple(lines)
