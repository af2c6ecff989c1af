"""Hints from the file system that something changed; never the truth, which is on the disk.

On Linux each directory with files of the workspace is watched by itself: watching a whole
tree would spend the kernel's watches on what is ignored.  watchdog's own observer takes a
thread for each directory, so its kernel interface is used, which takes one for all.
"""

import os
import sys
import threading
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from .files import PASSED_OVER

if TYPE_CHECKING:
    from watchdog.observers.inotify_c import InotifyEvent, WatchDescriptor

# A hint: a path relative to the workspace, or None when any may have changed.
Hint = Callable[[str | None], None]

# New directories that no file of the index lies in (yet).
UNCONFIRMED = 256


class CannotWatch(Exception):
    """The file system gives no hints here: one line that says why."""


class Watch(Protocol):
    def cover(self, directories: Collection[str]) -> set[str]:
        """Watch these directories ("" is the root), no others; which are new.

        Raises CannotWatch.
        """
        ...

    def close(self) -> None: ...


def start(root: Path, hint: Hint) -> Watch:
    """Begin to watch; `hint` is called from another thread.  Raises CannotWatch."""
    try:
        return _Directories(root, hint) if sys.platform == "linux" else _Tree(root, hint)
    except (OSError, ImportError) as error:
        raise CannotWatch(f"{root} cannot be watched: {error}") from None


class _Directories:
    """inotify: one watch for each directory."""

    def __init__(self, root: Path, hint: Hint) -> None:
        from watchdog.observers.inotify_c import CallbackId, InotifyFD, Mask  # noqa: PLC0415
        from watchdog.observers.inotify_c import InotifyConstants as Is  # noqa: PLC0415

        self._root, self._hint = root, hint
        self._mask = Mask(
            (Is.IN_CREATE | Is.IN_CLOSE_WRITE | Is.IN_DELETE | Is.IN_MOVED_FROM | Is.IN_MOVED_TO)
            | (Is.IN_ONLYDIR | Is.IN_DONT_FOLLOW | Is.IN_EXCL_UNLINK)
        )
        self._is_directory = Is.IN_ISDIR
        self._id = CallbackId(id(self))
        # Guards the two tables: events come in a thread.
        self._lock = threading.Lock()
        self._numbers: dict[str, WatchDescriptor] = {}
        self._directories: dict[WatchDescriptor, str] = {}
        self._unconfirmed: set[str] = set()
        self._kernel = InotifyFD()
        self._kernel.start()

    def cover(self, directories: Collection[str]) -> set[str]:
        wanted = {"", *directories}
        if (self._root / ".git").is_dir():
            wanted.add(".git")  # For its HEAD.
        with self._lock:
            confirmed = self._unconfirmed & wanted
            self._unconfirmed -= confirmed
            gone = self._numbers.keys() - wanted - self._unconfirmed
            new = wanted - self._numbers.keys()
        for directory in gone:
            self._drop(directory)
        for directory in sorted(new):
            self._add(directory)
        return new | confirmed

    def close(self) -> None:
        self._kernel.stop()
        self._kernel.join(2.0)

    def on_event(self, event: "InotifyEvent") -> None:
        """Called by watchdog, in its thread."""
        with self._lock:
            directory = self._directories.get(event.wd)
        if directory is None or not event.name:
            return
        path = os.fsdecode(os.path.join(os.fsencode(directory), event.name))
        if directory == ".git":
            if path == ".git/HEAD":
                self._hint(None)
            return
        if event.mask & self._is_directory:
            if event.is_moved_from or event.is_delete:
                self._forget(path)
            else:
                self._expect(path)
        self._hint(None if event.name == b".gitignore" else path)

    def on_watch_deleted(self, wd: "WatchDescriptor") -> None:
        with self._lock:
            directory = self._directories.pop(wd, None)
            if directory is not None:
                self._numbers.pop(directory, None)
                self._unconfirmed.discard(directory)

    def on_queue_overflow(self) -> None:
        self._hint(None)

    def _expect(self, directory: str) -> None:
        """Files may be made in a new directory before anybody has listed it."""
        if directory.rpartition("/")[2] in PASSED_OVER:
            return
        with self._lock:
            if len(self._unconfirmed) >= UNCONFIRMED:
                return
            self._unconfirmed.add(directory)
        try:
            self._add(directory)
        except CannotWatch:
            self._hint(None)

    def _forget(self, directory: str) -> None:
        """A directory went away; if it was only moved, its watch would go on under its old name."""
        with self._lock:
            gone = [d for d in self._numbers if d == directory or d.startswith(f"{directory}/")]
            self._unconfirmed -= set(gone)
        for one in gone:
            self._drop(one)

    def _add(self, directory: str) -> None:
        place = os.fsencode(self._root / directory)
        with self._lock:
            if directory in self._numbers:
                return
        try:
            number = self._kernel.add_callback(place, self._mask, self, self._id)
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise CannotWatch(f"{self._root} has too many directories to watch: {error}") from None
        if number == -1:  # Somebody else's: watchdog does not raise for it.
            return
        with self._lock:
            self._numbers[directory] = number
            self._directories[number] = directory

    def _drop(self, directory: str) -> None:
        with self._lock:
            number = self._numbers.pop(directory, None)
            known = number is not None and self._directories.pop(number, None) is not None
        if number is not None and known:
            self._kernel.remove_callbacks([(number, self._id)])


class _Tree:
    """FSEvents and others, which watch a whole tree at no cost."""

    def __init__(self, root: Path, hint: Hint) -> None:
        from watchdog.events import FileSystemEvent, FileSystemEventHandler  # noqa: PLC0415
        from watchdog.observers import Observer  # noqa: PLC0415

        class Handler(FileSystemEventHandler):
            def on_any_event(self, event: FileSystemEvent) -> None:
                for place in filter(None, (event.src_path, event.dest_path)):
                    path = os.path.relpath(os.fsdecode(place), root)
                    if not PASSED_OVER & set(path.split(os.sep)):
                        hint(None if path.endswith(".gitignore") else path)

        self._observer = Observer()
        self._observer.schedule(Handler(), str(root), recursive=True)
        self._observer.start()

    def cover(self, directories: Collection[str]) -> set[str]:
        return set()

    def close(self) -> None:
        self._observer.stop()
        self._observer.join(2.0)
