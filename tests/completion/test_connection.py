"""A distant server's misdeeds, and what they cost: one line and never a hanging request."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from wicket.completion import connection
from wicket.completion.engine import BackendError
from wicket.completion.remote import RemoteBackend
from wicket.completion.wire import Complete, Done, Piece

from .certificates import Authority
from .fake_server import WORDS, FakeServer, wait_for


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with FakeServer() as made:
        yield made


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


def load(url: str, token: connection.Token | None = None, ca: Path | None = None) -> RemoteBackend:
    backend = RemoteBackend(url, token, ca)
    backend.load(lambda _share: None)
    return backend


def ask(
    backend: RemoteBackend, prefix: str = "num", after: float | None = None
) -> tuple[str, Done]:
    """The whole answer; interrupted as by a deadline `after` so many seconds."""
    late = threading.Event()

    def end() -> None:
        late.set()
        backend.interrupt()

    timer = threading.Timer(after or 60, end)
    timer.start()
    request = Complete(1, "a.py", "python", prefix, "\n")
    try:
        *pieces, done = backend.complete(request, lambda: "deadline" if late.is_set() else None)
    finally:
        timer.cancel()
        backend.resume()
    assert isinstance(done, Done)
    return "".join(piece.text for piece in pieces if isinstance(piece, Piece)), done


# What each misdeed is called; None where it is answered all the same, "late" where only
# the deadline ends it.
@pytest.mark.parametrize(
    ("deed", "said"),
    [
        ("cut", "cannot be reached"),
        ("no end", "ended in the middle"),
        ("garbage", "something unexpected"),
        ("no objects", "something unexpected"),
        ("endless line", "something unexpected"),
        ("html", "ended in the middle"),
        ("closing", "cannot be reached"),
        ("too long", None),
        ("too short", "ended in the middle"),
        ("error event", "reports an error"),
        ("401", "status 401"),
        ("429", "status 429"),
        ("500", "status 500"),
        ("302", "status 302"),
        ("endless", None),
        ("half", "late"),
        ("dribble", "late"),
        ("hanging", "late"),
    ],
)
@pytest.mark.parametrize("language", ["llama-server", "openai"])
def test_every_misdeed_ends_in_one_line_or_at_the_deadline(
    language: str, deed: str, said: str | None
) -> None:
    with FakeServer(language) as server:
        backend = load(server.url)
        assert ask(backend)[0] == "".join(WORDS)
        server.deed = deed
        if said == "late":
            assert ask(backend, after=0.1)[1].done == "deadline"
        elif said is None:
            assert ask(backend)[0].startswith("".join(WORDS)[:3])
        else:
            with pytest.raises(BackendError, match=said) as raised:
                ask(backend)
            assert "\n" not in str(raised.value)
            assert raised.value.wait == (7.0 if deed == "429" else None)
        server.deed = ""
        assert ask(backend)[0] == "".join(WORDS), "and the next request is answered"


def test_a_cancel_reaches_the_server_before_its_first_word(server: FakeServer) -> None:
    backend = load(server.url)
    server.delay = 60
    assert ask(backend, after=0.05)[1].done == "deadline"
    wait_for(lambda: server.cancelled == 1)


def test_a_distant_server_keeps_its_connection(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Answers share one connection; a cancelled one is replaced before it is needed."""
    monkeypatch.setattr(connection, "on_loopback", lambda _url: False)
    backend = load(server.url)
    lines = backend._server._lines
    for _ in range(3):
        ask(backend)
        wait_for(lambda: not any(line.busy for line in lines))
    assert server.connections == 1
    server.delay = 60
    ask(backend, after=0.05)
    wait_for(lambda: server.connections == 2 and not any(line.busy for line in lines))
    server.delay = 0
    assert ask(backend)[0] == "".join(WORDS)
    assert server.connections == 2
    wait_for(lambda: not any(line.busy for line in lines))
    backend.close()


