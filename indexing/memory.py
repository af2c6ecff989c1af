"""An index in memory, for who measures: texts by path in, look-ups out."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from .facts import Facts
from .languages import indexed_as
from .parse import parse


class InMemory:
    """Every file parsed once; answers as the index on disk does."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = dict(files)
        self._facts: dict[str, Facts] = {}
        self._named: defaultdict[str, list[str]] = defaultdict(list)
        self._inside: defaultdict[str, list[str]] = defaultdict(list)
        self._definers: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._users: defaultdict[str, list[str]] = defaultdict(list)
        for path, text in sorted(files.items()):
            language = indexed_as(path)
            if language is None:
                continue
            facts = self._facts[path] = parse(language, text.encode())
            directory, _, base = path.rpartition("/")
            self._named[base].append(path)
            self._inside[directory].append(path)
            for one in facts.definitions:
                self._definers[one.name][path] = None
            for one in facts.references:
                self._users[one.name].append(path)

    def facts(self, path: str) -> Facts | None:
        return self._facts.get(path)

    def exists(self, path: str) -> bool:
        return path in self.files

    def named(self, base: str) -> Sequence[str]:
        return self._named.get(base, [])

    def inside(self, directory: str) -> Sequence[str]:
        return self._inside.get(directory, [])

    def definers(self, name: str) -> Sequence[str]:
        return [*self._definers.get(name, {})][:20]

    def popularity(self, name: str) -> int:
        return len(self._users.get(name, ()))

    def users(self, name: str) -> Sequence[str]:
        return self._users.get(name, [])
