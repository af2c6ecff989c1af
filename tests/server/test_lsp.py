"""`wicket lsp` over real stdio, asked by a client that is not ours (pytest-lsp)."""

import asyncio
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_lsp
from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient
from wicket.completion.chances import SHOWN
from wicket.completion.complete import UNSURE
from wicket.completion.cursor import gist
from wicket.server import processes
from wicket.server.app import ALTERNATIVES

URI = "file:///home/space/a.py"
# The line below was written before, so that model and copy are sure enough of it.
SOURCE = "def double(number):\n    return number * 2\n\ndef treble(number):\n    retur\n\n\nx = 1\n"
HOLE = types.Position(4, 9)


def environment(folder: str) -> dict[str, str]:
    """Directories of its own: no test meets another's engine or the user's settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | {
        "XDG_RUNTIME_DIR": folder,
        "XDG_CONFIG_HOME": f"{folder}/config",
        "XDG_STATE_HOME": f"{folder}/state",
        "XDG_CACHE_HOME": f"{folder}/cache",
        "XDG_DATA_HOME": f"{folder}/data",
    }


@pytest.fixture(scope="module")
def home() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="wl", dir="/tmp") as folder:
        yield folder
        sockets = Path(folder) / "wicket"
        for found in processes.running(sockets) if sockets.exists() else []:
            assert processes.stop(found)


def engine_in(home: str) -> processes.Running:
    (engine,) = (p for p in processes.running(Path(home) / "wicket") if p.process == "engine")
    return engine


class Editor:
    """What the tests say and hear."""

    def __init__(self, client: LanguageClient) -> None:
        self.client = client
        self.statuses: list[dict[str, Any]] = []
        self.version = 1

        @client.feature("wicket/status")
        def status(params: Any) -> None:
            self.statuses.append(params._asdict())

    def open(self, text: str = SOURCE, uri: str = URI, language: str = "python") -> None:
        self.client.text_document_did_open(
            types.DidOpenTextDocumentParams(
                types.TextDocumentItem(uri, language, self.version, text)
            )
        )

    def type(self, at: types.Position, text: str, uri: str = URI) -> None:
        self.version += 1
        self.client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(self.version, uri),
                [types.TextDocumentContentChangePartial(types.Range(at, at), text)],
            )
        )

    def request(
        self,
        at: types.Position = HOLE,
        uri: str = URI,
        kind: types.InlineCompletionTriggerKind = types.InlineCompletionTriggerKind.Automatic,
        **context: Any,
    ) -> types.InlineCompletionParams:
        return types.InlineCompletionParams(
            types.InlineCompletionContext(kind, **context),
            types.TextDocumentIdentifier(uri),
            at,
        )

    async def ask(self, at: types.Position = HOLE, uri: str = URI, **context: Any) -> Any:
        return await self.client.text_document_inline_completion_async(
            self.request(at, uri, **context)
        )

    async def ask_by_hand(self, at: types.Position = HOLE, uri: str = URI) -> Any:
        """Whatever there is, likely or not."""
        return await self.ask(at, uri, kind=types.InlineCompletionTriggerKind.Invoked)

    async def explain(self, **members: Any) -> Any:
        return await self.client.protocol.send_request_async("wicket/explainSuggestion", members)

    async def until(self, state: str, since: int = -1) -> dict[str, Any]:
        """Wait for a status: the last one, or any after the first `since`."""
        async with asyncio.timeout(20):
            while True:
                for status in self.statuses[since:]:
                    if status["state"] == state:
                        return status
                await asyncio.sleep(0.02)


def starting(folder: str) -> ClientServerConfig:
    return ClientServerConfig(
        server_command=[sys.executable, "-I", "-m", "wicket.server", "lsp"],
        server_env=environment(folder),
    )


async def initialize(
    client: LanguageClient, *encodings: str, **more: Any
) -> types.InitializeResult:
    general = types.GeneralClientCapabilities(position_encodings=list(encodings) or None)
    params = types.InitializeParams(
        types.ClientCapabilities(general=general),
        process_id=os.getpid(),
        workspace_folders=[types.WorkspaceFolder("file:///home/space", "space")],
        **more,
    )
    return await client.initialize_session(params)


@pytest.fixture
async def editor(home: str) -> AsyncIterator[Editor]:
    config = starting(home)
    client = await config.start()
    made = Editor(client)
    await initialize(client)
    await made.until("ready")
    yield made
    await client.shutdown_session()
    await client.stop()


async def test_an_editor_is_answered_with_ghost_text(editor: Editor) -> None:
    editor.open()
    answer = await editor.ask()
    (item,) = answer.items
    assert item.insert_text.startswith("n")
    assert "\r" not in item.insert_text
    assert item.range.start == HOLE
    assert item.range.end.line == HOLE.line
    assert item.command.command == "wicket.accepted"
    await editor.client.workspace_execute_command_async(
        types.ExecuteCommandParams(item.command.command, item.command.arguments)
    )
    why = await editor.explain(id=item.command.arguments[0])
    assert (why.source, why.model, why.accepted) == ("model-free", "wicket-base", True)
    assert why.tokens.prefill > 0
    assert why.chance >= SHOWN


async def test_what_is_unsure_is_shown_to_who_asks_by_hand(editor: Editor) -> None:
    editor.open("def f():\n    value = 7\n    re")
    at = types.Position(2, 6)
    assert not (await editor.ask(at)).items
    assert (await editor.explain()).filtered == UNSURE
    assert (await editor.ask_by_hand(at)).items
    why = await editor.explain()
    assert (why.source, why.filtered) == ("model", None)


async def test_open_files_are_copied_from(editor: Editor) -> None:
    """Also where the model does not speak the language, and the explanation says where."""
    other = "file:///home/space/b.rs"
    editor.open("fn area(radius: f64) -> f64 {\n    radius * radius * PI\n}\n", other, "rust")
    here = "file:///home/space/c.rs"
    editor.open("fn area(radius: f64) -> f64 {\n    radius * r", here, "rust")
    (item,) = (await editor.ask(types.Position(1, 14), here)).items
    assert item.insert_text == "adius * PI"
    why = await editor.explain()
    assert (why.source, why.copied_from) == ("model-free", "b.rs")


async def test_typing_elsewhere_costs_few_tokens(editor: Editor) -> None:
    """Keys that the suggestion did not foresee."""
    editor.open()
    await editor.ask()
    spent: list[int] = []
    for number, key in enumerate("zqxj_vwk(7, zz"):
        editor.type(types.Position(4, 9 + number), key)
        await editor.ask(types.Position(4, 10 + number))
        spent.append((await editor.explain()).tokens.prefill)
    assert sum(spent) <= 3 * len(spent), spent


async def test_typing_through_a_suggestion_asks_no_model(editor: Editor) -> None:
    """The rest is offered at each key, back-spacing included, for no token at all."""
    editor.open()
    text = (await editor.ask()).items[0].insert_text
    for number, key in enumerate(text[:-1]):
        editor.type(types.Position(4, 9 + number), key)
        (item,) = (await editor.ask(types.Position(4, 10 + number))).items
        assert item.insert_text == text[number + 1 :]
        why = await editor.explain()
        assert (why.source, why.tokens.prefill, why.tokens.decoded) == ("cache", 0, 0)


async def test_what_follows_an_accepted_suggestion_is_there_already(editor: Editor) -> None:
    editor.open()
    (item,) = (await editor.ask()).items
    await asyncio.sleep(0.6)
    editor.type(HOLE, item.insert_text)
    end = types.Position(4, 9 + len(item.insert_text))
    if (await editor.ask(end)).items:
        assert (await editor.explain()).source == "cache"


async def test_the_newest_request_wins(editor: Editor) -> None:
    """Of requests sent in one go all are answered, the superseded ones with null."""
    editor.open("\n" * 50 + SOURCE * 40)
    # By hand, so that none is answered by a copy before the next one is there.
    asked = (editor.ask_by_hand(types.Position(50 + n, 0)) for n in range(12))
    answers = await asyncio.gather(*asked)
    assert answers[:-1] == [None] * 11
    assert answers[-1] is not None


async def test_a_text_that_changed_meanwhile_gets_no_stale_answer(editor: Editor) -> None:
    editor.open("# other\n" + SOURCE * 60)
    asked = asyncio.ensure_future(editor.ask(types.Position(200, 0)))
    await asyncio.sleep(0)
    editor.type(types.Position(0, 0), "#")
    assert await asked is None


async def test_a_document_reopened_in_another_language_gets_no_stale_answer(
    editor: Editor,
) -> None:
    text = "# again\n" + SOURCE * 60
    editor.open(text)
    asked = asyncio.ensure_future(editor.ask(types.Position(200, 0)))
    await asyncio.sleep(0)
    identifier = types.TextDocumentIdentifier(URI)
    editor.client.text_document_did_close(types.DidCloseTextDocumentParams(identifier))
    editor.open(text, language="rust")
    assert await asked is None


async def test_a_cancelled_request_says_so(editor: Editor) -> None:
    editor.open("# cancel\n" + SOURCE * 60)
    client = editor.client
    future = client.protocol.send_request(
        "textDocument/inlineCompletion", editor.request(types.Position(300, 0))
    )
    futures = client.protocol._request_futures
    number = next(key for key, waiting in futures.items() if waiting is future)
    client.cancel_request(types.CancelParams(number))
    with pytest.raises(Exception, match="cancelled") as raised:
        await asyncio.wrap_future(future)
    assert getattr(raised.value, "code", None) == -32800
    assert (await editor.ask(types.Position(300, 0))) is not None


@pytest.mark.parametrize(
    ("what", "text", "at"),
    [
        ("empty", "", types.Position(0, 0)),
        ("past the end", "x = 1", types.Position(99, 99)),
        ("only newlines", "\n\n\n", types.Position(1, 0)),
        ("carriage returns", "def f():\r\n    retur\r\n", types.Position(1, 9)),
        ("lone returns", "def f():\r    retur\r", types.Position(1, 9)),
        ("tabs", "def f():\n\tif x:\n\t\tretur\n", types.Position(2, 7)),
        ("astral", "s = '😀😀'; retur", types.Position(0, 16)),
        ("half a pair", "s = '😀'", types.Position(0, 6)),
        ("combining", "é = 1\nretur", types.Position(1, 5)),
        ("form feed", "a\fb\x0b\u2028c = 1\nretur", types.Position(1, 5)),
        ("nul", "a\0b\nretur", types.Position(1, 5)),
        ("huge line", "x = '" + "ab" * 400_000 + "'\nretur", types.Position(1, 5)),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 20 else "",
)
async def test_any_document_is_answered(
    editor: Editor, what: str, text: str, at: types.Position
) -> None:
    editor.open(text)
    answer = await editor.ask(at)
    assert answer is not None
    for item in answer.items:
        assert item.range.start.line == item.range.end.line
    if what == "nul":
        assert not answer.items


async def test_five_megabytes_are_answered(editor: Editor) -> None:
    editor.open("x = 1\n" * 850_000 + "def f():\n    retur")
    answer = await editor.ask_by_hand(types.Position(850_001, 9))
    assert answer.items[0].insert_text.startswith("n")


async def test_unknown_documents_and_other_languages_get_nothing(editor: Editor) -> None:
    assert not (await editor.ask(uri="file:///nowhere.py")).items
    editor.open("fn main() {", "file:///home/space/a.rs", "rust")
    answer = await editor.ask(types.Position(0, 11), "file:///home/space/a.rs")
    assert not answer.items
    assert (await editor.explain()).filtered == "wicket-base does not know rust"
    status = editor.statuses[-1]
    assert (status["state"], status["fix"]) == ("off", "wicket model list")
    editor.open()
    await editor.ask()
    assert (await editor.until("ready"))["model"] == "wicket-base"


@pytest.mark.parametrize("name", [".env", ".env.local", "id_rsa", "server.pem"])
async def test_files_of_secrets_get_no_ghost_text(editor: Editor, name: str) -> None:
    uri = f"file:///home/space/{name}"
    editor.open("TOKEN = 'canary'\nretur", uri)
    found = (await editor.ask(types.Position(1, 5), uri)).items
    assert not found


def texts(answer: types.InlineCompletionList) -> list[str]:
    return [str(item.insert_text) for item in answer.items]


# Two ways to go on, so that there is something to choose from.
WAYS = """\
def first(values):
    return sorted(values)[0]


