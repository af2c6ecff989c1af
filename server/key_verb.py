"""`wicket key`: keep the keys of providers, say which there are, forget them."""

import argparse
import getpass
import json
import os
import sys
from collections.abc import Mapping

from . import gate_client, keys, processes, settings
from .paths import Paths, UnsafePath
from .settings_checks import plain
from .settings_rows import ProviderSource

# Characters read from standard input: longer than any key.
LONGEST = 16_384


def run(arguments: argparse.Namespace) -> int:
    # Before a key is in memory, and before libraries look around.
    keys.close_memory()
    keys.clear_environment()
    paths = Paths.of(os.environ)
    effective = settings.load(paths, None, ())
    for warning in effective.warnings:
        print(f"wicket key: {warning}", file=sys.stderr)
    rows = effective.settings.providers
    try:
        if arguments.action == "list":
            return _list(paths, rows, arguments.json)
        if not arguments.name:
            print(f"wicket key {arguments.action}: say whose: NAME", file=sys.stderr)
            return 2
        return _change(paths, rows, arguments.action, arguments.name)
    except (keys.NoKey, UnsafePath) as error:
        fix = f"; {error.fix}" if isinstance(error, keys.NoKey) else ""
        print(f"wicket key: {error}{fix}", file=sys.stderr)
        return 1


def _change(paths: Paths, rows: Mapping[str, ProviderSource], action: str, name: str) -> int:
    shown = plain(name)
    if action == "remove":
        if not keys.remove(paths, name):
            print(f"wicket key: there is no key for {shown}", file=sys.stderr)
            return 1
        print(f"the key of {shown} is forgotten")
    else:
        row = rows.get(name)
        if row is None:
            known = ", ".join(rows) or "none yet"
            fix = f"your wicket.toml needs [providers.{shown}] first (there: {known})"
            print(f"wicket key: there is no provider {shown}; {fix}", file=sys.stderr)
            return 1
        where = keys.keep(paths, name, _asked(shown), row.key)
        in_file = f"file {paths.provider_keys}, which only you can read"
        print(f"the key of {shown} is kept in the {where if where == 'keyring' else in_file}")
    stop_gate(paths)
    return 0


def _list(paths: Paths, rows: Mapping[str, ProviderSource], as_json: bool) -> int:
    """Where each key is; never a key, nor a part of one.  Runs no command of the user's."""
    said: list[dict[str, str | None]] = []
    names = [*rows, *(name for name in keys.in_file(paths) if name not in rows)]
    for name in names:
        row = rows.get(name)
        command = row is not None and (row.key or "").startswith("command")
        where = "command" if command else keys.place(paths, name)
        said.append({"provider": name, "kind": row.kind if row else None, "key": where})
    if as_json:
        print(json.dumps({"keys": said}))
        return 0
    for found in said:
        kind = found["kind"] or "in no [providers] of yours"
        print(f"{plain(str(found['provider']))}  {kind}  {found['key'] or 'no key'}")
    if not said:
        print("no providers; `wicket setup` adds one")
    return 0


def _asked(name: str) -> str:
    """The key, from a prompt that does not show it, or from standard input."""
    if sys.stdin.isatty():
        return getpass.getpass(f"key of {name}: ").strip()
    return sys.stdin.read(LONGEST).strip()


def stop_gate(paths: Paths) -> None:
    """The gate read its keys when it started: the next one reads the new ones."""
    place = gate_client.socket_path(paths)
    for running in processes.running(place.parent):
        if running.path == place:
            processes.stop(running)
