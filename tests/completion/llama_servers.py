"""A real llama-server on loopback, with the model that ships."""

import contextlib
import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import wicket.completion.models as models_folder

MODEL = Path(models_folder.__file__).parent / "wicket-base-q8_0.gguf"
SMALL = ("-c", "1024", "-np", "1", "-t", "1")
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wicket-dev"


@contextlib.contextmanager
def llama_server(port: int | None = None) -> Iterator[str]:
    """Its address, once it answers; it is gone afterwards."""
    programs = sorted(CACHE.glob("llama-server/*/llama-server"))
    assert programs, "no llama-server in the cache: run `make test`, which builds it"
    with serving("/health", programs[-1], "-m", MODEL, *SMALL, port=port) as url:
        yield url


@contextlib.contextmanager
def serving(path: str, *command: str | Path, port: int | None = None) -> Iterator[str]:
    """A server on loopback, once it answers at `path`."""
    port = port or free_port()
    server = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while not healthy(url + path):
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield url
    finally:
        server.kill()
        server.wait(10)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def healthy(url: str) -> bool:
    try:
        return urllib.request.urlopen(url, timeout=5).status == 200
    except OSError:
        return False
