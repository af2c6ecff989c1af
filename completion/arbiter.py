"""Model or copy: which is likelier right here, and how much of it.  Pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from . import chances, trim
from .copies import Copy
from .cursor import Cursor, Suggestion
from .place import Troubles
from .trim import Draft

# Copies that are trimmed and compared, and the chance that they must have at least; of
# others nothing would ever be seen.
CONSIDERED, LEAST = 6, 0.01


@dataclass(frozen=True, slots=True)
class Written:
    """What a model wrote: its lines, and the log-probability of each, all summed up.

    `done` is how it ended (see `wire.Done`).
    """

    text: str
    logprobs: tuple[float, ...]
    done: str
    sha256: str

    def first(self, lines: int) -> tuple[str, float]:
        """So many lines, and their log-probability."""
        return "\n".join(self.text.split("\n")[:lines]), sum(self.logprobs[:lines])


@dataclass(frozen=True, slots=True)
class Candidate:
    """A text that could be shown, and the chance that it is right.

    `copy` is where it was copied from, None where a model wrote it.
    """

    draft: Draft
    chance: float
    copy: Copy | None = None


def sure(copies: Sequence[Copy]) -> bool:
    """Whether one of them could be shown without asking a model."""
    return any(chances.hoped(copy, None) >= chances.SURE for copy in _cut(copies, 1))


def choose(
    cursor: Cursor,
    lines: int,
    copies: Sequence[Copy],
    written: Written | None,
    troubles: Troubles | None = None,
) -> Suggestion:
    """The likeliest text, and of several lines as many as are likely enough.

    Empty where there is none; `filtered` then says which rule refused the likeliest.
    `written` is None where no model was asked, `troubles` where no grammar can be.
    """
    best = _best(cursor, 1, copies, written, troubles)
    for more in range(2, lines + 1):
        longer = _best(cursor, more, copies, written, troubles)
        if longer is None or longer.chance < chances.FURTHER:
            break
        best = longer
    if best is None:
        return Suggestion("")
    draft, copy = best.draft, best.copy
    return Suggestion(
        draft.text,
        draft.replace,
        source=("model-free" if copy else "model") if draft.text else "none",
        filtered=draft.filtered,
        rules=draft.rules,
        chance=round(best.chance, 3),
        where=(copy.where or cursor.path) if copy else "",
    )


def _best(
    cursor: Cursor,
    lines: int,
    copies: Sequence[Copy],
    written: Written | None,
    troubles: Troubles | None,
) -> Candidate | None:
    """The likeliest text of `lines` lines, one that passes every rule if there is any."""
    least = LEAST if lines == 1 else chances.FURTHER
    candidates = list(_candidates(cursor, lines, _cut(copies, lines), written, least, troubles))
    passing = [one for one in candidates if one.draft.text]
    return max(passing or candidates, key=attrgetter("chance"), default=None)


def _candidates(
    cursor: Cursor,
    lines: int,
    copies: Sequence[Copy],
    written: Written | None,
    least: float,
    troubles: Troubles | None,
) -> Iterator[Candidate]:
    """Only what can have a chance of `least` is trimmed, which is most of the work."""
    _, logprob = written.first(lines) if written else ("", None)
    likely = [copy for copy in copies if chances.hoped(copy, logprob) >= least]
    likely = sorted(likely, key=lambda copy: -chances.of_copy(copy, copy.text))[:CONSIDERED]
    drafts = [(copy, trim.trim(cursor, copy.text, lines, troubles=troubles)) for copy in likely]
    if written is None:
        for copy, draft in drafts:
            yield Candidate(draft, chances.of_copy(copy, draft.text), copy)
        return
    text, logprob = written.first(lines)
    own = trim.trim(cursor, text, lines, _ending(written, lines), troubles)
    seconding = [copy for copy, draft in drafts if draft.text == own.text]
    yield Candidate(own, chances.of_model(written.sha256, logprob, next(iter(seconding), None)))
    for copy, draft in drafts:
        same = logprob if draft.text == own.text else None
        yield Candidate(draft, chances.of_copy_beside(copy, draft.text, same), copy)


def _ending(written: Written, lines: int) -> str:
    """A text that goes on behind the lines that are taken of it has come to their end."""
    return written.done if len(written.text.split("\n")) <= lines else "stop"


def _cut(copies: Sequence[Copy], lines: int) -> list[Copy]:
    """The same places, told apart only by the next `lines` lines."""
    alike: defaultdict[str, list[Copy]] = defaultdict(list)
    for copy in copies:
        alike["\n".join(copy.text.split("\n")[:lines])].append(copy)
    return [
        replace(
            max(group, key=attrgetter("length")),
            text=text,
            votes=tuple(map(sum, zip(*(copy.votes for copy in group), strict=True))),
        )
        for text, group in alike.items()
    ]
