"""What became of the suggestions in one document, inferred from what its editor says.

Editors report little: most run a command when a suggestion was taken, hardly any says what
it showed or that nobody wanted it.  So each change of the text is compared with what was
offered at the cursor:

- shown: on the screen for `SHOWN_SECONDS`, which typing through it does not interrupt;
- accepted: its command ran, or one change inserted the rest of it whole;
- partial: one change inserted the beginning of it, up to the end of a word or line;
- typed: every character of it was typed by hand;
- rejected: the text at the cursor became another;
- ignored: another one took its place, the cursor left, or the document was closed;
- kept, lost: whether accepted text still stands there, some time afterwards.

A suggestion that was never shown has no event.  Nothing here looks at a clock: `now` is in
seconds of whatever clock the caller keeps.
"""

import re
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..documents import Edit
from . import offer as offers
from .offer import Answer, Facts, Offer, Step, agree, candidate, continued, lf
from .stay import Stay, still_there

Kind = Literal["shown", "partial", "accepted", "typed", "rejected", "ignored", "kept", "lost"]

SHOWN_SECONDS = 0.25
# Suggestions remembered after their end, for an editor whose command comes late.
ENDED = 8
# What one key inserts: with its closing bracket, or a new line with its indentation.
ONE_KEY = re.compile(r"\n?[ \t]*|\(\)|\[\]|\{\}|\"\"|''|``|.")
# As many keys at most as an editor sends in one change that waits for others.
BURST = 3


@dataclass(frozen=True, slots=True)
class Event:
    """`characters` that completion inserted; `after` so many seconds, for kept and lost."""

    kind: Kind
    number: str
    facts: Facts
    characters: int = 0
    after: int = 0


@dataclass(slots=True)
class Client:
    """What a client has been seen to report itself, so that it need not be inferred."""

    shown: bool = False
    partial: bool = False


@dataclass(slots=True)
class Inserted:
    """Characters that came into the text: by completion, by keys, in other ways."""

    completed: int = 0
    typed: int = 0
    other: int = 0


