"""Which definitions could help at a cursor, how much, and why: one function per reason.

A value says how likely a definition is needed; the numbers were fitted on the repositories
that `tests/benchmarks/recall.py` names for that.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from math import exp, log1p
from typing import NamedTuple

from ..facts import Definition, Facts
from ..parse import CLASSES
from .cursor import Spot
from .likeness import Likeness, likeness, parts
from .receivers import holder
from .symbols import Names, Symbol

# Names that so many files define mean nothing without a type.
DEFINERS = 3
# Files of a directory whose imports are looked at, and names that are looked up.
SIBLINGS, LOOKED_UP = 64, 60
# Definitions of files around that are compared with what is typed; of files further away, so
# many are looked at.
SURROUNDINGS, FURTHER = 1500, 64
# How far likeness to the lines around raises a value: as a share of it, and by itself.
ALIKE = (0.5, 10.0)
# Of what is not imported yet, by conditional logistic regression: how much it says that a
# signature, its name or its documentation is like the lines around, that other files of the
# directory import it, and how much the imports of one of these are like those of the document,
# that the document imports from the same file, and how often, that it is in the same directory,
# that it is meant for its own file, and that it can be called; that the document tests its file,
# which was set by hand; and the curve that makes a value of that.
LIKE, NAMED, TOLD, SHARED, ALIKE_FILE = 3.4, 1.3, 1.0, 0.9, 3.4
SAME_FILE, OFTEN, SAME_PLACE, PRIVATE, CALLABLE, TESTED = 0.4, 0.35, 0.25, -1.1, 3.5, 2.0
AFAR = -0.7  # Of a file further away, by hand.
TOP, MIDDLE = 4.0, 9.0
IMPORTED = "beside what is imported"
# Languages in which a file takes from those beside it what others are not to take.
BESIDE, HIDDEN_BESIDE = "defined in the same directory", frozenset(("python", "go", "java"))
# What makes the name of a file that of its tests.
_TEST = re.compile(r"^test_|[_.](?:test|spec)(?=\.\w+$)")
# Lines around the cursor that the model sees anyway.
VISIBLE = 60


class Candidate(NamedTuple):
    """`unbound`: the document has no import of it yet; `hint` then says that it might."""

    symbol: Symbol
    value: float
    why: str
    unbound: bool = False
    hint: float = 0.0


def candidates(names: Names, spot: Spot) -> list[Candidate]:
    """Each definition with the best reason for it."""
    best: dict[Symbol, Candidate] = {}
    hints: Counter[Symbol] = Counter()
    for retriever in RETRIEVERS:
        for one in retriever(names, spot):
            hints[one.symbol] += one.hint  # pyright: ignore[reportArgumentType]
            if one.symbol not in best or one.value > best[one.symbol].value:
                best[one.symbol] = one
    kept = [one for one in best.values() if one.symbol.number >= 0]
    shown = [names.definition(one.symbol) for one in kept]
    near = {name: 30 / (30 + far) for name, far in spot.near.items()}
    alike = likeness([one.signature for one in shown], [one.name for one in shown], near)
    most = max((a.all for one, a in zip(kept, alike, strict=True) if one.unbound), default=0) or 1
    imported = Counter(
        path for i in spot.facts.imports for path in names.modules(i.module, spot.path)[:1]
    )
    place = spot.path.rpartition("/")[0]
    tested = tested_by(names, spot.path)
    words = {word for name in near for word in parts(name)}

    def value(one: Candidate, what: Definition, like: Likeness) -> float:
        if not one.unbound:
            return one.value * (1 + ALIKE[0] * like.all) + ALIKE[1] * like.all
        path, said = one.symbol.path, parts(what.doc)
        score = LIKE * like.all / most + NAMED * min(like.name, 4) + hints[one.symbol]
        score += TOLD * sum(word in words for word in said) / (3 + len(said))
        score += SAME_FILE * (path in imported) + OFTEN * log1p(imported[path])
        score += SAME_PLACE * (path.rpartition("/")[0] == place) + TESTED * (path in tested)
        score += PRIVATE * what.name.startswith("_")
        score += CALLABLE * (what.kind == "function" or what.kind in CLASSES)
        # What nothing in the document names is told by its likeness above all.
        return TOP / (1 + exp(MIDDLE - score))

    return [
        one._replace(value=value(one, what, like))
        for one, what, like in zip(kept, shown, alike, strict=True)
    ]


def of_receiver(names: Names, spot: Spot) -> Iterator[Candidate]:
    """At `x.`, the members of x."""
    found = holder(names, spot, spot.receiver) if spot.receiver else None
    if found is None:
        return
    for name, symbol in names.members(found).items():
        if name.startswith(spot.word) and not (name.startswith("__") and name.endswith("__")):
            near = _nearness(spot, name)
            hidden = name.startswith(("_", "#")) and spot.receiver not in ("self", "cls", "this")
            value = 60 + 20 * near + _popular(names, name, spot) - 30 * hidden
            yield Candidate(symbol, value, f"member of {spot.receiver}")


def of_callee(names: Names, spot: Spot) -> Iterator[Candidate]:
    """Inside of a call, what is called."""
    if not spot.callee:
        return
    chain, _, name = spot.callee.rpartition(".")
    if chain:
        found = holder(names, spot, chain)
        symbol = names.members(found).get(name) if found else None
    else:
        symbol = names.meaning(spot.path, name)
    if symbol and symbol.number >= 0:
        yield Candidate(symbol, 100, f"called here: {spot.callee}")


def of_imports(names: Names, spot: Spot) -> Iterator[Candidate]:
    """What the document imports: used near the cursor, used elsewhere, or not used yet."""
    used = {one.name: one.times for one in spot.facts.references}
    for one in spot.facts.imports:
        symbol = names.target(spot.path, one)
        if symbol is None or symbol.path == spot.path:
            continue
        name = one.alias.partition(".")[0]
        near = _nearness(spot, name)
        if symbol.number < 0:
            yield from _of_module(names, spot, symbol, near)
            continue
        if near:
            yield Candidate(symbol, 10 + 10 * near, "imported and used near the cursor")
        elif used.get(name, 0) <= 1:
            yield Candidate(symbol, 14, "imported and not used yet")
        else:
            yield Candidate(symbol, 8, "imported and used in this file")


def _of_module(names: Names, spot: Spot, module: Symbol, near: float) -> Iterator[Candidate]:
    """Members of an imported module: those the document names come first."""
    used = {one.name for one in spot.facts.references}
    facts = names.facts(module.path)
    for name, symbol in names.members(module).items():
        if facts and not facts.definitions[symbol.number].exported:
            continue
        if name in used:
            value = 8 + 8 * max(near, _nearness(spot, name))
            yield Candidate(symbol, value, "member of an imported module, used in this file")
        else:
            value = 2 + 2 * near + _popular(names, name, spot)
            yield Candidate(symbol, value, "member of an imported module")


def of_this_file(names: Names, spot: Spot) -> Iterator[Candidate]:
    """Definitions of the document itself and members of the class around."""
    owner = names.owner(Symbol(spot.path, spot.scope))
    for name, symbol in names.members(owner).items() if owner else ():
        if symbol.path != spot.path:
            value = 4 + 8 * _nearness(spot, name)
            yield Candidate(symbol, value, "inherited by the class around the cursor")
    for name, number in names.tops(spot.path).items():
        seen = abs(spot.facts.definitions[number].line - spot.row) <= VISIBLE
        if (near := _nearness(spot, name)) and not seen:
            yield Candidate(Symbol(spot.path, number), 4 + 6 * near, "of this file, used near")


def of_types(names: Names, spot: Spot) -> Iterator[Candidate]:
    """Public members of the classes that are named near the cursor."""
    for name in sorted(spot.near, key=spot.near.__getitem__)[:LOOKED_UP]:
        symbol = names.top(spot.path, name)
        if symbol is None or symbol.number < 0 or symbol.path == spot.path:
            continue
        if names.definition(symbol).kind not in CLASSES:
            continue
        for member, at in names.members(symbol).items():
            # Fields are shown with their class.
            if member.startswith("_") or names.definition(at).kind == "field":
                continue
            if at.path == spot.path:
                continue
            value = 1 + 6 * _nearness(spot, member) + _popular(names, member, spot) / 2
            yield Candidate(at, value, f"member of {name}, which is used near")


def of_names(names: Names, spot: Spot) -> Iterator[Candidate]:
    """Names used near the cursor that few files define, whatever they mean here."""
    bound = {one.alias for one in spot.facts.imports} | names.tops(spot.path).keys()
    near = sorted(spot.near.keys() - bound, key=lambda name: (spot.near[name], name))
    for name in near[:LOOKED_UP]:
        if len(name) < 4:
            continue
        files = [path for path in names.definers(name) if path != spot.path]
        if not 0 < len(files) <= DEFINERS:
            continue
        for path in files:
            facts = names.facts(path)
            for number, one in enumerate(facts.definitions if facts else ()):
                if one.name == name:
                    likely = _nearness(spot, name) / len(files)
                    why = "of a name that is used near"
                    # A member is not imported, and what it is a member of is not known.
                    top = one.parent < 0
                    hint = 2 * likely if top else 0.0
                    value = (5 if top else 2) * likely
                    yield Candidate(Symbol(path, number), value, why, unbound=top, hint=hint)
                    break


def of_siblings(names: Names, spot: Spot) -> Iterator[Candidate]:
    """What other files of the directory import, and this one does not yet."""
    bound = {one.alias for one in spot.facts.imports}
    counts: Counter[Symbol] = Counter()
    nearest: Counter[Symbol] = Counter()
    mine = _imported(spot.facts)
    for path, facts in _siblings(names, spot):
        theirs = _imported(facts)
        same = len(mine & theirs) / (len(mine | theirs) or 1)
        for one in facts.imports:
            if one.alias in bound or one.name in ("", "*"):
                continue
            symbol = names.target(path, one)
            if symbol and symbol.number >= 0 and symbol.path != spot.path:
                counts[symbol] += 1
                nearest[symbol] = max(nearest[symbol], same)  # pyright: ignore[reportArgumentType]
    for symbol, count in counts.items():
        why = f"imported by {count} other files of the directory"
        hint = SHARED * log1p(count) + ALIKE_FILE * nearest[symbol]
        yield Candidate(symbol, 0.02, why, unbound=True, hint=hint)


def of_surroundings(names: Names, spot: Spot) -> Iterator[Candidate]:
    """Definitions that are not imported yet, of files that are or could be."""
    bound = {one.alias for one in spot.facts.imports}
    reasons: dict[str, str] = {}
    for one in spot.facts.imports:
        for path in names.modules(one.module, spot.path)[:1]:
            reasons.setdefault(path, IMPORTED)
    siblings = _siblings(names, spot)
    for path in tested_by(names, spot.path):
        reasons.setdefault(path, "in the file that this one tests")
    for path, _facts in siblings:
        reasons.setdefault(path, BESIDE)
    for sibling, facts in siblings:
        for one in facts.imports:
            for path in names.modules(one.module, sibling)[:1]:
                reasons.setdefault(path, "beside what the directory imports")
    # Then what those import that the document imports, and what lies in directories above.
    further: dict[str, str] = {}
    for path in [path for path, why in reasons.items() if why == IMPORTED]:
        facts = names.facts(path)
        for one in facts.imports if facts else ():
            for file in names.modules(one.module, path)[:1]:
                further.setdefault(file, "beside what an imported file imports")
    directory = spot.path.rpartition("/")[0]
    while directory:
        directory = directory.rpartition("/")[0]
        for path in names.inside(directory)[:FURTHER]:
            further.setdefault(path, "in a directory above")
    further = {path: why for path, why in further.items() if path not in reasons}
    reasons |= list(further.items())[:FURTHER]
    left = SURROUNDINGS
    for path, why in reasons.items():
        facts = names.facts(path)
        same = path.rpartition("/")[0] == spot.path.rpartition("/")[0]
        beside = same and spot.facts.language in HIDDEN_BESIDE
        for name, number in names.tops(path).items() if facts and path != spot.path else ():
            shown = facts and (beside or facts.definitions[number].exported)
            if left and shown and name not in bound:
                left -= 1
                hint = AFAR * (path in further)
                yield Candidate(Symbol(path, number), 0.01, why, unbound=True, hint=hint)


def tested_by(names: Names, path: str) -> Sequence[str]:
    """The files that a test is of, by its name: `test_money.py`, `money.test.ts`."""
    base = path.rpartition("/")[2]
    own = _TEST.sub("", base)
    return [file for file in names.named(own) if file != path] if own != base else ()


def _imported(facts: Facts) -> set[tuple[str, str]]:
    return {(one.module.lstrip("."), one.name) for one in facts.imports}


def _siblings(names: Names, spot: Spot) -> list[tuple[str, Facts]]:
    """Files of the same directory and language."""
    found: list[tuple[str, Facts]] = []
    for path in names.inside(spot.path.rpartition("/")[0])[:SIBLINGS]:
        facts = names.facts(path)
        if facts and path != spot.path and facts.language == spot.facts.language:
            found.append((path, facts))
    return found


RETRIEVERS = (
    of_callee,
    of_receiver,
    of_imports,
    of_this_file,
    of_types,
    of_names,
    of_siblings,
    of_surroundings,
)


def _nearness(spot: Spot, name: str) -> float:
    """1 on the cursor's line, half of that eight lines away, 0 where the name is not near."""
    distance = spot.near.get(name)
    return 0.0 if distance is None else 8 / (8 + distance)


def _popular(names: Names, name: str, spot: Spot) -> float:
    """0 for a name of this file alone, 1.5 for one that twenty others use."""
    return log1p(names.popularity(name, spot.path)) / 4
