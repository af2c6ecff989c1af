"""`wicket data` and `wicket purge`: what is kept on this machine, and away with it."""

import argparse
import json
import os
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from rich.filesize import decimal

from ..completion.client import EngineGone
from ..escalation.audit.erasing import holdings
from ..escalation.audit.errors import AuditError, NotALog
from . import app, audit_place, processes, stored
from .paths import Paths, UnsafePath, socket_directory
from .settings_checks import plain
from .stored import Kept, Size


class Held(Exception):
    """The log has to stay; the message says why, and what to do."""


def run(arguments: argparse.Namespace) -> int:
    paths = Paths.of(os.environ)
    found = [(row, stored.size(row)) for row in stored.rows(paths)]
    if arguments.json:
        print(json.dumps({"stored": [_as_json(row, size) for row, size in found]}))
        return 0
    for row, size in found:
        if size.files:
            print(f"{row.name:11} {_shown(size):>24}  {row.holds}; removed by: {row.removed_by}")
            for place in row.places:
                print(f"{'':38}{place}")
    if not any(size.files for _, size in found):
        print("nothing is kept")
    return 0


def purge(arguments: argparse.Namespace) -> int:
    """Remove what is kept, of one folder with --repo; nothing without --yes."""
    paths = Paths.of(os.environ)
    try:
        wanted = list(_wanted(paths, arguments))
    except (Held, OSError, UnsafePath) as error:
        print(f"wicket purge: {error}", file=sys.stderr)
        return 1
    if arguments.yes and not _stop(paths):
        return 1
    failed = 0
    rows: list[dict[str, object]] = []
    for name, entries in wanted:
        size = sum((stored.size(Kept("", "", (entry,))) for entry in entries), Size())
        for entry in entries if arguments.yes else ():
            try:
                stored.remove(entry)
            except OSError as error:
                failed += 1
                why = f"cannot remove {plain(str(entry), 4096)}: {error.strerror}"
                print(f"wicket purge: {why}", file=sys.stderr)
        rows.append({"name": name, "files": size.files, "bytes": size.bytes})
        if not arguments.json:
            print(f"{name:11} {_shown(size):>24}")
    if arguments.json:
        print(json.dumps({"purged": rows, "done": arguments.yes and not failed}))
    elif not rows:
        print("there is nothing to remove")
    elif not arguments.yes:
        print("nothing is removed without --yes")
    return 1 if failed else 0


def _wanted(paths: Paths, arguments: argparse.Namespace) -> Iterator[tuple[str, Sequence[Path]]]:
    """What goes, by name.  Raises Held, OSError and UnsafePath."""
    if arguments.repo is not None:
        if arguments.audit:
            raise Held("the log is one for all folders: leave out --repo, or --audit")
        if entries := stored.of_folder(paths, Path(arguments.repo)):
            yield "folder", entries
        return
    if arguments.audit:
        refuse_held(paths, app.start().effective.locked)
    removers = {stored.PURGE, stored.PURGE_LOG} if arguments.audit else {stored.PURGE}
    for row in stored.rows(paths):
        if row.removed_by in removers and (entries := list(stored.entries(row))):
            yield row.name, entries


def refuse_held(paths: Paths, locked: Collection[str]) -> None:
    """Who may not erase a record may not remove all of them, either.

    `locked` are the settings that the administrator locked.  Raises Held.
    """
    if names := sorted(name for name in locked if name.partition(".")[0] == "audit"):
        raise Held(f"the administrator has set {names[0]}, and it is not yours to remove the log")
    try:
        logs = audit_place.places(paths)
    except NotALog:
        return
    for place in logs:
        try:
            holds = holdings(place.directory).holds if place.directory.is_dir() else {}
        except AuditError as error:
            raise Held(f"whether a hold lies on the log cannot be told: {error}") from None
        if holds:
            lies = f"the hold {min(holds)} lies on records of {place.directory}"
            raise Held(f"{lies}; `wicket audit hold {min(holds)} --lift` first")


def _stop(paths: Paths) -> bool:
    """All our processes: what runs would write again what is removed."""
    try:
        running = processes.running(socket_directory(paths))
    except (EngineGone, UnsafePath) as error:
        print(f"wicket purge: {error}", file=sys.stderr)
        return False
    stays = [process for process in running if not processes.stop(process)]
    for process in stays:
        print(f"wicket purge: {process.process} {process.pid} does not stop", file=sys.stderr)
    return not stays


def _as_json(row: Kept, size: Size) -> dict[str, object]:
    return {
        "name": row.name,
        "holds": row.holds,
        "paths": [str(place) for place in row.places],
        "files": size.files,
        "bytes": size.bytes,
        "removed_by": row.removed_by,
    }


def _shown(size: Size) -> str:
    return f"{size.files} {'file' if size.files == 1 else 'files'}, {decimal(size.bytes)}"
