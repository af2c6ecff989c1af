"""The mended protocol over real stdio, in raw JSON-RPC: a test for each defect."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from lsprotocol import types
from wicket.server import jsonrpc
from wicket.server.protocol import WicketServer

from .probe_client import URI, Client, change, framed, hover, started


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """One initialized server for all tests that leave it as they found it."""
    with started() as client:
        client.initialize()
        yield client
        assert client.leave() == 0
        # Whatever the tests did, nothing failed outside of a handler.
        assert b"event loop" not in client.errors
        assert b"Traceback" not in client.errors


# What is answered before and during the life of the server


def test_nothing_is_done_before_initialize() -> None:
    """A request is told so, notifications are dropped, and initialize still works."""
    with started() as client:
        client.open("too early")
        assert client.code("textDocument/hover", hover()) == jsonrpc.NOT_INITIALIZED
        assert client.code("shutdown") == jsonrpc.NOT_INITIALIZED
        broken = client.code("initialize", {"processId": "x"})
        assert broken == jsonrpc.INVALID_PARAMS
        assert client.initialize()["serverInfo"]["name"] == "probe"
        assert client.ask("probe/state", {"uri": URI})["open"] == []
        again = client.code("initialize", {"processId": None, "capabilities": {}})
        assert again == jsonrpc.INVALID_REQUEST


def test_a_client_that_does_not_wait_is_served_in_order() -> None:
    """All of a start in one write: the handshake, a document, a question about it."""
    with started() as client:
        item = {"uri": URI, "languageId": "python", "version": 1, "text": "now"}
        client.send(
            client.request("initialize", {"processId": None, "capabilities": {}}),
            {"method": "initialized"},
            {"method": "textDocument/didOpen", "params": {"textDocument": item}},
            client.request("textDocument/hover", hover()),
        )
        assert "capabilities" in client.next()["result"]
        assert client.next()["result"] == [1, "now", 1]
        assert client.events() == ["initialized"], "although it came without params"


def general(*encodings: str) -> dict[str, Any]:
    return {"general": {"positionEncodings": encodings}}


AGREED = [
    # What the client says, the encoding, where column 4 of "a😀b" is, the folders.
    ({}, "utf-16", "a😀bX", []),
    (
        {"capabilities": general("utf-8", "utf-16"), "rootUri": "file:///t/r"},
        "utf-8",
        "aX😀b",
        ["file:///t/r"],
    ),
    (
        {"capabilities": general("utf-32", "utf-8"), "rootPath": "/t/a b"},
        "utf-32",
        "a😀bX",
        ["file:///t/a%20b"],
    ),
    (
        {
            "capabilities": general("utf-7"),
            "rootUri": "file:///ignored",
            "workspaceFolders": [{"uri": "file:///t", "name": "t"}],
        },
        "utf-16",
        "a😀bX",
        ["file:///t"],
    ),
]


@pytest.mark.parametrize(("params", "encoding", "want", "folders"), AGREED)
def test_what_is_agreed_on_at_the_start(
    params: dict[str, Any], encoding: str, want: str, folders: list[str]
) -> None:
    """The client's first known encoding, in which edits are counted; its folders."""
    with started() as client:
        offered = client.initialize(**params)["capabilities"]
        client.open("a😀b")
        place = {"line": 0, "character": 4}
        changes = [{"range": {"start": place, "end": place}, "text": "X"}]
        edits = {"textDocument": {"uri": URI, "version": 2}, "contentChanges": changes}
        client.tell("textDocument/didChange", edits)
        assert client.ask("textDocument/hover", hover())[1] == want
        assert client.ask("probe/state", {"uri": URI})["folders"] == folders
    assert offered["positionEncoding"] == encoding
    assert offered["textDocumentSync"]["change"] == 2
    assert offered["textDocumentSync"]["openClose"] is True
    # Registered without options, which pygls alone would leave out.
    assert offered["inlineCompletionProvider"] == {}
    assert "probe.sleep" in offered["executeCommandProvider"]["commands"]
    assert offered["workspace"]["workspaceFolders"]["supported"] is True


