"""An editor's folders are indexed while it works: real stdio, a client that is not ours."""

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient
from wicket.indexing.reader import Reader
from wicket.server import index, processes
from wicket.server.paths import Paths

from ..indexing.test_files import make


class Editor:
    def __init__(self, folder: Path) -> None:
        self.root = folder / "r"
        self.root.mkdir()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder / "home"),
            "XDG_RUNTIME_DIR": str(folder),
            "XDG_CACHE_HOME": str(folder / "cache"),
        }
        self.sockets = folder / "wicket"
        self.options: dict[str, Any] = {}
        self.registered: list[types.Registration] = []
        self.client: LanguageClient

    @property
    def reader(self) -> Reader:
        return Reader(index.directory(Paths.of(self.environment), self.root) / "db")

    async def start(self, **capabilities: Any) -> None:
        config = ClientServerConfig(
            server_command=[sys.executable, "-I", "-m", "wicket.server", "lsp"],
            server_env=self.environment,
        )
        self.client = client = await config.start()

        @client.feature(types.CLIENT_REGISTER_CAPABILITY)
        def register(params: types.RegistrationParams) -> None:
            self.registered += params.registrations

        await client.initialize_session(
            types.InitializeParams(
                types.ClientCapabilities(**capabilities),
                process_id=os.getpid(),
                initialization_options=self.options,
                workspace_folders=[types.WorkspaceFolder(self.root.as_uri(), "r")],
            )
        )

    @property
    def progress(self) -> list[Any]:
        return [value for values in self.client.progress_reports.values() for value in values]

    def open(self, path: str) -> None:
        text = (self.root / path).read_text()
        item = types.TextDocumentItem((self.root / path).as_uri(), "python", 1, text)
        self.client.text_document_did_open(types.DidOpenTextDocumentParams(item))

    def running(self) -> list[processes.Running]:
        found = processes.running(self.sockets) if self.sockets.exists() else []
        return [process for process in found if process.process == "index"]


@pytest.fixture
async def editor() -> AsyncIterator[Editor]:
    with tempfile.TemporaryDirectory(prefix="we", dir="/tmp") as folder:
        made = Editor(Path(folder))
        yield made
        await made.client.shutdown_session()
        await made.client.stop()
        for process in processes.running(made.sockets) if made.sockets.exists() else []:
            assert processes.stop(process)


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.02)


async def test_a_folder_is_indexed_and_followed(editor: Editor) -> None:
    make(editor.root, "a.py", content="def one(): pass\n")
    await editor.start()
    await eventually(lambda: editor.reader.definers("one") == ("a.py",))
    (editor.root / "a.py").write_text("def uno(): pass\n")
    await eventually(lambda: editor.reader.definers("uno") == ("a.py",))
    assert editor.progress == []


async def test_progress_is_shown_where_there_is_much_to_do(editor: Editor) -> None:
    for number in range(1500):
        make(editor.root, f"{number}.py", content=f"def name{number}(): pass\n")
    window = types.WindowClientCapabilities(work_done_progress=True)
    await editor.start(window=window)
    editor.open("7.py")
    await eventually(lambda: editor.reader.files() == 1500)
    await eventually(lambda: bool(editor.progress) and editor.progress[-1].kind == "end")
    begin, *reports, _end = editor.progress
    assert (begin.kind, begin.cancellable) == ("begin", True)
    assert "of 1500 files of r" in begin.message
    assert all(report.kind == "report" for report in reports)


async def test_the_editor_may_cancel(editor: Editor) -> None:
    for number in range(4000):
        make(editor.root, f"{number}.py", content=f"def name{number}(): pass\n")
    await editor.start(window=types.WindowClientCapabilities(work_done_progress=True))
    await eventually(lambda: bool(editor.progress))
    (token,) = editor.client.progress_reports
    editor.client.window_work_done_progress_cancel(types.WorkDoneProgressCancelParams(token))
    await eventually(lambda: bool(editor.progress) and editor.progress[-1].kind == "end")
    assert editor.reader.files() < 4000


