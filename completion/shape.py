"""Rules about a model's text as such: its end, its indentation, its length."""

import re

from .place import TAB, Place, indentation, known, last_word, width, with_lf
from .syntax import block_head, read

# Special tokens that a tokenizer or a server may hand out as text.  The first three are
# the styles of Qwen, Llama and Falcon; of DeepSeek; of Seed-Coder.  The names are those
# of StarCoder, Granite, Mellum, CodeLlama and Gemma.
MARKER = re.compile(
    r"""<\|[^\s|<>]{1,40}\|>
    | <\uff5c[^\s\uff5c<>]{1,40}\uff5c>
    | <\[[^\s\[\]<>]{1,40}\]>
    | ▁?<(?:PRE|SUF|MID|EOT|EOD|/?fim[-_][a-z]+|file_sep|repo_name|end_of_turn|eos|/s)>
    | ^<(?:filename|reponame|gh_stars|start_of_turn|bos|s)>
    | <(?:\|[a-z_]+|\uff5c[^\s\uff5c<>]+)\Z  # The start of one, where the text was cut off.
    """,
    re.VERBOSE | re.MULTILINE,
)
# Halves of characters, control characters but tab and line feed, lone surrogates, and the
# marks that reorder or hide source text (CVE-2021-42574).
UNSHOWABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\ufffd\ufeff\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
FENCE = re.compile(r"\n?```[\w+-]*\n")
CLOSERS = re.compile(r"\s*[)\]}]+[,;]?")
# A short piece twelve times over or a long one four times is a model that went astray.
LOOP = re.compile(r"([^\n]{1,12}?)\1{11,}|([^\n]{10,80}?)\2{3,}")


def stop(place: Place, text: str) -> str:
    """Cut where the model has ended, or has begun to write what is no text."""
    text = with_lf(text)
    if place.syntax.brackets and place.code.inside is None:
        # A chat model wraps its answer in a fence; what follows the fence is talk.
        if fence := FENCE.match(text):
            text = text[fence.end() :]
        text = re.split(r"(?m)^```", text, maxsplit=1)[0]
    if end := UNSHOWABLE.search(text):
        text = text[: end.start()]
    for marker in MARKER.finditer(text):
        around = text[max(marker.start() - 1, 0) : marker.end() + 1]
        quoted = around[0] == around[-1] and around[0] in "\"'`"
        # Who works on a tokenizer writes the names of such tokens.
        if not quoted and not MARKER.search(place.words):
            return text[: marker.start()]
    return text


def fit_indentation(place: Place, text: str) -> str:
    """Bring the model's idea of the indentation in line with what is already there."""
    blanks = re.match(r"(?:[ \t]*\n)*", text)
    start = blanks.end() if blanks else 0
    if not text[start:].strip() or not (place.blank or start):
        return "\n".join(_in_unit(place, text.split("\n"), 1))
    if not place.blank and place.lines == 1:
        return text
    first, *rest = _in_unit(place, text[start:].split("\n"), 0)
    typed, lead = width(place.before) if place.blank else 0, width(first)
    if start and lead < typed:
        return ""  # It means to leave the block, and indentation stands in its way.
    # After a line break columns count from the margin, else from the cursor.
    literal = lead if start else typed + lead
    believed, certain = _believed(place, first, rest, literal, lead)
    total = max(believed, typed)
    if (deepest := _deepest(place)) is not None:
        total = min(total, max(deepest, typed))
    shift = total - believed if certain or believed != literal else 0
    if total != literal or (start and typed):
        first = _space(place, total - typed) + first.lstrip(" \t")
    if shift:
        rest = [_space(place, width(r) + shift) + r.lstrip(" \t") for r in rest]
    return "\n".join([*([] if place.blank else [""]), first, *rest])


def drop_unfinished(place: Place, text: str) -> str:
    """Leave out the line in which the model was cut off, or forgot to end a string."""
    *whole, last = text.split("\n")
    if place.lines == 1 and not place.after.strip() and _leaves_string(place, text):
        return ""
    if place.done == "stop":
        return text
    if any(line.strip() for line in whole):
        return text if place.lines == 1 else "\n".join([*whole, ""])
    if place.done != "length":
        return ""
    word = last_word(last)
    if not word or known(place, word):
        return text
    return text[: -len(word)].rstrip()


