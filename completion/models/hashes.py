"""SHA-256 of model files, computed once per file and remembered in a cache.

A file counts as unchanged while its size, modification time and inode are.
"""

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from ..private import make_private

CHUNK = 1 << 20

# Called with bytes done and bytes in all.
Progress = Callable[[int, int], None]


def silent(_done: int, _total: int) -> None:
    """Progress that nobody watches."""


def sha256_of(path: Path, progress: Progress = silent) -> str:
    """Hex digest of the whole file.  Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        total = os.fstat(file.fileno()).st_size
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            progress(file.tell(), total)
    return digest.hexdigest()


def remembered(path: Path, cache: Path | None) -> str:
    """The digest in the JSON file `cache`, or "" where it has none for this file."""
    entry = _object(read_object(cache).get(_key(path)) if cache else None)
    unchanged = bool(entry) and _state(path).items() <= entry.items()
    return str(entry.get("sha256", "")) if unchanged else ""


def remember(path: Path, sha256: str, cache: Path | None) -> None:
    """Note the digest.  A cache that cannot be written costs time, so it is quiet."""
    if cache is None:
        return
    entries = read_object(cache) | {_key(path): _state(path) | {"sha256": sha256}}
    entries = {name: entry for name, entry in entries.items() if Path(name).exists()}
    with contextlib.suppress(OSError):
        make_private(cache.parent)
        write_whole(cache, as_json(entries))


def as_json(said: Mapping[str, Any]) -> bytes:
    return json.dumps(said, indent=1, sort_keys=True).encode() + b"\n"


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty where it is missing or damaged."""
    try:
        return _object(json.loads(path.read_bytes()))
    except (OSError, ValueError):
        return {}


def write_whole(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Replace `path` at once: readers see the old or the new.  Raises OSError."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _key(path: Path) -> str:
    return str(path.absolute())


def _state(path: Path) -> dict[str, Any]:
    found = path.stat()
    return {
        "size": found.st_size,
        "mtime_ns": found.st_mtime_ns,
        "inode": found.st_ino,
    }


def _object(value: Any) -> dict[str, Any]:
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}
