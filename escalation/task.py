"""What somebody wants done, as the caller hands it in: plain values, checked once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

# Task kinds that leave this machine at all.
KINDS = ("ask", "explain", "document", "fix", "test", "refactor", "rename-across", "review")
MOST_DOCUMENTS = 200
LARGEST_TASK = 4 << 20


class Malformed(ValueError):
    """No task; the message is one line."""


@dataclass(frozen=True, slots=True)
class Document:
    """A piece of a file.  `start` and `end` are lines, 1-based, the end inclusive."""

    path: str
    language: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Task:
    """`known_secrets` are values that must not be in anything that leaves."""

    kind: str
    instruction: str
    documents: tuple[Document, ...]
    known_secrets: tuple[str, ...] = ()
    prefer: str | None = None
    editor: tuple[str, str] = ("unknown", "")


def read(said: object) -> Task:
    """The task in a decoded JSON body.  Raises Malformed."""
    body = _mapping(said, "the body")
    kind = _text(body, "kind")
    if kind not in KINDS:
        raise Malformed(f"kind must be one of {', '.join(KINDS)}")
    if body.get("tools"):
        raise Malformed("tools are not offered by this version")
    rows = _list(body, "documents")
    if len(rows) > MOST_DOCUMENTS:
        raise Malformed(f"at most {MOST_DOCUMENTS} documents")
    client = _mapping(body.get("client", {}), "client")
    prefer = body.get("prefer")
    return Task(
        kind,
        _text(body, "instruction"),
        tuple(_document(_mapping(row, "a document")) for row in rows),
        tuple(secret for secret in _list(body, "known_secrets") if isinstance(secret, str)),
        prefer if isinstance(prefer, str) else None,
        (str(client.get("editor", "unknown"))[:80], str(client.get("version", ""))[:80]),
    )


def _document(row: Mapping[str, Any]) -> Document:
    text = _text(row, "text")
    match row.get("range"):
        case [int(start), int(end)] if 1 <= start <= end:
            pass
        case None:
            start, end = 1, max(1, text.count("\n") + (not text.endswith("\n")))
        case _:
            raise Malformed("range must be [first line, last line], 1-based")
    language = row.get("language", "")
    return Document(_text(row, "path"), str(language)[:80], text, start, end)


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Malformed(f"{what} must be a JSON object")
    return cast(Mapping[str, Any], value)


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str):
        raise Malformed(f"{name} must be text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Malformed(f"{name} is not Unicode text") from None
    return value


def _list(row: Mapping[str, Any], name: str) -> list[object]:
    value: object = row.get(name, [])
    if not isinstance(value, list):
        raise Malformed(f"{name} must be a list")
    return cast(list[object], value)
