"""One folder's index on this machine: its files, its lock, and how it is made true."""

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from ..indexing import build, text
from ..indexing.build import Clock, Failures, Interest, Listed, Progress, Report, Workspace
from ..indexing.languages import indexed_as
from ..indexing.pool import Pool, PoolFailed
from ..indexing.reconcile import by_nearness
from ..indexing.store import Store, StoreBroken, StoreFailed, remove
from . import exclusions, mounts, parsing, processes, settings
from .app import Startup
from .paths import (
    Paths,
    UnsafePath,
    private_directory,
    private_file,
    refuse_inside,
    socket_directory,
)

# Of a machine's cores one is left to the editor.
MOST_WORKERS = 4


class IndexFailed(Exception):
    """There can be no index now: one line that says why."""


class Busy(IndexFailed):
    """Another process writes this index."""


@dataclass(frozen=True, slots=True)
class Order:
    """All that an index process is told; it reads no settings of its own, so that it and
    who started it cannot disagree.  `root` has no symbolic link in it."""

    root: Path
    directory: Path
    socket: Path
    exclude: tuple[str, ...]
    max_files: int
    max_file_kb: int
    watch: str

    def write(self) -> str:
        return json.dumps(asdict(self), default=os.fspath)

    @classmethod
    def read(cls, text: str) -> "Order":
        said = json.loads(text)
        places = {name: Path(said[name]) for name in ("root", "directory", "socket")}
        return cls(**(said | places | {"exclude": tuple(said["exclude"])}))

    @property
    def rules(self) -> str:
        """Which files may be in the index: one made under other rules is thrown away."""
        said = json.dumps([exclusions.NEVER, sorted(self.exclude), self.max_file_kb])
        return hashlib.sha256(said.encode()).hexdigest()


def directory(paths: Paths, folder: Path) -> Path:
    """Where the index of a folder lies; it need not exist."""
    real = os.path.realpath(folder)
    return paths.cache / "index" / hashlib.sha256(os.fsencode(real)).hexdigest()[:16]


def readable(startup: Startup) -> bool:
    """Whether anything may be taken from an index; one may be left from other settings."""
    settings = startup.effective.settings
    return settings.trusted and settings.index.enabled


def order(startup: Startup, folder: Path) -> Order:
    """What the index process of a folder is told.  Raises UnsafePath."""
    root = Path(os.path.realpath(folder))
    home = Path(os.path.realpath(startup.paths.home))
    if not home.is_relative_to(root):
        refuse_inside(startup.paths.cache, [root])
    told = settings.for_folder(startup.effective, folder).settings
    exclude = (*told.completion.exclude, *told.index.exclude)
    place = directory(startup.paths, root)
    limits = json.dumps([exclude, told.index.max_files, told.index.max_file_kb])
    name = processes.socket_name("index", str(place), limits)
    return Order(
        root,
        place,
        socket_directory(startup.paths) / name,
        exclude,
        told.index.max_files,
        told.index.max_file_kb,
        told.index.watch,
    )


def workers() -> int:
    return max(1, min(MOST_WORKERS, len(os.sched_getaffinity(0)) - 1))


