"""Rules about what the document holds already: a suggestion gives way to it."""

import re

from .place import Place, known, last_word
from .syntax import read

# Rest of a line that a suggestion may take the place of.
ONLY_CLOSERS = re.compile(r"[ \t)\]}\"'`,:;]*")
# Shortest text that says enough to be the same by intent: a line met again in the middle
# of a suggestion, the rest of the line met again, the start of a line typed again.
SAME_LINE, SAME_REST, SAME_START = 10, 4, 3
# What stands too far up to be read has opened a class, a module or a table of data.
HIDDEN = ("}", "]")


def drop_typed(place: Place, text: str) -> str:
    """Remove what the model repeats of the line before the cursor."""
    if place.blank:
        return text
    while text and (repeated := _typed_again(place, text)):
        text = text[repeated:]
    return text.lstrip(" \t") if place.before[-1] in " \t" else text


def yield_to_suffix(place: Place, text: str) -> str:
    """Cut where the text goes over into what follows the cursor."""
    text = _without_following(place, text)
    rest = place.after.rstrip()
    if ONLY_CLOSERS.fullmatch(rest):
        # These are replaced, so that the text reads right.  A space before a quote or a
        # brace is meant.
        return text.rstrip() if rest.startswith((")", "]", ",", ":", ";")) else text
    if shared := _shared(place, text, rest):
        return _end(place, text[:-shared])
    bare = rest.strip()
    if len(bare) >= SAME_REST and not _wordless(bare):
        for found in re.finditer(re.escape(bare), text):
            if not any(_inside_word(text, at) for at in found.span()):
                return _end(place, text[: found.start()])
    return _end(place, text)


def balance_brackets(place: Place, text: str) -> str:
    """Cut at a closer for which nothing is open, or which the document has itself."""
    while (cut := _fit(place, text)[0]) is not None:
        text = text[:cut].rstrip()
    return text


def replaced(place: Place, text: str) -> int:
    """How many code points after the cursor `text` takes the place of."""
    rest = place.after.rstrip()
    if not rest or not ONLY_CLOSERS.fullmatch(rest):
        return 0
    cut, reach = _fit(place, text)
    if cut is not None:
        return 0
    written = read(text, place.syntax, place.code.inside).closers
    # The closers are accounted for; what follows the last of them may still be shared.
    tail = text
    if written and place.ahead is not None:
        at, closer = written[-1]
        tail = text[at + len(closer) :]
    return reach + _shared(place, tail, rest[reach:])


def drop_duplicate(place: Place, text: str) -> str:
    """Remove what would say the same as the lines around it."""
    lines = text.split("\n")
    while place.blank and len(lines) > 1 and _says(place.before + lines[0], place.above):
        # The line above is repeated, then goes on: what is new follows it.
        second = lines[1]
        if not second.startswith(place.before):
            return ""
        lines = [second[len(place.before) :], *lines[2:]]
    ends = place.after[replaced(place, text) :] if len(lines) == 1 else ""
    whole = [place.before + lines[0] + ends, *lines[1:]]
    shown = [line.rstrip() for line in whole if line.strip()]
    if not shown or _wordless("".join(shown)):
        return "\n".join(lines)
    previous = [line.rstrip() for line in place.previous[-len(shown) :]]
    if shown in (previous, list(place.following[: len(shown)])):
        return ""
    return "\n".join(lines)


def refuse_unchanged(place: Place, text: str) -> str:
    """Refuse what leaves the document as it is."""
    return "" if text == place.after[: replaced(place, text)] else text


def _typed_again(place: Place, text: str) -> int:
    """How many code points at the start of `text` stand before the cursor already."""
    return _line_again(place, text) or _echo(place, text) or _word_again(place, text)


def _line_again(place: Place, text: str) -> int:
    """The line is begun anew, with its indentation or without."""
    before, typed = place.before, place.before.lstrip()
    if before != typed and text.startswith(before):
        return len(before)
    if len(typed) < SAME_START or _wordless(typed) or not text.lstrip().startswith(typed):
        return 0
    if typed.rstrip().endswith(","):
        # A list goes on by saying the same, `None, ` + `None, `; a call does not.
        again = "(" in typed or place.code.inside is not None
    else:
        again = last_word(typed) != typed  # A word does, too: `tar` + `tar`.
    start = len(text) - len(text.lstrip())
    return start + len(typed) if again and "\n" not in text[:start] else 0


def _echo(place: Place, text: str) -> int:
    """The text says nothing but what the line ends with."""
    before, said = place.before.rstrip(), text.strip()
    letters = len(re.findall(r"[^\W\d_]", said))
    if letters < SAME_START or said.endswith(",") or not before.endswith(said):
        return 0
    return 0 if _inside_word(before, len(before) - len(said)) else len(text)


