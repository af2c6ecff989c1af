"""Run inside a limited process: try what is forbidden, in as many ways as there are.

`tried(...)` answers {way: None where it was refused, else what was got}.
"""

import contextlib
import ctypes
import os
import socket
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path


def tried(secret: Path, target: Path, port: int) -> dict[str, object]:
    """`secret` is a file outside with the text "secret", `target` one that is not there
    yet; on `port` of the loopback somebody listens."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.fopen.restype = ctypes.c_void_p

    def native_read() -> object:
        return libc.fopen(bytes(secret), b"r") or None

    def native_write() -> object:
        return libc.fopen(bytes(target), b"w") or None

    def raw_socket() -> object:
        return _at_least_0(libc.socket(socket.AF_INET, socket.SOCK_STREAM, 0))

    def raw_syscall() -> object:
        number = ctypes.c_long(41 if os.uname().machine == "x86_64" else 198)
        return _at_least_0(libc.syscall(number, socket.AF_INET6, socket.SOCK_DGRAM, 0))

    def ring() -> object:
        return _at_least_0(libc.syscall(ctypes.c_long(425), 4, ctypes.create_string_buffer(120)))

    def connected() -> object:
        sock = libc.socket(socket.AF_INET, socket.SOCK_STREAM, 0)
        place = socket.AF_INET.to_bytes(2, "little") + port.to_bytes(2, "big") + b"\x7f\0\0\1"
        return None if sock < 0 else _at_least_0(libc.connect(sock, place.ljust(16, b"\0"), 16))

    def database() -> object:
        with contextlib.closing(sqlite3.connect(target)) as made:
            return made.execute("create table t(x)") and "a database"

    def forked() -> object:
        """A child tries; what it got is its exit code."""
        pid = os.fork()
        if pid == 0:
            os._exit(int(native_read() is not None or connected() is not None))
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) or None

    def run() -> object:
        done = subprocess.run(["/bin/cat", secret], capture_output=True, check=False)
        return done.stdout or None

    def memory() -> object:
        return Path(f"/proc/{os.getppid()}/mem").open("rb").read(1)

    ways: dict[str, Callable[[], object]] = {
        "file: open": secret.read_text,
        "file: native read": native_read,
        "file: native write": native_write,
        "file: sqlite": database,
        "file: subprocess": run,
        "file: the starter's memory": memory,
        "file: child": forked,
        "socket: libc": raw_socket,
        "socket: system call": raw_syscall,
        "socket: io_uring": ring,
        "tcp: libc": connected,
        "program": lambda: subprocess.run(["/bin/true"], check=True).args,
    }
    got: dict[str, object] = {}
    for name, way in ways.items():
        try:
            found = way()
        except (OSError, sqlite3.Error):
            found = None
        got[name] = found if found is None else str(found)
    return got


def _at_least_0(answer: int) -> object:
    return None if answer < 0 else f"descriptor {answer}"
