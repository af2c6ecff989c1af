"""What the LSP process and the engine say to each other: one JSON object per line.

Both sides first send a hello with their version and `PROTOCOL`.  Then the client asks
`complete`, `cancel` or `status`, each with an id of its own; a `complete` is answered by
any number of pieces and then exactly one `done`.  A closed connection cancels its ids.
Reader and writer stand side by side, and the reader refuses what the writer would not
have written.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, cast, get_args

from .cursor import Snippet

# 1: first version.
PROTOCOL = 1
# A line holds at most 24 KB of prefix, 6 KB of suffix and the context.
LINE_LIMIT = 1 << 20
PREFIX_LIMIT = 24 << 10
SUFFIX_LIMIT = 6 << 10

Priority = Literal["manual", "auto", "prefetch", "warm"]
PRIORITIES: tuple[Priority, ...] = get_args(Priority)
# How the next token is chosen: `guides.py`.
Decoding = Literal["plain", "mixed", "drafted"]
DECODINGS: tuple[Decoding, ...] = get_args(Decoding)
Reason = Literal["stop", "length", "deadline", "cancelled", "failed"]


class Malformed(Exception):
    """A line that the other side should not have sent."""


@dataclass(frozen=True, slots=True)
class Complete:
    """Ask for the text between `prefix` and `suffix`.

    With the priority "warm" the prompt is evaluated and nothing generated.  More
    `alternatives` than one are more texts, as far as they cost little.  `user` is never on
    the wire: a door that serves several sets it.  `decoding` may look into the texts with
    these keys; what was not learned under them counts as not there.
    """

    id: int
    path: str
    language: str
    prefix: str
    suffix: str
    priority: Priority = "auto"
    deadline_ms: int | None = None
    lines: int = 1
    context: tuple[Snippet, ...] = ()
    alternatives: int = 1
    user: str = ""
    decoding: Decoding = "plain"
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Cancel:
    id: int
    target: int


@dataclass(frozen=True, slots=True)
class Status:
    id: int


@dataclass(frozen=True, slots=True)
class Learn:
    """A text that later requests may name.  Not answered."""

    id: int
    key: str
    text: str


Request = Complete | Cancel | Status | Learn


@dataclass(frozen=True, slots=True)
class Piece:
    """Some generated text and the log-probability (natural) of its last token.

    `alternative` counts the texts of one answer; 0 is the likeliest.
    """

    id: int
    text: str
    logprob: float
    alternative: int = 0


@dataclass(frozen=True, slots=True)
class Done:
    """The end of one answer.

    `tokens`: prefill, reused, decoded; `ms`: queue, prefill, decode.  `model` and
    `family` say who answered, where that is not who the last state named.
    """

    id: int
    done: Reason
    why: str | None = None
    tokens: dict[str, int] = field(default_factory=dict[str, int])
    ms: dict[str, float] = field(default_factory=dict[str, float])
    model: str = ""
    family: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """What the engine is: sent as its hello and as the answer to `status`.

    `parameters` counts those of the model, 0 where that is not known.  `rates` are measured
    tokens per second; `languages` empty means any.  `served` is what
    a server elsewhere says that it serves, empty for a model in the engine itself.
    `profiles` says which model completes a language while typing, where that is not
    `model`; `held` names those in memory, where there may be several.
    """

    model: str
    sha256: str
    state: Literal["loading", "ready", "off"]
    progress: float = 0.0
    reason: str | None = None
    fix: str | None = None
    family: str = ""
    order: str = ""
    served: str = ""
    context: int = 0
    parameters: int = 0
    languages: tuple[str, ...] = ()
    rates: dict[str, float] = field(default_factory=dict[str, float])
    memory: int = 0
    pid: int = 0
    profiles: dict[str, str] = field(default_factory=dict[str, str])
    held: tuple[str, ...] = ()


def hello(version: str, state: State | None = None) -> bytes:
    """The first line of either side; the engine adds its state."""
    said = {"wicket": version, "protocol": PROTOCOL}
    return to_line(said | (asdict(state) if state else {}))


def read_hello(line: bytes) -> tuple[str, State | None]:
    """The other side's version and, from an engine, its state.  Raises Malformed."""
    said = from_line(line)
    version, protocol = said.get("wicket"), said.get("protocol")
    if not isinstance(version, str) or protocol != PROTOCOL:
        raise Malformed(f"speaks protocol {protocol}, this is {PROTOCOL}")
    return version, read_state(said) if "model" in said else None