def _word_again(place: Place, text: str) -> int:
    """The word or name at the cursor is begun anew, or all from an earlier word on."""
    before, word = place.before, last_word(place.before)
    first = re.split(r"\W", text, maxsplit=1)[0]
    # A name that the document has is no repetition: `s` + `sh`, `tar` + `tar`.
    if word and first and known(place, word + first):
        return 0
    for found in re.finditer(r"(?<![\w.])[^\W\d]", before):
        tail = before[found.start() :]
        if not text.startswith(tail):
            continue
        if word and tail != word:
            return len(tail)
        if re.fullmatch(r"[\w.]+\.", tail) and tail + first not in place.words:
            return len(tail)
    if word and not word[0].isdigit() and text.startswith(word):
        # Two letters say little; then the document has to know the word.
        return len(word) if len(word) >= SAME_START or known(place, first) else 0
    return 0


def _without_following(place: Place, text: str) -> str:
    """`text` up to where it goes over into the lines below the cursor's."""
    lines = text.split("\n")
    below = place.following
    for i in range(1, len(lines)):
        if not below or lines[i].rstrip() != below[0]:
            continue
        rest = [line.rstrip() for line in lines[i:] if line.strip()]
        same = tuple(rest) == below[: len(rest)]
        tail = "\n".join(lines[i:])
        if (same or len(below[0].strip()) >= SAME_LINE) and _own(place, text, len(tail)):
            return "\n".join(lines[:i]).rstrip()
    return text


def _shared(place: Place, text: str, rest: str) -> int:
    """Length of the end of `text` with which `rest` begins."""
    for length in range(min(len(text), len(rest)), 0, -1):
        start = len(text) - length
        if not text.endswith(rest[:length]):
            continue
        whole = length == len(rest) or start == 0
        cuts_word = _inside_word(text, start) or _inside_word(rest, length)
        if (whole or not cuts_word) and _own(place, text, length):
            return length
    return 0


def _own(place: Place, text: str, length: int) -> bool:
    """Whether the last `length` code points close nothing that the text before opened."""
    cut = len(text) - length
    head = read(text[:cut], place.syntax, place.code.inside)
    tail = read(text[cut:], place.syntax, head.inside)
    whole = read(text, place.syntax, place.code.inside)
    return len(whole.closers) == len(head.closers) + len(tail.closers)


def _fit(place: Place, text: str) -> tuple[int | None, int]:
    """Where `text` has a closer too many, or how far it replaces the rest of the line.

    Closers in `text` close what stands open at the cursor.  Where the document has its
    own for that, these are dropped if nothing but closers is lost with them; if not,
    that of the text is the one too many.
    """
    written = read(text, place.syntax, place.code.inside)
    left = list(place.code.due)
    for at, closer in written.closers:
        alone = not (place.before + text[:at]).rpartition("\n")[2].strip()
        if alone and closer in left:
            # A closer on its own line is surer than a bracket left open above.
            while left[-1] != closer:
                left.pop()
        if not left or left.pop() != closer:
            return at, 0
    if not written.closers or place.ahead is None:
        return None, 0
    due = (*left, *written.due)
    kinds = iter(closer for _, closer in written.closers)
    replaceable = ONLY_CLOSERS.fullmatch(place.after)
    best, reach = _disorder(place, due), 0
    for count, (at, closer) in enumerate(place.ahead, 1):
        if not replaceable or at >= len(place.after) or closer not in kinds:
            break
        disorder = _disorder(place, due, count)
        tie = disorder == best and (place.unseen or place.unread)
        # An outer block has its end where it was not read; this one is the inner's.
        if disorder < best or (tie and closer in HIDDEN):
            best, reach = disorder, at + len(closer)
    if best <= _disorder(place, place.code.due):
        return None, reach
    return written.closers[-1][0], 0


def _disorder(place: Place, due: tuple[str, ...], dropped: int = 0) -> int:
    """How badly the closers behind the cursor fit to what is `due`.

    Counted are those that close nothing, and what they leave open by closing around it.
    """
    left, count = list(due), 0
    for at, closer in (place.ahead or ())[dropped:]:
        if closer in left:
            while left.pop() != closer:
                count += 1
        elif not (place.unseen and at >= len(place.after) and closer in HIDDEN):
            count += 1
    return count


def _end(place: Place, text: str) -> str:
    """No space at the end, but before a word that goes on right at the cursor."""
    return text.rstrip() if place.after[:1].strip() == "" else text


def _inside_word(text: str, at: int) -> bool:
    return re.match(r"\w\w", text[max(at - 1, 0) : at + 1]) is not None


def _says(line: str, other: str) -> bool:
    return line.rstrip() == other.rstrip() and not _wordless(line)


def _wordless(text: str) -> bool:
    return re.search(r"[^\W\d_]", text) is None
