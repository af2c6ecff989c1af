"""What to put before the model at a cursor: definitions and similar code, with a reason each.

Nothing here reads a file: what the repository says comes from an index, what is being typed
from the documents that are open.
"""

from collections import ChainMap
from collections.abc import Mapping, Sequence

from ..facts import Facts
from .candidates import candidates
from .cursor import spot
from .packing import FILE_TOKENS, Item, by_file, pack
from .similar import Read, similar
from .symbols import Index, Names

__all__ = ["Index", "Item", "Read", "by_file", "retrieve"]


def retrieve(
    index: Index,
    path: str,
    language: str,
    text: str,
    offset: int,
    budget: int,
    live: Mapping[str, Facts] | None = None,
    read: Read | None = None,
    edited: Mapping[str, Sequence[int]] | None = None,
) -> list[Item]:
    """Definitions that help at a cursor, at most `budget` tokens of them.

    `text` is the document as it is typed and `offset` the cursor in it, in code points;
    `language` names a row of `languages.LANGUAGES`.  `live` are the facts of other open
    documents: they stand for what the index has of those files.  With `read`, which gives the
    text of a file, there may be one piece of similar code; `edited` are lines of other files
    that were edited lately, from 0.
    """
    around = spot(path, language, text, offset)
    names = Names(index, ChainMap({path: around.facts}, live or {}))  # pyright: ignore[reportArgumentType]
    piece = similar(index, around, budget, read, edited) if read else []
    left = budget - sum(item.tokens + FILE_TOKENS for item in piece)
    packed = pack(candidates(names, around), names, left, member=around.receiver != "")
    return sorted([*packed, *piece], key=lambda item: (item.path, item.lines))
