"""Which repository lies in a folder, so that a yes for one is none for another put in its place.

Told by what the file system says and by a few small files, without running git: nothing that
a repository brings is obeyed, no link is followed, and nothing outside of it is touched.
"""

import ctypes
import hashlib
import os
import re
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

from .settings import REPOSITORY_FILE

# Of a repository's configuration, and of the other small files that are read.
MOST_BYTES = 1 << 18
# Of Linux's include/uapi/linux/stat.h and fcntl.h, in which `stx_btime` stands at byte 80.
AT_FDCWD, AT_SYMLINK_NOFOLLOW, STATX_BTIME = -100, 0x100, 0x800
_REMOTE = re.compile(rb"\s*(?:url|pushurl|insteadOf)\s*=", re.IGNORECASE)


def identity(folder: Path) -> str:
    """64 hex digits that stay while the folder holds the same repository.

    They change with the folder itself and with its `.git`, also where both were deleted and
    made anew; with where its remotes are; and with its `.wicket.toml`.  Commits, branches,
    fetches and edits leave them as they are.  Never raises: what cannot be read is told apart
    from what is not there.
    """
    folder = Path(os.path.realpath(folder))
    # Each with its length, so that no two lists of parts look alike.
    parts = [b"%d:%b" % (len(part), part) for part in _parts(folder)]
    return hashlib.sha256(b"".join(parts)).hexdigest()


def _parts(folder: Path) -> Iterator[bytes]:
    yield _inode(folder)
    yield _content(folder / REPOSITORY_FILE)
    for place in (folder, *folder.parents):
        git = place / ".git"
        if not os.path.lexists(git):
            continue
        yield _inode(place)
        yield _inode(git)
        yield _inode(git / "objects")
        # Git writes it when it makes a repository, and never again: for file systems that do
        # not tell when something was made.
        yield _inode(git / "description", moment=True)
        # A work tree or a submodule: a file that names its repository.
        yield b"" if stat.S_ISDIR(_mode(git)) else _inode(git, moment=True) + _content(git)
        lines = _content(git / "config").splitlines()
        yield b"\n".join(sorted(line.strip() for line in lines if _REMOTE.match(line)))
        return


def _mode(path: Path) -> int:
    try:
        return os.lstat(path).st_mode
    except OSError:
        return 0


def _inode(path: Path, moment: bool = False) -> bytes:
    try:
        found = os.lstat(path)
    except OSError as error:
        return f"error {error.errno}".encode()
    # Not the device: btrfs and network file systems number theirs anew at every mount.
    when = found.st_ctime_ns if moment else 0
    return f"{found.st_ino} {_born(path)} {stat.S_IFMT(found.st_mode)} {when}".encode()


def _born(path: Path) -> str:
    """When it was made, empty where nobody tells: numbers of files are given anew after a
    deletion, moments are not."""
    answer = ctypes.create_string_buffer(256)
    try:
        ask = ctypes.CDLL(None).statx
    except AttributeError:
        return ""
    if ask(AT_FDCWD, os.fsencode(path), AT_SYMLINK_NOFOLLOW, STATX_BTIME, answer) != 0:
        return ""
    (told,) = struct.unpack_from("=I", answer, 0)
    seconds, nanoseconds = struct.unpack_from("=qI", answer, 80)
    return f"{seconds}.{nanoseconds:09}" if told & STATX_BTIME else ""


def _content(path: Path) -> bytes:
    """Of a regular file that is no link; its beginning, where it is large."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return b"no file"
            return b"file " + os.read(descriptor, MOST_BYTES)
        finally:
            os.close(descriptor)
    except OSError as error:
        return f"error {error.errno}".encode()
