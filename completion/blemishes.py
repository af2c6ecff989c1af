"""Holes whose surroundings are not in order, as they seldom are while somebody types.

Each blemish changes what stands around a hole and never what is hidden, so that the same
hole with and without it can be compared.
"""

import re
from collections.abc import Callable
from dataclasses import replace

from .holes import Hole, digest
from .syntax import syntax_of

# Lines on either side within which code is broken.
NEAR = 12
# Characters before the cursor in which a name gets its typo.
REACH = 400
# Letters that a name must have, so that two inner ones can change places.
NAME = re.compile(r"(?<!\w)[^\W\d]\w{4,}(?!\w)")
# A mistyped keyword is a mistake of another kind.
KEYWORDS = frozenset(
    {"async", "await", "break", "class", "const", "continue", "default", "except", "export"}
    | {"extends", "False", "final", "finally", "function", "global", "import", "lambda"}
    | {"nonlocal", "private", "public", "raise", "return", "static", "struct", "super"}
    | {"switch", "throw", "while", "yield", "assert"}
)
# A comment, once in English: what any comment does is not what another language does.
PLAIN_REMARK = "The value is checked here before going on."
# The same in German, Spanish, Russian, Chinese, Japanese and Arabic.
REMARKS = (
    "Hier wird der Wert geprüft, bevor es weitergeht.",
    "Aquí se comprueba el valor antes de continuar.",
    "Сначала проверяем значение, потом идём дальше.",
    "先检查这个值，然后再继续。",  # noqa: RUF001
    "先に進む前に値を確かめる。",
    "نتحقق من القيمة قبل المتابعة.",
)


def broken(hole: Hole) -> Hole | None:
    """One line before the hole and one behind it break off, as if half typed."""
    head, _, here = hole.before.rpartition("\n")
    rest, _, tail = hole.after.partition("\n")
    lines_before, lines_after = head.split("\n"), tail.split("\n")
    before = _break(lines_before, range(max(0, len(lines_before) - NEAR), len(lines_before)), hole)
    after = _break(lines_after, range(min(NEAR, len(lines_after))), hole)
    if before is None or after is None:
        return None
    return replace(
        hole,
        slice="broken",
        before="\n".join([*before, here]),
        after="\n".join([rest, *after]),
    )


def typo(hole: Hole) -> Hole | None:
    """Two letters of the nearest name before the cursor have changed places."""
    start = max(0, len(hole.before) - REACH)
    for found in reversed(list(NAME.finditer(hole.before, start))):
        name = found[0]
        swaps = [at for at in range(1, len(name) - 2) if name[at] != name[at + 1]]
        # A word that ends at the cursor is not finished.
        if name in KEYWORDS or not swaps or found.end() == len(hole.before):
            continue
        at = found.start() + swaps[_draw(hole, "typo") % len(swaps)]
        text = hole.before
        swapped = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        return replace(hole, slice="typo", before=swapped)
    return None


def remark(hole: Hole) -> Hole | None:
    """Above the hole's line stands a comment that is not in English."""
    said = REMARKS[_draw(hole, "remark") % len(REMARKS)]
    return _commented(hole, "remark", said)


def plain_remark(hole: Hole) -> Hole | None:
    """Above the hole's line stands a comment that has nothing to do with it."""
    return _commented(hole, "plain remark", PLAIN_REMARK)


BLEMISHES: dict[str, Callable[[Hole], Hole | None]] = {
    "broken": broken,
    "typo": typo,
    "remark": remark,
    "plain remark": plain_remark,
}


def _commented(hole: Hole, name: str, said: str) -> Hole | None:
    marks = [q.start for q in syntax_of(hole.language).quotes if q.comment and q.end == "\n"]
    if not marks:
        return None
    head, newline, here = hole.before.rpartition("\n")
    indentation = here[: len(here) - len(here.lstrip())]
    line = f"{indentation}{marks[0]} {said}\n"
    return replace(hole, slice=name, before=head + newline + line + here)


def _break(lines: list[str], near: range, hole: Hole) -> list[str] | None:
    """`lines` with one of those `near` cut off in its middle; None where none is long."""
    long = [at for at in near if len(lines[at].strip()) >= 8]
    if not long:
        return None
    at = long[_draw(hole, "line", str(near.start)) % len(long)]
    first = len(lines[at]) - len(lines[at].lstrip())
    visible = len(lines[at].rstrip()) - first
    kept = first + 2 + _draw(hole, "column", str(near.start)) % (visible - 4)
    return [*lines[:at], lines[at][:kept], *lines[at + 1 :]]


def _draw(hole: Hole, *what: str) -> int:
    return int(digest(hole.id, *what)[:12], 16)
