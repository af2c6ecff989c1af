"""Training samples: holes in the engine's own prompt format, packed into rows of tokens.

A sample is what the engine would show the model, and behind it what stood in the hole.  Rows
begin with a sample, as prompts do, and hold whole samples; what room is left is filled with
the beginning of a file.  Everything follows from a seed and a number: the same row comes out
in every process and after every restart.
"""

import re
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from random import Random

import numpy as np
from numpy.typing import NDArray

from .. import families, prompt
from ..cursor import Snippet
from ..families import Fim, Vocabulary
from . import spans
from .corpus import Document

# Characters of a token of code, about; rows are planned in characters.
CHARACTERS = 3.6
# Of samples: how many have a hole, and of those how many nothing behind it, other files
# before it, and no folder in their path, as a file that was opened alone.
HOLE, NOTHING_BEHIND, OTHERS, ALONE = 0.85, 0.1, 0.3, 0.1
# How often the engine's rule for half a word is not applied: by hand it can be off.
UNHEALED = 0.1
# A document is drawn by its length, one of more characters as if it had so many.
DRAWN = 40_000
# Samples that wait for a row with room for them.
WAITING = 48
# What defines a name in the languages that are trained on; only for text beside a sample.
DEFINES = re.compile(
    r"^[ \t]*(?:pub |export |default |async |static |public |private )*"
    r"(?:def|class|fn|func|function|interface|struct|enum|type|trait)\s+(\w+)[^\n]*",
    re.MULTILINE,
)

Rows = NDArray[np.uint32]


