"""`wicket model`: list, pull, import, use, remove, verify, test, tune."""

import argparse
import json
import math
import os
import sys
from pathlib import Path

from ..completion import models
from ..completion.client import EngineGone
from ..completion.engine import BackendError
from ..completion.gguf import BadModel
from ..completion.models import Model
from ..completion.models.catalogue import SHIPPED
from ..completion.models.importing import allowed_name, default_name
from ..completion.models.trial import Trial
from . import app, model_pull, model_trial, model_tune, perimeter, terminal
from .app import Startup
from .evaluation.repositories import NoRepository
from .model_list import show
from .paths import Paths, UnsafePath
from .settings_file import Unwritten, set_user

# What goes without a name.
ALL = ("list", "verify", "tune")


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
        case "test":
            return test(startup, arguments.name, arguments.json)
        case "remove":
            return remove(startup, arguments.name)
        case "tune":
            return tune(startup, arguments)
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
    """Say what is there now, and whether it is of any use."""
    found: Trial | None = None
    if not arguments.no_test:
        try:
            found = _tried(startup, model, model_trial.PATIENCE_SECONDS)
        except (EngineGone, UnsafePath) as error:
            told = f"not tested: {error}; later `wicket model test {model.name}`"
            print(f"wicket model: {told}", file=sys.stderr)
    if arguments.json:
        said = {"name": model.name, "path": str(model.path), "sha256": model.sha256}
        print(json.dumps(said | {"trial": found.to_json() if found else None}))
    else:
        print(f"{model.name} {how}, sha256 {model.sha256}.")
        print("\n".join(model_trial.in_words(model.name, found) if found else []))
    if found and found.why:
        return _useless(model.name, found)
    if not arguments.json:
        print(f"`wicket model use {model.name}` chooses it.")
    return 0


def test(startup: Startup, name: str, as_json: bool) -> int:
    """Have a model fill holes whose content is known."""
    model = app.chosen_model(startup.with_model(name))
    if model.endpoint:
        raise BadModel(f"{name} is a server; `wicket eval --model {name}` measures it")
    try:
        found = _tried(startup, model)
    except (EngineGone, UnsafePath) as error:
        raise BadModel(str(error)) from None
    if as_json:
        print(json.dumps({"name": name} | found.to_json()))
    else:
        print("\n".join(model_trial.in_words(name, found)))
    return _useless(name, found) if found.why else 0


def tune(startup: Startup, arguments: argparse.Namespace) -> int:
    """Train the shipped model, or one made from it, further on a repository."""
    folder = Path(arguments.name or ".").resolve()
    wish = model_tune.Wish(
        folder,
        name=allowed_name(arguments.new_name or default_name(Path(f"wicket-{folder.name}"))),
        base=arguments.base or SHIPPED.name,
        minutes=arguments.minutes,
        holes=arguments.holes,
    )
    try:
        found = model_tune.tuned(startup, wish)
    except (EngineGone, UnsafePath, NoRepository) as error:
        raise BadModel(str(error)) from None
    if arguments.json:
        print(json.dumps(found.to_json()))
    else:
        print("\n".join(model_tune.in_words(found)))
    if found.verdict == "worse":
        print(f"wicket model: {wish.name} is worse; `wicket model remove {wish.name}` deletes it")
        return 1
    if arguments.use:
        return use(startup, wish.name)
    if not arguments.json:
        print(f"`wicket model use {wish.name}` chooses it.")
    return 0


def _tried(startup: Startup, model: Model, seconds: float = math.inf) -> Trial:
    with terminal.progress() as bar:
        task = bar.add_task("testing")

        def show(language: str, done: int, total: int) -> None:
            bar.update(task, description=f"testing {language}", completed=done, total=total)

        return model_trial.tried(startup, model, show, seconds)


def _useless(name: str, found: Trial) -> int:
    do = f"`wicket model remove {name}` deletes it"
    print(f"wicket model: {name} fails its test: {found.why}; {do}", file=sys.stderr)
    return 1


def use(startup: Startup, name: str) -> int:
    """Choose a model that is there and whole."""
    startup = startup.with_model(name)
    model = app.chosen_model(startup)
    if model.licence.startswith("non-commercial"):
        print(f"Note the licence of {model.name}: {model.licence}")
    found = model_trial.noted(startup.paths).get(model.sha256)
    if found and found.why:
        print(f"Note that {name} failed its test: {found.why}")
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
