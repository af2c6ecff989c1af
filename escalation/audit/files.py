"""The only door of the log to the disk: one thin method per system call it makes.

`Disk` calls the operating system.  Tests hand in a disk that fails on purpose, at a
chosen call, in a chosen way.
"""

import contextlib
import fcntl
import os
from collections.abc import Generator, Iterator
from typing import Protocol

PRIVATE_FILE = 0o600
PRIVATE_DIRECTORY = 0o700
# What is read at a time: long enough for few calls, short enough for constant memory.
CHUNK = 1 << 20


class Files(Protocol):
    """Every call raises OSError as its system call does."""

    def open(self, path: str, flags: int) -> int: ...
    def close(self, descriptor: int) -> None: ...
    def read(self, descriptor: int, size: int, offset: int) -> bytes: ...
    def write(self, descriptor: int, data: bytes | memoryview) -> int: ...
    def overwrite(self, descriptor: int, data: bytes | memoryview, offset: int) -> int: ...
    def truncate(self, descriptor: int, size: int) -> None: ...
    def allocate(self, descriptor: int, size: int) -> None: ...
    def sync_data(self, descriptor: int) -> None: ...
    def sync(self, descriptor: int) -> None: ...
    def look(self, descriptor: int) -> os.stat_result: ...
    def look_at(self, path: str) -> os.stat_result: ...
    def free(self, descriptor: int) -> int: ...
    def rename(self, source: str, target: str) -> None: ...
    def remove(self, path: str) -> None: ...
    def make_directory(self, path: str) -> None: ...
    def list(self, path: str) -> list[str]: ...
    def chmod(self, path: str, mode: int) -> None: ...
    def lock(self, descriptor: int) -> None: ...


class Disk:
    """The real one."""

    def open(self, path: str, flags: int) -> int:
        return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, PRIVATE_FILE)

    def close(self, descriptor: int) -> None:
        os.close(descriptor)

    def read(self, descriptor: int, size: int, offset: int) -> bytes:
        return os.pread(descriptor, size, offset)

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        return os.write(descriptor, data)

    def overwrite(self, descriptor: int, data: bytes | memoryview, offset: int) -> int:
        return os.pwrite(descriptor, data, offset)

    def truncate(self, descriptor: int, size: int) -> None:
        os.ftruncate(descriptor, size)

    def allocate(self, descriptor: int, size: int) -> None:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(descriptor, 0, size)
        else:  # macOS: zeros that are written take space as well.
            os.pwrite(descriptor, bytes(size), 0)

    def sync_data(self, descriptor: int) -> None:
        if hasattr(os, "fdatasync"):
            os.fdatasync(descriptor)
        else:
            self.sync(descriptor)

    def sync(self, descriptor: int) -> None:
        if hasattr(fcntl, "F_FULLFSYNC"):  # macOS: fsync alone stops at the drive's cache.
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)  # pyright: ignore
        else:
            os.fsync(descriptor)

    def look(self, descriptor: int) -> os.stat_result:
        return os.fstat(descriptor)

    def look_at(self, path: str) -> os.stat_result:
        return os.lstat(path)

    def free(self, descriptor: int) -> int:
        """Bytes that this user may still write."""
        found = os.fstatvfs(descriptor)
        return found.f_bavail * found.f_frsize

    def rename(self, source: str, target: str) -> None:
        os.replace(source, target)

    def remove(self, path: str) -> None:
        os.unlink(path)

    def make_directory(self, path: str) -> None:
        os.mkdir(path, PRIVATE_DIRECTORY)

    def list(self, path: str) -> list[str]:
        return os.listdir(path)

    def chmod(self, path: str, mode: int) -> None:
        os.chmod(path, mode)

    def lock(self, descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def opened(files: Files, path: str, flags: int = os.O_RDONLY) -> Generator[int]:
    descriptor = files.open(path, flags)
    try:
        yield descriptor
    finally:
        close(files, descriptor)


def close(files: Files, *descriptors: int) -> None:
    """Let go of descriptors.  An error here says nothing about what was synced before."""
    for descriptor in descriptors:
        with contextlib.suppress(OSError):
            files.close(descriptor)


def write_all(files: Files, descriptor: int, data: bytes) -> None:
    """Write the whole of `data`: the kernel may take less than it is given."""
    view = memoryview(data)
    while view:
        view = view[files.write(descriptor, view) :]


def sync_directory(files: Files, path: str) -> None:
    """Make names created in, moved into or removed from a directory durable."""
    with opened(files, path) as descriptor:
        files.sync(descriptor)


def replace(files: Files, path: str, data: bytes) -> None:
    """Write a file whole or not at all, and durably: a crash leaves the old or the new."""
    part = f"{path}.part"
    with opened(files, part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as descriptor:
        write_all(files, descriptor, data)
        files.sync(descriptor)
    files.rename(part, path)
    sync_directory(files, os.path.dirname(path))


def create(files: Files, path: str, data: bytes = b"") -> None:
    """Make a file that must not be there yet, durably except for its name."""
    with opened(files, path, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as descriptor:
        write_all(files, descriptor, data)
        files.sync(descriptor)


def content(files: Files, path: str, limit: int = CHUNK) -> bytes | None:
    """A small file's bytes; None where there is none."""
    try:
        with opened(files, path) as descriptor:
            return files.read(descriptor, limit, 0)
    except FileNotFoundError:
        return None


def lines(
    files: Files, descriptor: int, offset: int = 0, end: int | None = None
) -> Iterator[tuple[int, bytes, bool]]:
    """(offset, line without newline, whether it had one) of every line, in constant memory.

    A line longer than `CHUNK` comes in pieces, which no reader takes for a leaf.
    """
    rest, start = b"", offset
    while True:
        size = CHUNK if end is None else min(CHUNK, end - offset)
        if size <= 0 or not (piece := files.read(descriptor, size, offset)):
            break
        offset += len(piece)
        rest += piece
        *whole, rest = rest.split(b"\n")
        for line in whole:
            yield start, line, True
            start += len(line) + 1
        if len(rest) > CHUNK:
            yield start, rest, False
            start, rest = start + len(rest), b""
    if rest:
        yield start, rest, False
