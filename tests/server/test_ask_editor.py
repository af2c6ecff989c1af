"""`wicket.ask` over real stdio: the question, the yes, and the document that grows."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient
from wicket.server import processes
from wicket.server.ask_editor import SEND, SHOW
from wicket.server.ask_places import inert

from ..escalation.anthropic_wire import HEAD, end, start, text
from ..escalation.provider import ANSWERS, ProviderServer
from .gate_home import CLAUDE, Home

ANSWERS["speaks of places"] = [
    HEAD + start() + text(0, "`open_store` in src/store.py:1, see [this](http://evil/?q=x) ![p](u)")
    + end()
]  # fmt: skip
SOURCE = "def open_store(path):\n    return path\n"


class Editor:
    """A client that answers the server's questions as `says` tells, and keeps what it hears."""

    def __init__(self, client: LanguageClient, home: Home, folder: Path) -> None:
        self.client, self.home, self.folder = client, home, folder
        self.says: list[str | None] = []
        self.asked: list[str] = []
        self.news: list[dict[str, Any]] = []

        @client.feature(types.WINDOW_SHOW_MESSAGE_REQUEST)
        def asked(params: types.ShowMessageRequestParams) -> types.MessageActionItem | None:
            self.asked.append(params.message)
            said = self.says.pop(0)
            return types.MessageActionItem(said) if said else None

        @client.feature("wicket/answer")
        def news(params: Any) -> None:
            self.news.append(params._asdict())

    @property
    def shown(self) -> list[str]:
        return [params.uri for params in self.client.shown_documents]

    async def ask(self, **said: Any) -> dict[str, Any]:
        params = types.ExecuteCommandParams("wicket.ask", [said])
        found = await self.client.workspace_execute_command_async(params)
        return found if isinstance(found, dict) else found._asdict()


def content(uri: str) -> str:
    return Path(urlsplit(uri).path).read_text()


@pytest.fixture
def server(server: ProviderServer) -> ProviderServer:
    server.answer = "speaks of places"
    return server


@pytest.fixture(params=["file", "virtual"])
async def editor(server: ProviderServer, request: pytest.FixtureRequest) -> AsyncIterator[Editor]:
    with tempfile.TemporaryDirectory(prefix="we", dir="/tmp") as place:
        home = Home(Path(place) / "h", server.port)
        home.says(CLAUDE.format(port=server.port) + "[completion]\nenabled = false\n")
        folder = Path(place) / "repo"
        (folder / "src").mkdir(parents=True)
        (folder / "src" / "store.py").write_text(SOURCE)
        (folder / ".env").write_text("TOKEN=canary-5f1c0ffee\n")
        indexing = await asyncio.create_subprocess_exec(
            *processes.command("index", str(folder), "--json"),
            env=home.environment,
            stdout=asyncio.subprocess.DEVNULL,
        )
        assert await indexing.wait() == 0
        config = ClientServerConfig(
            [sys.executable, "-I", "-m", "wicket.server", "lsp"], server_env=home.environment
        )
        client = await config.start()
        made = Editor(client, home, folder)
        window = types.WindowClientCapabilities(
            work_done_progress=True, show_document=types.ShowDocumentClientCapabilities(True)
        )
        experimental = {"wicketAnswers": True} if request.param == "virtual" else None
        await client.initialize_session(
            types.InitializeParams(
                types.ClientCapabilities(window=window, experimental=experimental),
                workspace_folders=[types.WorkspaceFolder(folder.as_uri(), "repo")],
            )
        )
        yield made
        await client.shutdown_session()
        await client.stop()
        for running in processes.running(home.socket.parent):
            await asyncio.to_thread(processes.stop, running)
        assert server.connections <= len(home.records("intent"))
        assert b"canary" not in server.received.replace(b"sk-canary-0123456789", b"")


