"""What followed the same tokens elsewhere: in the file, and in texts that the engine was given.

A text is cut into tokens wherever it stands, but at a cursor it may end inside what is one
token elsewhere.  So a place counts where its bytes agree, and what comes next there is what
is left of the token that reaches over the cursor.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .corpus import Corpus
from .suffixes import LONGEST, Suffixes

# Bytes before the cursor that are looked up, more than LONGEST tokens have on average; the
# first tokens of them are cut elsewhere than in a whole text.
TAIL, CUT = 192, 2
# Places looked at for one length of agreement.
PLACES = 256
# Tokens of agreement for which continuations are counted, besides the longest.
LENGTHS = (2, 4, 8)


@dataclass(frozen=True, slots=True)
class Lexicon:
    """The part of a model that spells: the bytes of each token, and the tokens of bytes."""

    pieces: Sequence[bytes]
    spell: Callable[[bytes], list[int]]


@dataclass(frozen=True, slots=True)
class Followed:
    """How often each token came next after the longest agreement, `length` tokens long.

    `shorter` has the same for agreements of LENGTHS, empty where there is none; `ahead` is
    what stands at the place with the longest agreement, or one of several.
    """

    length: int = 0
    counts: Counter[int] = field(default_factory=Counter[int])
    shorter: Sequence[Counter[int]] = ()
    ahead: Sequence[int] = ()


class Texts:
    """Tokens of some texts, sorted, and the bytes that they spell."""

    def __init__(self, lexicon: Lexicon, texts: Mapping[str, Sequence[int]]) -> None:
        self.keys = {key: number for number, key in enumerate(texts)}
        self._lexicon = lexicon
        rows = [np.asarray([*tokens, -1], np.int32) for tokens in texts.values()]
        self._suffixes = Suffixes(np.concatenate(rows) if rows else [])
        owners = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
        self._owner = np.concatenate([np.full(LONGEST, -1), owners, [-1]]).astype(np.int32)
        ids: list[int] = self._suffixes.tokens.tolist()
        pieces = [lexicon.pieces[t] if t >= 0 else b"\0" for t in ids]
        sizes = np.fromiter(map(len, pieces), np.int32, len(pieces))
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
        self._data = np.frombuffer(b"".join(pieces) + b"\0" * TAIL, np.uint8)

    def agreeing(self, ids: Sequence[int]) -> list[tuple[int, int]]:
        return self._suffixes.agreeing(ids)

    def next(
        self,
        part: tuple[int, int],
        over: bytes,
        rest: bytes,
        allowed: NDArray[np.bool_] | None,
        other_than: int = -1,
    ) -> tuple[Counter[int], Sequence[int]]:
        """What comes next at the places of a part behind the bytes `over`, where these and
        then `rest` stand there; and what stands at one of these places.

        Not where the token that stands there is `other_than`.
        """
        tokens = self._suffixes.tokens
        places = self._suffixes.places(part, PLACES)
        good = tokens[places] != other_than
        if allowed is not None:
            good &= allowed[self._owner[places]]
        at = self._starts[places]
        if over or rest:
            wanted = np.frombuffer(over + rest, np.uint8)
            good &= (self._data[at[:, None] + np.arange(len(wanted))] == wanted).all(1)
        ends = at[good] + len(over)
        index = np.searchsorted(self._starts, ends, side="right") - 1
        counts = Counter[int]()
        ahead: Sequence[int] = ()
        for end, token in zip(ends.tolist(), index.tolist(), strict=True):
            if end == self._starts[token]:
                first = [int(tokens[token])]
            else:
                rest = self._data[end : self._starts[token + 1]].tobytes()
                first = self._lexicon.spell(rest)
            if first and first[0] >= 0:
                counts[first[0]] += 1
                ahead = ahead or [*first, *tokens[token + 1 : token + 8].tolist()]
        return counts, ahead


class Continuations:
    """What followed, for one request after the other.  One thread uses it."""

    def __init__(self, lexicon: Lexicon, corpus: Corpus) -> None:
        self._lexicon = lexicon
        self._corpus = corpus
        self._spelled: dict[str, list[int]] = {}
        self._others = Texts(lexicon, {})
        self._file = Texts(lexicon, {})
        self._lines = ("", "")

    def begin(
        self, before: str, after: str, keys: Sequence[str], form: Callable[[str], str]
    ) -> "Here":
        """A cursor between two texts, beside the texts with these `keys`.

        `form` brings a text into the form that the model knows.  What is the same as at the
        last cursor is not sorted again: the lines around the cursor's, and the other texts.
        """
        lines = (before[: before.rfind("\n") + 1], after[after.find("\n") + 1 :])
        if lines != self._lines:
            ids = [self._lexicon.spell(line.encode("utf-8", "replace")) for line in lines]
            self._file = Texts(self._lexicon, {"above": ids[0], "below": ids[1]})
            self._lines = lines
        self._read(keys, form)
        numbers = [self._others.keys[key] for key in keys if key in self._others.keys]
        allowed = np.zeros(len(self._others.keys) + 1, np.bool_)
        allowed[numbers] = True
        tail = before.encode("utf-8", "replace")[-TAIL:]
        return Here(self._lexicon, ((self._file, None), (self._others, allowed)), tail)

    def _read(self, keys: Sequence[str], form: Callable[[str], str]) -> None:
        known = self._corpus.texts(keys)
        new = [key for key in known if key not in self._others.keys]
        if not new:
            return
        # Each file leaves itself out; what it has in common with the last one is kept.
        both = len(known) - len(new)
        kept = self._spelled if both * 2 >= len(known) else {}
        for key in new:
            text = form(known[key])
            kept[key] = self._lexicon.spell(text.encode("utf-8", "replace"))
        self._spelled = kept
        self._others = Texts(self._lexicon, kept)


@dataclass(frozen=True, slots=True)
class Here:
    """A cursor: `tail` are the last bytes before it, `texts` those to look in, each with
    which of its parts may be."""

    lexicon: Lexicon
    texts: Sequence[tuple[Texts, NDArray[np.bool_] | None]]
    tail: bytes

    def followed(self, written: bytes, rest: bytes = b"") -> Followed:
        """What follows behind the cursor and what was `written` since, where that begins
        with `rest` or is a beginning of it."""
        text = (self.tail + written)[-TAIL:]
        ids = self.lexicon.spell(text)[CUT if len(text) == TAIL else 0 :]
        if not ids:
            return Followed()
        last = ids[-1]
        over = self.lexicon.pieces[last]
        # Places that agree in whole tokens; and those where the last one is longer.
        parts = [
            (texts, allowed, texts.agreeing(ids), texts.agreeing(ids[:-1]))
            for texts, allowed in self.texts
        ]

        def counted(length: int) -> tuple[Counter[int], Sequence[int]]:
            counts, ahead = Counter[int](), list[int]()
            for texts, allowed, whole, longer in parts:
                for found, before, other in (
                    (whole[length - 1 : length], b"", -1),
                    (longer[length - 2 : length - 1] if length > 1 else [], over, last),
                ):
                    for part in found:
                        more, then = texts.next(part, before, rest, allowed, other)
                        counts += more
                        ahead = ahead or list(then)
            return counts, ahead

        longest = max(max(len(whole), len(longer) + 1) for _, _, whole, longer in parts)
        for length in range(longest, 0, -1):
            counts, ahead = counted(length)
            if counts:
                shorter = [counted(n)[0] if n < length else Counter[int]() for n in LENGTHS]
                return Followed(length, counts, shorter, ahead)
        return Followed()
