"""Canaries in files that stay: every byte that our processes write is looked through for them.

The kernel's own record (strace) of `wicket index` and `wicket lsp`, and so of all that they
start: the engine, the index with its parsers, the gate.  What it holds are the pipes to the
editor, the unix sockets, the loopback connections to a provider and to a model server, and files.
"""

import asyncio
import contextlib
import re
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from lsprotocol import types
from pytest_lsp import ClientServerConfig, LanguageClient
from wicket.server import processes
from wicket.server.ask_editor import SEND

from ..completion.llama_servers import llama_server
from ..escalation.provider import ANSWERS, USAGE, ProviderServer, called, chunk
from ..escalation.wire import head
from .gate_home import PROVIDER, Home
from .test_ask_editor import Editor

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")

# `PLAIN` is in no such file: where it is not found, the search would find nothing at all.
PLAIN, KEPT, NEVER, SECRET = ("cnrplain7x1", "cnrkept7x2", "cnrnever7x3", "cnrsecret7x4")
# A value under a secret's name: the gate is told it, so that it masks it wherever it stands.
MASKED = "cnrmasked7x5a9b8c7d6e5f"
TYPED = "typed"


def code(canary: str) -> str:
    return f"def build_{canary}(count, {canary}=1):\n    return count + {canary}\n\n\n"


FILES = {
    "src/open.py": "from house import plans\nfrom deals import prices\n\n\n" + code(PLAIN),
    "src/other.py": code(f"other_{PLAIN}"),
    "house/plans.py": code(KEPT),
    "deals/prices.py": code(NEVER),
    "deals/notes.md": f"# {NEVER}\nWhat it costs: {NEVER}\n",
    ".env": f"MODE={SECRET}\nHOST={SECRET}\nTOKEN={MASKED}\n",
    "id_rsa": f"{SECRET}\n",
}
POLICY = """
[[rule]]
name = "deals"
paths = ["deals/"]
decision = "never"

[[rule]]
name = "house"
paths = ["house/"]
decision = "this-machine"
"""
# An address of this machine that nobody takes for one: prompts for it leave, as for any other.
ELSEWHERE = "127.1"


def _looks_around() -> list[bytes | None]:
    """The model wants to see every file, by every tool."""
    asked = [f'{{"path": "{path}"}}' for path in FILES]
    rows = [("read", said) for said in asked] + [("outline", said) for said in asked]
    rows += [("search", '{"text": "return count"}'), ("symbols", '{"name": "plans"}')]
    calls = b"".join(called(n, f"c{n}", name, said) for n, (name, said) in enumerate(rows))
    ended = chunk(choices=[{"delta": {}, "finish_reason": "tool_calls"}])
    return [head() + calls + ended + USAGE + b"data: [DONE]\n\n"]


ANSWERS["looks at all"] = _looks_around()

CALLS = "write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,sendmmsg"
STRACE = ("strace", "-D", "-f", "-yy", "-s", "9999999", "-e", f"trace={CALLS}")
# Process, call, and what its descriptor is.
WROTE = re.compile(r"\d+ +\w+\(\d+<((?:->|[^>])*)>(.*)")


@dataclass(frozen=True)
class Wrote:
    """`to` is editor, socket, model, provider, file or other."""

    to: str
    where: str
    content: str


def wrote(trace: str, ports: Mapping[int, str]) -> Iterator[Wrote]:
    for line in trace.splitlines():
        if (found := WROTE.match(line)) is None:
            continue
        where, content = found.groups()
        to = "other"
        if where.startswith("UNIX"):
            to = "socket"
        elif where.startswith("pipe"):
            to = "editor"
        elif where.startswith("/"):
            to = "file"
        elif where.startswith("TCP") and (port := re.search(r":(\d+)\]$", where)):
            to = ports.get(int(port[1]), "other")
        yield Wrote(to, where, content)


def holders(rows: list[Wrote], canary: str) -> set[str]:
    return {row.to for row in rows if canary in row.content}


