"""From what a model wrote to what may be shown: one rule after the other, each pure.

A model continues text; a suggestion has to fit between two texts.  So it is cut where the
model left the subject, and it gives way to what the document holds already.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from . import grammar, overlap, shape
from .cursor import Cursor
from .place import Place, Troubles, place_of, width

Mode = Literal["auto", "line", "block"]


@dataclass(frozen=True, slots=True)
class Draft:
    """Model text on its way to a suggestion.

    It is put in at the cursor, with LF line breaks, and takes the place of `replace` code
    points after it, which never reach beyond the cursor's line.  `rules` names the rules
    that changed something, in the order of RULES.  `filtered` names the one that refused;
    `text` is empty then.
    """

    text: str
    replace: int = 0
    rules: tuple[str, ...] = ()
    filtered: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    name: str
    apply: Callable[[Place, str], str]


# In this order: a rule may count on those above it.  The name is what a status says.
RULES = (
    Rule("stop", shape.stop),
    Rule("typed", overlap.drop_typed),
    Rule("indentation", shape.fit_indentation),
    Rule("unfinished", shape.drop_unfinished),
    Rule("lines", shape.limit_lines),
    Rule("suffix", overlap.yield_to_suffix),
    Rule("brackets", overlap.balance_brackets),
    Rule("syntax", grammar.drop_broken),
    Rule("repetition", shape.cut_repetition),
    Rule("duplicate", overlap.drop_duplicate),
    Rule("unchanged", overlap.refuse_unchanged),
    Rule("empty", shape.refuse_empty),
)
# A cut by one rule may lay bare work for another.  Two rounds do for nearly all; the bound
# is there so that no input can hold the answer up.
ROUNDS = 8


def lines_wanted(cursor: Cursor, mode: Mode, max_lines: int) -> int:
    """How many lines to ask a model for: 1 is the rest of the line, more is a block.

    A block is wanted where a statement asks for one and has none yet, or at the end of
    any line where `mode` says so.
    """
    if mode == "line" or max_lines <= 1 or cursor.line_after.strip():
        return 1
    if mode == "block":
        return max_lines
    place = place_of(cursor)
    if place.head is None:
        return 1
    body = place.following and width(place.following[0]) > width(place.head)
    return 1 if body else max_lines


class Drafts:
    """What texts become at one cursor; each is trimmed once, however often it is wanted."""

    def __init__(self, cursor: Cursor, troubles: Troubles | None = None) -> None:
        self.cursor = cursor
        self._troubles = troubles
        self._known: dict[tuple[str, int, str], Draft] = {}

    def of(self, raw: str, lines: int, done: str = "stop") -> Draft:
        """See `trim`."""
        key = raw, lines, done
        if key not in self._known:
            self._known[key] = trim(self.cursor, raw, lines, done, self._troubles)
        return self._known[key]


def trim(
    cursor: Cursor, raw: str, lines: int, done: str = "stop", troubles: Troubles | None = None
) -> Draft:
    """What of `raw` may be shown at `cursor`, if `lines` were wanted.

    `done` is "stop" where the model came to its end; after "length" a line that was cut
    off may stay if it ends with a word, after anything else it goes.  Never raises, and
    leaves trimmed text as it is.
    """
    place = place_of(cursor, lines, done, troubles)
    text, fired, filtered = raw, set[str](), None
    for _ in range(ROUNDS):
        start = text
        for rule in RULES:
            result = rule.apply(place, text)
            if result != text:
                fired.add(rule.name)
            if not result.strip():
                filtered = rule.name if text.strip() else "empty"
                break
            text = result
        if filtered or text == start:
            break
        place = replace(place, done="stop")
    reach = 0 if filtered else overlap.replaced(place, text)
    if reach:
        fired.add("suffix")
    names = tuple(rule.name for rule in RULES if rule.name in fired)
    return Draft("" if filtered else text, reach, names, filtered)
