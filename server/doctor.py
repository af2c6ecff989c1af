"""`wicket doctor`: what works here, and the command that mends the rest."""

import argparse
import asyncio
import importlib.util
import json
import platform
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

from .. import __version__
from ..completion import gguf
from ..completion.client import EngineGone
from ..completion.cursor import Cursor
from ..escalation import probing
from ..escalation.client import Declined, GateClient, Lost
from ..escalation.providers.provider import Provider
from . import abilities, accelerators, build, freezing, gate_client, mounts, security
from .app import Completions, Startup, chosen_model, fallback_models, start
from .complete_verb import PATIENCE_MS
from .engine import layers_for
from .paths import UnsafePath, private_directory, socket_directory
from .settings_checks import plain

# Asked of the model to see it at work; any text does, a wrong one too.
SAMPLE = Cursor("sample.py", "python", "def double(number):\n    return ", 31)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.  `fix` is a command or a step, where something is wrong."""

    name: str
    ok: bool
    detail: str
    fix: str | None = None


def run(arguments: argparse.Namespace) -> int:
    startup = start()
    if arguments.probe:
        findings = [asyncio.run(probed(startup, arguments.probe, arguments.any_tier))]
    else:
        findings = [*(limited(startup) if arguments.security else examine(startup))]
    if arguments.json:
        rows = [asdict(finding) for finding in findings]
        print(json.dumps({"version": __version__, "findings": rows}))
    else:
        for finding in findings:
            show(finding)
    return 0 if all(finding.ok for finding in findings) else 1


def show(finding: Finding) -> None:
    print(f"{'ok' if finding.ok else '!!'}  {finding.name}: {finding.detail}")
    if finding.fix:
        print(f"      -> {finding.fix}")


def examine(startup: Startup) -> Iterator[Finding]:
    machine = f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"
    yield Finding("wicket", True, f"{__version__}, {machine}")
    yield from settings_findings(startup)
    yield sockets(startup)
    yield llama(startup)
    yield model(startup)
    yield from profiles(startup)
    yield asyncio.run(engine(startup))
    yield accelerator(startup)
    yield index(startup)
    yield from providers(startup)


def limited(startup: Startup) -> Iterator[Finding]:
    """What the kernel holds each process to."""
    for trial in security.trials(startup.paths):
        fix = None if trial.ok else security.FIX
        yield Finding(trial.level.process, trial.ok, trial.shown, fix)
    for process in security.unlimited(startup.paths):
        detail = f"pid {process.pid} runs without limits"
        yield Finding(process.process, False, detail, f"wicket stop {process.process}")


def settings_findings(startup: Startup) -> Iterator[Finding]:
    warnings = startup.effective.warnings
    for warning in warnings:
        yield Finding("settings", False, warning, "edit the file that is named")
    if not warnings:
        yield Finding("settings", True, str(startup.paths.user_settings))


def sockets(startup: Startup) -> Finding:
    try:
        return Finding("sockets", True, str(socket_directory(startup.paths)))
    except UnsafePath as error:
        return Finding("sockets", False, str(error), "remove or repair that directory")


def providers(startup: Startup) -> Iterator[Finding]:
    """What is known of each, and what is frozen; nobody is asked here."""
    rows = abilities.kept(startup.paths)
    for name, row in startup.effective.settings.providers.items():
        provider = Provider(name, row.kind, row.base_url, row.model, "frontier")
        known = rows.known(provider)
        unasked = ", not asked what it can do" if row.kind == probing.ASKABLE else ""
        said = f": {known.shown}" if known else unasked
        yield Finding("provider", True, f"{name}, {row.model} at {provider.host}{said}")
    for frozen in freezing.rows(startup.paths):
        what = ", ".join(frozen.scope.values()) or "everything"
        yield Finding("gate", False, f"frozen for {what}: {frozen.why}", "wicket gate thaw")


async def probed(startup: Startup, name: str, any_tier: bool) -> Finding:
    """Have the gate ask a provider what it can do, in a few requests on record."""
    try:
        starter = gate_client.starter(startup.paths)
        _reader, writer = await starter.connect()
        try:
            async with GateClient(starter.path) as gate:
                said = await gate.probe(name, any_tier)
        finally:
            writer.close()
    except (Declined, Lost, EngineGone, UnsafePath, OSError) as error:
        return Finding("provider", False, f"{name}: {plain(str(error), 1000)}")
    detail = f"{name}: {plain(said['shown'], 1000)}; {said['requests']} requests, all on record"
    if said["abilities"]:
        return Finding("provider", True, detail)
    return Finding("provider", False, detail, "wicket audit show says what came")


def llama(startup: Startup) -> Finding:
    """Whether llama-cpp-python is there; importing it here could crash the doctor."""
    if importlib.util.find_spec("llama_cpp"):
        return Finding("llama-cpp-python", True, "installed")
    building = build.current(startup.paths)
    if building and building.state == "running":
        return Finding("llama-cpp-python", True, f"compiling, {building.share:.0%} done")
    detail = "not installed"
    if building and building.reason:
        detail += f"; the last build failed: {building.reason}"
    compiler = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    fix = "wicket engine build" if compiler else build.NO_COMPILER
    return Finding("llama-cpp-python", False, detail, fix)


def model(startup: Startup) -> Finding:
    try:
        chosen = chosen_model(startup)
    except gguf.BadModel as error:
        return Finding("model", False, str(error), "wicket model list")
    if chosen.endpoint:
        then = [model.name for model in fallback_models(startup, chosen)]
        after = f", then {', '.join(then)}" if then else ", and nothing when it is down"
        missing = "" if then else "name a model in engine.fallback"
        return Finding("model", True, f"{chosen.name} at {chosen.endpoint}{after}", missing or None)
    try:
        header = gguf.read(chosen.path)
    except gguf.BadModel as error:
        return Finding("model", False, str(error), "wicket model list")
    size = header.size / 1e6
    return Finding("model", True, f"{chosen.name}, {size:.1f} MB, {chosen.path}")


def profiles(startup: Startup) -> Iterator[Finding]:
    """Which models profiles name; one that is not there is left out silently elsewhere."""
    for name, one in startup.effective.settings.completion.profiles.items():
        where = ", ".join(one.languages) or "any language"
        asked = "" if one.trigger == "any" else f", {one.trigger}"
        try:
            chosen_model(replace(startup, model=one.model))
            yield Finding("profile", True, f"{name}: {one.model} for {where}{asked}")
        except gguf.BadModel as error:
            yield Finding("profile", False, f"{name}: {error}", "wicket model list")


async def engine(startup: Startup) -> Finding:
    """Start the engine, if it does not run, and have it answer once."""
    completions = Completions(startup)
    wanted = startup.effective.settings.completion
    try:
        suggestion = await completions.suggest(SAMPLE, wanted, "manual", PATIENCE_MS)
        state = await completions.engine.refresh()
    except EngineGone as error:
        return Finding("engine", False, str(error), "wicket stop engine, then again")
    finally:
        await completions.engine.close()
    if state.state != "ready":
        return Finding("engine", False, state.reason or state.state, state.fix)
    if state.reason:
        return Finding("engine", False, f"{state.model} speaks; {state.reason}", state.fix)
    ms = suggestion.ms.get("total", 0.0)
    rates = [f", {name} {rate:.0f} tokens/s" for name, rate in state.rates.items() if rate]
    detail = f"pid {state.pid}, {state.memory >> 20} MB, one answer in {ms:.0f} ms"
    return Finding("engine", True, detail + "".join(rates))


def index(startup: Startup) -> Finding:
    place = startup.paths.cache / "index"
    try:
        private_directory(place)
    except UnsafePath as error:
        return Finding("index", False, str(error), "repair it, or set XDG_CACHE_HOME")
    if mounts.is_remote(place):
        detail = f"{place} is on a network file system, where an index is slower"
        return Finding("index", True, detail, "set XDG_CACHE_HOME to a local directory")
    return Finding("index", True, str(place))


def accelerator(startup: Startup) -> Finding:
    """Graphics processors, and whether the chosen model is computed on them."""
    listed = accelerators.llamas()
    layers = 0
    try:
        chosen = chosen_model(startup)
        if not chosen.endpoint:
            wanted = startup.effective.settings.engine.gpu_layers
            layers = layers_for(chosen.path, wanted, listed)
    except gguf.BadModel:
        pass  # Another line says so.
    said = accelerators.advice(accelerators.look(), listed, layers)
    return Finding("accelerator", said.ok, said.detail, said.fix)
