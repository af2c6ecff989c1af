"""Numbers about suggestions: how they are gathered, kept, and told."""

import asyncio
import json
import os
import sqlite3
import stat
import time
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from wicket.server import stats_verb
from wicket.server.__main__ import parser
from wicket.server.documents import Documents
from wicket.server.paths import Paths
from wicket.server.stats import figures, picture, store
from wicket.server.stats.observer import Observer
from wicket.server.stats.store import DAY, Numbers, Row, Unusable

NOW = 1_800_000_000
TODAY = store.day(NOW)
URI = "file:///secret/place/a.py"
LINE = "return the_secret_number"


def row(number: str | None = "a-1", at: int = NOW, outcome: str = "accepted", **more: Any) -> Row:
    known = {"language": "python", "model": "m", "source": "model", "rules": "indent brackets"}
    return Row(number, at, **(known | {"manual": 0} | more), outcome=outcome)


def numbers(*rows: Row, ms: float = 20.0) -> Numbers:
    answers = Counter({(TODAY, "python", "m", "model", ms): max(1, len(rows))})
    return Numbers(rows, answers, {(TODAY, "python"): (10, 30, 5)})


# Kept


def test_what_is_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "state" / store.FILE
    assert store.read(file) == Numbers()
    first = row(inserted=7)
    store.write(file, numbers(first), NOW)
    later = row(inserted=7, kept_30=1, kept_300=0)
    store.write(file, numbers(later, row("a-2", outcome="rejected")), NOW)
    found = store.read(file)
    assert found.rows == [later, row("a-2", outcome="rejected")]
    assert found.answers == {(TODAY, "python", "m", "model", 20.0): 3}
    assert found.characters == {(TODAY, "python"): (20, 60, 10)}
    assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == [store.FILE]


def test_old_rows_become_counts_per_day_and_then_go(tmp_path: Path) -> None:
    file = tmp_path / store.FILE
    old = NOW - 100 * DAY
    same = [row(f"a-{n}", old + n, inserted=n, kept_30=1, chance=n / 500) for n in range(500)]
    other = row("b-1", old, outcome="rejected")
    ancient = row("c-1", NOW - 800 * DAY)
    store.write(file, Numbers([*same, other, ancient, row("d-1")]), NOW)
    total = sum(range(500))
    expected = [
        row(None, store.day(old), inserted=total, kept_30=1, count=500),
        row(None, store.day(old), outcome="rejected"),
        row("d-1"),
    ]
    assert sorted(store.read(file).rows, key=lambda r: (r.at, -r.count)) == expected
    store.write(file, Numbers(), NOW)
    assert len(store.read(file).rows) == 3
    assert store.read(file, NOW - DAY).rows == [row("d-1")]


FORMAT_1 = """
CREATE TABLE suggestion (number TEXT UNIQUE, at INTEGER, language TEXT, model TEXT, source TEXT,
  rules TEXT, manual INTEGER, outcome TEXT, inserted INTEGER, kept_30 INTEGER, kept_300 INTEGER,
  count INTEGER);
CREATE TABLE answer (day INTEGER, language TEXT, model TEXT, source TEXT, ms REAL, count INTEGER,
  PRIMARY KEY (day, language, model, source, ms));
CREATE TABLE characters (day INTEGER, language TEXT, completed INTEGER, typed INTEGER,
  other INTEGER, PRIMARY KEY (day, language));
INSERT INTO suggestion VALUES ('o-1', 1799999999, 'python', 'm', 'model', 'indent brackets', 0,
  'accepted', 7, 1, NULL, 1);
PRAGMA user_version = 1;
"""


def test_a_file_of_before_is_read_and_goes_on(tmp_path: Path) -> None:
    file = tmp_path / store.FILE
    with sqlite3.connect(file) as database:
        database.executescript(FORMAT_1)
    database.close()
    file.chmod(0o600)
    old = row("o-1", NOW - 1, inserted=7, kept_30=1)
    assert store.read(file).rows == [old]
    for number in ("a-1", "a-2"):
        store.write(file, numbers(row(number, chance=0.25)), NOW)
    assert store.read(file).rows == [old, row("a-1", chance=0.25), row("a-2", chance=0.25)]


def damage(file: Path) -> None:
    file.write_bytes(b"no database" * 999)


def renew(file: Path) -> None:
    store.write(file, Numbers(), NOW)
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()