class Index:
    """The index of one folder, for the process that writes it.

    It is used by one thread.  Raises IndexFailed, and Busy where another process has it.
    """

    def __init__(self, told: Order) -> None:
        self.order = told
        self.workspace = Workspace(
            told.root,
            exclusions.policy(told.exclude),
            indexed_as,
            told.max_files,
            told.max_file_kb << 10,
        )
        self.interest = Interest()
        self.pool = Pool(parsing.COMMAND, workers())
        try:
            private_directory(told.directory)
            self._lock = _locked(told.directory / "lock")
            self._failures = Failures(private_file(told.directory / "skip", "a+b"))
        except (OSError, UnsafePath) as error:
            raise IndexFailed(f"{told.directory} cannot be written: {error}") from None
        self._store: Store | None = None
        # Of the latest complete look at the disk, and all that came since.
        self._whole = Listed((), 0, True)
        self._paths: dict[str, None] = {}
        self._covered = 0

    def refresh(
        self,
        only: Sequence[str] | None = None,
        progress: Callable[[Progress], None] = lambda _progress: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Report | None:
        """Make the index true, for all of the folder or for `only` these paths.

        A report is made of the whole folder only.  Raises IndexFailed and build.Cancelled.
        """
        clock = Clock(self.pool)
        listed = self._list(only)

        def run() -> Report | None:
            store = self._opened()
            over = build.refresh(
                self.workspace,
                listed,
                store,
                self.pool,
                self._failures,
                self.interest,
                only=only,
                progress=progress,
                cancelled=cancelled,
            )
            if only is not None:
                return None
            report = clock.report(store, self._whole, over)
            # One is kept for the files that are saved from now on.
            self.pool.close(keep=1)
            return report

        try:
            try:
                return run()
            except StoreBroken:
                # Thrown away and made again; what is broken twice is the disk.
                self._store = None
                remove(self.order.directory / "db")
                return run()
        except (StoreFailed, PoolFailed) as error:
            self._store = None
            raise IndexFailed(str(error)) from None

    def look_around(self) -> None:
        """Find the files of the folder, as far as `directories` needs them."""
        self._list(None)

    def grown(self) -> bool:
        """Whether there are more files than when `directories` was asked for the last time."""
        return len(self._paths) > self._covered

    def directories(self) -> set[str]:
        """Those in which files of the folder lie, and those around them."""
        found: set[str] = set()
        self._covered = len(self._paths)
        for path in self._paths:
            place = path.rpartition("/")[0]
            while place and place not in found:
                found.add(place)
                place = place.rpartition("/")[0]
        return found

    def text(self) -> Callable[[], None]:
        """What writes the text that the model-free tier searches, of the files known now.

        It touches nothing else here and may run beside all else, but not beside another one.
        A full disk leaves the old text.
        """
        paths, near = tuple(self._paths), tuple(self.interest.files)

        def write() -> None:
            with contextlib.suppress(OSError):
                nearest = by_nearness(paths, near)
                text.write(self.order.directory / "text", self.order.root, nearest)

        return write

    def close(self) -> None:
        self.pool.close()
        with contextlib.suppress(StoreFailed):
            if self._store is not None:
                self._store.close()
        self._store = None
        self._failures.close()
        self._lock.close()

    def _opened(self) -> Store:
        if self._store is None:
            place = self.order.directory
            private_file(place / "db").close()
            shared_memory = not mounts.is_remote(place)
            self._store = Store(place / "db", self.order.rules, shared_memory=shared_memory)
        return self._store

    def _list(self, only: Sequence[str] | None) -> Listed:
        """The files to look at.  What belonged to the folder is taken to go on doing so."""
        if only is None:
            self._whole = build.list_files(self.workspace)
            self._paths = dict.fromkeys(self._whole.paths)
            return self._whole
        unknown = [path for path in only if path not in self._paths]
        new = build.list_files(self.workspace, unknown).paths if unknown else ()
        self._paths |= dict.fromkeys(new)
        return Listed((*(path for path in only if path in self._paths), *new), 0, True)


def _locked(path: Path) -> BinaryIO:
    """The lock file, held until it is closed.  Raises Busy, OSError and UnsafePath."""
    file = private_file(path)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise Busy("another process keeps this index up to date") from None
    return file


def relative(root: Path, paths: Iterable[Path]) -> list[str]:
    """Paths below `root` as the index names them; others are left out."""
    found: list[str] = []
    for path in paths:
        with contextlib.suppress(ValueError):
            # The editor may have come by a link, which the index never does.
            real = Path(os.path.realpath(path.parent), path.name)
            found.append(str(real.relative_to(root)))
    return found
