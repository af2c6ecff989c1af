"""Starting, sharing and stopping processes, with a real one that echoes its pid."""

import asyncio
import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from wicket.completion.client import EngineGone
from wicket.server import processes
from wicket.server.processes import Starter

# Binds its socket, tells its pid to whoever connects, and leaves after `seconds`.
PROGRAM = """
import os, sys, socket, time
from pathlib import Path
from wicket.server import processes
path, seconds, started = Path(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])
with open(started, "a") as file:
    file.write(f"{os.getpid()}\\n")
listening = processes.bind(path)
listening.settimeout(seconds)
try:
    while True:
        connection, _ = listening.accept()
        connection.sendall(b"%d\\n" % os.getpid())
except TimeoutError:
    path.unlink()
"""


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started = folder / "started"
        self.starters: list[Starter] = []

    def starter(self, seconds: float = 20, program: str = PROGRAM) -> Starter:
        path = self.folder / "p.sock"
        argv = [sys.executable, "-c", program, str(path), str(seconds), str(self.started)]
        self.starters.append(Starter(path, argv, self.folder / "log"))
        return self.starters[-1]

    def pids(self) -> list[int]:
        return [int(line) for line in self.started.read_text().split()]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    for found in processes.running(tmp_path):
        assert processes.stop(found)
    for starter in made.starters:
        if starter._child is not None:
            starter._child.wait(5)


async def pid_of(starter: Starter) -> int:
    reader, writer = await starter.connect()
    pid = int(await reader.readline())
    writer.close()
    return pid


async def test_the_first_asker_starts_it_and_the_others_share_it(world: World) -> None:
    starters = [world.starter() for _ in range(8)]
    pids = await asyncio.gather(*(pid_of(starter) for starter in starters))
    assert set(pids) == set(world.pids())
    assert len(world.pids()) == 1


async def test_a_stale_socket_does_not_hinder(world: World) -> None:
    starter = world.starter()
    processes.bind(starter.path).close()
    assert starter.path.exists()
    assert await pid_of(starter) in world.pids()


async def test_what_ends_at_start_is_said_in_one_line(world: World) -> None:
    starter = world.starter(program="raise SystemExit(3)")
    with pytest.raises(EngineGone, match="exit code 3") as raised:
        await starter.connect()
    assert "\n" not in str(raised.value)


async def test_a_native_crash_is_named(world: World) -> None:
    starter = world.starter(program="import os; os.abort()")
    with pytest.raises(EngineGone, match="SIGABRT"):
        await starter.connect()


async def test_crashes_are_counted_and_the_third_is_the_last(world: World) -> None:
    """Each start after a crash waits longer; after three in a minute it stays off."""
    starter = world.starter()
    for crash in range(1, 4):
        pid = await pid_of(starter)
        os.kill(pid, 9)
        while Path(f"/proc/{pid}").exists() and not _is_zombie(pid):
            await asyncio.sleep(0.01)
        with pytest.raises(EngineGone, match="crashed"):
            await starter.connect()
        assert len(starter.crashes) == crash
        assert starter.pause() > 0
        # As if the pause had passed; only the number of crashes is of interest here.
        starter.crashes = [when - 9 for when in starter.crashes]
    assert starter.pause() == float("inf")
    with pytest.raises(EngineGone, match="stays off"):
        await starter.connect()
    starter.forgive()
    assert await pid_of(starter)


async def test_a_start_ahead_and_a_connection_start_one_process(world: World) -> None:
    starter = world.starter()
    threads = [threading.Thread(target=starter.ahead) for _ in range(5)]
    for thread in threads:
        thread.start()
    await pid_of(starter)
    for thread in threads:
        thread.join()
    assert len(world.pids()) == 1


async def test_a_starter_that_dies_leaves_no_second_process(world: World) -> None:
    """The child holds the lock while it starts, so the next asker waits for it."""
    starter = world.starter(program="import time; time.sleep(1)\n" + PROGRAM)
    starter.ahead()
    assert await pid_of(world.starter()) == await pid_of(world.starter())
    assert len(world.pids()) == 1


async def test_leaving_on_purpose_is_no_crash(world: World) -> None:
    starter = world.starter(seconds=0.3)
    first = await pid_of(starter)
    while starter.path.exists():
        await asyncio.sleep(0.02)
    assert await pid_of(starter) != first
    assert starter.crashes == []


def test_an_environment_is_cut_to_what_is_allowed() -> None:
    given = {
        "PATH": "/bin",
        "XDG_STATE_HOME": "/s",
        "LC_ALL": "C",
        "PYTHONPATH": ".",
        "ANTHROPIC_API_KEY": "secret",
        "LD_PRELOAD": "x",
    }
    assert processes.environment(given) == {
        "PATH": "/bin",
        "XDG_STATE_HOME": "/s",
        "LC_ALL": "C",
    }


def test_a_socket_is_ours_alone(tmp_path: Path) -> None:
    path = tmp_path / "p.sock"
    with processes.bind(path):
        assert path.stat().st_mode & 0o777 == 0o600
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            assert processes.same_user(sock)


def test_names_of_sockets_say_what_must_match() -> None:
    names = {
        processes.socket_name("engine", *rest)
        for rest in (("a", "b"), ("ab", ""), ("a", "c"), ("a",))
    }
    assert len(names) == 4
    assert all(len(name) == len("engine-0123456789ab.sock") for name in names)


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
