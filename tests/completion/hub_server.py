"""A model hub on loopback: its wire format, and each way in which it may go wrong.

As the real ones do, the hub answers with the content's hash and sends its callers on to
another server, which has the bytes and knows ranges.
"""

import hashlib
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

FILE = "tiny.gguf"
REPOSITORY = "owner/tiny-GGUF"


@dataclass
class Asked:
    """One request that came: which of the two servers, what, and its headers."""

    server: str
    method: str
    path: str
    headers: dict[str, str]

    @property
    def range(self) -> str | None:
        return self.headers.get("range")


@dataclass
class Hub:
    """What is served, how, and what was asked.  A fault holds until it is taken back."""

    content: bytes
    asked: list[Asked] = field(default_factory=list)
    # The hub's words; None leaves them out.
    sha256: str | None = ""
    said_size: int | None = -1
    status: int = 200
    retry_after: str | None = None
    relative_hops: int = 0
    # The bytes' server.
    etag: str = '"v1"'
    cuts: list[int] = field(default_factory=list)
    cdn_status: list[int] = field(default_factory=list)
    ranges: bool = True
    wrong_range: bool = False
    extra: bytes = b""
    chunked: bool = False
    send_on: str | None = None
    token: str | None = None
    url: str = ""
    cdn: str = ""

    def __post_init__(self) -> None:
        if self.sha256 == "":
            self.sha256 = hashlib.sha256(self.content).hexdigest()
        if self.said_size == -1:
            self.said_size = len(self.content)

    @property
    def file_url(self) -> str:
        return f"{self.url}/{REPOSITORY}/resolve/main/{FILE}"

    def gets(self) -> list[Asked]:
        return [one for one in self.asked if one.method == "GET"]


def handler(hub: Hub, server: str) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_said: object) -> None: ...

        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def answer(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            hub.asked.append(Asked(server, self.command, self.path, headers))
            if server == "cdn":
                self.bytes(headers)
            elif hub.token and headers.get("authorization") != f"Bearer {hub.token}":
                self.end(401)
            elif hub.status != 200:
                extra = {"Retry-After": hub.retry_after} if hub.retry_after else {}
                self.end(hub.status, extra)
            elif hub.relative_hops:
                hub.relative_hops -= 1
                self.end(307, {"Location": self.path})
            else:
                place = hub.send_on if hub.send_on is not None else f"{hub.cdn}/{FILE}?signed=1"
                said = {"Location": place, "X-Repo-Commit": "c0ffee"}
                if hub.sha256 is not None:
                    said["X-Linked-Etag"] = f'"{hub.sha256}"'
                if hub.said_size is not None:
                    said["X-Linked-Size"] = str(hub.said_size)
                self.end(302, said)

        def bytes(self, headers: dict[str, str]) -> None:
            if hub.cdn_status:
                self.end(hub.cdn_status.pop(0))
                return
            first, status, said = 0, 200, {"ETag": hub.etag}
            asked = re.fullmatch(r"bytes=(\d+)-", headers.get("range", ""))
            same = headers.get("if-range", hub.etag) == hub.etag
            if asked and hub.ranges and same:
                first, status = int(asked[1]), 206
                if first >= len(hub.content):
                    self.end(416)
                    return
                told = 0 if hub.wrong_range else first
                said["Content-Range"] = f"bytes {told}-{len(hub.content) - 1}/{len(hub.content)}"
            body = hub.content[first:] + hub.extra
            self.send_response(status)
            for name, value in said.items():
                self.send_header(name, value)
            if hub.chunked:
                self.send_header("Transfer-Encoding", "chunked")
            else:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "HEAD":
                return
            if hub.cuts:
                self.wfile.write(body[: hub.cuts.pop(0)])
                self.wfile.flush()
                # Not a reset: that would throw away what the other side has not read yet.
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            if hub.chunked:
                self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
            else:
                self.wfile.write(body)

        def end(self, status: int, headers: dict[str, str] | None = None) -> None:
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def finish(self) -> None:
            # A connection that was cut has nothing left to flush.
            with suppress(OSError):
                super().finish()

    return Handler


@contextmanager
def serving(hub: Hub) -> Iterator[Hub]:
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), handler(hub, name)) for name in ("hub", "cdn")]
    hub.url, hub.cdn = (f"http://127.0.0.1:{server.server_port}" for server in servers)
    for server in servers:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield hub
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
