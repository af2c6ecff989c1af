"""Refuse, inside this process, every network address that is not on its list.

One audit hook, installed before other imports.  It stops honest mistakes and library
surprises with a clear error; native code can go around it, and meets `limits` then.
"""

import socket
import sys
from collections.abc import Sequence
from typing import Any, cast


class OutsidePerimeter(PermissionError):
    """Something tried to reach an address that this process may not reach."""


class Perimeter:
    """What `enclose` left open, for who has to look names up again."""

    def __init__(self, allowed: Sequence[tuple[str, int]]) -> None:
        self.hosts = {host for host, _port in allowed}
        # A connection is made to a number, so names are looked up before.
        self.numbers = {found for pair in allowed for found in _numbers(*pair)}

    def admit(self, host: str, port: int) -> None:
        """Open the perimeter for one more address: where a hub says that a file is."""
        self.hosts.add(host)
        if (host, port) not in self.numbers:
            self.numbers |= _numbers(host, port)

    def resolve(self, host: str, port: int) -> list[str]:
        """The addresses of a host as of now, which may be connected to from here on.

        Raises OSError, OutsidePerimeter for a host that is not on the list.
        """
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        found = [str(row[4][0]) for row in rows]
        self.numbers |= {(number, port) for number in found}
        return list(dict.fromkeys(found))


def enclose(allowed: Sequence[tuple[str, int]] = ()) -> Perimeter:
    """From now on only unix sockets and the given (host, port) pairs can be reached.

    It cannot be taken back: audit hooks are for the life of the process.
    """
    left = Perimeter(allowed)
    hosts = left.hosts

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if not event.startswith("socket."):
            return
        if event == "socket.__new__" and not hosts:
            if arguments[1] not in (socket.AF_UNIX, -1):
                raise OutsidePerimeter("this process opens unix sockets only")
        elif event in ("socket.connect", "socket.sendto", "socket.sendmsg", "socket.bind"):
            address = cast(object, arguments[1])
            if isinstance(address, tuple) and address[:2] not in left.numbers:
                raise OutsidePerimeter(f"{event} outside the perimeter")
        elif event in ("socket.getaddrinfo", "socket.gethostbyname") and arguments[0] not in hosts:
            raise OutsidePerimeter(f"{event} outside the perimeter")

    sys.addaudithook(hook)
    return left


def _numbers(host: str, port: int) -> set[tuple[str, int]]:
    try:
        rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return {(host, port)}
    return {(host, port)} | {(str(row[4][0]), port) for row in rows}
