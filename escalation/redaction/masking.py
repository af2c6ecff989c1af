"""Texts with placeholders for what must not leave, and the way back.

A placeholder is an identifier, the same for the same value in one exchange:

    WICKET_SECRET_1_7f3a        class, number in the exchange, mark of the exchange

It is put back by place, not by name: where it stood, in the same file, and where an edit
kept it there.  A model that writes it anywhere else gets nothing for it.
"""

import re
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from .detection import Finding, find
from .known import NOTHING, Known
from .rules import Class, Pack


class Misplaced(ValueError):
    """An edit that begins or ends inside a placeholder."""


@dataclass(frozen=True, slots=True)
class Cut:
    """`original` stood where characters `start` to `end` of the masked text are now."""

    start: int
    end: int
    rule: str
    kind: Class
    original: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Masked:
    """A text as it may leave, and what was cut from it, in order."""

    text: str
    cuts: tuple[Cut, ...]

    def at(self, place: int) -> int:
        """Where character `place` of this text is in the original.  Raises Misplaced."""
        shift = 0
        for cut in self.cuts:
            if place <= cut.start:
                break
            if place < cut.end:
                raise Misplaced("an edit begins or ends inside of what was masked")
            shift += len(cut.original) - (cut.end - cut.start)
        return place + shift


@dataclass(frozen=True, slots=True)
class Edit:
    """Characters `start` to `end` of the original become `text`; `foreign` are placeholders
    in it that did not stand there, and stay."""

    start: int
    end: int
    text: str = field(repr=False)
    foreign: tuple[str, ...]


class Masks:
    """The placeholders of one exchange.  `mark` tells them from all that stands in a text."""

    def __init__(self, pack: Pack, known: Known = NOTHING, mark: str | None = None) -> None:
        self.pack, self._known = pack, known
        self._mark = mark or secrets.token_hex(2)
        self._names: dict[str, str] = {}
        self._counts: Counter[Class] = Counter()
        self._any = re.compile(rf"WICKET_(?:SECRET|PERSONAL|ORGANISATION)_\d+_{self._mark}")

    def mask(self, text: str) -> Masked:
        return self.mask_pieces([text])[0]

    def mask_pieces(self, pieces: Sequence[str]) -> tuple[Masked, ...]:
        """Adjoining pieces of one file: what lies across a border is found, too."""
        whole = "".join(pieces)
        found = find(whole, self.pack, self._known)
        masked: list[Masked] = []
        start = 0
        for piece in pieces:
            end = start + len(piece)
            inside = [
                Finding(max(f.start, start) - start, min(f.end, end) - start, f.rule, f.kind)
                for f in found
                if f.start < end and f.end > start
            ]
            masked.append(self._cut(piece, inside))
            start = end
        return tuple(masked)

    def restored(self, masked: Masked, start: int, end: int, new: str) -> Edit:
        """The edit of the original for one of the masked text.  Raises Misplaced.

        A placeholder in `new` gets its value back as often as it stood between `start`
        and `end`.
        """
        first, last = masked.at(start), masked.at(end)
        stood: dict[str, list[str]] = {}
        for cut in masked.cuts:
            if start <= cut.start and cut.end <= end:
                name = masked.text[cut.start : cut.end].rstrip("\n")
                stood.setdefault(name, []).append(cut.original)
        foreign: list[str] = []

        def put_back(match: re.Match[str]) -> str:
            name, breaks = match[1], match[2]
            if originals := stood.get(name):
                value = originals.pop(0)
                # Those that `_name` put behind the placeholder are the value's own.
                return value + breaks[value.count("\n") :]
            foreign.append(name)
            return match[0]

        text = re.sub(rf"({self._any.pattern})(\n*)", put_back, new)
        return Edit(first, last, text, tuple(foreign))

    def foreign(self, text: str) -> tuple[str, ...]:
        """Placeholders of this exchange in a text that is no edit."""
        return tuple(match[0] for match in self._any.finditer(text))

    def _cut(self, text: str, found: Sequence[Finding]) -> Masked:
        parts: list[str] = []
        cuts: list[Cut] = []
        at = length = 0
        for one in found:
            original = text[one.start : one.end]
            name = self._name(original, one.kind)
            parts += text[at : one.start], name
            length += one.start - at
            cuts.append(Cut(length, length + len(name), one.rule, one.kind, original))
            length += len(name)
            at = one.end
        return Masked("".join((*parts, text[at:])), tuple(cuts))

    def _name(self, original: str, kind: Class) -> str:
        if kind == "invisible":
            return ""
        if original not in self._names:
            self._counts[kind] += 1
            self._names[original] = f"WICKET_{kind.upper()}_{self._counts[kind]}_{self._mark}"
        # The lines after it keep their numbers.
        return self._names[original] + "\n" * original.count("\n")
