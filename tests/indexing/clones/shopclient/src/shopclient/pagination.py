"""Pages of a listing, fetched when they are wanted."""

from collections.abc import Iterator

from .transport import Transport


def pages(transport: Transport, path: str) -> Iterator[dict]:
    cursor = ""
    while cursor is not None:
        page = transport.get(path, {"after": cursor})
        yield page
        cursor = page["next"]
