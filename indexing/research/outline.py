"""The map of a repository: what its most used files define, within a budget of tokens."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import log1p, sqrt

from ..facts import Definition, Facts
from ..parse import CLASSES
from .named import is_test
from .ranking import ranks
from .repository import FILE_TOKENS, Passage, Repository, identifiers, tokens_of, wanted, words

# Files whose definitions are looked at, the most used first.
LOOKED_AT = 300
# Of one file, so that the map shows more than one.
PER_FILE = 0.25
# How much likelier the walk begins at a file in focus, or at one whose path the question names.
FOCUSED, PLACED = 50.0, 5.0
# How much a definition counts for what it is; others are not shown.
_KINDS = dict.fromkeys(CLASSES, 1.0) | {
    **{"function": 0.9, "method": 0.5, "namespace": 0.5, "macro": 0.4, "heading": 0.5},
    **{"variable": 0.25, "field": 0.15},
}
_HIDDEN, _SPELLED, _LIKE = 0.2, 10.0, 3.0
# Tokens by which a signature seems longer: a short one is not best for that alone.
LONG = 30
LONGEST_SIGNATURE = 160


def outline(
    repository: Repository,
    budget: int,
    focus: Sequence[str] = (),
    question: str = "",
) -> list[Passage]:
    """Signatures of the definitions that matter most, one passage for each file, best first.

    Files are ranked by who uses what they define; from the files in `focus` and from what
    `question` names, if there are any.
    """
    ranked = ranked_files(repository, focus, question)
    if not ranked:
        return []
    spelled, about = identifiers(question), wanted(question)
    best = sorted(ranked, key=lambda path: (-ranked[path], path))[:LOOKED_AT]
    used = repository.index.use_counts(best)
    options: list[tuple[float, str, int]] = []
    known: dict[str, Facts] = {}
    for path in best:
        if (facts := repository.facts(path)) is None:
            continue
        known[path] = facts
        for number, one in enumerate(facts.definitions):
            value = ranked[path] * _value(facts, one, used, spelled, about)
            if value:
                cost = tokens_of(one.signature[:LONGEST_SIGNATURE])
                options.append((value / (cost + LONG), path, number))
    options.sort(key=lambda option: (-option[0], option[1], option[2]))
    return _packed(repository.name, options, known, ranked, budget)


def ranked_files(
    repository: Repository, focus: Sequence[str] = (), question: str = ""
) -> Mapping[str, float]:
    """What each file is worth to who works at `focus` or asks `question`; in all 1."""
    links = repository.index.links()
    paths = repository.index.paths()
    numbers = {path: number for number, path in enumerate(paths)}
    about = set(wanted(question))
    start: dict[int, float] = {}
    for path, number in numbers.items():
        worth = 1.0
        if path in focus:
            worth = FOCUSED
        elif about and about & set(words(path)):
            worth = PLACED
        start[number] = worth * (0.3 if is_test(path) else 1.0)
    edges = (
        (numbers[user], numbers[used], sqrt(weight))
        for user, used, weight in links
        if user in numbers and used in numbers
    )
    return {paths[number]: worth for number, worth in ranks(edges, start).items()}


def _value(
    facts: Facts,
    one: Definition,
    used: Mapping[str, int],
    spelled: frozenset[str],
    about: Mapping[str, float],
) -> float:
    value = _KINDS.get(one.kind, 0.0)
    if one.parent >= 0 and facts.definitions[one.parent].kind in ("function", "method"):
        return 0.0
    if not one.exported:
        value *= _HIDDEN
    if one.name in spelled:
        value *= _SPELLED
    elif about and about.keys() & set(words(one.name)):
        value *= _LIKE
    return value * (1 + log1p(used.get(one.name, 0)))


def _packed(
    repository: str,
    options: Sequence[tuple[float, str, int]],
    known: Mapping[str, Facts],
    ranked: Mapping[str, float],
    budget: int,
) -> list[Passage]:
    chosen: dict[str, set[int]] = {}
    spent: Counter[str] = Counter()
    left = budget
    for _value, path, number in options:
        rows = known[path].definitions
        # A member stands below what it is a member of.
        needed = {number}
        while (parent := rows[number].parent) >= 0:
            needed.add(number := parent)
        needed -= chosen.get(path, set())
        cost = sum(tokens_of(_row(rows[n], rows)) for n in needed)
        cost += 0 if path in chosen else FILE_TOKENS
        if cost > left or spent[path] + cost > max(PER_FILE * budget, 200):
            continue
        chosen.setdefault(path, set()).update(needed)
        spent[path] += cost
        left -= cost
    passages: list[Passage] = []
    for path, numbers in chosen.items():
        rows = known[path].definitions
        shown = sorted(numbers)
        text = "\n".join(_row(rows[number], rows) for number in shown)
        lines = rows[shown[0]].line + 1, max(rows[number].line for number in shown) + 1
        passages.append(Passage(repository, path, lines, text, "outline", ranked[path]))
    return sorted(passages, key=lambda one: (-one.value, one.path))


def _row(one: Definition, rows: Sequence[Definition]) -> str:
    depth, parent = 0, one.parent
    while parent >= 0:
        depth, parent = depth + 1, rows[parent].parent
    return "    " * depth + (one.signature or one.name)[:LONGEST_SIGNATURE].replace("\n", " ")
