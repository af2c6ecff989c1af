"""Which candidates fit into a budget, and their text in an order that seldom changes."""

import re
from collections.abc import Callable, Iterable, Sequence
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
# Of a budget beyond so many tokens, this part is kept for what is not imported yet; so much of
# the part is for signatures, and the rest for names alone.
BOUND_TOKENS, UNBOUND, SIGNED = 180, 0.6, 0.3
# What the document binds is shown with its types up to this part of the budget, then in short.
FULL = 0.2
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


def pack(found: Iterable[Candidate], names: Names, budget: int, member: bool = False) -> list[Item]:
    """The best items by value, long ones later, sorted by path and line.

    `member` says that a member is being typed, which is never a name that has to be imported.
    """
    bound: list[tuple[float, str, int, Candidate]] = []
    unbound: list[tuple[float, str, int, Candidate]] = []
    for one in found:
        # What is not imported yet is mostly shown as a name, and they are of one length.
        size = LONG if one.unbound else LONG + _item(names, one, rendered).tokens
        row = (-one.value / size, one.symbol.path, one.symbol.number, one)
        (unbound if one.unbound else bound).append(row)
    ranked, missing = ([row[-1] for row in sorted(rows)] for rows in (bound, unbound))
    kept = 0 if member else round(max(0, budget - BOUND_TOKENS) * UNBOUND)
    room = _Room(names, budget)
    missing = room.take(missing, kept, (brief, named), SIGNED * kept)
    room.take(ranked, budget, (rendered, brief), FULL * budget)
    room.take(missing, budget, (named, named), 0)
    return sorted(room.items, key=lambda item: (item.path, item.lines))


# How a definition is shown: its text in one of three lengths.
Form = Callable[[Names, Symbol, Definition], str]


class _Room:
    """A budget that fills with items."""

    def __init__(self, names: Names, budget: int) -> None:
        self.items: list[Item] = []
        self._names, self._budget = names, budget
        self._spent: dict[str, int] = {}  # Tokens by file.

    def take(
        self, ranked: Sequence[Candidate], most: float, forms: tuple[Form, Form], until: float
    ) -> list[Candidate]:
        """What fits into `most` tokens, in the first form up to `until` of them; gives the rest."""
        rest: list[Candidate] = []
        used = 0
        left = self._budget - sum(self._spent.values())
        for one in ranked:
            item = _item(self._names, one, forms[used >= until])
            before = self._spent.get(item.path, 0)
            cost = item.tokens + (0 if before else FILE_TOKENS)
            if used + cost > min(most, left) or before + cost > max(SHARE * self._budget, 60):
                rest.append(one)
                continue
            self.items.append(item)
            self._spent[item.path] = before + cost
            used += cost
        return rest


def _item(names: Names, candidate: Candidate, form: Form) -> Item:
    symbol = candidate.symbol
    one = names.definition(symbol)
    text = form(names, symbol, one)
    # Names alone stand in one row.
    own = 1 if text == one.name else ITEM_TOKENS
    lines = (one.line + 1, one.last + 1)
    return Item(
        symbol.path,
        _full_name(names, symbol),
        text,
        lines,
        candidate.why,
        candidate.value,
        round(len(text) / CHARACTERS_PER_TOKEN) + own,
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


def named(_names: Names, _symbol: Symbol, one: Definition) -> str:
    """The name alone: enough to know that there is such a thing, and where."""
    return one.name


def brief(_names: Names, _symbol: Symbol, one: Definition) -> str:
    """A signature without decorators, types and defaults; as it is where that cannot be told."""
    return without_types(one.signature)


def without_types(signature: str) -> str:
    """See `brief`."""
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

    Members stand below the name of what they belong to, and names alone in the last row.
    """
    pieces: list[Piece] = []
    for path, group in groupby(items, key=lambda item: item.path):
        rows: list[str] = []
        members = list(group)
        inside = ""
        for item in members:
            if alone(item):
                continue
            around = item.name.rpartition(".")[0]
            if around and around != inside:
                rows.append(f"{around}:")
            inside = around or item.name
            rows += (f"    {row}" if around else row for row in item.text.split("\n"))
        rows += filter(None, [", ".join(item.name for item in members if alone(item))])
        lines = (members[0].lines[0], max(item.lines[1] for item in members))
        why = "; ".join(dict.fromkeys(item.why for item in members))
        tokens = FILE_TOKENS + sum(item.tokens for item in members)
        pieces.append(Piece(path, "\n".join(rows), lines, why, tokens))
    return pieces


def alone(item: Item) -> bool:
    """Whether an item is a name and nothing else."""
    return item.text == item.name != ""


def _full_name(names: Names, symbol: Symbol) -> str:
    parts: list[str] = []
    number = symbol.number
    while number >= 0:
        one = names.definition(Symbol(symbol.path, number))
        parts.insert(0, one.name)
        number = one.parent
    return ".".join(parts)
