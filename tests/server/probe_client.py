"""A client for the probe server: it writes what a test wants, and checks framing."""

import contextlib
import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PROBE = Path(__file__).with_name("probe_server.py")
URI = "file:///t/a.py"
# A server that does not answer within this is one that does not answer.
PATIENCE = 10.0


def framed(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


class Client:
    """A client that can be as rude as it likes."""

    def __init__(self, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-I", str(PROBE), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.received: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.errors = b""
        self.reading = threading.Event()
        self.reading.set()
        self._readers = [threading.Thread(target=read) for read in (self._messages, self._stderr)]
        for reader in self._readers:
            reader.start()
        self._last_id = 0

    def _messages(self) -> None:
        """Strict on purpose: any byte that is no message ends the reading."""
        assert self.process.stdout
        while self.reading.wait() and (header := self.process.stdout.readline()):
            name, _, size = header.partition(b": ")
            assert name == b"Content-Length", header
            assert self.process.stdout.readline() == b"\r\n"
            self.received.put(json.loads(self.process.stdout.read(int(size))))

    def _stderr(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.errors += line

    def write(self, data: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, *messages: dict[str, Any]) -> None:
        """All in one write."""
        texts = (json.dumps({"jsonrpc": "2.0", **message}) for message in messages)
        self.write(b"".join(framed(text.encode()) for text in texts))

    def request(self, method: str, params: Any = None) -> dict[str, Any]:
        self._last_id += 1
        return {"id": self._last_id, "method": method, "params": params}

    def next(self) -> dict[str, Any]:
        return self.received.get(timeout=PATIENCE)

    def ask(self, method: str, params: Any = None) -> Any:
        """The result, or the error, of a request that nothing comes in between of."""
        request = self.request(method, params)
        self.send(request)
        answer = self.next()
        assert answer.get("id") == request["id"], answer
        return answer["result"] if "result" in answer else answer["error"]

    def code(self, method: str, params: Any = None) -> int:
        """The code of the error, whose message is short and all that there is."""
        error = self.ask(method, params)
        assert set(error) == {"code", "message"}
        assert "\n" not in error["message"]
        assert 0 < len(error["message"]) <= 200
        return error["code"]

    def tell(self, method: str, params: Any = None) -> None:
        self.send({"method": method, "params": params})

    def initialize(self, **params: Any) -> Any:
        defaults = {"processId": None, "rootUri": None, "capabilities": {}}
        result = self.ask("initialize", {**defaults, **params})
        self.tell("initialized", {})
        return result

    def open(self, text: str, uri: str = URI) -> None:
        item = {"uri": uri, "languageId": "python", "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": item})

    def leave(self) -> int:
        self.ask("shutdown")
        self.tell("exit")
        return self.ended()

    def ended(self) -> int:
        """The exit code, once the process is gone."""
        code = self.process.wait(PATIENCE)
        for reader in self._readers:
            reader.join(PATIENCE)
        return code

    def events(self) -> list[str]:
        return self.ask("probe/events")

    def wait_for(self, event: str) -> None:
        self._wait(lambda: event in self.events(), event)

    def wait_for_error(self, words: str) -> None:
        """Until `words` are on stderr, for which the client need not read."""
        self._wait(lambda: words.encode() in self.errors, words)

    def _wait(self, seen: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not seen():
            assert time.monotonic() < deadline, f"never: {what}"
            time.sleep(0.01)


@contextlib.contextmanager
def started(*arguments: str) -> Iterator[Client]:
    client = Client(*arguments)
    try:
        yield client
    finally:
        client.reading.set()
        client.process.kill()
        client.ended()
        for pipe in (
            client.process.stdin,
            client.process.stdout,
            client.process.stderr,
        ):
            assert pipe
            with contextlib.suppress(OSError):
                pipe.close()


def change(version: int, text: str, uri: str = URI) -> dict[str, Any]:
    params = {
        "textDocument": {"uri": uri, "version": version},
        "contentChanges": [{"text": text}],
    }
    return {"method": "textDocument/didChange", "params": params}


def hover(uri: str = URI) -> dict[str, Any]:
    return {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 0}}
