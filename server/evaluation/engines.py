"""Engines for an evaluation alone: started for it, apart from the editors', and stopped."""

import asyncio
import contextlib
import functools
import os
import shutil
import tempfile
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

from ...completion.client import Connect, EngineGone, Streams
from ...completion.gguf import BadModel
from ...completion.holes import digest
from ...completion.models import Model
from ...completion.models.catalogue import SHIPPED
from .. import processes
from ..app import Completions, Startup, chosen_model
from ..paths import Paths, socket_directory
from ..settings_rows import is_path
from . import gold
from .contenders import Bits, Contender, engine, product, without_model


@contextlib.contextmanager
def entered(
    variants: Mapping[str, Startup], models: Sequence[str | None], count_bits: bool
) -> Generator[list[AbstractAsyncContextManager[Contender]]]:
    """Every model's engine with every variant of the settings, each started when it is its
    turn, and the search without one.

    A variant's name stands behind the model's; the search has the settings of the first.
    """
    first = next(iter(variants.values()))
    with apart() as own:
        engines = [
            start(replace(startup, paths=own).with_model(model), variant)
            for model in models
            for variant, startup in variants.items()
            for start in (functools.partial(started, count_bits=count_bits), product_started)
        ]
        yield [*engines, without_model(first.effective.settings.completion)]


@contextlib.asynccontextmanager
async def started(
    startup: Startup, variant: str = "", count_bits: bool = False
) -> AsyncGenerator[Contender]:
    """The engine of the model that `startup` means, in a process of its own.

    It is stopped at the end.  Bits are counted where the model is on this machine.
    Raises EngineGone.
    """
    async with contextlib.AsyncExitStack() as stack:
        bits: Bits | None = None
        model = _model(startup)
        if count_bits and not model.endpoint:
            bits = await stack.enter_async_context(gold.started(model))
        connect = await stack.enter_async_context(connections(startup))
        wanted = startup.effective.settings.completion
        # An address may hold a password, and a report may be shown around.
        endpoint = digest(model.endpoint)[:16] if model.endpoint else ""
        name = name_of(startup, variant)
        yield await stack.enter_async_context(engine(name, connect, wanted, bits, endpoint))


@contextlib.asynccontextmanager
async def product_started(startup: Startup, variant: str = "") -> AsyncGenerator[Contender]:
    """What an editor gets with the model that `startup` means.  Raises EngineGone."""
    async with connections(startup) as connect:
        wanted = startup.effective.settings.completion
        async with product(name_of(startup, variant), connect, wanted) as contender:
            yield contender


@contextlib.asynccontextmanager
async def connections(startup: Startup) -> AsyncGenerator[Connect]:
    """How to connect to the engine of `startup`; started when needed, stopped at the end."""
    effective = startup.effective
    # It is connected all the time: an engine whose evaluation was killed leaves soon.  No
    # other model speaks where this one cannot.
    alone = replace(effective.settings.engine, idle_minutes=1, fallback=())
    effective = replace(effective, settings=replace(effective.settings, engine=alone))
    completions = Completions(replace(startup, effective=effective))

    async def connect() -> Streams:
        starter = await asyncio.to_thread(lambda: completions.starter)
        return await starter.connect()

    try:
        yield connect
    finally:
        for found in processes.running(socket_directory(startup.paths)):
            await asyncio.to_thread(processes.stop, found)


def name_of(startup: Startup, variant: str = "") -> str:
    """What the model is called in a report: its name, or that of its file."""
    name = Path(startup.model).stem if is_path(startup.model) else startup.model
    return f"{name or SHIPPED.name}{f', {variant}' if variant else ''}"


@contextlib.contextmanager
def apart() -> Generator[Paths]:
    """This user's paths, but with a runtime directory of its own for engines.

    So neither they nor the editors' engines disturb each other, memory is that of the
    evaluation alone, and no engine remembers anything of an earlier run.
    """
    # A socket's path is short, and TMPDIR may not be.
    folder = tempfile.mkdtemp(prefix="wicket-eval-", dir="/tmp")
    before = os.environ.get("XDG_RUNTIME_DIR")
    # An engine learns from its environment where to listen.
    os.environ["XDG_RUNTIME_DIR"] = folder
    try:
        yield Paths.of(os.environ)
    finally:
        del os.environ["XDG_RUNTIME_DIR"]
        if before is not None:
            os.environ["XDG_RUNTIME_DIR"] = before
        shutil.rmtree(folder, ignore_errors=True)


def _model(startup: Startup) -> Model:
    try:
        return chosen_model(startup)
    except BadModel as error:
        raise EngineGone(str(error)) from None