class Feedback:
    """One document.  What is fed in comes in the order in which the editor said it.

    `rejections` counts those in a row: taking a suggestion, asking by hand and going to
    another document begin anew.
    """

    def __init__(self, client: Client) -> None:
        self.rejections = 0
        self.inserted = Inserted()
        self._told = Inserted()
        self._client = client
        self._offer: Offer | None = None
        self._ended: deque[Offer] = deque(maxlen=ENDED)
        self._watched: list[Offer] = []

    def requested(self, now: float, text: str, cursor: int, *, manual: bool) -> list[Event]:
        """The editor asks at `cursor`; what was offered elsewhere is off the screen."""
        if manual:
            self.rejections = 0
        offer = self._offer
        if not offer or offer.cursor == cursor:
            return []
        if step := offers.moved(offer, text, cursor):
            return self._advance(now, offer, text, step)
        return self._end("ignored")

    def answered(
        self, now: float, text: str, cursor: int, answers: Sequence[Answer]
    ) -> list[Event]:
        """The editor got `answers` for `cursor`, alternatives of each other or none."""
        offer = self._offer
        if offer and answers and offer.cursor == cursor and offer.start <= answers[0].start:
            candidates = [candidate(text, offer.start, cursor, answer) for answer in answers]
            if any(agree(candidates[0], one) for one in offer.candidates):
                candidates = [continued(one, offer.candidates) for one in candidates]
                # Who has gone to another of several still looks at that one.
                others = (o for o in offer.candidates if not any(agree(o, c) for c in candidates))
                offer.candidates = [*candidates, *others]
                return []
        events = self._end("ignored")
        if answers:
            start, first = min(answer.start for answer in answers), answers[0]
            candidates = [candidate(text, start, cursor, answer) for answer in answers]
            typed = lf(text[start:cursor])
            self._offer = Offer(first.number, first.facts, start, cursor, typed, candidates, now)
        return events

    def changed(self, now: float, before: str, edit: Edit, after: str) -> list[Event]:
        """One change of the text."""
        for _taken, stay in self._stays:
            stay.move(edit)
        offer = self._offer
        if not offer:
            self._count(edit.text)
            return []
        if step := offers.step(offer, before, edit, after):
            return self._advance(now, offer, after, step)
        self._count(edit.text)
        if offers.touches(offer, before, edit, after):
            return self._end("rejected")
        if edit.start < offer.start:
            grown = len(after) - len(before)
            offer.start, offer.cursor = offer.start + grown, offer.cursor + grown
        return []

    def accepted(self, number: str) -> list[Event]:
        """The editor ran the command of an answer, before or after its text came."""
        offers = [*([self._offer] if self._offer else []), *reversed(self._ended)]
        offer = next((one for one in offers if one.of(number)), None)
        found = offer and offer.of(number)
        if not offer or not found or offer.accepted:
            return []
        missing = len(found.text) - len(offer.typed)
        if offer is self._offer:
            offer.candidates = [found]
        elif missing:
            # What the editor put in was another text, such as a formatted one.
            self._moved("other", missing)
        else:
            # One key could have inserted the rest as well.
            self._moved("typed", missing := 1)
        return self._accept(offer, missing)

    def showed(self, number: str) -> list[Event]:
        """The editor says that it shows an answer."""
        self._client.shown = True
        offer = self._offer
        return self._show(offer) if offer and offer.of(number) else []

    def took(self, now: float, text: str, number: str, units: int) -> list[Event]:
        """The editor says that it inserted the first UTF-16 `units` of an answer's text."""
        self._client.partial = True
        offer = self._offer
        found = offer and offer.of(number)
        if not offer or not found:
            return []
        begin = found.begins[number]
        piece = found.text[begin:].encode("utf-16-le")[: 2 * max(0, units)]
        end = begin + len(piece.decode("utf-16-le", "ignore"))
        size = end - max(begin, offer.told)
        if size <= 0 or end <= offer.told:
            return []
        offer.told = end
        self._moved("typed", size)
        return self._part(now, offer, text, max(offer.start, offer.cursor - size), size)

    def closed(self) -> list[Event]:
        self._watched = []
        return self._end("ignored")

    def left(self) -> list[Event]:
        """The editor went on in another document."""
        self.rejections = 0
        return self._end("ignored")

    def news(self) -> tuple[int, int, int]:
        """What to add to characters completed, typed and other since the last call.

        Less than nothing where a notification says that typed ones were completed.
        """
        old, new = self._told, self.inserted
        self._told = replace(new)
        return new.completed - old.completed, new.typed - old.typed, new.other - old.other

    @property
    def due(self) -> float | None:
        """When `tick` has something to do; None while nothing is pending."""
        times = [stay.since + stay.checks[0] for _taken, stay in self._stays]
        if self._offer and not self._offer.shown and not self._client.shown:
            times.append(self._offer.since + SHOWN_SECONDS)
        return min(times, default=None)

    def tick(self, now: float, text: str) -> list[Event]:
        """What time alone brings about."""
        offer, events = self._offer, list[Event]()
        if offer and not self._client.shown and now >= offer.since + SHOWN_SECONDS:
            events += self._show(offer)
        for taken, stay in self._stays:
            while stay.checks and now >= stay.since + stay.checks[0]:
                seconds, *later = stay.checks
                stay.checks = tuple(later)
                kind = "kept" if still_there(stay.text, text[stay.start : stay.end]) else "lost"
                events.append(Event(kind, taken.number, taken.facts, len(stay.text), seconds))
        self._watched = [taken for taken, stay in self._stays if stay.checks]
        return events

    @property
    def _stays(self) -> list[tuple[Offer, Stay]]:
        return [(offer, offer.stay) for offer in self._watched if offer.stay]

    def _advance(self, now: float, offer: Offer, after: str, step: Step) -> list[Event]:
        """The text at the cursor is still the offer's, further on or further back."""
        begin, size, one_key = offer.cursor, len(step.fresh), ONE_KEY.fullmatch(step.fresh)
        offer.cursor, offer.typed = step.cursor, step.typed
        for one in offer.candidates:
            one.replace = max(0, one.replace - step.over)
        whole = offers.is_whole(offer, step.typed)
        if whole and (offer.accepted or not one_key):
            self.inserted.completed += size
            self._watch(now, offer, after, begin)
            events = [] if offer.accepted else self._accept(offer, size)
            return events + self._end("ignored")
        if not self._client.partial and not one_key and offers.at_boundary(offer):
            self.inserted.completed += size
            offer.told = len(step.typed)
            return self._part(now, offer, after, begin, size)
        self.inserted.typed += size
        return self._end("typed") if whole else []

    def _accept(self, offer: Offer, size: int) -> list[Event]:
        self.rejections = 0
        events = self._show(offer)
        offer.accepted = True
        offer.taken += size
        return [*events, Event("accepted", offer.number, offer.facts, offer.taken)]

    def _part(self, now: float, offer: Offer, text: str, begin: int, size: int) -> list[Event]:
        self.rejections = 0
        events = self._show(offer)
        offer.taken += size
        self._watch(now, offer, text, begin)
        return [*events, Event("partial", offer.number, offer.facts, size)]

    def _show(self, offer: Offer) -> list[Event]:
        if offer.shown:
            return []
        offer.shown = True
        return [Event("shown", offer.number, offer.facts)]

    def _watch(self, now: float, offer: Offer, text: str, begin: int) -> None:
        """Look after what was inserted from `begin` to the cursor, and before it of the same."""
        start = offer.stay.start if offer.stay else begin
        offer.stay = Stay(start, offer.cursor, text[start : offer.cursor], now)
        if not any(one is offer for one in self._watched):
            self._watched.append(offer)

    def _end(self, kind: Kind) -> list[Event]:
        offer, self._offer = self._offer, None
        if not offer:
            return []
        self._ended.append(offer)
        if offer.taken or not offer.shown:
            return []  # Its last event has been, or it never had one.
        if kind != "ignored":
            self.rejections = self.rejections + 1 if kind == "rejected" else 0
        return [Event(kind, offer.number, offer.facts)]

    def _count(self, text: str) -> None:
        if len(text) <= BURST or ONE_KEY.fullmatch(lf(text)):
            self.inserted.typed += len(text)
        else:
            self.inserted.other += len(text)

    def _moved(self, source: Literal["typed", "other"], size: int) -> None:
        """Characters that were counted as something else were inserted by completion."""
        size = min(size, getattr(self.inserted, source))
        setattr(self.inserted, source, getattr(self.inserted, source) - size)
        self.inserted.completed += size
