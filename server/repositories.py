"""The repositories that a question may look into, each with its index and the path policy.

The folder that is asked from comes first, then the other open folders, then those that
`[[repository]]` rows name.
"""

import os
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..indexing import files
from ..indexing.facts import Facts
from ..indexing.files import Skipped
from ..indexing.reader import Reader
from ..indexing.research.repository import Repository
from . import exclusions
from .app import Startup
from .index import Order, order
from .paths import UnsafePath

Unsaved = Callable[[Path], bytes | None]


@contextmanager
def opened(
    startup: Startup,
    folder: Path,
    others: Iterable[Path] = (),
    live: Mapping[str, Facts] | None = None,
    unsaved: Unsaved = lambda _path: None,
) -> Generator[tuple[list[Repository], list[Path]]]:
    """The repositories that have an index, and the folders that have none yet.

    `live` are the facts of open documents of `folder`; `unsaved` gives what the editor has
    of a file instead of the disk.
    """
    found: list[Repository] = []
    missing: list[Path] = []
    readers: list[Reader] = []
    names: set[str] = set()
    try:
        for told in orders(startup, [folder, *others]):
            reader = Reader(told.directory / "db")
            readers.append(reader)
            first = len(readers) == 1
            if not reader.refresh():
                missing.append(told.root)
                continue
            typed: Mapping[str, Facts] = live or {} if first else {}
            name = _unique(told.root, names)
            most = told.max_file_kb << 10
            found.append(
                Repository(name, reader, reading(told.root, told.exclude, most, unsaved), typed)
            )
        yield found, missing
    finally:
        for reader in readers:
            reader.close()


def orders(startup: Startup, folders: Sequence[Path]) -> list[Order]:
    """One for each folder and each `[[repository]]`, none twice; unsafe ones are left out."""
    found: dict[Path, Order] = {}
    for place in (*folders, *startup.effective.settings.repository):
        try:
            told = order(startup, place)
        except UnsafePath:
            continue
        if told.root.is_dir():
            found.setdefault(told.root, told)
    return list(found.values())


def reading(
    root: Path, globs: tuple[str, ...], most: int, unsaved: Unsaved = lambda _path: None
) -> Callable[[str], bytes | None]:
    """What reads the files of a folder, up to `most` bytes: none that the policy excludes, none
    behind a link.  `root` has no symbolic link in it."""
    refuses = exclusions.policy(globs)

    def read(path: str) -> bytes | None:
        if refuses(path) is not None or ".." in path.split("/"):
            return None
        typed = unsaved(root / path)
        if typed is not None:
            return typed
        try:
            if not any(files.stamps(root, (path,))):
                return None
            source, _stamp = files.read(root, path, most)
        except Skipped:
            return None
        return source

    return read


def _unique(root: Path, names: set[str]) -> str:
    """The folder's own name, with those above it where another one has it, too."""
    parts = [os.fsencode(part).decode("utf-8", "replace") for part in root.parts[1:]] or ["/"]
    count = 1
    while count < len(parts) and "/".join(parts[-count:]) in names:
        count += 1
    name = "/".join(parts[-count:])
    names.add(name)
    return name


def repository(path: Path) -> Path:
    """The folder that an editor would open for `path`: the nearest with a .git, else its
    own."""
    folder = path.resolve().parent
    return next((f for f in (folder, *folder.parents) if (f / ".git").exists()), folder)
