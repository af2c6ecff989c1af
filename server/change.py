"""What an answer makes of files: each before and after, judged as a whole, shown as a diff.

Nothing here reads or writes anything.
"""

import hashlib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher, unified_diff
from functools import cached_property
from typing import Any, NamedTuple

from .ask import NoAnswer, Piece
from .control_files import is_obeyed
from .settings_checks import plain

# Of a file that goes along whole; of a longer one, as much around what is selected.
WHOLE_LINES, AROUND_LINES = 500, 120
# Lines between which single hunks are looked for; beyond that they are one.
MOST_COMPARED = 2_000

# How much trouble a grammar has with the text of a path; None where none can tell.
Troubles = Callable[[str, str], int | None]


@dataclass(frozen=True)
class Target:
    """Lines `first` to `last` of a file, 1-based, that are to be edited.

    `before` is all of it; `comment` is the line of an instruction, which goes away.
    """

    path: str
    before: str = field(repr=False)
    first: int
    last: int
    comment: int | None = None

    @cached_property
    def breaks(self) -> str:
        """CRLF where every line ends so: then a model sees and writes plain ones."""
        pairs = self.before.count("\r\n")
        return "\r\n" if pairs and pairs == self.before.count("\n") else "\n"

    @cached_property
    def shown(self) -> list[str]:
        """The lines that the model may see, without that of the instruction."""
        lines = self.before.replace(self.breaks, "\n").split("\n")
        if self.comment is not None:
            del lines[self.comment - 1]
        return lines

    @cached_property
    def piece(self) -> Piece:
        """What goes along of it."""
        count = len(self.shown)
        gone = self.comment
        first, last = (n - 1 if gone and n > gone else n for n in (self.first, self.last))
        first = min(max(first, 1), count)
        last = min(max(last, first), count)
        start, end = 1, count
        if count > WHOLE_LINES:
            start, end = max(1, first - AROUND_LINES), min(count, last + AROUND_LINES)
        text = "\n".join(self.shown[start - 1 : end])
        return Piece(self.path, text, start, end, (first, last))

    def after(self, edits: Sequence[Mapping[str, Any]]) -> str:
        """The file with edits of the piece in it, which are in order and do not overlap."""
        piece = self.piece
        text = piece.text
        for one in reversed(edits):
            text = f"{text[: one['start']]}{one['text']}{text[one['end'] :]}"
        whole = [*self.shown[: piece.first - 1], text, *self.shown[piece.last :]]
        joined = "\n".join(whole)
        if self.breaks == "\n":
            return joined
        return joined.replace("\r\n", "\n").replace("\n", self.breaks)


class Hunk(NamedTuple):
    """Lines `[start, end)` of the text before, from 0, become `lines`, line breaks included."""

    start: int
    end: int
    lines: list[str]


@dataclass(frozen=True)
class Change:
    """One file before and after; `notes` are what somebody should know before a yes."""

    path: str
    before: str = field(repr=False)
    after: str = field(repr=False)
    notes: tuple[str, ...] = ()

    @cached_property
    def hunks(self) -> list[Hunk]:
        old, new = _lines(self.before), _lines(self.after)
        start = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b),
                     min(len(old), len(new)))  # fmt: skip
        most = min(len(old), len(new)) - start
        same = zip(reversed(old), reversed(new), strict=False)
        tail = next((n for n, (a, b) in enumerate(same) if a != b), most)
        tail = min(tail, most)
        old_end, new_end = len(old) - tail, len(new) - tail
        if max(old_end, new_end) - start > MOST_COMPARED:
            return [Hunk(start, old_end, new[start:new_end])]
        match = SequenceMatcher(None, old[start:old_end], new[start:new_end], autojunk=False)
        return [
            Hunk(start + a, start + b, new[start + c : start + d])
            for tag, a, b, c, d in match.get_opcodes()
            if tag != "equal"
        ]


def changes(targets: Sequence[Target], edits: Sequence[Mapping[str, Any]]) -> list[Change]:
    """Each file that the edits change.  Raises NoAnswer for edits of anything else."""
    found: list[Change] = []
    for number, target in enumerate(targets):
        mine = [one for one in edits if one["document"] == number]
        if any(one["path"] != target.path for one in mine):
            raise NoAnswer("the gate tells of an edit to another file; nothing was changed")
        after = target.after(mine) if mine else target.before
        if after != target.before:
            found.append(Change(target.path, target.before, after, tuple(_notes(target, mine))))
    if len({one.path for one in found}) < len(found):
        raise NoAnswer("the same file was to be edited in two places; name it once")
    if any(one["document"] >= len(targets) for one in edits):
        raise NoAnswer("the gate tells of an edit to another file; nothing was changed")
    return found


def worse(found: Sequence[Change], troubles: Troubles) -> str | None:
    """Which file no grammar would take any more, in one line."""
    for one in found:
        before, after = troubles(one.path, one.before), troubles(one.path, one.after)
        if before is not None and after is not None and after > before:
            return f"{one.path} would have a syntax error that it has not now"
    return None


def diff(found: Sequence[Change]) -> str:
    """The change as one unified diff."""
    rows: list[str] = []
    for one in found:
        old, new = _lines(one.before), _lines(one.after)
        # A name of several lines would pass for lines of the diff.
        path = plain(one.path, 4096)
        for row in unified_diff(old, new, f"a/{path}", f"b/{path}"):
            rows.append(row if row.endswith("\n") else f"{row}\n\\ No newline at end of file\n")
    return "".join(rows)


def digest(found: Sequence[Change]) -> str:
    """What the log keeps a commitment to."""
    return hashlib.sha256(diff(found).encode()).hexdigest()


def _notes(target: Target, edits: Sequence[Mapping[str, Any]]) -> list[str]:
    notes: list[str] = []
    new = {c for one in edits for c in one["text"]} - set(target.before)
    hidden = sorted(c for c in new if c not in "\n\t" and unicodedata.category(c) in UNSEEN)
    if hidden:
        names = ", ".join(f"U+{ord(c):04X}" for c in hidden[:4])
        notes.append(f"it adds characters that cannot be seen: {names}")
    if is_obeyed(target.path):
        notes.append("programs obey this file without being asked: look at every line")
    return notes


# Control, format (bidirectional, zero-width), surrogate and private characters, and lines that
# end where no editor shows it: in JavaScript what follows is out of its comment.
UNSEEN = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")


def _lines(text: str) -> list[str]:
    """With their line breaks, which are those of an editor, not of `splitlines`."""
    return [f"{line}\n" for line in text.split("\n")[:-1]] + (
        [last] if (last := text.rpartition("\n")[2]) else []
    )
