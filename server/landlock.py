"""Landlock: a process keeps a list of files and TCP ports and loses all others for good.

Constants are from Linux's include/uapi/linux/landlock.h; what a kernel knows is told by
its ABI number.
"""

import contextlib
import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from pathlib import Path

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # The same on every machine.
PATH_BENEATH, NET_PORT = 1, 2

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
REMOVE_DIR, REMOVE_FILE, MAKE_DIR, MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
MAKE_SOCK, REFER, TRUNCATE, IOCTL_DEV = 1 << 9, 1 << 13, 1 << 14, 1 << 15
RESOLVE_UNIX = 1 << 16
# ABI -> every right on files that it knows.
FILE_RIGHTS = {abi: (1 << bits) - 1 for abi, bits in ((1, 13), (2, 14), (3, 15), (5, 16), (9, 17))}
BIND_TCP, CONNECT_TCP = 1 << 0, 1 << 1  # ABI 4
ABSTRACT_SOCKETS, SIGNALS = 1 << 0, 1 << 1  # ABI 6

READ = READ_FILE | READ_DIR
CHANGE = REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SOCK | REFER
WRITE = READ | WRITE_FILE | TRUNCATE | RESOLVE_UNIX | CHANGE
DEVICES = READ | WRITE_FILE | IOCTL_DEV
RUN = READ | EXECUTE
# Of these alone can a rule about a single file speak.
ON_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV | RESOLVE_UNIX


def abi() -> int:
    """The kernel's version of Landlock; 0 where there is none."""
    try:
        return max(0, _call(CREATE_RULESET, None, 0, 1))
    except OSError:
        return 0


def restrict(
    rules: Iterable[tuple[Path, int]],
    ports: Iterable[int],
    *,
    signals: bool,
    version: int,
) -> None:
    """Give up every file that is not in or below a path of `rules`, every TCP port to
    connect to but `ports`, listening on any, and other processes' abstract sockets; with
    `signals` false, also signals to processes that are not limited like this one.

    `version` is what `abi` said.  Holds for the calling thread, for the threads it starts
    from now on, and for its children.  Paths that do not exist are passed over.

    Raises OSError where the kernel refuses.
    """
    known = next(rights for least, rights in reversed(FILE_RIGHTS.items()) if version >= least)
    net = BIND_TCP | CONNECT_TCP if version >= 4 else 0
    scoped = (ABSTRACT_SOCKETS | (0 if signals else SIGNALS)) if version >= 6 else 0
    # An older kernel refuses a structure with fields that it does not know.
    size = 24 if scoped else 16 if net else 8
    asked = ctypes.create_string_buffer(struct.pack("=QQQ", known, net, scoped), 24)
    ruleset = _call(CREATE_RULESET, asked, size, 0)
    try:
        for path, rights in rules:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
                _allow(ruleset, path, rights & known)
        for port in ports if net else ():
            rule = ctypes.create_string_buffer(struct.pack("=QQ", CONNECT_TCP, port), 16)
            _call(ADD_RULE, ruleset, NET_PORT, rule, 0)
        _call(RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(place).st_mode):
            rights &= ON_A_FILE
        # struct landlock_path_beneath_attr is packed.
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, place), 12)
        _call(ADD_RULE, ruleset, PATH_BENEATH, rule, 0)
    finally:
        os.close(place)


def _call(number: int, *arguments: object) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    answer: int = libc.syscall(ctypes.c_long(number), *(_wide(value) for value in arguments))
    if answer < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"Landlock: {os.strerror(code)}")
    return answer


def _wide(value: object) -> object:
    """Variadic integers are passed 64 bits wide, as the kernel reads them."""
    return ctypes.c_long(value) if isinstance(value, int) else value
