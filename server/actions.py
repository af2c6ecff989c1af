"""`textDocument/codeAction`: what may be asked of a provider at a place.

Editors ask after each move of the cursor: nothing here reads, waits or starts anything, and
an action is no more than a command with its arguments.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from lsprotocol import types

from ..completion.syntax import syntax_of
from ..escalation.kinds import KINDS, Kind
from .documents import Document

EDIT, ASK = "wicket.edit", "wicket.ask"
# A command of our clients' own, which asks for the words.
EDIT_SELECTION = "wicket.editSelection"
REWRITE = "refactor.rewrite.wicket"
OFFERED = [types.CodeActionKind.QuickFix, types.CodeActionKind.RefactorRewrite]
# Of languages that completion has no row for.
STARTS = ("#", "//", "/*", "--", ";", "%", "<!--", "(*")
ENDS = re.compile(r"\s*(?:\*/|-->|\*\))\s*$")
# Of diagnostics, and of the message of one, in a menu.
MOST_DIAGNOSTICS, LONGEST_TITLE = 4, 80
# Lines of a selection that are looked through for an instruction.
MOST_LINES = 200


def actions(
    document: Document,
    params: types.CodeActionParams,
    client: types.CodeActionClientCapabilities | None,
    has_input: bool,
) -> list[types.CodeAction]:
    """The titles at a place, each with its command; `has_input` is a client that asks for
    words by itself.  Pure."""
    where = {"uri": document.uri, "range": as_json(params.range)}
    asked_for = params.context.trigger_kind != types.CodeActionTriggerKind.Automatic
    selected = params.range.start != params.range.end
    found: list[types.CodeAction] = []
    for line, words in instructions(document, params.range):
        row = where | {"kind": "edit", "instruction": words, "comment": line}
        found.append(_action(f"do “{short(words)}”", f"{REWRITE}.comment", EDIT, row))
    for one in params.context.diagnostics[:MOST_DIAGNOSTICS]:
        said = {"message": one.message, "line": one.range.start.line + 1}
        row = {"uri": document.uri, "range": as_json(one.range), "kind": "fix"}
        action = _action(
            f"fix “{short(one.message)}”", types.CodeActionKind.QuickFix, EDIT,
            row | {"diagnostics": [said]},
        )  # fmt: skip
        action.diagnostics = [one]
        found.append(action)
    if selected or asked_for:
        if has_input:
            found.append(_action("edit ...", f"{REWRITE}.edit", EDIT_SELECTION, where))
        found += (_fixed(kind, where) for kind in KINDS.values() if kind.title)
    if client and client.tag_support:
        for action in found:
            action.tags = [types.CodeActionTag.LlmGenerated]
    return [action for action in found if _is_wanted(action, params.context.only)]


def instructions(document: Document, place: types.Range) -> Iterator[tuple[int, str]]:
    """Lines of comments that say what Wicket is to do, from 0, and what they say."""
    lines = document.lines
    last = min(place.end.line, lines.count - 1, place.start.line + MOST_LINES)
    for line in range(place.start.line, last + 1):
        end = lines.start(line + 1) if line + 1 < lines.count else len(document.text)
        if words := instruction(document.text[lines.start(line) : end], document.language):
            yield line, words


def instruction(line: str, language: str) -> str | None:
    """What a whole line says to Wicket: `# wicket: split this function`."""
    quotes = [quote.start for quote in syntax_of(language).quotes if quote.comment]
    text = line.strip()
    for start in quotes or STARTS:
        if text.startswith(start):
            rest = text.removeprefix(start).lstrip(start[-1]).lstrip()
            if rest[:7].lower() == "wicket:":
                return ENDS.sub("", rest[7:]).strip() or None
    return None


def as_json(place: types.Range) -> dict[str, Any]:
    """Arguments of a command go to the client and come back as they are."""
    ends = {"start": place.start, "end": place.end}
    return {name: {"line": p.line, "character": p.character} for name, p in ends.items()}


def short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_TITLE else f"{line[: LONGEST_TITLE - 1]}…"


def _fixed(kind: Kind, where: dict[str, Any]) -> types.CodeAction:
    name = f"{REWRITE}.{kind.name}"
    if kind.edits:
        return _action(kind.title.lower(), name, EDIT, where | {"kind": kind.name})
    return _action(kind.title.lower(), name, ASK, where | {"question": kind.words})


def _action(title: str, kind: str, command: str, row: dict[str, Any]) -> types.CodeAction:
    said = types.Command(title=f"Wicket: {title}", command=command, arguments=[row])
    return types.CodeAction(title=said.title, kind=kind, command=said)


def _is_wanted(action: types.CodeAction, only: Iterable[str] | None) -> bool:
    """Kinds are hierarchical: `refactor` asks for `refactor.rewrite`, too."""
    kind = f"{_plain(action.kind)}."
    return not only or any(kind.startswith(f"{_plain(one)}.") for one in only)


def _plain(kind: str | None) -> str:
    return kind.value if isinstance(kind, types.CodeActionKind) else str(kind)
