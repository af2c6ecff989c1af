"""Java's imports: a class is a file whose path ends in its full name."""

from .paths import Paths, nearest_first


def resolve(module: str, importer: str, paths: Paths) -> list[str]:
    """Of `a.b.C`, or of `a.b.C.member`."""
    parts = module.split(".")
    for named in (parts, parts[:-1]):
        if named:
            file = "/".join(named) + ".java"
            found = [
                path
                for path in paths.named(f"{named[-1]}.java")
                if path == file or path.endswith(f"/{file}")
            ]
            if found:
                return nearest_first(found, importer)
    return []
