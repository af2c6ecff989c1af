"""Texts with placeholders for what must not leave, and the way back.

A placeholder is an identifier, the same for the same value in one exchange:

    WICKET_SECRET_1_7f3a        class, number in the exchange, mark of the exchange

It is put back by place, not by name: as often as it stood in what a change of the same file
replaces.  An edit that would leave one in the file, or write one elsewhere, is none.
"""

import re
import secrets
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from itertools import accumulate

from .detection import Finding, find
from .known import NOTHING, Known
from .rules import Class, Pack

INSIDE = "an edit begins or ends inside of a placeholder"
QUOTES = {"'", '"', "`"}
KINDS, HOUSE = "secret|personal|organisation", "_ORGANISATION_"
# Lines between which single ones are compared, so that what nobody sees stays in the others.
MOST_COMPARED = 2_000


class Misplaced(ValueError):
    """An edit that would break or leave a placeholder; one line."""


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

    def at(self, place: int, behind: bool = False) -> int:
        """Where character `place` of this text is in the original; `behind` what was cut
        there and left nothing.  Raises Misplaced."""
        shift = 0
        for cut in self.cuts:
            if place < cut.start or (place == cut.start and not (behind and cut.end == place)):
                break
            if place < cut.end:
                raise Misplaced(INSIDE)
            shift += len(cut.original) - (cut.end - cut.start)
        return place + shift

    def of(self, name: str) -> list[tuple[int, int]]:
        """From where to where this placeholder stands, with the line breaks that are its own."""
        found = ((cut.start, cut.end) for cut in self.cuts)
        return [(a, b) for a, b in found if self.text[a:b].rstrip("\n") == name]

    def original(self, start: int, end: int) -> str:
        """What stands between these characters of the text.  Raises Misplaced."""
        parts: list[str] = []
        for cut in self.cuts:
            if start <= cut.start and cut.end <= end:
                parts += self.text[start : cut.start], cut.original
                start = cut.end
            elif cut.start < end and start < cut.end:
                raise Misplaced(INSIDE)
        return "".join((*parts, self.text[start:end]))


@dataclass(frozen=True, slots=True)
class Edit:
    """Characters `start` to `end` of a text become `new`."""

    start: int
    end: int
    new: str = field(repr=False)


class Masks:
    """The placeholders of one exchange.  `mark` tells them from all that stands in a text."""

    def __init__(self, pack: Pack, known: Known = NOTHING, mark: str | None = None) -> None:
        self.pack, self._known = pack, known
        self._mark = mark or secrets.token_hex(2)
        # Both ways: what was masked, and its placeholder.
        self._names: dict[str, str] = {}
        self._values: dict[str, str] = {}
        self._counts: Counter[Class] = Counter()
        self._any = re.compile(rf"WICKET_(?:{KINDS.upper()})_\d+_{self._mark}")

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

    def restored(self, masked: Masked, edits: Sequence[Edit], said: str = "") -> list[Edit]:
        """Edits of the original for those of the masked text, which are one change.

        What stood in what they replace comes back as often as it stood there, wherever they
        put it; words of the house that stand in the text, and what the user had `said` in
        words of their own, as often as it is used.  Raises Misplaced for all where a
        placeholder would be left, or text become a name.
        """
        self._refuse_look_alikes(masked, edits)
        for edit in edits:
            self._refuse_names(masked, edit)
        free = {name for name in self._in(masked.text) if HOUSE in name} | set(self._in(said))
        parts = [_differing(masked, edit) for edit in edits]
        replaced = (masked.text[one.start : one.end] for changes in parts for one in changes)
        stood = Counter(name for text in replaced for name in self._in(text))

        def put_back(match: re.Match[str]) -> str:
            name, breaks = match[1], match[2]
            if name not in free and not stood[name]:
                raise Misplaced(f"{name} did not stand in what is replaced, or not so often")
            stood[name] -= 1
            value = self._values[name]
            # Those that `_name` put behind the placeholder are the value's own.
            return value + breaks[value.count("\n") :]

        found: list[Edit] = []
        for changes in parts:
            text, at = "", None
            for one in changes:
                text += "" if at is None else masked.original(at, one.start)
                text += re.sub(rf"({self._any.pattern})(\n*)", put_back, one.new)
                at = one.end
            first, last = changes[0].start, changes[-1].end
            found.append(Edit(masked.at(first, first < last), masked.at(last), text))
        return found

    def _in(self, text: str) -> list[str]:
        return [match[0] for match in self._any.finditer(text) if match[0] in self._values]

    def _refuse_look_alikes(self, masked: Masked, edits: Sequence[Edit]) -> None:
        """Raises Misplaced for what a model has made of a placeholder, or made up."""
        part = re.compile(rf"WICKET_[SPO]|\d\W*_\W*(?i:{self._mark})")
        taken_apart = re.compile(rf"wicket(?:{KINDS})")

        def has_one(text: str) -> bool:
            pieces = self._any.split(text)
            return any(
                part.search(one) or taken_apart.search(re.sub("[^a-z]", "", one.lower()))
                for one in pieces
            )

        for edit in edits:
            if unknown := set(self.foreign(edit.new)) - self._values.keys():
                raise Misplaced(f"{min(unknown)} stands for nothing")
        # Source of ours may hold the like of its own.
        if any(has_one(edit.new) for edit in edits) and not has_one(masked.text):
            raise Misplaced("a placeholder was altered or taken apart; write it as it stands")

    def _refuse_names(self, masked: Masked, edit: Edit) -> None:
        """Raises Misplaced where text between quotation marks would become a name."""
        line = masked.text[masked.text.rfind("\n", 0, edit.start) + 1 : edit.start]
        new = line + edit.new
        for match in self._any.finditer(new, len(line)):
            start, end = match.span()
            sides = [_beside(masked.text, *span) for span in masked.of(match[0])]
            if not sides or HOUSE in match[0]:
                continue
            before, after = _beside(new, start, end)
            if before == "{" and after in ("}", "!", ":") and all(b != "{" for b, _ in sides):
                raise Misplaced(f"{match[0]} stands for text: no braces around it")
            bare = not _is_quoted(new[new.rfind("\n", 0, start) + 1 : start])
            if bare and all(QUOTES & set(side) for side in sides):
                raise Misplaced(f"{match[0]} stands for text: leave its quotation marks")

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
            name = f"WICKET_{kind.upper()}_{self._counts[kind]}_{self._mark}"
            self._names[original], self._values[name] = name, original
        # The lines after it keep their numbers.
        return self._names[original] + "\n" * original.count("\n")


