"""`wicket engine`: serve tokens; `build` and `use` say where they come from."""

import argparse
import os
import sys

from ..completion.client import EngineGone
from ..completion.gguf import BadModel
from ..completion.models import Model
from . import app, build, door, engine, perimeter, processes, urls
from .engine import Order
from .paths import Paths, UnsafePath
from .settings_file import Unwritten, set_user

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
        case "token":
            return door.add_user(arguments)
        case _ if arguments.listen:
            return door.run(arguments)
        case _:
            return serve(arguments)


def serve(arguments: argparse.Namespace) -> int:
    if arguments.started:
        order = Order.read(sys.stdin.read())
        if foreign := _foreign(order):
            # Who starts us may be limited, and must not reach further through us.
            print(f"wicket engine: {foreign} is not in your settings", file=sys.stderr)
            return 1
        perimeter.enclose(engine.addresses(order.models))
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
        perimeter.enclose(engine.addresses(order.models))
        return engine.run(order, arguments.idle)


def _foreign(order: Order) -> str | None:
    """The first server of `order` that the user's settings do not name like this."""
    settings = app.start().effective.settings
    own = {
        (row.endpoint, row.token_command, row.ca_file or settings.network.ca_file)
        for row in settings.engine.models.values()
    }
    said = ((m.endpoint, tuple(m.token_command), m.ca_file) for m in order.models if m.endpoint)
    return next((one[0] for one in said if one not in own), None)


def use(url: str | None) -> int:
    """Take tokens from a server that runs already: asked first, then noted."""
    if not url:
        print("wicket engine use: say which URL", file=sys.stderr)
        return 2
    from ..completion.engine import BackendError  # noqa: PLC0415  Needs HTTP.

    startup = app.start()
    paths = startup.paths
    try:
        if locked := {"completion.model", "engine.models"} & startup.effective.locked:
            raise Unwritten(f"{min(locked)} is locked by the administrator")
        perimeter.enclose([urls.address(url)])
        backend = engine.distant(Model(REMOTE, endpoint=url))
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