def limit_lines(place: Place, text: str) -> str:
    """Cut at the number of lines wanted, at the end of the block, at two blank lines."""
    lines = text.split("\n")
    if place.lines == 1:
        return lines[0] if place.after.strip() else lines[0].rstrip()
    floor = width(place.before + lines[0]) if place.blank else width(place.before)
    if not place.blank and place.head is not None:
        floor = width(place.head) + 1
    kept = [lines[0].rstrip()]
    room = place.lines + (not lines[0].strip())
    for line in lines[1:room]:
        if not line.strip() and not kept[-1]:
            break
        if line.strip() and width(line) < floor and not _in_quote(place, kept):
            closers = CLOSERS.match(line)
            below = CLOSERS.match(place.following[0]) if place.following else None
            # The same bracket in the same column is there already.
            if closers and not (below and below[0].startswith(closers[0].rstrip(",;"))):
                kept.append(closers[0])
            break
        kept.append(line.rstrip())
    return "\n".join(kept).rstrip()


def cut_repetition(place: Place, text: str) -> str:
    """Cut where the text begins to go round in circles."""
    lines = text.split("\n")
    for i in range(1, len(lines)):
        for period in (1, 2, 3):
            again = lines[i : i + period]
            if again == lines[max(i - period, 0) : i] and _wordy("".join(again)):
                return "\n".join(lines[:i]).rstrip()
    loop = LOOP.search(text)
    if loop and re.search(r"\w", loop[0]):
        return text[: text.rfind("\n", 0, loop.start()) + 1].rstrip()
    return text


def refuse_empty(place: Place, text: str) -> str:
    """Refuse blanks and a comment without a word."""
    return "" if text.strip() in ("", "#", "//", "/*", "*", "--") else text


def _believed(
    place: Place, first: str, rest: list[str], literal: int, lead: int
) -> tuple[int, bool]:
    """The column at which the model sees its first line, and whether the next line says so.

    It may go on from the cursor, repeat the indentation there, or write from the margin.
    """
    following = next((width(line) for line in rest if line.strip()), None)
    bare = first.strip()
    opens = block_head(bare, place.syntax, read(bare, place.syntax)) is not None
    if following is not None:
        expected = following - place.step if opens else following
        # From the margin: else the body of the block would stand left of it.
        margin = {0} if opens and not lead else set[int]()
        if expected in {literal, *({lead} if lead else ()), *margin}:
            return expected, True
    deepest = _deepest(place)
    fits = deepest is None or literal <= deepest
    return (lead if not fits and lead >= width(place.before) else literal), False


def _deepest(place: Place) -> int | None:
    """The column beyond which no line can begin here, None where it cannot be told."""
    if place.code.inside is not None:
        return None
    if place.head is not None:
        return width(place.head) + place.step
    line = place.above if place.blank else place.before
    if line.rstrip().endswith(("(", "[", "{")):
        return width(line) + place.step
    if place.syntax.indented:
        going_on = place.code.opened or line.endswith("\\")
    else:
        going_on = not line.rstrip().endswith((";", "{", "}", ","))
    return None if going_on and line else width(line)


def _in_unit(place: Place, lines: list[str], start: int) -> list[str]:
    """The lines from `start` on, indented with tabs or spaces as the document is."""
    return [line if i < start else _restyled(place, line) for i, line in enumerate(lines)]


def _restyled(place: Place, line: str) -> str:
    space = indentation(line)
    if place.unit == "\t" and "\t" not in space:
        return _space(place, len(space)) + line[len(space) :]
    if place.unit.startswith(" ") and "\t" in space:
        return space.replace("\t", place.unit) + line[len(space) :]
    return line


def _space(place: Place, columns: int) -> str:
    columns = max(columns, 0)
    tabs = columns // TAB if place.unit == "\t" else 0
    return "\t" * tabs + " " * (columns - tabs * TAB)


def _leaves_string(place: Place, text: str) -> bool:
    """Whether the first line of `text` begins a string of one line and does not end it."""
    first = read(text.split("\n", 1)[0], place.syntax, place.code.inside)
    began = first.inside and (not place.code.inside or first.closers)
    return bool(began and first.inside and not first.inside.lines and not first.inside.comment)


def _in_quote(place: Place, lines: list[str]) -> bool:
    """Whether a string or comment of several lines goes on behind `lines`."""
    inside = read("\n".join([*lines, ""]), place.syntax, place.code.inside).inside
    return inside is not None and inside.lines


def _wordy(line: str) -> bool:
    return len(re.findall(r"\w", line)) > 3
