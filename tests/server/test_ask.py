"""`wicket ask` as a person types it: what is shown, what leaves, and what never does."""

import asyncio
import base64
import json
import os
import pty
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from wicket.server import approval, env_secrets, processes
from wicket.server.ask import Answer
from wicket.server.ask_verb import as_json, whole_blocks

from ..escalation.anthropic_wire import HEAD, end, start, tool
from ..escalation.provider import ANSWERS, ProviderServer
from .gate_home import CLAUDE, Home

CANARY = "canary-5f1c0ffee"
FILES = {
    "src/store.py": "def open_store(path):\n    return Store(path)\n\n\nclass Store:\n    pass\n",
    "src/use.py": "from store import open_store\n\nopen_store('x')\n",
    ".env": f"TOKEN={CANARY}\nMODE=development\n",
    "keys/server.pem": f"{CANARY}\n",
    "private/notes.py": f"X = '{CANARY}'\n",
    ".wicket.toml": "[completion]\nexclude = ['private/']\n[index]\nexclude = ['private/']\n",
}


def asks_for(*arguments: dict[str, str | int]) -> list[bytes | None]:
    """An answer that asks for each of these readings at once."""
    calls = [
        tool(index, f"toolu_{index}", str(said.pop("tool", "read")), json.dumps(said))
        for index, said in enumerate(dict(row) for row in arguments)
    ]
    return [HEAD + start() + b"".join(calls) + end("tool_use")]


ANSWERS["looks around"] = asks_for(
    {"path": "src/use.py"},
    {"path": ".env"},
    {"path": "keys/server.pem"},
    {"path": "private/notes.py"},
    {"path": "linked.py"},
    {"path": "../outside.py"},
    {"path": "/etc/passwd"},
    {"tool": "search", "text": "X = '"},
    {"tool": "references", "name": "open_store"},
    {"tool": "symbols", "name": "Store"},
    {"tool": "outline", "path": "src/store.py"},
)


class Desk:
    """A folder with an index, a home with a provider, and a terminal."""

    def __init__(self, home: Home, folder: Path, verb: str = "ask") -> None:
        self.home, self.folder, self.verb = home, folder, verb

    def wicket(self, *words: str) -> list[str]:
        return [sys.executable, "-I", "-m", "wicket.server", *words]

    async def run(self, *words: str) -> tuple[int, str, str]:
        """Without a terminal: code, output, errors."""
        process = await asyncio.create_subprocess_exec(
            *self.wicket(self.verb, *words),
            env=self.home.environment,
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, error = await process.communicate()
        return process.returncode or 0, out.decode(), error.decode()

    async def typed(self, *words: str, says: list[tuple[str, str]]) -> tuple[int, str]:
        """At a terminal: `says` are pairs of what is waited for and what is typed then."""
        main, other = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            *self.wicket(self.verb, *words),
            env=self.home.environment | {"TERM": "xterm", "COLUMNS": "300"},
            cwd=self.folder,
            stdin=other,
            stdout=other,
            stderr=other,
            start_new_session=True,
        )
        os.close(other)
        heard, at = "", 0
        waiting = list(says)
        async with asyncio.timeout(240):
            while more := await asyncio.to_thread(_read, main):
                heard += more
                while waiting and (found := heard.find(waiting[0][0], at)) >= 0:
                    at = found + len(waiting[0][0])
                    if waiting[0][1] == "^C":
                        process.send_signal(signal.SIGINT)
                    else:
                        os.write(main, waiting[0][1].encode() + b"\n")
                    waiting.pop(0)
            code = await process.wait()
        os.close(main)
        assert not waiting, heard
        return code, heard.replace("\r\n", "\n")


def _read(descriptor: int) -> str:
    try:
        return os.read(descriptor, 65536).decode("utf-8", "replace")
    except OSError:
        return ""


@pytest.fixture
def server(server: ProviderServer) -> ProviderServer:
    server.answer = "claude whole"
    return server


