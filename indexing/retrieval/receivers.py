"""What stands before a dot: its class or module, as far as annotations and calls tell."""

import re

from .cursor import Spot
from .symbols import Names, Symbol

# `x = y.z` leads on to y; more steps are seldom right.
STEPS = 3
_SELF = frozenset(("self", "cls", "this"))


def holder(names: Names, spot: Spot, chain: str, steps: int = STEPS) -> Symbol | None:
    """Whose members stand behind `chain` and a dot; None where that is not known.

    `chain` is as written: "self.store", "Store.open(path).rows".
    """
    segments = re.findall(r"([^\W\d][\w$]*)(\([^()]*\))?", chain)
    if not segments:
        return None
    (head, called), *rest = segments
    found = _head(names, spot, head, bool(called), steps)
    for name, called in rest:
        if found is None:
            return None
        if found.number < 0:
            member = names.top(found.path, name)
            found = member and _value(names, member, bool(called))
        else:
            member = names.members(found).get(name)
            found = member and names.type_of(member)
    return found


def _head(names: Names, spot: Spot, head: str, called: bool, steps: int) -> Symbol | None:
    owner = names.owner(Symbol(spot.path, spot.scope))
    if head in _SELF and owner:
        return owner
    if head == "super" and owner:
        bases = names.definition(owner).bases.split(", ")
        return names.meaning(spot.path, bases[0]) if bases[0] else None
    if not called and (said := local_type(spot.text, head)) and steps:
        if said.startswith("="):
            return holder(names, spot, said[1:], steps - 1)
        scope = Symbol(spot.path, spot.scope) if spot.scope >= 0 else None
        if found := names.class_of(spot.path, said, scope):
            return found
        # What a method of something local gives.
        chain, _, method = said.removesuffix("()").rpartition(".")
        if said.endswith("()") and chain and (around := holder(names, spot, chain, steps - 1)):
            member = names.members(around).get(method)
            return names.type_of(member) if member else None
        return None
    symbol = names.meaning(spot.path, head)
    return symbol and _value(names, symbol, called)


def _value(names: Names, symbol: Symbol, called: bool) -> Symbol | None:
    """A module or class stands for itself; of the rest, the type counts."""
    if symbol.number < 0 and not called:
        return symbol
    return names.type_of(symbol)


def local_type(text: str, name: str) -> str:
    """What was said last before the end of `text` about the type of a local name.

    "Store" or "Store()" as in `facts.Definition`, "=chain" for what another name is.
    """
    name = re.escape(name)
    found: list[tuple[int, str]] = []
    for pattern, form in (
        (rf"\b{name}\??[ \t]*:[ \t]*([^=,)\n{{]+)", "{}"),
        (rf"\b{name}\s*:?=\s*(?:await\s+|new\s+)*([\w.]+)\(", "{}()"),
        (rf"\bwith\s+(?:await\s+)?([\w.]+)\(.*\)\s+as\s+{name}\b", "{}()"),
        (rf"\bisinstance\({name},\s*([\w.]+)\)", "{}"),
        (rf"\b{name}\s*=\s*([^\W\d][\w.]*)\s*$", "={}"),
    ):
        matches = list(re.finditer(pattern, text, re.MULTILINE))
        if matches:
            found.append((matches[-1].start(), form.format(matches[-1][1].strip())))
    return max(found)[1] if found else ""
