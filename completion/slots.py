"""What a KV cache holds: one slot per recent document, beginnings shared, failures survived."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

# Another document's beginning is copied where it saves at least so many tokens: a copy is
# of a whole slot, some milliseconds for a large model.
COPY_TOKENS = 16


class LlamaError(Exception):
    """llama.cpp said no.  The message is one line."""


class CannotLoad(LlamaError):
    """The model or its context could not be created."""


class Interrupted(LlamaError):
    """`interrupt` was called during `evaluate`; finished micro-batches are kept."""


class DecodeFailed(LlamaError):
    """`llama_decode` failed; what the sequences hold is no longer known."""


class Sequences(Protocol):
    """Token sequences that a model has read, by number; `llama.Llama` is one."""

    def evaluate(self, slot: int, tokens: Sequence[int], position: int, rows: int = 1) -> None: ...

    def length(self, slot: int) -> int: ...

    def keep(self, slot: int, length: int) -> int: ...

    def copy(self, source: int, target: int, length: int) -> int: ...

    def forget(self) -> None: ...

    def renew(self) -> None: ...


@dataclass(slots=True)
class Slot:
    """What one sequence holds, for which document, and when it was last used."""

    tokens: list[int] = field(default_factory=list[int])
    path: str = ""
    used: int = 0


class Slots:
    """The bookkeeping of `sequences`: what it says of a slot, llama.cpp says too."""

    def __init__(self, sequences: Sequences, count: int) -> None:
        self._sequences = sequences
        self._slots = [Slot() for _ in range(count)]
        self._clock = 0
        # Tokens that were evaluated, those twice counted twice.
        self.evaluated = 0

    def choose(self, path: str, ids: Sequence[int]) -> int:
        """The slot that goes on with this document, else the one unused for longest.

        Where that one and another begin alike, with the context of a repository or with
        the same file from elsewhere, the beginning is copied and not evaluated again.
        """
        slots = self._slots
        shared = [common(slot.tokens, ids) for slot in slots]
        best = chosen = max(range(len(slots)), key=lambda i: (shared[i], slots[i].path == path))
        if slots[best].path != path or shared[best] * 2 < min(len(ids), len(slots[best].tokens)):
            chosen = min(range(len(slots)), key=lambda i: slots[i].used)
            if shared[best] >= shared[chosen] + COPY_TOKENS:
                kept = self._sequences.copy(best, chosen, shared[best])
                slots[chosen].tokens = list(ids[:kept])
        self._clock += 1
        slots[chosen].path, slots[chosen].used = path, self._clock
        return chosen

    def reuse(self, number: int, ids: Sequence[int]) -> int:
        """Keep what the slot shares with `ids`; at least the last token is evaluated."""
        return self.keep(number, min(common(self._slots[number].tokens, ids), len(ids) - 1))

    def keep(self, number: int, length: int) -> int:
        """Forget a slot from `length` on; answers what remains."""
        kept = self._sequences.keep(number, length)
        del self._slots[number].tokens[kept:]
        return kept

    def evaluate(self, number: int, tokens: Sequence[int], rows: int = 1) -> None:
        """Append to a slot, whatever it takes; raises Interrupted and LlamaError.

        Logits are those behind the last so many `rows` of the tokens.
        After a failure nobody knows what the cache holds, whatever llama.cpp's code for it
        (no room, a refused batch, memory, the computation): all slots are emptied and the
        whole text is evaluated again; where that fails too, in a new context.
        """
        whole = [*self._slots[number].tokens, *tokens]
        try:
            return self._append(number, tokens, rows)
        except DecodeFailed:
            self.forget()
        try:
            return self._append(number, whole, rows)
        except DecodeFailed:
            self.forget()
        try:
            self._sequences.renew()
            return self._append(number, whole, rows)
        except (DecodeFailed, CannotLoad):
            self.forget()
            raise

    def _append(self, number: int, tokens: Sequence[int], rows: int) -> None:
        """Evaluate behind what the slot holds; what an interrupt left is recorded."""
        slot = self._slots[number]
        held = len(slot.tokens)
        try:
            self._sequences.evaluate(number, tokens, held, rows)
            slot.tokens.extend(tokens)
        except Interrupted:
            kept = self._sequences.length(number) - held
            slot.tokens.extend(tokens[: max(0, kept)])
            raise
        finally:
            self.evaluated += len(slot.tokens) - held

    def forget(self) -> None:
        """Empty every slot."""
        self._sequences.forget()
        for slot in self._slots:
            slot.tokens.clear()

    def holds(self, number: int) -> list[int]:
        """The tokens of a slot."""
        return list(self._slots[number].tokens)

    def held(self) -> list[int]:
        """How many tokens each slot holds."""
        return [len(slot.tokens) for slot in self._slots]


def common(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the common beginning."""
    limit = min(len(a), len(b))
    if a[:limit] == b[:limit]:
        return limit
    return next(i for i in range(limit) if a[i] != b[i])
