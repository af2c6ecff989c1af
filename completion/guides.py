"""The ways of decoding, one row each: which guide a request gets."""

from collections.abc import Callable, Mapping
from functools import partial

from . import families
from .continuations import Continuations, Here, Lexicon
from .corpus import Corpus
from .decoding import Greedy, Guide, Words
from .drafts import Drafts
from .families import Fim
from .mixture import Mixture
from .wire import Complete, Decoding

GUIDES: Mapping[Decoding, Callable[[Words, Here], Guide]] = {"mixed": Mixture, "drafted": Drafts}


class Guides:
    """The guides of one model; `corpus` has the texts that requests name."""

    def __init__(self, lexicon: Lexicon, fim: Fim, corpus: Corpus) -> None:
        self.words = Words(lexicon.pieces)
        self.greedy = Greedy(self.words)
        self._form = partial(families.to_model, fim)
        self._continuations = Continuations(lexicon, corpus)

    def of(self, request: Complete, healed: bytes) -> Guide:
        """The guide of `request`, in whose prefix the bytes `healed` are written again."""
        if (make := GUIDES.get(request.decoding)) is None:
            return self.greedy
        before, after = self._form(request.prefix), self._form(request.suffix)
        before = before[: len(before) - len(healed.decode("utf-8", "replace"))]
        return make(self.words, self._continuations.begin(before, after, request.texts, self._form))