def link(file: Path) -> None:
    other = file.with_name("other")
    other.touch()
    file.symlink_to(other)


def hold(file: Path) -> sqlite3.Connection:
    store.write(file, Numbers(), NOW)
    database = sqlite3.connect(file)
    database.execute("BEGIN EXCLUSIVE")
    return database


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (damage, "is damaged (file is not a database); remove it"),
        (renew, "its format 99 is of a newer Wicket"),
        (hold, "database is locked; try again"),
        (link, ": Too many levels of symbolic links"),
        (Path.mkdir, "make its folder writable"),
    ],
)
def test_a_file_that_cannot_be_used(
    tmp_path: Path, spoil: Callable[[Path], Any], said: str
) -> None:
    file = tmp_path / store.FILE
    held = spoil(file)
    with pytest.raises(Unusable) as raised:
        store.write(file, numbers(row()), NOW)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    if held:
        held.close()


def test_no_place_inside_an_open_folder(tmp_path: Path) -> None:
    paths = Paths.of({"HOME": str(tmp_path)})
    assert store.place(paths, [tmp_path]) == paths.stats / store.FILE, "one's own home"
    assert store.place(paths, [tmp_path / "elsewhere"]) is not None
    assert store.place(paths, [tmp_path / ".local"]) is None


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("python", "python"),
        ("/home/me/m.gguf", "m.gguf"),
        ("a\nb", "ab"),
        ("", "unknown"),
        (None, "unknown"),
        ("x" * 999, "x" * store.LONGEST_NAME),
    ],
)
def test_names(said: str | None, kept: str) -> None:
    assert store.name(said) == kept


# Gathered


class Hurried(asyncio.SelectorEventLoop):
    """A loop whose clock jumps to the next timer when nothing else is left to do."""

    ahead = 0.0
    busiest = 0

    def time(self) -> float:
        return super().time() + self.ahead

    @property
    def timers(self) -> list[Any]:
        return [handle for handle in self._scheduled if not handle.cancelled()]  # type: ignore[attr-defined]

    def _run_once(self) -> None:
        self.busiest = max(self.busiest, len(self.timers))
        if not self._ready and self.timers:  # type: ignore[attr-defined]
            self.ahead += max(0.0, min(t.when() for t in self.timers) - self.time())
        super()._run_once()  # type: ignore[misc]


class Editor:
    """Says to an observer what an editor says."""

    def __init__(self, file: Path | None) -> None:
        self.known: dict[str, dict[str, Any]] = {}
        self.chance = 0.3
        self.observer = Observer(self.known.get)
        self.observer.path = file
        self.documents = Documents()
        self.observer.observe(self.documents)

    def open(self, text: str = "", uri: str = URI) -> None:
        self.documents.open(types.TextDocumentItem(uri, "python", 1, text))

    def change(self, line: int, column: int, text: str, uri: str = URI) -> None:
        place = types.Position(line, column)
        change = types.TextDocumentContentChangePartial(types.Range(place, place), text)
        identifier = types.VersionedTextDocumentIdentifier(2, uri)
        self.documents.change(types.DidChangeTextDocumentParams(identifier, [change]))

    def ask(self, line: int, column: int, *texts: str, uri: str = URI, kind: int = 2) -> None:
        """A request and its answer; the numbers go up from 1."""
        place = types.Position(line, column)
        context = types.InlineCompletionContext(types.InlineCompletionTriggerKind(kind))
        params = types.InlineCompletionParams(context, types.TextDocumentIdentifier(uri), place)
        asked = self.observer.asked(self.documents.get(uri), params)
        items = list[types.InlineCompletionItem]()
        for text in texts:
            number = str(len(self.known) + 1)
            known = {"source": "model", "model": "m", "rules": ["indent"], "chance": self.chance}
            self.known[number] = known
            command = types.Command("", "wicket.accepted", arguments=[number])
            items.append(types.InlineCompletionItem(text, command=command))
        self.observer.answered(asked, types.InlineCompletionList(items))


Told = Callable[[Editor], Coroutine[Any, Any, object]]


def gathered(tell: Told, file: Path) -> tuple[Numbers, Hurried]:
    """What is kept of what `tell` says, and the loop in which it was said."""
    loop = Hurried()

    editor = Editor(file)
    try:
        loop.run_until_complete(tell(editor))
    finally:
        loop.close()
    editor.observer.close()
    return store.read(file), loop