async def test_an_editor_that_can_watch_is_asked_to(editor: Editor) -> None:
    make(editor.root, "a.py", content="def one(): pass\n")
    watched = types.DidChangeWatchedFilesClientCapabilities(dynamic_registration=True)
    await editor.start(
        workspace=types.WorkspaceClientCapabilities(did_change_watched_files=watched)
    )
    await eventually(lambda: bool(editor.registered))
    (registration,) = editor.registered
    assert registration.method == types.WORKSPACE_DID_CHANGE_WATCHED_FILES
    await eventually(lambda: editor.reader.definers("one") == ("a.py",))
    (editor.root / "a.py").write_text("def uno(): pass\n")
    event = types.FileEvent((editor.root / "a.py").as_uri(), types.FileChangeType.Changed)
    editor.client.workspace_did_change_watched_files(types.DidChangeWatchedFilesParams([event]))
    await eventually(lambda: editor.reader.definers("uno") == ("a.py",))


async def test_what_was_stopped_comes_back_with_the_next_file(editor: Editor) -> None:
    make(editor.root, "a.py", "b.py")
    await editor.start()
    await eventually(lambda: bool(editor.running()))
    (process,) = editor.running()
    assert await asyncio.to_thread(processes.stop, process)
    await asyncio.sleep(0.5)
    assert editor.running() == []
    editor.open("a.py")
    await eventually(lambda: bool(editor.running()))


@pytest.mark.parametrize("why", ["setting", "home", "untrusted"])
async def test_some_folders_are_not_indexed(editor: Editor, why: str) -> None:
    make(editor.root, "a.py", content="def one(): pass\n")
    if why == "setting":
        (editor.root / ".wicket.toml").write_text("[index]\nenabled = false\n")
    if why == "home":
        editor.environment["HOME"] = str(editor.root / "me")
    if why == "untrusted":
        editor.options = {"trusted": False}
    await editor.start()
    editor.open("a.py")
    await asyncio.sleep(1.0)
    assert editor.running() == []
    assert not editor.reader.refresh()


SHOP = {
    "store.py": "class Store:\n    def find(self, name: str) -> int: ...\n",
    "bill.py": "from store import Store\nimport secret\n\n\ndef pay(s: Store):\n    s.\n",
    ".env.py": "from store import Store\n\n\ndef never_seen(s: Store): ...\n",
    "secret.py": "def hidden_away(): ...\n",
}


@pytest.mark.parametrize("wanted", [True, "auto"])
async def test_what_the_index_finds_is_shown_to_the_model(editor: Editor, wanted: object) -> None:
    """And told of; by itself not to one as small as that which ships, and never a secret."""
    for path, content in SHOP.items():
        make(editor.root, path, content=content)
    editor.options = {"completion": {"context": wanted, "exclude": ["secret.py"]}}
    await editor.start()
    editor.open("bill.py")
    await eventually(lambda: editor.reader.definers("find") == ("store.py",))

    async def told(key: int) -> list[Any]:
        # What was suggested here before would be suggested again.
        uri, at = (editor.root / "bill.py").as_uri(), types.Position(2, key)
        editor.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(2 + key, uri),
                [types.TextDocumentContentChangePartial(types.Range(at, at), "#")],
            )
        )
        await editor.client.text_document_inline_completion_async(
            types.InlineCompletionParams(
                types.InlineCompletionContext(types.InlineCompletionTriggerKind.Invoked),
                types.TextDocumentIdentifier(uri),
                types.Position(5, 6),
            )
        )
        explained = await editor.client.protocol.send_request_async("wicket/explainSuggestion", {})
        return explained.context

    found: list[Any] = []
    for key in range(100 if wanted is True else 5):
        if not (found := await told(key)):
            await asyncio.sleep(0.2)
        else:
            break
    assert [row.path for row in found] == (["store.py"] if wanted is True else [])
    if found:
        (store,) = found
        assert store.lines == [1, 2]
        assert "member of s" in store.why
        assert store.tokens > 0
    log = (Path(editor.environment["HOME"]) / ".local/state/wicket/log/lsp.log").read_text()
    assert "failed" not in log
