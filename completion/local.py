"""Tokens from a GGUF in this process: KV slots, greedy decoding, healed words, rates."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from . import families, gguf, prompt
from .budget import UNMEASURED, budget_for
from .continuations import Lexicon
from .corpus import Corpus
from .decoding import Guide, Logits, Spent, decode
from .engine import Answer, BackendError, Halted, not_installed
from .families import Fim
from .guides import Guides
from .slots import CannotLoad, DecodeFailed, Interrupted, LlamaError, Slots
from .wire import Complete, Done, Piece, Reason, State

if TYPE_CHECKING:
    from .llama import Llama

# A longer context than this costs more time than a completion is worth.
CONTEXT_TOKENS = 8192
# What all further texts may cost somebody who asks for alternatives.
ALTERNATIVES_SECONDS = 0.5
# Rates that moved by less than this factor change no budget: a prompt cut elsewhere would
# lose what is cached of it.
STEADY = 2.0
# Tokens that are evaluated at the start, so that rates are known before the first key.
TRIAL_TOKENS = 32
# Where memory is short, fewer documents are remembered, and then the context shrinks, but
# not below this.
LEAST_CONTEXT = 2048


class LocalBackend:
    """A `Backend` over `llama.Llama`."""

    def __init__(
        self,
        path: Path,
        *,
        threads: int = 1,
        gpu_layers: int = 0,
        slots: int = 4,
        corpus: Corpus | None = None,
    ) -> None:
        self._path = path
        self._corpus = corpus or Corpus()
        self._threads = threads
        self._gpu_layers = gpu_layers
        self._most_slots = slots
        self._anchors = prompt.Anchors()
        self._rates = dict(UNMEASURED)
        self._assumed = dict(self._rates)
        self._interrupt: Callable[[], None] = lambda: None
        self._resume: Callable[[], None] = lambda: None

    def load(self, progress: Callable[[float], None]) -> None:
        try:
            header = gguf.read(self._path)
        except gguf.BadModel as error:
            raise BackendError(str(error), "wicket model list") from None
        self._context, slots = self._fitting(header)
        self._parameters = header.parameters
        try:
            # Imported late: without the [llama] extra everything else still works.
            from . import llama  # noqa: PLC0415
        except ImportError:
            raise not_installed() from None
        except (OSError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
            raise BackendError(
                f"llama-cpp-python cannot be loaded: {reason}", "wicket engine build"
            ) from None
        try:
            self._llama = llama.Llama(
                self._path,
                context=self._context,
                slots=slots,
                threads=self._threads,
                gpu_layers=self._gpu_layers,
                progress=progress,
            )
            self._fim: Fim = families.fim_for(self._llama)
        except (LlamaError, families.NotForInfill) as error:
            raise BackendError(str(error), "wicket model list") from None
        self._ends = self._llama.ends | self._fim.stops
        self._guides = Guides(
            Lexicon(self._llama.pieces, self._llama.spell), self._fim, self._corpus
        )
        self._interrupt, self._resume = self._llama.interrupt, self._llama.resume
        self._slots = Slots(self._llama, slots)
        self._try_out()

    def _fitting(self, header: gguf.Gguf) -> tuple[int, int]:
        """Tokens of a context and how many, as the free memory allows; raises BackendError."""
        free = available_bytes()
        least = 0
        context = min(header.context or CONTEXT_TOKENS, CONTEXT_TOKENS)
        for tokens, slots in sizes(context, self._most_slots):
            least = gguf.memory_needed(header, tokens * slots)
            if free is None or least <= free:
                return tokens, slots
        raise BackendError(
            f"{self._path.name} needs {least >> 20} MB of memory and "
            f"{(free or 0) >> 20} MB are free",
            "wicket model list",
        )

    def _try_out(self) -> None:
        """Learn the rates; the weights are then in memory, too."""
        some = self._llama.tokenize("value = 1\n" * TRIAL_TOKENS)[:TRIAL_TOKENS]
        try:
            for tokens, what in (([some], "prefill"), ([[t] for t in some[:8]], "decode")):
                began = time.monotonic()
                for chunk in tokens:
                    self._evaluate(0, chunk)
                self._measure(what, sum(map(len, tokens)), began)
        except Interrupted:
            return
        self._slots.forget()

    def describe(self, state: State) -> State:
        return replace(
            state,
            family=self._fim.family.name,
            order=self._fim.family.order,
            context=self._context,
            parameters=self._parameters,
            rates={name: round(rate) for name, rate in self._rates.items()},
        )

    def interrupt(self) -> None:
        self._interrupt()

    def resume(self) -> None:
        self._resume()

    def close(self) -> None:
        """Give the memory back; afterwards there is nothing to ask."""
        self._llama.close()

    def complete(self, request: Complete, halted: Halted) -> Iterator[Answer]:
        began = time.monotonic()
        budget = budget_for(request, self._context, self._steady_rates(), self._fim.order)
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

        number = self._slots.choose(request.path, asked.ids)
        reused = self._slots.reuse(number, asked.ids)
        tokens["reused"] = reused
        fresh = asked.ids[reused:]
        before = self._slots.evaluated
        try:
            self._evaluate(number, fresh)
        except Interrupted:
            tokens["prefill"] = self._slots.evaluated - before
            ms["prefill"] = _ms(began)
            yield done(halted() or "cancelled")
            return
        tokens["prefill"] = self._slots.evaluated - before
        ms["prefill"] = _ms(began)
        self._measure("prefill", tokens["prefill"], began)
        # What it looks into is put in order here, so that a warmed request finds it done.
        guide = self._guides.of(request, asked.healed)
        if request.priority == "warm":
            yield done("stop")
            return

        began = time.monotonic()
        spent, logits = Spent(), self._llama.logits()
        logits = logits.copy() if request.alternatives > 1 else logits
        model = Reading(partial(self._evaluate, number), self._llama, self._slots, number, logits)
        write = partial(self._write, request, model, guide, asked.healed, budget.decode, spent)
        reason: Reason = "length"
        for said in write(0, halted):
            if isinstance(said, Piece):
                yield said
            else:
                reason = said
        tokens["decoded"] = spent.decoded
        if spent.guessed:
            tokens["guessed"] = spent.guessed
        ms["decode"] = _ms(began)
        self._measure("decode", tokens["decoded"], began)
        if request.alternatives > 1 and reason in ("stop", "length"):
            yield from self._further(request.alternatives, number, len(asked.ids), write, halted)
            tokens["decoded"] = spent.decoded
            ms["decode"] = _ms(began)
        yield done(reason)

    def _write(
        self,
        request: Complete,
        model: "Reading",
        guide: Guide,
        rest: bytes,
        most: int,
        spent: Spent,
        rank: int,
        halted: Halted,
    ) -> Iterator[Piece | Reason]:
        """A text that begins with the token of this rank, then why it ends."""
        text = decode(
            replace(model), guide, self._llama.pieces, self._ends,
            rest=rest, rank=rank, lines=request.lines, most=most, spent=spent, halted=halted,
        )  # fmt: skip
        try:
            for said in text:
                match said:
                    case (shown, logprob):
                        yield Piece(request.id, shown, round(logprob, 4))
                    case reason:
                        yield reason
        except Interrupted:
            yield halted() or "cancelled"

    def _further(
        self,
        wanted: int,
        number: int,
        prompt_length: int,
        write: Callable[[int, Halted], Iterator[Piece | Reason]],
        halted: Halted,
    ) -> Iterator[Piece]:
        """Other texts, each from another first token; one that comes too late is not sent."""
        end = time.monotonic() + ALTERNATIVES_SECONDS

        def late() -> Reason | None:
            return halted() or ("deadline" if time.monotonic() > end else None)

        for rank in range(1, wanted):
            # A recurrent model forgets everything.
            if late() or self._slots.keep(number, prompt_length) < prompt_length:
                return
            *pieces, ended = write(rank, late)
            if ended in ("stop", "length"):
                for piece in pieces:
                    if isinstance(piece, Piece):
                        yield replace(piece, alternative=rank)

    def _evaluate(self, number: int, tokens: Sequence[int], rows: int = 1) -> None:
        """Append to a slot; raises Interrupted and BackendError."""
        try:
            self._slots.evaluate(number, tokens, rows)
        except (DecodeFailed, CannotLoad) as error:
            raise BackendError(f"{error}; if it stays so, run `wicket stop engine`") from None

    def _steady_rates(self) -> dict[str, float]:
        """The rates that budgets go by: as measured once, until they have really changed."""
        for what, rate in self._rates.items():
            if not self._assumed[what] / STEADY <= rate <= self._assumed[what] * STEADY:
                self._assumed[what] = rate
        return self._assumed

    def _measure(self, what: str, tokens: int, began: float) -> None:
        """A moving average; few tokens say little about the rate of many."""
        if tokens < 8:
            return
        rate = tokens / max(time.monotonic() - began, 1e-6)
        self._rates[what] += (rate - self._rates[what]) * (0.2 if self._rates[what] else 1.0)


@dataclass(slots=True)
class Reading:
    """A slot whose prompt has been read; `first` are the logits behind it."""

    append: Callable[[Sequence[int], int], None]
    llama: "Llama"
    slots: Slots
    number: int
    first: Logits | None

    def logits(self, but: int) -> Logits:
        return self.llama.logits(but) if self.first is None else self.first

    def evaluate(self, tokens: Sequence[int]) -> None:
        self.first = None
        self.append(tokens, len(tokens))

    def forget(self, count: int) -> None:
        held = self.slots.holds(self.number)
        wanted = held[: len(held) - count]
        # A recurrent model forgets everything, and reads it again.
        if lost := wanted[self.slots.keep(self.number, len(wanted)) :]:
            self.append(lost, 1)


def sizes(context: int, slots: int) -> Iterator[tuple[int, int]]:
    """Tokens of a context and how many of them, from what is wanted to the least."""
    while slots > 1:
        yield context, slots
        slots //= 2
    while context > LEAST_CONTEXT:
        yield context, 1
        context //= 2
    yield context, 1


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
