"""What may leave, decided in one place: for a task at its start and for every tool's result."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from .audit.records import Redaction
from .policy import Destination, Policy, decide
from .redaction.masking import Masked, Masks
from .task import Document

# The rule that keeps a path from leaving, or None.
Forbidden = Callable[[str], str | None]


class Denial(Exception):
    """This may not be sent.  `rule` names what forbids it."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(reason)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Considered:
    """What may leave, as it may leave: masked, and with the decision on it.

    `decision` is ask or allow, `rule` what decided it; `classes` are those that policy
    finds in it; `masked` the documents' texts with the way back.
    """

    documents: tuple[Document, ...]
    texts: tuple[str, ...]
    redactions: tuple[Redaction, ...] = ()
    classes: tuple[str, ...] = ()
    decision: str = "ask"
    rule: str | None = None
    # By path.
    classified: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    masked: tuple[Masked, ...] = field(default=(), repr=False)
    # Those that decided: where others bind by now, it has to be decided anew.
    policies: Sequence[Policy] = ()


def consider(
    documents: Sequence[Document],
    texts: Sequence[str],
    masks: Masks,
    forbidden: Forbidden,
    policies: Sequence[Policy],
    to: Destination,
) -> Considered:
    """Pieces of files, and words around them, on their way.  Raises Denial.

    Pure, but for `forbidden` and the placeholders that `masks` counts.
    """
    for document in documents:
        if rule := forbidden(document.path):
            raise Denial(rule, f"{document.path} may not leave this machine")
    decision = decide(policies, [document.path for document in documents], to)
    if decision.forbids:
        raise Denial(decision.rule, decision.reason)
    words = [masks.mask(text) for text in texts]
    files = _masked(documents, masks)
    names = {path: masks.mask(path) for path in dict.fromkeys(d.path for d in documents)}
    return Considered(
        tuple(
            replace(d, text=masked.text, label=_in_one_line(names[d.path].text))
            for d, masked in zip(documents, files, strict=True)
        ),
        tuple(masked.text for masked in words),
        _redactions([*names.values(), *files, *words], masks.pack.sha256),
        decision.classifications,
        decision.verdict,
        decision.rule,
        decision.classified,
        tuple(files),
        policies,
    )


def summed(redactions: Iterable[Redaction]) -> tuple[Redaction, ...]:
    """Those of several texts, one row per rule."""
    found: dict[str, Redaction] = {}
    for one in redactions:
        if (row := found.get(one.rule)) is not None:
            names = tuple(dict.fromkeys((*row.placeholders, *one.placeholders)))
            one = replace(row, count=row.count + one.count, placeholders=names)
        found[one.rule] = one
    return tuple(found[rule] for rule in sorted(found))


def _masked(documents: Sequence[Document], masks: Masks) -> list[Masked]:
    """Of pieces of a file that adjoin, what lies across their border, too."""
    runs: list[list[Document]] = []
    for _path, pieces in groupby(documents, key=lambda document: document.path):
        last = None
        for piece in pieces:
            if last is not None and piece.start == last.end + 1:
                runs[-1].append(piece)
            else:
                runs.append([piece])
            last = piece
    return [masked for run in runs for masked in masks.mask_pieces([d.text for d in run])]


def _in_one_line(path: str) -> str:
    """A name of a file can hold line ends, and could forge the markers around a document."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in path)


def _redactions(texts: Iterable[Masked], pack_sha256: str) -> tuple[Redaction, ...]:
    return summed(
        Redaction(cut.rule, pack_sha256, cut.kind, 1, (name,) if name else ())
        for masked in texts
        for cut in masked.cuts
        for name in [masked.text[cut.start : cut.end].strip()]
    )
