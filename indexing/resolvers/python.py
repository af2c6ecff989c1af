"""Python's imports: relative ones by directory, absolute ones by the end of the path.

Where the roots of a repository are (`src/`, the top, several) is not known, so an absolute
name means each path that ends in it, the nearest first.
"""

from .paths import Paths, nearest_first, normal

SUFFIXES = (".py", "/__init__.py", ".pyi", "/__init__.pyi")


def resolve(module: str, importer: str, paths: Paths) -> list[str]:
    name = module.lstrip(".")
    dots = len(module) - len(name)
    tail = name.replace(".", "/")
    if dots:
        place = normal(f"{importer}/{'../' * dots}{tail}")
        return [] if place is None else _files(place, paths)
    found = nearest_first(_ending(tail, paths), importer)
    if not found and "/" in tail:
        # The top directory of a package may have another name than the package.
        rest = tail.partition("/")[2]
        found = _files(rest, paths)
    return found


def _files(place: str, paths: Paths) -> list[str]:
    found = [place + suffix for suffix in SUFFIXES if paths.exists((place + suffix).lstrip("/"))]
    return [path.lstrip("/") for path in found]


def _ending(tail: str, paths: Paths) -> set[str]:
    found: set[str] = set()
    for suffix in SUFFIXES:
        file = tail + suffix
        for path in paths.named(file.rpartition("/")[2]):
            if path == file or path.endswith(f"/{file}"):
                found.add(path)
    return found
