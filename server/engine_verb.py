"""`wicket engine`: serve tokens; `build` and `use` say where they come from."""

import argparse
import os
import sys

from ..completion.client import EngineGone
from ..completion.gguf import BadModel
from . import app, build, engine, perimeter, processes
from .engine import Order
from .paths import Paths, UnsafePath
from .settings_file import Unwritten, set_user
from .urls import address

# The name under which an endpoint is noted in the user's settings.
REMOTE = "remote"


def run(arguments: argparse.Namespace) -> int:
    match arguments.action:
        case "build" if arguments.url:
            print("wicket engine build: takes no URL; `use` does", file=sys.stderr)
            return 2
        case "build":
            return build.follow(Paths.of(os.environ))
        case "use":
            return use(arguments.url)
        case _:
            return serve(arguments)


def serve(arguments: argparse.Namespace) -> int:
    if arguments.started:
        order = Order.read(arguments.started)
        if (endpoint := order.model.endpoint) and endpoint not in _endpoints():
            # Who starts us may be limited, and must not reach further through us.
            print(f"wicket engine: {endpoint} is not in your settings", file=sys.stderr)
            return 1
        perimeter.enclose([address(order.model.endpoint)] if order.model.endpoint else [])
        return engine.run(order, arguments.idle)
    try:
        order = app.order(app.start().with_model(arguments.model))
        lock = processes.try_lock(order.socket)
    except (BadModel, UnsafePath, EngineGone) as error:
        print(f"wicket engine: {error}", file=sys.stderr)
        return 1
    if lock is None:
        print("wicket engine: it runs already; see `wicket ps`", file=sys.stderr)
        return 1
    with lock:
        order.socket.unlink(missing_ok=True)
        perimeter.enclose([address(order.model.endpoint)] if order.model.endpoint else [])
        return engine.run(order, arguments.idle)


def _endpoints() -> set[str | None]:
    own = app.start().effective.settings.engine.models
    return {source.endpoint for source in own.values()}


def use(url: str | None) -> int:
    """Take tokens from a server that runs already: asked first, then noted."""
    if not url:
        print("wicket engine use: say which URL", file=sys.stderr)
        return 2
    from ..completion.engine import BackendError  # noqa: PLC0415  Needs HTTP.
    from ..completion.remote import RemoteBackend  # noqa: PLC0415

    startup = app.start()
    paths = startup.paths
    try:
        if locked := {"completion.model", "engine.models"} & startup.effective.locked:
            raise Unwritten(f"{min(locked)} is locked by the administrator")
        perimeter.enclose([address(url)])
        backend = RemoteBackend(url)
        backend.load(lambda _share: None)
        set_user(paths, f"engine.models.{REMOTE}", {"endpoint": url})
        set_user(paths, "completion.model", REMOTE)
    except (BackendError, Unwritten, ValueError) as error:
        fix = getattr(error, "fix", None)
        print(f"wicket engine use: {error}{f'; {fix}' if fix else ''}", file=sys.stderr)
        return 1
    print(f"{backend.about}: used from the next start of an editor on.")
    print("`wicket model use wicket-base` goes back to the model on this machine.")
    return 0
