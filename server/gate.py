"""`wicket gate`: the process that alone has provider keys, the network and the audit log."""

import asyncio
import contextlib
import hashlib
import json
import os
import pwd
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from .. import __version__
from ..escalation import policy
from ..escalation.audit import AuditError, AuditLog, Options
from ..escalation.audit.records import Actor, Open
from ..escalation.budgets import Ledger
from ..escalation.gate import Gate
from ..escalation.hook import Hook
from ..escalation.house import Closed, House
from ..escalation.http import application
from ..escalation.providers import wire
from ..escalation.providers.prices import listed
from ..escalation.providers.provider import Prices, Provider
from ..escalation.reach import Network
from ..escalation.redaction import rules as redaction
from . import (
    abilities,
    audit_place,
    decision_hook,
    discreet,
    exclusions,
    freezing,
    keys,
    launcher,
    limits,
    perimeter,
    policies,
    processes,
    settings,
    settings_file,
    spending,
    standing,
    unix_http,
)
from .audit_place import Place
from .gate_anchoring import Anchoring, by_launcher
from .paths import Paths, UnsafePath, private_directory, private_file
from .settings import Effective, Settings
from .settings_rows import ProviderSource

# Tables that may say what must not leave, and that this version does not read yet.
UNREAD = ("network", "policy")


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is read before the limits are set.  `closed` keeps the gate shut."""

    providers: Mapping[str, Provider] = field(default_factory=dict[str, Provider])
    options: Options = field(default_factory=lambda: Options(level="metadata"))
    log: Place | None = None
    settings_sha256: str = ""
    policies: tuple[policy.Policy, ...] = (policy.UNWRITTEN,)
    rules: redaction.Pack = field(default_factory=redaction.shipped)
    closed: Closed | None = None
    wanted: Settings | None = None


def run(paths: Paths, path: Path, idle: float | None) -> int:
    """Serve until nobody has needed the gate for `idle` seconds.  An exit code.

    The caller holds the lock of the socket, or was started by who gave it to us.
    """
    os.umask(0o077)
    effective = settings.load(paths, None, ())
    # Split off before any key is read, and before there are limits.
    twin = launcher.fork(_nothing) if effective.settings.audit.anchor else None
    hooked = decision_hook.twin(effective.settings.redaction)
    plan = prepare(paths, effective)
    try:
        listening = processes.bind(path)
    except OSError as error:
        print(f"wicket gate: cannot listen on {path}: {error.strerror}", file=sys.stderr)
        return 1
    places = [(provider.host, provider.port) for provider in plan.providers.values()]
    if (asked := decision_hook.place(effective.settings.redaction)) is not None:
        places.append(asked)
    ports = [port for _host, port in places]
    level = limits.apply(limits.gate(paths, path.parent, paths.audit, ports))
    print(f"wicket gate: {level.shown}", file=sys.stderr)
    left = perimeter.enclose(places)
    idle = effective.settings.gate.idle_minutes * 60 if idle is None else idle
    carry = by_launcher(twin, path.parent) if twin else _nowhere
    anchoring = Anchoring.of(effective.settings.audit, carry)
    network = Network(partial(_resolve, left))
    hook = decision_hook.hook(effective.settings.redaction, hooked, network)
    asyncio.run(_serve(paths, path, listening, plan, level.shown, network, idle, anchoring, hook))
    return 0


async def _serve(
    paths: Paths,
    path: Path,
    listening: socket.socket,
    plan: Plan,
    level: str,
    network: Network,
    idle: float,
    anchoring: Anchoring,
    hook: Hook | None,
) -> None:
    asyncio.get_running_loop().set_exception_handler(discreet.in_loop)
    for name in ("anthropic", "openai", "botocore", "uvicorn", "httpx2", "httpcore2", "asyncio"):
        discreet.hush(name)
    # An SDK takes a second to import: better now than when somebody waits.
    warm = asyncio.ensure_future(asyncio.to_thread(_import, plan))
    log, closed = await _open(plan, level)
    if log is not None and plan.log is not None:
        await asyncio.to_thread(anchoring.recall, plan.log.directory)
    house = House(
        __version__,
        plan.providers,
        actor(),
        _forbidden,
        network,
        level,
        partial(freezing.rows, paths),
        partial(_brake, paths),
        plan.policies,
        plan.rules,
        anchoring.hindrance,
        anchoring.heard,
        partial(standing.kept, paths),
        partial(standing.keep, paths),
        **spending.rules(plan.wanted),
        hook=hook,
        abilities=partial(abilities.kept, paths),
        keep_abilities=partial(abilities.keep, paths),
    )
    if log is not None and plan.log is not None:
        closed = await asyncio.to_thread(_recalled, house.ledger, plan.log.directory)
    gate = Gate(house, log, closed)
    timer = asyncio.ensure_future(anchoring.run(lambda: log.news)) if log is not None else None

    async def look() -> None:
        stamps = None
        while True:
            await asyncio.sleep(freezing.LOOK_SECONDS)
            if stamps != (now := policies.stamps(paths)):
                stamps = now
                gate.bind(policies.load(paths).binding)
            with contextlib.suppress(Closed):
                await gate.heed()

    looking = asyncio.ensure_future(look())

    async def leave() -> None:
        looking.cancel()
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
    await warm


def _recalled(ledger: Ledger, directory: Path) -> Closed | None:
    """What was spent before this start; why nothing can be, where that is not known."""
    try:
        ledger.recall(directory)
    except (AuditError, OSError) as error:
        return Closed(f"what was spent cannot be counted: {error}", "wicket audit doctor")
    return None


def _import(plan: Plan) -> None:
    for kind in {provider.kind for provider in plan.providers.values()}:
        wire(kind)


async def _open(plan: Plan, level: str) -> tuple[AuditLog | None, Closed | None]:
    if plan.log is None or plan.log.head is None or plan.closed is not None:
        return None, plan.closed
    record = Open(
        __version__,
        settings_sha256=plan.settings_sha256,
        policy_sha256=policy.digest(plan.policies),
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
        rows = wanted.providers.items()
        found = {name: keys.find(paths, name, row.key) for name, row in rows}
        providers = {name: _provider(name, row, found[name]) for name, row in rows}
        for place in (paths.audit, paths.heads, paths.gate):
            private_directory(place)
            _sync(place.parent)
        own = () if wanted.audit.level == "metadata" else (own_recipient(paths),)
        options = Options(wanted.audit.recipients or own, wanted.audit.level)
        values = json.dumps(settings.report(effective), sort_keys=True).encode()
        digest = hashlib.sha256(values).hexdigest()
        binding = effective.heard.policies
        pack = _rules(wanted.redaction.rules)
        place = audit_place.current(paths)
        return Plan(providers, options, place, digest, binding, pack, wanted=wanted)
    except Closed as closed:
        return Plan(closed=closed)
    except keys.NoKey as error:
        return Plan(closed=Closed(str(error), error.fix))
    except redaction.BadRules as error:
        return Plan(closed=Closed(str(error), "mend that file, then: wicket stop gate"))
    except (AuditError, OSError, UnsafePath, settings_file.Unreadable) as error:
        return Plan(closed=Closed(str(error), "mend that, then: wicket stop gate"))


def _rules(files: Sequence[Path]) -> redaction.Pack:
    """The shipped rules and those in `files`.  Raises BadRules, Unreadable."""
    packs = [redaction.shipped()]
    for file in files:
        if (found := settings_file.content(file)) is None:
            raise redaction.BadRules(f"there is no {settings_file.shown(file)}")
        try:
            packs.append(redaction.read(found))
        except redaction.BadRules as error:
            raise redaction.BadRules(f"{settings_file.shown(file)}: {error}") from None
    return redaction.joined(packs)


def _provider(name: str, row: ProviderSource, key: str | None) -> Provider:
    tier = "on-prem" if row.tier == "on-prem" else "frontier"
    made = Provider(
        name, row.kind, row.base_url, row.model, tier,
        row.region, row.retention, row.contract, None, key, row.answers_as,
        row.api_version, row.project,
    )  # fmt: skip
    if row.prices is None:
        return replace(made, prices=listed(made.host, row.model))
    into, out, cached = row.prices
    return replace(made, prices=Prices(into, out, cached, into, "settings"))


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


def _brake(paths: Paths, frozen: bool, reason: str, scope: Mapping[str, str]) -> None:
    """Raises Closed where that could not be kept."""
    try:
        freezing.change(paths, frozen, reason, scope)
    except (OSError, UnsafePath) as error:
        raise Closed(str(error), "wicket stop gate ends it") from None


async def _nowhere() -> str:
    return "there is no place"


def _forbidden(path: str) -> str | None:
    return exclusions.excluded(path, ())


async def _resolve(left: perimeter.Perimeter, host: str, port: int) -> Sequence[str]:
    return await asyncio.to_thread(left.resolve, host, port)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
