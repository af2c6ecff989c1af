"""From what a model wrote to what may be shown: one rule after the other, each pure.

A model continues text; a suggestion has to fit between two texts.  So it is cut where the
model left the subject, and it gives way to what the document holds already.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from . import rules
from .cursor import Cursor
from .place import Place, indentation, place_of, width

Mode = Literal["auto", "line", "block"]


@dataclass(frozen=True, slots=True)
class Draft:
    """Model text on its way to a suggestion.

    It is put in at the cursor with LF line breaks and takes the place of `replace` code
    points after it, which never reach beyond the cursor's line.  `rules` names the rules
    that changed something, in order.  `filtered` names the one that refused; `text` is
    empty then.
    """

    text: str
    replace: int = 0
    rules: tuple[str, ...] = ()
    filtered: str | None = None
