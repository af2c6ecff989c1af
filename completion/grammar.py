"""The rule of the grammar: a suggestion does not make a sound document unsound.

How well a document is understood is asked of whoever has its tree.  What is half typed is
seldom sound by itself, so it is compared with the document as it was before, and a text
may leave open what somebody still has to write.
"""

from collections.abc import Iterator
from itertools import chain

from .overlap import replaced
from .place import Place
from .syntax import read

# A document with more trouble than this without the suggestion says nothing about it.
SOUND = 3
# What may have to follow a text, behind the closers that are due in it: nothing, or the
# rest of the statement that it begins.
PLAIN, INDENTED = ("", ";", " {}", " x;"), ("", ": pass", " pass")


def drop_broken(place: Place, text: str) -> str:
    """Leave out the last lines while the grammar has more trouble with the document for them."""
    if place.troubles is None or place.code.inside or _left_open(place):
        return text
    before = place.troubles(0, "")
    if before is None or before > SOUND:
        return text
    lines = text.split("\n")
    while lines and _worse(place, "\n".join(lines), before):
        lines.pop()
    return "\n".join(lines).rstrip() if len(lines) < len(text.split("\n")) else text


def _left_open(place: Place) -> bool:
    """Whether the document itself lacks closers, which confuses a grammar at any place."""
    return not place.unread and len(place.code.opened) > len(place.ahead or ())


def _worse(place: Place, text: str, before: int) -> bool:
    assert place.troubles, "the rule asked before"
    if text.lstrip().startswith("#") and not place.syntax.indented:
        return False  # Of C's directives a grammar sees too little to judge.
    reach = replaced(place, text)
    for whole in chain((text,), _completed(place, text)):
        after = place.troubles(reach, whole)
        if after is None or after <= before:
            return False
    return True


def _completed(place: Place, text: str) -> Iterator[str]:
    """The text with what is due in it, in each way that a statement may go on."""
    reading = read(text, place.syntax)
    closers = "".join(reversed(reading.opened))
    for ending in INDENTED if place.syntax.indented else PLAIN:
        if closers or ending:
            yield text + closers + ending
    if closers:
        yield f"{text}x{closers}"  # Brackets that may not be empty.
