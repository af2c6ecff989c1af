"""C's and C++'s includes: beside the file, else any path that ends so."""

from .paths import Paths, nearest_first, normal


def resolve(module: str, importer: str, paths: Paths) -> list[str]:
    beside = normal(f"{importer}/../{module}")
    if beside and paths.exists(beside):
        return [beside]
    tail = normal(module.replace("../", ""))
    if not tail:
        return []
    found = [
        path
        for path in paths.named(tail.rpartition("/")[2])
        if path == tail or path.endswith(f"/{tail}")
    ]
    return nearest_first(found, importer)
