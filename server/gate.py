"""`wicket gate`: the process that alone has provider keys, the network and the audit log."""

import asyncio
import contextlib
import ctypes
import hashlib
import json
import os
import pwd
import resource
import socket
import stat
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from .. import __version__
from ..escalation.audit import AuditError, AuditLog, Options
from ..escalation.audit.records import Actor, Open
from ..escalation.gate import POLICY, Closed, Gate, House
from ..escalation.http import application
from ..escalation.providers.provider import Provider
from ..escalation.transport import Network
from . import (
    audit_place,
    discreet,
    exclusions,
    launcher,
    limits,
    perimeter,
    processes,
    settings,
    settings_file,
    unix_http,
)
from .audit_place import Place
from .gate_anchoring import Anchoring, by_launcher
from .paths import Paths, UnsafePath, private_directory, private_file
from .settings import Effective
from .settings_checks import ProviderSource

# Tables that may say what must not leave, and that this version does not read yet.
UNREAD = ("budget", "network", "policy", "redaction", "routes")
SET_DUMPABLE = 4  # prctl, from linux/prctl.h


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is read before the limits are set.  `closed` keeps the gate shut."""

    providers: Mapping[str, Provider] = field(default_factory=dict[str, Provider])
    options: Options = field(default_factory=lambda: Options(level="metadata"))
    log: Place | None = None
    settings_sha256: str = ""
    closed: Closed | None = None


def run(paths: Paths, path: Path, idle: float | None) -> int:
    """Serve until nobody has needed the gate for `idle` seconds.  An exit code.

    The caller holds the lock of the socket, or was started by who gave it to us.
    """
    os.umask(0o077)
    for name in os.environ.keys() - processes.environment(os.environ).keys():
        del os.environ[name]
    effective = settings.load(paths, None, ())
    # Split off before any key is read, and before there are limits.
    twin = launcher.fork(_nothing) if effective.settings.audit.anchor else None
    plan = prepare(paths, effective)
    try:
        listening = processes.bind(path)
    except OSError as error:
        print(f"wicket gate: cannot listen on {path}: {error.strerror}", file=sys.stderr)
        return 1
    places = [(provider.host, provider.port) for provider in plan.providers.values()]
    ports = [port for _host, port in places]
    level = limits.apply(limits.gate(paths, path.parent, paths.audit, ports))
    _close_memory()
    print(f"wicket gate: {level.shown}", file=sys.stderr)
    left = perimeter.enclose(places)
    idle = effective.settings.gate.idle_minutes * 60 if idle is None else idle
    carry = by_launcher(twin, path.parent) if twin else _nowhere
    anchoring = Anchoring.of(effective.settings.audit, carry)
    asyncio.run(_serve(path, listening, plan, level.shown, left, idle, anchoring))
    return 0


async def _serve(
    path: Path,
    listening: socket.socket,
    plan: Plan,
    level: str,
    left: perimeter.Perimeter,
    idle: float,
    anchoring: Anchoring,
) -> None:
    asyncio.get_running_loop().set_exception_handler(discreet.in_loop)
    for name in ("uvicorn", "httpx2", "httpcore2", "asyncio"):
        discreet.hush(name)
    log, closed = await _open(plan, level)
    if log is not None and plan.log is not None:
        await asyncio.to_thread(anchoring.recall, plan.log.directory)
    network = Network(partial(_resolve, left))
    house = House(
        __version__, plan.providers, actor(), _forbidden, network, level,
        anchoring.hindrance, anchoring.heard,
    )  # fmt: skip
    gate = Gate(house, log, closed)
    timer = asyncio.ensure_future(anchoring.run(lambda: log.news)) if log is not None else None

    async def leave() -> None:
        # Gone before its connections end, so that leaving is not taken for a crash.
        path.unlink(missing_ok=True)  # noqa: ASYNC240 (in a memory file system)
        if timer is not None:
            timer.cancel()
        await gate.close()

    await unix_http.serve(
        application(gate),
        listening,
        allowed=processes.same_user,
        idle_seconds=idle,
        leave=leave,
    )


async def _open(plan: Plan, level: str) -> tuple[AuditLog | None, Closed | None]:
    if plan.log is None or plan.log.head is None or plan.closed is not None:
        return None, plan.closed
    record = Open(
        __version__,
        settings_sha256=plan.settings_sha256,
        policy_sha256=hashlib.sha256(POLICY).hexdigest(),
        limits=level,
    )
    try:
        log = await AuditLog.open(plan.log.directory, plan.log.head, record, plan.options)
    except (AuditError, OSError) as error:
        return None, Closed(f"the audit log cannot be opened: {error}", "wicket audit doctor")
    return log, None


def prepare(paths: Paths, effective: Effective) -> Plan:
    """Read settings and keys, and make the places of the log; never raises."""
    wanted = effective.settings
    try:
        _refuse_doubt(paths, effective)
        keys = provider_keys(paths.provider_keys)
        rows = wanted.providers.items()
        providers = {name: _provider(name, row, keys.get(name)) for name, row in rows}
        for place in (paths.audit, paths.heads):
            private_directory(place)
            _sync(place.parent)
        own = () if wanted.audit.level == "metadata" else (own_recipient(paths),)
        options = Options(wanted.audit.recipients or own, wanted.audit.level)
        values = json.dumps(settings.report(effective), sort_keys=True).encode()
        return Plan(
            providers, options, audit_place.current(paths), hashlib.sha256(values).hexdigest()
        )
    except Closed as closed:
        return Plan(closed=closed)
    except (AuditError, OSError, UnsafePath, settings_file.Unreadable) as error:
        return Plan(closed=Closed(str(error), "mend that, then: wicket stop gate"))


def _provider(name: str, row: ProviderSource, key: str | None) -> Provider:
    tier = "on-prem" if row.tier == "on-prem" else "frontier"
    return Provider(
        name, row.kind, row.base_url, row.model, tier,
        row.region, row.retention, row.contract, key,
    )  # fmt: skip


def _refuse_doubt(paths: Paths, effective: Effective) -> None:
    """Raises Closed where what the settings forbid is not wholly understood."""
    if effective.warnings:
        raise Closed(f"the settings are in doubt: {effective.warnings[0]}", "mend that file")
    if not effective.settings.gate.enabled:
        raise Closed("gate.enabled is false", "wicket config says where")
    for path, owner in ((paths.managed_settings, paths.administrator), (paths.user_settings, None)):
        for table in UNREAD:
            if table in settings_file.read(path, owner):
                reason = f"{path}: [{table}] is not heeded by this version"
                raise Closed(reason, "take it out, if nothing in it has to be kept")


def provider_keys(path: Path) -> dict[str, str]:
    """`NAME = "KEY"` per provider; empty where there is no file.  Raises Closed."""
    rows = settings_file.read(path, os.getuid())
    if rows and stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise Closed(f"{path} can be read by others", f"chmod 600 {path}")
    keys = {name: key for name, key in rows.items() if isinstance(key, str)}
    if keys.keys() != rows.keys() or not all(key.isprintable() for key in keys.values()):
        raise Closed(f'{path} must hold lines like NAME = "KEY"', "mend that file")
    return keys


def own_recipient(paths: Paths) -> str:
    """The public half of the user's own key pair, made where there is none.

    Only this half is read at later starts: the gate cannot open what it wrote.
    Raises OSError, UnsafePath, NoKey.
    """
    public = paths.reader_key.with_suffix(".pub")
    with contextlib.suppress(FileNotFoundError):
        return public.read_text().strip()
    made = audit_place.reader_key(paths, make=True)
    assert made
    # A crash before this is durable leaves a key from which it is made again.
    with private_file(public, "wb") as file:
        file.write(f"{made.public}\n".encode())
    return made.public


def actor() -> Actor:
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    return Actor(user, os.getuid(), socket.gethostname(), "authenticated(SO_PEERCRED)")


def _nothing() -> None:
    pass


async def _nowhere() -> str:
    return "there is no place"


def _forbidden(path: str) -> str | None:
    return exclusions.excluded(path, ())


async def _resolve(left: perimeter.Perimeter, host: str, port: int) -> Sequence[str]:
    return await asyncio.to_thread(left.resolve, host, port)


def _close_memory() -> None:
    """Keys in memory: in no core dump, and nothing for other programs of the user."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SET_DUMPABLE, 0, 0, 0, 0)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