@pytest.fixture
async def desk(server: ProviderServer) -> AsyncIterator[Desk]:
    with tempfile.TemporaryDirectory(prefix="wa", dir="/tmp") as place:
        home = Home(Path(place) / "h", server.port)
        home.says(CLAUDE.format(port=server.port))
        folder = Path(place) / "repo"
        for name, text in FILES.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        (Path(place) / "outside.py").write_text(f"X = '{CANARY}'\n")
        (folder / "linked.py").symlink_to("../outside.py")
        git = await asyncio.create_subprocess_exec("git", "init", "-q", str(folder))
        assert await git.wait() == 0
        made = Desk(home, folder)
        indexing = await asyncio.create_subprocess_exec(
            *made.wicket("index", str(folder), "--json"),
            env=home.environment,
            stdout=asyncio.subprocess.DEVNULL,
        )
        assert await indexing.wait() == 0
        yield made
        for running in processes.running(home.socket.parent):
            await asyncio.to_thread(processes.stop, running)
        assert server.connections <= len(home.records("intent"))
        assert CANARY.encode() not in server.received
        seen = [path for path in home.root.rglob("*") if path.is_file()]
        assert not [path for path in seen if CANARY.encode() in path.read_bytes()]


async def test_shown_first_then_sent_then_asked_again(desk: Desk, server: ProviderServer) -> None:
    """Six lines, every byte on demand, one question for each exchange."""
    code, heard = await desk.typed(
        *("Who calls open_store?", "--file", "src/store.py:1-2"),
        says=[
            ("send it?", "s"),
            ("send it?", "y"),
            ("ask again", "And why?"),
            ("send it?", "y"),
            ("ask again", ""),
        ],
    )
    assert code == 0, heard
    lines = heard.split("\n")
    first = next(n for n, line in enumerate(lines) if line.startswith("to "))
    assert [line.split()[0] for line in lines[first : first + 6]] == [
        *("to", "sends", "masked", "then", "costs", "kept"),
    ]
    assert "127.0.0.1" in lines[first]
    assert "src/store.py:1-2" in lines[first + 1]
    assert "Hello world" in heard
    bodies = [json.loads(body) for _, body in server.requests]
    assert len(bodies) == 2 == len(desk.home.records("approval"))
    assert server.requests[0][1].decode() in heard.replace("\n", ""), "shown as it was sent"
    said = [message["content"] for message in bodies[1]["messages"]]
    assert said[0] == bodies[0]["messages"][0]["content"], "what is cached stays as it was"
    assert said[1:] == ["Hello world", "And why?"]
    assert "audit show" in heard
    assert "no retention is agreed" in heard


async def test_tools_look_where_they_may_and_nowhere_else(
    desk: Desk, server: ProviderServer
) -> None:
    """Secret files, excluded ones, links and other folders: not even when asked for."""
    server.script = ["looks around"]
    code, heard = await desk.typed(
        *("What is here?", "--json", "--yes"), says=[("looks at: outline", "")]
    )
    assert code == 0, heard
    (found,) = [line for line in heard.split("\n") if line.startswith('{"answer"')]
    answer = json.loads(found)
    assert (answer["answer"], answer["status"], answer["questions"]) == ("Hello world", "ok", 1)
    assert len(answer["requests"]) == 2
    assert [base64.b64decode(r).partition(b"\n\n")[2] for r in answer["requests"]] == [
        body for _, body in server.requests
    ]
    results = json.loads(server.requests[1][1])["messages"][2]["content"]
    texts = [row["content"] for row in results]
    assert "open_store('x')" in texts[0]
    assert all("may be read here" in text for text in texts[1:7]), texts[1:7]
    assert texts[7] == "no line holds that text"
    assert "3: open_store('x')" in texts[8]
    assert "class Store:" in texts[9]
    assert "1: def open_store(path)" in texts[10]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("Why?",), 1, "without a terminal"),
        (("Why?", "--yes"), 1, "without a terminal"),
        (("Why?", "--json"), 1, "without a terminal"),
        (("Why?", "--show"), 0, "POST http://127.0.0.1"),
        (("Why?", "--file", ".env", "--show"), 1, "secret files"),
        (("Why?", "--file", "private/notes.py", "--show"), 1, "completion.exclude"),
        (("Why?", "--file", "../outside.py"), 2, "is outside"),
        (("Why?", "--file", "linked.py"), 2, "is outside"),
        (("Why?", "--file", "nowhere.py"), 2, "cannot read"),
        (("Why?", "--file", "src/store.py:5-99"), 2, "has 7 lines"),
        (("Why?", "--provider", "nobody"), 1, "there is no provider"),
        ((f"Is {CANARY} a good token?", "--show"), 0, "Is WICKET_SECRET_1_"),
        ((" ",), 2, "say what"),
    ],
)
async def test_nothing_is_sent_by_mistake(
    desk: Desk, server: ProviderServer, words: tuple[str, ...], code: int, said: str
) -> None:
    found, out, error = await desk.run(*words)
    assert (found, server.connections) == (code, 0), error
    assert said in out + error
    assert "Traceback" not in error