def last(values):
    return sorted(values)[-1]


def middle(values):
    return sort
"""
END = types.Position(9, 15)


async def test_who_asks_by_hand_may_choose(editor: Editor) -> None:
    """Of several texts that differ; what was on the screen before stays the first."""
    editor.open(WAYS)
    (shown,) = texts(await editor.ask(END))
    answer = await editor.ask_by_hand(END)
    found = texts(answer)
    assert 2 <= len(found) <= ALTERNATIVES
    assert len({gist(text) for text in found}) == len(found)
    assert found[0] == shown
    assert {"ed(values)[0]", "ed(values)[-1]"} & set(found)
    for item in answer.items:
        why = await editor.explain(id=item.command.arguments[0])
        assert item.insert_text == why.text
        assert item.range.start == END
    assert len(texts(await editor.ask(END))) == 1


async def test_the_rest_of_whichever_is_taken_costs_no_token(editor: Editor) -> None:
    """A client takes the second of several word by word, and says so."""
    editor.open(WAYS)
    answer = await editor.ask_by_hand(END)
    item = answer.items[1]
    left, column, client = item.insert_text, END.character, editor.client
    while word := re.match(r"\s*(\w+|[^\w\s]+)(?=.)", left):
        left = left[word.end() :]
        editor.type(types.Position(END.line, column), word[0])
        column += word.end()
        taken = {"item": item, "acceptedLength": column - END.character}
        client.protocol.notify("textDocument/didPartiallyAcceptCompletion", taken)
        assert texts(await editor.ask(types.Position(END.line, column))) == [left]
        why = await editor.explain()
        assert (why.source, why.tokens.prefill, why.tokens.decoded) == ("cache", 0, 0)
    assert column > END.character


BLOCKS = "".join(
    f"""\
