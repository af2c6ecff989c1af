"""`wicket refactor PATH:START-END INSTRUCTION` and `wicket revert`: edits from the terminal."""

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from ..indexing.git import NoGit, is_committed
from . import approval, change, edit, undo, unfinished
from .app import Startup, start
from .ask import NoAnswer
from .ask_verb import RANGE, BadQuestion, Refused, Terminal, piece, typed
from .change import Change, Target
from .control_files import is_obeyed
from .edit import Proposal, Wanted
from .paths import UnsafePath
from .repositories import repository
from .settings_checks import plain

UNDO = "wicket revert"
# Characters of a line that may hold the names of many files.
LINE = 4096
STYLES = {"+": "green", "-": "red", "@": "cyan"}


def run(arguments: argparse.Namespace) -> int:
    here = Path.cwd()
    try:
        places = [arguments.place, *(arguments.also or ())]
        named = RANGE.fullmatch(places[0])
        folder = repository(here / (named[1] if named else places[0]))
        targets = tuple(target(said, here, folder) for said in places)
        startup = start(folders=[folder])
        # Before a file is refused for what a killed process left in it.
        asyncio.run(_settle(startup, "refactor"))
        if not arguments.force:
            for one in targets:
                refuse_uncommitted(folder, one)
    except (BadQuestion, NoGit, OSError, UnsafePath) as error:
        print(f"wicket refactor: {plain(str(error), LINE)}", file=sys.stderr)
        return 2 if isinstance(error, BadQuestion) else 1
    wanted = Wanted(
        targets, folder, arguments.kind, arguments.instruction or "", arguments.provider
    )
    desk = Terminal(arguments.yes, arguments.show, arguments.json, "refactor")
    try:
        return asyncio.run(_refactor(wanted, startup, desk, arguments))
    except (NoAnswer, Refused, undo.Changed, OSError, UnsafePath) as error:
        print(f"wicket refactor: {plain(str(error), LINE)}", file=sys.stderr)
        return 1


async def _refactor(
    wanted: Wanted, startup: Startup, desk: Terminal, arguments: argparse.Namespace
) -> int:
    try:
        proposal = await edit.propose(wanted, startup, desk)
    finally:
        desk.still()
    if proposal is None:
        return 0 if desk.only_shown else 1
    if not desk.json:
        desk.finish(proposal.answer)
        show(proposal)
    try:
        why = await _hindrance(proposal, arguments)
    except asyncio.CancelledError:
        # Ctrl-C is a no, and goes on being a Ctrl-C.
        await edit.record(proposal, "rejected", startup)
        raise
    applied = why is None
    if applied:
        unrecorded = await _apply(proposal, wanted.folder, startup)
    else:
        unrecorded = await edit.record(proposal, "rejected", startup)
    if unrecorded:
        print(f"wicket refactor: {unrecorded.why}", file=sys.stderr)
    if desk.json:
        print(json.dumps(as_json(proposal, applied, why), ensure_ascii=False))
    elif applied:
        print(f"applied; to undo it: {UNDO}", file=sys.stderr)
    else:
        print(f"not applied: {plain(str(why), LINE)}", file=sys.stderr)
    return 0 if applied or arguments.dry_run else 1


async def _apply(proposal: Proposal, folder: Path, startup: Startup) -> edit.Unrecorded | None:
    """Kept -> written -> on record; what a kill between two of them leaves, `unfinished` ends.

    Raises Changed, UnsafePath and OSError.
    """
    answer, digest = proposal.answer, change.digest(proposal.changes)
    with undo.held(startup.paths):
        kept = undo.keep(startup.paths, answer.exchange, digest, folder, proposal.changes)
        try:
            undo.write(folder, proposal.changes)
        except (undo.Changed, undo.Elsewhere):
            kept.place.unlink()
            await edit.record(proposal, "rejected", startup)
            raise
        unrecorded = await edit.record(proposal, "applied", startup)
        if unrecorded is None or unrecorded.final:
            undo.marked(kept, "applied")
    return unrecorded


async def _settle(startup: Startup, verb: str) -> None:
    for line in await unfinished.settled(startup):
        print(f"wicket {verb}: {plain(line, LINE)}", file=sys.stderr)


async def _hindrance(proposal: Proposal, arguments: argparse.Namespace) -> str | None:
    """Why it is not applied; None where it is."""
    if arguments.dry_run:
        return "this was a dry run"
    if proposal.broken and not arguments.force:
        return f"{proposal.broken}; --force applies it all the same"
    if arguments.yes:
        if proposal.notes and not arguments.force:
            return f"{proposal.notes[0]}; look at it without --yes"
        return None
    if not sys.stdin.isatty():
        return "nobody is there to ask; --yes applies without the question"
    said = await typed("apply it? [y]es, [n]o: ")
    if said not in ("y", "yes"):
        return "you said no"
    for path in map(plain, proposal.obeyed):
        if await typed(f"programs obey {path}; change it all the same? type yes: ") != "yes":
            return f"there was no yes for {path}"
    return None


