"""`wicket audit report`: what the page says is so, and nothing in a log can act on it."""

import asyncio
import base64
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from wicket.escalation.audit import reading
from wicket.escalation.audit.findings import Report
from wicket.escalation.audit.frame import ReaderKey
from wicket.escalation.audit.leaf import Leaf, Tail
from wicket.escalation.audit.records import (
    Actor,
    Anchor,
    Annotation,
    Decision,
    Denied,
    Endpoint,
    Outcome,
    Provider,
    Redaction,
    Workspace,
)
from wicket.escalation.audit.shapes import dump, to_json
from wicket.escalation.audit.summary import (
    DAYS_LIMIT,
    KEYS_LIMIT,
    NEWEST_LIMIT,
    WAITING_LIMIT,
    Wanted,
    summarize,
)
from wicket.server.audit_page import ROWS_LIMIT, Facts, age, page, plain, size

from ..escalation.audit_story import Story
from ..escalation.audit_world import intent
from .test_audit import SECRET, House, Run, house, run

__all__ = ["house", "run"]

NOTHING_HIDDEN = "".join(chr(c) for c in (0x202E, 0x2066, 0x200B, 0x1B, 0, 0x2028, 0xE0041, 0xAD))
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></style><link rel=stylesheet href=//evil.example>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    NOTHING_HIDDEN + "ada",
    "a" + "\u0336" * 500,
    "x" * 5000,
)
# Nothing else is on the page: no script, no picture, no form, nothing that is fetched.
TAGS = """html head meta title style body header footer main nav h1 h2 p a div span strong em br
    code pre bdi dl dt dd table caption thead tbody tr th td details summary svg g rect line text
    """
ATTRIBUTES = """lang charset http-equiv content name class id href aria-label role scope data-is
    viewbox x y x1 x2 y1 y2 width height text-anchor
    """


