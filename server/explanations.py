"""Why this suggestion, why none: the JSON of `wicket complete` and of the editor."""

from collections import OrderedDict
from typing import Any

from ..completion.cursor import Cursor, Suggestion

# The request by which an editor asks; its parameter `id` may be left out for the latest.
EXPLAIN = "wicket/explainSuggestion"
# Answers remembered, so that an editor may ask after the fact.
REMEMBERED = 64


def explain(cursor: Cursor, suggestion: Suggestion) -> dict[str, Any]:
    """One JSON object; `range` is 1-based, its end exclusive, columns in code points."""
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
        "filtered": suggestion.filtered,
        "rules": list(suggestion.rules),
        "tokens": suggestion.tokens,
        "ms": suggestion.ms,
        "context": [
            {"path": s.path, "lines": list(s.lines), "why": s.why, "tokens": s.tokens}
            for s in suggestion.context
        ],
    }


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

    def find(self, number: str | None) -> dict[str, Any] | None:
        """The explanation of `number`, of the latest answer for None."""
        if number is None:
            return next(reversed(self._by_id.values()), None)
        return self._by_id.get(number)
