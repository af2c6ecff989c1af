"""Definitions whose names, documentation or paths are like a question."""

from collections.abc import Mapping
from math import log
from typing import NamedTuple

from ..facts import Definition
from .repository import Repository, identifiers, wanted, words

# Names that are compared at all, and those that are looked up.
MOST_NAMES, LOOKED_UP = 300_000, 80
# Files that define one of these names.
DEFINERS = 5
# A name that is spelled out in the question is meant.
SPELLED = 4.0
# What a word adds that stands in the documentation or the path, not in the name.
DOCUMENTED, PLACED = 0.5, 0.4
# What stands inside of functions is seldom asked for, and a test less than what it tests.
_LOCAL, _TEST, _VALUE = 0.3, 0.5, 0.6


class Found(NamedTuple):
    """A definition: the number it has among those of its file."""

    path: str
    number: int
    one: Definition
    value: float
    why: str


def like(repository: Repository, question: str, most: int = 40) -> list[Found]:
    """The definitions that a question is about, the likeliest first."""
    about, spelled = wanted(question), identifiers(question)
    names = dict.fromkeys(repository.index.defined_names("", MOST_NAMES))
    for facts in repository.live.values():
        names.update(dict.fromkeys(one.name for one in facts.definitions))
    rarity = _rarity(about, names)
    scored: list[tuple[float, str]] = []
    for name in names:
        value = SPELLED if name in spelled else 0.0
        inside = words(name)
        shared = set(inside) & rarity.keys()
        value += sum(rarity[word] for word in shared) * len(shared) / (len(set(inside)) or 1)
        if value:
            scored.append((value, name))
    scored.sort(key=lambda pair: (-pair[0], pair[1]))
    found: dict[tuple[str, int], Found] = {}
    for value, name in scored[:LOOKED_UP]:
        for path in _definers(repository, name):
            facts = repository.facts(path)
            for number, one in enumerate(facts.definitions if facts else ()):
                if one.name == name:
                    more = _around(rarity, path, one)
                    worth = (value + more) * _weight(path, one, facts.definitions if facts else ())
                    why = "named in the question" if name in spelled else "named like the question"
                    found[path, number] = Found(path, number, one, worth, why)
    return sorted(found.values(), key=lambda one: (-one.value, one.path, one.number))[:most]


def _rarity(about: Mapping[str, float], names: Mapping[str, object]) -> dict[str, float]:
    """What each wanted word says: the more names have it, the less."""
    having = dict.fromkeys(about, 0)
    for name in names:
        for word in set(words(name)):
            if word in having:
                having[word] += 1
    most = log(len(names) + 2)
    return {
        word: about[word] * log((len(names) + 2) / (count + 1)) / most
        for word, count in having.items()
    }


def _definers(repository: Repository, name: str) -> list[str]:
    live = [
        path
        for path, facts in repository.live.items()
        if any(one.name == name for one in facts.definitions)
    ]
    stored = (p for p in repository.index.definers(name, DEFINERS) if p not in repository.live)
    return [*live, *stored]


def _around(rarity: Mapping[str, float], path: str, one: Definition) -> float:
    own = set(words(one.name))
    documented = (set(words(one.doc)) | set(words(one.signature))) - own
    placed = set(words(path)) - own - documented
    return DOCUMENTED * sum(rarity.get(word, 0.0) for word in documented) + PLACED * sum(
        rarity.get(word, 0.0) for word in placed
    )


def _weight(path: str, one: Definition, around: tuple[Definition, ...]) -> float:
    weight = 1.0
    if one.parent >= 0 and around[one.parent].kind in ("function", "method"):
        weight *= _LOCAL
    if one.kind in ("variable", "field"):
        weight *= _VALUE
    if is_test(path):
        weight *= _TEST
    return weight


def is_test(path: str) -> bool:
    """Whether a path is that of a test, as far as its name tells."""
    base = path.rpartition("/")[2].lower()
    inside = {"test", "tests", "testing", "__tests__", "spec", "testdata"}
    return (
        bool(inside & set(path.lower().split("/")[:-1]))
        or base.startswith("test_")
        or base.rpartition(".")[0].endswith(("_test", ".test", ".spec", "test"))
    )
