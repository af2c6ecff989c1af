"""Imports of JavaScript and TypeScript: relative ones by extension, others as tsconfig says.

Packages of the same repository are those that a package.json names.  Where neither knows a
name, aliases (`@/store`, `~/store`, `src/store`) and packages (`@scope/store`) are told by the
end of the path.
"""

from . import tsconfig
from .packages import beside, declared
from .paths import Paths, nearest_first, normal

EXTENSIONS = (".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mts", ".cts", ".mjs", ".cjs")
# Source of TypeScript imports what the compiler will write.
_WRITTEN = {".js": (".ts", ".tsx"), ".jsx": (".tsx",), ".mjs": (".mts",), ".cjs": (".cts",)}


def resolve(module: str, importer: str, paths: Paths) -> list[str]:
    if module.startswith((".", "/")):
        place = normal(f"{importer}/../{module}" if module.startswith(".") else module)
        if place is None:
            return []
        return [path for path in _candidates(place) if paths.exists(path)]
    for place in tsconfig.places(module, importer, paths):
        if found := [path for path in _candidates(place) if paths.exists(path)]:
            return found
    for manifest, inside in declared(module, "/", "package.json", paths):
        if found := _in_package(manifest, inside, paths):
            return found
    scope, _, rest = module.partition("/")
    if not rest:
        return nearest_first(_package(scope, paths), importer)
    # Two components or more say enough; of one, a directory of that name must be near.
    tails = [rest] if scope in ("@", "~", "#", "src") else [module, rest]
    for tail in tails:
        if found := _ending(tail, paths):
            return nearest_first(found, importer)
    return nearest_first(_package(rest, paths) if scope.startswith("@") else (), importer)


def _candidates(place: str) -> list[str]:
    stem, dot, extension = place.rpartition(".")
    written = [stem + other for other in _WRITTEN.get(dot + extension, ())] if stem else []
    exact = [place] if dot and f".{extension}" in EXTENSIONS else []
    files = [place + extension for extension in EXTENSIONS] if place else []
    index = "/index" if place else "index"
    return written + exact + files + [place + index + extension for extension in EXTENSIONS]


def _ending(tail: str, paths: Paths) -> list[str]:
    found: dict[str, None] = {}
    for file in _candidates(tail):
        for path in paths.named(file.rpartition("/")[2]):
            if path == file or path.endswith(f"/{file}"):
                found[path] = None
    return list(found)


def _in_package(manifest: str, inside: str, paths: Paths) -> list[str]:
    """A file of a package, or its entry; what is built is told by where it is built from."""
    facts = paths.facts(manifest)
    said = [one.module for one in facts.imports] if facts and not inside else []
    said += [inside, f"src/{inside}"] if inside else ["src/index", "index", "src/main"]
    for place in said:
        source = normal(beside(manifest, place))
        for file in _candidates(source) if source is not None else ():
            if paths.exists(file):
                return [file]
    return []


def _package(name: str, paths: Paths) -> list[str]:
    """The entry of a package that lies in the repository in a directory of its name."""
    return [
        path
        for extension in EXTENSIONS
        for path in paths.named(f"index{extension}")
        if path.split("/")[:-1][-1:] == [name] or path.split("/")[:-1][-2:] == [name, "src"]
    ]
