"""From rows to figures: means with their intervals, differences with their tests."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ...completion import metrics
from ...completion.metrics import Difference, Estimate
from .contenders import EARLIER, PRODUCT
from .rows import Row, Score, either

# What stands for all repositories, and what for all kinds of holes.
ALL = "all"
# A language with fewer holes gets no table of its own.
FEWEST = 20


@dataclass(frozen=True, slots=True)
class Figures:
    """What one contender did with some holes.

    `exact`, `similarity`, `saved`, `shown` and `precision` are shares; `saved` is of all
    hidden characters, `precision` of what was shown.  `bits` are per hidden byte, None
    where nobody counted them.  Times are milliseconds from request to answer;
    `cpu_ms` is the mean of the engine's processor time.
    """

    contender: str
    exact: Estimate
    similarity: Estimate
    saved: Estimate
    shown: Estimate
    precision: Estimate
    bits: Estimate | None
    tokens: float
    cpu_ms: float
    ms_p50: float
    ms_p95: float


@dataclass(frozen=True, slots=True)
class Part:
    """Some holes: those of a repository, of a kind, or all."""

    repository: str
    kind: str
    language: str
    count: int
    files: int
    figures: Sequence[Figures]


@dataclass(frozen=True, slots=True)
class Duel:
    """Whether the second of two contenders is better: the paired bootstrap.

    `exact` and `similarity` are how much greater its means are.
    """

    first: str
    second: str
    exact: Difference
    similarity: Difference


@dataclass(frozen=True, slots=True)
class Harm:
    """What a blemish around the same holes does to one contender."""

    slice: str
    contender: str
    sound: Estimate
    blemished: Estimate
    exact: Difference
    similarity: Difference


def with_bounds(rows: Sequence[Row]) -> list[Row]:
    """Rows with one more contender per model: the model or the search, whichever is right."""
    return [replace(row, scores={**row.scores, **_bounds(row.scores)}) for row in rows]


def _bounds(scores: Mapping[str, Score]) -> dict[str, Score]:
    if (search := scores.get(EARLIER)) is None:
        return {}
    return {
        bound(name): either(one, search)
        for name, one in scores.items()
        if one is not search and not name.startswith(PRODUCT)
    }


def bound(model: str) -> str:
    return f"{model} or {EARLIER}"


def names(rows: Sequence[Row]) -> list[str]:
    """The contenders: the product, models, the search, and then the bounds of both."""

    def place(name: str) -> tuple[bool, bool, bool]:
        return name.endswith(f" or {EARLIER}"), name == EARLIER, not name.startswith(PRODUCT)

    return sorted(rows[0].scores, key=place) if rows else []


def plain(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if row.slice == "plain"]


def parts(rows: Sequence[Row]) -> list[Part]:
    """One part per repository and kind, one per kind if there are several repositories,
    and one per language if there are several that have holes enough."""
    found = plain(rows)
    kinds = list(dict.fromkeys(row.kind for row in found))
    repositories = list(dict.fromkeys(row.repository for row in found))
    counts = Counter(row.language for row in found)
    languages = sorted(language for language, count in counts.items() if count >= FEWEST)
    wanted = [(name, kind, ALL) for name in repositories for kind in kinds]
    wanted += [(ALL, kind, ALL) for kind in kinds if len(repositories) > 1]
    wanted += [(ALL, kind, one) for one in languages for kind in kinds if len(languages) > 1]
    return [part for one in wanted if (part := _part(found, *one)).count]


def _part(rows: Sequence[Row], repository: str, kind: str, language: str) -> Part:
    chosen = [
        row
        for row in rows
        if row.kind == kind
        and repository in (ALL, row.repository)
        and language in (ALL, row.language)
    ]
    figures = [figures_of(chosen, name) for name in names(chosen)]
    files = len({row.group for row in chosen})
    return Part(repository, kind, language, len(chosen), files, figures)


def figures_of(rows: Sequence[Row], name: str) -> Figures:
    scores = [row.scores[name] for row in rows]
    groups = [row.group for row in rows]
    shown = [float(score.shown) for score in scores]
    counted = [
        (bits, row) for row, score in zip(rows, scores, strict=True)
        if (bits := score.bits) is not None
    ]  # fmt: skip
    asked = [score for score in scores if score.tokens or score.ms]
    return Figures(
        contender=name,
        exact=metrics.estimate([float(score.exact) for score in scores], groups),
        similarity=metrics.estimate([score.similarity for score in scores], groups),
        saved=metrics.estimate(
            [float(score.saved) for score in scores], groups, [float(row.length) for row in rows]
        ),
        shown=metrics.estimate(shown, groups),
        precision=metrics.estimate(
            [float(score.exact and score.shown) for score in scores], groups, shown
        ),
        bits=metrics.estimate(
            [bits for bits, _ in counted],
            [row.group for _, row in counted],
            [float(row.bytes) for _, row in counted],
        )
        if counted
        else None,
        tokens=sum(score.tokens for score in asked) / max(1, len(asked)),
        cpu_ms=sum(score.cpu_ms for score in asked) / max(1, len(asked)),
        ms_p50=metrics.quantile([score.ms for score in asked], 0.5),
        ms_p95=metrics.quantile([score.ms for score in asked], 0.95),
    )


def duels(rows: Sequence[Row]) -> list[Duel]:
    """The search and each model against the product, the search against each model and each
    bound, and the first model against others."""
    found = plain(rows)
    everyone = names(found)
    models = [name for name in everyone if name != EARLIER and bound(name) in everyone]
    products = [(name, PRODUCT + name) for name in models if PRODUCT + name in everyone]
    pairs = [(EARLIER, product) for _, product in products] + products
    pairs += [(EARLIER, name) for name in models]
    pairs += [(models[0], name) for name in models[1:]]
    pairs += [pair for name in models for pair in ((EARLIER, bound(name)), (name, bound(name)))]
    return [duel(found, *pair) for pair in pairs]


def duel(rows: Sequence[Row], first: str, second: str) -> Duel:
    return Duel(
        first,
        second,
        _between(rows, first, second, lambda score: float(score.exact)),
        _between(rows, first, second, lambda score: score.similarity),
    )


def _between(
    rows: Sequence[Row], first: str, second: str, value: Callable[[Score], float]
) -> Difference:
    return metrics.difference(
        [value(row.scores[first]) for row in rows],
        [value(row.scores[second]) for row in rows],
        [row.group for row in rows],
    )


def harms(rows: Sequence[Row]) -> list[Harm]:
    """Each blemish against the same holes without it."""
    by_id = {row.id: row for row in rows}
    slices = dict.fromkeys(row.slice for row in rows if row.slice != "plain")
    found: list[Harm] = []
    for slice_ in slices:
        pairs = [(by_id[row.plain], row) for row in rows if row.slice == slice_]
        groups = [row.group for _, row in pairs]
        for name in names(rows):
            both = [(a.scores[name], b.scores[name]) for a, b in pairs]
            sound = [float(a.exact) for a, _ in both]
            blemished = [float(b.exact) for _, b in both]
            found.append(
                Harm(
                    slice_,
                    name,
                    metrics.estimate(sound, groups),
                    metrics.estimate(blemished, groups),
                    metrics.difference(sound, blemished, groups),
                    metrics.difference(
                        [a.similarity for a, _ in both], [b.similarity for _, b in both], groups
                    ),
                )
            )
    return found


def precisions(rows: Sequence[Row], kind: str) -> Mapping[str, Mapping[float, Estimate | None]]:
    """For each contender that says how sure it is: precision at shares of holes shown."""
    found = [row for row in plain(rows) if row.kind == kind]
    curves: dict[str, Mapping[float, Estimate | None]] = {}
    for name in names(found):
        scores: list[Score] = [row.scores[name] for row in found]
        if any(score.confidence is not None for score in scores):
            curves[name] = metrics.precision_at(
                metrics.SHARES,
                [score.confidence for score in scores],
                [score.exact for score in scores],
                [row.group for row in found],
            )
    return curves
