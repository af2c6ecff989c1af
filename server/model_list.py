"""`wicket model list`: what is on this machine, what is worth having, and which one fits."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from ..completion import models
from ..completion.models import Model
from ..completion.models.catalogue import MODELS, SHIPPED, Row, row_for
from ..completion.models.trial import Trial
from . import model_trial, terminal
from .app import Startup


def show(startup: Startup, as_json: bool) -> int:
    rows = table(startup)
    if as_json:
        print(json.dumps({"models": rows}))
        return 0
    console = terminal.tables()
    here = [row for row in rows if row["path"] or row["endpoint"]]
    console.print(_shown("On this machine", here))
    for row in here:
        if row["problem"]:
            console.print(f"!! {row['problem']}", markup=False)
    if missing := [row for row in rows if row not in here]:
        console.print(_shown("Worth having: `wicket model pull NAME`", missing))
    console.print("* in use.  Openness is of weights, training code and training data.")
    return 0


def table(startup: Startup) -> list[dict[str, Any]]:
    """Every model that is here, named in the settings, or in the catalogue."""
    here = models.installed(startup.paths.models, startup.paths.cache / "models.json")
    own = startup.effective.settings.engine.models
    chosen = startup.model or SHIPPED.name
    servers = [
        Model(name, source.path or Path(), endpoint=source.endpoint) for name, source in own.items()
    ]
    trials = model_trial.noted(startup.paths)
    rows = [_row(model, chosen, trials.get(model.sha256)) for model in (*here, *servers)]
    known = {row["name"] for row in rows}
    return rows + [_known(row) for row in MODELS if row.name not in known]


def _row(model: Model, chosen: str, found: Trial | None) -> dict[str, Any]:
    on_disk = not model.endpoint and model.path.is_file()
    row = row_for(model.name)
    return (_known(row) if row else {}) | {
        "name": model.name,
        "used": model.name == chosen,
        "licence": model.licence,
        "languages": list(model.languages),
        "context": model.context,
        "size": model.path.stat().st_size if on_disk else 0,
        "path": "" if model.endpoint else str(model.path),
        "endpoint": model.endpoint or "",
        "sha256": model.sha256,
        "problem": model.problem,
        "trial": found.to_json() if found else None,
    }


def _known(row: Row) -> dict[str, Any]:
    """What the catalogue says."""
    return {
        "name": row.name,
        "used": False,
        "family": row.family,
        "parameters": row.parameters,
        "licence": row.licence,
        "languages": list(row.languages),
        "context": row.context,
        "size": row.size,
        "memory": row.memory,
        "hardware": row.hardware,
        "openness": {"weights": row.weights, "code": row.code, "data": row.data},
        "card": row.card,
        "base": row.base,
        "role": row.role,
        "page": row.page,
        "file": row.file,
        "path": "",
        "endpoint": "",
        "sha256": row.sha256,
        "problem": "",
        "trial": None,
    }


def _shown(title: str, rows: Sequence[dict[str, Any]]) -> Table:
    shown = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for column in (
        "  name",
        "size",
        "memory",
        "languages",
        "licence",
        "openness",
        "here",
        "for / where",
    ):
        shown.add_column(column, justify="right" if column in ("size", "memory") else "left")
    for row in rows:
        open_ = row.get("openness")
        shown.add_row(
            f"{'*' if row['used'] else ' '} {row['name']}",
            _bytes(row["size"]),
            _bytes(row.get("memory", 0)),
            ", ".join(row["languages"]) or "any",
            row["licence"],
            "/".join(open_.values()) if open_ else "",
            _here(row["trial"]),
            row["endpoint"] or row["path"] or row.get("hardware", ""),
        )
    return shown


def _here(found: dict[str, Any] | None) -> str:
    """What was measured on this machine."""
    if not found:
        return ""
    rate = found["rates"].get("decode", 0)
    failed = "; FAILED its test" if found["why"] else ""
    return f"{found['first_ms']:.0f} ms a line, {rate:.0f} tokens/s{failed}"


def _bytes(count: int) -> str:
    if not count:
        return ""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
