"""Tokens from a real llama-server on loopback, in its own language and in OpenAI's."""

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from wicket.completion.dialects import FILLING, HOLE
from wicket.completion.engine import BackendError
from wicket.completion.llama_server import Infill
from wicket.completion.prompt import Anchors, Budget
from wicket.completion.remote import RemoteBackend
from wicket.completion.wire import Complete, Done, Piece

from .llama_servers import MODEL, free_port, llama_server, serving

SOURCE = Path(__file__).with_name("typed_source.txt").read_text()
# Undoes the choice of fields that a completion makes.
ALL_FIELDS = {"response_fields": []}


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with llama_server() as url:
        yield url


@pytest.fixture(scope="module")
def python_server() -> Iterator[str]:
    """The server of llama-cpp-python: OpenAI's language, and nothing else."""
    pytest.importorskip("uvicorn", reason="`pip install --group servers` brings it")
    command = (sys.executable, "-m", "llama_cpp.server", "--model", MODEL)
    with serving("/v1/models", *command, "--n_ctx", "1024", "--n_threads", "1") as url:
        yield url


def load(endpoint: str) -> RemoteBackend:
    backend = RemoteBackend(endpoint)
    backend.load(lambda _share: None)
    return backend


def ask(
    backend: RemoteBackend, prefix: str, suffix: str = "\n", lines: int = 1
) -> tuple[str, Done]:
    request = Complete(1, "a.py", "python", prefix, suffix, lines=lines)
    *pieces, done = backend.complete(request, lambda: None)
    assert isinstance(done, Done)
    return "".join(p.text for p in pieces if isinstance(p, Piece)), done


def test_llama_server_is_recognised_and_completes(endpoint: str) -> None:
    backend = load(endpoint)
    assert "wicket-base" in backend.about
    text, done = ask(backend, "def f(self):\n    ret")
    assert text.startswith("urn")
    assert "\n" not in text
    assert done.done == "stop"
    assert done.tokens["prefill"] > 5


def test_llama_server_counts_the_same_tokens_in_texts_as_in_ids(endpoint: str) -> None:
    """A text without anything like a marker is sent as it is, and is tokenised alike."""
    backend = load(endpoint)
    request = Complete(1, "a.py", "python", SOURCE[:1500], SOURCE[1500:2000])
    body = backend._dialect.body(request, Budget(1024, 100, 48), Anchors())
    texts = [part for part in body["prompt"] if isinstance(part, str)]
    ids = [part for part in body["prompt"] if isinstance(part, int)]
    assert texts
    _status, counted = backend._server.ask("/completion", body | {"stream": False} | ALL_FIELDS)
    one_by_one = sum(len(backend._dialect.tokenize(text)) for text in texts)
    assert counted["tokens_evaluated"] == len(ids) + one_by_one


def test_llama_server_speaks_openai_too(endpoint: str) -> None:
    backend = load(endpoint + "/v1")
    assert backend._dialect.family == "wicket"
    assert ask(backend, "def f(self):\n    ret")[0]


def test_llama_servers_own_infill(endpoint: str) -> None:
    """As where its tokens are not ours to see."""
    backend = load(endpoint)
    infill = Infill(backend._server.ask, {})
    assert infill.works()
    backend._dialect = infill
    assert ask(backend, "def double(number):\n    return numb")[1].done in ("stop", "length")


def test_llama_cpp_pythons_server(python_server: str) -> None:
    backend = load(python_server)
    assert backend._dialect.family == "wicket"
    text, done = ask(backend, "def double(number):\n    return number * 2\n\n\nif True:\n    retur")
    assert done.done in ("stop", "length")
    assert text


def test_llama_server_reuses_what_it_saw(endpoint: str) -> None:
    backend = load(endpoint)
    before = ask(backend, SOURCE[:2000])[1].tokens
    after = ask(backend, SOURCE[:2003])[1].tokens
    assert before["prefill"] + before["reused"] > 300
    assert after["prefill"] <= 12


def test_a_file_that_contains_a_marker_changes_nothing(endpoint: str) -> None:
    """The server is given ids, so a marker in a file is text to it."""
    backend = load(endpoint)
    ids = backend._dialect.body(
        Complete(1, "a.py", "python", "x = '<|fim_middle|>'", ""),
        Budget(1024, 100, 48),
        Anchors(),
    )["prompt"]
    assert ids.count(2) == 1
    assert ids[-1] == 2


