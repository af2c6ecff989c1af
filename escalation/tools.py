"""What a model may ask for while it answers: read-only tools, a row each.

The caller runs them inside its workspace; the gate only offers them and passes results on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Tool:
    """`parameters` is the JSON schema of the arguments."""

    name: str
    meaning: str
    parameters: Mapping[str, Any]


def _schema(required: tuple[str, ...], **properties: tuple[str, str]) -> Mapping[str, Any]:
    rows = {name: {"type": kind, "description": text} for name, (kind, text) in properties.items()}
    return {
        "type": "object",
        "properties": rows,
        "required": list(required),
        "additionalProperties": False,
    }


# The tool that nobody runs: what it is called with is the edits that are proposed.
EDIT = "edit"
_EDITS: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "edits": {
            "type": "array",
            "items": _schema(
                ("path", "new"),
                path=("string", "as the document is named"),
                old=("string", "text of it, copied exactly; left out: the selected lines"),
                new=("string", "what stands there afterwards"),
            ),
        }
    },
    "required": ["edits"],
    "additionalProperties": False,
}
_PATH = ("string", "relative to the repository, with forward slashes")

TOOLS = {
    tool.name: tool
    for tool in (
        Tool(
            "read",
            "Lines of a file of the repository, at most 400 at once.",
            _schema(
                ("path",),
                path=_PATH,
                first=("integer", "first line, from 1"),
                last=("integer", "last line, inclusive"),
            ),
        ),
        Tool(
            "outline",
            "The definitions in a file of the repository, with their lines.",
            _schema(("path",), path=_PATH),
        ),
        Tool(
            "symbols",
            "Where functions, classes and constants of a name are defined.",
            _schema(("name",), name=("string", "the whole name, without what it is in")),
        ),
        Tool(
            "references",
            "The lines in which a name is used, in the files of the repository.",
            _schema(("name",), name=("string", "the whole name")),
        ),
        Tool(
            "search",
            "Lines of the repository that contain a text.",
            _schema(("text",), text=("string", "as it stands there; no pattern")),
        ),
        Tool(EDIT, "Propose the whole change at once: all edits fit, or none is made.", _EDITS),
    )
}
