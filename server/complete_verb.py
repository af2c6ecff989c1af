"""`wicket complete PATH:LINE:COL`: one suggestion from the path that the editor uses."""

import argparse
import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

from ..completion.client import EngineGone
from ..completion.cursor import Cursor, Suggestion
from .app import Completions, Startup, start
from .explanations import explain
from .languages import language_of

# Nobody types meanwhile: the answer may take as long as a cold start does.
PATIENCE_MS = 20_000


class BadPlace(Exception):
    """The place on the command line names nothing; the message is one line."""


def run(arguments: argparse.Namespace) -> int:
    try:
        path, line, column = split(arguments.place)
        cursor = cursor_at(path, line, column)
    except BadPlace as error:
        print(f"wicket complete: {error}", file=sys.stderr)
        return 2
    startup = start(folders=[repository(path)]).with_model(arguments.model)
    try:
        suggestion = asyncio.run(ask(startup, cursor))
    except EngineGone as error:
        print(f"wicket complete: {error}; `wicket doctor` says more", file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(explain(cursor, suggestion), ensure_ascii=False))
    elif suggestion.text:
        print(suggestion.text)
    else:
        why = suggestion.filtered or "the model has nothing to offer"
        print(f"wicket complete: no suggestion: {why}", file=sys.stderr)
    return 0


async def ask(startup: Startup, cursor: Cursor) -> Suggestion:
    completions = Completions(startup)
    wanted = startup.effective.settings.completion
    try:
        suggestion = await completions.suggest(cursor, wanted, "manual", PATIENCE_MS)
        if suggestion.text or not completions.engine.state:
            return suggestion
        state = await completions.engine.refresh()
        if state.state == "off" and state.fix:
            why = f"{suggestion.filtered}; {state.fix}"
            return replace(suggestion, filtered=why)
        return suggestion
    finally:
        await completions.engine.close()


def split(place: str) -> tuple[Path, int, int]:
    """`PATH:LINE:COL` at its last two colons.  Raises BadPlace."""
    path, _, rest = place.rpartition(":")
    path, _, line = path.rpartition(":")
    numbers = line.isdecimal() and rest.isdecimal() and len(line) < 10 and len(rest) < 10
    if not path or not numbers:
        raise BadPlace(f"{place!r} is not PATH:LINE:COL, both numbers from 1")
    return Path(path), int(line), int(rest)


def cursor_at(path: Path, line: int, column: int) -> Cursor:
    """A cursor in a file; past the end of a line means its end.  Raises BadPlace."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise BadPlace(f"{path} is no file")
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise BadPlace(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise BadPlace(f"{path} is not UTF-8 text") from None
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if column < 1:
        raise BadPlace("columns count from 1")
    if not 1 <= line <= len(lines):
        raise BadPlace(f"{path} has {len(lines)} lines; line {line} is not one of them")
    offset = offset_of_line(text, line) + min(column - 1, len(lines[line - 1]))
    folder = repository(path)
    return Cursor(
        path.resolve().relative_to(folder).as_posix(), language_of(path.name), text, offset
    )


def offset_of_line(text: str, line: int) -> int:
    """Where a line (from 1) begins; line ends are CRLF, LF and CR."""
    at = 0
    for _ in range(line - 1):
        ends = [e for e in (text.find("\n", at), text.find("\r", at)) if e >= 0]
        at = min(ends) + 1
        if text[at - 1 : at + 1] == "\r\n":
            at += 1
    return at


def repository(path: Path) -> Path:
    """The folder that an editor would open for `path`: the nearest with a .git, else its
    own."""
    folder = path.resolve().parent
    return next((f for f in (folder, *folder.parents) if (f / ".git").exists()), folder)
