"""Holes for training: where a cursor could stand in a text, and what is missing there.

A hole is drawn as somebody types: mostly the rest of a line, from any column on, often what
a syntax tree calls one thing, sometimes lines, sometimes a piece in the middle of a line.
"""

import importlib
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any

# Which grammar reads a language: module, and the function in it that gives the language.
GRAMMARS = {
    "python": ("tree_sitter_python", "language"),
    "javascript": ("tree_sitter_javascript", "language"),
    "javascriptreact": ("tree_sitter_javascript", "language"),
    "typescript": ("tree_sitter_typescript", "language_typescript"),
    "typescriptreact": ("tree_sitter_typescript", "language_tsx"),
    "go": ("tree_sitter_go", "language"),
    "rust": ("tree_sitter_rust", "language"),
    "java": ("tree_sitter_java", "language"),
    "c": ("tree_sitter_c", "language"),
}
# Characters of what is missing, at most: as many as a suggestion of six lines has.
LONGEST = 700
# Lines below the cursor's that are missing too, where lines are.
LINES = 5
# How often each kind is drawn where all are possible.
KINDS = {"rest": 0.40, "syntax": 0.35, "lines": 0.13, "inside": 0.12}


@dataclass(frozen=True, slots=True)
class Span:
    """Offsets of what is missing; the cursor stands at `start`."""

    start: int
    end: int


def draw(text: str, language: str, random: Random) -> Span | None:
    """A hole somewhere in `text`; None where it has no place for one."""
    kind = random.choices(list(KINDS), list(KINDS.values()))[0]
    if kind == "syntax" and (found := _syntax(text, language, random)):
        return found
    line = _line(text, random)
    if line is None:
        return None
    start, first, end = line
    match kind:
        case "inside" if end - first > 3:
            cursor = random.randrange(first, end - 1)
            return Span(cursor, random.randrange(cursor + 1, end))
        case "lines":
            cursor = _column(first, end, random)
            for _ in range(random.randint(1, LINES)):
                following = text.find("\n", end + 1)
                if following < 0 or following - cursor > LONGEST:
                    break
                end = following
            return Span(cursor, end)
        case _:
            return Span(_column(first, end, random), min(end, start + LONGEST))


def _column(first: int, end: int, random: Random) -> int:
    """The line's first letter a third of the time, else any column, also inside a word."""
    return first if random.random() < 1 / 3 else random.randrange(first, end)


def _line(text: str, random: Random) -> tuple[int, int, int] | None:
    """Start, first visible character and end of some line that says something."""
    for _ in range(8):
        at = random.randrange(len(text))
        start = text.rfind("\n", 0, at) + 1
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        said = text[start:end]
        if said.strip():
            return start, start + len(said) - len(said.lstrip()), end
    return None


def _syntax(text: str, language: str, random: Random) -> Span | None:
    """A node of the tree: the smallest around a random place, or some way up from it.

    It begins where the node does, or inside its first line, as when one has begun to type.
    """
    parser = _parser(language)
    if parser is None:
        return None
    data = text.encode("utf-8", "replace")
    at = random.randrange(len(data))
    node: Any = parser.parse(data).root_node.descendant_for_byte_range(at, at + 1)
    found: list[tuple[int, int]] = []
    while node is not None and node.end_byte - node.start_byte <= LONGEST:
        if node.is_named and node.end_byte - node.start_byte > 1:
            found.append((node.start_byte, node.end_byte))
        node = node.parent
    if not found:
        return None
    low, high = random.choice(found)
    start = len(data[:low].decode("utf-8", "replace"))
    end = start + len(data[low:high].decode("utf-8", "replace"))
    if random.random() < 0.5:
        newline = text.find("\n", start, end)
        start = random.randrange(start, end if newline < 0 else max(newline, start + 1))
    return Span(start, end)


@cache
def _parser(language: str) -> Any:
    """None where the grammar is not installed: other kinds of holes are drawn then."""
    module, function = GRAMMARS.get(language, ("", ""))
    try:
        tree_sitter = importlib.import_module("tree_sitter")
        grammar = getattr(importlib.import_module(module), function)
    except (ImportError, ValueError):
        return None
    return tree_sitter.Parser(tree_sitter.Language(grammar()))
