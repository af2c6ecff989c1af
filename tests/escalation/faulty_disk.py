"""A real disk that fails on purpose: at the n-th call, in a chosen way."""

import contextlib
import errno
import os
import random
from pathlib import Path

from wicket.escalation.audit.files import Disk

FAULTS = ("EIO", "ENOSPC", "EINTR", "short", "kill", "torn", "power")
WRITES = ("write", "overwrite")


class Killed(BaseException):
    """The process is gone: no code of it runs any more, its locks are free."""


class FaultyDisk:
    """`Disk` until call number `at`, which fails as `fault` says.

    EIO, ENOSPC, EINTR: the call fails.  short: a write takes half.  kill: the process ends
    before the call.  torn: it ends after half a write.  power: it ends, and what was not
    synced is lost, wholly or in part; the n-th call is also when the dice are thrown.
    """

    def __init__(self, at: int = -1, fault: str = "", root: Path | None = None) -> None:
        self.calls: list[str] = []
        self.at, self.fault, self.dead = at, fault, False
        self._disk = Disk()
        self._open: set[int] = set()
        self._memory = _Memory(root) if fault == "power" and root else None

    def __getattr__(self, name: str) -> object:
        real = getattr(self._disk, name)

        def call(*arguments: object) -> object:
            if self.dead:
                raise Killed
            number = len(self.calls)
            self.calls.append(name)
            if number == self.at:
                arguments = self._fail(name, arguments)
            result = real(*arguments)
            if name == "open":
                self._open.add(result)
            elif name == "close":
                self._open.discard(arguments[0])  # type: ignore[arg-type]
            elif name in ("sync", "sync_data") and self._memory:
                self._memory.synced(arguments[0])  # type: ignore[arg-type]
            return result

        return call

    def _fail(self, name: str, arguments: tuple) -> tuple:
        if self.fault in ("EIO", "ENOSPC", "EINTR"):
            number = getattr(errno, self.fault)
            if name == "close":  # Linux lets go of the descriptor even when it complains.
                self._disk.close(*arguments)
            raise OSError(number, os.strerror(number))
        if self.fault in ("short", "torn") and name in WRITES:
            half = memoryview(arguments[1])[: max(1, len(arguments[1]) // 2)]
            arguments = (arguments[0], half, *arguments[2:])
            if self.fault == "short":
                return arguments
            getattr(self._disk, name)(*arguments)
        elif self.fault == "short":
            return arguments
        self.kill()
        raise Killed

    def kill(self) -> None:
        """The kernel closes everything; a power cut also takes what was not synced."""
        self.dead = True
        for descriptor in self._open:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        if self._memory:
            self._memory.lose(random.Random(self.at))


class _Memory:
    """What of a directory tree is durable: contents by inode, names by directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.contents: dict[int, bytes] = {}
        self.names: dict[Path, int] = {}
        for path in self._files():
            inode = path.stat().st_ino
            self.contents[inode], self.names[path] = path.read_bytes(), inode

    def _files(self) -> list[Path]:
        return [path for path in self.root.rglob("*") if path.is_file()]

    def synced(self, descriptor: int) -> None:
        place = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if place.is_dir():
            self.names = {p: i for p, i in self.names.items() if p.parent != place}
            for path in place.iterdir():
                if path.is_file():
                    self.names[path] = path.stat().st_ino
        else:
            self.contents[os.fstat(descriptor).st_ino] = place.read_bytes()

    def lose(self, dice: random.Random) -> None:
        now = {path: path.stat().st_ino for path in self._files()}
        contents = {inode: path.read_bytes() for path, inode in now.items()}
        for path in sorted(now.keys() | self.names.keys()):
            inode = dice.choice([self.names.get(path), now.get(path)])
            path.unlink(missing_ok=True)
            if inode is not None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(self._survivor(inode, contents, dice))

    def _survivor(self, inode: int, contents: dict[int, bytes], dice: random.Random) -> bytes:
        old = self.contents.get(inode, b"")
        new = contents.get(inode, old)
        if not new.startswith(old):
            return dice.choice([old, new])
        kept = dice.randint(len(old), len(new))
        # The file may have its new length before it has its new bytes.
        return dice.choice([new[:kept], new[:kept] + bytes(len(new) - kept)])
