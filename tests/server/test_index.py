"""The index process: real processes, a real folder, and whoever asks it for something."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from wicket.indexing.reader import Reader
from wicket.server import app, index, index_process, mounts, processes
from wicket.server.index import Index, Order, order
from wicket.server.index_process import to_line

from ..indexing.test_files import make, repository, run_git


class World:
    """A folder to index, and directories of Wicket's own that no other test sees."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "r"
        self.root.mkdir()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": str(folder),
            **{f"XDG_{kind}_HOME": str(folder / kind) for kind in ("CACHE", "STATE", "CONFIG")},
        }

    @property
    def order(self) -> Order:
        return order(app.start(None, [self.root]), self.root)

    def say(self, path: str, name: str) -> None:
        make(self.root, path, content=f"def {name}():\n    pass\n")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", "-m", "wicket.server", *arguments],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def reader(self) -> Reader:
        return Reader(self.order.directory / "db")

    def start(self, idle: float = 20) -> subprocess.Popen[bytes]:
        """The index process, as an editor starts it."""
        self.order.socket.unlink(missing_ok=True)
        return subprocess.Popen(
            [
                *processes.command("index", "--started", self.order.write()),
                f"--idle={idle}",
            ],
            env=self.environment,
            start_new_session=True,
        )


class Editor:
    """A connection to the index process."""

    def __init__(self, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        self.reader, self.writer = streams

    def say(self, do: str, *paths: str) -> None:
        self.writer.write(to_line(do, paths))

    async def until(self, state: str) -> dict[str, Any]:
        async with asyncio.timeout(30):
            while said := json.loads(await self.reader.readline()):
                if said["state"] == state:
                    return said
        raise AssertionError


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="wi", dir="/tmp") as folder:
        made = World(Path(folder))
        for name, value in made.environment.items():
            monkeypatch.setenv(name, value)
        yield made


@pytest.fixture
async def editors(world: World) -> AsyncIterator[Callable[[], Any]]:
    started: list[subprocess.Popen[bytes]] = []
    made: list[Editor] = []

    async def editor() -> Editor:
        if not started:
            started.append(world.start())
        for _ in range(600):
            try:
                streams = await asyncio.open_unix_connection(world.order.socket)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                made.append(Editor(streams))
                return made[-1]
        raise AssertionError("the index process does not listen")

    yield editor
    for one in made:
        one.writer.close()
    for process in started:
        process.terminate()
        assert process.wait(20) == 0
    assert not world.order.socket.exists()


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.02)


