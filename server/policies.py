"""The policies that bind on this machine: the administrator's and the user's."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..escalation import policy
from ..escalation.policy import BadPolicy, Policy
from .paths import InsideWorkspace, Paths, refuse_inside
from .settings_checks import plain
from .settings_file import Unreadable, content, shown

BLOCKED = "until it is mended nothing is completed and nothing may leave"


@dataclass(frozen=True, slots=True)
class Policies:
    """`faults` are one line each: a file that cannot be read as a policy blocks everything."""

    binding: tuple[Policy, ...]
    faults: tuple[str, ...] = ()


def stamps(paths: Paths) -> tuple[tuple[int, ...] | None, ...]:
    """What tells that a policy is another one than before; it never raises."""
    found: list[tuple[int, ...] | None] = []
    for path in paths.policies:
        try:
            stat = path.stat()
        except (OSError, ValueError):
            found.append(None)
        else:
            found.append((stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_mode))
    return tuple(found)


def load(paths: Paths, folders: Sequence[Path] = ()) -> Policies:
    """Never raises.  A user's policy inside one of the open `folders` is somebody else's."""
    managed, user = paths.policies
    binding: list[Policy] = []
    faults: list[str] = []
    for path, owner in ((managed, paths.administrator), (user, None)):
        try:
            found = content(path, owner)
            if path == user and found is not None:
                own = (paths.home, *paths.home.parents)
                refuse_inside(path, [folder for folder in folders if folder not in own])
        except (Unreadable, InsideWorkspace) as error:
            why = str(error).removesuffix("; it is ignored").removesuffix(" (ignored)")
            faults.append(f"{plain(why, 4096)}; {BLOCKED}")
            binding.append(policy.blocked(b""))
            continue
        if found is None:
            continue
        try:
            binding.append(policy.read(found))
        except BadPolicy as error:
            faults.append(f"{shown(path)}: {plain(str(error), 4096)}; {BLOCKED}")
            binding.append(policy.blocked(found))
    return Policies(tuple(binding) or (policy.UNWRITTEN,), tuple(faults))
