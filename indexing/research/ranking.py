"""How much a repository depends on each of its files: a walk along who uses whose names.

The walk is PageRank (Brin and Page, 1998): a file is worth what the files that use it are
worth, each of which shares its worth among all that it uses.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

# As usual: the part of its worth that a file passes on.
DAMPING = 0.85
# After these a rank moves by less than the order of two files can show.
ROUNDS = 15

Link = tuple[int, int, float]


def ranks(links: Iterable[Link], start: Mapping[int, float]) -> dict[int, float]:
    """The worth of each node of `links` (user, used, weight) and of `start`; they sum to 1.

    `start` says where the walk begins, and begins anew: everything that is in neither has
    no worth.
    """
    out: defaultdict[int, list[tuple[int, float]]] = defaultdict(list)
    total: defaultdict[int, float] = defaultdict(float)
    for user, used, weight in links:
        out[user].append((used, weight))
        total[user] += weight
    whole = sum(start.values()) or 1.0
    home = {node: worth / whole for node, worth in start.items()}
    now = dict(home)
    for _round in range(ROUNDS):
        then: defaultdict[int, float] = defaultdict(float)
        lost = 0.0
        for node, worth in now.items():
            passed = DAMPING * worth
            lost += worth - passed
            if targets := out.get(node):
                share = passed / total[node]
                for used, weight in targets:
                    then[used] += share * weight
            else:
                lost += passed
        for node, part in home.items():
            then[node] += lost * part
        now = dict(then)
    return now