def revert(arguments: argparse.Namespace) -> int:
    startup = start()
    try:
        return asyncio.run(_revert(startup, arguments))
    except (undo.Changed, OSError, UnsafePath, ValueError) as error:
        fix = "; --force writes it all the same" if isinstance(error, undo.Changed) else ""
        print(f"wicket revert: {plain(str(error), LINE)}{fix}", file=sys.stderr)
        return 1


async def _revert(startup: Startup, arguments: argparse.Namespace) -> int:
    await _settle(startup, "revert")
    with undo.held(startup.paths):
        kept = undo.latest(startup.paths)
        if kept is None:
            print("wicket revert: there is nothing to undo", file=sys.stderr)
            return 1
        if kept.by_editor:
            _refuse_foreign(kept, repository(Path.cwd() / "any"), arguments.force)
        if kept.by_editor and kept.stand == "before" and not arguments.force:
            why = "is on the disk as it was before the edit: your editor holds it unsaved"
            raise undo.Changed(f"{kept.files} {why}, or has undone it; undo it there")
        back = [Change(one.path, one.after, one.before) for one in kept.changes]
        kept = undo.marked(kept, "undoing")
        try:
            undo.write(kept.folder, back, arguments.force)
        except (undo.Changed, undo.Elsewhere):
            undo.marked(kept, "applied")
            raise
        unrecorded = await edit.recorded(kept.exchange, kept.digest, "reverted", startup)
        if unrecorded is None or unrecorded.final:
            kept.place.unlink()
    if unrecorded:
        print(f"wicket revert: {unrecorded.why}", file=sys.stderr)
    files = [str(kept.folder / one.path) for one in back]
    if arguments.json:
        print(json.dumps({"exchange": kept.exchange, "files": files}))
    else:
        for file in files:
            print(f"as it was: {plain(file, LINE)}")
        if kept.by_editor:
            print("if it is open in an editor, load it there again", file=sys.stderr)
    return 0


def _refuse_foreign(kept: undo.Kept, here: Path, force: bool) -> None:
    """What a language server has kept is believed of the repository `here`, and not of files that
    programs obey: who took that process over could have kept an edit that never was, to have it
    written by this one, which may write anywhere.

    Raises UnsafePath and Changed.
    """
    for one in kept.changes:
        place = kept.folder / one.path
        if not place.is_relative_to(here):
            raise UnsafePath(f"{place} was edited in an editor, outside of {here}; undo it there")
        if not force and is_obeyed(place.relative_to(here).as_posix()):
            raise undo.Changed(f"{place} was edited in an editor, and programs obey it")


def target(said: str, here: Path, folder: Path) -> Target:
    """`PATH:START-END` or `PATH:LINE` of a file of `folder`.  Raises BadQuestion."""
    found = RANGE.fullmatch(said)
    if found is None or not found[2]:
        raise BadQuestion(f"{said}: say which lines, as PATH:START-END")
    one = piece(said, here, folder)
    # Decoded before: `piece` says what is wrong with it.
    text = (folder / one.path).read_bytes().decode()
    return Target(one.path, text, one.first, one.last)


def refuse_uncommitted(folder: Path, one: Target) -> None:
    """Raises NoGit for a file with changes that git could not bring back."""
    try:
        if is_committed(folder, one.path, one.before.encode()):
            return
        why = f"{one.path} has changes that are not committed"
    except NoGit:
        why = f"{one.path} is in no git repository with a commit"
    raise NoGit(f"{why}; commit it, or edit it all the same with --force")


def show(proposal: Proposal) -> None:
    """The diff, in colour on a terminal, and what is odd about it."""
    out = Console(highlight=False)
    for line in change.diff(proposal.changes).splitlines():
        style = "bold" if line.startswith(("---", "+++")) else STYLES.get(line[:1], "")
        out.print(Text(approval.visible(line), style), soft_wrap=True)
    error = Console(stderr=True, highlight=False)
    for note in (*proposal.notes, *filter(None, [proposal.broken])):
        error.print(Text(f"beware: {plain(note, LINE)}", "yellow"), soft_wrap=True)


def as_json(proposal: Proposal, applied: bool, why: str | None) -> dict[str, Any]:
    answer = proposal.answer
    return {
        "applied": applied,
        "why": why,
        "undo": UNDO if applied else None,
        "diff": change.diff(proposal.changes),
        "files": [one.path for one in proposal.changes],
        "notes": [*proposal.notes, *filter(None, [proposal.broken])],
        "answer": answer.text,
        "provider": answer.prepared["provider"],
        "model": answer.prepared["model"],
        "exchange": answer.exchange,
        "records": answer.records,
        "requests": answer.requests,
        "usage": answer.usage,
    }
