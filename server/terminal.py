"""Where verbs print: tables as wide as there is room, progress only where somebody looks."""

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

# Columns, where no terminal says how many it has.
PAPER = 160


def tables() -> Console:
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = PAPER
    return console


def progress() -> Progress:
    """Bars on standard error, so that output can be taken without them."""
    console = Console(stderr=True, highlight=False)
    return Progress(console=console, disable=not console.is_terminal)


def transfer(title: str) -> tuple[Progress, TaskID]:
    """A bar for bytes, and its one task."""
    console = Console(stderr=True, highlight=False)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=console, disable=not console.is_terminal)
    return bar, bar.add_task(title, total=None)
