"""`wicket model`: list, use, verify, import."""

import argparse
import json
import os
import sys
from pathlib import Path

from rich.progress import Progress

from ..completion import models
from ..completion.gguf import BadModel
from ..completion.models.catalogue import MODELS, SHIPPED
from ..completion.models.importing import import_file
from . import app
from .paths import Paths
from .settings_file import Unwritten, set_user


def run(arguments: argparse.Namespace) -> int:
    paths = Paths.of(os.environ)
    if arguments.action != "list" and not arguments.name and arguments.action != "verify":
        print(f"wicket model {arguments.action}: say which", file=sys.stderr)
        return 2
    try:
        match arguments.action:
            case "list":
                return show(paths, arguments.json)
            case "use":
                return use(paths, arguments.name)
            case "verify":
                return verify(paths, arguments.name)
            case _:
                return bring(paths, Path(arguments.name), arguments.new_name)
    except (BadModel, Unwritten) as error:
        print(f"wicket model {arguments.action}: {error}", file=sys.stderr)
        return 1


def show(paths: Paths, as_json: bool) -> int:
    """What is on this machine, then what could be got."""
    here = models.installed(paths.models, paths.cache / "models.json")
    chosen = app.start().model or SHIPPED.name
    if as_json:
        rows = [_row(model, chosen) for model in here]
        print(json.dumps({"models": rows}))
        return 0
    for model in here:
        mark = "*" if model.name == chosen else " "
        languages = ", ".join(model.languages) or "any language"
        print(f"{mark} {model.name:24} {languages:16} {model.licence:14} {model.path}")
        if model.problem:
            print(f"    !! {model.problem}")
    for name, source in app.start().effective.settings.engine.models.items():
        mark = "*" if name == chosen else " "
        print(f"{mark} {name:24} {source.endpoint or source.path}")
    names = {model.name for model in here}
    missing = [row for row in MODELS if row.name not in names]
    if missing:
        print("\nWorth having; download the file, then `wicket model import FILE`:")
    for row in missing:
        size = f"{row.size / 1e9:.1f} GB"
        print(f"  {row.name:24} {size:>8}  {row.licence:28} {row.hardware}; {row.page}")
    return 0


def _row(model: models.Model, chosen: str) -> dict[str, object]:
    return {
        "name": model.name,
        "used": model.name == chosen,
        "licence": model.licence,
        "languages": list(model.languages),
        "context": model.context,
        "path": str(model.path),
        "sha256": model.sha256,
        "problem": model.problem,
    }


def use(paths: Paths, name: str) -> int:
    """Choose a model that is there and whole."""
    startup = app.start().with_model(name)
    model = app.chosen_model(startup)
    if model.licence.startswith("non-commercial"):
        print(f"Note the licence of {model.name}: {model.licence}")
    if "completion.model" in startup.effective.locked:
        raise Unwritten("completion.model is locked by the administrator")
    set_user(paths, "completion.model", name)
    print(f"{model.name}: used from the next start of an editor on.")
    return 0


def verify(paths: Paths, name: str | None) -> int:
    """Hash the named model, or all, and compare."""
    if name:
        chosen = [app.chosen_model(app.start().with_model(name))]
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


def bring(paths: Paths, source: Path, name: str | None) -> int:
    with Progress(transient=True) as progress:
        task = progress.add_task(f"copying {source.name}")
        model = import_file(
            source,
            paths.pulled_models,
            name,
            lambda done, total: progress.update(task, completed=done, total=total),
        )
    print(f"{model.name} imported; `wicket model use {model.name}` chooses it.")
    return 0
