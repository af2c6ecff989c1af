"""Where the keys of providers are kept, and how they stay out of everybody's sight.

In the desktop's keyring where there is one, else in a file that only its user can read, or
nowhere: then a command of the user's prints one when the gate starts.  A key is never an
argument, never in an environment, never in a log.
"""

import contextlib
import ctypes
import os
import resource
import stat
import sys
import tomllib
from collections.abc import Generator, Mapping
from typing import Any

from ..completion.engine import BackendError
from . import processes, settings_file
from .paths import Paths, private_directory
from .settings_checks import command_of
from .tokens import TOKEN, TokenCommand

# Under which our keys stand in a keyring.
SERVICE = "wicket"
SET_DUMPABLE = 4  # prctl, from linux/prctl.h


class NoKey(Exception):
    """A key cannot be had or kept.  `fix` is what to do."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.fix = fix


def close_memory() -> None:
    """What is in this process's memory: in no core dump, and nothing for other programs."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_DUMPABLE, 0, 0, 0, 0)


def clear_environment() -> None:
    """Leave only what the libraries that are imported later may know."""
    for name in os.environ.keys() - processes.environment(os.environ).keys():
        del os.environ[name]


def find(paths: Paths, name: str, source: str | None) -> str | None:
    """The key of a provider whose `key` setting is `source`; None where none is set.

    Raises NoKey.
    """
    if source is not None and source.startswith("command"):
        try:
            return TokenCommand(command_of(source), f"providers.{name}.key")(fresh=True)
        except BackendError as error:
            raise NoKey(str(error), error.fix or "mend that command") from None
    # First the file: asking a keyring may open a window.
    if source != "keyring" and (key := in_file(paths).get(name)):
        return key
    return None if source == "file" else _in_keyring(name, asked=source == "keyring")


def place(paths: Paths, name: str) -> str | None:
    """Where a key is kept: file or keyring.  Raises NoKey."""
    if name in in_file(paths):
        return "file"
    return "keyring" if _in_keyring(name, asked=False) else None


def keep(paths: Paths, name: str, key: str, source: str | None) -> str:
    """Keep a key, in the keyring where one works; where it is now.  Raises NoKey."""
    if not TOKEN.fullmatch(key):
        raise NoKey("a key is one line of printable characters without spaces", "try again")
    if source is not None and source.startswith("command"):
        raise NoKey(f"providers.{name}.key is a command, which prints the key", "nothing is kept")
    if source != "file" and _put_in_keyring(name, key, asked=source == "keyring"):
        # One that was in the file before would be found first.
        _write(paths, {n: k for n, k in in_file(paths).items() if n != name})
        return "keyring"
    _write(paths, {**in_file(paths), name: key})
    return "file"


def remove(paths: Paths, name: str) -> bool:
    """Forget a key wherever it is kept; whether there was one.  Raises NoKey."""
    rows = in_file(paths)
    found = name in rows
    if found:
        _write(paths, {n: k for n, k in rows.items() if n != name})
    with _keyring() as ring:
        if ring is not None and ring.get_password(SERVICE, name) is not None:
            ring.delete_password(SERVICE, name)
            found = True
    return found


def in_file(paths: Paths) -> dict[str, str]:
    """`NAME = "KEY"` per provider; empty where there is no file.  Raises NoKey."""
    path = paths.provider_keys
    try:
        rows = settings_file.read(path, os.getuid())
        if rows and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise NoKey(f"{path} can be read by others", f"chmod 600 {path}")
    except settings_file.Unreadable as error:
        raise NoKey(str(error), "mend that file") from None
    keys = {name: key for name, key in rows.items() if isinstance(key, str)}
    if keys.keys() != rows.keys() or not all(key.isprintable() for key in keys.values()):
        raise NoKey(f'{path} must hold lines like NAME = "KEY"', "mend that file")
    return keys


def _write(paths: Paths, rows: Mapping[str, str]) -> None:
    path = paths.provider_keys
    if not rows and not path.exists():
        return
    text = "".join(f"{_quoted(name)} = {_quoted(key)}\n" for name, key in sorted(rows.items()))
    assert tomllib.loads(text) == dict(rows)
    try:
        private_directory(path.parent)
        settings_file.replace(path, text.encode())
    except OSError as error:
        raise NoKey(f"{path}: {error.strerror}", "the keys are as they were") from None


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _in_keyring(name: str, *, asked: bool) -> str | None:
    with _keyring() as ring:
        if ring is not None:
            return ring.get_password(SERVICE, name)
    if asked:
        raise NoKey(
            f"providers.{name}.key is keyring, and no keyring answers here",
            'set it to "file", or log in to your desktop',
        )
    return None


def _put_in_keyring(name: str, key: str, *, asked: bool) -> bool:
    with _keyring() as ring:
        if ring is not None:
            ring.set_password(SERVICE, name, key)
            return True
    if asked:
        raise NoKey("no keyring answers here", f'set providers.{name}.key to "file"')
    return False


@contextlib.contextmanager
def _keyring() -> Generator[Any]:
    """The keyring of the user's desktop, or None where none works.

    The library raises errors of its backends as they are, which are of every kind; to us
    they all mean that there is no keyring.
    """
    before = os.environ.get("DBUS_SESSION_BUS_ADDRESS")
    bus = f"{os.environ.get('XDG_RUNTIME_DIR', '')}/bus"
    if before is None and os.path.exists(bus):
        # Where systemd has it; the variable itself is nothing that our processes inherit.
        os.environ["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={bus}"
    ring = None
    with contextlib.suppress(Exception):
        import keyring  # noqa: PLC0415 - it looks for plug-ins, and seldom is one needed.
        from keyring.backends import fail, null  # noqa: PLC0415

        found = keyring.get_keyring()
        if not isinstance(found, fail.Keyring | null.Keyring):
            ring = found
            # One that is there and cannot be spoken to says so now.
            ring.get_password(SERVICE, "")
    try:
        yield ring
    except NoKey:
        raise
    except Exception as error:
        why = f"the keyring did not answer ({type(error).__name__})"
        raise NoKey(why, "unlock it, and try again") from None
    finally:
        if before is None:
            os.environ.pop("DBUS_SESSION_BUS_ADDRESS", None)
