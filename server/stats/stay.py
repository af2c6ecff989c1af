"""Text that was accepted, followed through later edits: is it still there?"""

from dataclasses import dataclass

from ..documents import Edit

# When accepted text is looked for again.
CHECK_SECONDS = (30, 300)
# It counts as kept while at most this share of it, white space aside, has been changed, so
# that a renamed variable or a formatter's commas are no loss.
TOLERANCE = 0.25
# Characters put in place of the text up to which they are searched for what is like it,
# some hundredths of a second.
LARGEST = 20_000


@dataclass(slots=True)
class Stay:
    """Accepted text that stands at `[start, end)`, and the checks still to come."""

    start: int
    end: int
    text: str
    since: float
    checks: tuple[int, ...] = CHECK_SECONDS

    def move(self, edit: Edit) -> None:
        """Follow an edit; what is typed right before or behind is no part of the text."""
        grown = len(edit.text) - (edit.end - edit.start)
        put_back = self.start == self.end == edit.start == edit.end
        if edit.end <= self.start and not put_back:
            self.start, self.end = self.start + grown, self.end + grown
        elif edit.start < self.end or put_back:
            # A replacement that goes beyond the text counts with all that it put there.
            self.end = max(self.end, edit.end) + grown
            self.start = min(self.start, edit.start)


def still_there(text: str, found: str) -> bool:
    """Whether `text` is in `found` but for `TOLERANCE` of it; white space counts as one blank."""
    text, found = " ".join(text.split()), " ".join(found.split())
    if len(found) > LARGEST:
        return text in found
    return text in found or edits(text, found) <= TOLERANCE * len(text)


def edits(text: str, found: str) -> int:
    """The fewest insertions, deletions and substitutions that make `text` a part of `found`.

    Myers' bit-vector algorithm (1999), one step for each character of `found`: bit n of
    `up` and of `down` says that the distance grows or falls from the n-th character of
    `text` to the next.
    """
    if not text:
        return 0
    at: dict[str, int] = {}
    for number, letter in enumerate(text):
        at[letter] = at.get(letter, 0) | 1 << number
    everything, last = (1 << len(text)) - 1, 1 << (len(text) - 1)
    up, down, distance = everything, 0, len(text)
    best = distance
    for letter in found:
        same = at.get(letter, 0)
        kept = ((((same & up) + up) ^ up) | same) & everything
        right, left = down | (everything & ~(kept | up)), up & kept
        distance += bool(right & last) - bool(left & last)
        best = min(best, distance)
        right, left = right << 1 & everything, left << 1 & everything
        up, down = left | (everything & ~(same | down | right)), right & (same | down)
    return best
