"""A model that is fetched arrives whole or not at all, whatever the network does."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from wicket.completion.connection import trusted
from wicket.completion.models import fetching, shipped
from wicket.completion.models.fetching import ATTEMPTS, CannotFetch, Fetched, Way, fetch

from .hub_server import Hub, serving

MODEL = (shipped() / "wicket-base-q8_0.gguf").read_bytes()
DIGEST = hashlib.sha256(MODEL).hexdigest()
HALF = len(MODEL) // 2


class Laptop:
    """Who fetches: one part, what was paused for, which addresses were asked for."""

    def __init__(self, hub: Hub, folder: Path) -> None:
        self.hub, self.part = hub, folder / "tiny.gguf.part"
        self.pauses: list[float] = []
        self.admitted: list[tuple[str, int]] = []
        self.seen: list[tuple[int, int]] = []
        self.token: Callable[[bool], str] | None = None

    def fetch(self, expected: str = "", url: str = "") -> Fetched:
        self.seen.clear()
        with fetching.client(None, trusted(None)) as http:
            way = Way(
                http,
                admit=lambda host, port: self.admitted.append((host, port)),
                token=self.token,
                pause=lambda seconds, _why: self.pauses.append(seconds),
            )
            return fetch(
                url or self.hub.file_url,
                self.part,
                way,
                expected,
                lambda *at: self.seen.append(at),
            )

    def refused(self, *parts: str, **how: str) -> str:
        with pytest.raises(CannotFetch) as error:
            self.fetch(**how)
        line = str(error.value)
        assert line.isprintable()
        for part in parts:
            assert part in line
        return line

    def arrived(self) -> bool:
        return self.part.exists() and self.part.read_bytes() == MODEL


@pytest.fixture
def laptop(tmp_path: Path) -> Iterator[Laptop]:
    with serving(Hub(MODEL)) as hub:
        yield Laptop(hub, tmp_path)


def test_a_real_model_arrives_whole(laptop: Laptop) -> None:
    """The hub says what it is, another server gives it; the bar reaches its end."""
    assert laptop.fetch() == Fetched(laptop.part, DIGEST, len(MODEL), vouched=True)
    assert laptop.arrived()
    assert [(one.server, one.method) for one in laptop.hub.asked] == [
        ("hub", "HEAD"),
        ("cdn", "GET"),
    ]
    assert laptop.seen[-1] == (len(MODEL),) * 2
    assert len(laptop.seen) >= 7
    assert {port for _host, port in laptop.admitted} == {
        int(url.rpartition(":")[2]) for url in (laptop.hub.url, laptop.hub.cdn)
    }


def test_a_cut_connection_goes_on_where_it_broke(laptop: Laptop) -> None:
    """Three cuts, each with something new: no byte is asked for twice."""
    laptop.hub.cuts = [HALF, 1 << 20, 1 << 20]
    laptop.fetch()
    assert laptop.arrived()
    ranges = [one.range for one in laptop.hub.gets()]
    assert ranges[0] is None
    starts = [int(str(said)[6:-1]) for said in ranges[1:]]
    assert starts == sorted(starts)
    assert len(starts) == 3
    assert starts[0] <= HALF
    assert laptop.pauses == [1.0, 1.0, 1.0]


def test_a_line_that_brings_nothing_is_given_up(laptop: Laptop) -> None:
    laptop.hub.cuts = [HALF, *[0] * 20]
    line = laptop.refused("the connection broke", "are kept, pulling again goes on from there")
    assert line.startswith("tiny.gguf: ")
    assert len(laptop.hub.gets()) == ATTEMPTS
    laptop.hub.cuts.clear()
    laptop.fetch()
    assert laptop.arrived()
    assert laptop.hub.gets()[-1].range is not None


def test_an_interrupt_keeps_the_part(laptop: Laptop) -> None:
    """Ctrl-C in the middle; the next call asks for the rest alone."""

    def interrupt(done: int, _total: int) -> None:
        if done > HALF:
            raise KeyboardInterrupt

    with fetching.client(None, trusted(None)) as http, pytest.raises(KeyboardInterrupt):
        fetch(laptop.hub.file_url, laptop.part, Way(http), progress=interrupt)
    kept = laptop.part.stat().st_size
    assert HALF < kept < len(MODEL)
    laptop.fetch()
    assert laptop.arrived()
    assert laptop.hub.gets()[-1].range == f"bytes={kept}-"


def test_a_file_that_changed_meanwhile_begins_anew(laptop: Laptop) -> None:
    laptop.hub.cuts = [HALF, *[0] * 20]
    laptop.refused("broke")
    laptop.hub.cuts.clear()
    other = MODEL[:-4] + b"else"
    laptop.hub.content, laptop.hub.sha256 = other, hashlib.sha256(other).hexdigest()
    laptop.fetch()
    assert laptop.hub.gets()[-1].range is None
    assert laptop.part.read_bytes() == other


class TestWithoutAHash:
    """A plain server: what it says of the file is its size and a version."""

    @pytest.fixture(autouse=True)
    def plain(self, laptop: Laptop) -> None:
        self.url = f"{laptop.hub.cdn}/tiny.gguf"

    def test_the_digest_is_of_what_arrived(self, laptop: Laptop) -> None:
        assert laptop.fetch(url=self.url) == Fetched(laptop.part, DIGEST, len(MODEL), False)

    def test_the_rest_is_asked_for_only_of_the_same_version(self, laptop: Laptop) -> None:
        laptop.hub.cuts = [HALF, *[0] * 20]
        laptop.refused("broke", url=self.url)
        laptop.hub.cuts.clear()
        laptop.fetch(url=self.url)
        assert laptop.hub.gets()[-1].headers["if-range"] == '"v1"'
        assert laptop.arrived()

    @pytest.mark.parametrize("etag", ['"v2"', 'W/"v1"'])
    def test_another_or_an_unsure_version_begins_anew(self, laptop: Laptop, etag: str) -> None:
        laptop.hub.etag = etag if etag[0] == "W" else '"v1"'
        laptop.hub.cuts = [HALF, *[0] * 20]
        laptop.refused("broke", url=self.url)
        laptop.hub.cuts.clear()
        laptop.hub.etag = etag
        laptop.fetch(url=self.url)
        assert laptop.hub.gets()[-1].range is None
        assert laptop.arrived()

    def test_no_size_at_all(self, laptop: Laptop) -> None:
        laptop.hub.chunked = True
        assert laptop.fetch(url=self.url).size == len(MODEL)


def test_a_server_that_knows_no_ranges_gives_all_again(laptop: Laptop) -> None:
    laptop.hub.cuts, laptop.hub.ranges = [HALF], False
    laptop.fetch()
    assert laptop.arrived()


def test_another_part_than_was_asked_for_is_not_taken(laptop: Laptop) -> None:
    laptop.hub.cuts, laptop.hub.wrong_range = [HALF], True
    laptop.fetch()
    assert laptop.arrived()
    assert laptop.hub.gets()[-1].range is None


def test_a_wrong_sum_keeps_nothing(laptop: Laptop) -> None:
    laptop.hub.content = MODEL[:-1] + bytes([MODEL[-1] ^ 1])
    laptop.refused("arrived damaged", DIGEST, "pull it again")
    assert os.listdir(laptop.part.parent) == []


def test_a_pinned_sum_outranks_the_hub(laptop: Laptop) -> None:
    """The hub has replaced the file since it was first fetched."""
    laptop.refused("is another file now", "--accept-change", expected="0" * 64)
    assert laptop.hub.gets() == []
    laptop.hub.sha256 = None
    laptop.refused("arrived damaged", "0" * 64, expected="0" * 64)


@pytest.mark.parametrize(
    ("said", "content", "parts"),
    [
        (len(MODEL) - 1, MODEL, ("more came than the",)),
        (1 << 41, MODEL, ("takes 2097", "MB are free", "free some space")),
        (len(MODEL) + 5, MODEL, (f"only {len(MODEL)} of {len(MODEL) + 5} bytes came",)),
    ],
)
def test_a_lie_about_the_length(
    laptop: Laptop, said: int, content: bytes, parts: tuple[str, ...]
) -> None:
    laptop.hub.said_size, laptop.hub.content = said, content
    laptop.refused(*parts)


@pytest.mark.parametrize(
    ("status", "retry_after", "parts", "asked"),
    [
        (401, None, ("127.0.0.1 does not give tiny.gguf to strangers", "model import FILE"), 1),
        (403, None, ("to strangers (status 403)",), 1),
        (404, None, ("127.0.0.1 has no tiny.gguf; look at http", "/owner/tiny-GGUF"), 1),
        (418, None, ("answers with status 418",), 1),
        (429, None, ("asks for patience (status 429)",), ATTEMPTS),
        (429, "7", ("asks for patience for 7 s",), ATTEMPTS),
        (429, "3600", ("asks for patience for 3600 s",), 1),
        (503, None, ("answers with status 503",), ATTEMPTS),
    ],
)
def test_what_the_hub_refuses_is_one_line(
    laptop: Laptop, status: int, retry_after: str | None, parts: tuple[str, ...], asked: int
) -> None:
    laptop.hub.status, laptop.hub.retry_after = status, retry_after
    laptop.refused(*parts)
    assert len(laptop.hub.asked) == asked
    if asked > 1 and retry_after:
        assert laptop.pauses == [7.0] * (ATTEMPTS - 1)
    assert not laptop.part.exists()


def test_an_address_that_has_run_out_is_asked_for_anew(laptop: Laptop) -> None:
    """403 from who has the bytes is not the hub's refusal; so is an error in between."""
    laptop.hub.cdn_status = [403, 502]
    laptop.fetch()
    assert laptop.arrived()
    assert [one.method for one in laptop.hub.asked if one.server == "hub"] == ["HEAD"] * 3


