"""`wicket model tune`: a model, trained further on a repository, and measured there.

A fifth of the files is held out.  Before and after are compared on holes in those files, by
the engine and by all that an editor gets, so that nobody uses what is no better.
"""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..completion.gguf import BadModel
from ..completion.holes import digest
from ..completion.metrics import Difference, Estimate, estimate
from ..completion.models import Model
from ..completion.models.importing import CannotImport, import_file
from ..completion.private import make_private
from . import app, terminal
from .app import Startup
from .evaluation import engines, figures, repositories
from .evaluation.contenders import EARLIER, PRODUCT
from .evaluation.repositories import Repository
from .evaluation.rows import Row
from .evaluation.run import Plan, evaluate

if TYPE_CHECKING:
    from ..completion.training.tune import Tuned

# The share of files that are not trained on, and the fewest.
HELD_OUT, FEWEST = 0.2, 2
# Characters: from fewer there is nothing to learn.
LEAST = 20_000
SECONDS_OF_A_MINUTE = 60


@dataclass(frozen=True, slots=True)
class Wish:
    """Which folder, what the result is called, what it begins as, and how long it may take.

    `holes` of each kind are made in the held-out files.
    """

    folder: Path
    name: str
    base: str
    minutes: float = 10.0
    holes: int = 100


@dataclass(frozen=True, slots=True)
class Found:
    """What came of it: losses in nats per token on held-out files, all and hidden text;
    exact match of each contender, and of the second against the first of two."""

    name: str
    base: str
    trained: int
    held: int
    characters: int
    tokens: int
    seconds: float
    loss: tuple[float, float]
    answers: tuple[float, float]
    exact: Mapping[str, Estimate]
    model: Difference
    product: Difference
    by_heart: str
    mean: float
    mean_unseen: float
    card: Path

    @property
    def verdict(self) -> str:
        if self.product.certain:
            return "better" if self.product.value > 0 else "worse"
        return "alike"

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"card": str(self.card), "verdict": self.verdict}


def tuned(startup: Startup, wish: Wish) -> Found:
    """Train, compare, and take the model to the others on this machine.

    Raises BadModel, also without the extra, CannotImport for a name that is taken, EngineGone,
    UnsafePath and NoRepository.
    """
    try:
        # It is large, and only this verb needs it.
        from ..completion.training import tune as training  # noqa: PLC0415
    except ImportError as error:
        raise BadModel(
            f'{error.name} is not installed; `pip install "wicket[train]"` brings it'
        ) from None
    begun = startup.with_model(wish.base)
    base = replace(app.chosen_model(begun), name=engines.name_of(begun))
    if base.endpoint:
        raise BadModel(f"{wish.base} is a server; what it runs is tuned there")
    target = startup.paths.pulled_models / f"{wish.name}.gguf"
    if target.exists():
        raise CannotImport(
            f"{wish.name} is there already: `wicket model remove {wish.name}`, or say --name"
        )
    exclude = startup.effective.settings.completion.exclude
    repository = repositories.read(wish.folder, exclude)
    texts, held = split(repository, base.languages)
    place = startup.paths.cache / "tune" / wish.name
    make_private(place)
    about = training.About(
        name=f"wicket-base, tuned: {wish.name}",
        licence=base.licence,
        languages=base.languages,
        base=f"{base.name}, sha256 {base.sha256}",
    )
    made = training.tune(
        base.path,
        [document(training.Document, repository, path) for path in texts],
        [document(training.Document, repository, path) for path in held],
        place,
        about,
        wish.minutes * SECONDS_OF_A_MINUTE,
        say=lambda said: print(said, file=sys.stderr, flush=True),
    )
    scored = compared(startup, wish, made.path, held)
    found = added_up(repository, wish, base, made, scored, texts, held, target.with_suffix(".md"))
    model = import_file(made.path, startup.paths.pulled_models, wish.name)
    made.path.unlink()
    found.card.write_text(card(found, repository, base, model, made, held), "utf-8")
    return found


def split(repository: Repository, languages: Sequence[str]) -> tuple[list[str], list[str]]:
    """Paths to train on and paths held out, whatever the order of the files.

    Raises NoRepository where there is too little.
    """
    known = [s.path for s in repository.sources if not languages or s.language in languages]
    ranked = sorted(known, key=lambda path: digest(repository.name, path))
    count = max(FEWEST, round(HELD_OUT * len(ranked)))
    texts, held = sorted(ranked[count:]), sorted(ranked[:count])
    characters = sum(len(repository.texts[path]) for path in texts)
    if characters < LEAST:
        spoken = " or ".join(languages) or "known languages"
        raise repositories.NoRepository(
            f"{repository.name} has {characters:,} characters of {spoken} to learn from, and "
            f"{LEAST:,} are the least; name a larger folder"
        )
    return texts, held