def test_cancelling_closes_the_connection(endpoint: str) -> None:
    """A long answer ends at once, and the server is free for the next request."""
    backend = load(endpoint)
    stopped = threading.Event()
    request = Complete(1, "b.py", "python", SOURCE, "", lines=100)

    def stop() -> None:
        stopped.set()
        backend.interrupt()

    threading.Timer(0.15, stop).start()
    *_, done = backend.complete(request, lambda: "cancelled" if stopped.is_set() else None)
    backend.resume()
    assert isinstance(done, Done)
    assert done.done in ("cancelled", "stop", "length")
    assert ask(backend, "def f(self):\n    ret")[0].startswith("urn")


class Scripted(BaseHTTPRequestHandler):
    """A server that answers what the test says, and notes what it was asked."""

    answers: dict[str, object] = {}
    asked: list[dict[str, object]] = []

    def do_GET(self) -> None:
        self._say(self.path)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(body)
        self._say(self.path, body)

    def _say(self, path: str, body: dict[str, object] | None = None) -> None:
        answer = self.answers.get(path, 404)
        if callable(answer):
            answer = answer(body)
        code = answer if isinstance(answer, int) else 200
        data = b"" if isinstance(answer, int) else answer
        data = data if isinstance(data, bytes) else json.dumps(data).encode()
        self.send_response(code)
        if code in (301, 302):
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def scripted() -> Iterator[tuple[type[Scripted], str]]:
    class Mine(Scripted):
        answers: dict[str, object] = {}
        asked: list[dict[str, object]] = []

    server = HTTPServer(("127.0.0.1", 0), Mine)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Mine, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def starcoder_only(body: dict[str, object]) -> object:
    """Fills the hole when it is shown in StarCoder's format, chats otherwise."""
    shown = str(body["prompt"])
    right = shown.startswith("<fim_prefix>" + HOLE[0]) and shown.endswith("<fim_middle>")
    text = FILLING if right else "Sure! Here is"
    if not body["stream"]:
        return {"choices": [{"text": text}]}
    lines = [{"choices": [{"text": "left"}]}, {"choices": [{"text": "", "finish_reason": "stop"}]}]
    events = "".join(f"data: {json.dumps(line)}\n\n" for line in lines)
    return f"{events}data: [DONE]\n\n".encode()


def test_an_openai_compatible_server_is_found_out_by_filling_a_hole(scripted) -> None:
    server, url = scripted
    server.answers |= {
        "/v1/models": {"data": [{"id": "some-name"}]},
        "/v1/completions": starcoder_only,
    }
    backend = load(url)
    assert backend._dialect.fim.family.prefix == "<fim_prefix>"
    assert ask(backend, "x <fim_middle> = ")[0] == "left"
    shown = str(server.asked[-1]["prompt"])
    assert shown.count("<fim_middle>") == 1, "the file's own marker is not sent"
    assert "suffix" not in server.asked[-1]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ({}, "neither llama-server nor OpenAI-compatible"),
        ({"/v1/models": {"data": []}}, "serves no model"),
        (
            {
                "/v1/models": {"data": [{"id": "chatty"}]},
                "/v1/completions": {"choices": [{"text": "Sure!"}]},
            },
            "chatty fills a hole in no known",
        ),
        ({"/v1/models": b"<html>"}, "answered something unexpected"),
        ({"/v1/models": [1]}, "answered something unexpected"),
        ({"/props": {"model_path": "m"}}, "does not tokenise"),
        ({"/v1/models": 302}, "status 302"),
    ],
)
def test_what_is_no_model_server_is_refused_in_one_line(scripted, answers, said: str) -> None:
    server, url = scripted
    server.answers |= answers
    with pytest.raises(BackendError, match=said) as raised:
        load(url)
    assert "\n" not in str(raised.value)


def test_nobody_there() -> None:
    with pytest.raises(BackendError, match="cannot be reached"):
        load(f"http://127.0.0.1:{free_port()}")


def test_the_environment_moves_nothing(scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment is not obeyed."""
    server, url = scripted
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    server.answers |= {"/v1/models": {"data": []}}
    with pytest.raises(BackendError, match="serves no model"):
        load(url)