async def test_asked_shown_answered_and_asked_again(editor: Editor, server: ProviderServer) -> None:
    uri = (editor.folder / "src" / "store.py").as_uri()
    item = types.TextDocumentItem(uri, "python", 1, SOURCE.replace("path)", "typed)"))
    editor.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    editor.says = [SHOW, SEND]
    lines = {"start": {"line": 0, "character": 0}, "end": {"line": 1, "character": 0}}
    found = await editor.ask(question="What is this?", uri=uri, range=lines)
    assert (found["status"], found["why"]) == ("ok", None)
    assert len(editor.asked) == 2
    assert editor.asked[0] == editor.asked[1], "the bytes were shown, the question is the same"
    assert [line.split()[0] for line in editor.asked[0].split("\n")] == [
        *("to", "sends", "masked", "then", "costs", "kept"),
    ]
    body = server.requests[0][1].decode()
    assert "src/store.py:1-1\\ndef open_store(typed)" in body, "as it is typed, not as on disk"
    pages = {news["uri"]: news["text"] for news in editor.news}
    virtual = found["uri"].startswith("wicket-answer:")
    page = pages[found["uri"]] if virtual else content(found["uri"])
    assert "# What is this?" in page
    assert "\\](http\\:" in page, "nothing of the model is a link"
    assert f"[open_store]({uri}#L1)" in page
    assert editor.news[-1]["done"]
    if virtual:
        request = next(text for uri, text in pages.items() if uri.endswith("-request.txt"))
        assert editor.shown == []
    else:
        request = content(editor.shown[1])
        assert editor.shown[0] == found["uri"]
        assert os.stat(urlsplit(found["uri"]).path).st_mode & 0o777 == 0o400
    assert request.partition("\n\n")[2] == body
    sent = next(word for word in page.replace("(", " ").replace(")", " ").split()
                if word.endswith("-sent.txt"))  # fmt: skip
    assert content(sent).partition("\n\n")[2] == body
    editor.says = [SEND]
    found = await editor.ask(question="And why?", again=found["id"])
    assert found["status"] == "ok"
    assert '"And why?"' in server.requests[1][1].decode().replace('", "', '","')


async def test_no_is_no_and_nonsense_is_said(editor: Editor, server: ProviderServer) -> None:
    editor.says = [None]
    assert (await editor.ask(question="Why?"))["status"] == "declined"
    env = (editor.folder / ".env").as_uri()
    item = types.TextDocumentItem(env, "plaintext", 1, "TOKEN=canary-5f1c0ffee\n")
    editor.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    for said, why in (
        ({"question": "Why?", "uri": env}, "secret files"),
        ({"question": " "}, "say what"),
        ({"question": "Why?", "again": "nobody"}, "not known any more"),
    ):
        found = await editor.ask(**said)
        assert found["status"] == "refused"
        assert why in found["why"]
    assert server.connections == 0


async def test_cancelling_in_the_editor_ends_the_exchange(
    editor: Editor, server: ProviderServer
) -> None:
    server.answer = "claude stalls"
    editor.says = [SEND]
    asking = asyncio.ensure_future(editor.ask(question="Why?"))
    await asyncio.wait_for(server.arrived.wait(), 60)
    async with asyncio.timeout(30):
        while not any("Hel" in news["text"] for news in editor.news):
            await asyncio.sleep(0.02)
    token = editor.news[-1]["id"]
    editor.client.window_work_done_progress_cancel(types.WorkDoneProgressCancelParams(token))
    with pytest.raises(Exception, match="cancelled"):
        await asking
    (outcome,) = await editor.home.until("outcome")
    assert outcome["data"]["status"] == "cancelled"
    assert "cancelled" in editor.news[-1]["text"]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("[a](http://evil/x)", "\\[a\\](http\\://evil/x)"),
        ("![a](http://evil/x)", "!\\[a\\](http\\://evil/x)"),
        ("[a]: http://evil/x", "\\[a\\]: http\\://evil/x"),
        ("<img src=x>", "\\<img src=x\\>"),
        ("<http://evil>", "\\<http\\://evil\\>"),
        ("`a[0] < b`", "`a[0] < b`"),
        ("```py\na[0] <b>\n```\n<b>", "```py\na[0] <b>\n```\n\\<b\\>"),
        ("a\u202eb", "a<U+202E>b".replace("<", "\\<").replace(">", "\\>")),
    ],
)
def test_a_models_text_is_inert(said: str, shown: str) -> None:
    assert inert(said) == shown
