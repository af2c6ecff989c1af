"""Which family a model belongs to, and its prompt as token ids.

A prompt is a list of ids and texts, never one text: nothing in the user's file can
become a marker.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from .cursor import Cursor, Snippet
from .formats import FAMILIES, UNNAMED, Family, Order, order_of
from .gguf import shown


class NotForInfill(Exception):
    """The vocabulary has no fill-in-the-middle markers; the message is one line."""


class Lexicon(Protocol):
    """The tokens of a model, loaded or not."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """Scalar GGUF metadata as text; booleans are "true" and "false"."""
        ...

    @property
    def size(self) -> int: ...

    def id_of(self, token_text: str, /) -> int | None:
        """The token with exactly this text, markers included."""
        ...


class Vocabulary(Lexicon, Protocol):
    """The tokens of a loaded model."""

    def tokenize(self, text: str, /) -> list[int]:
        """Ids of plain text: markers in it are not parsed, nothing is put before it."""
        ...


@dataclass(frozen=True, slots=True)
class Fim:
    """A family's markers as ids of one vocabulary; any of `stops` ends the answer."""

    family: Family
    layout: str
    pre: int
    suf: int
    mid: int | None
    sep: int | None
    rep: int | None
    stops: frozenset[int]
    bos: int | None

    @property
    def order(self) -> Order:
        return order_of(self.layout)


def fim_for(vocabulary: Lexicon, order: Order | None = None) -> Fim:
    """Find the family of a vocabulary and its markers' ids.

    Ids named in the GGUF metadata win over token texts.  `order` chooses among the
    layouts that the family was trained with; by default, and where none is of that
    order, the documented one is taken.  Raises NotForInfill.
    """
    metadata = vocabulary.metadata
    name = metadata.get("general.name", "")
    kind = f"{name} {metadata.get('general.architecture', '')}".lower()
    family = next((f for f in FAMILIES if _fits(f, kind, vocabulary)), UNNAMED)
    pre = _marker(vocabulary, ("fim_pre", "prefix"), family.prefix)
    suf = _marker(vocabulary, ("fim_suf", "suffix"), family.suffix)
    mid = _marker(vocabulary, ("fim_mid", "middle"), family.middle)
    if pre is None or suf is None or (mid is None and family.middle is not None):
        raise NotForInfill(
            f"{shown(name) or 'this model'} has no fill-in-the-middle tokens, so it is "
            "no use inside a file; choose another with `wicket model list`"
        )
    sep = _marker(vocabulary, ("fim_sep",), family.separator)
    rep = _marker(vocabulary, ("fim_rep",), family.repository)
    ends = [
        *(_marker(vocabulary, (key,), None) for key in ("fim_pad", "eos", "eot", "eom")),
        *(_id_of(vocabulary, text) for text in family.stops),
    ]
    layouts = family.layouts
    return Fim(
        family=family,
        layout=next((it for it in layouts if order_of(it) == order), layouts[0]),
        pre=pre,
        suf=suf,
        mid=None if family.middle is None else mid,
        sep=sep,
        rep=rep,
        # A marker never belongs into a file, so each of them ends the answer.
        stops=frozenset(i for i in (pre, suf, mid, sep, rep, *ends) if i is not None),
        bos=_bos(vocabulary),
    )


def parts(
    fim: Fim,
    path: str,
    prefix: str,
    suffix: str,
    context: Sequence[Snippet] = (),
) -> list[int | str]:
    """The prompt as marker ids and texts; texts never stand side by side.

    `path` is relative to the workspace.  A family that knows no way to show other files
    is shown none of `context`.
    """
    family = fim.family
    found: list[int | str] = [] if fim.bos is None else [fim.bos]
    # Without its separator a vocabulary cannot tell where one file ends.
    several = family.header != "never" and (not family.separator or fim.sep is not None)
    others = context if several else ()
    header = family.header == "always" or bool(others)

    def mark(token: int | None) -> None:
        if token is not None:
            found.append(token)

    def write(text: str, before_answer: bool = True) -> None:
        text = to_model(fim, text)
        if text and found and isinstance(found[-1], str):
            found[-1] += text
        elif text:
            found.append(family.lead + text if before_answer else text)

    for slot in fim.layout.split():
        match slot:
            case "context":
                for snippet in others:
                    mark(fim.sep)
                    write(family.path_line.format(path=snippet.path) + snippet.text)
                    if not snippet.text.endswith(family.gap):
                        write(family.gap)
            case "sep" if header:
                mark(fim.sep)
            case "path" if header:
                write(family.path_line.format(path=path))
            case "pre":
                mark(fim.pre)
            case "suf":
                mark(fim.suf)
            case "mid":
                mark(fim.mid)
            case "PREFIX":
                write(prefix)
            case "SUFFIX":
                write(suffix, before_answer=False)
            case _:
                pass
    return found


