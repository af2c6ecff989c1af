"""`wicket index`: build or refresh the index of a folder, and say what is in it."""

import argparse
import contextlib
import json
import os
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from ..indexing.build import Progress, Report
from . import app, index_process
from .index import Busy, Index, IndexFailed, Order, order
from .paths import UnsafePath


def run(arguments: argparse.Namespace) -> int:
    if arguments.started:
        return index_process.run(Order.read(arguments.started), arguments.idle)
    folder = Path(arguments.folder or ".").absolute()
    if not folder.is_dir():
        print(f"wicket index: {folder} is not a folder; name one", file=sys.stderr)
        return 1
    try:
        told = order(app.start(None, [folder]), folder)
        try:
            report = build(told)
        except Busy:
            report = ask(told)
    except (IndexFailed, UnsafePath) as error:
        print(f"wicket index: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(asdict(report)))
        return 0
    print(
        f"{report.files} files, {report.bytes / 1e6:.1f} MB, {report.symbols} symbols in"
        f" {report.seconds:.1f} s; the index takes {report.db_bytes / 1e6:.1f} MB"
    )
    for why, count in report.skipped.items():
        print(f"  {count} left out: {why}")
    return 0


def ask(told: Order) -> Report:
    """Let the process that keeps the index for an editor look again.  Raises IndexFailed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.connect(str(told.socket))
        except OSError:
            raise IndexFailed("another `wicket index` is at work here; wait for it") from None
        sock.sendall(index_process.to_line("refresh"))
        look = None
        for line in sock.makefile("rb"):
            match json.loads(line):
                case {"state": "asked", "look": int(number)}:
                    look = number
                case {"state": "ready", "look": int(number), "report": report} if look:
                    if number >= look:
                        return Report(**report)
                case {"state": "off", "reason": str(reason)} if look:
                    raise IndexFailed(reason)
                case _:
                    pass
    raise IndexFailed("the process that keeps this index has ended; try again")


def build(told: Order) -> Report:
    """Bring the index up to date, with a progress bar where somebody watches."""
    os.umask(0o077)
    index = Index(told)
    try:
        with contextlib.ExitStack() as shown:
            report = index.refresh(progress=_bar(shown) if sys.stderr.isatty() else _nothing)
            index.text()()
            assert report
            return report
    finally:
        index.close()


def _bar(shown: contextlib.ExitStack) -> Callable[[Progress], None]:
    from rich.console import Console  # noqa: PLC0415  It takes a tenth of a second.
    from rich.progress import Progress as Bar  # noqa: PLC0415

    bar = shown.enter_context(Bar(console=Console(stderr=True, highlight=False), transient=True))
    task = bar.add_task("indexing", total=None)
    return lambda made: bar.update(task, completed=made.done, total=made.total)


def _nothing(_made: Progress) -> None:
    """Nobody watches."""
