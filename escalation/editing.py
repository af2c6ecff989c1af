"""Edits as a model proposes them, taken all together or not at all.

    edit {"edits": [{"path": "src/a.py", "old": "x = 1", "new": "x = 2"}]}

`old` is text of a document as it was shown, placeholders included, and stands there once;
without it the selected lines are replaced.  What is masked comes back by its place, so an
edit of what was shown becomes one of the text that was handed in.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any, cast

from .audit.records import Edit as Recorded
from .redaction.masking import Edit, Masked, Masks, Misplaced
from .task import Document, Task
from .tools import EDIT

# Far more than anybody looks through, and far less than fills a memory.
MOST_EDITS = 100
LARGEST = 512 << 10


class Unfit(ValueError):
    """An edit that cannot be made; the message is for the model, which may try again."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A document as it was handed in, and as the model sees it."""

    document: Document
    masked: Masked


@dataclass(frozen=True, slots=True)
class Proposal:
    """Characters `start` to `end` of the document `number`, as handed in, become `text`.

    `added` and `removed` are lines.
    """

    number: int
    path: str
    start: int
    end: int
    text: str = field(repr=False)
    added: int
    removed: int

    def as_json(self) -> dict[str, Any]:
        return {
            "document": self.number,
            "path": self.path,
            "start": self.start,
            "end": self.end,
            "text": self.text,
        }


@dataclass(slots=True)
class Editing:
    """The edits of one exchange.  `words` are the user's own, as they were masked; `said` is
    what each call of the latest answer is told, and whether it failed; `unfit` why it did."""

    shown: Sequence[Shown] = ()
    masks: Masks | None = None
    words: str = ""
    unfit: str | None = None
    proposals: tuple[Proposal, ...] = ()
    said: dict[str, tuple[str, bool]] = field(default_factory=dict[str, tuple[str, bool]])

    def hear(self, calls: Iterable[tuple[str, str]]) -> None:
        """Take in the calls of `edit` in one answer, ids and arguments, as one change."""
        calls = list(calls)
        self.proposals, self.unfit = (), None
        try:
            rows = [row for _id, arguments in calls for row in edits_of(arguments)]
            if rows and self.masks is not None:
                self.proposals = propose(rows, self.shown, self.masks, self.words)
            said = "taken", False
        except Unfit as error:
            self.unfit, said = str(error), (f"nothing was changed: {error}", True)
        self.said = {number: said for number, _arguments in calls}

    def recorded(self, pseudonym: Any) -> tuple[Recorded, ...]:
        """What the log says of the proposals: one row for each file."""
        rows: dict[str, Recorded] = {}
        for one in self.proposals:
            before = rows.get(one.path, Recorded(pseudonym(one.path), 0, 0, True))
            rows[one.path] = Recorded(
                before.path, before.added + one.added, before.removed + one.removed, True
            )
        return tuple(rows.values())


def asked(task: Task) -> str:
    """What a model is told of how to edit; empty where nothing is to be edited."""
    selected = [d for d in task.documents if d.selection]
    if EDIT not in task.tools or not selected:
        return ""
    places = ", ".join(
        f"{d.label or d.path}:{d.selection[0]}-{d.selection[1]}" for d in selected if d.selection
    )
    return (
        f"\n\nThis is about the lines {places}. Call the tool `{EDIT}` once, with every edit that "
        "it takes; only these files can be edited. Copy `old` exactly from the document above, "
        "with enough around it to stand there once. A name like WICKET_SECRET_1_ab12 stands for "
        "what was hidden from you: leave it where it is. Keep the style of the code; say in one "
        "sentence what you changed."
    )


def edits_of(arguments: str) -> list[Mapping[str, Any]]:
    """The rows of a call.  Raises Unfit."""
    try:
        given: object = json.loads(arguments)
    except (ValueError, RecursionError):
        raise Unfit("the arguments are no JSON") from None
    rows: object = cast(dict[str, Any], given).get("edits") if isinstance(given, dict) else None
    if not isinstance(rows, list) or not rows:
        raise Unfit("edits must be a list of edits")
    found = cast(list[object], rows)
    if len(found) > MOST_EDITS:
        raise Unfit(f"at most {MOST_EDITS} edits")
    if not all(isinstance(row, Mapping) for row in found):
        raise Unfit("an edit is an object with path, old and new")
    return [cast(Mapping[str, Any], row) for row in found]


