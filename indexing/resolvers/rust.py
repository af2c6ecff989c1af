"""Rust's paths: the tree of modules that files make, from `crate`, `self` and `super`."""

from .packages import beside, declared
from .paths import Paths, nearest_first, normal

# Files whose modules lie beside them, not in a directory of their name.
ROOTS = frozenset(("mod.rs", "lib.rs", "main.rs"))


def resolve(module: str, importer: str, paths: Paths) -> list[str]:
    parts = module.split("::")
    directory, _, base = importer.rpartition("/")
    inside = directory if base in ROOTS else importer.removesuffix(".rs")
    head, *rest = parts
    if head == "crate":
        return _files(_crate(importer), rest, paths)
    if head == "self":
        return _files(inside, rest, paths)
    while parts and parts[0] == "super":
        inside = inside.rpartition("/")[0]
        parts = parts[1:]
    if head == "super":
        return _files(inside, parts, paths)
    found = _files(inside, parts, paths)
    # Another crate of the same workspace, by its name, else by its directory.
    for manifest, inside in declared(module, "::", "Cargo.toml", paths):
        facts = paths.facts(manifest)
        for one in facts.imports if facts else ():
            if root := normal(beside(manifest, one.module)):
                found += _files(root.rpartition("/")[0], inside.split("/") if inside else [], paths)
    if found:
        return found
    roots = [path for path in paths.named("lib.rs") if head in _names(path)]
    for root in nearest_first(roots, importer):
        found += _files(root.rpartition("/")[0], rest, paths)
    return found


def _crate(importer: str) -> str:
    """The directory of the crate's root: the innermost `src`, else that of the file."""
    parts = importer.split("/")[:-1]
    while parts and parts[-1] != "src":
        parts.pop()
    return "/".join(parts) or importer.rpartition("/")[0]


def _names(root: str) -> set[str]:
    """What a crate with this `lib.rs` is called, by its directory."""
    return {part.replace("-", "_") for part in root.split("/")[-3:-1]} - {"src"}


def _files(directory: str, parts: list[str], paths: Paths) -> list[str]:
    place = "/".join([directory, *parts] if directory else parts)
    ends = (".rs", "/mod.rs") if parts else ("/lib.rs", "/main.rs", "/mod.rs", ".rs")
    return [path for end in ends if paths.exists(path := (place + end).lstrip("/"))]
