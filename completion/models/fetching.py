"""Fetch a model file over HTTP: only when asked, resumed where it broke off, checked whole.

A hub answers HEAD with the content's own hash (`X-Linked-Etag`) and size, and sends us on
to where the bytes are.  The hash is from the hub, so it does not matter who delivers.
What arrived stands in `NAME.gguf.part`, and beside it a note of what it is a part of.
"""

import contextlib
import errno
import hashlib
import json
import re
import shutil
import ssl
import time
from collections.abc import Callable, Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import urljoin, urlsplit

import httpx2

from ..connection import on_loopback
from ..gguf import BadModel, shown
from . import hashes

# A hub that moved a repository answers with its new place; a CDN may have more than one.
MOST_HOPS = 5
REDIRECTS = (301, 302, 303, 307, 308)
# Attempts that brought nothing new, one after the other, until the next one is ours.
ATTEMPTS = 5
PAUSES = (1.0, 2.0, 5.0, 10.0)
# A server that asks for a longer pause gets it from the user.
LONGEST_PAUSE = 60.0
CONNECT_SECONDS, SILENCE_SECONDS = 15.0, 60.0
SHA256 = re.compile(r"[0-9a-f]{64}")
# Larger than any model; a size above it is a lie that would only be found out later.
MOST_BYTES = 1 << 42


class CannotFetch(BadModel):
    """Nothing, or only a part, was fetched; the message is one line."""


class Retried(CannotFetch):
    """It may go better the next time, after `wait` seconds where the server says so."""

    def __init__(self, message: str, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class Unreachable(Retried):
    """Nobody is there, or we are not online."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a server says about a file.

    `place` is where the bytes are; `sha256` and `etag` are empty and `size` is 0 where
    nothing is said.
    """

    url: str
    place: str
    size: int = 0
    sha256: str = ""
    etag: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A whole file at `part`.  `vouched` is whether `sha256` was the server's own."""

    part: Path
    sha256: str
    size: int
    vouched: bool


class Digest(Protocol):
    """A hash that is being computed."""

    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


class Client(Protocol):
    """What of `httpx2.Client` is used; one that follows no redirects."""

    def build_request(
        self, method: str, url: str, *, headers: dict[str, str]
    ) -> httpx2.Request: ...

    def send(self, request: httpx2.Request, *, stream: bool) -> httpx2.Response: ...


@dataclass(slots=True)
class Way:
    """How the network is reached.

    `admit` opens the perimeter for a host and port; `token` is shown to the host of the
    first URL and to nobody else.  `pause` waits some seconds, after saying why.
    """

    http: Client
    admit: Callable[[str, int], None] = lambda _host, _port: None
    token: Callable[[bool], str] | None = None
    pause: Callable[[float, str], None] = lambda seconds, _why: time.sleep(seconds)
    agent: str = "wicket"


def fetch(
    url: str,
    part: Path,
    way: Way,
    expected: str = "",
    progress: hashes.Progress = hashes.silent,
) -> Fetched:
    """The file at `url`, whole and checked, in `part`.

    `expected` is the digest that it must have; empty takes the server's word.  A cut
    connection is made again; after too many, or an interrupt, the part stays and the
    next call goes on from there.  Raises CannotFetch.
    """
    failures, have = 0, -1
    while True:
        try:
            return _attempt(url, part, way, expected, progress)
        except Retried as error:
            now = size_of(part)
            if isinstance(error, Unreachable) and have < 0:
                # Not a connection that broke: waiting a little will not help.
                raise CannotFetch(f"{error}{_kept(part)}") from None
            failures = 1 if now > have else failures + 1
            have = max(have, now)
            wait = PAUSES[min(failures, len(PAUSES)) - 1] if error.wait is None else error.wait
            if failures >= ATTEMPTS or wait > LONGEST_PAUSE:
                raise CannotFetch(f"{error}{_kept(part)}") from None
            way.pause(wait, str(error))
        except OSError as error:
            room = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
            do = "free some space and pull again" if room else "check its permissions"
            why = f"{shown(error.filename or part)}: {error.strerror}"
            raise CannotFetch(f"{why}; {do}{_kept(part)}") from None


def client(proxy: str | None, trusted: ssl.SSLContext) -> httpx2.Client:
    """An HTTP client that obeys the settings alone: no environment, no redirects."""
    return httpx2.Client(
        verify=trusted,
        proxy=proxy,
        trust_env=False,
        follow_redirects=False,
        timeout=httpx2.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS),
    )


