"""What was offered at the cursor, and whether a changed text still follows it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..documents import Edit
from .stay import Stay

CLOSERS = frozenset(")]}\"'`")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a suggestion without a word of it; `ms` from request to answer.

    `chance` is the one that it was given, None where it was given none.
    """

    language: str
    model: str | None
    source: str
    rules: tuple[str, ...]
    manual: bool
    ms: float
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One item of an answer: `text` is to stand from `start` on, up to what is at `end`."""

    number: str
    start: int
    end: int
    text: str = field(repr=False)
    facts: Facts


@dataclass(slots=True)
class Candidate:
    """A text that was offered.  `begins` says by number where in it an answer's text does,
    since typing through a suggestion is answered with the rest of it."""

    text: str
    replace: int
    begins: dict[str, int]


@dataclass(slots=True)
class Offer:
    """What may be on the screen: `typed` of it stands from `start` to `cursor` already.

    `taken` characters were inserted by completion; what of it is up to `told` was reported.
    """

    number: str
    facts: Facts
    start: int
    cursor: int
    typed: str
    candidates: list[Candidate]
    since: float
    shown: bool = False
    accepted: bool = False
    taken: int = 0
    told: int = 0
    stay: Stay | None = None

    def of(self, number: str) -> Candidate | None:
        """The candidate that an answer's number means."""
        return next((one for one in self.candidates if number in one.begins), None)


@dataclass(frozen=True, slots=True)
class Step:
    """The text still follows an offer: `typed` of it stands before `cursor` now.

    `over` characters behind the cursor were typed over or replaced, -1 where the editor put
    a closing bracket there; `fresh` is what of the offer came into the text.
    """

    cursor: int
    typed: str
    over: int
    fresh: str


def step(offer: Offer, before: str, edit: Edit, after: str) -> Step | None:
    """How far `after` follows the offer; None where it does not.

    Editors place an edit anywhere among equal characters, so its place tells nothing: what
    counts is that the text before the offer and behind the cursor stays.
    """
    near = min(edit.start, offer.start)
    if before[near : offer.start] != after[near : offer.start]:
        return None
    widest = max(1, *(one.replace for one in offer.candidates))
    steps = [
        found
        for over in range(-1, widest + 1)
        if (found := _step(offer, before, edit, after, over))
    ]
    # The whole offer, then what changes least behind the cursor.
    by_rank = sorted(steps, key=lambda one: (not is_whole(offer, one.typed), *_rank(offer, one)))
    return by_rank[0] if by_rank else None


def _rank(offer: Offer, one: Step) -> tuple[int, int]:
    ahead = len(one.typed) - len(offer.typed)
    return (
        0 if one.over == 0 and ahead else 1 if one.over == -1 else 2 if ahead > 0 else 3
    ), one.over


def _step(offer: Offer, before: str, edit: Edit, after: str, over: int) -> Step | None:
    behind = offer.cursor + over
    cursor = behind + len(after) - len(before)
    longest = max(len(one.text) for one in offer.candidates)
    # A line break may be two characters in the document.
    if not offer.start <= cursor <= min(len(after), offer.start + 2 * longest):
        return None
    closed = 1 if over < 0 else 0
    if closed and after[cursor : cursor + 1] not in CLOSERS:
        return None
    far = max(edit.end, behind) - behind
    if before[behind + closed : behind + far] != after[cursor + closed : cursor + far]:
        return None
    typed = lf(after[offer.start : cursor])
    spare = _spare(before, offer.cursor) if len(before) == len(after) else 0
    if not _follows(offer, typed, over - spare) or (closed and len(typed) <= len(offer.typed)):
        return None
    piece, replaced = typed[len(offer.typed) :], before[offer.cursor : behind]
    return Step(cursor, typed, over, piece[: len(piece) - _ending(piece, replaced)])


def _ending(one: str, other: str) -> int:
    """How many last characters of two texts are the same."""
    pairs = enumerate(zip(reversed(one), reversed(other), strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))


def moved(offer: Offer, text: str, cursor: int) -> Step | None:
    """Typing what the text has already, which editors do by moving the cursor."""
    over, typed = cursor - offer.cursor, lf(text[offer.start : cursor])
    follows = _follows(offer, typed, over - _spare(text, offer.cursor))
    return Step(cursor, typed, over, "") if over > 0 and follows else None


def _follows(offer: Offer, typed: str, over: int) -> bool:
    return any(one.text.startswith(typed) for one in offer.candidates if over <= one.replace)


def _spare(text: str, cursor: int) -> int:
    """How many characters may be typed over though no suggestion replaces them: a closing
    bracket, which the editor may have put there long before."""
    return int(text[cursor : cursor + 1] in CLOSERS) if cursor < len(text) else 0


def touches(offer: Offer, before: str, edit: Edit, after: str) -> bool:
    """Whether an edit that does not follow the offer is in its place or at the cursor."""
    width = max(one.replace for one in offer.candidates)
    if edit.start <= offer.cursor + width:
        return edit.end >= offer.start and (offer.typed == "" or edit.end > offer.start)
    # The same characters inserted at the cursor could be told as inserted further on.
    size = len(edit.text)
    shifted = after[offer.cursor + size : edit.start + size]
    return edit.start == edit.end and before[offer.cursor : edit.start] == shifted


def is_whole(offer: Offer, typed: str) -> bool:
    return any(one.text == typed for one in offer.candidates)


def at_boundary(offer: Offer) -> bool:
    """Whether what stands there ends with a word or a line of the offer."""
    end = len(offer.typed)
    for one in offer.candidates:
        around = one.text[end - 1 : end + 1]
        if one.text.startswith(offer.typed) and not re.fullmatch(r"\w\w", around):
            return True
    return False


def candidate(text: str, start: int, cursor: int, answer: Answer) -> Candidate:
    """An answer as the text that would stand from `start` on."""
    head = lf(text[start : answer.start])
    return Candidate(
        head + lf(answer.text), max(0, answer.end - cursor), {answer.number: len(head)}
    )


def continued(newer: Candidate, older: Sequence[Candidate]) -> Candidate:
    """The same text under the numbers of before, too."""
    for one in older:
        if agree(newer, one):
            newer.begins = one.begins | newer.begins
    return newer


def agree(one: Candidate, other: Candidate) -> bool:
    return one.text.startswith(other.text) or other.text.startswith(one.text)


def lf(text: str) -> str:
    return text.replace("\r\n", "\n")