async def accept(editor: Editor) -> None:
    editor.open("x = 1\n")
    editor.ask(1, 0, LINE)
    await asyncio.sleep(0.3)
    editor.change(1, 0, LINE)
    editor.observer.accepted("1")
    await asyncio.sleep(40)
    editor.change(1, 0, "  # typed by hand")
    await asyncio.sleep(400)


def test_an_accepted_suggestion_is_one_row(tmp_path: Path) -> None:
    file = tmp_path / store.FILE
    found, loop = gathered(accept, file)
    [kept] = found.rows
    assert (kept.outcome, kept.inserted, kept.kept_30, kept.kept_300) == ("accepted", 24, 1, 1)
    assert (kept.language, kept.model, kept.source, kept.rules) == (
        "python",
        "m",
        "model",
        "indent",
    )
    assert kept.chance == 0.3
    assert list(found.characters.values()) == [(24, 0, 17)]
    assert sum(found.answers.values()) == 1
    # The sleep of the test itself is the other one.
    assert loop.busiest <= 2
    assert loop.timers == []


def test_neither_code_nor_paths_are_kept_nor_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    file = tmp_path / store.FILE
    gathered(accept, file)
    everything = file.read_bytes().decode("latin-1") + caplog.text
    assert "suggestion 1: accepted 24 0" in caplog.text
    for word in ("secret", "return", "typed by hand", "place", "a.py"):
        assert word not in everything


def test_nothing_is_scheduled_while_nothing_is_pending() -> None:
    loop = Hurried()

    async def session() -> None:
        editor = Editor(None)
        editor.open("x = 1\n")
        assert loop.timers == []
        editor.change(1, 0, "y")
        editor.ask(1, 1, "es")
        assert len(loop.timers) == 1
        await asyncio.sleep(60)
        assert loop.timers == [], "a suggestion that is only looked at needs no timer"

    loop.run_until_complete(session())
    loop.close()


async def look_at_two_documents(editor: Editor) -> None:
    other = "file:///secret/place/b.py"
    for uri in (URI, other):
        editor.open("", uri)
    for _ in range(3):
        editor.ask(0, 0, LINE)
        await asyncio.sleep(0.3)
        editor.change(0, 0, "x")
    assert editor.observer.rejections(URI) == 3
    editor.ask(0, 0, LINE)
    await asyncio.sleep(0.3)
    editor.ask(0, 0, uri=other)
    assert editor.observer.rejections(URI) == 0
    editor.documents.close(URI)
    assert editor.observer.rejections(URI) == 0


def test_rejections_and_leaving(tmp_path: Path) -> None:
    found, _loop = gathered(look_at_two_documents, tmp_path / store.FILE)
    assert [one.outcome for one in found.rows] == ["rejected"] * 3 + ["ignored"]


async def keep_the_loop_busy(editor: Editor) -> None:
    editor.open()
    editor.ask(0, 0, LINE)
    time.sleep(0.3)  # noqa: ASYNC251 - nothing else runs meanwhile, on purpose
    editor.change(0, 0, "x")


def test_what_is_due_comes_before_what_is_heard(tmp_path: Path) -> None:
    found, _loop = gathered(keep_the_loop_busy, tmp_path / store.FILE)
    assert [one.outcome for one in found.rows] == ["rejected"]


async def tell_as_copilot_does(editor: Editor) -> None:
    editor.open()
    editor.ask(0, 0, LINE)
    item = {"insertText": LINE, "command": {"command": "wicket.accepted", "arguments": ["1"]}}
    editor.observer.showed(item)
    editor.change(0, 0, "return")
    editor.observer.took(item, 6)
    for nonsense in (None, [], {}, {"command": 1}, {"command": {"arguments": {}}}):
        editor.observer.showed(nonsense)
        editor.observer.took(nonsense, "x")


def test_notifications_of_clients(tmp_path: Path) -> None:
    found, _loop = gathered(tell_as_copilot_does, tmp_path / store.FILE)
    assert [(one.outcome, one.inserted) for one in found.rows] == [("partial", 6)]


def test_a_file_that_cannot_be_written_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    damage(tmp_path / store.FILE)

    async def type_slowly(editor: Editor) -> None:
        editor.open()
        for _ in range(3):
            editor.change(0, 0, "x")
            await asyncio.sleep(30)

    with pytest.raises(Unusable):
        gathered(type_slowly, tmp_path / store.FILE)
    assert caplog.text.count("is damaged") == 1