def test_documents_and_folders_follow_the_client(client: Client) -> None:
    """They are kept once: pygls holds no second copy."""
    folder, inner, uri = "file:///f", "file:///f/s", "file:///f/s/a%20b.py"
    where = {"uri": uri}

    def folders(added: list[str], removed: list[str]) -> dict[str, Any]:
        client.tell(
            "workspace/didChangeWorkspaceFolders",
            {
                "event": {
                    "added": [{"uri": one, "name": "f"} for one in added],
                    "removed": [{"uri": one, "name": "f"} for one in removed],
                }
            },
        )
        return client.ask("probe/state", where)

    client.open("text", uri)
    outer = folders([folder], [])
    narrow = folders([inner], [folder])
    client.tell("textDocument/didClose", {"textDocument": where})
    closed = folders([], [inner])
    assert (outer["folders"], outer["path"]) == ([folder], "s/a b.py")
    assert (narrow["folders"], narrow["path"]) == ([inner], "a b.py")
    assert closed["folders"] == []
    assert uri in narrow["open"]
    assert uri not in closed["open"]
    assert outer["pygls documents"] == narrow["pygls documents"] == 0


# Every request has one answer

REFUSED = [
    ("textDocument/hover", {"textDocument": {"uri": 5}}, jsonrpc.INVALID_PARAMS),
    ("textDocument/hover", None, jsonrpc.INVALID_PARAMS),
    ("textDocument/hover", [1, 2], jsonrpc.INVALID_PARAMS),
    ("textDocument/hover", "text", jsonrpc.INVALID_PARAMS),
    (
        "textDocument/hover",
        {"textDocument": {"uri": URI}, "position": {"line": -1, "character": 0}},
        jsonrpc.INVALID_PARAMS,
    ),
    ("textDocument/definition", hover(), jsonrpc.METHOD_NOT_FOUND),
    ("$/made/up", None, jsonrpc.METHOD_NOT_FOUND),
    ("window/showMessage", {}, jsonrpc.METHOD_NOT_FOUND),
    ("workspace/executeCommand", {"command": "no.such"}, jsonrpc.INVALID_PARAMS),
    (
        "workspace/executeCommand",
        {"command": "probe.count", "arguments": ["secret"]},
        jsonrpc.INVALID_PARAMS,
    ),
    (
        "workspace/executeCommand",
        {"command": "probe.count", "arguments": [1, 2]},
        jsonrpc.INVALID_PARAMS,
    ),
    ("probe/fail", "words", jsonrpc.INTERNAL_ERROR),
    ("probe/failNow", "words", jsonrpc.INTERNAL_ERROR),
    ("probe/unserialisable", None, jsonrpc.INTERNAL_ERROR),
]


@pytest.mark.parametrize(("method", "params", "code"), REFUSED)
def test_a_refused_request_gets_a_short_answer_and_no_popup(
    client: Client, method: str, params: Any, code: int
) -> None:
    """One error without content, nothing before and nothing after it."""
    assert client.code(method, params) == code
    assert client.ask("probe/ping", "still here") == "still here"


def test_the_words_of_an_exception_stay_inside(client: Client) -> None:
    assert "words" not in client.ask("probe/fail", "words")["message"]
    count = {"command": "probe.count", "arguments": ["secret"]}
    assert "secret" not in client.ask("workspace/executeCommand", count)["message"]


def test_what_lsp_does_not_know_is_plain_json(client: Client) -> None:
    """And an object that looks like a message inside of one is not taken for one."""
    params = {"jsonrpc": "2.0", "id": 7, "method": "exit", "class": [None, 1.5]}
    assert client.ask("probe/ping", params) == params


