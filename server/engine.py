"""`wicket engine`: load one model and serve its tokens to this user's editors."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from .. import __version__
from ..completion import devices, gguf
from ..completion.corpus import Corpus
from ..completion.devices import Device
from ..completion.engine import Backend, Engine, Missing
from ..completion.gguf import BadModel, Gguf
from ..completion.models import Model
from ..completion.serve import serve
from ..completion.shelf import Member, Profile, Shelf
from ..completion.wire import State
from . import limits, processes, urls
from .paths import Paths
from .tokens import TokenCommand

if TYPE_CHECKING:
    from ..completion.remote import RemoteBackend
    from ..completion.team import TeamBackend

# A tiny model gains nothing from more threads, and threads that wait for each other on
# cores that an editor keeps busy are many times slower than one (measured: 5,700 tokens
# per second with one thread, 240 to 770 with two beside one busy process on two cores).
TINY_BYTES = 64 << 20
MOST_THREADS = 8
# Documents whose prompts stay evaluated, and the longest that one may be, in tokens.
SLOTS, CONTEXT_TOKENS = 4, 8192


@dataclass(frozen=True, slots=True)
class Order:
    """All that an engine is told at its start; it reads no settings of its own, so that it
    and who started it cannot disagree."""

    socket: Path
    model: Model
    fallback: tuple[Model, ...]
    patience_ms: int
    threads: int | Literal["auto"]
    gpu_layers: int | Literal["auto"]
    idle_minutes: int
    # Models that profiles name, the profiles, and the bytes that all may take together.
    others: tuple[Model, ...] = ()
    profiles: tuple[Profile, ...] = ()
    budget: int = 0

    def write(self) -> str:
        return json.dumps(asdict(self), default=str)

    @classmethod
    def read(cls, text: str) -> "Order":
        said = json.loads(text)
        rebuilt = {
            "socket": Path(said["socket"]),
            "model": _model(said["model"]),
            "fallback": tuple(_model(model) for model in said["fallback"]),
            "others": tuple(_model(model) for model in said["others"]),
            "profiles": tuple(
                Profile(one["model"], tuple(one["languages"]), one["trigger"])
                for one in said["profiles"]
            ),
        }
        return cls(**(said | rebuilt))

    @property
    def models(self) -> tuple[Model, ...]:
        return (self.model, *self.fallback, *self.others)


def run(order: Order, idle: float | None) -> int:
    """Serve until nobody has needed the engine for `idle` seconds.  An exit code.

    The caller holds the lock of the socket, or was started by who gave it to us.
    """
    model, socket = order.model, order.socket
    # Whatever native code prints goes to the log that our starter gave us as stderr.
    sys.stdout.flush()
    os.dup2(2, 1)
    # numpy's BLAS would keep a thread and its memory per core for work that we never do.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    try:
        listening = processes.bind(socket)
    except OSError as error:
        reason = error.strerror or error
        print(f"wicket engine: cannot listen on {socket}: {reason}", file=sys.stderr)
        return 1
    # What the first tier does not know, another may.
    anything = any(not one.languages for one in order.models)
    known = dict.fromkeys(name for one in order.models for name in one.languages)
    languages = () if anything else tuple(known)
    state = State(model.name, model.sha256, "loading", languages=languages)
    _wake_accelerator()
    print(f"wicket engine: {confine(order).shown}", file=sys.stderr)
    corpus = Corpus()
    engine = Engine(backend(order, corpus), state)
    engine.start()
    seconds = order.idle_minutes * 60 if idle is None else idle

    async def until_idle() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await serve(
            listening,
            engine,
            version=__version__,
            idle_seconds=seconds,
            allowed=processes.same_user,
            stop=stop,
            leave=partial(socket.unlink, missing_ok=True),
            keep=corpus.learn,
        )

    asyncio.run(until_idle())
    engine.close()
    return 0


def confine(order: Order) -> limits.Level:
    """Keep the models' files and the ports of their servers, and lose all else.

    A command that prints a token is the user's own program and may need anything.
    """
    if any(model.token_command for model in order.models):
        return limits.Level("engine", lacks=("token_command runs a program of your own",))
    reads = [model.path for model in order.models if not model.endpoint]
    reads += [model.ca_file for model in order.models if model.ca_file]
    ports = {port for _host, port in addresses(order.models)}
    return limits.apply(limits.engine(Paths.of(os.environ), order.socket.parent, reads, ports))


def _wake_accelerator() -> None:
    """Have NVIDIA's driver make its device files, which it does with a setuid program on
    first use: behind no_new_privs that comes too late."""
    driver, device = Path("/proc/driver/nvidia/version"), Path("/dev/nvidia-uvm")
    if driver.exists() and not device.exists():
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(["nvidia-modprobe", "-u", "-c=0"], timeout=10, check=False)


def backend(order: Order, corpus: Corpus | None = None) -> Backend:
    """The model's own; where it is a server, a chain that goes on without it; and with
    profiles a shelf of all their models.  Those on this machine look into the corpus."""
    if order.profiles:
        plain = replace(order, profiles=(), others=())
        return Shelf(
            [_member(plain, model, corpus) for model in (order.model, *order.others)],
            order.profiles,
            order.budget,
        )
    if order.model.endpoint is None:
        return local(order, corpus)
    from ..completion.tiers import Tier, Tiers  # noqa: PLC0415  Needs HTTP.

    tiers = [
        Tier(
            model.name,
            distant(model) if model.endpoint else local(replace(order, model=model), corpus),
            distant=model.endpoint is not None,
            languages=model.languages,
        )
        for model in order.models
    ]
    return Tiers(tiers, order.patience_ms)


def _member(order: Order, model: Model, corpus: Corpus | None) -> Member:
    """One model on the shelf; a server goes on to the fallback of all."""
    own = replace(order, model=model, fallback=order.fallback if model.endpoint else ())
    size = 0
    if not model.endpoint:
        with contextlib.suppress(BadModel):
            size = gguf.memory_needed(*_context(gguf.read(model.path)))
    return Member(model.name, lambda: backend(own, corpus), size, model.languages)


def distant(model: Model) -> "RemoteBackend | TeamBackend":
    from ..completion.remote import RemoteBackend  # noqa: PLC0415  Needs HTTP.
    from ..completion.team import TeamBackend  # noqa: PLC0415

    endpoint = model.endpoint or ""
    token = TokenCommand(model.token_command) if model.token_command else None
    if endpoint.startswith("wicket+tls:"):
        return TeamBackend(endpoint, token, model.ca_file, __version__)
    return RemoteBackend(endpoint, token, model.ca_file)


def addresses(models: Sequence[Model]) -> list[tuple[str, int]]:
    """Hosts and ports that are reached for these models."""
    return [urls.address(model.endpoint) for model in models if model.endpoint]


def local(order: Order, corpus: Corpus | None = None) -> Backend:
    try:
        from ..completion.local import LocalBackend  # noqa: PLC0415
    except ModuleNotFoundError:
        # numpy comes with llama-cpp-python.
        return Missing()
    path = order.model.path
    return LocalBackend(
        path,
        threads=threads_for(path) if order.threads == "auto" else order.threads,
        gpu_layers=layers_for(path, order.gpu_layers, devices.devices()),
        slots=SLOTS,
        corpus=corpus,
    )


def layers_for(path: Path, wanted: int | str, listed: Sequence[Device]) -> int:
    """How many layers of the model at `path` go to these devices; negative is all.

    Raises BadModel.
    """
    return devices.layers_on_gpu(*_context(gguf.read(path)), listed, wanted)


def _context(header: Gguf) -> tuple[Gguf, int]:
    """A model and the tokens that an engine keeps of all documents together."""
    return header, min(header.context or CONTEXT_TOKENS, CONTEXT_TOKENS) * SLOTS


def _model(said: dict[str, Any]) -> Model:
    rebuilt: dict[str, Any] = {
        "path": Path(said["path"]),
        "ca_file": said["ca_file"] and Path(said["ca_file"]),
        "languages": tuple(said["languages"]),
        "token_command": tuple(said["token_command"]),
    }
    return Model(**(said | rebuilt))


def threads_for(path: Path) -> int:
    """All physical cores but one, which the editor and its server need."""
    free = max(1, (physical_cores() or 2) - 1)
    tiny = path.is_file() and path.stat().st_size < TINY_BYTES
    return min(free, 2 if tiny else MOST_THREADS)


def physical_cores() -> int | None:
    """Cores without their hyper-threads (Linux), else the logical ones."""
    siblings = {
        file.read_text()
        for file in Path("/sys/devices/system/cpu").glob("cpu[0-9]*/topology/core_cpus_list")
    }
    return len(siblings) or os.cpu_count()
