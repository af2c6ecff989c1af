"""The whole text of definitions, as far as a budget goes."""

from collections.abc import Iterable

from ..facts import Definition
from .named import Found
from .repository import Passage, Repository, fitting

# Lines of one body; of a longer one the head and the tail are shown.
LINES = 120
TAIL = 10


def bodies(repository: Repository, found: Iterable[Found], budget: int) -> list[Passage]:
    """The texts of definitions in their order, at most `budget` tokens of them.

    A definition that is not where the index has it, because its file was just changed, is
    left out.
    """
    return fitting(filter(None, (body(repository, one) for one in found)), budget)


def body(repository: Repository, found: Found) -> Passage | None:
    """The text of one definition, decorators included and a comment above it."""
    text = repository.text(found.path)
    lines = text.split("\n") if text is not None else []
    one = found.one
    if one.line >= len(lines) or one.name not in lines[one.line]:
        return None
    first = _first(text or "", lines, one)
    last = min(one.last, len(lines) - 1)
    shown = lines[first : last + 1]
    if len(shown) > LINES:
        left = len(shown) - LINES
        shown = [*shown[: LINES - TAIL], f"... {left} lines left out ...", *shown[-TAIL:]]
    return Passage(
        repository.name,
        found.path,
        (first + 1, last + 1),
        "\n".join(shown),
        found.why,
        found.value,
    )


def _first(text: str, lines: list[str], one: Definition) -> int:
    """The line on which a definition begins."""
    first = min(text.encode("utf-8", "replace")[: one.start].count(b"\n"), one.line)
    while first and lines[first - 1].lstrip().startswith(("///", "//", "/*", "*", "#")):
        if one.line - first > 2 * TAIL:
            break
        first -= 1
    return first