class {name}:
    def read(self, path):
        with open(path, encoding="utf-8") as file:
            return json.load(file)

"""
    for name in ("Settings", "Colours", "Names", "Sizes", "Places", "Dates")
)
HEAD = "    def read(self, path):"


@pytest.mark.parametrize(
    ("mode", "most", "typed", "behind", "breaks"),
    [
        ("auto", 10, HEAD, "", 2),
        ("block", 10, HEAD, "", 2),
        ("block", 2, HEAD, "", 1),
        ("line", 10, HEAD, "", 0),
        ("auto", 10, HEAD + "\n        with open(path, enc", "", 0),
        ("block", 10, HEAD + "\n        with open(path, enc", "", 1),
        ("block", 10, HEAD + "\n        with open(", "path)", 0),
    ],
)
async def test_one_line_or_more(
    home: str, mode: str, most: int, typed: str, behind: str, breaks: int
) -> None:
    """`completion.lines` from the editor's setting to the ghost text."""
    client = await starting(home).start()
    editor = Editor(client)
    wishes = {"completion": {"lines": mode, "max_lines": most}}
    await initialize(client, initialization_options=wishes)
    before = f"{BLOCKS}class Trees:\n{typed}"
    editor.open(f"{before}{behind}\n")
    at = types.Position(before.count("\n"), len(before.rpartition("\n")[2]))
    found = texts(await editor.ask_by_hand(at))
    assert [text.count("\n") for text in found[:1]] in ([breaks], [])
    assert found or not breaks
    await client.shutdown_session()
    await client.stop()


