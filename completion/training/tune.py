"""Train a model of ours further on the texts of one repository, and say what came of it."""

# PyTorch's annotations are too loose for the strict checker, and it may not be installed.
# pyright: basic, reportMissingImports=false

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from . import memory, tokens, train, weights
from .corpus import Document
from .memory import Memory
from .network import Network
from .samples import Sampler
from .sizes import Size
from .tokens import Tokens
from .train import Loss, Plan
from .weights import About

# Times that the repository is read: more is learnt by heart and helps no other file.
PASSES = 4
# The rates, of those of a whole training, and where they begin to fall: what the model
# knows is kept.
RATE, FALL = 0.15, 0.2
BATCH = 4_096
# Places where it is tried what it knows by heart.
PLACES = 100


@dataclass(frozen=True, slots=True)
class Tuned:
    """Losses are on the held-out files; `path` is the new model's file."""

    path: Path
    sha256: str
    size: Size
    tokens: Tokens
    before: Loss
    after: Loss
    memory: Memory
    record: Sequence[dict[str, float]]


def tune(
    base: Path,
    texts: Sequence[Document],
    held: Sequence[Document],
    folder: Path,
    about: About,
    seconds: float,
    say: Callable[[str], None] = lambda _said: None,
) -> Tuned:
    """Train on `texts`, at most so many seconds, and write the model into `folder`.

    Raises BadModel where the base is none of ours, and CannotTrain.
    """
    network, header = weights.read(base)
    made = tokens.of_gguf(base)
    size = replace(network.size, batch=BATCH)
    reading, unseen = Sampler(texts, made), Sampler(held, made)
    fim = made.fim
    rows = train.validation_rows(unseen, size)
    before = train.validation(network, rows, fim.mid, "cpu")
    (folder / "state.pt").unlink(missing_ok=True)
    whole = sum(len(made.tokenize(document.text)) for document in texts)
    plan = Plan(
        size,
        tokens=PASSES * whole,
        seconds=seconds,
        every=100,
        rate=RATE,
        fall=FALL,
    )
    network = train.train(plan, reading, unseen, folder, start=network, say=say)
    (folder / "state.pt").unlink(missing_ok=True)
    network.eval()
    path = folder / f"{folder.name}.gguf"
    digest = weights.write(path, network, made, weights.kind_of(header), about)
    # What is measured is what was written, not what it was rounded from.
    network = _written(path)
    return Tuned(
        path,
        digest,
        size,
        made,
        before,
        train.validation(network, rows, fim.mid, "cpu"),
        memory.recall(network, reading, unseen, PLACES),
        train.record(folder / "log.jsonl"),
    )


def _written(path: Path) -> Network:
    return weights.read(path)[0].eval()