def discard(part: Path) -> None:
    """Remove a part and its note."""
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def size_of(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _attempt(url: str, part: Path, way: Way, expected: str, progress: hashes.Progress) -> Fetched:
    offer = ask(url, way)
    if expected and offer.sha256 and offer.sha256 != expected:
        raise CannotFetch(
            f"{_name(url)} is another file now: its sha256 is {offer.sha256} and was {expected} "
            "when it was first fetched; if that is meant, say --accept-change"
        )
    if not _is_part_of(part, offer):
        discard(part)
    hashes.write_whole(_note(part), json.dumps(asdict(offer)).encode())
    with part.open("ab") as file:
        digest = _receive(offer, file, part, way, progress)
    size, wanted = size_of(part), expected or offer.sha256
    if wanted and digest != wanted:
        discard(part)
        raise CannotFetch(
            f"{_name(url)} arrived damaged: its sha256 is {digest} and should be {wanted}; "
            "nothing was kept, pull it again"
        )
    return Fetched(part, digest, size, vouched=bool(wanted))


def ask(url: str, way: Way) -> Offer:
    """What the server says of the file, and where it sends us for it.  Raises CannotFetch."""
    place, said = url, Offer(url, url)
    for _hop in range(MOST_HOPS):
        with _answer("HEAD", place, way, {}, url) as answer:
            said = _heard(said, answer)
            if answer.status_code == 200:
                return said
            place = _next(place, answer, url)
            if urlsplit(place).netloc != urlsplit(url).netloc:
                # What delivers is asked for the bytes alone: its address is often signed
                # for that one method.
                return Offer(url, place, said.size, said.sha256)
    raise CannotFetch(f"{_name(url)}: sent on more than {MOST_HOPS} times; check the address")


def _receive(offer: Offer, file: BinaryIO, part: Path, way: Way, progress: hashes.Progress) -> str:
    """Append what is missing; the digest of the whole.  Raises CannotFetch, OSError."""
    digest, have = hashlib.sha256(), size_of(part)
    if offer.size and have > offer.size:
        file.truncate(have := 0)
    with part.open("rb") as reading:
        while chunk := reading.read(hashes.CHUNK):
            digest.update(chunk)
    if offer.size and have == offer.size:
        progress(have, have)
        return digest.hexdigest()
    _room(part, offer.size - have)
    headers: dict[str, str] = {}
    if have:
        headers["Range"] = f"bytes={have}-"
        if not offer.sha256:
            # Only then may the file be another one without our learning it at the end.
            headers["If-Range"] = offer.etag
    place = offer.place
    for _hop in range(MOST_HOPS):
        with _answer("GET", place, way, headers, offer.url) as answer:
            if answer.status_code in REDIRECTS:
                place = _next(place, answer, offer.url)
                continue
            total = offer.size
            if answer.status_code == 416:
                file.truncate(0)
                raise Retried(f"{_name(offer.url)}: there is no such part of it")
            if answer.status_code == 206:
                first, total = _range(answer, offer)
                if first != have:
                    file.truncate(0)
                    raise Retried(f"{_name(offer.url)}: another part came than was asked for")
            else:
                # The whole file again: the server cannot go on, or it has another one.
                file.truncate(have := 0)
                digest = hashlib.sha256()
                length = answer.headers.get("content-length", "")
                total = offer.size or (int(length) if length.isdecimal() else 0)
            return _read(answer, file, have, total, digest, offer, progress)
    raise CannotFetch(f"{_name(offer.url)}: sent on more than {MOST_HOPS} times")


def _read(
    answer: httpx2.Response,
    file: BinaryIO,
    have: int,
    total: int,
    digest: Digest,
    offer: Offer,
    progress: hashes.Progress,
) -> str:
    name = _name(offer.url)
    try:
        for chunk in answer.iter_raw():
            have += len(chunk)
            if have > (total or MOST_BYTES):
                raise CannotFetch(
                    f"{name}: more came than the {total} bytes that were said; nothing more "
                    "was taken, ask who runs that server"
                )
            digest.update(chunk)
            file.write(chunk)
            progress(have, total)
    except httpx2.HTTPError as error:
        raise Retried(f"{name}: the connection broke ({_why(error)})") from None
    if have < total:
        raise Retried(f"{name}: only {have} of {total} bytes came")
    return digest.hexdigest()


@contextlib.contextmanager
def _answer(
    method: str, place: str, way: Way, headers: dict[str, str], first: str
) -> Generator[httpx2.Response]:
    """An answer of 200, 206, 416 or a redirect; all others are raised as what they mean."""
    parts = urlsplit(place)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    way.admit(host, port)
    # Compressed on the way, the size and the ranges would be those of something else.
    headers = headers | {"Accept-Encoding": "identity", "User-Agent": way.agent}
    if way.token and parts.netloc == urlsplit(first).netloc:
        headers["Authorization"] = f"Bearer {way.token(False)}"
    try:
        answer = way.http.send(way.http.build_request(method, place, headers=headers), stream=True)
    except httpx2.ProxyError as error:
        raise CannotFetch(f"the proxy refuses ({_why(error)}); look at network.proxy") from None
    except httpx2.ConnectError as error:
        why = _why(error)
        if "CERTIFICATE" in why.upper():
            raise CannotFetch(
                f"{host}: its certificate is not believed; look at network.ca_file"
            ) from None
        raise Unreachable(f"{host} cannot be reached ({why}); is this machine online?") from None
    except httpx2.HTTPError as error:
        raise Retried(f"{host} gives no answer ({_why(error)})") from None
    try:
        if answer.status_code not in (200, 206, 416, *REDIRECTS):
            raise _refusal(answer, place, first, way)
        yield answer
    finally:
        with contextlib.suppress(httpx2.HTTPError, OSError):
            answer.close()


def _refusal(answer: httpx2.Response, place: str, url: str, way: Way) -> CannotFetch:
    at_hub = urlsplit(place).netloc == urlsplit(url).netloc
    host = urlsplit(place).hostname
    status, wait = answer.status_code, answer.headers.get("retry-after", "")
    pause = float(wait) if wait.isdecimal() else None
    if status in (401, 403) and at_hub:
        told = "look at models.token_command" if way.token else "get it in a browser"
        return CannotFetch(
            f"{host} does not give {_name(url)} to strangers (status {status}); {told}, "
            "or use `wicket model import FILE`"
        )
    if status in (404, 410):
        return CannotFetch(f"{host} has no {_name(url)}; look at {_page(url)}")
    if status == 429:
        seconds = f" for {pause:.0f} s" if pause else ""
        return Retried(f"{host} asks for patience{seconds} (status 429)", pause)
    if status >= 500 or status in (403, 408):
        # A signed address that has run out is 403; the hub writes a new one.
        return Retried(f"{host} answers with status {status}", pause)
    return CannotFetch(f"{host} answers with status {status}; look at {_page(url)}")


def _heard(so_far: Offer, answer: httpx2.Response) -> Offer:
    """What the hub says once holds, whoever is asked next."""
    headers = answer.headers
    linked = headers.get("x-linked-etag", "").removeprefix("W/").strip('"').lower()
    etag = headers.get("etag", "")
    length = headers.get("x-linked-size") or (
        headers.get("content-length", "") if answer.status_code == 200 else ""
    )
    return Offer(
        so_far.url,
        str(answer.request.url),
        size=so_far.size or (int(length) if length.isdecimal() and int(length) < MOST_BYTES else 0),
        sha256=so_far.sha256 or (linked if SHA256.fullmatch(linked) else ""),
        # A weak one says nothing about bytes.
        etag="" if etag.startswith("W/") else etag,
    )


def _next(place: str, answer: httpx2.Response, first: str) -> str:
    """Where a redirect leads.  Nobody is led from https to http."""
    target = urljoin(place, answer.headers.get("location", ""))
    parts = urlsplit(target)
    secure = parts.scheme == "https" or (parts.scheme == "http" and on_loopback(first))
    if not parts.hostname or not secure or "@" in parts.netloc:
        raise CannotFetch(f"{_name(first)}: sent on to an address that is not https")
    return target


def _range(answer: httpx2.Response, offer: Offer) -> tuple[int, int]:
    """The first byte of a part, and how many bytes the whole has."""
    said = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("content-range", ""))
    if said is None:
        return -1, 0
    total = int(said[2]) if said[2].isdecimal() else offer.size
    if offer.size and total != offer.size:
        return -1, 0
    return int(said[1]), total


def _is_part_of(part: Path, offer: Offer) -> bool:
    """Whether what is there began as the same file, going by its note."""
    note = hashes.read_object(_note(part))
    if not part.exists() or note.get("url") != offer.url:
        return False
    if offer.sha256:
        return note.get("sha256") == offer.sha256
    return bool(offer.etag) and note.get("etag") == offer.etag


def _room(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise CannotFetch(
            f"{part.stem} takes {needed >> 20} MB more and {free >> 20} MB are free in "
            f"{shown(part.parent)}; free some space and pull again"
        )


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _kept(part: Path) -> str:
    have = size_of(part)
    return f"; {have / 1e6:.1f} MB are kept, pulling again goes on from there" if have else ""


def _name(url: str) -> str:
    return shown(urlsplit(url).path.rpartition("/")[2] or url)


def _page(url: str) -> str:
    return shown(url.partition("/resolve/")[0])


def _why(error: Exception) -> str:
    said = shown((str(error).splitlines() or [""])[0] or type(error).__name__)[:200]
    return re.sub(r"^\[Errno -?\d+\] ", "", said)
