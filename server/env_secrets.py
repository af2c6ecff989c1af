"""Values in a folder's `.env*` files, which must be in nothing that leaves."""

import re
from collections.abc import Iterator
from pathlib import Path

from ..indexing.files import Skipped, read

FILES = (".env*", "*/.env*")
# Of each pattern, and of each file: a folder is written by strangers.
MOST_FILES = 50
MOST_BYTES = 1 << 16
SECRET_NAME = re.compile(
    r"key|token|secret|passw|pwd|credential|auth|private|dsn|url", re.IGNORECASE
)
ASSIGNED = re.compile(r"^\s*(?:export\s+)?([\w.]+)\s*[=:]\s*(.+?)\s*$")


def values(folder: Path) -> Iterator[str]:
    """What is assigned there and is a secret by its name or its looks.  Files that cannot be
    read are passed over."""
    for pattern in FILES:
        for file in sorted(folder.glob(pattern))[:MOST_FILES]:
            try:
                path = file.relative_to(folder).as_posix()
                content, _stamp = read(folder, path, MOST_BYTES)
            except Skipped:
                continue
            for line in content.decode("utf-8", "replace").splitlines():
                if (found := ASSIGNED.match(line)) and (value := _secret(found[1], found[2])):
                    yield value


def _secret(name: str, value: str) -> str | None:
    value = value.strip("'\"")
    mixed = len(value) >= 16 and re.search(r"\d", value) and re.search(r"[A-Za-z]", value)
    looks = SECRET_NAME.search(name) or mixed
    return value if looks and " " not in value else None
