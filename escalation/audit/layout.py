"""The names in a log's directory and beside its head."""

import re
from dataclasses import dataclass
from pathlib import Path

_SEGMENT = re.compile(r"seg-(\d{10})\.(jsonl|pay)")
ORIGIN = "wicket.audit/"


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the files of one log are: its directory and its head's path elsewhere."""

    directory: Path
    head: Path

    @property
    def lock(self) -> str:
        return str(self.directory / "lock")

    @property
    def checkpoint(self) -> str:
        return str(self.directory / "checkpoint")

    @property
    def reserve(self) -> str:
        return str(self.directory / "reserve")

    @property
    def quarantine(self) -> str:
        return str(self.directory / "quarantine")

    @property
    def anchors(self) -> str:
        return str(self.directory / "anchors")

    @property
    def head_lock(self) -> str:
        return f"{self.head}.lock"

    @property
    def secrets(self) -> str:
        """The signing key and the key of the pseudonyms: beside the head, not in the log."""
        return f"{self.head}.key"

    def leaves(self, segment: int) -> str:
        return str(self.directory / f"seg-{segment:010}.jsonl")

    def payloads(self, segment: int) -> str:
        return str(self.directory / f"seg-{segment:010}.pay")


def segments(names: list[str], suffix: str) -> list[int]:
    """The numbers of the segment files among `names`, in order."""
    found = (_SEGMENT.fullmatch(name) for name in names)
    return sorted(int(match[1]) for match in found if match and match[2] == suffix)
