"""What a resolver may know of a repository: its paths, and which of several is nearest."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from ..facts import Facts


class Paths(Protocol):
    """The files of a repository, relative to its root, with forward slashes."""

    def exists(self, path: str) -> bool: ...

    def named(self, base: str) -> Sequence[str]:
        """Every path whose last component is `base`."""
        ...

    def inside(self, directory: str) -> Sequence[str]:
        """Files that lie in a directory itself."""
        ...

    def definers(self, name: str) -> Sequence[str]:
        """Files that define `name`; manifests define packages."""
        ...

    def facts(self, path: str) -> Facts | None:
        """What a file says; asked of manifests only."""
        ...


def nearest_first(found: Iterable[str], importer: str) -> list[str]:
    """Sorted by shared directories, then by depth, then by name."""
    return sorted(found, key=lambda path: (-shared(path, importer), path.count("/"), path))


def shared(one: str, other: str) -> int:
    """How many directories both paths have in common from the root on."""
    count = 0
    for a, b in zip(one.split("/")[:-1], other.split("/")[:-1], strict=False):
        if a != b:
            break
        count += 1
    return count


def normal(path: str) -> str | None:
    """`path` without "." and ".."; None where it leads out of the repository."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if not parts:
                return None
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)
