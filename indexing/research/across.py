"""What other repositories use of this one, and it of them.

An import that leads out of a repository is resolved in the others, by the same resolvers;
what it means there is certain where it is defined there.  What only has the same name is
said to be that and no more.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ..facts import Definition, Import
from ..resolvers import resolve
from ..resolvers.packages import declared
from ..retrieval.symbols import Names, Symbol
from .references import Reference, passages, references
from .repository import Passage, Repository, fitting

# Files of another repository that are looked at for one name.
MOST_FILES = 60

# What names a package that others import: a separator and a file.
_NODE = ("/", "package.json")
_MANIFESTS = {
    **{"go": ("/", "go.mod"), "rust": ("::", "Cargo.toml")},
    **{"javascript": _NODE, "typescript": _NODE, "tsx": _NODE},
}


class Exported(NamedTuple):
    """A definition that other repositories may import."""

    repository: str
    path: str
    number: int
    one: Definition


class Use(NamedTuple):
    """An import in one repository of what another one defines."""

    repository: str
    path: str
    line: int
    exported: Exported


def exported(repository: Repository, paths: Iterable[str] = ()) -> Iterator[Exported]:
    """What the files of a repository (or these ones) offer at their top."""
    for path in paths or repository.index.paths():
        facts = repository.facts(path)
        for number, one in enumerate(facts.definitions if facts else ()):
            if one.parent < 0 and one.exported and one.kind != "heading":
                yield Exported(repository.name, path, number, one)


def users(
    home: Repository, path: str, number: int, others: Sequence[Repository], most: int = 200
) -> list[Reference]:
    """Who uses a definition of `home` in other repositories.

    Certain are those whose file imports it, or the class around it, from there.
    """
    target = Symbol(path, number)
    names = home.names()
    one = names.definition(target)
    owner = names.owner(target) if one.parent >= 0 else None
    top = owner or target
    found: list[Reference] = []
    for other in others:
        if other.name == home.name:
            continue
        named = other.names()
        reaching = {
            file
            for file in other.index.users(names.definition(top).name, MOST_FILES)
            if any(use == top for _one, use in imported(home, names, other, named, file))
        }
        found += (
            reference._replace(certain=reference.path in reaching)
            for reference in references(other, one.name, most=most)
        )
    found.sort(key=lambda use: (not use.certain, use.repository, use.path, use.line))
    return found[:most]


def uses(repository: Repository, path: str, others: Sequence[Repository]) -> list[Use]:
    """What a file imports out of other repositories."""
    found: list[Use] = []
    own = repository.names()
    for other in others:
        if other.name == repository.name:
            continue
        theirs = other.names()
        for one, symbol in imported(other, theirs, repository, own, path):
            if symbol.number >= 0:
                definition = theirs.definition(symbol)
                there = Exported(other.name, symbol.path, symbol.number, definition)
                found.append(Use(repository.name, path, one.line + 1, there))
    return found


def around(
    home: Repository, path: str, line: int, others: Sequence[Repository], budget: int
) -> list[Passage]:
    """What a place (its line counts from 0) has to do with other repositories.

    That is what its file imports from there, and who uses from there what is defined at the
    place; at most `budget` tokens of it.
    """
    found: list[Passage] = []
    for use in uses(home, path, others):
        there, one = use.exported, use.exported.one
        why = f"imported on line {use.line}"
        lines = one.line + 1, one.last + 1
        found.append(Passage(there.repository, there.path, lines, one.signature, why, 1.0))
    facts = home.facts(path)
    for number, one in enumerate(facts.definitions if facts else ()):
        if one.line <= line <= one.last and one.kind not in ("variable", "field"):
            found += passages(
                [
                    use._replace(inside=f"{use.inside or use.path}, of {one.name}")
                    for use in users(home, path, number, others)
                    if use.certain and use.kind != "definition"
                ]
            )
    return fitting(found, budget)


def imported(
    home: Repository, names: Names, other: Repository, own: Names, path: str
) -> Iterator[tuple[Import, Symbol]]:
    """The imports of a file of `other` that lead into `home`, and what they mean there."""
    facts = own.facts(path)
    for one in facts.imports if facts else ():
        if one.module.startswith((".", "/")) or own.modules(one.module, path):
            continue  # It leads to where it is written.
        assert facts
        for file in resolve(facts.language, one.module, "", home.index)[:2]:
            if one.module and not _is_root(home, facts.language, one.module, file):
                continue
            if facts.language == "java" and not one.name:
                symbol = names.top(file, one.alias)
            elif one.name in ("", "*"):
                symbol = Symbol(file, -1)
            else:
                symbol = names.top(file, one.name)
            if symbol is not None:
                yield one, symbol
                break


def _is_root(home: Repository, language: str, module: str, file: str) -> bool:
    """Whether a path that ends in a module's name begins where packages begin.

    In Python `lib/http/json.py` is not what `import json` means, as `lib/http` is a package.
    """
    if language in _MANIFESTS:
        separator, manifest = _MANIFESTS[language]
        return any(True for _found in declared(module, separator, manifest, home.index))
    if language != "python":
        return True
    tail = module.replace(".", "/")
    place = file.rpartition(f"{tail}.py" if file.endswith(f"{tail}.py") else f"{tail}/")[0]
    around = place.rstrip("/")
    return not around or not home.index.exists(f"{around}/__init__.py")
