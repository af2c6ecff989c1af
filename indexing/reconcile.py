"""What has to be done so that the index says what the disk says; pure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from .store import Entry


class Plan(NamedTuple):
    """Paths to look at again, most urgent first, and those that are gone."""

    changed: list[str]
    gone: list[str]


def reconcile(
    known: Mapping[str, Entry], present: Mapping[str, int], near: Sequence[str] = ()
) -> Plan:
    """Compare what is `known` with the stamps of what is `present`.

    Files near to those in `near` come first.
    """
    changed = [
        path
        for path, stamp in present.items()
        if (entry := known.get(path)) is None or entry.stamp != stamp
    ]
    return Plan(by_nearness(changed, near), [path for path in known if path not in present])


def by_nearness(paths: Iterable[str], near: Sequence[str]) -> list[str]:
    """In order of the steps from a path's directory to the next of the files in `near`.

    These files themselves come first.  Without any, as they were.
    """
    if not near:
        return list(paths)
    exactly = set(near)
    places = [path.split("/")[:-1] for path in dict.fromkeys(near)]
    distances: dict[str, int] = {}

    def distance(path: str) -> int:
        if path in exactly:
            return -1
        directory = path.rpartition("/")[0]
        if directory not in distances:
            parts = directory.split("/") if directory else []
            distances[directory] = min(_steps(parts, place) for place in places)
        return distances[directory]

    return sorted(paths, key=distance)


def _steps(one: Sequence[str], other: Sequence[str]) -> int:
    common = 0
    for first, second in zip(one, other, strict=False):
        if first != second:
            break
        common += 1
    return len(one) + len(other) - 2 * common
