"""What the kernel holds each process to, tried from inside and looked at from outside."""

import asyncio
import json
import os
import platform
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wicket.server import landlock, limits, processes, seccomp
from wicket.server.limits import Limits
from wicket.server.paths import Paths

if platform.system() != "Linux":
    pytest.skip("the limits are Linux's", allow_module_level=True)
LANDLOCK = landlock.abi()
needs_landlock = pytest.mark.skipif(not LANDLOCK, reason="this kernel has no Landlock")
needs_ports = pytest.mark.skipif(LANDLOCK < 4, reason="this kernel's Landlock has no ports")

PROGRAM = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from wicket.server import landlock, limits
import forbidden
row = eval(sys.argv[2], {"Limits": limits.Limits, "PosixPath": Path})
if sys.argv[3] == "without Landlock":
    landlock.abi = lambda: 0
level = limits.Level("none") if sys.argv[3] == "free" else limits.apply(row)
got = forbidden.tried(Path(sys.argv[4]), Path(sys.argv[5]), int(sys.argv[6]))
print(json.dumps({"landlock": level.landlock, "seccomp": level.seccomp, "got": got}))
"""


class World:
    """A home with a secret outside everything that a process may see, and a listener."""

    def __init__(self, root: Path) -> None:
        self.root, self.paths = root, Paths.of({"HOME": str(root / "home")})
        self.secret, self.target = root / "secret", root / "target"
        self.secret.write_text("secret")
        self.folder, self.sockets = root / "folder", root / "sockets"
        for place in (self.folder, self.sockets, self.paths.cache, self.paths.logs):
            place.mkdir(parents=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]

    def rows(self) -> dict[str, Limits]:
        log = self.root / "log"
        log.mkdir(exist_ok=True)
        return {
            "lsp": limits.lsp(self.paths, self.sockets, [self.folder], []),
            "index": limits.index([self.folder], [self.paths.cache]),
            "engine": limits.engine(self.paths, self.sockets, [self.folder / "m.gguf"], ()),
            "engine of a server": limits.engine(self.paths, self.sockets, (), (8080,)),
            "gate": limits.gate(self.paths, self.sockets, log, [443]),
        }

    def tried(self, row: Limits, how: str = "") -> dict[str, Any]:
        given = (str(Path(__file__).parent), repr(row), how, self.secret, self.target, self.port)
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *map(str, given)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.listener.close()


ROWS = ("lsp", "index", "engine", "engine of a server", "gate")
# What is not forbidden: git is a program, and these reach a network.
MAY = {
    "index": {"program"},
    "engine of a server": {"socket: libc", "socket: system call"},
    "gate": {"socket: libc", "socket: system call"},
}


def test_without_limits_every_way_is_open(world: World) -> None:
    """The tries would succeed, so that a refusal below means something."""
    got = world.tried(world.rows()["lsp"], "free")["got"]
    # These have guards of their own on some systems.
    guarded = {"file: the starter's memory", "socket: io_uring"}
    assert {name for name, found in got.items() if found is None} <= guarded


@needs_landlock
@pytest.mark.parametrize("name", ROWS)
def test_no_way_is_left(world: World, name: str) -> None:
    said = world.tried(world.rows()[name])
    assert said["landlock"] == LANDLOCK
    assert said["seccomp"]
    got = {way for way, found in said["got"].items() if found is not None}
    may = MAY.get(name, set()) | ({"tcp: libc", "file: child"} if LANDLOCK < 4 else set())
    assert got == may if name not in ("gate", "engine of a server") else got <= may
    assert not world.target.exists()


@pytest.mark.parametrize("name", ROWS[:3])
def test_without_landlock_sockets_are_refused_all_the_same(world: World, name: str) -> None:
    said = world.tried(world.rows()[name], "without Landlock")
    assert (said["landlock"], said["seccomp"]) == (0, True)
    got = {way for way, found in said["got"].items() if found is not None}
    assert not {way for way in got if way.startswith(("socket", "tcp"))}
    assert "file: open" in got


@needs_landlock
def test_what_a_process_needs_is_left(world: World) -> None:
    """Its folder, its own places, and libraries that are imported late."""
    (world.folder / "a.py").write_text("x = 1")
    code = """
import sys, socket
from pathlib import Path
from wicket.server import limits
row = eval(sys.argv[1], {"Limits": limits.Limits, "PosixPath": Path})
limits.apply(row)
import numpy, pygls, sqlite3
if row.process in ("lsp", "index"):
    assert (Path(sys.argv[2]) / "a.py").read_text() == "x = 1"
kept = row.writes[0]
(kept / "new").write_text("new"); (kept / "new").rename(kept / "newer"); (kept / "newer").unlink()
sqlite3.connect(kept / "db").execute("create table t(x)")
with socket.socket(socket.AF_UNIX) as sock:
    sock.bind(str(kept / "s")); sock.listen()
    other = socket.socket(socket.AF_UNIX)
    try: print(other.connect(str(kept / "s")))
    except ConnectionRefusedError: assert not row.connects