def _beside(text: str, start: int, end: int) -> tuple[str, str]:
    return text[start - 1 : start] if start else "", text[end : end + 1]


def _is_quoted(line: str) -> bool:
    """Whether a quotation mark is open where this beginning of a line ends."""
    mark = ""
    for match in re.finditer(r"\\.|['\"`]", line):
        if match[0] == mark:
            mark = ""
        elif not mark and match[0] in QUOTES:
            mark = match[0]
    return bool(mark)


def _differing(masked: Masked, edit: Edit) -> list[Edit]:
    """The parts of an edit that change something, at least one, each around whole cuts.

    Raises Misplaced.
    """
    if any(c.start == c.end and edit.start <= c.start <= edit.end for c in masked.cuts):
        # What nobody sees stays in the lines that stay.
        with suppress(Misplaced):
            return [_around(masked, one) for one in _lines(masked, edit)]
    return [_around(masked, edit)]


def _lines(masked: Masked, edit: Edit) -> list[Edit]:
    """The lines of an edit that differ.  Raises Misplaced where there are too many."""
    before = masked.text[edit.start : edit.end].splitlines(keepends=True)
    after = edit.new.splitlines(keepends=True)
    if max(len(before), len(after)) > MOST_COMPARED:
        raise Misplaced("too many lines to compare")
    olds = [edit.start, *accumulate(map(len, before), initial=edit.start)][1:]
    matched = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    rows = (row[1:] for row in matched if row[0] != "equal")
    found = [Edit(olds[a], olds[b], "".join(after[c:d])) for a, b, c, d in rows]
    return found or [Edit(edit.start, edit.start, "")]


def _around(masked: Masked, edit: Edit) -> Edit:
    """The same edit with borders outside of placeholders.  Raises Misplaced.

    The line breaks behind one are its own: they go where it goes, and stay where it stays.
    """
    start, end, new = edit.start, edit.end, edit.new
    for cut in masked.cuts:
        name = masked.text[cut.start : cut.end].rstrip("\n")
        breaks = range(cut.start + len(name), cut.end)
        if end in breaks and start <= cut.start:
            if name in new and not new.rstrip("\n").endswith(name):
                raise Misplaced(INSIDE)
            end = cut.end
        elif start in breaks and start > cut.start and end >= cut.end:
            kept = new.lstrip("\n")
            new = new[min(len(new) - len(kept), cut.end - start) :]
            start = cut.end
        elif cut.start < start < cut.end or cut.start < end < cut.end:
            raise Misplaced(INSIDE)
    return Edit(start, end, new)
