"""What `wicket bench` can measure: one row each, and one module beside this one."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

from ..app import Startup
from . import audit, completion, index, server
from .result import Figure, Figures, Run


@dataclass(frozen=True, slots=True)
class Bench:
    """`once` measures one run of so many keys (or what stands for them).

    `figures` are shown, in this order; `verdict` is a sentence about a subject, by its
    name.  `of_models` is whether models are told apart.
    """

    once: Callable[[Startup, int], Coroutine[Any, Any, Run]]
    figures: Sequence[Figure]
    verdict: Callable[[str, Figures], str]
    of_models: bool = False


BENCHES = {
    "completion": Bench(completion.once, completion.FIGURES, completion.verdict, of_models=True),
    "server": Bench(server.once, server.FIGURES, server.verdict),
    "index": Bench(index.once, index.FIGURES, index.verdict),
    "audit": Bench(audit.once, audit.FIGURES, audit.verdict),
}
