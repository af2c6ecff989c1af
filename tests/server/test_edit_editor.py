"""`wicket.edit` over real stdio: asked, proposed as each client can show it, on record."""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient
from wicket.server import processes
from wicket.server.ask_editor import REFUSE, SEND
from wicket.server.documents import Document
from wicket.server.edit_editor import APPLY, DISCARD, PROPOSE
from wicket.server.edit_editor import SHOW as SHOW_DIFF

from ..escalation import anthropic_wire
from ..escalation.provider import ANSWERS, ProviderServer
from .gate_home import CLAUDE, Home
from .test_ask import Desk

SOURCE = "# ü\n# wicket: call it open_it\ndef open_store(path):\n    return path\n\n\nlast = '𐐷'"
EDITED = SOURCE.replace("open_store", "open_it")
ANSWERS["renames it"] = [
    anthropic_wire.HEAD
    + anthropic_wire.start()
    + anthropic_wire.tool(
        0,
        "toolu_1",
        "edit",
        json.dumps(
            {"edits": [{"path": "store.py", "old": "def open_store", "new": "def open_it"}]}
        ),
    )
    + anthropic_wire.end("tool_use")
]
ANSWERS["breaks it"] = [
    piece.replace(b"def open_it", b"def (open_it") if piece else None
    for piece in ANSWERS["renames it"]
]
CI = ".github/workflows/ci.yml"
ANSWERS["builds it"] = [
    piece.replace(b"store.py", CI.encode()) if piece else None for piece in ANSWERS["renames it"]
]


class Editor:
    """A client of one sort, with one document; it does what `says` and `decides` tell."""

    def __init__(self, client: LanguageClient, home: Home, folder: Path, sort: str) -> None:
        self.client, self.home, self.folder, self.sort = client, home, folder, sort
        self.uri = (folder / "store.py").as_uri()
        self.document = Document(self.uri, "python", 1, SOURCE)
        self.says: list[str] = []
        self.asked: list[str] = []
        self.proposals: list[dict[str, Any]] = []
        self.applied: list[types.ApplyWorkspaceEditParams] = []
        self.decides, self.typed = "applied", ""

        @client.feature(types.WINDOW_SHOW_MESSAGE_REQUEST)
        def asked(params: types.ShowMessageRequestParams) -> types.MessageActionItem | None:
            self.asked.append(params.message)
            self.type()
            return types.MessageActionItem(self.says.pop(0))

        @client.feature(PROPOSE)
        def proposed(params: Any) -> dict[str, str]:
            self.proposals.append(params._asdict())
            edits = [
                types.TextEdit(
                    types.Range(types.Position(*e.range.start), types.Position(*e.range.end)),
                    e.newText,
                )
                for e in params.edits
            ]
            if self.decides == "applied":
                self.change(edits)
            return {"decision": self.decides}

        @client.feature(types.WORKSPACE_APPLY_EDIT)
        def apply(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
            self.applied.append(params)
            edit = params.edit
            if edit.document_changes:
                (one,) = edit.document_changes
                assert isinstance(one, types.TextDocumentEdit)
                assert one.text_document.version == self.document.version
                edits: Any = one.edits
            else:
                assert edit.changes
                edits = edit.changes[self.uri]
            if self.decides == "applied":
                self.change(edits)
            # As Neovim does: it says so whatever it did.
            return types.ApplyWorkspaceEditResult(True)

    def change(self, edits: Any) -> None:
        """All at once, each as it was in the document before."""
        changes = [
            types.TextDocumentContentChangePartial(edit.range, edit.new_text)
            for edit in reversed(list(edits))
        ]
        version = (self.document.version or 0) + 1
        encoding = types.PositionEncodingKind.Utf16
        self.document = self.document.changed(changes, version, encoding)
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(version=version, uri=self.uri), changes
            )
        )

    def type(self) -> None:
        if self.typed:
            text, self.typed = self.typed, ""
            start = types.Position(0, 0)
            self.change([types.TextEdit(types.Range(start, start), text)])

    async def edit(self, **said: Any) -> tuple[str, str | None]:
        row = {"uri": self.uri, "kind": "edit", "comment": 1, "instruction": "call it open_it"}
        params = types.ExecuteCommandParams("wicket.edit", [row | said])
        found = await self.client.workspace_execute_command_async(params)
        return status_of(found)

    @property
    def decisions(self) -> list[str]:
        return [row["data"]["decision"] for row in self.home.records("applied")]


def status_of(found: Any) -> tuple[str, str | None]:
    row = found if isinstance(found, dict) else found._asdict()
    return row["status"], row["why"]


