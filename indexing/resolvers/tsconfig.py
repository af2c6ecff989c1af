"""What tsconfig.json and jsconfig.json make of the name of a module."""

from collections.abc import Iterator

from ..manifests import BASE, EXTENDS, REFERENCES
from .packages import beside
from .paths import Paths, normal

NAMES = ("tsconfig.json", "jsconfig.json")
# Of files that extend others.
HOPS = 5


def places(module: str, importer: str, paths: Paths) -> list[str]:
    """Where a module that is not relative may lie, by the nearest configuration: paths from
    the root on, without an extension, the likeliest first."""
    directory = importer
    while directory:
        directory = directory.rpartition("/")[0]
        for name in NAMES:
            file = f"{directory}/{name}" if directory else name
            if paths.exists(file):
                found = _of(file, module, paths, HOPS)
                return [place for place in map(normal, found) if place is not None]
    return []


def _of(file: str, module: str, paths: Paths, hops: int) -> list[str]:
    rows = list(_rows(file, paths, hops))
    base = next((beside(at, one) for at, kind, _alias, one in rows if kind == BASE), None)
    # The file nearest to the importer that has paths at all is the one that counts.
    own = next((at for at, kind, _alias, _one in rows if kind == ""), None)
    matches: list[tuple[int, str]] = []
    for at, kind, alias, target in rows:
        if kind == "" and at == own and (rest := _match(alias, module)) is not None:
            place = target.replace("*", rest)
            start = f"{base}/{place}" if base is not None else beside(at, place)
            matches.append((len(alias.partition("*")[0]), start))
    matches.sort(key=lambda match: -match[0])
    found = [place for _length, place in matches]
    return found + ([f"{base}/{module}"] if base is not None else [])


def _rows(file: str, paths: Paths, hops: int) -> Iterator[tuple[str, str, str, str]]:
    """File, kind, alias and what it says: of a file, then of those that it extends."""
    facts = paths.facts(file)
    if facts is None:
        return
    for one in facts.imports:
        if one.name in ("", BASE):
            yield file, one.name, one.alias, one.module
    for kind in (EXTENDS, REFERENCES):
        for one in facts.imports:
            if one.name == kind and hops and (other := _file(file, one.module, paths)):
                yield from _rows(other, paths, hops - 1)


def _file(file: str, said: str, paths: Paths) -> str | None:
    """The configuration that another one names: a file or its directory; packages are not
    in the repository."""
    if not said.startswith((".", "/")):
        return None
    place = normal(beside(file, said))
    for end in ("", ".json", "/tsconfig.json"):
        if place is not None and paths.exists(place + end):
            return place + end
    return None


def _match(alias: str, module: str) -> str | None:
    """What `*` stands for, "" where there is none; None where the alias is another one."""
    start, star, end = alias.partition("*")
    if not star:
        return "" if alias == module else None
    fits = module.startswith(start) and module.endswith(end)
    return module[len(start) : len(module) - len(end)] if fits else None
