"""What was offered at the cursor, and whether a changed text still follows it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from ..documents import Edit
from .stay import Stay

CLOSERS = frozenset(")]}\"'`")


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a suggestion without a word of it; `ms` from request to answer."""

    language: str
    model: str | None
    source: str
    rules: tuple[str, ...]
    manual: bool
    ms: float


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


def reached(offer: Offer, before: str, edit: Edit, after: str) -> tuple[int, str, bool] | None:
    """Where in `after` the cursor is if the text still follows the offer, what of the offer
    stands before it, and whether the editor closed a bracket behind it.

    Editors place an edit anywhere among equal characters, so its place tells nothing: what
    counts is that the text before the offer and behind the cursor stays.
    """
    near = min(edit.start, offer.start)
    if before[near : offer.start] != after[near : offer.start]:
        return None
    longest = max(len(one.text) for one in offer.candidates)
    for replaced in (*sorted({one.replace for one in offer.candidates} - {0}), 0, -1):
        behind = offer.cursor + replaced
        cursor = behind + len(after) - len(before)
        far = max(edit.end, behind) - behind
        # A line break may be two characters in the document.
        if not offer.start <= cursor <= min(len(after), offer.start + 2 * longest):
            continue
        if replaced < 0:
            closed = after[cursor : cursor + 1] in CLOSERS and cursor < len(after)
            stays = before[behind + 1 : behind + far] == after[cursor + 1 : cursor + far]
            stays = closed and stays
        else:
            stays = before[behind : behind + far] == after[cursor : cursor + far]
        typed = lf(after[offer.start : cursor])
        if stays and any(
            one.text == typed if replaced > 0 else one.text.startswith(typed)
            for one in offer.candidates
            if replaced <= one.replace
        ):
            return cursor, typed, replaced < 0
    return None


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