async def test_what_a_policy_allows_is_not_asked(desk: Desk, server: ProviderServer) -> None:
    """Not even where nobody could be; and what it forbids is not sent by anybody's yes."""
    policy = desk.home.paths.config / "policy.toml"
    policy.write_text('default = "allow"\n')
    code, out, error = await desk.run("Why?", "--json")
    assert (code, json.loads(out)["answer"]) == (0, "Hello world"), error
    (approved,) = desk.home.records("approval")
    assert approved["data"]["mode"] == "auto"
    (intent,) = desk.home.records("intent")
    assert intent["data"]["workspace"]["id"]
    assert (await desk.home.wicket("stop", "gate"))[0] == 0
    policy.write_text('[[rule]]\nname = "home"\npaths = ["src/"]\ndecision = "this-machine"\n')
    code, _, error = await desk.run("Why?", "--file", "src/use.py", "--show")
    assert code == 1
    assert "this-machine by the policy's rule 'home'" in error
    assert server.connections == 1


async def test_a_yes_that_holds_on(desk: Desk, server: ProviderServer) -> None:
    """The next question is sent at once, but not where nobody sits; until it is taken back."""
    code, heard = await desk.typed("Why?", says=[("send it?", "a"), ("ask again", "")])
    assert code == 0, heard
    code, heard = await desk.typed("What?", says=[("ask again", "")])
    assert (code, "send it?" in heard, server.connections) == (0, False, 2), heard
    assert [row["data"]["mode"] for row in desk.home.records("approval")] == ["standing", "auto"]
    code, _, error = await desk.run("What?")
    assert (code, "without a terminal" in error, server.connections) == (1, True, 2)
    # Another repository takes the folder's place: it was for the one that was there.
    theirs = desk.folder.with_name("theirs")
    shutil.copytree(desk.folder, theirs)
    desk.folder.rename(desk.folder.with_name("ours"))
    theirs.rename(desk.folder)
    code, heard = await desk.typed("What?", says=[("send it?", "n")])
    assert (code, server.connections) == (1, 2), heard
    shutil.rmtree(desk.folder)
    desk.folder.with_name("ours").rename(desk.folder)
    code, heard = await desk.typed("What?", says=[("ask again", "")])
    assert (code, "send it?" in heard, server.connections) == (0, False, 3), heard
    assert "1 standing" in (await desk.home.wicket("gate", "forget"))[1]
    code, heard = await desk.typed("What?", says=[("send it?", "n")])
    assert (code, server.connections) == (1, 3), heard


async def test_ctrl_c_at_a_question_ends_it(desk: Desk, server: ProviderServer) -> None:
    """Nothing waits for a line that will not come."""
    code, _ = await desk.typed("Why?", says=[("send it?", "^C")])
    assert (code, server.connections, desk.home.records("intent")) == (130, 0, [])
    code, _ = await desk.typed("Why?", says=[("send it?", "y"), ("ask again", "^C")])
    assert (code, len(desk.home.records("intent"))) == (130, 1)


