"""Packages as archives in a folder: fetched by their registries' own clients, and read.

Nothing of a package is run: wheels and npm's archives are unpacked in memory, and sources
that would have to be built are not fetched.  An archive that was put into the folder by
hand serves as well, if its digest is the manifest's.
"""

import hashlib
import io
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from .manifest import BadManifest, Row, normalised

# Bytes of one file; a larger one was not typed.
LARGEST = 256 << 10
SUFFIXES = (".whl", ".zip", ".tar.gz", ".tgz", ".crate", ".tar.bz2", ".tar.xz")
# Where an archive says its licence.
ABOUT = ("METADATA", "PKG-INFO", "package.json", "Cargo.toml")
# How each registry's client fetches one archive into the current folder.  For crates there
# is no such client; they are put there by hand.
CLIENTS: dict[str, tuple[str, ...]] = {
    "pypi": (
        *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
        *("--only-binary", ":all:", "{name}=={version}"),
    ),
    "npm": ("npm", "pack", "--silent", "--ignore-scripts", "{name}@{version}"),
}


def archive(row: Row, folder: Path, fetch: bool) -> Path:
    """The archive of a package, its digest checked.  Raises BadManifest."""
    found = _find(row, folder)
    if found is None and fetch and row.registry in CLIENTS:
        words = [word.format(name=row.name, version=row.version) for word in CLIENTS[row.registry]]
        folder.mkdir(parents=True, exist_ok=True)
        try:
            subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        except OSError as error:
            raise BadManifest(f"{words[0]} cannot be run ({error.strerror})") from None
        except subprocess.CalledProcessError:
            raise BadManifest(
                f"{row.registry} gave no {row.name} {row.version}; is it still there?"
            ) from None
        found = _find(row, folder)
    if found is None:
        raise BadManifest(
            f"{row.name} {row.version} is not in {folder} with the manifest's digest; "
            "put it there, or say --fetch"
        )
    return found


def files(row: Row, folder: Path, fetch: bool) -> Iterator[tuple[str, bytes]]:
    """Paths in a package and what stands there; the first folder of sources is left out.

    Raises BadManifest where the archive is missing, or is no archive.
    """
    if row.registry == "folder":
        root = Path(row.name)
        for file in sorted(p for p in root.rglob("*") if p.is_file() and not p.is_symlink()):
            if file.stat().st_size <= LARGEST:
                yield file.relative_to(root).as_posix(), file.read_bytes()
        return
    path = archive(row, folder, fetch)
    try:
        if path.name.endswith((".whl", ".zip")):
            yield from _zipped(path)
        else:
            yield from _tarred(path)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError) as error:
        raise BadManifest(f"{path}: is no archive that can be read: {error}") from None


def about(found: dict[str, bytes]) -> str:
    """What the archive says of its own licence; not what it says of others in it."""
    own = [path for path in found if path.rpartition("/")[2] in ABOUT and path.count("/") < 2]
    heads = [found[path] for path in own]
    return "\n".join(head.decode("utf-8", "replace").split("\n\n")[0][:20_000] for head in heads)


def _zipped(path: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as opened:
        for info in opened.infolist():
            if not info.is_dir() and info.file_size <= LARGEST:
                yield info.filename, opened.read(info)


def _tarred(path: Path) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(path.read_bytes())) as opened:
        for member in opened:
            if member.isfile() and member.size <= LARGEST:
                reading = opened.extractfile(member)
                assert reading is not None, "it is a file"
                yield member.name.partition("/")[2] or member.name, reading.read()


def _find(row: Row, folder: Path) -> Path | None:
    """By name first, so that few files are hashed."""
    wanted = normalised(row.name.rpartition("/")[2])
    for path in sorted(folder.glob("*")):
        if (
            path.name.endswith(SUFFIXES)
            and wanted in normalised(path.name)
            and hashlib.sha256(path.read_bytes()).hexdigest() == row.sha256
        ):
            return path
    return None
