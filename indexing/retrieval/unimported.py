"""How the directory of a file would import a name that the file does not bind yet.

Only where there is one answer: one definition in the whole repository, or one module that
all imports of the name agree on.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from ..facts import Import
from ..parse import VALUES
from ..resolvers.paths import nearest_first
from ..resolvers.reverse import Said, module_for
from .symbols import Names, Symbol

# Languages whose files import from each other.
FAMILIES = (frozenset(("python",)), frozenset(("javascript", "typescript", "tsx")))
# Files that name the same thing: those that are looked at, the nearest first.
USERS = 40
# More definers of one name are not told apart anyway.
DEFINERS = 20
# Files of the directory whose way of importing is looked at.
SIBLINGS = 20
# Stubs say again what a module defines.
_STUBS = ((".pyi", ".py"), (".d.ts", ".js"))


class Way(NamedTuple):
    """`from module import name as alias`; a `name` of "" is the module itself, "default" what
    it offers by default.  `here` says that it is of this repository, `typed` that it is
    nothing but a type."""

    module: str
    name: str
    alias: str
    here: bool
    typed: bool = False


# What a name stands for: a definition, or the module and the name there of another package.
Meaning = Symbol | tuple[str, str]


def way(names: Names, path: str, name: str, hidden: Callable[[str], object]) -> Way | None:
    """How `path` would import what `name` means; None where there is no or no single answer.

    Files for which `hidden` says something are as if they were not there.
    """
    facts = names.facts(path)
    family = next((one for one in FAMILIES if facts and facts.language in one), None)
    if facts is None or family is None or any(one.name == "*" for one in facts.imports):
        return None
    found: dict[Meaning, list[tuple[str, Import]]] = {}
    definers = names.definers(name)
    if len(definers) >= DEFINERS:
        return None
    for file in _without_stubs([file for file in definers if not hidden(file)]):
        other = names.facts(file)
        number = names.tops(file).get(name)
        if file == path or number is None or not other or other.language not in family:
            continue
        one = other.definitions[number]
        # A variable is rarely what another file means by its name.
        if one.exported and (one.kind not in VALUES or name.isupper()):
            found[Symbol(file, number)] = []
    users = [file for file in names.users(name) if file != path and not hidden(file)]
    for file in nearest_first(users, path)[:USERS]:
        other = names.facts(file)
        for one in other.imports if other and other.language in family else ():
            if one.alias == name and one.module and (what := _meaning(names, file, one)):
                found.setdefault(what, []).append((file, one))
    if len(found) != 1:
        return None
    ((what, imports),) = found.items()
    return _written(names, path, name, what, imports)


def _meaning(names: Names, file: str, one: Import) -> Meaning | None:
    if symbol := names.target(file, one):
        return symbol
    modules = names.modules(one.module, file)
    # Relative names that lead nowhere are nothing to go by.
    return (modules[0] if modules else one.module, one.name) if one.module[0] != "." else None


def _written(
    names: Names, path: str, name: str, what: Meaning, imports: Sequence[tuple[str, Import]]
) -> Way | None:
    """As the files that import it do, those of the directory first; else by where it is."""
    here = isinstance(what, Symbol)
    if here and _imports(names, what.path, path):
        return None  # Both would import each other.
    typed = here and what.number >= 0 and names.definition(what).kind in ("interface", "type")
    nearby = list(_nearby(names, path))
    relative = bool(nearby) and nearby[0].module.startswith(".")
    directory = path.rpartition("/")[0]
    counts: Counter[tuple[bool, str, str]] = Counter()
    for file, one in imports:
        beside = file.rpartition("/")[0] == directory
        if one.module.startswith(".") and not beside:
            continue
        if here and nearby and one.module.startswith(".") != relative:
            continue
        if names.modules(one.module, path) == names.modules(one.module, file):
            counts[beside, one.module, one.name] += 1
    if counts:
        (_beside, module, said), _count = min(
            counts.items(), key=lambda pair: (not pair[0][0], -pair[1], pair[0])
        )
        return Way(module, said, name, here, typed)
    facts = names.facts(path)
    if not facts or not isinstance(what, Symbol) or what.number < 0:
        return None
    module = module_for(facts.language, what.path, path, nearby, names)
    signature = names.definition(what).signature
    said = "default" if signature.startswith("export default ") else names.definition(what).name
    return Way(module, said, name, here, typed) if module else None


def _nearby(names: Names, path: str) -> Iterator[Said]:
    """Imports of files of this repository: those of the file, then those beside it."""
    beside = [p for p in names.inside(path.rpartition("/")[0]) if p != path][:SIBLINGS]
    for file in (path, *beside):
        yield from _own(names, file)


def _imports(names: Names, file: str, other: str) -> bool:
    facts = names.facts(file)
    found = [names.target(file, one) for one in facts.imports] if facts else []
    return any(one.path == other for one in found if one)


def _own(names: Names, file: str) -> Iterator[Said]:
    facts = names.facts(file)
    for one in facts.imports if facts else ():
        if one.module and (found := names.modules(one.module, file)):
            yield Said(one.module, found[0])


def _without_stubs(files: Sequence[str]) -> list[str]:
    told = set(files)
    return [
        file
        for file in files
        if not any(file.endswith(s) and file.removesuffix(s) + o in told for s, o in _STUBS)
    ]
