"""What an answer speaks of, as places one can go to; and its text made harmless.

A link in a model's text may lead anywhere, and a picture is fetched by showing it.  So the
text is made inert, and the only links are ours: to files and definitions of the index.
"""

import re
from typing import NamedTuple

from ..indexing.research.repository import Repository
from .approval import visible

# Names that are looked up, and definitions of one name that still say which is meant.
MOST_NAMES, FEW = 60, 3
SPELLED = re.compile(r"`([A-Za-z_][\w.]{1,100}?)(?:\(\))?`")
PLACED = re.compile(r"(?<![\w/.])([\w][\w./+@-]{0,200}\.\w{1,12}):(\d{1,7})")
FENCE = re.compile(r"^ {0,3}(```|~~~)")


class Place(NamedTuple):
    """`line` counts from 1."""

    label: str
    path: str
    line: int


def places(text: str, repository: Repository) -> tuple[Place, ...]:
    """Where the names and places in an answer are, in the order in which it speaks of them."""
    found: dict[tuple[str, int], Place] = {}
    names = dict.fromkeys(name.rpartition(".")[2] for name in SPELLED.findall(text))
    for name in list(names)[:MOST_NAMES]:
        paths = repository.index.definers(name, FEW + 1)
        if len(paths) > FEW:
            continue
        for path in paths:
            facts = repository.facts(path)
            for one in facts.definitions if facts else ():
                if one.name == name:
                    place = Place(name, path, one.line + 1)
                    found.setdefault((path, place.line), place)
                    break
    for path, line in PLACED.findall(text)[:MOST_NAMES]:
        if repository.index.exists(path):
            found.setdefault((path, int(line)), Place(f"{path}:{line}", path, int(line)))
    return tuple(found.values())


def inert(text: str) -> str:
    """A model's Markdown without links, pictures and HTML, its code as it was."""
    lines: list[str] = []
    fenced = False
    for line in visible(text).split("\n"):
        fence = FENCE.match(line)
        if fenced or fence:
            lines.append(line)
            fenced ^= fence is not None
        else:
            lines.append(_inert(line))
    return "\n".join(lines)


def _inert(line: str) -> str:
    """Between backticks nothing is a link."""
    pieces = re.split(r"(`+[^`]*`+)", line)
    return "".join(
        piece if number % 2 else _ACTIVE.sub(r"\\\g<0>", piece)
        for number, piece in enumerate(pieces)
    )


# The brackets of links and pictures, HTML and autolinks, and what is taken for a URL.
_ACTIVE = re.compile(r"[\[\]<>]|(?<=\w):(?=//)")
