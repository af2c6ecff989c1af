"""What stands before a dot: its class or module, as far as annotations and calls tell."""

import re
from dataclasses import replace

from .cursor import Spot
from .symbols import Names, Symbol

# `x = y.z` leads on to y; more steps are seldom right.
STEPS = 3
_SELF = frozenset(("self", "cls", "this"))
# Types whose elements a loop goes through; of a mapping's methods, what they give.
_CONTAINER = re.compile(
    r"(?:\w+\.)*(?:list|List|set|Set|frozenset|tuple|Tuple|Sequence|MutableSequence|Iterable"
    r"|Iterator|Collection|deque|Generator|AsyncIterator|AsyncIterable|AsyncGenerator|Array"
    r"|ReadonlyArray)[\[<](.*)[\]>]"
)
_HELD = re.compile(r"(?:\w+\.)*Optional\[(.*)\]|(.*?)\s*\|\s*None")


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
    if not called and (told := last_said(spot.text, head)) and steps:
        at, said = told
        # What is said of a name by itself rests on what was said before.
        spot = replace(spot, text=spot.text[:at])
        if said.startswith("="):
            return holder(names, spot, said[1:], steps - 1)
        if said.startswith("*"):
            return _element(names, spot, said[1:], steps - 1)
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


def _element(names: Names, spot: Spot, chain: str, steps: int) -> Symbol | None:
    """What a loop over `chain` goes through, where its type says that: "rows: list[Row]"."""
    plain = chain.removesuffix("()")
    around, _, name = plain.rpartition(".")
    path, said, inside = spot.path, "", None
    if around:
        found = holder(names, spot, around, steps)
        member = names.members(found).get(name) if found else None
    else:
        told = last_said(spot.text, name)
        said = told[1] if told else ""
        member = None if said else names.meaning(path, name)
    if member and member.number >= 0:
        path, said, inside = member.path, names.said_of(member), member
    held = _HELD.fullmatch(said)
    said = (held[1] or held[2]) if held else said
    inner = _CONTAINER.fullmatch(said.strip("\"'"))
    return names.class_of(path, inner[1].removesuffix(", ..."), inside) if inner else None


def _value(names: Names, symbol: Symbol, called: bool) -> Symbol | None:
    """A module or class stands for itself; of the rest, the type counts."""
    if symbol.number < 0 and not called:
        return symbol
    return names.type_of(symbol)


def last_said(text: str, name: str) -> tuple[int, str] | None:
    """What was said last in `text` about the type of a local name, and where.

    "Store" or "Store()" as in `facts.Definition`, "=chain" for what another name is, "*chain"
    for what is in it.
    """
    name = re.escape(name)
    # A type or a keyword may stand before it, but no bracket: `f(name=...)` gives it nothing.
    given = rf"(?:^[ \t]*(?:[\w<>\[\]*&:,]+[ \t]+)*{name}\s*:?=|\b{name}\s*:=)\s*"
    found: list[tuple[int, str]] = []
    for pattern, form in (
        (rf"\b{name}\??[ \t]*:[ \t]*([^=,)\n{{]*\[[^\n=]*?\](?=\s*[=,)\n{{])|[^=,)\n{{]+)", "{}"),
        (rf"{given}(?:await\s+|new\s+)*([\w.]+)\(", "{}()"),
        (rf"\bwith\s+(?:await\s+)?([\w.]+)\(.*\)\s+as\s+{name}\b", "{}()"),
        (rf"\bisinstance\({name},\s*([\w.]+)\)", "{}"),
        (rf"{given}([^\W\d][\w.]*)\s*$", "={}"),
        (rf"\bfor\s+{name}\s+in\s+(?:reversed\(|sorted\()?([\w.]+(?:\(\))?)[\s:)\]]", "*{}"),
        (rf"\bfor\s+\w+\s*,\s*{name}\s+in\s+enumerate\(([\w.]+(?:\(\))?)[,)]", "*{}"),
        (rf"\b(?:const|let)\s+{name}\s+of\s+([\w.]+(?:\(\))?)\s*\)", "*{}"),
    ):
        matches = list(re.finditer(pattern, text, re.MULTILINE))
        if matches:
            found.append((matches[-1].start(), form.format(matches[-1][1].strip())))
    return max(found, default=None)
