"""What somebody wants done, as the caller hands it in: plain values, checked once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from .budgets import UNLIMITED, Limits
from .kinds import KINDS, PROBE
from .tools import EDIT, TOOLS

MOST_DOCUMENTS = 200
LARGEST_TASK = 4 << 20
MOST_EARLIER = 50
MOST_GLOBS = 20
LONGEST_GLOB = 200


class Malformed(ValueError):
    """No task; the message is one line."""


@dataclass(frozen=True, slots=True)
class Document:
    """A piece of a file.  `start` and `end` are lines, 1-based, the end inclusive.

    `label` is what a model is told instead of the path, where that may not leave as it is.
    `selection` are the lines that are to be edited; None in what is only read.
    """

    path: str
    language: str
    text: str
    start: int
    end: int
    label: str | None = None
    selection: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Earlier:
    """A question that was asked before, and its answer."""

    question: str
    answer: str


@dataclass(frozen=True, slots=True)
class Task:
    """`known_secrets` are values that are masked in all that leaves.

    `tools` are names of `TOOLS` that the model may ask for, and `readable` patterns, as
    of .gitignore, of the files whose content they may answer with.  `folder` is where
    the work is done, a path that is put into the log as a keyed stand-in, and `identity`
    what the caller says lies there now: a yes holds on for that alone.  `prefer` is a
    provider, a tier, more or less; `budget` what the folder tightens of the user's own.
    """

    kind: str
    instruction: str
    documents: tuple[Document, ...]
    known_secrets: tuple[str, ...] = ()
    prefer: str | None = None
    editor: tuple[str, str] = ("unknown", "")
    tools: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()
    earlier: tuple[Earlier, ...] = ()
    folder: str | None = None
    identity: str | None = None
    budget: Limits = UNLIMITED

    @property
    def size(self) -> int:
        """Bytes of all its texts."""
        words = [text for turn in self.earlier for text in (turn.question, turn.answer)]
        texts = [self.instruction, *words, *(document.text for document in self.documents)]
        return sum(len(text.encode()) for text in texts)


def read(said: object) -> Task:
    """The task in a decoded JSON body.  Raises Malformed."""
    body = _mapping(said, "the body")
    kind = _text(body, "kind")
    if kind not in KINDS or kind == PROBE:
        known = (name for name in KINDS if name != PROBE)
        raise Malformed(f"kind must be one of {', '.join(known)}")
    tools = texts(body, "tools")
    if unknown := sorted(set(tools) - set(TOOLS)):
        raise Malformed(f"there is no tool {unknown[0][:80]}")
    earlier = [_mapping(row, "an earlier question") for row in _list(body, "earlier")]
    if len(earlier) > MOST_EARLIER:
        raise Malformed(f"at most {MOST_EARLIER} earlier questions")
    rows = documents(body)
    if (EDIT in tools) != (KINDS[kind].edits and any(row.selection for row in rows)):
        raise Malformed(f"{kind} with these documents must {'' if EDIT not in tools else 'not '}"
                        f"offer the tool {EDIT}")  # fmt: skip
    client = _mapping(body.get("client", {}), "client")
    prefer = body.get("prefer")
    return Task(
        kind,
        _text(body, "instruction"),
        rows,
        tuple(secret for secret in _list(body, "known_secrets") if isinstance(secret, str)),
        prefer if isinstance(prefer, str) else None,
        (str(client.get("editor", "unknown"))[:80], str(client.get("version", ""))[:80]),
        tuple(tool for tool in TOOLS if tool in tools),
        globs(body, "readable"),
        tuple(Earlier(_text(row, "question"), _text(row, "answer")) for row in earlier),
        _optional(body, "folder"),
        _optional(body, "identity"),
        _budget(_mapping(body.get("budget", {}), "budget")),
    )


def documents(body: Mapping[str, Any]) -> tuple[Document, ...]:
    """The rows of `documents`.  Raises Malformed."""
    rows = _list(body, "documents")
    if len(rows) > MOST_DOCUMENTS:
        raise Malformed(f"at most {MOST_DOCUMENTS} documents")
    return tuple(_document(_mapping(row, "a document")) for row in rows)


def texts(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """A list of texts under `name`.  Raises Malformed."""
    rows = _list(body, name)
    found = tuple(row for row in rows if isinstance(row, str) and row.isprintable())
    if len(found) != len(rows):
        raise Malformed(f"{name} must be a list of texts")
    return found


def globs(body: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Patterns of .gitignore under `name`, few and short.  Raises Malformed."""
    found = texts(body, name)
    if len(found) > MOST_GLOBS or any(len(g) > LONGEST_GLOB or g.startswith("!") for g in found):
        raise Malformed(f"{name} must hold at most {MOST_GLOBS} short patterns, none with !")
    return found


def _budget(row: Mapping[str, Any]) -> Limits:
    known = {name: row.get(name) for name in Limits.__dataclass_fields__}
    if any(type(n) is not int or n < 0 for n in known.values() if n is not None):
        raise Malformed("a budget must be whole numbers")
    return Limits(**known)


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
    selection = None
    if row.get("role") == "edit":
        match row.get("selection", [start, end]):
            case [int(first), int(last)] if (
                start <= first <= last <= min(end, start + text.count("\n"))
            ):
                selection = first, last
            case _:
                why = "selection must be [first line, last line] inside of range and text"
                raise Malformed(why)
    path = _text(row, "path")
    return Document(path, str(language)[:80], text, start, end, selection=selection)


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


def _optional(row: Mapping[str, Any], name: str) -> str | None:
    return None if row.get(name) is None else _text(row, name)


def _list(row: Mapping[str, Any], name: str) -> list[object]:
    value: object = row.get(name, [])
    if not isinstance(value, list):
        raise Malformed(f"{name} must be a list")
    return cast(list[object], value)