def document(make: Any, repository: Repository, path: str) -> Any:
    return make(repository.name, path, repositories.language_of(path), repository.texts[path])


def compared(startup: Startup, wish: Wish, path: Path, held: Sequence[str]) -> Sequence[Row]:
    """Base and result on the same holes in the held-out files, by real engines."""
    plan = Plan(
        [wish.folder], models=[wish.base, str(path)], count=wish.holes, files=frozenset(held)
    )
    with (
        terminal.progress() as bar,
        engines.entered({"": startup}, plan.models, False) as contenders,
    ):
        task = bar.add_task("comparing")

        def progress(done: int, total: int, name: str) -> None:
            bar.update(task, description=f"asking {name}", completed=done, total=total)

        return asyncio.run(evaluate(plan, startup, contenders, progress)).scored


def added_up(
    repository: Repository,
    wish: Wish,
    base: Model,
    made: "Tuned",
    scored: Sequence[Row],
    texts: Sequence[str],
    held: Sequence[str],
    card: Path,
) -> Found:
    old, new = base.name, made.path.stem
    said = {
        name: estimate([row.scores[name].exact for row in scored], [row.group for row in scored])
        for name in (EARLIER, old, new, PRODUCT + old, PRODUCT + new)
    }
    longest = max((one.text for one in made.memory.longest), key=len, default="")
    last = made.record[-1]
    return Found(
        name=wish.name,
        base=base.name,
        trained=len(texts),
        held=len(held),
        characters=sum(len(repository.texts[path]) for path in texts),
        tokens=int(last["tokens"]),
        seconds=last["seconds"],
        loss=(made.before.all, made.after.all),
        answers=(made.before.answers, made.after.answers),
        exact=said,
        model=figures.duel(scored, old, new).exact,
        product=figures.duel(scored, PRODUCT + old, PRODUCT + new).exact,
        by_heart=longest,
        mean=made.memory.mean,
        mean_unseen=made.memory.mean_unseen,
        card=card,
    )


def in_words(found: Found) -> list[str]:
    verdicts = {
        "better": "better than before",
        "worse": "worse than before",
        "alike": "no difference beyond noise",
    }
    return [
        f"{found.name}: {found.base} after {found.tokens / 1e3:,.0f} thousand tokens of "
        f"{found.trained} files, {found.seconds / SECONDS_OF_A_MINUTE:.1f} minutes.",
        f"On {found.held} files that were held out:",
        f"  loss, nats per token  {_change(found.loss)}; of hidden text {_change(found.answers)}",
        *(f"  exact match  {_share(one):22} {name}" for name, one in found.exact.items()),
        f"  after against before: the model {_points(found.model)}, the product "
        f"{_points(found.product)}: {verdicts[found.verdict]}",
        f"By heart it says {len(found.by_heart)} characters of a trained file at most, "
        f"{found.mean} on average; {found.mean_unseen} of files that it never saw.",
        f"Its card: {found.card}",
    ]


def card(
    found: Found,
    repository: Repository,
    base: Model,
    model: Model,
    made: "Tuned",
    held: Sequence[str],
) -> str:
    from ..completion.training import card as cards  # noqa: PLC0415

    revision = f" at {repository.revision}" if repository.revision else ""
    return cards.text(
        cards.Card(
            name=found.name,
            file=model.path.name,
            bytes=model.path.stat().st_size,
            sha256=model.sha256,
            licence=f"{base.licence} for what it began as; who may have the repository's code "
            "may have what was learnt from it",
            languages=model.languages,
            size=made.size,
            tokens=made.entries,
            data=[(f"{repository.name}{revision}", "as the repository says", found.characters)],
            way=made.way,
            memory=made.memory,
            base=f"{base.name}, {base.licence}, sha256 {base.sha256}; its own data are in its card",
            figures=[said.strip() for said in in_words(found)[2:-2]],
            limits=[
                "It may repeat the repository's text word for word: do not give it to anybody "
                "who may not see that code.",
                f"Held out: {', '.join(held)}.",
            ],
            held=(),
        )
    )


def _change(pair: tuple[float, float]) -> str:
    return f"{pair[0]:.3f}, then {pair[1]:.3f}"


def _share(one: Estimate) -> str:
    return f"{one.value:.1%} [{one.low:.1%}, {one.high:.1%}]"


def _points(one: Difference) -> str:
    return f"{100 * one.value:+.1f} points [{100 * one.low:+.1f}, {100 * one.high:+.1f}]"
