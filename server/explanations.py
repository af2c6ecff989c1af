"""Why this suggestion, why none: the JSON of `wicket complete` and of the editor."""

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..completion.complete import UNSURE
from ..completion.cursor import Cursor, Suggestion

# The request by which an editor asks; its parameter `id` may be left out for the latest.
EXPLAIN = "wicket/explainSuggestion"
# Answers remembered, so that an editor may ask after the fact.
REMEMBERED = 64


def explain(cursor: Cursor, suggestion: Suggestion, imports: Sequence[str] = ()) -> dict[str, Any]:
    """One JSON object; `range` is 1-based, its end exclusive, columns in code points.

    `imports` are the lines that accepting it adds.
    """
    prefix = cursor.prefix
    line = prefix.count("\n") + prefix.count("\r") - prefix.count("\r\n") + 1
    column = len(cursor.line_before) + 1
    return {
        "text": suggestion.text,
        "range": [line, column, line, column + suggestion.replace],
        "source": suggestion.source,
        "model": suggestion.model,
        "chance": suggestion.chance,
        "copied_from": suggestion.where or None,
        "copied_line": suggestion.line if suggestion.where else None,
        "filtered": suggestion.filtered,
        "rules": list(suggestion.rules),
        "import": list(imports),
        "tokens": suggestion.tokens,
        "ms": suggestion.ms,
        "context": [
            {"path": s.path, "lines": list(s.lines), "why": s.why, "tokens": s.tokens}
            for s in suggestion.context
        ],
    }


SOURCES = {
    "model": "the model",
    "model-free": "a copy; the same text stands before it there",
    "cache": "kept from an earlier answer; no model was asked",
    "mixed": "the model and a copy",
}


# What a rule refused, by its name in `completion/trim.py`; and what was too unlikely.
REFUSALS = {
    "stop": "the model ended at once, or wrote what is no text",
    "typed": "it only repeats what stands before the cursor",
    "indentation": "it does not fit the indentation",
    "unfinished": "the model did not come to an end",
    "lines": "nothing of it is in the lines that were wanted",
    "suffix": "it stands behind the cursor already",
    "brackets": "its brackets do not fit",
    "syntax": "with it the grammar would have more trouble with the file than without",
    "repetition": "it goes round in circles",
    "duplicate": "it says the same as the lines around it",
    "unchanged": "it would change nothing",
    "empty": "the model has nothing to offer",
    UNSURE: "it is too unlikely to be right (completion.least_chance)",
}


def refusal(filtered: str | None) -> str:
    """Why there is no suggestion, in words; what is no rule's name is words already.  Pure."""
    if filtered in REFUSALS:
        return f"{REFUSALS[filtered]} [{filtered}]"
    return filtered or REFUSALS["empty"]


def page(said: dict[str, Any], folders: Sequence[Path]) -> dict[str, Any]:
    """An explanation for a person: its `lines`, and the `links` that stand in them.

    A link is {text, path, line}: its text as it stands in a line, an absolute path and a
    1-based line.  Files that are not there are named without a link.
    """
    links: list[dict[str, Any]] = []

    def place(path: str, line: int) -> str:
        text = f"{path}:{line}"
        found = (folder / path for folder in folders)
        if file := next((file for file in found if file.is_file()), None):
            links.append({"text": text, "path": str(file), "line": line})
        return text

    rows: list[tuple[str, str]] = []
    if said["text"]:
        first, *more = said["text"].strip("\n").split("\n")
        rows += [("suggested", first), *(("", line) for line in more)]
        rows.append(("source", SOURCES[said["source"]]))
        rows.append(("chance", f"{100 * said['chance']:.0f} % to be right"))
    else:
        rows.append(("nothing", refusal(said["filtered"])))
    if said["copied_from"]:
        rows.append(("copied from", place(said["copied_from"], said["copied_line"])))
    rows.append(("rules", ", ".join(said["rules"]) or "none changed it"))
    rows.append(("model", said["model"] or "none was asked"))
    rows.append(("tokens", _counts(said["tokens"])))
    rows.append(("ms", _counts(said["ms"])))
    context = [(place(s["path"], s["lines"][0]), s["why"]) for s in said["context"]]
    rows += [
        ("context" if not number else "", f"{where}  {why}".rstrip())
        for number, (where, why) in enumerate(context)
    ] or [("context", "this file alone")]
    rows += [
        ("import" if not number else "", row) for number, row in enumerate(said.get("import", ()))
    ]
    if said["text"]:
        rows.append(("accepted", "yes" if said.get("accepted") else "no"))
    return {"lines": [f"{name:12} {text}".rstrip() for name, text in rows], "links": links}


def _counts(counts: dict[str, float]) -> str:
    return ", ".join(f"{name} {number:g}" for name, number in counts.items()) or "none"


class Explanations:
    """The latest answers by their id."""

    def __init__(self) -> None:
        self._by_id: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self._number = 0

    def remember(self, explanation: dict[str, Any]) -> str:
        self._number += 1
        number = str(self._number)
        self._by_id[number] = {"id": number} | explanation | {"accepted": False}
        if len(self._by_id) > REMEMBERED:
            self._by_id.popitem(last=False)
        return number

    def accept(self, number: str) -> None:
        """The editor says that it inserted this answer."""
        if number in self._by_id:
            self._by_id[number]["accepted"] = True

    def imported(self, number: str, lines: Sequence[str]) -> None:
        """Accepting this answer has added these imports."""
        if number in self._by_id:
            self._by_id[number]["import"] = list(lines)

    def find(self, number: str | None) -> dict[str, Any] | None:
        """The explanation of `number`, of the latest answer for None."""
        if number is None:
            return next(reversed(self._by_id.values()), None)
        return self._by_id.get(number)
