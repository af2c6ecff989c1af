"""Exact match of the models that a training kept, on line ends hidden in held-out files.

Each is asked as an editor's engine asks it: the same prompt, the same decoding, and the same
trimming.  Loss says how a training goes on; this says what somebody who types gets of it.
"""

from collections.abc import Sequence
from pathlib import Path

from .. import families, trim
from ..engine import BackendError
from ..gguf import BadModel
from ..holes import Hole, Source, choose
from ..local import LocalBackend
from ..metrics import Estimate, estimate, exact
from ..wire import PREFIX_LIMIT, SUFFIX_LIMIT, Complete, Done, Piece
from .corpus import Document

# The seed of the holes: one, so that all models of all trainings are asked the same.
SEED = 1


def holes_of(documents: Sequence[Document], count: int) -> list[Hole]:
    """At most `count` line ends of held-out files, the same for the same files.  Pure."""
    sources = [Source(d.package, d.path, d.language, d.text) for d in documents]
    return choose(sources, "rest", count, SEED)


def measured(model: Path, holes: Sequence[Hole]) -> Estimate:
    """The share of these holes that a model fills word for word.  Raises BadModel."""
    backend = LocalBackend(model)
    try:
        backend.load(lambda _share: None)
        right = [float(exact(said(backend, hole), hole.gold)) for hole in holes]
    except BackendError as error:
        raise BadModel(f"{model}: {error}") from None
    backend.close()
    return estimate(right, [(hole.repository, hole.path) for hole in holes])


def said(backend: LocalBackend, hole: Hole) -> str:
    """What an editor would be shown there by the model alone."""
    cursor = hole.cursor
    request = Complete(
        id=1,
        path=cursor.path,
        language=cursor.language,
        prefix=cursor.prefix[-PREFIX_LIMIT:],
        suffix=cursor.suffix[:SUFFIX_LIMIT],
        priority="manual",
    )
    pieces: list[str] = []
    done = Done(1, "failed")
    for answer in backend.complete(request, lambda: None):
        match answer:
            case Piece():
                pieces.append(answer.text)
            case Done():
                done = answer
    text = families.from_model("wicket", "".join(pieces), cursor)
    return trim.trim(cursor, text, 1, done.done).text