def test_the_command_says_what_is_in_the_index(world: World) -> None:
    world.say("a.py", "one")
    world.say("b/c.py", "two")
    make(world.root, ".env.py", content="SECRET = 1\n")
    (world.root / "bad.py").write_bytes(b"\0")
    done = world.run("index", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    said = json.loads(done.stdout)
    assert set(said) == set(
        ["files", "bytes", "symbols", "skipped", "seconds", "cpu_seconds", "db_bytes"]
    )
    assert (said["files"], said["symbols"]) == (2, 2)
    assert said["skipped"] == {"binary": 1, "excluded": 1}
    assert said["cpu_seconds"] > 0
    assert world.reader().definers("two") == ("b/c.py",)
    again = world.run("index", str(world.root / "b"))
    assert again.returncode == 0
    assert again.stdout.startswith("1 files, ")


def test_the_command_fails_in_one_line(world: World) -> None:
    for arguments in (["nowhere"], ["/etc/passwd"]):
        done = world.run("index", *arguments)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert "folder" in done.stderr
    # Where it could be made by the repository.
    world.environment["XDG_CACHE_HOME"] = str(world.root / "cache")
    done = world.run("index")
    assert done.returncode == 1
    assert "lies in the open folder" in done.stderr


async def test_saved_files_are_found(world: World, editors: Callable[[], Any]) -> None:
    world.say("a.py", "one")
    editor = await editors()
    editor.say("open", "a.py")
    report = (await editor.until("ready"))["report"]
    assert report["files"] == 1
    reader = world.reader()
    assert reader.definers("one") == ("a.py",)
    world.say("a.py", "uno")
    await eventually(lambda: reader.definers("uno") == ("a.py",))
    (world.root / "d/e").mkdir(parents=True)
    world.say("d/e/f.py", "deep")
    await eventually(lambda: reader.definers("deep") == ("d/e/f.py",))
    (world.root / "d").rename(world.root / "moved")
    await eventually(lambda: reader.definers("deep") == ("moved/e/f.py",))
    world.say("moved/e/g.py", "later")
    await eventually(lambda: reader.definers("later") == ("moved/e/g.py",))
    (world.root / "a.py").unlink()
    await eventually(lambda: reader.definers("uno") == ())
    text = world.order.directory / "text"
    await eventually(lambda: b"later" in text.read_bytes())


async def test_a_start_looks_once(world: World, editors: Callable[[], Any]) -> None:
    """What changes while it looks is hinted at by then, so nobody has to look again."""
    world.say("a.py", "one")
    editor = await editors()
    assert (await editor.until("ready"))["look"] == 1
    text = world.order.directory / "text"
    await eventually(text.exists)
    editor.say("refresh")
    assert (await editor.until("asked"))["look"] == 2


async def test_who_saves_does_not_wait_for_the_text(world: World) -> None:
    written = threading.Event()

    class Slow(Index):
        def text(self) -> Callable[[], None]:
            write = super().text()

            def slowly() -> None:
                assert written.wait(60)
                write()

            return slowly

    world.say("a.py", "one")
    keeper = index_process.Keeper(world.order, Slow)
    keeping = asyncio.ensure_future(keeper.keep())
    await eventually(lambda: (world.order.directory / "db").exists())
    reader = world.reader()
    await eventually(lambda: reader.refresh() and reader.definers("one") == ("a.py",))
    for name in ("uno", "eins"):
        world.say("a.py", name)
        await eventually(lambda name=name: reader.definers(name) == ("a.py",))
    assert not (world.order.directory / "text").exists()
    written.set()
    keeper.stop()
    await keeping
    assert b"eins" in (world.order.directory / "text").read_bytes(), "it is ended, not torn"


async def test_a_switch_of_branches_is_seen(world: World, editors: Callable[[], Any]) -> None:
    for number in range(30):
        world.say(f"d{number}/a.py", f"name{number}")
    repository(world.root)
    run_git(world.root, "checkout", "-q", "-b", "other")
    for number in range(30):
        world.say(f"d{number}/a.py", f"other{number}")
    run_git(world.root, "commit", "-q", "-a", "-m", "two")
    editor = await editors()
    await editor.until("ready")
    reader = world.reader()
    run_git(world.root, "checkout", "-q", "-")
    await eventually(lambda: all(reader.definers(f"name{number}") for number in range(30)))
    await eventually(lambda: not any(reader.definers(f"other{number}") for number in range(30)))


async def test_an_editor_that_watches_gives_the_hints(
    world: World, editors: Callable[[], Any]
) -> None:
    world.say("a.py", "one")
    editor = await editors()
    editor.say("watching")
    await editor.until("ready")
    world.say("a.py", "uno")
    editor.say("changed", "a.py", "none.py")
    reader = world.reader()
    await eventually(lambda: reader.definers("uno") == ("a.py",))


async def test_one_process_writes_and_the_others_wait_or_ask(
    world: World, editors: Callable[[], Any]
) -> None:
    world.say("a.py", "one")
    first, second = await editors(), await editors()
    await first.until("ready")
    await second.until("ready")
    world.say("b.py", "two")
    done = await asyncio.to_thread(world.run, "index", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["files"] == 2
    with pytest.raises(index.Busy):
        Index(world.order)


async def test_whoever_had_to_wait_takes_over(
    world: World, editors: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.say("a.py", "one")
    other = Index(world.order)
    editor = await editors()
    assert "another process" in (await editor.until("waiting")).get("reason", "another process")
    other.close()
    await editor.until("ready")


async def test_what_was_killed_is_taken_up_where_it_was(
    world: World, editors: Callable[[], Any]
) -> None:
    for number in range(400):
        world.say(f"{number}.py", f"name{number}")
    process = world.start()
    reader = world.reader()
    await eventually(lambda: reader.files() > 0)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = reader.files()
    assert before > 0
    editor = await editors()
    assert (await editor.until("ready"))["report"]["files"] == 400


async def test_it_leaves_when_nobody_needs_it(world: World) -> None:
    world.say("a.py", "one")
    process = world.start(idle=0.5)
    assert await asyncio.to_thread(process.wait, 20) == 0
    assert not world.order.socket.exists()


async def test_it_is_listed_and_stopped(world: World, editors: Callable[[], Any]) -> None:
    editor = await editors()
    await editor.until("ready")
    listed = await asyncio.to_thread(world.run, "ps", "--json")
    (row,) = json.loads(listed.stdout)["processes"]
    assert row["process"] == "index"
    stopped = await asyncio.to_thread(world.run, "stop", "index")
    assert "stopped" in stopped.stdout


async def test_a_cancelled_run_ends_and_another_may_follow(
    world: World, editors: Callable[[], Any]
) -> None:
    for number in range(3000):
        world.say(f"{number}.py", f"name{number}")
    editor = await editors()
    await editor.until("indexing")
    editor.say("cancel")
    assert (await editor.until("off"))["reason"] == "cancelled"
    found = world.reader().files()
    assert found < 3000
    # A saved file is looked at all the same, and only that.
    world.say("2999.py", "saved")
    editor.say("watching")
    editor.say("changed", "2999.py")
    await eventually(lambda: world.reader().definers("saved") == ("2999.py",))
    assert world.reader().files() < 3000
    editor.say("refresh")
    assert (await editor.until("ready"))["report"]["files"] == 3000


async def test_nonsense_ends_no_process(world: World, editors: Callable[[], Any]) -> None:
    editor = await editors()
    for line in (b"{}", b"[]", b"null", b"\xff", b'{"do":"open","paths":7}', b'{"do":"open"}'):
        editor.writer.write(line + b"\n")
    editor.say("changed", "../../etc/passwd", "/etc/passwd", "a\0b")
    editor.say("refresh")
    await editor.until("asked")
    await editor.until("ready")
    assert world.reader().files() == 0


def test_an_order_survives_the_command_line(world: World) -> None:
    assert Order.read(world.order.write()) == world.order


def test_other_rules_mean_another_index(world: World) -> None:
    """A repository that excludes a file later takes it out, at once and without a trace."""
    make(world.root, "public.py", content="def visible(): pass\n")
    make(world.root, "private/a.py", content="def CANARY_5d2e(): pass\n")
    assert world.run("index").returncode == 0
    files = [*world.order.directory.iterdir()]
    assert any(b"CANARY_5d2e" in file.read_bytes() for file in files)
    (world.root / ".wicket.toml").write_text("[index]\nexclude = ['private/']\n")
    assert world.run("index").returncode == 0
    assert world.reader().definers("visible") == ("public.py",)
    for file in world.order.directory.iterdir():
        assert b"CANARY_5d2e" not in file.read_bytes(), file


def test_the_settings_bound_the_cost(world: World) -> None:
    for number in range(20):
        world.say(f"{number}.py", f"name{number}")
    make(world.root, "large.py", content="x = 1\n" * 1000)
    (world.root / ".wicket.toml").write_text("[index]\nmax_files = 5\nmax_file_kb = 1\n")
    said = json.loads(world.run("index", "--json").stdout)
    # Of the 22 files, all of them source, no more than 20 were listed.
    assert (said["files"], said["skipped"]) == (5, {"too many": 15})


@pytest.mark.parametrize(
    ("table", "remote"),
    [
        ("/dev/a / ext4 rw 0 0\nserver:/x /home nfs4 rw 0 0\n", False),
        ("/dev/a / ext4 rw 0 0\nserver:/x /tmp nfs4 rw 0 0\n", True),
        ("server:/x / nfs rw 0 0\ntmpfs /tmp tmpfs rw 0 0\n", False),
        ("broken\n\n", False),
    ],
)
def test_network_file_systems_are_known(tmp_path: Path, table: str, remote: bool) -> None:
    (tmp_path / "mounts").write_text(table)
    assert mounts.is_remote(Path("/tmp/x"), tmp_path / "mounts") == remote


def test_the_lines_of_the_protocol_hold_no_trick() -> None:
    assert to_line("open", ["a.py", "b\nc.py"]).count(b"\n") == 1