class Reader(HTMLParser):
    """What a browser would see: tags, attributes, and the text that is shown."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str | None]] = []
        self.shown: list[str] = []
        self.style = ""
        self._inside: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += attrs
        self._inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self._inside and self._inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._inside and self._inside[-1] == "style":
            self.style += data
        else:
            self.shown.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.shown))


def check_harmless(made: str) -> Reader:
    """Only known tags and attributes, only inner links, and the policy that says so too."""
    reader = Reader(made)
    assert reader.tags <= set(TAGS.split()), reader.tags
    assert {name for name, _ in reader.attributes} <= set(ATTRIBUTES.split())
    assert all(value and value[0] == "#" for name, value in reader.attributes if name == "href")
    assert not re.search(r"url\(|@import|expression", reader.style)
    digest = base64.b64encode(hashlib.sha256(reader.style.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert ("content", policy) in reader.attributes
    assert [c for c in made if not c.isprintable() and c != "\n"] == []
    return reader


def test_nothing_in_a_log_can_act_on_the_page(house: House, run: Run) -> None:
    """Names, hosts, models, reasons, errors, notes, anchors and payloads of the worst kind."""

    async def write() -> None:
        log = await house.open()
        for bad in HOSTILE:
            provider = Provider(bad, Endpoint(bad, bad, 443, bad), bad, bad, bad)
            record = intent(
                bad, actor=Actor(bad, 1, bad, bad), purpose=bad, provider=provider, model=bad,
                redactions=(Redaction(bad, bad, bad, 1, (bad,)),),
            )  # fmt: skip
            receipt = await log.intent(record, bad.encode(), {bad: bad.encode()})
            await log.outcome(receipt, Outcome("failed", error=bad), {"response": bad.encode()})
            said = Decision("0" * 64, bad, bad, bad)
            await log.note(Denied(Actor(bad, 1, bad), bad, said))
            await log.note(Annotation(bad, bad, bad))
            await log.note(Anchor(bad, bad, 1, bad))
        await log.close(HOSTILE[0])

    asyncio.run(write())
    for words in ((), ("--payload",), ("--user", HOSTILE[1]), ("--repo", HOSTILE[1])):
        code, made = run("report", *words)
        assert code == 0
        said = check_harmless(made)
        if "--repo" not in words:
            assert HOSTILE[1] in said.text
        if len(words) < 2:
            assert (
                "[U+202E][U+2066][U+200B][U+001B][U+0000][U+2028][U+E0041][U+00AD]ada" in said.text
            )
            assert "{{ 7 * 7 }}" in said.text
            assert "more characters" in said.text


def test_the_figures_are_those_of_the_log(house: House, run: Run, tmp_path: Path) -> None:
    """Counted a second time, from the records as they are."""
    story = tell(house, tmp_path)
    rows = [json.loads(line) for _leaf, line in reading.leaves(house.directory)]

    def data(kind: str, **wanted: object) -> list[dict[str, object]]:
        found = [row["data"] for row in rows if row["type"] == kind]
        return [one for one in found if all(one[k] == v for k, v in wanted.items())]

    code, made = run("report")
    said = check_harmless(made).text
    assert code == 0
    assert f"Whole: verified to record {len(rows) - 1}" in said
    sent = sum(one["sent"] or 0 for one in data("outcome"))  # type: ignore[misc]
    masked = sum(m["count"] for one in data("intent") for m in one["redactions"])  # type: ignore
    cost = sum(one["cost"] or 0 for one in data("outcome"))  # type: ignore[misc]
    failed = [o for o in data("outcome") if o["status"] in ("http_error", "timeout")]
    for shown in (
        f"Requests {len(data('intent'))} ",
        f"Left this machine {size(sent)} ",
        "Hosts contacted 2 ",
        f"Masked {masked} ",
        f"Denied {len(data('denied'))} ",
        f"Crashes {len(data('outcome', status='unknown_crash'))} ",
        f"Failed sends {len(failed)} ",
        f"Cost ${cost / 1e6:,.2f} ",
        f"{len(data('anchor'))} agrees",
        "https://llm.bank.example:8443",
        "laid a hold case 2026-117 on 1 records: preserve for the inquiry",
    ):
        assert shown in said, shown
    assert len(data("outcome", status="unknown_crash")) == 1
    assert len(failed) > 0
    assert len(story.intents) > 20


def tell(house: House, tmp_path: Path, days: int = 16) -> Story:
    """Weeks of a team in the log of the house."""
    (away := tmp_path / "away").mkdir()
    assert house.key
    assert house.place.head
    after = 1_900_000_000_000
    story = Story(house.directory, house.place.head, house.key, away, after)
    asyncio.run(story.tell(days))
    return story


def test_only_some_requests(house: House, run: Run) -> None:
    """By time, user and repository; the log is verified as a whole all the same."""

    async def write() -> None:
        log = await house.open()
        own = Workspace(log.pseudonym("/src/payments"), log.pseudonym("git@host:payments"))
        for number in range(4):
            record = intent(f"f{number}", actor=Actor("grace", 1, "h"), workspace=own)
            await log.outcome(await log.intent(record, b"x"), Outcome("ok", sent=1))
        await log.close()
        names.append(log.pseudonym("/src/payments"))

    names: list[str] = []
    asyncio.run(write())
    [name] = names
    copy = house.home / "copy" / house.directory.name
    shutil.copytree(house.directory, copy)
    for words, requests in (
        ((), 7),
        (("--user", "grace"), 4),
        (("--user", "nobody"), 0),
        (("--repo", "/src/payments"), 4),
        (("--repo", "git@host:payments"), 4),
        (("--repo", name[:8]), 4),
        (("--repo", name[:7]), 0),
        (("--repo", "/src/other"), 0),
        (("--repo", name, "--dir", str(copy)), 4),
        (("--repo", "/src/payments", "--dir", str(copy)), 0),
        (("--since", "2000-01-01"), 7),
        (("--since", "2999-01-01"), 0),
        (("--since", "2000-01-01T00:00:00+14:00", "--user", "ada"), 3),
    ):
        code, made = run("report", *words)
        said = Reader(made).text
        assert (code, f"Requests {requests} " in said) == (0, True), words
        assert "Whole: verified to record" in said
        assert ("are counted here" in said) == bool(words[:1] and words[0] != "--dir")
    code, said = run("report", "--since", "yesterday")
    assert (code, said.count("\n")) == (1, 1)
    assert "no date" in said


def test_a_log_that_was_changed(house: House, run: Run) -> None:
    """The page says so first, and where; a broken line ends the figures, not the page."""
    copy = house.home / "copy" / house.directory.name
    for old, new, broken in ((b'"explain"', b'"refused"', True), (b'"ok"', b'"oh"', True)):
        shutil.copytree(house.directory, copy)
        segment = copy / "seg-0000000001.jsonl"
        segment.chmod(0o600)
        segment.write_bytes(segment.read_bytes().replace(old, new, 1))
        code, made = run("report", "--dir", str(copy))
        made, _, complaint = made.rpartition("</html>\n")
        said = check_harmless(made).text
        assert code == 1
        assert "TAMPERED WITH" in complaint
        assert "TAMPERED WITH: do not rely on this page" in said
        assert "seg-0000000001.jsonl" in said
        assert ("The figures on this page end before record" in said) == broken
        shutil.rmtree(copy)
    shutil.copytree(house.directory, copy)
    (copy / "checkpoint").unlink()
    code, made = run("report", "--dir", str(copy))
    assert (code, "! Incomplete" in Reader(made).text) == (0, True)


def test_content_only_with_a_key(house: House, run: Run) -> None:
    """Without one the page has none, and says how; opening it goes on record first."""
    secret = (SECRET % 1).decode()
    code, made = run("report")
    assert (code, secret in made) == (0, False)
    assert "wicket audit report --payload --reader KEYFILE" in Reader(made).text
    code, made = run("report", "--payload")
    assert (code, secret in made) == (0, True)
    accesses = [leaf for leaf, _ in reading.leaves(house.directory) if leaf.tail.type == "access"]
    assert accesses[0].data["purpose"] == "wicket audit report --payload"
    assert set(accesses[0].data["seqs"]) == {2, 3, 4, 5, 6, 7}
    other = house.home / "other.key"
    other.write_text(f"{ReaderKey.new()}\n")
    code, made = run("report", "--payload", "--reader", str(other))
    assert (code, secret in made, "sealed to other keys" in made) == (0, False, True), made[-3000:]
    run("erase", "exchange:e1", "--yes", "--reason", "asked")
    code, made = run("report", "--payload")
    assert (code, secret in made, "erased" in made) == (0, False, True)


def leaf(seq: int, record: object, ref: int | None = None, day: int = 0) -> tuple[Leaf, bytes]:
    ts = f"2026-{1 + day // 28 % 12:02}-{1 + day % 28:02}T00:00:00.000Z"
    ts = ts.replace("2026", str(2026 + day // 336))
    kind = type(record).__name__.lower()
    zero = "0" * 64
    its = Tail("b", seq, str(seq), zero[:32], 0, None, zero, ref, seq, ts, kind, "w", zero)
    return Leaf(its, dump(to_json(record))), b""


def test_a_large_log_takes_no_more_room() -> None:
    """Tables and lists have an end, nothing is lost from the sums, and the page says so."""
    count = WAITING_LIMIT + 3000

    def records() -> Iterator[tuple[Leaf, bytes]]:
        for n in range(count):
            where = Provider("p", Endpoint("https", f"host-{n}.example", 443, "/"))
            who = Actor(f"user-{n}", 1, "h")
            yield leaf(2 * n, intent(f"e{n}", actor=who, provider=where), day=n)
            yield leaf(2 * n + 1, Outcome("timeout", sent=5, error="late"), 2 * n, day=n)
        for n in range(count):
            yield leaf(2 * count + n, intent(f"open-{n}", actor=Actor("z", 1, "h")))
            yield leaf(3 * count + n, Denied(Actor(f"u{n}", 1, "h"), "x", Decision("0", "never")))

    found = summarize(records(), Wanted())
    assert (found.total.requests, found.total.failed, found.total.sent) == (
        2 * count,
        count,
        5 * count,
    )
    for table in (found.hosts, found.whom, found.denied):
        assert len(table.rows) == KEYS_LIMIT
        assert table.others
    assert found.whom.others
    assert (
        sum(row.requests for row in found.whom.rows.values()) + found.whom.others.requests
        == 2 * count
    )
    assert (len(found.failures.rows), found.failures.count) == (NEWEST_LIMIT, count)
    assert (len(found.waiting), found.forgotten) == (WAITING_LIMIT, count - WAITING_LIMIT)
    assert len(found.days) == DAYS_LIMIT
    made = page(Facts("0" * 32, datetime.now(UTC), found, Report("x")))
    assert len(made) < 300_000
    said = Reader(made).text
    assert f"{KEYS_LIMIT - ROWS_LIMIT} more rows are not shown, and others beyond" in said
    assert f"{count - NEWEST_LIMIT:,} older ones are not shown" in said


@pytest.mark.parametrize(
    ("ts", "said"),
    [
        ("2026-01-31T12:00:00.000Z", "0 s"),
        ("2026-01-31T11:58:30.000Z", "1 min"),
        ("2026-01-31T10:58:30.000Z", "1 h 1 min"),
        ("2026-01-29T10:58:30.000Z", "2 d 1 h"),
        ("2026-02-29T10:58:30.000Z", "unknown"),
        ("2027-01-01T00:00:00.000Z", "in the future"),
        ("", "unknown"),
    ],
)
def test_ages(ts: str, said: str) -> None:
    assert age(datetime(2026, 1, 31, 12, tzinfo=UTC), ts) == said


def test_names_for_machines_show_letters_that_only_look_alike() -> None:
    assert plain("api.\u0430nthropic.com") == "api.[U+0430]nthropic.com"
    assert [size(n) for n in (None, 999, 1000, 2_500_000)] == ["–", "999 B", "1.0 KB", "2.5 MB"]  # noqa: RUF001
