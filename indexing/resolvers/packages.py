"""Packages that a repository says it has: their manifests name them."""

from collections.abc import Iterator

from ..manifests import PACKAGE
from .paths import Paths


def declared(module: str, separator: str, manifest: str, paths: Paths) -> Iterator[tuple[str, str]]:
    """Of `a/b/c` each manifest of a package `a/b/c`, `a/b` or `a`, and what follows its name.

    The longest name comes first.
    """
    parts = module.split(separator)
    for count in range(len(parts), 0, -1):
        for path in paths.definers(PACKAGE + separator.join(parts[:count])):
            if path.rpartition("/")[2] == manifest:
                yield path, "/".join(parts[count:])


def beside(manifest: str, place: str) -> str:
    """A place as a manifest says it, from the root on; not normal yet."""
    return f"{manifest}/../{place}"
