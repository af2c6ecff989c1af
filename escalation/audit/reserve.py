"""Space kept on the disk so that calls under way can be recorded to their end when it fills."""

import os

from .files import Files, opened


class Reserve:
    """A file of `size` bytes whose only use is to be emptied."""

    def __init__(self, files: Files, path: str, size: int) -> None:
        self._files, self._path, self._size = files, path, size
        # Room for a checkpoint, a rotation and what the file system itself needs.
        self._margin = max(1 << 16, size // 16)
        self._kept = False

    def room(self, descriptor: int, size: int, essential: bool) -> bool:
        """Whether `size` bytes that are not essential may be written beside `descriptor`.

        Empties the reserve where what is essential would not fit otherwise.
        """
        size += self._margin
        free = self._files.free(descriptor)
        if not self._kept and free >= size + self._margin + self._size:
            self.keep()
        if free >= size:
            return self._kept
        if essential and self._kept:
            with opened(self._files, self._path, os.O_WRONLY) as reserve:
                self._files.truncate(reserve, 0)
            self._kept = False
        return False

    def keep(self) -> None:
        """Take the space, if there is so much."""
        with opened(self._files, self._path, os.O_WRONLY | os.O_CREAT) as reserve:
            try:
                self._files.allocate(reserve, self._size)
            except OSError:
                # Nothing of the log was touched; intents are refused until there is room.
                self._files.truncate(reserve, 0)
                return
        self._kept = True