def propose(
    rows: Sequence[Mapping[str, Any]], shown: Sequence[Shown], masks: Masks, words: str = ""
) -> tuple[Proposal, ...]:
    """The edits of what was handed in, in its order.  Raises Unfit for all where one is."""
    placed: list[tuple[int, Edit]] = []
    for number, row in enumerate(rows, 1):
        try:
            placed.append(_place(row, shown))
        except Unfit as error:
            raise Unfit(f"edit {number}: {error}") from None
    placed.sort(key=lambda one: (one[0], one[1].start, one[1].end))
    for (one, first), (other, second) in pairwise(placed):
        if one == other and second.start < first.end:
            raise Unfit("two edits overlap")
    found: list[Proposal] = []
    for at, group in groupby(placed, key=lambda one: one[0]):
        edits, path = [edit for _, edit in group], shown[at].document.path
        try:
            fitted = masks.restored(shown[at].masked, edits, words)
        except Misplaced as error:
            raise Unfit(f"{path[:200]}: {error}") from None
        for edit, put in zip(edits, fitted, strict=True):
            added, removed = _changed(shown[at].masked.text[edit.start : edit.end], edit.new)
            found.append(Proposal(at, path, put.start, put.end, put.new, added, removed))
    return tuple(found)


def _place(row: Mapping[str, Any], shown: Sequence[Shown]) -> tuple[int, Edit]:
    """Which document, and the edit of what is shown of it."""
    path, old, new = row.get("path"), row.get("old"), row.get("new")
    if not isinstance(path, str) or not isinstance(new, str):
        raise Unfit("path and new must be text")
    if len(new) > LARGEST:
        raise Unfit("new is too long")
    try:
        new.encode()
    except UnicodeEncodeError:
        raise Unfit("new is not Unicode text") from None
    mine = [
        at for at, one in enumerate(shown)
        if one.document.selection and path in (one.document.path, one.document.label)
    ]  # fmt: skip
    if not mine:
        raise Unfit(f"{path[:200]} is not a file that can be edited here")
    if old is None:
        at = mine[0]
        start, end = _selected(shown[at])
        text = shown[at].masked.text
        if text[start:end].endswith("\n") and new and not new.endswith("\n"):
            new += "\n"
    elif not isinstance(old, str) or not old:
        raise Unfit("old must be text that stands in the document")
    else:
        found = [(at, start) for at in mine for start in _all(old, shown[at].masked.text)]
        if len(found) != 1:
            times = "nowhere" if not found else "more than once"
            raise Unfit(f"old stands {times} in {path[:200]}")
        ((at, start),) = found
        end = start + len(old)
    if shown[at].masked.text[start:end] == new:
        raise Unfit("old and new are the same")
    return at, Edit(start, end, new)


def _all(old: str, text: str) -> list[int]:
    """Where `old` stands in a text: two places are enough to know."""
    first = text.find(old)
    second = text.find(old, first + 1) if first >= 0 else -1
    return [at for at in (first, second) if at >= 0]


def _selected(one: Shown) -> tuple[int, int]:
    """The selected lines of a document, with their line breaks, in what is shown of it."""
    assert one.document.selection
    first, last = one.document.selection
    lines = one.masked.text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)
    length, begin = len(one.masked.text), first - one.document.start
    return min(starts[begin], length), min(starts[last - one.document.start + 1], length)


def _changed(old: str, new: str) -> tuple[int, int]:
    """Lines added and removed between the first and the last that differ."""
    before, after = old.splitlines(), new.splitlines()
    for ends in (0, -1):
        while before and after and before[ends] == after[ends]:
            del before[ends], after[ends]
    return len(after), len(before)
