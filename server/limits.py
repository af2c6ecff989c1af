"""What each process may touch, as a row each, and the kernel made to hold it to that.

Landlock limits files and TCP ports, seccomp the kinds of sockets.  Limits are for life
and children inherit them, which is why `launcher` starts processes for one that has
limited itself.  A kernel that lacks a part leaves that part out; `Level` says what holds.
"""

import contextlib
import ctypes
import os
import socket
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import landlock, seccomp
from .paths import Paths

# Where programs, libraries and the system's own settings lie; what is not there is
# passed over.  Not /run, /var, /tmp, /dev: they hold what users and services keep.
SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/opt", "/etc"),
    *("/nix", "/gnu", "/run/current-system", "/proc", "/sys"),
)
# What resolving a name reads, beside /etc.
RESOLVER = ("/run/systemd/resolve", "/run/NetworkManager", "/run/resolvconf", "/run/nscd")
HARMLESS_DEVICES = ("null", "zero", "full", "random", "urandom")
# Graphics processors as NVIDIA, Mesa, AMD, Intel and WSL name them; shm is shared memory.
ACCELERATORS = ("nvidia*", "dri", "kfd", "accel", "dxg", "shm")
# Compiled kernels that their drivers keep, in the home and in the cache directory.
DRIVER_CACHES = (".nv",), ("nvidia", "mesa_shader_cache", "mesa_shader_cache_db")
# Resolving a name asks the kernel for addresses over netlink.
NETWORK = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, getattr(socket, "AF_NETLINK", 16))

SET_NO_NEW_PRIVS = 38  # prctl, from linux/prctl.h


@dataclass(frozen=True, slots=True)
class Limits:
    """A row: what is left to a process.

    `ports` are those of TCP connections; with none there are no network sockets at all.
    `connects` is false for who only answers.  `runs` lets it start the system's programs.
    """

    process: str
    reads: tuple[Path, ...] = ()
    writes: tuple[Path, ...] = ()
    devices: tuple[Path, ...] = ()
    ports: tuple[int, ...] = ()
    resolves: bool = False
    connects: bool = True
    signals: bool = False
    runs: bool = False


def lsp(paths: Paths, sockets: Path, folders: Sequence[Path], models: Sequence[Path]) -> Limits:
    """Settings, models (to hash them) and the open folders; writes caches, its log, and what
    undoes edits in editors.

    It asks whether the editor's process still lives, which counts as a signal.
    """
    own = (paths.config, paths.managed, *paths.models, *models)
    writes = (paths.cache, paths.logs, paths.stats, paths.undone_in_editors, sockets)
    return Limits("lsp", (*own, *folders), writes, signals=True)


def index(folders: Sequence[Path], kept: Sequence[Path]) -> Limits:
    """The folders and, to write, where their index is kept; git among the programs."""
    return Limits("index", tuple(folders), tuple(kept), connects=False, runs=True)


def engine(paths: Paths, sockets: Path, reads: Sequence[Path], ports: Collection[int]) -> Limits:
    """Its models and the accelerators, and the ports of inference servers."""
    home, cache = DRIVER_CACHES
    kept = [paths.home / name for name in home] + [paths.cache.parent / name for name in cache]
    return Limits(
        "engine",
        reads=tuple(reads),
        writes=(sockets, *kept),
        devices=tuple(place for name in ACCELERATORS for place in Path("/dev").glob(name)),
        ports=tuple(sorted(ports)),
        resolves=bool(ports),
        connects=bool(ports),
    )


def gate(paths: Paths, sockets: Path, log: Path, ports: Iterable[int]) -> Limits:
    """Its settings and keys, the audit log, and the ports of the providers."""
    reads = (paths.config, paths.managed, paths.provider_keys.parent)
    writes = (log, paths.heads, paths.gate, sockets)
    return Limits("gate", reads, writes, ports=tuple(sorted(set(ports))), resolves=True)


@dataclass(frozen=True, slots=True)
class Level:
    """What the kernel holds a process to.

    `landlock` is the ABI in force: from 1 files, from 4 TCP ports, from 6 abstract
    sockets and signals, from 9 other processes' unix sockets; 0 is nothing.  `lacks` has
    a line for each part that the kernel does not give.
    """

    process: str
    landlock: int = 0
    seccomp: bool = False
    lacks: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        files = f"Landlock {self.landlock}" if self.landlock else "no Landlock"
        return f"{files}, {'seccomp' if self.seccomp else 'no seccomp'}"


def apply(limits: Limits) -> Level:
    """Hold this process to its row from now on.  Never raises: `Level` says what holds.

    To be called before there are other threads: Landlock would leave those free.
    """
    if sys.platform != "linux":
        return Level(limits.process, lacks=("Landlock and seccomp are Linux's",))
    lacks: list[str] = []
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        return Level(limits.process, lacks=("the kernel refuses no_new_privs",))
    version = landlock.abi()
    if not version:
        lacks.append("files are not limited: this kernel has no Landlock (Linux 5.13)")
    elif threads := len(os.listdir("/proc/self/task")) - 1:
        version = 0
        lacks.append(f"files are not limited: {threads} threads were started before")
    else:
        if version < 4:
            lacks.append("TCP ports are not limited: Landlock 4 is needed (Linux 6.7)")
        if version < 9 and limits.connects:
            lacks.append("unix sockets of others can be reached: Landlock 9 is needed")
        try:
            landlock.restrict(rules(limits), limits.ports, signals=limits.signals, version=version)
        except OSError as error:
            version = 0
            lacks.append(f"files are not limited: {error.strerror}")
    families = NETWORK if limits.ports else (socket.AF_UNIX,)
    try:
        seccomp.install(families, connects=limits.connects)
    except OSError as error:
        lacks.append(f"sockets are not limited: {error.strerror}")
        return Level(limits.process, version, False, tuple(lacks))
    return Level(limits.process, version, True, tuple(lacks))


def rules(limits: Limits) -> list[tuple[Path, int]]:
    """The row as Landlock's rights, with what every Python program needs."""
    system = landlock.RUN if limits.runs else landlock.READ
    found = [(Path(place), system) for place in SYSTEM]
    found += [(place, system) for place in _python()]
    found += [(Path("/dev") / name, landlock.DEVICES) for name in HARMLESS_DEVICES]
    if limits.resolves:
        found += [(Path(place), landlock.READ | landlock.RESOLVE_UNIX) for place in RESOLVER]
    found += [(place, landlock.READ) for place in limits.reads]
    found += [(place, landlock.DEVICES) for place in limits.devices]
    found += [(place, landlock.WRITE) for place in limits.writes]
    return found


def _python() -> Iterator[Path]:
    """Where modules are imported from, and what some installers link there."""
    for name in {*sys.path, sys.prefix, sys.base_prefix} - {""}:
        place = Path(name)
        yield place
        with contextlib.suppress(OSError):
            yield from (entry for entry in place.iterdir() if entry.is_symlink())
    yield Path(__file__).parents[1]
