"""Suggestions given lately, so that typing through one, or back into it, asks no model."""

from collections import OrderedDict
from dataclasses import dataclass, replace

from .cursor import Cursor, Suggestion, gist
from .trim import Mode

# Documents remembered, and suggestions of each.
DOCUMENTS = 16
SUGGESTIONS = 100
# Characters around the cursor that have to be the same; before it, also their number.
BEFORE = 4096
AFTER = 512
# What an editor puts behind the cursor by itself when the other half is typed.
CLOSERS, MOST_CLOSERS = frozenset(")]}>\"'`"), 2


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
        if cursor.offset < self.offset or self.closed(cursor) is None:
            return None
        before = cursor.text[max(0, self.offset - len(self.before)) : self.offset]
        return cursor.text[self.offset : cursor.offset] if before == self.before else None

    def closed(self, cursor: Cursor) -> str | None:
        """The brackets and quotes that an editor has closed behind the cursor since; None
        where something else stands there now."""
        after = _after(cursor)
        for count in range(MOST_CLOSERS + 1):
            if not CLOSERS.issuperset(after[:count]):
                return None
            if after[count:] == self.after[: AFTER - count]:
                return after[:count]
        return None


@dataclass(frozen=True, slots=True)
class Given:
    """A suggestion, and where it was given."""

    spot: Spot
    suggestion: Suggestion

    def rest(self, cursor: Cursor) -> Suggestion | None:
        """What of the suggestion is left at `cursor`; None where the text went elsewhere."""
        said = self.suggestion
        if not self.spot.offset <= cursor.offset < self.spot.offset + len(said.text):
            return None
        typed = self.spot.typed(cursor)
        if typed is None or not said.text.startswith(typed):
            return None
        rest, closed = said.text[len(typed) :], self.spot.closed(cursor) or ""
        # What the editor closed is in the rest, too, and gives way to it.
        if closed and (not typed or not set(closed) <= set(rest)):
            return None
        return replace(said, text=rest, replace=said.replace + len(closed))


class Recent:
    """Answers a cursor from suggestions given before, the newest first."""

    def __init__(self) -> None:
        self._of: OrderedDict[tuple[str, str, Mode], list[Given]] = OrderedDict()

    def find(self, cursor: Cursor, model: str, mode: Mode) -> Suggestion | None:
        """What is left of a suggestion that the text has been following since."""
        for given in reversed(self._of.get((cursor.path, model, mode), [])):
            if rest := given.rest(cursor):
                return replace(rest, source="cache", tokens=NONE, ms={}, others=())
        return None

    def remember(self, cursor: Cursor, model: str, mode: Mode, suggestion: Suggestion) -> None:
        if not suggestion.text:
            return
        key = (cursor.path, model, mode)
        spot = Spot.of(cursor)
        # Whichever of them is taken, its rest is known; the likeliest is found first.
        given = [Given(spot, one) for one in (*reversed(suggestion.others), suggestion)]
        self._of[key] = [*self._of.pop(key, []), *given][-SUGGESTIONS:]
        if len(self._of) > DOCUMENTS:
            self._of.popitem(last=False)

    def prefer(self, text: str) -> None:
        """Find first what ends with `text`, of all that begins alike."""
        for given in self._of.values():
            given.sort(key=lambda one: one.suggestion.text.endswith(text))


def before(shown: Suggestion, found: Suggestion, most: int) -> Suggestion:
    """What is `shown` already, then what was `found` beside it; `most` texts in all."""
    rest = [one for one in (found, *found.others) if gist(one.text) != gist(shown.text)]
    others = tuple(replace(one, others=()) for one in rest[: most - 1])
    return replace(shown, others=others)


NONE = {"prefill": 0, "reused": 0, "decoded": 0}


def accepted(cursor: Cursor, suggestion: Suggestion) -> Cursor:
    """The cursor behind a suggestion that has been taken whole."""
    begin, rest = cursor.prefix, cursor.text[cursor.offset + suggestion.replace :]
    offset = cursor.offset + len(suggestion.text)
    return replace(cursor, text=f"{begin}{suggestion.text}{rest}", offset=offset)


def _after(cursor: Cursor) -> str:
    return cursor.text[cursor.offset : cursor.offset + AFTER]
