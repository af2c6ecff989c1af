"""Model or copy: which is likelier right here, and how much of it.  Pure."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

from . import chances
from .copies import Copy
from .cursor import Suggestion, gist
from .trim import Draft, Drafts

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


@dataclass(frozen=True, slots=True)
class Glance:
    """Whether one of the copies could be shown without asking a model, and the single lines
    of them that will be looked at if one is asked, mostly."""

    sure: bool
    lines: tuple[str, ...]


def glance(copies: Sequence[Copy]) -> Glance:
    short = _cut(copies, 1)
    hopes = [chances.hoped(copy, None) for copy in short]
    likely = [copy for copy, hope in zip(short, hopes, strict=True) if hope >= LEAST]
    return Glance(
        any(hope >= chances.SURE for hope in hopes),
        tuple(copy.text for copy in _considered(likely)),
    )


def choose(
    drafts: Drafts,
    lines: int,
    copies: Sequence[Copy],
    written: Written | None,
    known: Sequence[Suggestion] = (),
    by_hand: bool = False,
) -> Suggestion:
    """The likeliest text, and of several lines as many as are likely enough.

    Empty where there is none; `filtered` then says which rule refused the likeliest.
    `written` is None where no model was asked.  What is `known` is not chosen again.  Who
    asks `by_hand` gets a block that begins with a line break, however likely.
    """
    gists = {gist(one.text) for one in known}
    best = _best(drafts, 1, copies, written, gists, LEAST)
    for more in range(2, lines + 1):
        blank = best is None or not best.draft.text
        least = 0.0 if by_hand and blank else chances.FURTHER
        longer = _best(drafts, more, copies, written, gists, least)
        if longer is None or longer.chance < least:
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
        where=(copy.where or drafts.cursor.path) if copy else "",
        line=copy.line if copy else 1,
    )


def others(
    drafts: Drafts,
    lines: int,
    copies: Sequence[Copy],
    written: Sequence[Written],
    best: Suggestion,
    most: int,
) -> tuple[Suggestion, ...]:
    """So many texts beside the `best`, the likeliest first; no two have one gist.

    What a model has `written` is in its own order.
    """
    found = [best]
    for text in written[1:]:
        found.append(choose(drafts, lines, (), text, found, by_hand=True))
    first = next(iter(written), None)
    for _ in range(most):
        # Copies beside what the model thinks likeliest, and that text where a copy won.
        found.append(choose(drafts, lines, copies, first, found, by_hand=True))
    rest = [one for one in found[1:] if one.text]
    return tuple(sorted(rest, key=lambda one: -one.chance)[:most])


def _best(
    drafts: Drafts,
    lines: int,
    copies: Sequence[Copy],
    written: Written | None,
    known: Collection[str],
    least: float,
) -> Candidate | None:
    """The likeliest text of `lines` lines, one that passes every rule if there is any.

    Not one whose gist is `known`, and of copies those that can have a chance of `least`.
    """
    found = _candidates(drafts, lines, _cut(copies, lines), written, least)
    candidates = [one for one in found if not known or gist(one.draft.text) not in known]
    passing = [one for one in candidates if one.draft.text]
    return max(passing or candidates, key=attrgetter("chance"), default=None)


def _candidates(
    drafts: Drafts,
    lines: int,
    copies: Sequence[Copy],
    written: Written | None,
    least: float,
) -> Iterator[Candidate]:
    """Only what can have a chance of `least` is trimmed, which is most of the work."""
    _, logprob = written.first(lines) if written else ("", None)
    likely = [copy for copy in copies if chances.hoped(copy, logprob) >= least]
    trimmed = [(copy, drafts.of(copy.text, lines)) for copy in _considered(likely)]
    if written is None:
        for copy, draft in trimmed:
            yield Candidate(draft, chances.of_copy(copy, draft.text), copy)
        return
    text, logprob = written.first(lines)
    own = drafts.of(text, lines, _ending(written, lines))
    seconding = [copy for copy, draft in trimmed if draft.text == own.text]
    yield Candidate(own, chances.of_model(written.sha256, logprob, next(iter(seconding), None)))
    for copy, draft in trimmed:
        same = logprob if draft.text == own.text else None
        yield Candidate(draft, chances.of_copy_beside(copy, draft.text, same), copy)


def _considered(copies: Sequence[Copy]) -> list[Copy]:
    return sorted(copies, key=lambda copy: -chances.of_copy(copy, copy.text))[:CONSIDERED]


def _ending(written: Written, lines: int) -> str:
    """A text that goes on behind the lines that are taken of it has come to their end."""
    return written.done if len(written.text.split("\n")) <= lines else "stop"


def _cut(copies: Sequence[Copy], lines: int) -> list[Copy]:
    """The same places, told apart only by the next `lines` lines."""
    alike: defaultdict[str, list[Copy]] = defaultdict(list)
    for copy in copies:
        alike["\n".join(copy.text.split("\n", lines)[:lines])].append(copy)
    return [_together(text, group) for text, group in alike.items()]


def _together(text: str, group: Sequence[Copy]) -> Copy:
    if len(group) == 1 and group[0].text == text:
        return group[0]  # Which is most of them.
    votes = tuple(map(sum, zip(*(copy.votes for copy in group), strict=True)))
    best = max(group, key=attrgetter("length"))
    return Copy(text, best.length, best.where, best.at, votes, best.places, best.origin)
