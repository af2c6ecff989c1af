"""Feeds what the editor says and the clock to `feedback`, and keeps what comes of it.

At most one timer runs, and only while something is pending.
"""

import asyncio
import logging
import math
import secrets
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Thread
from typing import Any, cast

from lsprotocol import types

from ..documents import Document, Documents, Edit
from . import store
from .feedback import Client, Event, Feedback
from .offer import Answer, Facts
from .store import AnswerKey, Characters, Numbers, Row

logger = logging.getLogger(__name__)

# Numbers are written so long after the first of them is new, all at once.
WRITE_SECONDS = 20.0
# Suggestions whose fate may still change.
ROWS = 256
# Milliseconds are kept in steps of a tenth, which is how exact percentiles of them are.
STEP = math.log(1.1)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a suggestion."""

    document: Document
    cursor: int
    manual: bool
    began: float


class Observer:
    """All documents of one editor.

    `path` is where numbers are kept, None keeps none; `explain` gives what is known of an
    answer by its number.  Methods run in the event loop.
    """

    def __init__(self, explain: Callable[[str], Mapping[str, Any] | None]) -> None:
        self.path: Path | None = None
        self._explain = explain
        self._documents = Documents()
        self._client = Client()
        self._of: dict[str, Feedback] = {}
        self._here: str | None = None
        self._session = secrets.token_hex(4)
        self._rows: OrderedDict[str, Row] = OrderedDict()
        self._fresh: set[str] = set()
        self._answers: Counter[AnswerKey] = Counter()
        self._characters: Characters = {}
        self._timer: asyncio.TimerHandle | None = None
        self._write_at: float | None = None
        self._writing: Thread | None = None
        self._failed = False

    def observe(self, documents: Documents) -> None:
        self._documents = documents
        documents.listener = self

    def rejections(self, uri: str) -> int:
        """Suggestions in a row that were seen and not wanted, in the document in use."""
        return self._of[uri].rejections if uri in self._of else 0

    # What the editor says

    def asked(
        self, document: Document | None, params: types.InlineCompletionParams
    ) -> Asked | None:
        if document is None:
            return None
        self._catch_up()
        manual = params.context.trigger_kind == types.InlineCompletionTriggerKind.Invoked
        cursor = document.offset_at(params.position, self._documents.encoding)
        if self._here not in (None, document.uri) and (left := self._of.get(self._here or "")):
            self._hear(left.left())
        self._here = document.uri
        feedback = self._feedback(document.uri)
        self._hear(feedback.requested(self._now, document.text, cursor, manual=manual))
        return Asked(document, cursor, manual, self._now)

    def answered(self, asked: Asked | None, found: types.InlineCompletionList | None) -> None:
        """What `asked` was answered; None says that something newer was asked."""
        if asked is None or found is None:
            return
        document = asked.document
        if self._documents.get(document.uri) is not document:
            return
        answers = [a for item in found.items if (a := self._answer(asked, item))]
        if answers:
            facts = answers[0].facts
            ms = 1.1 ** round(math.log(max(facts.ms, 0.1)) / STEP)
            today = store.day(time.time())
            key = (today, facts.language, facts.model or "", facts.source, round(ms, 2))
            self._answers[key] += 1
            self._soon()
        feedback = self._feedback(document.uri)
        self._hear(feedback.answered(self._now, document.text, asked.cursor, answers))

    def changed(self, before: Document, edit: Edit, after: Document) -> None:
        self._catch_up()
        feedback = self._feedback(after.uri)
        events = feedback.changed(self._now, before.text, edit, after.text)
        self._count(after.uri, feedback)
        self._hear(events)

    def closed(self, document: Document) -> None:
        self._catch_up()
        if feedback := self._of.pop(document.uri, None):
            self._hear(feedback.closed())

    def accepted(self, number: str) -> None:
        """The command of an answer ran."""
        for uri, feedback in self._of.items():
            if events := feedback.accepted(number):
                self._count(uri, feedback)
                self._hear(events)

    def showed(self, item: object) -> None:
        """`textDocument/didShowCompletion`."""
        for feedback in self._of.values():
            self._hear(feedback.showed(number_of(item)))

    def took(self, item: object, length: object) -> None:
        """`textDocument/didPartiallyAcceptCompletion`, in UTF-16 units."""
        units = length if isinstance(length, int) else 0
        for uri, feedback in self._of.items():
            document = self._documents.get(uri)
            text = document.text if document else ""
            events = feedback.took(self._now, text, number_of(item), units)
            self._count(uri, feedback)
            self._hear(events)

    def close(self) -> None:
        """The editor has left and the loop has ended; what is known so far is written."""
        if self._timer:
            self._timer.cancel()
        if self._writing:
            self._writing.join()
        self._write(self._numbers())

    # What comes of it

    def _feedback(self, uri: str) -> Feedback:
        if uri not in self._of:
            self._of[uri] = Feedback(self._client)
        return self._of[uri]

    def _answer(self, asked: Asked, item: types.InlineCompletionItem) -> Answer | None:
        number = number_of(item)
        known = self._explain(number) or {}
        if not isinstance(item.insert_text, str) or not known:
            return None
        document, encoding = asked.document, self._documents.encoding
        start = end = asked.cursor
        if item.range:
            start = document.offset_at(item.range.start, encoding)
            end = document.offset_at(item.range.end, encoding)
        facts = Facts(
            store.name(document.language),
            store.name(known.get("model")),
            str(known.get("source")),
            tuple(str(rule) for rule in known.get("rules", ())),
            asked.manual,
            1000 * (self._now - asked.began),
            known.get("chance"),
        )
        return Answer(number, min(start, asked.cursor), end, item.insert_text, facts)

    def _hear(self, events: list[Event]) -> None:
        for event in events:
            logger.debug(
                "suggestion %s: %s %d %d", event.number, event.kind, event.characters, event.after
            )
            self._keep(event)
        self._arm()

    def _keep(self, event: Event) -> None:
        facts, number = event.facts, f"{self._session}-{event.number}"
        row = self._rows.get(number)
        if row is None:
            rules = " ".join(facts.rules)
            model = facts.model or ""
            row = Row(
                number,
                int(time.time()),
                facts.language,
                model,
                facts.source,
                rules,
                int(facts.manual),
                chance=facts.chance,
            )
            self._rows[number] = row
            if len(self._rows) > ROWS:
                self._fresh.discard(self._rows.popitem(last=False)[0])
        match event.kind:
            case "kept" | "lost":
                setattr(row, f"kept_{event.after}", int(event.kind == "kept"))
            case "partial":
                row.outcome, row.inserted = "partial", row.inserted + event.characters
            case "accepted":
                row.outcome, row.inserted = "accepted", event.characters
            case "typed" | "rejected" | "ignored":
                row.outcome = event.kind
            case "shown":
                pass
        self._fresh.add(number)
        self._soon()

    def _count(self, uri: str, feedback: Feedback) -> None:
        """Take over the characters that `feedback` has counted."""
        news, document = feedback.news(), self._documents.get(uri)
        if not document or not any(news):
            return
        key = (store.day(time.time()), store.name(document.language))
        completed, typed, other = self._characters.get(key, (0, 0, 0))
        self._characters[key] = (completed + news[0], typed + news[1], other + news[2])
        self._soon()

    # Time

    @property
    def _now(self) -> float:
        return asyncio.get_running_loop().time()

    def _soon(self) -> None:
        if self._write_at is None:
            self._write_at = self._now + WRITE_SECONDS

    def _arm(self) -> None:
        """Let the one timer run until the first thing is due."""
        dues = [self._write_at, *(feedback.due for feedback in self._of.values())]
        due = min((due for due in dues if due is not None), default=None)
        if self._timer and (due is None or due < self._timer.when()):
            self._timer.cancel()
            self._timer = None
        if due is not None and not self._timer:
            self._timer = asyncio.get_running_loop().call_at(due, self._tick)

    def _catch_up(self) -> None:
        """What was due while the loop was busy comes before what it hears now."""
        if self._timer and self._timer.when() <= self._now:
            self._timer.cancel()
            self._tick()

    def _tick(self) -> None:
        self._timer = None
        now, events = self._now, list[Event]()
        for uri, feedback in self._of.items():
            if feedback.due is not None and feedback.due <= now:
                document = self._documents.get(uri)
                events += feedback.tick(now, document.text if document else "")
        if self._write_at and self._write_at <= now:
            self._write_at = None
            if self._writing and self._writing.is_alive():
                self._soon()  # Two at once could end in the wrong order.
            else:
                # A task or the loop's executor would lose them where the loop ends now.
                self._writing = Thread(target=self._write, args=(self._numbers(),))
                self._writing.start()
        self._hear(events)

    def _numbers(self) -> Numbers:
        """What is new since the last time."""
        rows = [replace(self._rows[number]) for number in sorted(self._fresh)]
        numbers = Numbers(rows, self._answers, self._characters)
        self._fresh, self._answers, self._characters = set(), Counter(), {}
        return numbers

    def _write(self, numbers: Numbers) -> None:
        if self.path is None or not numbers:
            return
        try:
            store.write(self.path, numbers, int(time.time()))
        except store.Unusable as error:
            # The numbers are lost, and one line about it is enough.
            if not self._failed:
                logger.warning("stats: %s", error)
            self._failed = True


def number_of(item: object) -> str:
    """The number of an answer in an item, of ours or as JSON; "" where there is none."""
    if isinstance(item, types.InlineCompletionItem):
        arguments = item.command.arguments if item.command else None
    else:
        command = _member(item, "command")
        arguments = _member(command, "arguments")
    found = cast(list[object], arguments) if isinstance(arguments, list) else []
    return str(found[0]) if found else ""


def _member(value: object, key: str) -> object:
    return cast(dict[str, object], value).get(key) if isinstance(value, dict) else None
