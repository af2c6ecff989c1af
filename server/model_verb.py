"""`wicket model`: list, pull, import, use, remove, verify."""

import argparse
import json
import os
import sys
from pathlib import Path

from ..completion import models
from ..completion.engine import BackendError
from ..completion.gguf import BadModel
from ..completion.models import Model
from . import app, model_pull, perimeter
from .app import Startup
from .model_list import show
from .paths import Paths
from .settings_file import Unwritten, set_user

# What goes without a name.
ALL = ("list", "verify")


def run(arguments: argparse.Namespace) -> int:
    action: str = arguments.action
    if action != "pull":
        perimeter.enclose()
    if action not in ALL and not arguments.name:
        print(f"wicket model {action}: say which", file=sys.stderr)
        return 2
    startup = app.start()
    try:
        return _do(action, startup, arguments)
    except (BadModel, BackendError, Unwritten) as error:
        print(f"wicket model {action}: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        if action == "pull":
            told = "what arrived is kept, the same command goes on from there"
            print(f"\nwicket model pull: interrupted; {told}", file=sys.stderr)
        raise
    return 1


def _do(action: str, startup: Startup, arguments: argparse.Namespace) -> int:
    match action:
        case "list":
            return show(startup, arguments.json)
        case "use":
            return use(startup, arguments.name)
        case "verify":
            return verify(startup, arguments.name)
        case "remove":
            return remove(startup, arguments.name)
        case "pull":
            wish = model_pull.wish(arguments.name, arguments.new_name, startup)
            model = model_pull.pull(
                wish, startup, arguments.accept_licence, arguments.accept_change
            )
            return arrived(model, "pulled", startup, arguments)
        case _:
            source = Path(arguments.name)
            model = model_pull.bring(
                source, arguments.new_name, startup, arguments.accept_licence, arguments.link
            )
            return arrived(model, "imported", startup, arguments)


def arrived(model: Model, how: str, startup: Startup, arguments: argparse.Namespace) -> int:
    """Say what is there now."""
    if arguments.json:
        said = {"name": model.name, "path": str(model.path), "sha256": model.sha256}
        print(json.dumps(said))
        return 0
    print(f"{model.name} {how}, sha256 {model.sha256}.")
    print(f"`wicket model use {model.name}` chooses it.")
    return 0


def use(startup: Startup, name: str) -> int:
    """Choose a model that is there and whole."""
    startup = startup.with_model(name)
    model = app.chosen_model(startup)
    if model.licence.startswith("non-commercial"):
        print(f"Note the licence of {model.name}: {model.licence}")
    if "completion.model" in startup.effective.locked:
        raise Unwritten("completion.model is locked by the administrator")
    set_user(startup.paths, "completion.model", name)
    print(f"{model.name}: used from the next start of an editor on.")
    return 0


def remove(startup: Startup, name: str) -> int:
    """Delete the file of a model that was pulled or imported."""
    freed = model_pull.remove(name, startup.paths)
    print(f"{name} removed, {freed / 1e6:.1f} MB freed.")
    if startup.model == name:
        print("It was the one in use: `wicket model use NAME` chooses another.")
    return 0


def verify(startup: Startup, name: str | None) -> int:
    """Hash the named model, or all, and compare."""
    paths = Paths.of(os.environ)
    if name:
        chosen = [app.chosen_model(startup.with_model(name))]
    else:
        chosen = models.installed(paths.models, paths.cache / "models.json")
    code = 0
    for model in chosen:
        try:
            if model.problem:
                raise BadModel(model.problem)
            if model.endpoint:
                print(f"{model.name}: a server at {model.endpoint}, nothing to verify here")
            else:
                print(f"{model.name}: whole, sha256 {models.verify(model)}")
        except BadModel as error:
            print(f"wicket model verify: {error}", file=sys.stderr)
            code = 1
    return code