NOT_UNDERSTOOD = [
    {"method": "textDocument/didOpen", "params": {"textDocument": 5}},
    {"method": "textDocument/didOpen"},
    {"method": "textDocument/hover", "params": hover()},
    {"method": "no/such"},
    {"method": "$/cancelRequest", "params": {"id": "unknown"}},
    {"method": "$/cancelRequest", "params": {}},
    {"method": "window/workDoneProgress/cancel", "params": {"token": "unknown"}},
    {"method": "probe/fail", "params": "words"},
    {"method": "workspace/executeCommand", "params": {"command": "no.such"}},
    {"id": "unknown", "result": 1},
    {"id": 12345, "error": {"code": 1, "message": "x"}},
    {"id": None, "error": {"code": 1, "message": "x"}},
    {"id": {}, "result": None},
]


@pytest.mark.parametrize("message", NOT_UNDERSTOOD)
def test_what_needs_no_answer_gets_none(client: Client, message: dict[str, Any]) -> None:
    client.send(message)
    assert client.ask("probe/ping", 1) == 1


def test_a_command_may_come_as_a_notification(client: Client) -> None:
    params = {"command": "probe.note", "arguments": ["it"]}
    client.tell("workspace/executeCommand", params)
    client.wait_for("noted it")


def test_a_command_has_an_answer(client: Client) -> None:
    params = {"command": "probe.count", "arguments": [41]}
    assert client.ask("workspace/executeCommand", params) == 42


def test_an_id_in_use_is_refused(client: Client) -> None:
    """Two requests of one number: two answers."""
    client.send(
        {"id": "twin", "method": "textDocument/hover", "params": hover()},
        {"id": "twin", "method": "probe/ping"},
    )
    answers = [client.next(), client.next()]
    assert [answer["id"] for answer in answers] == ["twin", "twin"]
    assert ["error" in answer for answer in answers] == [True, False]


# Broken messages

BROKEN = [
    (b'{"jsonrpc": "2.0", bad', None, jsonrpc.PARSE_ERROR),
    (b"\xff\xfe", None, jsonrpc.PARSE_ERROR),
    (b"", None, jsonrpc.PARSE_ERROR),
    (b"[" * 100_000, None, jsonrpc.PARSE_ERROR),
    (b"[]", None, jsonrpc.INVALID_REQUEST),
    (b"5", None, jsonrpc.INVALID_REQUEST),
    (b"{}", None, jsonrpc.INVALID_REQUEST),
    (b'{"id": 3, "method": "probe/ping"}', 3, jsonrpc.INVALID_REQUEST),
    (b'{"jsonrpc": "1.0", "id": 3, "method": "x"}', 3, jsonrpc.INVALID_REQUEST),
    (b'{"jsonrpc": "2.0", "id": "a"}', "a", jsonrpc.INVALID_REQUEST),
    (b'{"jsonrpc": "2.0", "id": 3, "method": 4}', 3, jsonrpc.INVALID_REQUEST),
    (b'{"jsonrpc": "2.0", "id": null, "method": "x"}', None, jsonrpc.INVALID_REQUEST),
    (b'{"jsonrpc": "2.0", "id": true, "method": "x"}', None, jsonrpc.INVALID_REQUEST),
    (b'{"jsonrpc": "2.0", "id": [1], "method": "x"}', None, jsonrpc.INVALID_REQUEST),
]


@pytest.mark.parametrize(("body", "msg_id", "code"), BROKEN)
def test_a_broken_message_is_answered_and_survived(
    client: Client, body: bytes, msg_id: Any, code: int
) -> None:
    client.write(framed(body))
    answer = client.next()
    assert (answer["id"], answer["error"]["code"]) == (msg_id, code)
    assert client.ask("probe/ping", 2) == 2


def test_a_wrong_length_is_survived(client: Client) -> None:
    """A body that is longer than it says is broken; the next message is whole again."""
    body = b'{"jsonrpc": "2.0", "id": "p", "method": "probe/ping"}'
    client.write(b"Content-Length: %d\r\n\r\n%b" % (len(body) - 3, body))
    assert client.next()["error"]["code"] == jsonrpc.PARSE_ERROR
    assert client.ask("probe/ping", 3) == 3


# Order and cancellation


