"""Bytes of tokens on their way to a person: whole characters, and no more lines than wanted."""

import codecs


class Text:
    """Bytes of tokens becoming text: whole characters, at most `lines` lines."""

    def __init__(self, lines: int) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._left = lines
        self.full = False

    def add(self, data: bytes) -> str:
        """What of `data` can be shown; sets `full` at the end of the last line."""
        text = self._decoder.decode(data)
        for at, char in enumerate(text):
            if char == "\n":
                self._left -= 1
                if self._left == 0:
                    self.full = True
                    return text[:at]
        return text
