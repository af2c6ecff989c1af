"""`wicket config`: every setting, its value and where it comes from."""

import argparse
import json
import sys
from pathlib import Path

from . import app, settings
from .repositories import repository


def run(arguments: argparse.Namespace) -> int:
    try:
        folders = [repository(Path("here"))]
    except OSError:
        folders = []  # The working directory is gone.
    startup = app.start(folders=folders)
    rows = settings.report(startup.effective)
    warnings = startup.effective.warnings
    if arguments.json:
        print(json.dumps({"settings": rows, "warnings": list(warnings)}))
        return 0
    for row in rows:
        locked = ", locked" if row["locked"] else ""
        value = json.dumps(row["value"], ensure_ascii=False)
        print(f"{row['key']:24} {value:12} ({row['source']}{locked})  {row['meaning']}")
    for warning in warnings:
        print(f"wicket config: {warning}", file=sys.stderr)
    return 0