@pytest.fixture
def server(server: ProviderServer) -> ProviderServer:
    server.answer = "renames it"
    return server


def capabilities(sort: str) -> types.ClientCapabilities:
    window = types.WindowClientCapabilities(
        work_done_progress=True, show_document=types.ShowDocumentClientCapabilities(True)
    )
    annotated = types.ChangeAnnotationsSupportOptions() if sort == "annotated" else None
    edit = types.WorkspaceEditClientCapabilities(True, change_annotation_support=annotated)
    workspace = types.WorkspaceClientCapabilities(
        apply_edit=True, workspace_edit=None if sort == "plain" else edit
    )
    experimental = {"wicketEdits": True} if sort == "in place" else None
    return types.ClientCapabilities(workspace, window=window, experimental=experimental)


@pytest.fixture
async def editor(server: ProviderServer, request: pytest.FixtureRequest) -> AsyncIterator[Editor]:
    with tempfile.TemporaryDirectory(prefix="wd", dir="/tmp") as place:
        home = Home(Path(place) / "h", server.port)
        home.says(CLAUDE.format(port=server.port) + "[completion]\nenabled = false\n")
        folder = Path(place) / "repo"
        folder.mkdir()
        (folder / ".env").write_text("TOKEN=canary-5f1c0ffee\n")
        config = ClientServerConfig(
            [sys.executable, "-I", "-m", "wicket.server", "lsp"], server_env=home.environment
        )
        client = await config.start()
        made = Editor(client, home, folder, request.param)
        found = await client.initialize_session(
            types.InitializeParams(
                capabilities(request.param),
                workspace_folders=[types.WorkspaceFolder(folder.as_uri(), "repo")],
            )
        )
        assert found.capabilities.code_action_provider
        item = types.TextDocumentItem(made.uri, "python", 1, SOURCE)
        client.text_document_did_open(types.DidOpenTextDocumentParams(item))
        yield made
        await client.shutdown_session()
        await client.stop()
        for running in processes.running(home.socket.parent):
            await asyncio.to_thread(processes.stop, running)
        assert server.connections <= len(home.records("intent"))


SORTS = ["in place", "annotated", "versioned", "plain"]


@pytest.mark.parametrize("editor", SORTS, indirect=True)
async def test_proposed_as_the_client_can_show_it(editor: Editor, server: ProviderServer) -> None:
    """The instruction's line goes away with the edit, and the log says that it was applied."""
    where = types.Range(types.Position(1, 3), types.Position(1, 3))
    context = types.CodeActionContext([], trigger_kind=types.CodeActionTriggerKind.Automatic)
    actions = await editor.client.text_document_code_action_async(
        types.CodeActionParams(types.TextDocumentIdentifier(editor.uri), where, context)
    )
    assert actions
    # This client's library makes nothing of the commands; real editors are tested elsewhere.
    assert [one.title for one in actions] == ["Wicket: do “call it open_it”"]
    asks = editor.sort in ("versioned", "plain")
    editor.says = [SEND, SHOW_DIFF, APPLY] if asks else [SEND]
    assert await editor.edit() == ("applied", None)
    assert editor.document.text == EDITED.replace("# wicket: call it open_it\n", "")
    assert editor.decisions == ["applied"]
    assert editor.says == []
    body = server.requests[0][1].decode()
    assert "wicket: call" not in body, "the model sees the code, the words come by themselves"
    assert "This is about the lines store.py:2-3." in body
    if editor.sort == "in place":
        (proposal,) = editor.proposals
        assert "-def open_store(path):" in proposal["diff"]
        assert proposal["version"] == 1
    else:
        (applied,) = editor.applied
        notes = applied.edit.change_annotations or {}
        needs = [one.needs_confirmation for one in notes.values()]
        assert needs == ([True] if editor.sort == "annotated" else [])
        assert bool(applied.edit.changes) == (editor.sort == "plain")
    if asks:
        assert editor.asked[1] == "Wicket: proposed edit: 1 lines more, 2 less in store.py"
        assert any(p.uri.endswith(".diff") for p in editor.client.shown_documents)


@pytest.mark.parametrize("editor", ["in place"], indirect=True)
async def test_what_an_editor_applied_is_undone_from_the_terminal_once_it_is_saved(
    editor: Editor,
) -> None:
    file = editor.folder / "store.py"
    file.write_text(SOURCE)
    editor.says = [SEND]
    assert await editor.edit() == ("applied", None)
    held = "is on the disk as it was before the edit: your editor holds it unsaved"
    for content, code, said, left in (
        (SOURCE, 1, held, SOURCE),
        (f"{editor.document.text}# mine\n", 1, "store.py changed meanwhile", None),
        (editor.document.text, 0, "load it there again", SOURCE),
        (SOURCE, 1, "there is nothing to undo", SOURCE),
    ):
        file.write_text(content)
        found = await Desk(editor.home, editor.folder, "revert").run()
        assert (found[0], said in found[2]) == (code, True), found
        assert file.read_text() == (left or content)
    assert editor.decisions == ["applied", "reverted"]