def test_a_request_is_one_round_trip(server: FakeServer) -> None:
    """Markers go as ids, texts as texts: nothing is tokenised first."""
    backend = load(server.url)
    before = len(server.asked)
    ask(backend, "def f(a, b):\n    return a < b and nu")
    assert [path for path, _body in server.asked[before:]] == ["/completion"]
    (body,) = server.completions
    assert [part for part in body["prompt"] if isinstance(part, int)] == [1, 2, 3]


@pytest.mark.parametrize(
    "text", ["<|fim_middle|>", "<fim_suffix>", "<s>", "[INST]", "</s>", "<EOT>"]
)
def test_what_looks_like_a_marker_is_tokenised_as_text(server: FakeServer, text: str) -> None:
    backend = load(server.url)
    ask(backend, f"x = '{text}'\nnum")
    (body,) = server.completions
    assert all(isinstance(part, int) for part in body["prompt"])
    assert [i for i in body["prompt"] if i < 100] == [1, 2, 3]


def test_infill_where_the_tokens_are_not_shown() -> None:
    with FakeServer("infill") as server:
        backend = load(server.url)
        assert "infill" in backend.about
        assert ask(backend)[0] == "".join(WORDS)
        assert server.completions[-1]["input_prefix"] == "num"


def test_openai_says_how_long_its_context_is_and_how_sure_it_is() -> None:
    with FakeServer("openai") as server:
        backend = load(server.url + "/v1")
        assert backend._dialect.context == 2048
        request = Complete(1, "a.py", "python", "num", "\n")
        first = next(iter(backend.complete(request, lambda: None)))
        assert isinstance(first, Piece)
        assert first.logprob == -0.25


class Tokens:
    """A token helper whose token is another one each time it is asked anew."""

    def __init__(self, *tokens: str) -> None:
        self.tokens = list(tokens)
        self.renewed = 0

    def __call__(self, fresh: bool) -> str:
        if fresh:
            self.renewed += 1
            self.tokens.pop(0)
        return self.tokens[0]


def test_a_token_that_ran_out_is_fetched_anew(server: FakeServer) -> None:
    server.token = "one"
    tokens = Tokens("one", "two", "three")
    backend = load(server.url, tokens)
    server.token = "two"
    with pytest.raises(BackendError, match="status 401") as raised:
        ask(backend)
    assert raised.value.fix
    assert "one" not in str(raised.value)
    assert ask(backend)[0] == "".join(WORDS)
    assert tokens.renewed == 1


def test_a_token_is_fetched_anew_while_probing(server: FakeServer) -> None:
    server.token = "two"
    assert "llama-server" in load(server.url, Tokens("one", "two")).about


def test_no_token_crosses_a_network_in_clear() -> None:
    backend = RemoteBackend("http://192.0.2.1:8000", lambda _fresh: "word")
    with pytest.raises(BackendError, match="in clear"):
        backend.load(lambda _share: None)


def test_tls_with_an_authority_of_ones_own(authority: Authority, tmp_path: Path) -> None:
    with FakeServer(tls=authority.server()) as server:
        backend = load(server.url, None, authority.file)
        assert ask(backend)[0] == "".join(WORDS)
        server.delay = 60
        assert ask(backend, after=0.05)[1].done == "deadline"
        wait_for(lambda: server.cancelled == 1)
        with pytest.raises(BackendError, match="certificate verify failed|CERTIFICATE"):
            load(server.url)
        with pytest.raises(BackendError, match="certificate verify failed|CERTIFICATE"):
            load(server.url, None, Authority(tmp_path).file)
    (tmp_path / "empty.pem").write_text("")
    for name in ("empty.pem", "missing.pem"):
        with pytest.raises(BackendError, match="no certificates"):
            load(server.url, None, tmp_path / name)


def test_the_environment_brings_no_certificates(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with FakeServer(tls=authority.server()) as server, pytest.raises(BackendError):
        load(server.url)
