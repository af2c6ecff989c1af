"""Which candidates fit into a budget, and their text in an order that seldom changes."""

import re
from collections.abc import Iterable
from itertools import groupby
from typing import NamedTuple

from ..facts import Definition
from ..parse import CLASSES
from .candidates import Candidate
from .symbols import Names, Symbol

# Of code; measured for the families of `completion.formats` it is 2.9 to 3.8.
CHARACTERS_PER_TOKEN = 3.5
# Separators and the path that each file costs, and the line break of each item.
FILE_TOKENS, ITEM_TOKENS = 8, 2
# The largest part of the budget for one file.
SHARE = 0.4
# Of a budget beyond so many tokens, this part is kept for what is not imported yet.
BOUND_TOKENS, UNBOUND = 400, 0.5
# What makes a value of a class; without one its first fields are shown.
CONSTRUCTORS = frozenset(("__init__", "constructor"))
FIELDS = 4
# Tokens by which an item seems longer, so that a short one is not best for that alone.
LONG = 120


# A function of Python, JavaScript or TypeScript, up to its parameters, and those.
_CALLABLE = re.compile(
    r"(?s)(?:@.*?\s)?((?:export |default )*(?:async )?(?:def|function\*?) [\w$]+)"
    r"(?:<.*?>|\[.*?\])?\((.*)\)(?:\s*(?:->|:).*)?"
)


class Item(NamedTuple):
    """A definition put before the model: `lines` count from 1, `tokens` are estimated."""

    path: str
    name: str
    text: str
    lines: tuple[int, int]
    why: str
    value: float
    tokens: int


def pack(found: Iterable[Candidate], names: Names, budget: int) -> list[Item]:
    """The best items by value, long ones later, sorted by path and line."""
    ranked = [(one, _item(names, one)) for one in found]
    ranked.sort(key=lambda pair: (-pair[0].value / (pair[1].tokens + LONG), pair[1]))
    chosen: dict[Symbol, Item] = {}
    spent: dict[str, int] = {}
    kept = round(max(0, budget - BOUND_TOKENS) * UNBOUND)
    # What could be imported next first, as far as room is kept for it; then the best of all.
    for unbound, left in ((True, kept), (False, budget)):
        left -= sum(spent.values())
        for candidate, item in ranked:
            if unbound > candidate.unbound or candidate.symbol in chosen:
                continue
            cost = item.tokens + (0 if item.path in spent else FILE_TOKENS)
            if cost > left or spent.get(item.path, 0) + cost > max(SHARE * budget, 60):
                continue
            chosen[candidate.symbol] = item
            spent[item.path] = spent.get(item.path, 0) + cost
            left -= cost
    return sorted(chosen.values(), key=lambda item: (item.path, item.lines))


def _item(names: Names, candidate: Candidate) -> Item:
    symbol = candidate.symbol
    one = names.definition(symbol)
    # Of what is not imported yet, more of them help more than more of each.
    text = brief(one.signature) if candidate.unbound else rendered(names, symbol, one)
    tokens = round(len(text) / CHARACTERS_PER_TOKEN) + ITEM_TOKENS
    lines = (one.line + 1, one.last + 1)
    return Item(
        symbol.path, _full_name(names, symbol), text, lines, candidate.why, candidate.value, tokens
    )


def rendered(names: Names, symbol: Symbol, one: Definition) -> str:
    """A signature; that of a class with its constructor's below, or else with its fields."""
    if one.kind not in CLASSES:
        return one.signature
    members = (member for member in names.members(symbol).values() if member.path == symbol.path)
    inside = [names.definition(member) for member in members]
    own = [member for member in inside if one.start <= member.start < one.end]
    constructor = [member for member in own if member.name in CONSTRUCTORS]
    shown = constructor or [member for member in own if member.kind == "field"][:FIELDS]
    return "\n".join([one.signature, *(f"    {member.signature}" for member in shown)])


def brief(signature: str) -> str:
    """A signature without decorators, types and defaults; as it is where that cannot be told."""
    found = _CALLABLE.fullmatch(signature)
    if not found:
        return signature
    head, inside = found.groups()
    depth, parameters = 0, [""]
    for at, letter in enumerate(inside):
        # The arrow of a type closes nothing.
        depth += (letter in "([{<") - (letter in ")]}" or (letter == ">" and inside[at - 1] != "="))
        if letter == "," and depth == 0:
            parameters.append("")
        else:
            parameters[-1] += letter
    named = [re.split(r"[?:=]", one.strip(), maxsplit=1)[0].strip() for one in parameters]
    return f"{head}({', '.join(filter(None, named))})"


class Piece(NamedTuple):
    """Definitions of one file as a text: its first and last line, and all reasons."""

    path: str
    text: str
    lines: tuple[int, int]
    why: str
    tokens: int


def by_file(items: Iterable[Item]) -> list[Piece]:
    """One piece of text for each file.

    Members stand below the name of what they belong to.
    """
    pieces: list[Piece] = []
    for path, group in groupby(items, key=lambda item: item.path):
        rows: list[str] = []
        members = list(group)
        inside = ""
        for item in members:
            around = item.name.rpartition(".")[0]
            if around and around != inside:
                rows.append(f"{around}:")
            inside = around or item.name
            rows += (f"    {row}" if around else row for row in item.text.split("\n"))
        lines = (members[0].lines[0], max(item.lines[1] for item in members))
        why = "; ".join(dict.fromkeys(item.why for item in members))
        tokens = FILE_TOKENS + sum(item.tokens for item in members)
        pieces.append(Piece(path, "\n".join(rows), lines, why, tokens))
    return pieces


def _full_name(names: Names, symbol: Symbol) -> str:
    parts: list[str] = []
    number = symbol.number
    while number >= 0:
        one = names.definition(Symbol(symbol.path, number))
        parts.insert(0, one.name)
        number = one.parent
    return ".".join(parts)
