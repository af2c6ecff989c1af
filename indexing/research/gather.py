"""Everything that a question about code needs to see, in one budget and with reasons.

The flow: definitions that are named like the question -> what they use, and who uses them,
here and in other repositories -> the prose about it -> the map around all of that.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence

from ..retrieval.symbols import Symbol
from . import across
from .bodies import body
from .named import Found, like
from .outline import outline
from .prose import prose
from .references import Reference, references
from .repository import Passage, Repository, fitting

# Parts of the budget; what one leaves over the next may take.
BODIES, NEEDED, USES, PROSE = 0.4, 0.2, 0.15, 0.15
# Definitions whose users are looked for and what they use, and users that are shown of one.
FOLLOWED, SHOWN = 8, 12
# A definition is worth showing down to this part of the best one's worth.
LEAST = 0.25


def gather(
    question: str,
    repositories: Sequence[Repository],
    budget: int,
    focus: Sequence[str] = (),
) -> list[Passage]:
    """Passages for a question, at most `budget` tokens of them; the first are the most needed.

    The first of `repositories` is where the question is asked and `focus` are files there.
    """
    found = [(repository, one) for repository in repositories for one in like(repository, question)]
    found.sort(key=lambda pair: -pair[1].value)
    most = found[0][1].value if found else 0.0
    found = [pair for pair in found if pair[1].value >= LEAST * most]
    texts = filter(None, (body(repository, one) for repository, one in found))
    kept = fitting(texts, round(BODIES * budget))
    shown = {(one.repository, one.path, one.lines) for one in kept}
    needed = [
        one
        for one in _needed(found, repositories)
        if (one.repository, one.path, one.lines) not in shown
    ]
    kept += fitting(needed, round((BODIES + NEEDED) * budget) - _cost(kept))
    kept += fitting(_users(found, repositories), round(USES * budget))
    left = budget - _cost(kept)
    kept += prose(repositories, question, min(left, round(PROSE * budget)))
    left = budget - _cost(kept)
    # The map begins at what was found; other repositories get a smaller one each.
    for number, repository in enumerate(repositories):
        share = left // 2 if number == 0 else left // (2 * (len(repositories) - 1))
        share = left if len(repositories) == 1 else share
        near = [one.path for one in kept if one.repository == repository.name]
        kept += outline(repository, share, [*focus, *near] if number == 0 else near, question)
    return kept


def _needed(
    found: Sequence[tuple[Repository, Found]], repositories: Sequence[Repository]
) -> Iterator[Passage]:
    """The bodies of what the best definitions use, in this repository and in others."""
    by_name = {repository.name: repository for repository in repositories}
    for repository, one in found[:FOLLOWED]:
        text = body(repository, one)
        spelled = dict.fromkeys(re.findall(r"[^\W\d]\w*", text.text)) if text else {}
        names = repository.names()
        for name in spelled:
            symbol = names.meaning(one.path, name) if name != one.one.name else None
            if symbol and symbol.number >= 0 and symbol.path != one.path:
                there = Found(
                    *symbol, names.definition(symbol), one.value, f"{one.one.name} uses it"
                )
                if passage := body(repository, there):
                    yield passage
        for use in across.uses(repository, one.path, repositories):
            far = use.exported
            if far.one.name in spelled:
                there = Found(far.path, far.number, far.one, one.value, f"{one.one.name} uses it")
                if passage := body(by_name[far.repository], there):
                    yield passage


def _users(
    found: Sequence[tuple[Repository, Found]], repositories: Sequence[Repository]
) -> list[Passage]:
    """The lines that use the best definitions, as one passage for each file."""
    by_file: defaultdict[tuple[str, str], dict[int, tuple[Reference, str]]] = defaultdict(dict)
    for repository, one in found[:FOLLOWED]:
        target = Symbol(one.path, one.number)
        here = [
            use
            for use in references(repository, one.one.name, target)
            if use.kind != "definition" and use.path != one.path and use.certain
        ]
        there = across.users(repository, one.path, one.number, repositories)
        for use in [*(use for use in there if use.certain), *here][:SHOWN]:
            by_file[use.repository, use.path].setdefault(use.line, (use, one.one.name))
    passages: list[Passage] = []
    for (name, path), uses in by_file.items():
        rows = [uses[line][0] for line in sorted(uses)]
        named = ", ".join(dict.fromkeys(uses[line][1] for line in sorted(uses)))
        text = "\n".join(f"{row.line}: {row.text}" for row in rows)
        passages.append(
            Passage(name, path, (rows[0].line, rows[-1].line), text, f"uses {named}", 1.0)
        )
    return passages


def _cost(passages: Sequence[Passage]) -> int:
    return sum(one.tokens for one in passages)
