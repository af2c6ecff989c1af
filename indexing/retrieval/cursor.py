"""What stands at a cursor, as far as it decides which definitions help there."""

import re
from dataclasses import dataclass

from ..facts import Facts
from ..parse import parse

# Lines whose names count as near, before and behind the cursor.
BEFORE, BEHIND = 60, 20
# Lines before a cursor at the top level that say what its names are.
TOP = 200
# Lines above that are searched for what a local name is.
LOCAL = 400
# Characters before the cursor in which an open call begins.
CALL = 1000

_WORD = re.compile(r"[^\W\d][\w$]*")
_RECEIVER = re.compile(r"((?:[^\W\d][\w$]*(?:\([^()]*\))?\s*\??(?:\.|::|->)\s*)+)[\w$]*$")
_CALLEE = re.compile(r"([^\W\d][\w$.]*)\s*$")


@dataclass(frozen=True, slots=True)
class Spot:
    """A cursor and what is around it.

    `facts` are those of the document, without the cursor's line where that breaks it.
    `receiver` is what stands before the dot that is being completed, `callee` what is
    called by the innermost open bracket.  `near` are names with their distance from the
    cursor in lines, imports aside.  `scope` is the definition around it, the innermost
    one, -1 at the top.  `text` is the text up to the cursor, from the start of the
    outermost definition around, or the last of it.
    """

    path: str
    facts: Facts
    row: int
    receiver: str
    callee: str
    word: str
    near: dict[str, int]
    scope: int
    text: str


def spot(path: str, language: str, text: str, offset: int) -> Spot:
    """Read the surroundings of a cursor; `offset` counts code points.

    `language` is the name of a row of `languages.LANGUAGES`.
    """
    lines = text.split("\n")
    row = text.count("\n", 0, offset)
    before = text[text.rfind("\n", 0, offset) + 1 : offset]
    facts = parse(language, text.encode("utf-8", "surrogatepass"), row)
    around = [number for number, one in enumerate(facts.definitions) if one.line <= row <= one.last]
    first = facts.definitions[around[0]].line if around else max(0, row - TOP)
    bound = {one.line for one in facts.imports}
    near: dict[str, int] = {}
    for number in range(max(0, row - BEFORE), min(len(lines), row + BEHIND + 1)):
        if number in bound:
            continue
        line = before if number == row else lines[number]
        # What comes later says less about what is typed now.
        distance = row - number if number <= row else 2 * (number - row)
        for name in _WORD.findall(line):
            near[name] = min(distance, near.get(name, distance))
    typed = re.search(r"[\w$]*$", before)
    word = typed[0] if typed else ""
    if word and not re.search(rf"\b{re.escape(word)}\b", text[: offset - len(word)]):
        near.pop(word, None)
    receiver = _RECEIVER.search(before)
    return Spot(
        path,
        facts,
        row,
        _plain(receiver[1]) if receiver else "",
        _open_call(text[max(0, offset - CALL) : offset]),
        word,
        near,
        around[-1] if around else -1,
        "\n".join([*lines[max(min(first, row), row - LOCAL) : row], before]),
    )


def focus(text: str, offset: int) -> str:
    """What decides at a cursor which definition is needed: "store." or "open(", else ""."""
    before = text[text.rfind("\n", 0, offset) + 1 : offset]
    if receiver := _RECEIVER.search(before):
        return _plain(receiver[1]) + "."
    called = _open_call(text[max(0, offset - CALL) : offset])
    return f"{called}(" if called else ""


def _plain(receiver: str) -> str:
    return re.sub(r"\s|\?|[.:>-]+$", "", receiver)


def _open_call(text: str) -> str:
    """What is called by the innermost bracket that is open at the end."""
    depth = 0
    for at in range(len(text) - 1, -1, -1):
        letter = text[at]
        if letter in ")]}":
            depth += 1
        elif letter in "([{":
            if depth == 0:
                called = _CALLEE.search(text[:at]) if letter == "(" else None
                return called[1] if called else ""
            depth -= 1
    return ""
