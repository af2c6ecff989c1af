"""Claude's events in AWS's framing, byte for byte, and its signatures checked by themselves.

    length (4)  length of headers (4)  CRC-32 of these (4)  headers  payload  CRC-32 of all (4)

https://docs.aws.amazon.com/AmazonS3/latest/API/RESTSelectObjectAppendix.html
"""

import base64
import hashlib
import hmac
import json
import struct
from urllib.parse import quote
from zlib import crc32

from . import anthropic_wire as claude
from .wire import head, refusal


def frame(payload: bytes, **headers: str) -> bytes:
    said = b"".join(
        bytes((len(name),)) + name + b"\x07" + struct.pack(">H", len(value)) + value
        for name, value in ((f":{n.replace('_', '-')}".encode(), v.encode())
                            for n, v in headers.items())
    )  # fmt: skip
    prelude = struct.pack(">II", 16 + len(said) + len(payload), len(said))
    whole = prelude + struct.pack(">I", crc32(prelude)) + said + payload
    return whole + struct.pack(">I", crc32(whole))


def chunks(events: bytes) -> bytes:
    """Each server-sent event as a chunk: its data in base64."""
    data = [line[6:] for line in events.split(b"\n") if line.startswith(b"data: ")]
    return b"".join(
        frame(
            json.dumps({"bytes": base64.b64encode(one).decode(), "p": "abcd"}).encode(),
            event_type="chunk", content_type="application/json", message_type="event",
        )
        for one in data
    )  # fmt: skip


HEAD = head("200 OK", "application/vnd.amazon.eventstream").replace(
    b"x-request-id", b"x-amzn-RequestId"
)
BROKEN = frame(
    b'{"message": "Too many requests"}', exception_type="throttlingException",
    content_type="application/json", message_type="exception",
)  # fmt: skip
STREAM = chunks(claude.STREAM)
SPOILT = bytearray(STREAM)
SPOILT[-3] ^= 1

# By name, as in `provider.ANSWERS`.
ANSWERS: dict[str, list[bytes | None]] = {
    f"aws {name}": pieces
    for name, pieces in {
        "whole": [HEAD + STREAM],
        "in pieces": [HEAD, *(STREAM[i : i + 1] for i in range(len(STREAM)))],
        "tools": [
            HEAD + chunks(claude.start() + claude.text(0, "Let me see. ")),
            chunks(claude.tool(1, "toolu_1", "read", '{"path": ', '"src/b.py"}')),
            chunks(claude.end("tool_use")),
        ],
        "overload": [refusal("503 Service Unavailable", "ServiceUnavailable")],
        "unauthorized": [refusal("403 Forbidden", "The security token is invalid")],
        "exception": [HEAD + chunks(claude.start() + claude.text(0, "Hel")) + BROKEN],
        "spoilt": [HEAD + bytes(SPOILT)],
        "no framing": [HEAD + claude.STREAM],
        "cut": [HEAD + chunks(claude.start() + claude.text(0, "Hel"))],
        "cut frame": [HEAD + STREAM[: len(STREAM) // 2]],
        "stalls": [HEAD + chunks(claude.start() + claude.text(0, "Hel")), None],
    }.items()
}


def signature(head: bytes, body: bytes, secret: str, region: str) -> str:
    """What Signature Version 4 makes of a request as it came over the wire.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
    """
    first, *lines = head.decode().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {n.lower(): v.strip() for n, v in (line.split(":", 1) for line in lines)}
    scope, signed = headers["authorization"].split("Credential=")[1].split(", ")[:2]
    _, date, *_ = scope.split("/")
    names = signed.removeprefix("SignedHeaders=")
    canonical = "\n".join(
        (
            method, quote(path, safe="/~"), "",
            *(f"{name}:{headers[name]}" for name in names.split(";")), "",
            names, hashlib.sha256(body).hexdigest(),
        )
    )  # fmt: skip
    where = f"{date}/{region}/bedrock/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    wanted = "\n".join(("AWS4-HMAC-SHA256", headers["x-amz-date"], where, digest))
    key = f"AWS4{secret}".encode()
    for word in (date, region, "bedrock", "aws4_request"):
        key = hmac.digest(key, word.encode(), "sha256")
    return hmac.digest(key, wanted.encode(), "sha256").hex()
