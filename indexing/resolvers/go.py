"""Go's imports: a package is a directory of the module that go.mod names.

Without a go.mod it is found by the end of its import path.
"""

from .packages import declared
from .paths import Paths

EXTENSION = ".go"


def resolve(module: str, importer: str, paths: Paths) -> list[str]:
    """The files of the package, tests aside."""
    for manifest, inside in declared(module, "/", "go.mod", paths):
        if files := _package(f"{manifest.rpartition('/')[0]}/{inside}".strip("/"), paths):
            return files
    if any(paths.facts(manifest) for manifest in paths.named("go.mod")):
        # Of another module, which lies here only where somebody vendored it.
        return _package(f"vendor/{module}", paths)
    parts = module.split("/")
    # Of the standard library and of other modules, one component alone means nothing here.
    for skipped in range(len(parts)):
        if files := _package("/".join(parts[skipped:]), paths):
            return files if skipped < 2 or len(parts) > 2 else []
    return []


def _package(directory: str, paths: Paths) -> list[str]:
    return [
        path
        for path in paths.inside(directory)
        if path.endswith(EXTENSION) and not path.endswith("_test.go")
    ]
