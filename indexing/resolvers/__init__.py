"""Which file an import means.  One module per family of languages, each a pure function.

A resolver is asked with what the import says and the path that says it; it looks at nothing
but which paths there are.  It answers with paths, the likeliest first: none where the import
leads out of the repository.
"""

from collections.abc import Callable

from . import ecmascript, go, include, java, python, rust
from .paths import Paths

Resolver = Callable[[str, str, Paths], list[str]]

RESOLVERS: dict[str, Resolver] = {
    "python": python.resolve,
    "javascript": ecmascript.resolve,
    "typescript": ecmascript.resolve,
    "tsx": ecmascript.resolve,
    "go": go.resolve,
    "rust": rust.resolve,
    "java": java.resolve,
    "c": include.resolve,
    "cpp": include.resolve,
}


def resolve(language: str, module: str, importer: str, paths: Paths) -> list[str]:
    """The files that `module` may mean in the file `importer`, the likeliest first."""
    resolver = RESOLVERS.get(language)
    return resolver(module, importer, paths) if resolver and module else []