class Arrival:
    """A conversation in this process: messages arrive all before any handler runs."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.ran: list[Any] = []
        server = WicketServer("arrival", "1")

        @server.feature("x/run")
        async def run(params: Any) -> None:
            self.ran.append(params)

        @server.feature(types.TEXT_DOCUMENT_HOVER)
        async def look(params: types.HoverParams) -> None:
            then, now = server.document(URI), server.documents.get(URI)
            self.ran.append((then and then.text, now and now.text))

        self.protocol = server.protocol
        self.protocol.begin(lambda body: self.sent.append(json.loads(body)))
        item = {"uri": URI, "languageId": "python", "version": 1, "text": "old"}
        self.arrive(
            {"id": 0, "method": "initialize", "params": {"capabilities": {}}},
            {"method": "textDocument/didOpen", "params": {"textDocument": item}},
        )

    def arrive(self, *messages: dict[str, Any]) -> None:
        for message in messages:
            body = json.dumps({"jsonrpc": "2.0", **message}).encode()
            self.protocol.receive(body)

    async def settle(self) -> None:
        """Let every handler that does not wait for anything run to its end."""
        for _ in range(9):
            await asyncio.sleep(0)


async def test_handlers_see_the_documents_of_the_arrival() -> None:
    """Whatever arrives before a handler gets to run."""
    here = Arrival()
    here.arrive(
        {"id": 1, "method": "textDocument/hover", "params": hover()},
        change(2, "new"),
        {"id": 2, "method": "textDocument/hover", "params": hover()},
        {"method": "textDocument/didClose", "params": hover()},
    )
    await here.settle()
    assert here.ran == [("old", None), ("new", None)]


async def test_a_request_that_is_cancelled_before_it_began_never_runs() -> None:
    here = Arrival()
    here.arrive(
        {"id": 1, "method": "x/run", "params": 1},
        {"method": "$/cancelRequest", "params": {"id": 1}},
        {"id": 2, "method": "x/run", "params": 2},
    )
    assert here.sent[-1]["error"]["code"] == jsonrpc.CANCELLED
    await here.settle()
    assert here.ran == [2]
    assert [answer["id"] for answer in here.sent] == [1, 0, 2]


async def test_what_is_open_at_the_end_is_answered() -> None:
    here = Arrival()
    here.arrive({"id": 1, "method": "x/run"})
    await here.protocol.finish()
    codes = {answer["id"]: answer.get("error", {}).get("code") for answer in here.sent}
    assert codes == {0: jsonrpc.CANCELLED, 1: jsonrpc.CANCELLED}


async def test_no_handler_is_put_in_a_thread() -> None:
    with pytest.raises(TypeError, match="async"):
        WicketServer("x", "1").thread()


def test_a_request_sees_the_documents_of_its_arrival(client: Client) -> None:
    """Request and edit in one write: the handler gets the text that was asked about."""
    uri = "file:///t/order.py"
    client.open("old", uri)
    request = client.request("textDocument/hover", hover(uri))
    client.send(request, change(2, "new", uri), change(3, "newer", uri))
    assert client.next()["result"][:2] == [1, "old"]
    assert client.ask("textDocument/hover", hover(uri)) == [3, "newer", 3]
    changes = [event for event in client.events() if event.startswith(uri)]
    assert changes == [f"{uri} changed to 2", f"{uri} changed to 3"]


SLEEPS = [
    ("probe/sleep", "request"),
    ("workspace/executeCommand", {"command": "probe.sleep", "arguments": ["command"]}),
]


@pytest.mark.parametrize(("method", "params"), SLEEPS, ids=["request", "command"])
def test_a_cancellation_stops_the_handler(
    client: Client, method: str, params: Any, request: pytest.FixtureRequest
) -> None:
    """Commands, too: one answer at once, and the work ends."""
    name = request.node.callspec.id
    client.send(sleep := client.request(method, params))
    client.wait_for(f"{name} began")
    client.tell("$/cancelRequest", {"id": sleep["id"]})
    answer = client.next()
    assert (answer["id"], answer["error"]["code"]) == (sleep["id"], jsonrpc.CANCELLED)
    assert client.events()[-2:] == [f"{name} began", f"{name} cancelled"]


def test_an_id_may_be_used_again_after_a_cancellation(client: Client) -> None:
    """Each has its own answer, although the first handler ends during the second."""
    client.send({"id": "again", "method": "probe/sleep", "params": "slow to end"})
    client.wait_for("slow to end began")
    client.send(
        {"method": "$/cancelRequest", "params": {"id": "again"}},
        {"id": "again", "method": "textDocument/hover", "params": hover("file:///no")},
    )
    assert client.next()["error"]["code"] == jsonrpc.CANCELLED
    assert client.next()["result"] == [None, None, None]
    assert "slow to end cancelled" in client.events()


def test_the_answer_to_a_question_nobody_waits_for_is_dropped(client: Client) -> None:
    """The client answers after the request that asked it was cancelled."""
    client.send(request := client.request("probe/ask"))
    question = client.next()
    client.tell("$/cancelRequest", {"id": request["id"]})
    assert client.next()["error"]["code"] == jsonrpc.CANCELLED
    client.send({"id": question["id"], "result": {"title": "late"}})
    assert client.events()[-1] == "stopped asking"
    assert client.ask("probe/state", {"uri": URI})["futures"] == 0


ANSWERS = [
    ({"result": {"title": "yes"}}, "yes"),
    ({"result": None}, None),
    ({"result": 5}, "the client's answer is malformed"),
    ({"error": {"code": -32601, "message": "cannot"}}, "cannot"),
    ({"error": "nonsense"}, "the client's answer is malformed"),
]


@pytest.mark.parametrize(("answer", "want"), ANSWERS)
def test_questions_to_the_client_are_settled(
    client: Client, answer: dict[str, Any], want: str | None
) -> None:
    """By its answer, its error, or the fact that it makes no sense."""
    client.send(request := client.request("probe/ask"))
    question = client.next()
    assert question["method"] == "window/showMessageRequest"
    client.send({"id": question["id"], **answer})
    assert client.next() == {"jsonrpc": "2.0", "id": request["id"], "result": want}


def test_nothing_is_kept_of_what_is_done(client: Client) -> None:
    """After many messages no future, task or progress token is left."""
    client.open("text")
    before = client.ask("probe/state", {"uri": URI})
    for version in range(2, 30):
        client.send(change(version, "text"))
    client.send(request := client.request("probe/progress"))
    assert client.next()["params"]["value"]["kind"] == "begin"
    assert client.next()["params"]["value"]["kind"] == "end"
    assert client.next() == {"jsonrpc": "2.0", "id": request["id"], "result": 1}
    after = client.ask("probe/state", {"uri": URI})
    assert before == after
    assert after["tokens"] == after["futures"] == 0


# The log


CANARY = "canary-5b1f"


def test_no_word_of_a_document_is_logged() -> None:
    """Every logger at every level, in good and bad messages and failing handlers."""
    with started() as client:
        client.initialize(initializationOptions={"x": CANARY})
        client.open(CANARY)
        client.send(change(2, f"{CANARY} 2"))
        assert client.ask("textDocument/hover", hover())[1] == f"{CANARY} 2"
        client.ask("probe/fail", CANARY)
        client.ask("probe/failNow", CANARY)
        client.ask("probe/loose", CANARY)
        client.ask("textDocument/hover", {"textDocument": CANARY})
        client.ask("probe/ping", CANARY)
        count = {"command": "probe.count", "arguments": [CANARY]}
        client.ask("workspace/executeCommand", count)
        client.tell("probe/fail", CANARY)
        client.tell("textDocument/didOpen", {"textDocument": CANARY})
        client.tell("window/workDoneProgress/cancel", {"token": CANARY})
        client.tell("$/cancelRequest", {"id": CANARY})
        client.send({"id": CANARY, "result": CANARY})
        client.write(framed(CANARY.encode()))
        client.next()
        assert client.leave() == 0
        # The log is there, says where it went wrong, and nothing else.
        assert b"probe/fail: ValueError at probe_server.py:" in client.errors
        assert b"event loop: ValueError" in client.errors
        assert CANARY.encode() not in client.errors
        assert b"Traceback" not in client.errors
