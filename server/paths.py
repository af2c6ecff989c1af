"""Where Wicket keeps its files, and what makes a place safe to keep them in.

Locations follow the XDG base directory specification.  `Paths` is a value computed from
an environment mapping; the functions below it touch the disk.
"""

import os
import pwd
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from ..completion.private import make_private

# Bytes of a socket's path.  `sun_path` holds 108 bytes on Linux and 104 on macOS, both
# with a closing zero; a little room is left for names longer than today's.
SOCKET_PATH_LIMIT = 100
# As long as any name of a socket: a process and twelve hexadecimal digits.
LONGEST_SOCKET_NAME = "engine-0123456789ab.sock"


class UnsafePath(Exception):
    """A place that Wicket will not use.  The message: what, why, what to do."""


class UnsafeDirectory(UnsafePath):
    """No directory, or one that somebody else could read, change or redirect."""


class InsideWorkspace(UnsafePath):
    """A place of Wicket's own in an open folder, where a repository could fill it."""


@dataclass(frozen=True, slots=True)
class Paths:
    """Wicket's directories.  None of them needs to exist.

    `runtime` is None where `XDG_RUNTIME_DIR` is not set.  `managed` is the
    administrator's directory and `administrator` the user id that must own what is in
    it; no environment variable moves either.
    """

    config: Path
    data: Path
    state: Path
    cache: Path
    runtime: Path | None
    home: Path = Path("/")
    managed: Path = Path("/etc/wicket")
    administrator: int = 0

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> "Paths":
        """The locations that `environ` asks for.

        Relative values of `XDG_*` are ignored, as the specification demands: they would
        name another place in each working directory.
        """
        home = _home(environ)
        runtime = _absolute(environ.get("XDG_RUNTIME_DIR"))
        return cls(
            config=(_absolute(environ.get("XDG_CONFIG_HOME")) or home / ".config") / "wicket",
            data=(_absolute(environ.get("XDG_DATA_HOME")) or home / ".local/share") / "wicket",
            state=(_absolute(environ.get("XDG_STATE_HOME")) or home / ".local/state") / "wicket",
            cache=(_absolute(environ.get("XDG_CACHE_HOME")) or home / ".cache") / "wicket",
            runtime=runtime / "wicket" if runtime else None,
            home=home,
        )

    @property
    def user_settings(self) -> Path:
        return self.config / "wicket.toml"

    @property
    def managed_settings(self) -> Path:
        return self.managed / "wicket.toml"

    @property
    def policies(self) -> tuple[Path, Path]:
        """The administrator's policy and the user's."""
        return (self.managed / "policy.toml", self.config / "policy.toml")

    @property
    def stats(self) -> Path:
        """Numbers about suggestions, apart from what the language server may not write."""
        return self.state / "stats"

    @property
    def logs(self) -> Path:
        """Our own logs, one file per process; never the audit log."""
        return self.state / "log"

    @property
    def pulled_models(self) -> Path:
        """The only models directory that Wicket writes to."""
        return self.data / "models"

    @property
    def audit(self) -> Path:
        """The directories of the audit logs, each named by its log's id."""
        return self.state / "audit"

    @property
    def heads(self) -> Path:
        return self.config / "heads"

    @property
    def gate(self) -> Path:
        """What the gate keeps beside its log: whether it is frozen, and what holds on."""
        return self.state / "gate"

    @property
    def standing(self) -> Path:
        """The yeses that hold on; the gate alone reads it and writes to it."""
        return self.gate / "standing.json"

    @property
    def abilities(self) -> Path:
        """What providers can do, as far as they were asked; the gate writes it."""
        return self.gate / "abilities.json"

    @property
    def undo(self) -> Path:
        """Files as they were before applied edits, and after; nothing else of ours keeps code."""
        return self.state / "undo"

    @property
    def undone_in_editors(self) -> Path:
        """The same of edits that editors applied: the language server writes here alone."""
        return self.undo / "editor"

    @property
    def provider_keys(self) -> Path:
        """Apart from the settings, so that who may read those cannot read this."""
        return self.data / "providers" / "keys.toml"

    @property
    def reader_key(self) -> Path:
        """What opens the payloads of one's own log; the gate cannot read it."""
        return self.data / "reader" / "key"

    @property
    def models(self) -> tuple[Path, ...]:
        """Models directories in search order: shipped, the system's, the user's."""
        shipped = Path(__file__).parents[1] / "completion" / "models"
        return (shipped, Path("/usr/share/wicket/models"), self.pulled_models)


def socket_directory(paths: Paths) -> Path:
    """Choose, create and check the directory of the sockets.

    The first of these whose socket paths stay within `SOCKET_PATH_LIMIT`: the runtime
    directory, `run` in the state directory, `/tmp/wicket-<uid>`.

    Raises UnsafeDirectory.
    """
    fitting = (place for place in _socket_places(paths) if _socket_fits(place))
    return private_directory(next(fitting, _last_place()))