def shows_files(family: str) -> bool:
    """Whether the family of this name knows a way to show other files."""
    return any(row.name == family and row.header != "never" for row in FAMILIES)


def token_ids(parts: Sequence[int | str], vocabulary: Vocabulary) -> list[int]:
    """The prompt as ids.  No marker comes from a text, whatever the text contains."""
    markers = frozenset(part for part in parts if isinstance(part, int))
    ids: list[int] = []
    for part in parts:
        if isinstance(part, int):
            ids.append(part)
        else:
            ids += text_ids(part, vocabulary, markers)
    return ids


# Never joins with what follows it, so its tokens can be cut off again.
GUARD = "\u263a"


def text_ids(text: str, vocabulary: Vocabulary, markers: Collection[int] = ()) -> list[int]:
    """Ids of `text` exactly, none of which is in `markers`."""
    if not text:
        return []
    ids = vocabulary.tokenize(text)
    if _implies_space(vocabulary):
        guard = vocabulary.tokenize(GUARD)
        guarded = vocabulary.tokenize(GUARD + text)
        if guarded[: len(guard)] == guard:
            ids = guarded[len(guard) :]
    if any(i in markers for i in ids):
        # Tokens of the type "user defined" are found in plain text too.  Half a marker
        # is none, so the text is halved until no half holds one.
        half = len(text) // 2
        if half == 0:
            return [i for i in ids if i not in markers]
        ids = text_ids(text[:half], vocabulary, markers)
        ids += text_ids(text[half:], vocabulary, markers)
    return ids


def to_model(fim: Fim, text: str) -> str:
    """`text` as the family saw text in training.

    Cutting a text anywhere but inside a CRLF and converting the halves gives the same.
    """
    if not fim.family.spaces_for_tabs:
        return text
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.replace("\t", "    ")


def from_model(family: str, text: str, cursor: Cursor) -> str:
    """What `family` generated, indented as the document around the cursor is.

    Each four leading spaces become a tab again where that document indents with tabs.
    Spaces inside a line stay: nothing tells whether they were a tab.  Lines end in LF.
    """
    row = next((f for f in FAMILIES if f.name == family), None)
    if row is None or not row.spaces_for_tabs or not indents_with_tabs(cursor):
        return text
    return with_tabs(text, fresh_line=not cursor.line_before.strip())


def with_tabs(text: str, fresh_line: bool) -> str:
    """Tabs for the indentation of each line; of the first only on a `fresh_line`."""
    lines = text.split("\n")
    for i, line in enumerate(lines):
        tabs = (len(line) - len(line.lstrip(" "))) // 4
        if tabs and (i > 0 or fresh_line):
            lines[i] = "\t" * tabs + line[4 * tabs :]
    return "\n".join(lines)


# Characters before and after the cursor that show how a document is indented.
NEAR = 8192
INDENTED = re.compile(r"^(\t| {2})", re.MULTILINE)


def indents_with_tabs(cursor: Cursor) -> bool:
    start = max(0, cursor.offset - NEAR)
    found = INDENTED.findall(cursor.text[start : cursor.offset + NEAR])
    return found.count("\t") * 2 > len(found)


def _fits(family: Family, kind: str, vocabulary: Lexicon) -> bool:
    texts = (family.prefix, family.suffix, family.middle)
    return re.search(family.names, kind) is not None and all(
        _id_of(vocabulary, text) is not None for text in texts if text is not None
    )


def _id_of(vocabulary: Lexicon, text: str) -> int | None:
    """SentencePiece vocabularies may hold a marker with their space sign before it."""
    found = vocabulary.id_of(text)
    return vocabulary.id_of(f"▁{text}") if found is None else found


def _marker(vocabulary: Lexicon, keys: Sequence[str], text: str | None) -> int | None:
    """A token that the metadata names, else the one with this text."""
    for key in keys:
        value = vocabulary.metadata.get(f"tokenizer.ggml.{key}_token_id", "")
        if value.isdecimal() and int(value) < vocabulary.size:
            return int(value)
    return _id_of(vocabulary, text) if text else None


def _bos(vocabulary: Lexicon) -> int | None:
    """The token that begins every sequence, if any; defaults as in llama.cpp."""
    metadata = vocabulary.metadata
    sentencepiece = metadata.get("tokenizer.ggml.model") == "llama"
    wanted = metadata.get("tokenizer.ggml.add_bos_token")
    if wanted == "true" or (wanted is None and sentencepiece):
        found = _marker(vocabulary, ("bos",), None)
        return 1 if found is None and sentencepiece else found
    return None


def _implies_space(vocabulary: Lexicon) -> bool:
    """Whether the tokenizer puts a space before every text (SentencePiece)."""
    metadata = vocabulary.metadata
    return (
        metadata.get("tokenizer.ggml.model") == "llama"
        and metadata.get("tokenizer.ggml.add_space_prefix") != "false"
    )
