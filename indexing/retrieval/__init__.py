"""What to put before the model at a cursor: definitions of other places, with a reason each.

Nothing here reads a file: what the repository says comes from an index, what is being typed
from the documents that are open.
"""

from collections import ChainMap
from collections.abc import Mapping

from ..facts import Facts
from .candidates import candidates
from .cursor import spot
from .packing import Item, by_file, pack
from .symbols import Index, Names

__all__ = ["Index", "Item", "by_file", "retrieve"]


def retrieve(
    index: Index,
    path: str,
    language: str,
    text: str,
    offset: int,
    budget: int,
    live: Mapping[str, Facts] | None = None,
) -> list[Item]:
    """Definitions that help at a cursor, at most `budget` tokens of them.

    `text` is the document as it is typed and `offset` the cursor in it, in code points;
    `language` names a row of `languages.LANGUAGES`.  `live` are the facts of other open
    documents: they stand for what the index has of those files.
    """
    around = spot(path, language, text, offset)
    names = Names(index, ChainMap({path: around.facts}, live or {}))  # pyright: ignore[reportArgumentType]
    return pack(candidates(names, around), names, budget)
