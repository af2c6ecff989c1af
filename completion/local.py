"""Tokens from a GGUF in this process: KV slots, greedy decoding, healed words, rates."""

import codecs
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import families, gguf, prompt
from .engine import Answer, BackendError, Halted
from .families import Fim
from .wire import Complete, Done, Piece, Reason, State

# Tokens of one line, and of each further line that a block may take.
LINE_TOKENS = 48
BLOCK_TOKENS = 16
# Share of the context given to the suffix, and the most it may take.
SUFFIX_SHARE = 0.16
SUFFIX_TOKENS = 512
# A longer context than this costs more time than a completion is worth.
CONTEXT_TOKENS = 8192


@dataclass(slots=True)
class Slot:
    """What one KV sequence holds."""

    tokens: list[int] = field(default_factory=list[int])
    used: int = 0


class LocalBackend:
    """A `Backend` over `llama.Llama`."""

    def __init__(
        self, path: Path, *, threads: int = 1, gpu_layers: int = 0, slots: int = 4
    ) -> None:
        self._path = path
        self._threads = threads
        self._gpu_layers = gpu_layers
        self._slots = [Slot() for _ in range(slots)]
        self._anchors = prompt.Anchors()
        self._rates = {"prefill": 0.0, "decode": 0.0}
        self._clock = 0
        self._interrupt: Callable[[], None] = lambda: None
        self._resume: Callable[[], None] = lambda: None

    def load(self, progress: Callable[[float], None]) -> None:
        try:
            header = gguf.read(self._path)
        except gguf.BadModel as error:
            raise BackendError(str(error), "wicket model list") from None
        self._context = min(header.context or CONTEXT_TOKENS, CONTEXT_TOKENS)
        needed = gguf.memory_needed(header, self._context * len(self._slots))
        if (free := available_bytes()) is not None and needed > free:
            raise BackendError(
                f"{self._path.name} needs {needed >> 20} MB of memory and {free >> 20} MB are free",
                "wicket model list",
            )
        try:
            # Imported late: without the [llama] extra everything else still works.
            from . import llama  # noqa: PLC0415
        except ImportError:
            raise BackendError("llama-cpp-python is not installed", "wicket engine build") from None
        except (OSError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise BackendError(
                f"llama-cpp-python cannot be loaded: {reason}", "wicket engine build"
            ) from None
        try:
            self._llama = llama.Llama(
                self._path,
                context=self._context,
                slots=len(self._slots),
                threads=self._threads,
                gpu_layers=self._gpu_layers,
                progress=progress,
            )
            self._fim: Fim = families.fim_for(self._llama)
        except (llama.LlamaError, families.NotForInfill) as error:
            raise BackendError(str(error), "wicket model list") from None
        self._ends = self._llama.ends | self._fim.stops
        self._words = Words(self._llama.pieces)
        self._interrupt, self._resume = self._llama.interrupt, self._llama.resume
        self._interrupted = llama.Interrupted
        self._failed = llama.DecodeFailed

    def describe(self, state: State) -> State:
        return replace(
            state,
            family=self._fim.family.name,
            order=self._fim.family.order,
            context=self._context,
            rates={name: round(rate) for name, rate in self._rates.items()},
        )

    def interrupt(self) -> None:
        self._interrupt()

    def resume(self) -> None:
        self._resume()

    def complete(self, request: Complete, halted: Halted) -> Iterator[Answer]:
        began = time.monotonic()
        budget = budget_for(request, self._context)
        asked = prompt.build(
            self._fim,
            self._llama,
            budget,
            self._anchors,
            path=request.path,
            prefix=request.prefix,
            suffix=request.suffix,
            context=request.context,
        )
        tokens = {"prefill": 0, "reused": 0, "decoded": 0}
        ms = {"prefill": 0.0, "decode": 0.0}

        def done(reason: Reason) -> Done:
            return Done(request.id, reason, tokens=tokens, ms=ms)

        number = self._choose(asked.ids)
        slot = self._slots[number]
        reused = self._reuse(number, asked.ids)
        tokens["reused"] = reused
        fresh = asked.ids[reused:]
        try:
            self._evaluate(number, fresh)
        except self._interrupted:
            tokens["prefill"] = len(slot.tokens) - reused
            ms["prefill"] = _ms(began)
            yield done(halted() or "cancelled")
            return
        tokens["prefill"] = len(fresh)
        ms["prefill"] = _ms(began)
        self._measure("prefill", len(fresh), began)

        began = time.monotonic()
        text = Text(request.lines)
        rest = asked.healed
        reason: Reason = "length"
        for _ in range(budget.decode):
            token, logprob = self._choose_token(rest)
            if token in self._ends:
                reason = "stop"
                break
            piece = self._llama.pieces[token]
            new, rest = piece[len(rest) :], rest[len(piece) :]
            tokens["decoded"] += 1
            if shown := text.add(new):
                yield Piece(request.id, shown, round(logprob, 4))
            if text.full:
                reason = "stop"
                break
            if why := halted():
                reason = why
                break
            try:
                self._evaluate(number, [token])
            except self._interrupted:
                reason = halted() or "cancelled"
                break
        ms["decode"] = _ms(began)
        self._measure("decode", tokens["decoded"], began)
        yield done(reason)

    def _choose(self, ids: Sequence[int]) -> int:
        """The slot with the longest common beginning, else the one unused for longest."""
        shared = [common(slot.tokens, ids) for slot in self._slots]
        # Beginning alike (a header) is no reason to evict another file.
        best = max(range(len(shared)), key=shared.__getitem__)
        if shared[best] * 2 < min(len(ids), len(self._slots[best].tokens)):
            best = min(range(len(shared)), key=lambda i: self._slots[i].used)
        self._clock += 1
        self._slots[best].used = self._clock
        return best

    def _reuse(self, number: int, ids: Sequence[int]) -> int:
        """Keep what the slot shares with `ids`; at least the last token is evaluated."""
        slot = self._slots[number]
        kept = min(common(slot.tokens, ids), len(ids) - 1)
        kept = self._llama.keep(number, kept)
        del slot.tokens[kept:]
        return kept

    def _evaluate(self, number: int, tokens: Sequence[int]) -> None:
        """Append to a slot; what an interrupt or a failure left is recorded."""
        slot = self._slots[number]
        try:
            self._llama.evaluate(number, tokens, len(slot.tokens))
            slot.tokens.extend(tokens)
        except self._interrupted:
            kept = self._llama.length(number) - len(slot.tokens)
            slot.tokens.extend(tokens[: max(0, kept)])
            raise
        except self._failed as error:
            slot.tokens.clear()
            raise BackendError(str(error)) from None

    def _choose_token(self, rest: bytes) -> tuple[int, float]:
        """The likeliest token that agrees with `rest`, and its log-probability."""
        logits = self._llama.logits()
        if not rest:
            token = int(logits.argmax())
            top = float(logits[token])
            return token, -float(np.log(np.exp(logits - top).sum()))
        allowed = self._words.agreeing(rest)
        among = logits[allowed]
        best = int(among.argmax())
        top = float(among[best])
        return int(allowed[best]), -float(np.log(np.exp(among - top).sum()))

    def _measure(self, what: str, tokens: int, began: float) -> None:
        """A moving average; few tokens say little about the rate of many."""
        if tokens < 8:
            return
        rate = tokens / max(time.monotonic() - began, 1e-6)
        self._rates[what] += (rate - self._rates[what]) * (0.2 if self._rates[what] else 1.0)


def budget_for(request: Complete, context: int) -> prompt.Budget:
    """How a context of so many tokens is shared out."""
    room = LINE_TOKENS + BLOCK_TOKENS * (request.lines - 1)
    return prompt.Budget(
        context=context,
        suffix=min(int(context * SUFFIX_SHARE), SUFFIX_TOKENS),
        decode=min(room, context // 4),
    )


class Words:
    """Which tokens agree with a beginning of bytes: they start with it, or begin it."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces

    @cached_property
    def _sorted(self) -> tuple[list[bytes], list[int], dict[bytes, int]]:
        order = sorted((i for i, p in enumerate(self._pieces) if p), key=self._pieces.__getitem__)
        return (
            [self._pieces[i] for i in order],
            order,
            {self._pieces[i]: i for i in reversed(order)},
        )

    def agreeing(self, rest: bytes) -> NDArray[np.int64]:
        pieces, order, ids = self._sorted
        low = bisect_left(pieces, rest)
        high = bisect_left(pieces, _after(rest), low) if _after(rest) else len(pieces)
        begins = [ids[rest[:n]] for n in range(1, len(rest)) if rest[:n] in ids]
        return np.array(order[low:high] + begins, np.int64)


def _after(rest: bytes) -> bytes:
    """The least bytes greater than everything that starts with `rest`."""
    stripped = rest.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else b""


class Text:
    """Bytes of tokens becoming text: whole characters, at most `lines` lines."""

    def __init__(self, lines: int) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._left = lines
        self.full = False

    def add(self, data: bytes) -> str:
        """What of `data` can be shown; sets `full` at the end of the last line."""
        text = self._decoder.decode(data)
        for at, char in enumerate(text):
            if char == "\n":
                self._left -= 1
                if self._left == 0:
                    self.full = True
                    return text[:at]
        return text


def common(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the common beginning."""
    limit = min(len(a), len(b))
    if a[:limit] == b[:limit]:
        return limit
    return next(i for i in range(limit) if a[i] != b[i])


def available_bytes() -> int | None:
    """Memory that this process may still take: the machine's, or its address limit."""
    limits: list[int] = []
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                limits.append(int(line.split()[1]) << 10)
        import resource  # noqa: PLC0415  Absent on Windows.

        soft, _hard = resource.getrlimit(resource.RLIMIT_AS)
        if soft != resource.RLIM_INFINITY:
            used = int(Path("/proc/self/statm").read_text().split()[0])
            limits.append(soft - used * resource.getpagesize())
    except (OSError, ValueError, ImportError):
        pass
    return min(limits, default=None)


def _ms(began: float) -> float:
    return round((time.monotonic() - began) * 1000, 2)
