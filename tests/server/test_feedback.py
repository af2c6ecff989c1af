"""What became of a suggestion, from nothing but what an editor says."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wicket.server.documents import Edit, difference
from wicket.server.stats.feedback import Client, Event, Feedback
from wicket.server.stats.offer import Answer, Facts
from wicket.server.stats.stay import edits, still_there

FACTS = Facts("python", "m", "model", (), False, 20.0)


def exact(edit: Edit, before: str, after: str) -> Edit:
    return edit


def rightmost(edit: Edit, before: str, after: str) -> Edit:
    """As Neovim and clients that send whole documents tell it."""
    return difference(before, after)


def leftmost(edit: Edit, before: str, after: str) -> Edit:
    there = difference(before[::-1], after[::-1])
    size = len(before)
    return Edit(size - there.end, size - there.start, there.text[::-1])


def from_line_start(edit: Edit, before: str, after: str) -> Edit:
    """As editors tell it that replace what stands on the line."""
    start = before.rfind("\n", 0, edit.start) + 1
    return Edit(start, edit.end, before[start : edit.start] + edit.text)


# Where in the text editors say that a change was, for the same change.
PLACEMENTS = (exact, rightmost, leftmost, from_line_start)


@dataclass
class Desk:
    """A person at an editor; each step is also how the tables below name it."""

    marked: str
    placed: Callable[[Edit, str, str], Edit] = exact
    now: float = 100.0
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.feedback = Feedback(Client())
        head, tail = self.marked.split("$0")
        self.text, self.cursor, self.number = head + tail, len(head), 0

    def offer(self, *texts: str, replace: int = 0, back: int = 0) -> None:
        """The editor asks at the cursor and gets these; the texts begin `back` before it."""
        self.events += self.feedback.requested(self.now, self.text, self.cursor, manual=False)
        start, answers = self.cursor - back, list[Answer]()
        for text in texts:
            self.number += 1
            answers.append(Answer(str(self.number), start, self.cursor + replace, text, FACTS))
        self.events += self.feedback.answered(self.now, self.text, self.cursor, answers)

    def nothing(self) -> None:
        self.offer()

    def wait(self, seconds: float = 0.3) -> None:
        self.now += seconds
        self.events += self.feedback.tick(self.now, self.text)

    def insert(self, text: str, replace: int = 0, back: int = 0, after: str = "") -> None:
        """One change at the cursor, which stands behind `text` then."""
        self.edit(self.cursor - back, self.cursor + replace, text + after)
        self.cursor += len(text) - back

    def edit(self, start: int, end: int, text: str) -> None:
        before, self.text = self.text, self.text[:start] + text + self.text[end:]
        edit = self.placed(Edit(start, end, text), before, self.text)
        assert before[: edit.start] + edit.text + before[edit.end :] == self.text
        self.events += self.feedback.changed(self.now, before, edit, self.text)

    def type(self, text: str) -> None:
        for key in text:
            self.insert(key)

    def erase(self, count: int = 1) -> None:
        for _ in range(count):
            self.insert("", back=1)

    def ask(self, cursor: int | None = None, manual: bool = False) -> None:
        self.cursor = self.cursor if cursor is None else cursor
        self.events += self.feedback.requested(self.now, self.text, self.cursor, manual=manual)

    def command(self, number: int = 1) -> None:
        self.events += self.feedback.accepted(str(number))

    def showed(self, number: int = 1) -> None:
        self.events += self.feedback.showed(str(number))

    def took(self, units: int, number: int = 1) -> None:
        self.events += self.feedback.took(self.now, self.text, str(number), units)

    def close(self) -> None:
        self.events += self.feedback.closed()


def said(events: Sequence[Event]) -> str:
    """The events as one line: "shown accepted:7 kept@30"."""
    words = list[str]()
    for event in events:
        size = f":{event.characters}" if event.kind in ("accepted", "partial") else ""
        words.append(event.kind + size + (f"@{event.after}" if event.after else ""))
    return " ".join(words)


Step = tuple[object, ...]


def check(marked: str, steps: Sequence[Step], expected: str, placed=exact) -> Desk:
    desk = Desk(marked, placed)
    for name, *arguments in steps:
        keywords = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
        getattr(desk, str(name))(*arguments, **keywords)
    assert said(desk.events) == expected
    return desk


LINE = "return number"
BLOCK = "for item in items:\n        total += item"
CASES: dict[str, tuple[str, Sequence[Step], str]] = {
    "shown, then nothing": ("$0", [("offer", LINE), ("wait",)], "shown"),
    "not shown yet": ("$0", [("offer", LINE), ("wait", 0.2)], ""),
    "another key before it is shown": (
        "$0",
        [("offer", LINE), ("wait", 0.2), ("type", "x"), ("wait",)],
        "",
    ),
    "accepted whole": ("$0", [("offer", LINE), ("wait",), ("insert", LINE)], "shown accepted:13"),
    "accepted at once counts as shown": (
        "$0",
        [("offer", LINE), ("insert", LINE)],
        "shown accepted:13",
    ),
    "accepted, and the command says so too": (
        "$0",
        [("offer", LINE), ("wait",), ("insert", LINE), ("command",)],
        "shown accepted:13",
    ),
    "the command comes before the text": (
        "$0",
        [("offer", LINE), ("wait",), ("command",), ("insert", LINE), ("wait", 30)],
        "shown accepted:13 kept@30",
    ),
    "accepted in the middle of a line of equal characters": (
        "x = ((((a$0))))",
        [("offer", "))))"), ("wait",), ("insert", "))))")],
        "shown accepted:4",
    ),
    "accepted over what it replaces": (
        "f(a$0)",
        [("offer", "lpha, beta)", {"replace": 1}), ("insert", "lpha, beta)", {"replace": 1})],
        "shown accepted:10",
    ),
    "accepted over the word before it": (
        "x = nu$0",
        [("offer", "number", {"back": 2}), ("insert", "number", {"back": 2})],
        "shown accepted:4",
    ),
    "accepted over a word in other letters": (
        "x = NU$0",
        [("offer", "number", {"back": 2}), ("insert", "number", {"back": 2})],
        "shown accepted:4",
    ),
    "several lines": ("    $0\n", [("offer", BLOCK), ("insert", BLOCK)], "shown accepted:40"),
    "several lines with CRLF": (
        "    $0\r\n",
        [("offer", BLOCK), ("insert", BLOCK.replace("\n", "\r\n")), ("wait", 30)],
        "shown accepted:40 kept@30",
    ),
    "the second of two alternatives": (
        "$0",
        [("offer", LINE, "pass  # later"), ("insert", "pass  # later"), ("command", 2)],
        "shown accepted:13",
    ),
    "a word of the second, whose beginning is the first's, too": (
        "$0",
        [
            ("offer", LINE, "return None"),
            ("insert", "return "),
            ("offer", "number"),
            ("insert", "None"),
        ],
        "shown partial:7 accepted:11",
    ),
    "one word": (
        "$0",
        [("offer", LINE), ("wait",), ("insert", "return ")],
        "shown partial:7",
    ),
    "word by word up to the end": (
        "$0",
        [("offer", LINE), ("insert", "return"), ("insert", " number"), ("wait", 30)],
        "shown partial:6 accepted:13 kept@30",
    ),
    "one word, then another text": (
        "$0",
        [("offer", LINE), ("wait",), ("insert", "return"), ("type", "!"), ("wait", 30)],
        "shown partial:6 kept@30",
    ),
    "one line of two": (
        "    $0\n",
        [("offer", BLOCK), ("insert", BLOCK.split("\n", maxsplit=1)[0]), ("offer", BLOCK[18:])],
        "shown partial:18",
    ),
    "typed through, each key with an answer": (
        "$0",
        [
            ("offer", "abc"),
            ("type", "a"),
            ("offer", "bc"),
            ("type", "b"),
            ("offer", "c"),
            ("wait",),
            ("type", "c"),
        ],
        "shown typed",
    ),
    "shown while typed through": (
        "$0",
        [("offer", LINE), ("wait", 0.15), ("type", "r"), ("offer", LINE[1:]), ("wait", 0.15)],
        "shown",
    ),
    "typed to the end, the last key was the accept key": (
        "$0",
        [("offer", "ab"), ("wait",), ("type", "a"), ("insert", "b"), ("command",)],
        "shown typed accepted:1",
    ),
    "typed into, then accepted by the later answer's command": (
        "$0",
        [
            ("offer", LINE),
            ("wait",),
            ("type", "ret"),
            ("offer", LINE[3:]),
            ("insert", LINE[3:]),
            ("command", 2),
        ],
        "shown accepted:10",
    ),
    "typed into, then another text": (
        "$0",
        [("offer", LINE), ("wait",), ("type", "retx")],
        "shown rejected",
    ),
    "two keys in one change are no accepted word": (
        "$0",
        [("offer", LINE), ("wait",), ("insert", "re"), ("insert", "tu")],
        "shown",
    ),
    "a new line with its indentation is one key": (
        "if x:$0",
        [("offer", "\n    pass  # now"), ("wait",), ("insert", "\n    ")],
        "shown",
    ),
    "a closing bracket put there by the editor": (
        "f$0\n",
        [
            ("offer", "(a, b)"),
            ("wait",),
            ("insert", "(", {"after": ")"}),
            ("insert", "a, b)", {"replace": 1}),
        ],
        "shown accepted:4",
    ),
    "the last key before a closing bracket that stays": (
        "f($0)",
        [("offer", "a)", {"replace": 1}), ("wait",), ("type", "a")],
        "shown typed",
    ),
    "closing brackets put there and typed over by the editor": (
        "f$0\n",
        [
            *[("offer", "(a) + (b)"), ("wait",), ("insert", "(", {"after": ")"})],
            *[("type", "a"), ("insert", ")", {"replace": 1}), ("type", " + ")],
            *[("insert", "(", {"after": ")"}), ("type", "b")],
        ],
        "shown typed",
    ),
    "a closing bracket of before is typed over": (
        "f($0)\n",
        [
            *[("offer", "a) + b"), ("wait",), ("type", "a"), ("insert", ")", {"replace": 1})],
            *[("type", " + b")],
        ],
        "shown typed",
    ),
    "a closing bracket in the wrong place": (
        "f($0)\n",
        [("offer", "a, b"), ("wait",), ("type", "a"), ("type", ")")],
        "shown rejected",
    ),
    "a quote put there, and passed by moving the cursor": (
        "f($0)\n",
        [
            *[("offer", "'a', x)", {"replace": 1}), ("wait",), ("insert", "'", {"after": "'"})],
            *[("type", "a"), ("ask", 5), ("type", ", "), ("insert", "x")],
        ],
        "shown typed",
    ),
    "the cursor moves over text that nobody offered": (
        "f($0abc)\n",
        [("offer", "xyz", {"replace": 1}), ("wait",), ("ask", 3)],
        "shown ignored",
    ),
    "a longer answer that agrees is the same suggestion": (
        "$0",
        [("offer", "return"), ("wait",), ("offer", LINE), ("insert", LINE)],
        "shown accepted:13",
    ),
    "another text": ("$0", [("offer", LINE), ("wait",), ("type", "x")], "shown rejected"),
    "a pasted text": (
        "$0",
        [("offer", LINE), ("wait",), ("insert", "raise ValueError(number)")],
        "shown rejected",
    ),
    "what stood before the cursor is erased": (
        "ab$0",
        [("offer", LINE), ("wait",), ("erase",)],
        "shown rejected",
    ),
    "erased back into the suggestion": (
        "$0",
        [("offer", LINE), ("wait",), ("type", "ret"), ("erase", 2), ("insert", LINE[1:])],
        "shown accepted:12",
    ),
    "what stands behind the cursor is erased": (
        "$0abc",
        [("offer", LINE), ("wait",), ("edit", 0, 1, "")],
        "shown rejected",
    ),
    "rejected, but the command says it was taken": (
        "$0",
        [("offer", LINE), ("wait",), ("insert", "return  number;"), ("command",)],
        "shown rejected accepted:13",
    ),
    "the editor goes elsewhere": (
        "a = 1\n$0",
        [("offer", LINE), ("wait",), ("ask", 2)],
        "shown ignored",
    ),
    "an answer with nothing takes it away": (
        "$0",
        [("offer", LINE), ("wait",), ("nothing",)],
        "shown ignored",
    ),
    "an answer that says something else": (
        "$0",
        [("offer", LINE), ("wait",), ("offer", "pass"), ("wait",)],
        "shown ignored shown",
    ),
    "closed": ("$0", [("offer", LINE), ("wait",), ("close",), ("wait", 400)], "shown ignored"),
    "closed before it was shown": ("$0", [("offer", LINE), ("close",), ("wait",)], ""),
    "an import is added above": (
        "a = 1\n\n$0",
        [("offer", LINE), ("wait",), ("edit", 0, 0, "import os\n"), ("wait", 1)],
        "shown",
    ),
    "an import is added above, then it is accepted": (
        "a = 1\n\n$0\nz = 2",
        [
            ("offer", LINE),
            ("wait",),
            ("edit", 0, 0, "import os\n"),
            ("ask", 17),
            ("insert", LINE),
            ("wait", 30),
            ("wait", 270),
        ],
        "shown accepted:13 kept@30 kept@300",
    ),
    "a line below is changed": (
        "$0\nz = 2\n",
        [("offer", LINE), ("wait",), ("edit", 5, 6, "3"), ("insert", LINE)],
        "shown accepted:13",
    ),
    "accepted and undone": (
        "$0",
        [("offer", LINE), ("insert", LINE), ("insert", "", {"back": 13}), ("wait", 30)],
        "shown accepted:13 lost@30",
    ),
    "accepted, undone and redone": (
        "a\n$0\nb",
        [
            ("offer", LINE),
            ("insert", LINE),
            ("insert", "", {"back": 13}),
            ("insert", LINE),
            ("wait", 30),
        ],
        "shown accepted:13 kept@30",
    ),
    "accepted, a name in it changed": (
        "$0",
        [("offer", LINE), ("insert", LINE), ("edit", 7, 9, "va"), ("wait", 30)],
        "shown accepted:13 kept@30",
    ),
    "accepted, indented anew with its surroundings": (
        "def f():\n  $0\n",
        [
            ("offer", BLOCK),
            ("insert", BLOCK),
            ("edit", 0, 51, "def f():\n\tfor item in items:\n\t\ttotal += item"),
            ("wait", 30),
        ],
        "shown accepted:40 kept@30",
    ),
    "accepted, gone on typing, and rewritten later": (
        "$0",
        [
            ("offer", LINE),
            ("insert", LINE),
            ("type", " + 1"),
            ("wait", 30),
            ("edit", 0, 13, "raise Wrong"),
            ("wait", 300),
        ],
        "shown accepted:13 kept@30 lost@300",
    ),
    "closed after it was accepted": (
        "$0",
        [("offer", LINE), ("insert", LINE), ("wait", 30), ("close",), ("wait", 300)],
        "shown accepted:13 kept@30",
    ),
    "the client says what it shows": (
        "$0",
        [("offer", LINE), ("showed",), ("wait", 5), ("type", "x"), ("offer", "y"), ("wait", 5)],
        "shown rejected",
    ),
    "the client says what it took": (
        "$0",
        [
            ("offer", LINE),
            ("wait",),
            ("insert", "r"),
            ("took", 1),
            ("insert", "et"),
            ("took", 3),
            ("insert", "urn "),
            ("took", 7),
            ("insert", "number"),
            ("command",),
        ],
        "shown partial:1 partial:2 partial:4 accepted:13",
    ),
    "the client counts in UTF-16": (
        "$0",
        [("offer", "'😀😀' + x"), ("wait",), ("insert", "'😀😀'"), ("took", 6)],
        "shown partial:4",
    ),
    "a command that nobody knows": ("$0", [("command", 9), ("showed", 9), ("took", 3, 9)], ""),
}


@pytest.mark.parametrize("placed", PLACEMENTS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("case", CASES)
def test_events(case: str, placed: Callable[[Edit, str, str], Edit]) -> None:
    check(*CASES[case], placed)


def test_rejections_in_a_row() -> None:
    desk = Desk("$0")

    def reject() -> None:
        desk.offer(LINE)
        desk.wait()
        desk.type("x")

    def counted(*steps: Callable[[], object]) -> int:
        for step in steps:
            step()
        return desk.feedback.rejections

    assert counted(reject, reject) == 2
    assert counted(lambda: (desk.offer(LINE), desk.insert(LINE))) == 0
    assert counted(reject) == 1
    assert counted(lambda: desk.ask(manual=True)) == 0
    assert counted(reject, reject) == 2
    assert counted(lambda: desk.feedback.left()) == 0
    assert counted(reject, lambda: (desk.offer("ab"), desk.insert("x"))) == 1, "never shown"
    assert counted(lambda: (desk.offer(LINE), desk.wait(), desk.insert("return"))) == 0


def test_characters() -> None:
    """Everything inserted is counted once, by the way it came."""
    desk = Desk("$0")
    desk.type("def f():")
    desk.insert("\n    ")
    desk.offer(LINE)
    desk.insert(LINE)
    desk.insert("# pasted from somewhere\n")
    desk.offer("abc d")
    desk.insert("a")
    desk.insert("bc")
    found = desk.feedback.inserted
    assert (found.completed, found.typed, found.other) == (13 + 2, 8 + 5 + 1, 24)
    desk.insert(" ")
    desk.took(4, 2)
    assert (found.completed, found.typed) == (13 + 2 + 1, 8 + 5 + 1), "told, not typed"


def test_nothing_is_due_while_nothing_is_pending() -> None:
    desk = Desk("$0")
    assert desk.feedback.due is None
    desk.offer(LINE)
    assert desk.feedback.due == 100.25
    desk.wait()
    assert desk.feedback.due is None
    desk.insert(LINE)
    assert desk.feedback.due == pytest.approx(130.3)
    desk.wait(30)
    assert desk.feedback.due == pytest.approx(400.3)
    desk.wait(300)
    assert desk.feedback.due is None


WORDS = st.text("ab (\n", max_size=6)


@given(st.lists(st.tuples(WORDS, WORDS, WORDS), max_size=8), st.randoms(use_true_random=False))
def test_no_order_of_events_breaks_it(
    rounds: list[tuple[str, str, str]], chance: random.Random
) -> None:
    """A suggestion has one end at most, and an accepted one has no other."""
    desk = Desk("ab$0ab", chance.choice(PLACEMENTS))
    for offered, first, second in rounds:
        desk.cursor = chance.randint(0, len(desk.text))
        desk.offer(*([offered] if offered else []))
        desk.wait(chance.choice((0.1, 0.3, 40)))
        steps = [
            lambda text=first: desk.insert(text),
            lambda text=second: desk.insert(text),
            lambda: desk.cursor and desk.erase(),
            desk.ask,
            lambda: desk.command(desk.number),
            lambda: desk.took(2, desk.number),
        ]
        for step in chance.sample(steps, 3):
            step()
    desk.close()
    ends = [e.number for e in desk.events if e.kind in ("rejected", "ignored")]
    assert len(ends) == len(set(ends))
    shown = [e.number for e in desk.events if e.kind == "shown"]
    assert len(shown) == len(set(shown))
    assert {e.number for e in desk.events} <= set(shown)
    found = desk.feedback.inserted
    assert min(found.completed, found.typed, found.other) >= 0


def reference(text: str, found: str) -> int:
    """By the textbook: the best of the last column where every first row is free."""
    row = list(range(len(text) + 1))
    best = row[-1]
    for letter in found:
        above = row
        row = [0]
        for n, own in enumerate(text, 1):
            row.append(min(above[n] + 1, row[n - 1] + 1, above[n - 1] + (own != letter)))
        best = min(best, row[-1])
    return best


@given(st.text("abc", max_size=80), st.text("abc", max_size=80))
def test_edits_are_counted_as_the_textbook_counts(text: str, found: str) -> None:
    assert edits(text, found) == reference(text, found)


@pytest.mark.parametrize(
    ("text", "found", "there"),
    [
        ("return number", "return number", True),
        ("return number", "x = 1\nreturn   number\n", True),
        ("return number", "return numbers + 1", True),
        ("return number", "return num", True),
        ("return number", "return x", False),
        ("return number", "", False),
        ("name", "names", True),
        ("foo", "fob", False),
        ("foo", "x" * 30_000 + "foo", True),
        ("foo", "x" * 30_000 + "fxo", False),
    ],
)
def test_still_there(text: str, found: str, there: bool) -> None:
    assert still_there(text, found) is there