async def test_no_is_no_and_ctrl_c_cancels(desk: Desk, server: ProviderServer) -> None:
    code, _ = await desk.typed("Why?", says=[("send it?", "n")])
    assert (code, server.connections, desk.home.records("intent")) == (1, 0, [])
    server.answer = "claude stalls"
    code, heard = await desk.typed("Why?", says=[("send it?", "y"), ("Hel", "^C")])
    assert code == 130, heard
    (outcome,) = await desk.home.until("outcome")
    assert outcome["data"]["status"] == "cancelled"
    assert outcome["data"]["flags"] == ["the client went away"]
    stats = await asyncio.create_subprocess_exec(
        *desk.wicket("stats"), env=desk.home.environment, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await stats.communicate()
    assert b"asked 2 times before something left, 1 times yes" in out


def test_what_cannot_be_seen_is_written_out() -> None:
    hidden = "a\u202eb\u200bc\x1b[31m\U000e0041\ttab\n"
    shown = approval.visible(hidden)
    assert shown == "a<U+202E>b<U+200B>c<U+001B>[31m<U+E0041>\ttab\n"


@pytest.mark.parametrize(
    ("text", "done"),
    [
        ("", ""),
        ("one", ""),
        ("one\n\ntwo", "one\n\n"),
        ("```py\na\n\nb", ""),
        ("```py\na\n\nb\n```\n\nafter", "```py\na\n\nb\n```\n\n"),
        ("one\n\n```\na\n\nb", "one\n\n"),
    ],
)
def test_markdown_is_shown_block_by_block(text: str, done: str) -> None:
    assert whole_blocks(text) == (done, text.removeprefix(done))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("API_KEY=abc123xyz", ["abc123xyz"]),
        ("export DB_PASSWORD='hunter22'", ["hunter22"]),
        ("secret: s3cr3ts3cr3t", ["s3cr3ts3cr3t"]),
        ("ID=9f8e7d6c5b4a3f2e1d0c", ["9f8e7d6c5b4a3f2e1d0c"]),
        ("MODE=development", []),
        ("# KEY=commented", []),
        ("PASSWORD_HINT=name of a pet", []),
    ],
)
def test_secrets_of_a_folder(tmp_path: Path, line: str, found: list[str]) -> None:
    (tmp_path / ".env.local").write_text(line)
    assert list(env_secrets.values(tmp_path)) == found


def test_an_answer_as_json_holds_no_python(tmp_path: Path) -> None:
    answer = Answer((), {"provider": "p", "model": "m"})
    assert json.loads(json.dumps(as_json(answer)))["status"] == "refused"


async def test_another_provider_is_another_question(desk: Desk, server: ProviderServer) -> None:
    """Where one does not answer the next is named; a no leaves it at that."""
    one = CLAUDE.format(port=server.port)
    desk.home.says(one + one.replace("providers.home", "providers.spare"))
    desk.home.paths.provider_keys.write_text('home = "sk-1"\nspare = "sk-2"\n')
    server.script = ["claude unauthorized"]
    says = [("send it?", "y"), ("send it?", "y"), ("ask again", "")]
    code, heard = await desk.typed("Who closes it?", says=says)
    assert code == 0
    assert "home: the provider answered status 401: invalid x-api-key; spare could" in heard
    assert [b"sk-1" in head for head, _ in server.requests] == [True, False]
    assert len(desk.home.records("approval")) == 2
    server.script = ["claude unauthorized"]
    code, heard = await desk.typed("Who?", says=[("send it?", "y"), ("send it?", "n")])
    assert code == 1
    assert len(server.requests) == 3
    assert "http_error: " in heard
    # A yes that was said before anything was seen is none to another provider.
    server.script = ["claude unauthorized"]
    code, heard = await desk.typed("Who?", "--yes", says=[("send it?", "n")])
    assert (code, len(server.requests)) == (1, 4)
