"""Erasure and retention: payloads and their keys destroyed, after the log has said so.

The records stay, and every proof stays valid: leaves hold commitments that only the
destroyed key could open.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from .files import CHUNK, Files, opened, sync_directory
from .layout import Layout, segments
from .leaf import Frame, Tail
from .reading import leaves


@dataclass(slots=True)
class Holdings:
    """What a log holds of content: payloads by record, and the holds on them."""

    payloads: dict[int, Tail] = field(default_factory=dict[int, Tail])
    refs: dict[int, list[int]] = field(default_factory=dict[int, list[int]])
    holds: dict[str, tuple[int, ...]] = field(default_factory=dict[str, tuple[int, ...]])
    erased: set[int] = field(default_factory=set[int])

    @property
    def held(self) -> set[int]:
        """Records under a hold, and the answers to them."""
        named = {seq for seqs in self.holds.values() for seq in seqs}
        return named | {ref for seq in named for ref in self.refs.get(seq, [])}


def holdings(directory: Path) -> Holdings:
    """Read the whole log once."""
    found = Holdings()
    for leaf, _line in leaves(directory):
        its = leaf.tail
        if its.pay is not None:
            found.payloads[its.seq] = its
        if its.ref is not None:
            found.refs.setdefault(its.ref, []).append(its.seq)
        if its.type == "hold":
            data = leaf.data
            if data["lifted"]:
                found.holds.pop(data["name"], None)
            else:
                found.holds[data["name"]] = tuple(data["seqs"])
        elif its.type == "erasure":
            found.erased.update(leaf.data["seqs"])
    return found


def old_segments(directory: Path, found: Holdings, before: str) -> list[int]:
    """Closed segments with payloads that are all older than `before` and not held."""
    numbers = segments(os.listdir(directory), "pay")[:-1]
    young = {its.pay.seg for its in found.payloads.values() if its.pay and its.ts >= before}
    held = {its.pay.seg for seq in found.held if (its := found.payloads.get(seq)) and its.pay}
    filled = {its.pay.seg for its in found.payloads.values() if its.pay}
    return [number for number in numbers if number in filled - young - held]


def wipe(files: Files, layout: Layout, frames: Iterable[Frame]) -> None:
    """Overwrite key slots and ciphertext with zeros, durably.  Can be done twice.

    A copy-on-write file system or an SSD may keep the old blocks; the sealed keys in them
    are what full-disk encryption and a destroyed reader's key protect.
    """
    by_segment: dict[int, list[Frame]] = {}
    for frame in frames:
        by_segment.setdefault(frame.seg, []).append(frame)
    for segment, its in by_segment.items():
        path = layout.payloads(segment)
        mode = files.look_at(path).st_mode & 0o777
        files.chmod(path, 0o600)
        with opened(files, path, os.O_WRONLY) as descriptor:
            for frame in its:
                _zero(files, descriptor, frame.off, frame.len)
            files.sync(descriptor)
        files.chmod(path, mode)


def _zero(files: Files, descriptor: int, offset: int, size: int) -> None:
    while size > 0:
        done = files.overwrite(descriptor, bytes(min(size, CHUNK)), offset)
        offset, size = offset + done, size - done


def remove(files: Files, layout: Layout, numbers: Iterable[int]) -> None:
    """Remove whole payload segments, durably.  Can be done twice."""
    for number in numbers:
        try:
            files.remove(layout.payloads(number))
        except FileNotFoundError:
            continue
    sync_directory(files, str(layout.directory))