def test_a_repository_that_moved(laptop: Laptop) -> None:
    laptop.hub.relative_hops = 2
    laptop.fetch()
    assert laptop.arrived()
    laptop.part.unlink()
    laptop.hub.relative_hops = 99
    laptop.refused("sent on more than 5 times")


@pytest.mark.parametrize("place", ["ftp://x/y", "http://a@127.0.0.1/x", "file:///etc"])
def test_nobody_is_led_astray(laptop: Laptop, place: str) -> None:
    laptop.hub.send_on = place
    laptop.refused("sent on to an address that is not https")
    assert laptop.hub.gets() == []


def test_the_token_is_shown_to_the_hub_alone(laptop: Laptop) -> None:
    laptop.hub.token = "t0ken"
    laptop.refused("to strangers")
    laptop.token = lambda _fresh: "t0ken"
    laptop.fetch()
    assert laptop.arrived()
    seen = {(one.server, "authorization" in one.headers) for one in laptop.hub.asked[1:]}
    assert seen == {("hub", True), ("cdn", False)}


def test_nobody_there(laptop: Laptop) -> None:
    """Not online is said at once, without waiting for better times."""
    laptop.refused("127.0.0.1 cannot be reached", url="http://127.0.0.1:1/a/b/resolve/main/c.gguf")
    assert laptop.pauses == []


def test_a_whole_part_needs_no_bytes(laptop: Laptop) -> None:
    """All arrived, and the end was not: killed between the last byte and the renaming."""
    laptop.fetch()
    assert json.loads((laptop.part.parent / "tiny.gguf.part.json").read_text())["sha256"] == DIGEST
    before = len(laptop.hub.gets())
    laptop.fetch()
    assert len(laptop.hub.gets()) == before


def test_a_damaged_part_is_found_at_the_end(laptop: Laptop) -> None:
    laptop.hub.cuts = [HALF, *[0] * 20]
    laptop.refused("broke")
    laptop.hub.cuts.clear()
    with laptop.part.open("r+b") as file:
        file.write(b"x")
    laptop.refused("arrived damaged")
    laptop.fetch()
    assert laptop.arrived()
