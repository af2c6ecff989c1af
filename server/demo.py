"""`wicket demo`: be an editor for a minute, so that a person sees the product at work.

Starts `wicket lsp` as an editor would, opens a real source file, types one of its lines key
by key and shows the ghost text with what it cost.
"""

import argparse
import asyncio
import inspect
import logging
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from lsprotocol import types
from pygls.lsp.client import LanguageClient
from rich.console import Console
from rich.text import Text

from .. import __version__
from ..completion import prompt
from . import processes
from .explanations import EXPLAIN
from .languages import language_of
from .status import STATUS

# A practised typist's pause between keys.
KEY_SECONDS = 0.09
# Lines of the file that are typed.
TYPED_LINES = 4
READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Place:
    """Lines of a file to type anew: they are taken out, and what follows stays."""

    path: Path
    before: str
    typed: str
    after: str


def run(arguments: argparse.Namespace) -> int:
    console = Console(highlight=False)
    path = Path(arguments.path or inspect.getfile(prompt)).resolve()
    try:
        place = choose(path, path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        print(f"wicket demo: cannot read {path}: {reason}", file=sys.stderr)
        return 1
    try:
        return asyncio.run(type_into(place, console))
    except (OSError, TimeoutError, RuntimeError) as error:
        print(f"wicket demo: {error}; `wicket doctor` says more", file=sys.stderr)
        return 1


def choose(path: Path, source: str) -> Place:
    """Some lines with words in them, after the first third, where there is context."""
    lines = source.splitlines(keepends=True)
    wordy = [
        i
        for i in range(len(lines) // 3, len(lines))
        if lines[i].strip().startswith(("def ", "return ", "for ", "if ", "self."))
    ]
    first = wordy[0] if wordy else max(0, len(lines) - TYPED_LINES)
    last = first + TYPED_LINES
    return Place(
        path,
        "".join(lines[:first]),
        "".join(lines[first:last]).rstrip("\n"),
        "\n" + "".join(lines[last:]),
    )


async def type_into(place: Place, console: Console) -> int:
    began = time.monotonic()
    client = LanguageClient("wicket demo", __version__)
    ready = asyncio.Event()
    said: dict[str, Any] = {}

    def status(params: Any) -> None:
        said.update(_plain(params))
        if said.get("state") != "loading":
            ready.set()

    # An answer that nobody waits for any more, after Control-C, is no news.
    logging.getLogger("pygls").addHandler(logging.NullHandler())
    logging.getLogger("pygls").propagate = False
    # pygls leaves the types of both open.
    cast(Any, client).feature(STATUS)(status)
    # In a session of its own, so that Control-C in the terminal is ours to handle.
    await cast(Any, client).start_io(*processes.command("lsp"), start_new_session=True)
    await client.initialize_async(
        types.InitializeParams(
            process_id=os.getpid(),
            root_uri=place.path.parent.as_uri(),
            capabilities=types.ClientCapabilities(),
        )
    )
    client.initialized(types.InitializedParams())
    uri = place.path.as_uri()
    client.text_document_did_open(
        types.DidOpenTextDocumentParams(
            types.TextDocumentItem(uri, language_of(place.path.name), 1, place.before + place.after)
        )
    )
    await asyncio.wait_for(ready.wait(), READY_SECONDS)
    if said.get("state") != "ready":
        raise RuntimeError(f"{said.get('reason')} ({said.get('fix')})")
    console.print(
        f"[bold]{said.get('model')}[/] is ready after {time.monotonic() - began:.2f} s, "
        f"on this machine alone.  Typing into {place.path.name}:\n"
    )
    try:
        keys = await asyncio.wait_for(_type(client, uri, place, console), READY_SECONDS)
        _summary(console, keys)
    finally:
        # Also when interrupted: a transport left open would complain at the very end.
        await client.shutdown_async(None)
        client.exit(None)
        await client.stop()
    return 0 if any(key["text"] for key in keys) else 1


async def _type(
    client: LanguageClient, uri: str, place: Place, console: Console
) -> list[dict[str, Any]]:
    """Each key's answer, with `wall`: milliseconds from request to answer."""
    line = place.before.count("\n")
    column = 0
    seen: list[dict[str, Any]] = []
    shown = ""
    for number, key in enumerate(keys_of(place.typed)):
        at = types.Position(line, column)
        client.text_document_did_change(
            types.DidChangeTextDocumentParams(
                types.VersionedTextDocumentIdentifier(number + 2, uri),
                [types.TextDocumentContentChangePartial(types.Range(at, at), key)],
            )
        )
        shown += key
        last = shown.rsplit("\n", 1)[-1]
        line, column = line + key.count("\n"), len(last)
        sent = time.monotonic()
        answer = await client.text_document_inline_completion_async(
            types.InlineCompletionParams(
                types.InlineCompletionContext(types.InlineCompletionTriggerKind.Automatic),
                types.TextDocumentIdentifier(uri),
                types.Position(line, column),
            )
        )
        wall = (time.monotonic() - sent) * 1000
        explained = await client.protocol.send_request_async(EXPLAIN, {})
        seen.append({**_plain(explained), "wall": wall})
        ghost = _first_text(answer)
        if ghost:
            _show(console, last, ghost, seen[-1])
        await asyncio.sleep(max(0.0, KEY_SECONDS - wall / 1000))
    return seen


def keys_of(text: str) -> list[str]:
    """One key per character; an editor's automatic indentation comes with the newline."""
    return re.findall(r"(?:\A|\n)[ \t]*|[^\n]", text)


def _first_text(answer: object) -> str:
    if isinstance(answer, types.InlineCompletionList) and answer.items:
        return str(answer.items[0].insert_text)
    return ""


def _plain(value: Any) -> dict[str, Any]:
    """What pygls made of a result it has no type for: objects become dictionaries."""
    if hasattr(value, "_asdict"):
        value = value._asdict()
    found = cast(dict[str, Any], value)
    return {k: _plain(v) if hasattr(v, "_asdict") else v for k, v in found.items()}


def _show(console: Console, line: str, ghost: str, key: dict[str, Any]) -> None:
    tokens = key["tokens"]
    cost = (
        f"{key['wall']:6.1f} ms {tokens.get('prefill', 0):4} new"
        f" {tokens.get('reused', 0):4} reused {tokens.get('decoded', 0):3} made"
    )
    seen = Text(line, style="bold") + Text("▏", style="cyan")
    seen += Text(ghost.split("\n", 1)[0], style="bright_black italic")
    seen.truncate(max(20, console.width - len(cost) - 2), overflow="ellipsis", pad=True)
    console.print(seen, Text(cost, style="cyan"))


def _summary(console: Console, keys: list[dict[str, Any]]) -> None:
    answered = [key for key in keys if key["text"]]
    if not answered:
        console.print("\nNo key was answered with a suggestion.", style="red")
        return
    walls = sorted(key["wall"] for key in answered)
    later = [key["tokens"].get("prefill", 0) for key in keys[1:]]
    console.print(
        f"\n{len(keys)} keys, {len(answered)} with ghost text.  Request to answer: "
        f"median {walls[len(walls) // 2]:.1f} ms, "
        f"95 % under {walls[int(len(walls) * 0.95)]:.1f} ms.  "
        f"Tokens evaluated per key after the first: "
        f"{sum(later) / max(1, len(later)):.1f}."
    )
    print(NEXT_STEPS.format(command=" ".join(processes.command("lsp"))))


NEXT_STEPS = """
Your editor next:
  VS Code  install editors/vscode (see editors/vscode/README.md), set "wicket.command"
  Neovim   add editors/neovim to the runtime path (see editors/neovim/README.md)
  both start  {command}
"""