@pytest.mark.parametrize("editor", SORTS, indirect=True)
async def test_a_no_changes_nothing(editor: Editor, server: ProviderServer) -> None:
    editor.says = [REFUSE]
    assert await editor.edit() == ("declined", None)
    assert server.connections == 0
    editor.says = [SEND, DISCARD]
    editor.decides = "rejected"
    assert await editor.edit() == ("rejected", None)
    assert editor.document.text == SOURCE
    assert editor.decisions == ["rejected"]


@pytest.mark.parametrize("editor", ["in place", "annotated"], indirect=True)
async def test_a_file_that_programs_obey_takes_a_yes_of_its_own(
    editor: Editor, server: ProviderServer
) -> None:
    server.answer = "builds it"
    editor.uri = editor.uri.replace("store.py", CI)
    editor.document = Document(editor.uri, "yaml", 1, SOURCE)
    item = types.TextDocumentItem(editor.uri, "yaml", 1, SOURCE)
    editor.client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    lines = {"start": {"line": 2, "character": 0}, "end": {"line": 3, "character": 0}}
    editor.says = [SEND, SHOW_DIFF, DISCARD]
    assert await editor.edit(comment=None, range=lines) == ("rejected", None)
    assert (editor.proposals, editor.applied) == ([], [])
    assert "programs obey this file" in editor.asked[-1]
    editor.says = [SEND, APPLY]
    assert await editor.edit(comment=None, range=lines) == ("applied", None)
    assert editor.document.text == EDITED
    assert editor.decisions == ["rejected", "applied"]


@pytest.mark.parametrize("editor", ["in place"], indirect=True)
async def test_what_cannot_be_applied_is_not_offered(
    editor: Editor, server: ProviderServer
) -> None:
    """A document that changed while the model thought, an edit that breaks it, nonsense."""
    editor.says, editor.typed = [SEND], "# mine\n"
    status, why = await editor.edit()
    assert (status, why) == ("rejected", "the document changed meanwhile; ask again")
    assert editor.document.text == "# mine\n" + SOURCE
    server.answer = "breaks it"
    editor.says = [SEND]
    status, why = await editor.edit()
    assert (status, why) == ("rejected", "store.py would have a syntax error that it has not now")
    server.answer = "claude whole"
    editor.says = [SEND]
    status, why = await editor.edit()
    assert (status, why) == ("refused", "no edit was proposed; it said: Hello world")
    assert editor.proposals == []
    assert editor.decisions == ["rejected", "rejected"]
    for said, wanted in (
        ({"instruction": " "}, "say what is to be done"),
        ({"instruction": 3}, "say what is to be done"),
        ({"kind": "ask"}, "there is no kind of edit ask"),
        ({"uri": "untitled:1"}, "open the file"),
        ({"uri": None}, "open the file"),
    ):
        status, why = await editor.edit(**said)
        assert status == "refused"
        assert wanted in (why or "")
    shown = [one.message for one in editor.client.messages]
    assert shown[-1].startswith("Wicket: open the file"), "who asked is told"


@pytest.mark.parametrize("editor", ["annotated"], indirect=True)
async def test_a_client_that_says_too_soon_that_it_applied_is_not_believed(
    editor: Editor, server: ProviderServer
) -> None:
    editor.says, editor.decides = [SEND], "skipped"
    assert await editor.edit(diagnostics=[{"message": "odd", "line": 3}]) == ("rejected", None)
    assert editor.decisions == ["rejected"]
    assert "Line 3: odd" in server.requests[0][1].decode()


@pytest.mark.parametrize("editor", ["in place"], indirect=True)
async def test_cancelling_in_the_editor_ends_the_exchange(
    editor: Editor, server: ProviderServer
) -> None:
    server.answer = "claude stalls"
    editor.says = [SEND]
    editing = asyncio.ensure_future(editor.edit())
    await asyncio.wait_for(server.arrived.wait(), 60)
    (token,) = editor.client.progress_reports
    editor.client.window_work_done_progress_cancel(types.WorkDoneProgressCancelParams(token))
    with pytest.raises(Exception, match="cancelled"):
        await editing
    (outcome,) = await editor.home.until("outcome")
    assert outcome["data"]["status"] == "cancelled"
    assert editor.document.text == SOURCE
