"""Train a model further on the texts of one repository, and say what came of it."""

# PyTorch's annotations are too loose for the strict checker, and it may not be installed.
# pyright: basic, reportMissingImports=false

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .. import gguf
from ..gguf import BadModel
from . import card, memory, tokens, train, weights
from .corpus import Document
from .memory import Memory
from .network import Network
from .samples import Sampler
from .sizes import Size
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
    """Losses are on the held-out files; `path` is the new model's file, `entries` the size of
    its vocabulary, `size` None for a model of somebody else, `way` how it was trained."""

    path: Path
    sha256: str
    size: Size | None
    entries: int
    before: Loss
    after: Loss
    memory: Memory
    record: Sequence[dict[str, float]]
    way: Sequence[str]


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

    A model of ours is trained as a whole, another one by an adapter.  Raises BadModel where
    the base cannot be trained, and CannotTrain.
    """
    if not weights.ours(gguf.read(base)):
        return _adapted(base, texts, held, folder, seconds, say)
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
    record = train.record(folder / "log.jsonl")
    return Tuned(
        path,
        digest,
        size,
        made.size,
        before,
        train.validation(network, rows, fim.mid, "cpu"),
        memory.recall(network, reading, unseen, PLACES),
        record,
        card.way_of(record, size, made),
    )


def _adapted(
    base: Path,
    texts: Sequence[Document],
    held: Sequence[Document],
    folder: Path,
    seconds: float,
    say: Callable[[str], None],
) -> Tuned:
    try:
        # Two large libraries, which models of ours do not need.
        from . import lora  # noqa: PLC0415
    except ImportError as error:
        raise BadModel(
            f'{error.name} is not installed; `pip install "wicket[train]"` brings it'
        ) from None
    return lora.tune(base, texts, held, folder, seconds, say)


def _written(path: Path) -> Network:
    return weights.read(path)[0].eval()
