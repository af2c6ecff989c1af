"""Heads and refusals of an HTTP answer, byte for byte."""

import json


def head(status: str = "200 OK", kind: str = "text/event-stream", *more: str) -> bytes:
    lines = (f"HTTP/1.1 {status}", f"Content-Type: {kind}", "x-request-id: req-1", *more)
    return "\r\n".join((*lines, "Connection: close", "", "")).encode()


def refusal(status: str, message: str, *more: str) -> bytes:
    body = json.dumps({"error": {"message": message, "type": "x"}}).encode()
    return head(status, "application/json", f"Content-Length: {len(body)}", *more) + body