def answers_in(sockets: Path) -> Path:
    """Where documents of answers are, for editors that do not show them by themselves."""
    return sockets / "answers"


def all_answers(paths: Paths) -> tuple[Path, ...]:
    """The same wherever sockets were until now; nothing is created, and no link followed."""
    every = (paths.runtime, paths.state / "run", _last_place())
    return tuple(answers_in(place) for place in every if place and _is_our_directory(place))


def private_directory(path: Path) -> Path:
    """Create `path` with mode 0700 where it is missing, check it, and return it.

    An existing directory is never repaired: who could enter it before may have left
    something in it.

    Raises UnsafeDirectory unless it is a real directory (no symbolic link) that belongs
    to this user and that nobody else may enter.
    """
    try:
        make_private(path)
        found = os.lstat(path)
    except OSError as error:
        raise UnsafeDirectory(
            f"{path} cannot be created: {error.strerror}; make its parent writable for you"
        ) from error
    if stat.S_ISLNK(found.st_mode):
        raise UnsafeDirectory(
            f"{path} is a symbolic link, so others may choose where it leads; remove it"
        )
    if not stat.S_ISDIR(found.st_mode):
        raise UnsafeDirectory(f"{path} is not a directory; move it out of the way")
    if found.st_uid != os.getuid():
        raise UnsafeDirectory(
            f"{path} belongs to user id {found.st_uid}, not to you; remove it or ask its owner to"
        )
    if found.st_mode & 0o077:
        raise UnsafeDirectory(
            f"{path} is open to others (mode {stat.S_IMODE(found.st_mode):04o}); "
            "remove it, or look through it and chmod 700 it"
        )
    return path


def private_file(path: Path, mode: Literal["ab", "a+b", "wb", "xb", "r+b"] = "ab") -> BinaryIO:
    """Open a file of our own that only this user may read, created with mode 0600.

    A file of ours that was open to others is closed to them.

    Raises OSError, also where `path` is a symbolic link, and UnsafePath where it is no
    regular file or belongs to somebody else.
    """

    def opener(name: str, flags: int) -> int:
        # Truncation waits until the file is known to be ours; O_NONBLOCK keeps a named
        # pipe from holding us up.
        flags |= os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(name, flags & ~os.O_TRUNC, 0o600)
        try:
            _close_to_others(descriptor, path)
            if flags & os.O_TRUNC:
                os.ftruncate(descriptor, 0)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    return open(path, mode, opener=opener)


def refuse_inside(path: Path, folders: Iterable[Path]) -> None:
    """Refuse a place of Wicket's own that is one of the open `folders` or lies in one.

    `path` need not exist.  It counts as inside both by its name and by where symbolic
    links lead; directories are compared by identity, not by spelling.

    Raises InsideWorkspace.
    """
    opened = {_identity(folder): folder for folder in folders}
    named = Path(os.path.abspath(path))
    real = Path(os.path.realpath(path))
    for ancestor in (named, *named.parents, real, *real.parents):
        folder = opened.get(_identity(ancestor))
        if folder is not None:
            raise InsideWorkspace(
                f"{path} lies in the open folder {folder}, whose contents could pose "
                "as yours; point the XDG_* variable to a place outside it"
            )


def _absolute(value: str | None) -> Path | None:
    return Path(value) if value and os.path.isabs(value) else None


def _home(environ: Mapping[str, str]) -> Path:
    home = _absolute(environ.get("HOME"))
    if home:
        return home
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return Path("/")  # What login programs use for a user without an entry.


def _socket_places(paths: Paths) -> Iterator[Path]:
    # A runtime directory that is gone or somebody else's is usual after `sudo` and
    # `su`; the specification asks for a replacement then.
    if paths.runtime and _is_ours(paths.runtime.parent):
        yield paths.runtime
    yield paths.state / "run"


def _socket_fits(directory: Path) -> bool:
    return len(os.fsencode(directory / LONGEST_SOCKET_NAME)) <= SOCKET_PATH_LIMIT


def _last_place() -> Path:
    # Anybody may have made it: who uses it checks that.
    return Path(f"/tmp/wicket-{os.getuid()}")  # noqa: S108


def _is_our_directory(place: Path) -> bool:
    try:
        found = os.lstat(place)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


def _is_ours(directory: Path) -> bool:
    try:
        found = os.stat(directory)
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()


def _close_to_others(descriptor: int, path: Path) -> None:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise UnsafePath(f"{path} is not a regular file; move it out of the way")
    if found.st_uid != os.getuid():
        raise UnsafePath(
            f"{path} belongs to user id {found.st_uid}, not to you; move it out of the way"
        )
    if found.st_mode & 0o077:
        os.fchmod(descriptor, 0o600)


def _identity(directory: Path) -> object:
    """Device and inode, or the absolute name of what does not exist."""
    try:
        found = os.stat(directory)
    except (OSError, ValueError):  # Gone, or a name that no file can have.
        return os.path.abspath(directory)
    return (found.st_dev, found.st_ino)