@dataclass
class Sampler:
    """Draws samples from documents of any number of packages."""

    documents: Sequence[Document]
    vocabulary: Vocabulary

    def __post_init__(self) -> None:
        self.fim: Fim = families.fim_for(self.vocabulary)
        ends = map(self.vocabulary.id_of, self.fim.family.stops)
        # The first is the maker's own.
        self.end = next(end for end in ends if end is not None)
        self._weights = list(accumulate(min(len(d.text), DRAWN) for d in self.documents))
        self._beside: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        self._of_package: defaultdict[str, list[int]] = defaultdict(list)
        for number, document in enumerate(self.documents):
            self._beside[document.package, _folder(document.path)].append(number)
            self._of_package[document.package].append(number)

    def rows(self, seed: int, number: int, count: int, length: int) -> Rows:
        """`count` rows of `length` tokens and the one that follows each, uint32."""
        random = Random(f"{seed} {number} {length}")  # noqa: S311
        packed = list(self._packed(random, count, length + 1))
        return np.array(packed, np.uint32)

    def _packed(self, random: Random, count: int, length: int) -> Iterator[list[int]]:
        waiting: list[list[int]] = []
        for _ in range(count):
            row: list[int] = []
            while True:
                while len(waiting) < WAITING:
                    waiting.append(self.sample(random, length))
                room = length - len(row)
                # The first is always taken, so that no sample waits for ever.
                fitting = [s for s in waiting if len(s) <= room]
                if not fitting:
                    break
                chosen = waiting[0] if not row else max(fitting, key=len)
                waiting.remove(chosen)
                row += chosen
            while len(row) < length:
                row += self._plain(self._document(random), random, length - len(row), whole=True)
            yield row[:length]

    def sample(self, random: Random, length: int) -> list[int]:
        """The tokens of one sample, at most `length`."""
        for _ in range(16):
            document = self._document(random)
            if random.random() >= HOLE:
                found = self._plain(document, random, length)
            else:
                found = self._hole(document, random, length)
            if found and len(found) <= length:
                return found
        return self._plain(self._document(random), random, length)[:length]

    def _document(self, random: Random) -> Document:
        return self.documents[bisect(self._weights, random.randrange(self._weights[-1]))]

    def _plain(
        self, document: Document, random: Random, room: int, whole: bool = False
    ) -> list[int]:
        """A file, or a piece of it, without a hole; with `whole` it fills the room."""
        text = families.to_model(self.fim, document.text)
        most = int(room * CHARACTERS * 1.3) if whole else _size(random, room)
        at = random.randrange(max(1, len(text) - most))
        piece = prompt.from_line_start(text, at) if at else text
        if not whole:
            piece = prompt.whole_lines(piece, most)
        ids = self.header(document.path)
        ids += families.text_ids(piece, self.vocabulary)
        return [*ids, self.end][:room] if not whole else [*ids, self.end]

    def header(self, path: str) -> list[int]:
        """What stands before a file without a hole."""
        if self.fim.family.header != "always":
            return [] if self.fim.bos is None else [self.fim.bos]
        # What the layout puts behind its first two parts is for holes.
        parts = families.parts(self.fim, path[-prompt.PATH :], "", "")
        return families.token_ids(parts[:2], self.vocabulary)

    def _hole(self, document: Document, random: Random, length: int) -> list[int]:
        span = spans.draw(document.text, document.language, random)
        if span is None:
            return []
        text = document.text
        others = self._others(document, random, length) if random.random() < OTHERS else ()
        spent = sum(len(other.text) for other in others)
        room = max(200, _size(random, length) - spent)
        behind = 0 if random.random() < NOTHING_BEHIND else random.randrange(room // 3)
        before = max(0, span.start - (room - behind))
        # As the engine cuts: a window begins with a line, what is behind ends with one.
        prefix = (
            prompt.from_line_start(text[: span.start], before) if before else text[: span.start]
        )
        suffix = prompt.whole_lines(text[span.end :], behind) if behind else ""
        path = document.path.rpartition("/")[2] if random.random() < ALONE else document.path
        return self.shown(
            path, prefix, text[span.start : span.end], suffix, others, random.random() >= UNHEALED
        )

    def shown(
        self,
        path: str,
        prefix: str,
        missing: str,
        suffix: str,
        others: Sequence[Snippet] = (),
        heal: bool = True,
    ) -> list[int]:
        """The prompt at this cursor as `prompt.build` makes it, what is missing, and the end.

        Half a word before the cursor is part of the answer, and so are closers behind it
        that the engine does not show where the suffix comes first.
        """
        before, after = families.to_model(self.fim, prefix), families.to_model(self.fim, suffix)
        before, healed = prompt.split_partial_word(before) if heal else (before, "")
        answer = healed + families.to_model(self.fim, missing)
        if self.fim.order == "spm" and (closers := prompt.CLOSERS.match(after)):
            answer += closers[0]
            after = after[closers.end() :]
        parts = families.parts(self.fim, path[-prompt.PATH :], before, after, others)
        ids = families.token_ids(parts, self.vocabulary)
        return [*ids, *families.text_ids(answer, self.vocabulary), self.end]

    def _others(self, document: Document, random: Random, length: int) -> list[Snippet]:
        """Some other files of the package, as the engine shows them or as they are.

        Definitions whose names the document uses come first, as retrieval finds them.
        """
        near = self._beside[document.package, _folder(document.path)]
        far = self._of_package[document.package]
        drawn = [random.choice(near if random.random() < 0.6 else far) for _ in range(6)]
        room = int(length * CHARACTERS * prompt.CONTEXT_SHARE)
        found: dict[str, Snippet] = {}
        for number in drawn:
            other = self.documents[number]
            if other is document or other.path in found or room < 80:
                continue
            if random.random() < 0.75:
                piece = self._definitions(other, document, room)
            else:
                at = random.randrange(len(other.text))
                piece = prompt.whole_lines(prompt.from_line_start(other.text, at), room)
            if piece:
                found[other.path] = Snippet(other.path, piece)
                room -= len(piece)
        return [found[path] for path in sorted(found)]

    def _definitions(self, other: Document, document: Document, room: int) -> str:
        rows: list[str] = []
        for match in DEFINES.finditer(other.text):
            row = match[0].strip().rstrip("{:").rstrip()
            used = match[1] in document.text
            if (used or len(rows) < 3) and len(row) < min(room, 200):
                rows.append(row)
                room -= len(row) + 1
        return "\n".join(rows[:12])


def _size(random: Random, length: int) -> int:
    """Characters of a sample: any length, as what stands before a cursor has any."""
    whole = int(length * CHARACTERS * 0.95)
    least = min(300, whole // 2)
    return least + int((whole - least) * random.random())


def _folder(path: str) -> str:
    return path.rpartition("/")[0]
