"""What Wicket keeps on this machine, one row each: what it holds, where, and what removes it."""

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import index, undo
from .paths import Paths, all_answers

PURGE, PURGE_LOG, YOURS = "wicket purge", "wicket purge --audit", "you"


@dataclass(frozen=True, slots=True)
class Kept:
    """One kind of thing.  `removed_by` is a command, or YOURS for what the user wrote.

    `places` are files and folders; of a folder, `but` names what does not count.
    """

    name: str
    holds: str
    places: tuple[Path, ...]
    removed_by: str = PURGE
    but: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Size:
    files: int = 0
    bytes: int = 0

    def __add__(self, other: "Size") -> "Size":
        return Size(self.files + other.files, self.bytes + other.bytes)


def rows(paths: Paths) -> tuple[Kept, ...]:
    """Everything that Wicket writes, by name: what else lies in its folders is not its own."""
    caches = (paths.cache / "models.json", paths.cache / "trials.json")
    left = tuple(paths.state.glob("bench-audit-*"))
    return (
        Kept("index", "names, outlines and text of your code", (paths.cache / "index",)),
        Kept("undo", "files as they were before and after edits", _undo(paths), but=("editor",)),
        Kept("answers", "answers, and what was sent for them", all_answers(paths)),
        Kept("evaluation", "answers of models to holes in code", (paths.cache / "evaluation",)),
        Kept("tune", "half-made models and the code for them", (paths.cache / "tune",)),
        Kept("views", "the audit log's records once more, to search", (paths.cache / "audit",)),
        Kept("models", "models that were pulled, imported or tuned", (paths.pulled_models,)),
        Kept("stats", "numbers about suggestions, no code", (paths.stats,)),
        Kept("logs", "what our processes did, no code", (paths.logs,)),
        Kept("caches", "digests and trials of models", (*caches, *left)),
        Kept("gate", "yeses that hold on; abilities", (paths.standing, paths.abilities)),
        Kept("log", "what left this machine, sealed", (paths.audit, paths.heads), PURGE_LOG),
        Kept("reader", "the key that opens the log", (paths.reader_key.parent,), PURGE_LOG),
        Kept("keys", "keys of providers", (paths.provider_keys.parent,), "wicket key remove NAME"),
        Kept("freezes", "what may not be sent", _freezes(paths), "wicket gate thaw"),
        Kept("settings", "what you wrote", (paths.config,), YOURS, but=(paths.heads.name,)),
    )  # fmt: skip


def size(kept: Kept) -> Size:
    """Of all its files, links not followed; what vanishes or cannot be read counts nothing."""
    return sum((_size(entry) for entry in entries(kept)), Size())


def entries(kept: Kept) -> Iterator[Path]:
    """The files and folders that make it up.  Its folders themselves stay, with their modes."""
    for place in kept.places:
        if place.is_dir() and not place.is_symlink():
            try:
                yield from sorted(entry for entry in place.iterdir() if entry.name not in kept.but)
            except OSError:
                continue
        elif _mode(place):
            yield place


def of_folder(paths: Paths, folder: Path) -> tuple[Path, ...]:
    """What is kept of one folder alone: its index, and what undoes edits in it."""
    real = Path(os.path.realpath(folder))
    place = index.directory(paths, real)
    kept = [one.place for one in undo.all_kept(paths) if one.folder == real]
    return (*((place,) if _mode(place) else ()), *kept)


def remove(entry: Path) -> None:
    """A file, a link (not where it leads), or a folder with all in it.  Raises OSError."""
    if stat.S_ISDIR(_mode(entry)):
        # It follows no link, also not one that is put there meanwhile.
        shutil.rmtree(entry)
    else:
        entry.unlink(missing_ok=True)


def _undo(paths: Paths) -> tuple[Path, ...]:
    # The second is a folder of the first and stays: the kernel lets a language server that
    # runs write into this one and into no other that is made in its place.
    return (paths.undo, paths.undone_in_editors)


def _freezes(paths: Paths) -> tuple[Path, ...]:
    return (paths.gate / "frozen", paths.gate / "freezes.toml")


def _mode(place: Path) -> int:
    """0 where there is nothing, or nothing that one may look at."""
    try:
        return place.lstat().st_mode
    except OSError:
        return 0


def _size(entry: Path) -> Size:
    if not stat.S_ISDIR(_mode(entry)):
        try:
            return Size(1, entry.lstat().st_size)
        except OSError:
            return Size()
    found = Size()
    for folder, _folders, files in os.walk(entry):
        for name in files:
            found += _size(Path(folder, name))
    return found
