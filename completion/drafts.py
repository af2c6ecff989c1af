"""Drafts: tokens that stood behind the same text elsewhere, checked several at once.

The text stays the model's own: what it would not have written is taken back.
"""

from collections.abc import Sequence

from .continuations import Here
from .decoding import Greedy, Words

# Tokens of agreement from which on what followed is worth a check, and how much of it.
LEAST, MOST = 4, 3


class Drafts(Greedy):
    """The model's likeliest tokens, found faster where they stand elsewhere."""

    def __init__(self, words: Words, here: Here) -> None:
        super().__init__(words)
        self._here = here

    def ahead(self, written: bytes) -> Sequence[int]:
        found = self._here.followed(written)
        if found.length < LEAST:
            return ()
        ahead = list(found.ahead[:MOST])
        # Nothing follows behind the end of a text.
        return ahead[: ahead.index(-1)] if -1 in ahead else ahead
