"""What kind of file system a place is on."""

import os
from pathlib import Path

# Those whose files other machines see, too: SQLite's shared memory is not shared there.
REMOTE = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "9p", "ceph", "glusterfs", "lustre"}
    | {"fuse.sshfs", "fuse.s3fs", "fuse.rclone"}
)


def is_remote(path: Path, table: Path = Path("/proc/self/mounts")) -> bool:
    """Whether `path` is on a network file system (Linux; elsewhere nobody knows)."""
    try:
        rows = [line.split() for line in table.read_text("utf-8", "replace").splitlines()]
    except OSError:
        return False
    real = os.path.realpath(path)
    around = [
        (len(row[1]), row[2])
        for row in rows
        if len(row) > 2 and f"{real}/".startswith(f"{row[1].rstrip('/')}/")
    ]
    return bool(around) and max(around)[1] in REMOTE
