"""`wicket complete PATH:LINE:COL`: one suggestion from the path that the editor uses."""

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from lsprotocol import types

from ..completion.client import EngineGone
from ..completion.cursor import Cursor, Snippet, Suggestion
from ..completion.wire import State
from . import explanations, grammar, index
from .app import Completions, Startup, refusal, start
from .contexts import Contexts
from .documents import Documents
from .explanations import explain
from .imports import at_once
from .languages import language_of
from .nearby import Nearby
from .repositories import repository
from .settings import CompletionSettings

# Nobody types meanwhile: the answer may take as long as a cold start does.
PATIENCE_MS = 20_000
# How often an engine that loads its model is asked whether it is done.
LOADING_SECONDS = 0.05


class BadPlace(Exception):
    """The place on the command line names nothing; the message is one line."""


def run(arguments: argparse.Namespace) -> int:
    try:
        path, line, column = split(arguments.place)
        cursor = cursor_at(path, line, column)
    except BadPlace as error:
        print(f"wicket complete: {error}", file=sys.stderr)
        return 2
    folder = repository(path)
    startup = start(folders=[folder]).with_model(arguments.model)
    wanted = startup.effective.settings.completion
    if arguments.no_context:
        wanted = replace(wanted, context=False)
    try:
        suggestion = asyncio.run(ask(startup, cursor, folder, wanted))
    except EngineGone as error:
        print(f"wicket complete: {error}; `wicket doctor` says more", file=sys.stderr)
        return 1
    if arguments.json:
        lines = imports(startup, cursor, folder, wanted, suggestion)
        said = explain(cursor, suggestion, lines)
        said |= {"alternatives": alternatives(cursor, suggestion)}
        print(json.dumps(said, ensure_ascii=False))
    elif suggestion.text:
        print(suggestion.text)
    else:
        why = explanations.refusal(suggestion.filtered)
        print(f"wicket complete: no suggestion: {why}", file=sys.stderr)
    return 0


def alternatives(cursor: Cursor, suggestion: Suggestion) -> list[dict[str, Any]]:
    """What the editor offers beside the suggestion; the rest is the same for all."""
    own = "text", "range", "source", "chance", "copied_from", "copied_line", "rules"
    found = (explain(cursor, one) for one in suggestion.others)
    return [{name: one[name] for name in own} for one in found]


async def ask(
    startup: Startup, cursor: Cursor, folder: Path, wanted: CompletionSettings
) -> Suggestion:
    """One suggestion, by the path that an editor's request takes, but that it waits."""
    documents = Documents()
    documents.change_folders([folder.as_uri()])
    uri = (folder / cursor.path).as_uri()
    documents.open(types.TextDocumentItem(uri, cursor.language, 1, cursor.text))
    nearby = Nearby(documents, lambda _file: wanted, lambda: startup)
    completions = Completions(startup, nearby.texts, grammar=grammar.at_once)
    contexts = Contexts(documents, lambda: startup, completions.warm)
    ms = {"context": 0.0}
    try:
        if wanted.context and not refusal(cursor, wanted) and (state := await _loaded(completions)):
            began = time.monotonic()
            chosen = await contexts.choose(cursor, wanted, state)
            ms["context"] = round((time.monotonic() - began) * 1000, 2)
            completions.context = partial(_always, chosen)
        suggestion = await completions.suggest(cursor, wanted, "manual", PATIENCE_MS)
        suggestion = replace(suggestion, ms=ms | suggestion.ms)
        if suggestion.text or not completions.engine.state:
            return suggestion
        state = await completions.engine.refresh()
        if state.state == "off" and state.fix:
            why = f"{suggestion.filtered}; {state.fix}"
            return replace(suggestion, filtered=why)
        return suggestion
    finally:
        contexts.close()
        await completions.engine.close()


def imports(
    startup: Startup,
    cursor: Cursor,
    folder: Path,
    wanted: CompletionSettings,
    suggestion: Suggestion,
) -> tuple[str, ...]:
    """The imports that accepting a suggestion would add."""
    if not suggestion.text or not wanted.add_imports or not index.readable(startup):
        return ()
    text = f"{cursor.prefix}{suggestion.text}{cursor.suffix[suggestion.replace :]}"
    end = cursor.offset + len(suggestion.text)
    globs = (*startup.effective.settings.index.exclude, *wanted.exclude)
    database = index.directory(startup.paths, folder) / "db"
    found = at_once(database, cursor.path, text, cursor.offset, end, globs)
    return found.lines if found else ()


def _always(context: Sequence[Snippet], *_about: object) -> Sequence[Snippet]:
    """Whatever is asked: nothing is typed meanwhile."""
    return context


async def _loaded(completions: Completions) -> State | None:
    """What the engine is, once it has loaded its model; None where there is none."""
    with contextlib.suppress(EngineGone):
        # The engine tells nobody when it is done: it is asked.
        while (state := await completions.engine.refresh()).state == "loading":  # noqa: ASYNC110
            await asyncio.sleep(LOADING_SECONDS)
        return state
    return None


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
