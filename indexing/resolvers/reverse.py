"""The other way round: how an import in one file names another file of the repository.

Asked with what imports nearby look like, as a repository does not say where its roots are.
Every answer is checked by resolving it.
"""

from collections.abc import Callable, Iterable, Sequence
from posixpath import relpath
from typing import NamedTuple

from . import resolve
from .ecmascript import EXTENSIONS
from .paths import Paths
from .python import SUFFIXES


class Said(NamedTuple):
    """An import as some file writes it, and the file of the repository that it means."""

    module: str
    path: str


Reverse = Callable[[str, str, Sequence[Said], Paths], Iterable[str]]


def module_for(
    language: str, target: str, importer: str, nearby: Sequence[Said], paths: Paths
) -> str | None:
    """What an import in `importer` calls the file `target`; None where that is not certain.

    `nearby` are imports of files of this repository, those of `importer` first: they tell
    whether it says relative names, and where absolute ones start.
    """
    reverse = _REVERSES.get(language)
    for module in reverse(target, importer, nearby, paths) if reverse else ():
        if resolve(language, module, importer, paths)[:1] == [target]:
            return module
    return None


def _python(target: str, importer: str, nearby: Sequence[Said], paths: Paths) -> Iterable[str]:
    suffix = next((s for s in sorted(SUFFIXES, key=len)[::-1] if target.endswith(s)), None)
    if suffix is None:
        return
    parts = target.removesuffix(suffix).split("/")
    relative = bool(nearby) and nearby[0].module.startswith(".")
    if relative:
        yield from _relative(parts, importer, paths)
    for one in nearby:
        if not one.module.startswith("."):
            tail = one.module.replace(".", "/")
            where = one.path.rfind(f"/{tail}") + 1
            root = one.path[:where].split("/")[:-1]
            below = range(len(root) + 1, len(parts))
            packages = all(_package(parts[:n], paths) for n in below)
            beside = one.path.split("/")[:-1] == parts[:-1]
            start = one.path[where:].startswith(tail) and parts[: len(root)] == root
            if start and (packages or beside):
                yield ".".join(parts[len(root) :])
    if not relative:
        # The directories around that are packages; a script has its neighbours at hand.
        top = len(parts) - 1
        while top and _package(parts[:top], paths):
            top -= 1
        if top < len(parts) - 1 or parts[:-1] == importer.split("/")[:-1]:
            yield ".".join(parts[top:])


def _relative(parts: list[str], importer: str, paths: Paths) -> Iterable[str]:
    own = importer.split("/")[:-1]
    shared = 0
    for one, other in zip(own, parts, strict=False):
        if one != other:
            break
        shared += 1
    up = len(own) - shared
    # Above a package there is nothing relative.
    if all(_package(own[:n], paths) for n in range(shared, len(own))):
        yield "." * (up + 1) + ".".join(parts[shared:])


def _package(directory: list[str], paths: Paths) -> bool:
    return paths.exists("/".join([*directory, "__init__.py"]))


def _ecmascript(target: str, importer: str, nearby: Sequence[Said], _paths: Paths) -> Iterable[str]:
    own = importer.rpartition("/")[0]
    extension = next((e for e in sorted(EXTENSIONS, key=len)[::-1] if target.endswith(e)), None)
    if extension is None:
        return
    place = relpath(target.removesuffix(extension), own or ".")
    place = place if place.startswith("../") else f"./{place}"
    relative = [one.module for one in nearby if one.module.startswith(".")]
    written = next((e for e in EXTENSIONS if relative and relative[0].endswith(e)), "")
    if written:
        # TypeScript may say the name of what the compiler will write.
        yield place + (extension if written == extension or extension[1] == "j" else written)
        return
    if place.endswith("/index"):
        yield place.removesuffix("/index") or "."
    yield place


_REVERSES: dict[str, Reverse] = {
    "python": _python,
    "javascript": _ecmascript,
    "typescript": _ecmascript,
    "tsx": _ecmascript,
}
