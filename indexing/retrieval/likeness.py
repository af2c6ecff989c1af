"""How much a signature reads like the lines around the cursor: BM25 over parts of names."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import log
from typing import NamedTuple

# Okapi's usual constants.
K, B = 1.2, 0.75


class Likeness(NamedTuple):
    """`all` of a signature: how rare and how near the words are that it shares, 1 for the most
    alike.  `name`: how rare those of its name are, on average."""

    all: float
    name: float


def likeness(
    signatures: Sequence[str], names: Sequence[str], near: Mapping[str, float]
) -> list[Likeness]:
    """One for each signature and the name in it; `near` are names with their nearness, 0 to 1."""
    query: dict[str, float] = {}
    for name, nearness in near.items():
        for word in parts(name):
            query[word] = max(nearness, query.get(word, 0.0))
    documents = [parts(signature) for signature in signatures]
    frequency = Counter(word for document in documents for word in set(document))
    mean = sum(map(len, documents)) / (len(documents) or 1) or 1
    rarity = {
        word: weight * log(1 + (len(documents) - frequency[word] + 0.5) / (frequency[word] + 0.5))
        for word, weight in query.items()
        if word in frequency
    }
    scores: list[float] = []
    for document in documents:
        long = K * (1 - B + B * len(document) / mean)
        score = 0.0
        for word in rarity.keys() & set(document):
            count = document.count(word)
            score += rarity[word] * count * (K + 1) / (count + long)
        scores.append(score)
    most = max(scores, default=0) or 1
    named = [
        sum(rarity.get(word, 0.0) for word in words) / (1 + len(words))
        for words in map(parts, names)
    ]
    return [Likeness(s / most, name) for s, name in zip(scores, named, strict=True)]


@lru_cache(1 << 15)
def parts(text: str) -> tuple[str, ...]:
    """The words in identifiers, lower case: get_user and getUser have the same two."""
    return tuple(word.lower() for word in re.findall(r"[A-Z]?[a-z]{2,}|[A-Z]{2,}", text))