"""
    for name, row in world.rows().items():
        done = subprocess.run(
            [sys.executable, "-c", code, repr(row), str(world.folder)],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, (name, done.stderr)
        for place in row.writes[0].iterdir():
            place.unlink()


def test_a_thread_that_was_there_before_is_said(world: World) -> None:
    code = """
import sys, threading, time
from pathlib import Path
from wicket.server import limits
threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
level = limits.apply(limits.index([Path(sys.argv[1])], [Path(sys.argv[1])]))
print(level.landlock, level.seccomp, level.lacks[0])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(world.folder)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    expected = "threads were started before" if LANDLOCK else "no Landlock"
    assert done.stdout.startswith("0 True files are not limited")
    assert expected in done.stdout


@pytest.mark.parametrize("machine", sorted(seccomp.MACHINES))
def test_a_filter_is_a_valid_program(machine: str) -> None:
    """Every jump lands inside, the last instruction returns, no call runs past the end."""
    for families in ((), (1,), (1, 2, 10, 16)):
        told = seccomp.program(families, connects=not families, machine=machine)
        for place, (code, yes, no, _value) in enumerate(told):
            if code in (seccomp.JUMP_EQUAL, seccomp.JUMP_AT_LEAST):
                assert place + 1 + max(yes, no) < len(told)
        assert told[-1][0] == seccomp.RETURN


@pytest.mark.parametrize("machine", sorted(seccomp.MACHINES))
def test_what_a_filter_answers(machine: str) -> None:
    """The program, run by a BPF machine of our own: each call and what comes of it."""
    audit, calls = seccomp.MACHINES[machine]
    told = seccomp.program((1,), connects=False, machine=machine)

    def answer(call: int, first: int = 0, arch: int = audit) -> int:
        loaded, place = 0, 0
        memory = {seccomp.NUMBER: call, seccomp.ARCHITECTURE: arch, seccomp.FIRST_ARGUMENT: first}
        while True:
            code, yes, no, value = told[place]
            place += 1
            if code == seccomp.RETURN:
                return value & 0xFFFF if value & seccomp.FAIL_WITH else 0
            if code == seccomp.LOAD:
                loaded = memory[value]
            else:
                hit = loaded == value if code == seccomp.JUMP_EQUAL else loaded >= value
                place += yes if hit else no

    assert answer(0) == 0
    assert answer(calls["socket"], 1) == 0
    assert [answer(calls["socket"], family) for family in (2, 10, 16, 17, 40)] == [13] * 5
    assert answer(calls["connect"]) == 111
    assert {answer(calls[name]) for name in seccomp.NEVER} == {1}
    assert answer(calls["socket"], 1, arch=0x40000003) == 1, "32-bit calls"
    if machine == "x86_64":
        assert answer(seccomp.X32 | 41, 1) == 1


async def test_every_running_process_is_limited(tmp_path: Path) -> None:
    """The real language server and the engine it starts, as the kernel shows them."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    environment |= {"XDG_RUNTIME_DIR": str(tmp_path)}
    server = await asyncio.create_subprocess_exec(
        *processes.command("lsp"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
    )
    assert server.stdin
    assert server.stdout
    params = {"capabilities": {}, "rootUri": tmp_path.as_uri(), "processId": None}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})
    server.stdin.write(f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
    assert (await server.stdout.readline()).startswith(b"Content-Length")
    assert status(server.pid) == ("1", "2")
    twin = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    assert [status(int(pid)) for pid in twin] == [("0", "0")], "it alone is free to start others"
    async with asyncio.timeout(30):
        while not (found := processes.running(tmp_path / "wicket")):
            await asyncio.sleep(0.02)
        while status(found[0].pid) != ("1", "2"):
            await asyncio.sleep(0.02)
    assert processes.stop(found[0])
    server.stdin.close()
    await server.wait()


def status(pid: int) -> tuple[str, str]:
    """no_new_privs and the mode of seccomp (2: a filter) of a process."""
    rows = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return rows["NoNewPrivs"], rows["Seccomp"]


@needs_landlock
def test_a_folder_that_is_opened_later_is_not_read(tmp_path: Path) -> None:
    """Its wishes cannot be heard, so it gets no completion, and a line says why."""
    later = tmp_path / "later"
    for place in (tmp_path / "first", later):
        place.mkdir()
        (place / ".wicket.toml").write_text("completion.max_lines = 7")
    code = """
import sys
from pathlib import Path
from wicket.server import limits, settings
from wicket.server.paths import Paths
home, first, later = (Path(name) for name in sys.argv[1:])
paths = Paths.of({"HOME": str(home)})
limits.apply(limits.lsp(paths, paths.state, [first], []))
effective = settings.load(paths, None, [first, later])
for folder in (first, later):
    print(settings.for_folder(effective, folder).settings.completion.enabled)
print(*effective.warnings, sep="\\n")
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "home"), str(tmp_path / "first"), str(later)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    first_on, later_on, *warnings = done.stdout.splitlines()
    assert (first_on, later_on) == ("True", "False")
    assert any("may not be read" in line for line in warnings)