async def test_a_popup_is_gone_on_from(editor: Editor) -> None:
    """Not only what happens to begin with its selection is shown: that is what is asked for."""
    editor.open(WAYS.replace("return sort\n", "return s\n"))
    word = types.Range(types.Position(9, 11), types.Position(9, 12))
    for selected, rest in (("sorted", "(values)["), ("sum", "(values)")):
        info = types.SelectedCompletionInfo(word, selected)
        kind = types.InlineCompletionTriggerKind.Invoked
        answer = await editor.ask(word.end, selected_completion_info=info, kind=kind)
        assert texts(answer)
        for item in answer.items:
            assert item.insert_text.startswith(selected)
            assert item.range == word
        assert any(text.startswith(selected + rest) for text in texts(answer)), texts(answer)


async def test_a_popup_is_only_extended(editor: Editor) -> None:
    editor.open("import os\nos.pat\n")
    word = types.Range(types.Position(1, 3), types.Position(1, 6))
    for selected in ("path", "pathsep", "patience"):
        info = types.SelectedCompletionInfo(word, selected)
        answer = await editor.ask(types.Position(1, 6), selected_completion_info=info)
        for item in answer.items:
            assert item.insert_text.startswith(selected)
            assert item.range.start == word.start


@pytest.mark.parametrize(("encoding", "column"), [("utf-8", 21), ("utf-16", 17), ("utf-32", 15)])
async def test_positions_count_as_negotiated(home: str, encoding: str, column: int) -> None:
    """After two characters outside the basic plane the three encodings differ."""
    client = await starting(home).start()
    editor = Editor(client)
    result = await initialize(client, encoding)
    assert result.capabilities.position_encoding == encoding
    text = "s = '😀😀'; retur"
    editor.open(text)
    item, *_ = (await editor.ask_by_hand(types.Position(0, column))).items
    assert item.insert_text.startswith("n")
    assert item.range.start == types.Position(0, column)
    await client.shutdown_session()
    await client.stop()


