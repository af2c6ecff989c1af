"""From a cursor's surroundings to token ids: windows, the sticky anchor, the healed tail.

Pure but for `Anchors`, which remembers where the window of each file began: a window that
slides with every key would change its first token and lose the whole KV cache.
"""

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from . import families
from .cursor import Snippet
from .families import Fim, Vocabulary
from .wire import State

# What a prompt of which nothing is cached may cost, in seconds at the measured rate.
COLD_SECONDS = 4.0
# Of such a prompt, the part for other files; and how many tokens of them hold nearly every
# definition that is needed, after tests/benchmarks/recall.py.
CONTEXT_SHARE, CONTEXT_TOKENS = 0.25, 1024
# Parameters from which on a model is better for other files (docs/evaluation.md).
LARGE = 45_000_000
# A window that outgrows its budget is cut back to this share of it, so that the next cut
# is many keys away.
LOW_WATER = 0.7
# The first characters of a window, by which it is found again in the next request.
HEAD = 160
# Characters that may be typed between two requests without losing the window's beginning.
GROWTH = 512
# Characters of the end of a path; a longer one would take the room of the code.
PATH = 100
# Files whose anchors are remembered.
FILES = 32
# The word that the cursor stands in: its tokens are taken back and generated again under
# a constraint, because half a word is tokenised unlike a whole.
PARTIAL_WORD = re.compile(r"\w{1,32}\Z")


@dataclass(frozen=True, slots=True)
class Budget:
    """Tokens that each part of the prompt may take; `context` is the model's whole window."""

    context: int
    suffix: int
    decode: int

    @property
    def prompt(self) -> int:
        return self.context - self.decode


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids, and the bytes that the first generated tokens must spell again."""

    ids: list[int]
    healed: bytes


@dataclass(frozen=True, slots=True)
class Anchor:
    """How a window began, and how long it was: enough to find its beginning again."""

    head: str = ""
    length: int = 0

    def find(self, prefix: str) -> int:
        """Where the window begins in `prefix`; -1 where it cannot be found."""
        if not self.head:
            return -1
        return prefix.find(self.head, max(0, len(prefix) - self.length - GROWTH))


class Anchors:
    """Where the prefix window of each recent file begins."""

    def __init__(self) -> None:
        self._of: OrderedDict[str, Anchor] = OrderedDict()

    def of(self, path: str) -> Anchor:
        return self._of.get(path, Anchor())

    def remember(self, path: str, window: str) -> None:
        self._of.pop(path, None)
        self._of[path] = Anchor(window[:HEAD], len(window))
        while len(self._of) > FILES:
            self._of.popitem(last=False)


def build(
    fim: Fim,
    vocabulary: Vocabulary,
    budget: Budget,
    anchors: Anchors,
    *,
    path: str,
    prefix: str,
    suffix: str,
    context: Sequence[Snippet] = (),
    heal: bool = True,
) -> Prompt:
    """The prompt of this family within `budget`, its prefix window anchored."""
    path = path[-PATH:]
    before, after = families.to_model(fim, prefix), families.to_model(fim, suffix)
    before, healed = split_partial_word(before) if heal else (before, "")
    after = cut_suffix(after, vocabulary, budget.suffix)

    def ids(window: str, snippets: Sequence[Snippet]) -> list[int]:
        parts = families.parts(fim, path, window, after, snippets)
        return families.token_ids(parts, vocabulary)

    snippets = list(context)
    while snippets and len(ids("", snippets)) > budget.prompt // 2:
        snippets.pop(0)
    room = budget.prompt - len(ids("", snippets))
    window = cut_prefix(before, vocabulary, room, anchors.of(path))
    anchors.remember(path, window)
    return Prompt(ids(window, snippets), healed.encode())


def room_for_context(state: State, wanted: bool | str) -> int:
    """Tokens of other files to show the model of `state`; 0 for none.

    `wanted` is the setting: true, false, or "auto" for where the model is better for it.
    A server elsewhere does not say how large its model is; those are seldom small.
    """
    small = 0 < state.parameters < LARGE
    if not wanted or (wanted == "auto" and small) or not families.shows_files(state.family):
        return 0
    whole = state.context
    if rate := state.rates.get("prefill"):
        whole = min(whole, int(rate * COLD_SECONDS))
    return min(int(whole * CONTEXT_SHARE), CONTEXT_TOKENS)


def split_partial_word(prefix: str) -> tuple[str, str]:
    """`prefix` without the word at its end, and that word with the space before it.

    A token usually holds the space before its word; the space of an indentation stays.
    """
    match = PARTIAL_WORD.search(prefix, max(0, len(prefix) - 33))
    at = match.start() if match else len(prefix)
    if prefix[:at].endswith(" ") and prefix[max(0, at - 2) : at - 1].strip():
        at -= 1
    return prefix[:at], prefix[at:]


def cut_prefix(prefix: str, vocabulary: Vocabulary, room: int, anchor: Anchor) -> str:
    """The end of `prefix` in at most `room` tokens, beginning at `anchor` while it fits."""
    if room <= 0:
        return ""
    at = anchor.find(prefix)
    # No token of source code is longer than 16 characters on average.
    window = prefix[at:] if at >= 0 else prefix[-room * 16 :]
    while (tokens := len(vocabulary.tokenize(window))) > room:
        keep = int(len(window) / tokens * room * LOW_WATER)
        window = from_line_start(window, len(window) - keep)
    return window


def from_line_start(text: str, at: int) -> str:
    """`text` from the first line that begins at or after `at`; from `at` if none does."""
    line = text.find("\n", max(0, at - 1)) + 1
    return text[line:] if 0 < line < len(text) else text[at:]


def cut_suffix(suffix: str, vocabulary: Vocabulary, room: int) -> str:
    """The beginning of `suffix` in about `room` tokens, ending with a whole line."""
    window = whole_lines(suffix, room * 4)
    while (tokens := len(vocabulary.tokenize(window))) > room:
        window = whole_lines(window, int(len(window) / tokens * room * 0.95))
    return window


def whole_lines(text: str, limit: int) -> str:
    """The beginning of `text` in `limit` characters, ending with a line if one fits."""
    if len(text) <= limit:
        return text
    return text[: text.rfind("\n", 1, limit) + 1] or text[:limit]
