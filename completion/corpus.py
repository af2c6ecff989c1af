"""Texts that an engine was given to look things up in, by key."""

import threading
from collections import OrderedDict
from collections.abc import Sequence

# Bytes of all texts that an engine keeps: what some editors have to look in.
MOST_BYTES = 16 << 20


class Corpus:
    """Texts by key, those named last kept.  Any thread may call."""

    def __init__(self) -> None:
        self._texts: OrderedDict[str, str] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def learn(self, key: str, text: str) -> None:
        with self._lock:
            self._size += len(text) - len(self._texts.pop(key, ""))
            self._texts[key] = text
            while self._size > MOST_BYTES:
                self._size -= len(self._texts.popitem(last=False)[1])

    def texts(self, keys: Sequence[str]) -> dict[str, str]:
        """Those of `keys` that are known."""
        with self._lock:
            found = {key: self._texts[key] for key in keys if key in self._texts}
            for key in found:
                self._texts.move_to_end(key)
            return found