async def test_the_editor_sets_comfort_and_nothing_else(home: str) -> None:
    client = await starting(home).start()
    editor = Editor(client)
    wishes = {"wicket": {"completion": {"enabled": False}, "engine": {"threads": 7}}}
    await initialize(client, initialization_options=wishes)
    editor.open()
    assert not (await editor.ask()).items
    assert (await editor.explain()).filtered == "completion.enabled is false"
    client.workspace_did_change_configuration(
        types.DidChangeConfigurationParams({"completion": {"enabled": True}})
    )
    assert (await editor.ask()).items
    log = Path(home, "state/wicket/log/lsp.log").read_text()
    assert "engine.threads" in log
    await client.shutdown_session()
    await client.stop()


async def test_the_status_names_settings_that_mean_nothing(editor: Editor) -> None:
    """Quietly: completion goes on, and once it is mended nothing is said any more."""
    ready = await editor.until("ready")
    assert ready["reason"] is None
    before = len(editor.statuses)
    wrong = {"completion": {"max_lines": "many", "colour": "red"}}
    editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams(wrong))
    named = await editor.until("ready", before)
    assert re.fullmatch(r"settings: .*completion\..* \(1 more\)", named["reason"])
    assert named["fix"] == "wicket doctor"
    editor.open()
    assert (await editor.ask_by_hand()).items
    before = len(editor.statuses)
    editor.client.workspace_did_change_configuration(types.DidChangeConfigurationParams({}))
    assert await editor.until("ready", before) == ready


async def test_an_engine_that_is_killed_comes_back(editor: Editor, home: str) -> None:
    """No error reaches the editor; the status says what happened and then is ready."""
    editor.open()
    assert (await editor.ask_by_hand()).items
    engine = engine_in(home)
    before = len(editor.statuses)
    os.kill(engine.pid, 9)
    await editor.until("off", before)
    off = len(editor.statuses)
    assert (await editor.ask()) is not None
    await editor.until("ready", off)
    assert (await editor.ask_by_hand()).items
    again = engine_in(home)
    assert again.pid != engine.pid


async def test_an_engine_killed_while_it_computes_leaves_no_request_open(
    editor: Editor, home: str
) -> None:
    """Thirty long requests are on their way when the engine dies; all are answered."""
    await editor.until("ready")
    uris = [f"file:///home/space/{n}.py" for n in range(30)]
    for number, uri in enumerate(uris):
        editor.open(f"# {number}\n" + SOURCE * 60, uri)
    asked = [asyncio.ensure_future(editor.ask(types.Position(200, 0), uri)) for uri in uris]
    await asyncio.sleep(0.05)
    engine = engine_in(home)
    before = len(editor.statuses)
    os.kill(engine.pid, 9)
    answers = await asyncio.wait_for(asyncio.gather(*asked), 20)
    assert all(answer is None or isinstance(answer.items, tuple | list) for answer in answers)
    assert any(answer is not None and not answer.items for answer in answers)
    await editor.until("off", before)
    await editor.until("ready")


async def test_two_editors_share_one_engine() -> None:
    with tempfile.TemporaryDirectory(prefix="wl", dir="/tmp") as folder:
        clients = await asyncio.gather(*(starting(folder).start() for _ in range(2)))
        editors = [Editor(client) for client in clients]
        await asyncio.gather(*(initialize(client) for client in clients))
        for editor in editors:
            editor.open()
        answers = await asyncio.gather(*(editor.ask() for editor in editors))
        assert all(answer.items for answer in answers)
        engine = engine_in(folder)
        for client in clients:
            await client.shutdown_session()
            await client.stop()
        assert processes.stop(engine)


async def test_source_code_is_in_no_log(editor: Editor, home: str) -> None:
    canary = "canary_5f1d"
    editor.open(f"{canary} = 1\nretur")
    await editor.ask(types.Position(1, 5))
    editor.type(types.Position(77, 0), canary)
    await editor.ask(types.Position(1, 5))
    written = [f.read_bytes() for f in Path(home).rglob("*") if f.is_file()]
    assert not any(canary.encode() in data for data in written)


assert pytest_lsp
