"""Suggestions given lately, so that typing through one, or back into it, asks no model."""

from collections import OrderedDict
from dataclasses import dataclass, replace

from .cursor import Cursor, Suggestion
from .trim import Mode

# Documents remembered, and suggestions of each.
DOCUMENTS = 16
SUGGESTIONS = 100
# Characters around the cursor that have to be the same; before it, also their number.
BEFORE = 4096
AFTER = 512


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something was asked, and the texts around it; `offset` as in its cursor."""

    offset: int
    before: str
    after: str

    @classmethod
    def of(cls, cursor: Cursor) -> "Spot":
        before = cursor.text[max(0, cursor.offset - BEFORE) : cursor.offset]
        return cls(cursor.offset, before, _after(cursor))

    def typed(self, cursor: Cursor) -> str | None:
        """What was typed here since; None where the text went elsewhere."""
        if cursor.offset < self.offset or self.after != _after(cursor):
            return None
        before = cursor.text[max(0, self.offset - len(self.before)) : self.offset]
        return cursor.text[self.offset : cursor.offset] if before == self.before else None


@dataclass(frozen=True, slots=True)
class Given:
    """A suggestion, and where it was given."""

    spot: Spot
    suggestion: Suggestion

    def rest(self, cursor: Cursor) -> str:
        """What of the suggestion is left at `cursor`; empty where the text went elsewhere."""
        typed = self.spot.typed(cursor)
        if typed is None or not self.suggestion.text.startswith(typed):
            return ""
        return self.suggestion.text[len(typed) :]


class Recent:
    """Answers a cursor from suggestions given before, the newest first."""

    def __init__(self) -> None:
        self._of: OrderedDict[tuple[str, str, Mode], list[Given]] = OrderedDict()

    def find(self, cursor: Cursor, model: str, mode: Mode) -> Suggestion | None:
        """What is left of a suggestion that the text has been following since."""
        for given in reversed(self._of.get((cursor.path, model, mode), [])):
            if rest := given.rest(cursor):
                return replace(given.suggestion, text=rest, source="cache", tokens=NONE, ms={})
        return None

    def remember(self, cursor: Cursor, model: str, mode: Mode, suggestion: Suggestion) -> None:
        if not suggestion.text:
            return
        key = (cursor.path, model, mode)
        given = Given(Spot.of(cursor), suggestion)
        self._of[key] = [*self._of.pop(key, []), given][-SUGGESTIONS:]
        if len(self._of) > DOCUMENTS:
            self._of.popitem(last=False)


NONE = {"prefill": 0, "reused": 0, "decoded": 0}


def accepted(cursor: Cursor, suggestion: Suggestion) -> Cursor:
    """The cursor behind a suggestion that has been taken whole."""
    begin, rest = cursor.prefix, cursor.text[cursor.offset + suggestion.replace :]
    offset = cursor.offset + len(suggestion.text)
    return replace(cursor, text=f"{begin}{suggestion.text}{rest}", offset=offset)


def _after(cursor: Cursor) -> str:
    return cursor.text[cursor.offset : cursor.offset + AFTER]