class World:
    def __init__(self, place: Path, server: ProviderServer, model: int | None) -> None:
        self.server, self.home = server, Home(place / "h", server.port)
        self.folder, self.traces = place / "repo", [place / "index.trace", place / "lsp.trace"]
        self.ports = {server.port: "provider"} | ({model: "model"} if model else {})
        far = f'\n[completion]\nmodel = "far"\n[engine.models.far]\nendpoint = "http://{ELSEWHERE}:{model}"\n'
        self.home.says(PROVIDER.format(port=server.port) + (far if model else ""))
        self.home.paths.policies[1].write_text(POLICY)
        for name, text in FILES.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text)

    async def index(self) -> None:
        indexing = await asyncio.create_subprocess_exec(
            *STRACE, "-o", str(self.traces[0]),
            *processes.command("index", str(self.folder), "--json"),
            env=self.home.environment,
            stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        assert await indexing.wait() == 0

    @contextlib.asynccontextmanager
    async def editor(self) -> AsyncIterator[Editor]:
        command = [*STRACE, "-o", str(self.traces[1]), *processes.command("lsp")]
        client: LanguageClient = await ClientServerConfig(
            command, server_env=self.home.environment
        ).start()
        made = Editor(client, self.home, self.folder)
        states: list[str] = []

        @client.feature("wicket/status")
        def status(params: Any) -> None:
            states.append(params.state)

        await client.initialize_session(
            types.InitializeParams(
                types.ClientCapabilities(
                    window=types.WindowClientCapabilities(
                        show_document=types.ShowDocumentClientCapabilities(True)
                    )
                ),
                workspace_folders=[types.WorkspaceFolder(self.folder.as_uri(), "repo")],
            )
        )
        async with asyncio.timeout(120):
            while "ready" not in states:
                await asyncio.sleep(0.05)
        try:
            yield made
        finally:
            for running in processes.running(self.home.socket.parent):
                await asyncio.to_thread(processes.stop, running)
            await client.shutdown_session()
            await client.stop()

    def written(self) -> list[Wrote]:
        """All that was written: by system calls, and as files say it now."""
        rows = [row for file in self.traces for row in wrote(file.read_text(), self.ports)]
        files = (file for file in self.home.root.rglob("*") if file.is_file())
        return rows + [Wrote("file", str(f), f.read_bytes().decode("latin-1")) for f in files]


@pytest.fixture(params=["own model", "model elsewhere"])
async def world(server: ProviderServer, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    with (
        tempfile.TemporaryDirectory(prefix="wn", dir="/tmp") as place,
        contextlib.ExitStack() as up,
    ):
        model = None
        if request.param == "model elsewhere":
            model = int(up.enter_context(llama_server()).rpartition(":")[2])
        yield World(Path(place), server, model)


async def type_and_ask(editor: Editor, name: str, text: str, canary: str) -> list[str]:
    """Open a file, type at its end, ask for ghost text, then put a question; why not, if so."""
    uri = (editor.folder / name).as_uri()
    language = {".py": "python", ".md": "markdown"}.get(Path(name).suffix, "plaintext")
    client, line = editor.client, text.count("\n")
    client.text_document_did_open(
        types.DidOpenTextDocumentParams(types.TextDocumentItem(uri, language, 1, text))
    )
    typed = f"def use():\n    {TYPED}_{canary} = build_{canary}("
    at = types.Position(line, 0)
    client.text_document_did_change(
        types.DidChangeTextDocumentParams(
            types.VersionedTextDocumentIdentifier(2, uri),
            [types.TextDocumentContentChangePartial(types.Range(at, at), typed)],
        )
    )
    end = types.Position(line + 1, len(typed.split("\n")[1]))
    for kind in types.InlineCompletionTriggerKind:
        await client.text_document_inline_completion_async(
            types.InlineCompletionParams(
                types.InlineCompletionContext(kind), types.TextDocumentIdentifier(uri), end
            )
        )
    whole = {"start": {"line": 0, "character": 0}, "end": {"line": line, "character": 0}}
    editor.says = [SEND] * 4
    found = await editor.ask(question="What does this count?", uri=uri, range=whole)
    return [found["status"], str(found["why"])]


async def test_what_stays_is_in_nothing_that_is_written(
    world: World, server: ProviderServer
) -> None:
    before = sorted(str(file) for file in world.folder.rglob("*"))
    await world.index()
    canaries = {"src": PLAIN, "house": KEPT, "deals": NEVER}
    said: dict[str, list[str]] = {}
    async with world.editor() as editor:
        # Those that stay first, so that they are open when the others are typed in.
        for name in sorted(FILES):
            server.script = ["looks at all"]
            canary = canaries.get(name.partition("/")[0], SECRET)
            said[name] = await type_and_ask(editor, name, FILES[name], canary)
    rows = world.written()
    assert {n: s[0] for n, s in said.items()} == {
        name: "ok" if name.startswith("src/") else "refused" for name in FILES
    }, said
    # That the search finds what is there:
    far = "model" in world.ports.values()
    assert {"socket", "provider", *(["model"] if far else [])} <= holders(rows, PLAIN)
    assert {"socket", *(["model"] if far else [])} <= holders(rows, f"{TYPED}_{PLAIN}")
    assert server.received.count(b"build_" + PLAIN.encode()) > 1
    assert b'"tool_call_id"' in server.received, "it was told what it may not see"
    # Nowhere, not even on the way to the editor or between our own processes:
    assert holders(rows, NEVER) == holders(rows, SECRET) == set()
    told = [row for row in rows if MASKED in row.content]
    assert {(row.to, "known_secrets" in row.content) for row in told} == {("socket", True)}
    # With a model elsewhere in none of the prompts, so in none of its connections:
    assert not {"provider", "model", "other"} & holders(rows, KEPT)
    assert far or "socket" in holders(rows, KEPT), "the own model gets it"
    for canary in (NEVER, SECRET, MASKED, KEPT):
        assert canary.encode() not in server.received
    assert sorted(str(file) for file in world.folder.rglob("*")) == before


LINE = '7 sendto(9<TCP:[127.0.0.1:4000->127.0.0.1:80]>, "POST a", 6, 0, NULL, 0) = 6'
UNIX = '8 write(5<UNIX-STREAM:[12->34]>, "a", 1) = 1'


@pytest.mark.parametrize(
    ("line", "to"),
    [
        (LINE, ["provider"]),
        (LINE.replace(":80]", ":81]"), ["other"]),
        (UNIX, ["socket"]),
        ('8 pwrite64(5</h/a.db>, "a", 1, 0) = 1', ["file"]),
        ('8 write(1<pipe:[3]>, "a" <unfinished ...>', ["editor"]),
        ("8 +++ exited with 0 +++", []),
    ],
)
def test_the_reading_of_a_trace(line: str, to: list[str]) -> None:
    rows = list(wrote(line, {80: "provider"}))
    assert [row.to for row in rows] == to
    assert all("a" in row.content for row in rows)