# Told


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    # By the formula in Wilson (1927), to four digits.
    [(0, 0, 0, 1), (0, 10, 0, 0.2775), (5, 10, 0.2366, 0.7634), (300, 1000, 0.2724, 0.3291)],
)
def test_shares(part: int, whole: int, low: float, high: float) -> None:
    assert figures.Share(part, whole).bounds == pytest.approx((low, high), abs=1e-4)


def test_percentiles() -> None:
    assert figures.percentiles({}) == {}
    assert figures.percentiles({7.0: 1}) == dict.fromkeys(figures.PERCENTILES, 7.0)
    counts = {float(ms): 1 for ms in range(1, 101)}
    assert figures.percentiles(counts) == {50: 50, 90: 90, 95: 95, 99: 99}


def full() -> Numbers:
    rows = [
        row("1", inserted=10, kept_30=1, kept_300=0),
        row("2", inserted=5, outcome="partial", kept_30=0),
        row("3", outcome="rejected", language="go", rules=""),
        row(None, NOW - DAY, outcome="ignored", count=6),
        row("5", outcome="typed", source="cache"),
    ]
    return Numbers(
        rows,
        Counter({(TODAY, "python", "m", "model", 20.0): 9, (TODAY, "go", "m", "model", 80.0): 1}),
        {(TODAY, "python"): (15, 45, 40), (TODAY - DAY, "go"): (0, 0, 0)},
    )


def test_summary() -> None:
    found = figures.summary(full())
    total = found.total
    assert dict(total.outcomes) == {
        "accepted": 1, "partial": 1, "typed": 1, "rejected": 1, "ignored": 6
    }  # fmt: skip
    assert (total.shown, total.inserted) == (10, 15)
    assert (total.kept_30, total.kept_300) == (figures.Share(1, 2), figures.Share(0, 1))
    assert (found.completed.value, found.of_all.value) == (0.25, 0.15)
    assert total.latency == {50: 20.0, 90: 20.0, 95: 80.0, 99: 80.0}
    shown = {kind: {one.name: one.shown for one in all} for kind, all in found.groups.items()}
    assert shown == {
        "language": {"python": 9, "go": 1},
        "model": {"m": 10},
        "source": {"model": 9, "cache": 1},
        "rule": {"indent": 9, "brackets": 9, "none": 1},
    }
    [python, go] = found.groups["language"]
    assert (python.latency[95], go.latency[95]) == (20.0, 80.0)
    assert [today.start for today in found.days] == [TODAY - DAY, TODAY]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory for the verb to read; its file may be written."""
    for name in ("CONFIG", "STATE", "CACHE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(tmp_path / name))
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path / "STATE" / "wicket" / "stats" / store.FILE


def run(*arguments: str) -> int:
    return stats_verb.run(parser().parse_args(["stats", *arguments]))


def test_the_verb(told: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    assert "Nothing was suggested yet" in capsys.readouterr().out
    assert run("--picture", str(tmp_path / "empty.svg")) == 0
    ET.parse(tmp_path / "empty.svg")
    capsys.readouterr()

    store.write(told, full(), NOW)
    assert run("--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["acceptance"]["value"] == 0.1
    assert said["by"]["language"]["python"]["shown"] == 9
    assert said["completed_code"]["of_all_inserted"] == 0.15

    assert run("--picture", str(tmp_path / "all.svg")) == 0
    shown = capsys.readouterr().out
    assert "10 shown: 10 % accepted" in shown
    assert "…" not in shown, "the tables fit 80 columns"
    assert "language python" in "".join(ET.parse(tmp_path / "all.svg").getroot().itertext())

    assert run("--since", "2100-01-01", "--json") == 0
    assert json.loads(capsys.readouterr().out)["shown"] == 0
    for wrong in ("x", "7", "2026-13-01", "-1d"):
        assert run(f"--since={wrong}") == 2
    assert run("--picture", str(tmp_path / "no" / "such.svg")) == 1
    damage(told)
    assert run() == 1
    assert capsys.readouterr().err.count("\n") == 6


def test_the_histogram_has_no_gaps() -> None:
    found = figures.summary(
        Numbers((), Counter({(0, "", "", "", 1.0): 2, (0, "", "", "", 8.0): 1}))
    )
    assert picture.histogram(found) == [
        pytest.approx((2 ** (n / 2), count)) for n, count in enumerate((2, 0, 0, 0, 0, 0, 1))
    ]
