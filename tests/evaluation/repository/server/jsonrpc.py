"""JSON-RPC 2.0: what a message body is, decided without acting on it."""

import json
from dataclasses import dataclass
from typing import Any, cast

Id = int | str

# JSON-RPC 2.0, section 5.1; the last two are LSP 3.18, "ErrorCodes".
PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
NOT_INITIALIZED = -32002
CANCELLED = -32800


@dataclass(frozen=True, slots=True)
class Request:
    id: Id
    method: str
    params: Any


@dataclass(frozen=True, slots=True)
class Notification:
    method: str
    params: Any


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer to a request of ours, unchecked."""

    message: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Malformed:
    """No message; `id` is the one to answer to, None where it cannot be told."""

    id: Id | None
    code: int
    why: str


def read(body: bytes) -> Request | Notification | Reply | Malformed:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return Malformed(None, PARSE_ERROR, "the message is not JSON")
    if not isinstance(message, dict):
        return Malformed(None, INVALID_REQUEST, "the message is not a JSON object")
    message = cast(dict[str, Any], message)
    if "method" not in message and ("result" in message or "error" in message):
        return Reply(message)
    msg_id = message.get("id")
    # In Python truth values are integers.
    if isinstance(msg_id, bool) or not isinstance(msg_id, int | str):
        msg_id = None
    method, params = message.get("method"), message.get("params")
    if message.get("jsonrpc") != "2.0":
        return Malformed(msg_id, INVALID_REQUEST, "jsonrpc is not 2.0")
    if not isinstance(method, str):
        return Malformed(msg_id, INVALID_REQUEST, "the method is missing")
    if "id" not in message:
        return Notification(method, params)
    if msg_id is None:
        return Malformed(None, INVALID_REQUEST, "the id is no string or integer")
    return Request(msg_id, method, params)


def result(msg_id: Id, value: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": msg_id, "result": value}


def error(msg_id: Id | None, code: int, why: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": msg_id, "error": {"code": code, "message": why}}
