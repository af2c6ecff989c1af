"""Everything in a text that must not leave: by rule, by known value, by a word of the house."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from .known import Known
from .rules import Class, Pack

# Of findings that overlap, the graver one is kept, and then the longer.
_GRAVITY: dict[Class, int] = {"secret": 0, "personal": 1, "organisation": 2, "invisible": 3}

# Characters that are not seen and may carry a message or turn the order of what is seen
# (Unicode Technical Standard 39, section 5; Trojan Source, CVE-2021-42574).  Not the
# joiners of scripts and emoji between two letters, nor a byte order mark at the start.
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufff9-\ufffb"
    "\U000e0000-\U000e007f\U000e0100-\U000e01ef]+|(?<!^)\ufeff+"
)
# Those, and the joiners, of which one may stand in a name and none in a secret.
_UNSEEN = re.compile(rf"{_INVISIBLE.pattern.partition(']')[0]}\u200c\u200d\ufeff]")


@dataclass(frozen=True, slots=True)
class Finding:
    """`start` and `end` are characters; `rule` is an id of the pack, `known-secret`,
    `house-word` or `invisible-characters`."""

    start: int
    end: int
    rule: str
    kind: Class


def find(text: str, pack: Pack, known: Known) -> tuple[Finding, ...]:
    """What `text` holds, in order, without overlap."""
    found = [*_seen(text, pack, known), *_between(text, pack, known)]
    found += [
        Finding(*m.span(), "invisible-characters", "invisible") for m in _INVISIBLE.finditer(text)
    ]
    return tuple(_apart(found))


def _seen(text: str, pack: Pack, known: Known) -> Iterator[Finding]:
    yield from _by_rule(text, pack)
    yield from _known(text, known)
    yield from _words(text, pack.words)


def _between(text: str, pack: Pack, known: Known) -> Iterator[Finding]:
    """What is there once the characters are gone that nobody sees: they are taken out, and
    would put together what they hid."""
    if not _UNSEEN.search(text):
        return
    places = [at for at, character in enumerate(text) if not _UNSEEN.match(character)]
    for one in _seen("".join(text[at] for at in places), pack, known):
        yield Finding(places[one.start], places[one.end - 1] + 1, one.rule, one.kind)


def _by_rule(text: str, pack: Pack) -> Iterator[Finding]:
    content = text.encode("utf-8", "surrogatepass")
    lower = content.lower()
    places = None if len(content) == len(text) else _places(text)
    for rule in pack.rules:
        if rule.keywords and not any(word in lower for word in rule.keywords):
            continue
        group = 1 if rule.pattern.groups else 0
        for match in rule.pattern.finditer(content):
            start, end = match.span(group)
            value = content[start:end].decode("utf-8", "replace")
            if start < end and rule.check(value):
                if places is not None:
                    start, end = bisect_left(places, start), bisect_left(places, end)
                yield Finding(start, end, rule.id, rule.kind)


def _places(text: str) -> Sequence[int]:
    """The byte at which each character begins, and the end."""
    places, at = [0], 0
    for character in text:
        at += len(character.encode("utf-8", "surrogatepass"))
        places.append(at)
    return places


def _known(text: str, known: Known) -> Iterator[Finding]:
    for form in known.forms:
        yield from (Finding(a, a + len(form), "known-secret", "secret") for a in _all(text, form))
    # A piece of one at an end of the text: the rest is in the neighbouring piece of the file.
    if tail := known.begun_at_the_end(text):
        yield Finding(len(text) - tail, len(text), "known-secret", "secret")
    if head := known.ended_at_the_start(text):
        yield Finding(0, head, "known-secret", "secret")


def _words(text: str, words: Sequence[str]) -> Iterator[Finding]:
    if words:
        # The longest first, so that of two that begin alike all of it is found.
        any_word = "|".join(map(re.escape, sorted(words, key=len, reverse=True)))
        for match in re.finditer(any_word, text, re.IGNORECASE):
            yield Finding(*match.span(), "house-word", "organisation")


def _all(text: str, part: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + len(part))


def _apart(found: Iterable[Finding]) -> Iterator[Finding]:
    """Overlapping findings become one that spans them all, under the gravest rule."""
    group: list[Finding] = []
    reach = 0
    for one in sorted(found, key=lambda one: (one.start, -one.end)):
        if group and one.start >= reach:
            yield _gravest(group, reach)
            group = []
        group.append(one)
        reach = max(reach, one.end)
    if group:
        yield _gravest(group, reach)


def _gravest(group: Sequence[Finding], reach: int) -> Finding:
    worst = min(group, key=lambda one: (_GRAVITY[one.kind], one.start - one.end))
    return Finding(group[0].start, reach, worst.rule, worst.kind)
