"""Read forward through a file whose every number may be a lie.

A length from the file is compared with the bytes left before anything is allocated.
"""

import os
import struct

# Far above the longest string of a real model, a chat template.
MAX_STRING = 1 << 24

AGAIN = "download or copy it again"


class Damaged(Exception):
    """What is wrong with the file, and what to do about it."""

    def __init__(self, what: str, do: str = AGAIN) -> None:
        super().__init__(what)
        self.what = what
        self.do = do


class Source:
    """A file of `size` bytes, read forward and little endian."""

    def __init__(self, descriptor: int, size: int) -> None:
        self.size = size
        self._descriptor = descriptor
        self._buffer = b""
        self._at = 0
        self._read = 0  # Bytes of the file that went through the buffer.

    @property
    def position(self) -> int:
        return self._read - len(self._buffer) + self._at

    @property
    def left(self) -> int:
        return self.size - self.position

    def take(self, count: int, what: str) -> bytes:
        if self._at + count > len(self._buffer):
            self._fill(count, what)
        self._at += count
        return self._buffer[self._at - count : self._at]

    def number(self, format: str, what: str) -> int:
        return struct.unpack("<" + format, self.take(struct.calcsize(format), what))[0]

    def text(self, what: str, limit: int = MAX_STRING) -> str:
        length = self.number("Q", what)
        if length > limit:
            raise Damaged(f"damaged header: {what} claims {length} bytes")
        return self.take(length, what).decode(errors="replace")

    def texts(self, count: int, what: str, wanted: bool) -> tuple[str, ...]:
        """Many strings: a loop of its own, as vocabularies have 300,000 of them."""
        found: list[str] = []
        unpack = struct.Struct("<Q").unpack_from
        for _ in range(count):
            if self._at + 8 > len(self._buffer):
                self._fill(8, what)
            (length,) = unpack(self._buffer, self._at)
            end = self._at + 8 + length
            if end > len(self._buffer):
                if length > MAX_STRING:
                    raise Damaged(f"damaged header: {what} claims {length} bytes")
                self._fill(8 + length, what)
                end = 8 + length
            if wanted:
                found.append(self._buffer[self._at + 8 : end].decode(errors="replace"))
            self._at = end
        return tuple(found)

    def skip(self, count: int, what: str) -> None:
        if self._at + count <= len(self._buffer):
            self._at += count
        elif count > self.left:
            raise self.cut_off(count, what)
        else:
            self._read = self.position + count
            self._buffer, self._at = b"", 0

    def cut_off(self, count: int, what: str) -> Damaged:
        return Damaged(
            f"the file is truncated: {what} at byte {self.position} needs "
            f"{count - self.left} bytes more than the file has"
        )

    def _fill(self, count: int, what: str) -> None:
        """Make the buffer start here and hold at least `count` bytes."""
        if count > self.left:
            raise self.cut_off(count, what)
        self._buffer, self._at = self._buffer[self._at :], 0
        while len(self._buffer) < count:
            piece = os.pread(self._descriptor, max(count, 1 << 18), self._read)
            if not piece:
                raise Damaged("the file became shorter while it was read", "try again")
            self._buffer += piece
            self._read += len(piece)
