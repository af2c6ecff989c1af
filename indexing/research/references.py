"""Where a name is used, and whether it is that one for certain."""

import re
from typing import NamedTuple

from ..facts import Facts
from ..languages import LANGUAGES
from ..reader import COMMON
from ..retrieval.symbols import Names, Symbol
from .named import is_test
from .repository import Passage, Repository

# Files that are read for one name.
MOST_FILES = COMMON


class Reference(NamedTuple):
    """One line that names something; `line` counts from 1.

    `kind` is "definition", "import" or "use".  `certain` says that imports lead from here to
    the definition that was asked for; else only the names are equal.  `inside` is the full
    name of the definition around the line, "" at the top of a file.
    """

    repository: str
    path: str
    line: int
    text: str
    kind: str
    inside: str
    certain: bool


def references(
    repository: Repository, name: str, target: Symbol | None = None, most: int = 200
) -> list[Reference]:
    """The lines that name `name` as code, not in comments or strings: certain ones first,
    tests last.

    `target` is the definition that is meant, where that is known.
    """
    names = repository.names()
    paths = dict.fromkeys(
        path
        for path, facts in repository.live.items()
        if any(one.name == name for one in facts.references)
    )
    paths.update(dict.fromkeys(repository.index.users(name, MOST_FILES)))
    found: list[Reference] = []
    for path in paths:
        certain = _means(names, path, name, target)
        found += _in_file(repository, path, name, certain)
    found.sort(key=lambda one: (not one.certain, is_test(one.path), one.path, one.line))
    return found[:most]


def passages(found: list[Reference], around: int = 0) -> list[Passage]:
    """References as passages, one line each."""
    return [
        Passage(
            one.repository,
            one.path,
            (one.line, one.line),
            one.text,
            f"{one.kind}{f' in {one.inside}' if one.inside else ''}"
            f"{'' if one.certain else ', by name alone'}",
            1.0 if one.certain else 0.5,
        )
        for one in found
    ]


def _means(names: Names, path: str, name: str, target: Symbol | None) -> bool:
    """Whether `name` in a file is the target."""
    if target is None or target.path == path:
        return True
    definition = names.definition(target)
    if definition.parent >= 0:
        # A member: the file is certain to mean it where it can reach the class.
        owner = names.owner(target)
        around = names.definition(owner).name if owner else ""
        return bool(owner) and names.meaning(path, around) == owner
    meant = names.meaning(path, name)
    if meant is not None:
        return meant == target
    facts = names.facts(path)
    # Reached through its module: `store.open_store`.
    return any(
        (symbol := names.target(path, one)) is not None and symbol == Symbol(target.path, -1)
        for one in (facts.imports if facts else ())
    )


def _in_file(repository: Repository, path: str, name: str, certain: bool) -> list[Reference]:
    text, facts = repository.text(path), repository.facts(path)
    if text is None or facts is None or name not in text:
        return []
    row = LANGUAGES.get(facts.language)
    source = text.encode("utf-8", "replace")
    code = source
    if row is not None:
        # Blanked out, so that nothing moves.
        code = row.prose.sub(lambda match: re.sub(rb"[^\n]", b" ", match[0]), source)
    pattern = re.compile(rb"(?<![\w$])" + re.escape(name.encode()) + rb"(?![\w$])")
    lines, kept = source.split(b"\n"), list[Reference]()
    for number, line in enumerate(code.split(b"\n")):
        if pattern.search(line):
            kind, inside = _kind(facts, name, number)
            shown = lines[number].decode("utf-8", "replace").strip()[:300]
            kept.append(Reference(repository.name, path, number + 1, shown, kind, inside, certain))
    return kept


def _kind(facts: Facts, name: str, line: int) -> tuple[str, str]:
    if any(one.line == line and name in (one.name, one.alias) for one in facts.imports):
        return "import", ""
    around: list[str] = []
    kind = "use"
    for one in facts.definitions:
        if one.line == line and one.name == name:
            kind = "definition"
        elif one.line <= line <= one.last and one.kind not in ("variable", "field"):
            around.append(one.name)
    return kind, ".".join(around)
