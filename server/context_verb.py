"""`wicket context PATH:LINE:COL`: what would be put before the model, and why each item."""

import argparse
import json
import sys
import time
from itertools import groupby
from pathlib import Path
from typing import Any

from ..completion.cursor import Cursor
from ..indexing.languages import language_of
from ..indexing.reader import Reader
from ..indexing.research import across
from ..indexing.retrieval import Item, retrieve
from ..indexing.retrieval.packing import alone
from .app import start
from .complete_verb import BadPlace, cursor_at, split
from .exclusions import excluded
from .index import order
from .lookup import LARGEST, texts
from .paths import UnsafePath
from .repositories import opened, reading, repository
from .settings_checks import plain


class NoContext(Exception):
    """There is none to be had, in one line that says what to do."""


def run(arguments: argparse.Namespace) -> int:
    try:
        path, line, column = split(arguments.place)
        cursor = cursor_at(path, line, column)
        if arguments.budget < 1:
            raise BadPlace("--budget counts tokens from 1")
    except BadPlace as error:
        print(f"wicket context: {error}", file=sys.stderr)
        return 2
    try:
        said = context(cursor, repository(path), arguments.budget)
        if arguments.repos:
            said |= elsewhere(cursor, repository(path), arguments.budget)
    except (NoContext, UnsafePath) as error:
        print(f"wicket context: {error}", file=sys.stderr)
        return 1
    print(json.dumps(said, ensure_ascii=False) if arguments.json else shown(said))
    return 0


def context(cursor: Cursor, folder: Path, budget: int) -> dict[str, Any]:
    """The items at a cursor as JSON has them.  Raises NoContext and UnsafePath."""
    startup = start(folders=[folder])
    if rule := excluded(cursor.path, startup.effective.settings.completion.exclude):
        raise NoContext(f"{cursor.path} gets no context: {rule} excludes it")
    language = language_of(cursor.path)
    if language is None:
        raise NoContext(f"{cursor.path} is in no language that the index understands")
    reader = Reader(order(startup, folder).directory / "db")
    try:
        if not reader.refresh():
            raise NoContext(f"{folder} has no index yet; `wicket index {folder}` makes one")
        began = time.perf_counter()
        told = order(startup, folder)
        read = texts(reading(told.root, told.exclude, LARGEST))
        items = retrieve(
            reader, cursor.path, language, cursor.text, cursor.offset, budget, read=read
        )
        spent = time.perf_counter() - began
    finally:
        reader.close()
    return {
        "path": cursor.path,
        "budget": budget,
        "tokens": sum(item.tokens for item in items),
        "ms": round(1000 * spent, 1),
        "items": [_as_json(item) for item in items],
    }


def elsewhere(cursor: Cursor, folder: Path, budget: int) -> dict[str, Any]:
    """What the place has to do with the `[[repository]]` rows of the settings."""
    line = cursor.text.count("\n", 0, cursor.offset)
    with opened(start(folders=[folder]), folder) as (found, missing):
        passages = across.around(found[0], cursor.path, line, found[1:], budget) if found else []
    return {
        "repositories": [one._asdict() | {"lines": list(one.lines)} for one in passages],
        "unindexed": [str(place) for place in missing],
    }


def shown(said: dict[str, Any]) -> str:
    """The items for people, those of a file together."""
    lines = [f"{said['tokens']} of {said['budget']} tokens in {said['ms']} ms"]
    for path, group in groupby(said["items"], key=lambda item: item["path"]):
        lines += ["", plain(path, 4096)]
        names: dict[str, list[str]] = {}
        for item in group:
            if alone(Item(**item)):
                names.setdefault(item["why"], []).append(item["name"])
                continue
            lines += [f"  {item['lines'][0]}: {row}" for row in item["text"].split("\n")[:1]]
            lines += [f"      {row.strip()}" for row in item["text"].split("\n")[1:]]
            lines.append(f"      -- {item['why']}")
        for why, every in names.items():
            lines += [f"  {', '.join(every)}", f"      -- {why}"]
    for item in said.get("repositories", ()):
        lines += ["", f"{item['repository']}: {plain(item['path'], 4096)}"]
        lines += [f"  {item['lines'][0]}: {item['text']}", f"      -- {item['why']}"]
    for place in said.get("unindexed", ()):
        lines += ["", f"{place} has no index yet; `wicket index {place}` makes one"]
    rows = "\n".join(lines).expandtabs(4).split("\n")
    return "\n".join(plain(row, 4096) for row in rows)


def _as_json(item: Item) -> dict[str, Any]:
    return item._asdict() | {"lines": list(item.lines), "value": round(item.value, 2)}
