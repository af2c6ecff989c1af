"""Bring a model file into the models directory: checked, copied whole, and noted."""

import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from .. import families, gguf
from ..families import Fim, NotForInfill
from ..gguf import BadModel, Gguf, shown
from ..private import make_private
from . import LANGUAGES, Model, describe, hashes, languages_of, licence_of, note_path
from .catalogue import SHIPPED, row_for

TOKENS = "tokenizer.ggml.tokens"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
# Copies that are not whole yet.
PART = ".part"


class CannotImport(BadModel):
    """Nothing was imported; the message is one line."""


def import_file(
    source: Path,
    directory: Path,
    name: str | None = None,
    progress: hashes.Progress = hashes.silent,
    link: bool = False,
) -> Model:
    """Copy the model at `source` into `directory` under `name`.

    The name is the catalogue's where the file is known there, else the file's.  A crash
    leaves at most a hidden `.part` file, which the next import removes.  Importing the
    same file again changes nothing.  With `link` it becomes a second name of the same
    file where the file system can do that; who writes into one then writes into both.

    Raises CannotImport: not for infilling, no weights, one part of several, name taken
    by another file or not allowed, no room, no permission, another import running.
    Raises BadModel where the file itself is damaged.
    """
    header, fim = checked(source)
    name = allowed_name(name or default_name(source))
    target = directory / f"{name}.gguf"
    try:
        make_private(directory)
        with alone(directory):
            if target.exists():
                sha256 = _same(source, target, progress)
            elif link and _linked(source, target):
                sha256 = hashes.sha256_of(target, progress)
            else:
                sha256 = _copy(source, target, header.size, progress)
            # A crash before the note leaves a whole model that is hashed when used.
            note(target, header, fim, sha256, source.name)
    except OSError as error:
        raise CannotImport(_why(error, name, directory)) from None
    return describe(target)


def adopt(part: Path, target: Path, sha256: str, source: str) -> Model:
    """Put a fetched file into its place, checked and noted; the caller is `alone` there.

    `source` is the name it had elsewhere.  Raises CannotImport and BadModel; then the
    part stays where it is.
    """
    header, fim = checked(part)
    part.chmod(_mode(target.parent))
    with part.open("rb") as file:
        os.fsync(file.fileno())
    part.rename(target)
    _sync(target.parent)
    note(target, header, fim, sha256, source)
    return describe(target)


def allowed_name(name: str) -> str:
    if not NAME.fullmatch(name) or name == SHIPPED.name:
        raise CannotImport(
            f"{shown(name)} cannot be the name of an imported model; choose letters, "
            "digits, dots and dashes, and not the name of the shipped model"
        )
    return name


def note(target: Path, header: Gguf, fim: Fim, sha256: str, source: str) -> None:
    """Write down beside `target` what it is and where it came from."""
    row = row_for(source)
    said = {
        "name": target.stem,
        "sha256": sha256,
        "size": header.size,
        "family": fim.family.name,
        "licence": licence_of(header, row),
        "languages": languages_of(header, row),
        "context": header.context,
        "source": shown(source),
    }
    text = json.dumps(said, indent=1, sort_keys=True) + "\n"
    hashes.write_whole(note_path(target), text.encode(), _mode(target.parent))


def checked(source: Path) -> tuple[Gguf, Fim]:
    """The header of a file that may be imported, and its markers."""
    header = gguf.read(source, keep=(TOKENS, LANGUAGES))
    parts = header.metadata.get("split.count", 1)
    if isinstance(parts, int) and parts > 1:
        raise CannotImport(
            f"{shown(source)}: is one of {parts} parts of a model; join them with "
            "llama-gguf-split --merge and import the result"
        )
    if not header.tensors:
        raise CannotImport(
            f"{shown(source)}: has a vocabulary and no weights; import the model itself"
        )
    try:
        return header, families.fim_for(HeaderLexicon(header))
    except NotForInfill as error:
        raise CannotImport(f"{shown(source)}: {error}") from None


def default_name(source: Path) -> str:
    row = row_for(source.name)
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", source.stem)
    return row.name if row else plain.strip(".-_")[:100]


@dataclass(frozen=True)
class HeaderLexicon:
    """The tokens that a file lists, with no model loaded.  A `families.Lexicon`."""

    header: Gguf

    @property
    def metadata(self) -> Mapping[str, str]:
        return {
            key: str(value).lower() if isinstance(value, bool) else str(value)
            for key, value in self.header.metadata.items()
        }

    @property
    def size(self) -> int:
        return self.header.vocabulary_size

    def id_of(self, token_text: str, /) -> int | None:
        return self._ids.get(token_text)

    @cached_property
    def _ids(self) -> Mapping[str, int]:
        tokens = self.header.arrays.get(TOKENS, ())
        return {str(text): i for i, text in enumerate(tokens)}


def _copy(source: Path, target: Path, size: int, progress: hashes.Progress) -> str:
    """Copy and hash.  The target appears whole or not at all."""
    directory = target.parent
    free = shutil.disk_usage(directory).free
    if size > free:
        raise CannotImport(
            f"{target.stem} takes {size >> 20} MB and {free >> 20} MB are free in "
            f"{shown(directory)}; free some space and import again"
        )
    digest = hashlib.sha256()
    handle, name = tempfile.mkstemp(PART, f".{target.stem}.", directory)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as writing, source.open("rb") as reading:
            while chunk := reading.read(hashes.CHUNK):
                digest.update(chunk)
                writing.write(chunk)
                progress(writing.tell(), size)
            writing.flush()
            os.fchmod(writing.fileno(), _mode(directory))
            os.fsync(writing.fileno())
        # What counts is what arrived: the source may have changed meanwhile.
        if part.stat().st_size != size or describe(part).problem:
            raise CannotImport(f"{shown(source)}: changed while it was copied; try again")
        part.rename(target)
        _sync(directory)
    finally:
        part.unlink(missing_ok=True)
    return digest.hexdigest()


def _linked(source: Path, target: Path) -> bool:
    """Whether `target` is now another name of the source; never of a symbolic link."""
    with suppress(OSError):
        os.link(source.resolve(), target)
        _sync(target.parent)
        return True
    return False


def _same(source: Path, target: Path, progress: hashes.Progress) -> str:
    """The digest that both files have."""
    if source.stat().st_size == target.stat().st_size:
        sha256 = hashes.sha256_of(source, progress)
        if sha256 == hashes.sha256_of(target, progress):
            return sha256
    raise CannotImport(
        f"another file is already imported as {target.stem}; give this one another "
        f"name or remove {shown(target)} first"
    )


@contextmanager
def alone(directory: Path) -> Generator[None]:
    """One import at a time; what a killed one left behind is removed."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # Some network file systems lock no directories; there nothing is removed.
        with suppress(OSError):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise CannotImport(
                    f"an import into {shown(directory)} is running; wait for its end"
                ) from None
            for left in directory.glob(f".*{PART}"):
                left.unlink()
        yield
    finally:
        os.close(handle)


def _mode(directory: Path) -> int:
    """A directory that everybody may read holds files that everybody may read."""
    everybody = stat.S_IROTH | stat.S_IXOTH
    return 0o644 if directory.stat().st_mode & everybody == everybody else 0o600


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _why(error: OSError, name: str, directory: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return (
            f"no room for {name} in {shown(directory)} ({error.strerror}); "
            "free some space and import again"
        )
    place = shown(error.filename or directory)
    return f"{name} was not imported: {place}: {error.strerror}; check its permissions"
