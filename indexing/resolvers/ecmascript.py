"""Imports of JavaScript and TypeScript: relative ones by extension, others by their end.

Aliases (`@/store`, `~/store`, `src/store`) and packages of the same repository
(`@scope/store`) are told by the end of the path: what stands before it is configuration.
"""

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


def _package(name: str, paths: Paths) -> list[str]:
    """The entry of a package that lies in the repository in a directory of its name."""
    return [
        path
        for extension in EXTENSIONS
        for path in paths.named(f"index{extension}")
        if path.split("/")[:-1][-1:] == [name] or path.split("/")[:-1][-2:] == [name, "src"]
    ]