def read_state(said: Mapping[str, Any]) -> State:
    known = {k: said[k] for k in State.__dataclass_fields__ if k in said}
    known["languages"] = tuple(cast(list[str], known.get("languages", ())))
    known["held"] = tuple(cast(list[str], known.get("held", ())))
    for name in ("model", "sha256", "state", "family", "order"):
        if not isinstance(known.get(name, ""), str):
            raise Malformed(f"{name} is not a text")
    return State(**known)


def write_state(request: int, state: State) -> bytes:
    return to_line({"id": request} | asdict(state))


def write_request(request: Request) -> bytes:
    verb = type(request).__name__.lower()
    said = {"id": request.id, "do": verb} | asdict(request)
    if isinstance(request, Complete):
        said["context"] = [{"path": s.path, "text": s.text} for s in request.context]
        del said["user"]
        if request.decoding == "plain":
            del said["decoding"], said["texts"]
    return to_line(said)


def read_request(line: bytes) -> Request:
    """Raises Malformed with one line that names the field."""
    said = from_line(line)
    number = _integer(said, "id")
    match said.get("do"):
        case "complete":
            return Complete(
                id=number,
                path=_text(said, "path"),
                language=_text(said, "language"),
                prefix=_text(said, "prefix"),
                suffix=_text(said, "suffix"),
                priority=_priority(said),
                deadline_ms=None
                if said.get("deadline_ms") is None
                else _integer(said, "deadline_ms"),
                lines=max(1, _integer(said, "lines")),
                context=tuple(_snippets(said)),
                alternatives=_integer(said, "alternatives"),
                decoding=_decoding(said),
                texts=tuple(map(str, cast(list[object], said.get("texts") or ()))),
            )
        case "learn":
            return Learn(number, _text(said, "key"), _text(said, "text"))
        case "cancel":
            return Cancel(number, _integer(said, "target"))
        case "status":
            return Status(number)
        case other:
            raise Malformed(f"unknown request {other!r}")


def write_answer(answer: Piece | Done) -> bytes:
    return to_line(asdict(answer))


def read_answer(said: Mapping[str, Any]) -> Piece | Done | State:
    """Which of the three it is shows in its members; unknown ones are of a newer version.

    Raises Malformed and TypeError.
    """
    if "done" in said:
        if said["done"] not in get_args(Reason):
            raise Malformed("done is no known reason")
        return Done(**{name: said[name] for name in Done.__dataclass_fields__ if name in said})
    if "text" in said:
        return Piece(
            _integer(said, "id"),
            _text(said, "text"),
            float(said.get("logprob", 0.0)),
            _integer(said, "alternative") if "alternative" in said else 0,
        )
    return read_state(said)


def to_line(said: Mapping[str, Any]) -> bytes:
    return (
        json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        + b"\n"
    )


def from_line(line: bytes) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError as error:
        raise Malformed(f"not JSON: {error}") from None
    if not isinstance(said, dict):
        raise Malformed("not a JSON object")
    return cast(dict[str, Any], said)


def _integer(said: Mapping[str, Any], name: str) -> int:
    value = said.get(name)
    if type(value) is not int:
        raise Malformed(f"{name} is not an integer")
    return value


def _text(said: Mapping[str, Any], name: str) -> str:
    value = said.get(name)
    if not isinstance(value, str):
        raise Malformed(f"{name} is not a text")
    return value


def _priority(said: Mapping[str, Any]) -> Priority:
    value = said.get("priority")
    if value not in PRIORITIES:
        raise Malformed("priority is not one of " + ", ".join(PRIORITIES))
    return value


def _decoding(said: Mapping[str, Any]) -> Decoding:
    value = said.get("decoding", "plain")
    if value not in DECODINGS:
        raise Malformed("decoding is not one of " + ", ".join(DECODINGS))
    return value


def _snippets(said: Mapping[str, Any]) -> list[Snippet]:
    rows = said.get("context")
    if not isinstance(rows, list):
        raise Malformed("context is not a list")
    return [
        Snippet(_text(row, "path"), _text(row, "text")) for row in cast(list[dict[str, Any]], rows)
    ]
