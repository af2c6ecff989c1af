"""Go's imports: a package is a directory, found by the end of its import path."""

from .paths import Paths

EXTENSION = ".go"


def resolve(module: str, importer: str, paths: Paths) -> list[str]:
    """The files of the package, tests aside; what `go.mod` calls the top is not known."""
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
