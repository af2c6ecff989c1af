"""Texts that a suggestion may be copied from: the other files that the editor has open."""

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from ..completion.earlier import Text
from . import exclusions
from .documents import Document, Documents, file_path
from .settings import CompletionSettings

# Characters; a larger file is not searched at every key.
LARGEST = 1_000_000


def open_files(
    documents: Documents, wanted: Callable[[Path | None], CompletionSettings]
) -> Callable[[str], Sequence[Text]]:
    """What is open besides a path, the nearest directories first.

    A file that gets no ghost text gives none either.
    """

    def allowed(document: Document) -> bool:
        path = documents.relative_path(document.uri)
        globs = wanted(file_path(document.uri)).exclude
        return len(document.text) <= LARGEST and not exclusions.reason(path, document.text, globs)

    def texts(path: str) -> list[Text]:
        found = [
            Text(documents.relative_path(document.uri), document.data)
            for document in documents.open_now.values()
            if documents.relative_path(document.uri) != path and allowed(document)
        ]
        return sorted(found, key=lambda text: distance(path, text.where))

    return texts


def distance(path: str, other: str) -> tuple[int, int, str]:
    """Sorts `other` by how many steps through folders lead to it."""
    mine, theirs = PurePosixPath(path).parts[:-1], PurePosixPath(other).parts[:-1]
    same = 0
    while same < min(len(mine), len(theirs)) and mine[same] == theirs[same]:
        same += 1
    return len(mine) - same, len(theirs) - same, other
