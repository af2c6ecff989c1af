"""Large files in parts of a given size, for ways on which only small ones travel."""

import hashlib
import os
import re
from pathlib import Path


class Torn(Exception):
    """Parts that do not make the whole; the message is one line."""


def write(path: Path, data: bytes, size: int = 0) -> list[Path]:
    """`data` at `path`, or in `path.000`, `path.001`, ... of at most `size` bytes each.

    The last part's name ends in a digest of the whole, so that a missing one is noticed.
    Older parts and an older whole are removed.
    """
    for old in _parts(path):
        old.unlink()
    if not size or len(data) <= size:
        part = path.with_name(f"{path.name}.part")
        part.write_bytes(data)
        os.replace(part, path)
        return [path]
    path.unlink(missing_ok=True)
    digest = hashlib.sha256(data).hexdigest()[:16]
    starts = range(0, len(data), size)
    names = [f"{path.name}.{number:03}" for number in range(len(starts))]
    names[-1] += f".{digest}"
    for name, start in zip(names, starts, strict=True):
        path.with_name(name).write_bytes(data[start : start + size])
    return [path.with_name(name) for name in names]


def read(path: Path) -> bytes:
    """What `write` wrote at `path`.  Raises Torn, and OSError where nothing is there."""
    if path.exists():
        return path.read_bytes()
    found = _parts(path)
    if not found:
        return path.read_bytes()
    data = b"".join(part.read_bytes() for part in found)
    wanted = found[-1].name.rpartition(".")[2]
    if hashlib.sha256(data).hexdigest()[:16] != wanted:
        raise Torn(f"{path}: its {len(found)} parts do not make the whole; copy all of them again")
    return data


def there(path: Path) -> bool:
    return path.exists() or bool(_parts(path))


def _parts(path: Path) -> list[Path]:
    named = re.compile(re.escape(path.name) + r"\.\d{3}(?:\.[0-9a-f]{16})?")
    return sorted(p for p in path.parent.glob(f"{path.name}.*") if named.fullmatch(p.name))
