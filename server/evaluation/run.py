"""The flow of an evaluation: repositories -> holes -> answers -> rows -> a report."""

import asyncio
import itertools
import json
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ... import __version__
from ...completion import holes
from ...completion.blemishes import BLEMISHES
from ...completion.client import EngineGone
from ...completion.holes import HOLES_VERSION, KINDS, Hole, Kind, digest
from .. import machine
from ..app import Startup
from . import repositories, rows
from .contenders import Answer, Contender
from .repositories import NoRepository, Repository
from .store import Store

# 1: first version.
REPORT_VERSION = 1

# Says how many holes are done, of how many, and for whom.
Progress = Callable[[int, int, str], None]


def silent(_done: int, _total: int, _name: str) -> None:
    """No progress is shown."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure.  `count` holes of each kind are made in each folder.

    `models` are names, none meaning that of the settings; `settings` are heard as if an
    editor said them, and of one with several values each is measured apart.  With
    `commits`, cursors come from the lines that so many commits added.  `slices` adds holes
    in code that is not in order, `bits` the cost of the hidden text, and `fresh` forgets
    earlier answers.  With `files`, only those, named by their paths, get holes.
    """

    folders: Sequence[Path]
    models: Sequence[str | None] = (None,)
    count: int = 100
    seed: int = 1
    kinds: Sequence[Kind] = KINDS
    settings: Mapping[str, Sequence[Any]] = field(default_factory=dict[str, Sequence[Any]])
    commits: int = 0
    slices: bool = False
    bits: bool = False
    fresh: bool = False
    files: frozenset[str] | None = None

    @property
    def command(self) -> str:
        """What makes the report again, on a machine with the same folders."""
        words = ["wicket eval", *(folder.resolve().name for folder in self.folders)]
        words += [f"--model {name}" for name in self.models if name]
        words += [f"--holes {self.count}", f"--seed {self.seed}"]
        words += [f"--kind {kind}" for kind in self.kinds if len(self.kinds) < len(KINDS)]
        words += [
            f"--set {shlex.quote(f'{name}={_written(value)}')}"
            for name, values in self.settings.items()
            for value in values
        ]
        words += [f"--history {self.commits}"] * bool(self.commits)
        words += ["--slices"] * self.slices + ["--bits"] * self.bits
        return " ".join(words)

    @property
    def variants(self) -> dict[str, dict[str, Any]]:
        """Every choice of one value of each setting, named by what is not the same in all."""
        found: dict[str, dict[str, Any]] = {}
        for values in itertools.product(*self.settings.values()):
            chosen = dict(zip(self.settings, values, strict=True))
            told = {name: v for name, v in chosen.items() if len(self.settings[name]) > 1}
            name = ", ".join(f"{n.rpartition('.')[2]} {_written(v)}" for n, v in told.items())
            found[name] = chosen
        return found


def _written(value: Any) -> str:
    """A setting's value as the command line takes it."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured, of whom, on what.  `scored` has a row per hole."""

    command: str
    holes: Mapping[str, Any]
    repositories: Sequence[Mapping[str, Any]]
    contenders: Mapping[str, Mapping[str, Any]]
    machine: Mapping[str, Any]
    scored: Sequence[rows.Row] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        said = {"wicket": __version__, "report": REPORT_VERSION} | asdict(self)
        return said | {"scored": rows.to_json(self.scored)}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "Report":
        """Raises KeyError, TypeError or ValueError where `said` is no report of this
        version."""
        if said["report"] != REPORT_VERSION:
            raise ValueError(f"a report of version {said['report']}, this is {REPORT_VERSION}")
        known: dict[str, Any] = {name: said[name] for name in cls.__dataclass_fields__}
        known["scored"] = rows.from_json(said["scored"])
        return cls(**known)


@dataclass(frozen=True, slots=True)
class Asked:
    """A hole, the repository that it is in, and the id of its sound counterpart."""

    hole: Hole
    repository: Repository
    plain: str


async def evaluate(
    plan: Plan,
    startup: Startup,
    entered: Iterable[AbstractAsyncContextManager[Contender]],
    progress: Progress = silent,
) -> Report:
    """Ask every contender about every hole, one contender after the other.

    Raises NoRepository, EngineGone and UnsafePath with one line each; what was answered
    until then is kept and not asked again.
    """
    exclude = startup.effective.settings.completion.exclude
    found = [repositories.read(folder, exclude, plan.commits) for folder in plan.folders]
    if len({repository.name for repository in found}) < len(found):
        raise NoRepository("two folders have the same name; rename one or measure them apart")
    asked = [row for repository in found for row in _asked(plan, repository)]
    if not asked:
        raise NoRepository("there is no place for a hole in these files; try other folders")
    before = machine.described()
    answers: dict[str, dict[str, Answer]] = {}
    abouts: dict[str, dict[str, Any]] = {}
    for entering in entered:
        async with entering as contender:
            name = contender.name
            answers[name] = await _ask(plan, startup, contender, asked, progress)
            prompts = digest(*sorted(answer.asked for answer in answers[name].values()))
            memory = await contender.memory()
            abouts[name] = {**contender.about, "prompts": prompts, "memory": memory}

    def scores(hole: Hole) -> dict[str, rows.Score]:
        return {name: rows.score(hole, said[hole.id]) for name, said in answers.items()}

    return Report(
        command=plan.command,
        holes={
            "version": HOLES_VERSION,
            "seed": plan.seed,
            "hash": holes.hash_of([row.hole for row in asked]),
            "count": len(asked),
            "from": f"lines of the last {plan.commits} commits" if plan.commits else "all lines",
        },
        repositories=[
            {
                "name": repository.name,
                "files": len(repository.texts),
                "left_out": dict(repository.left_out),
                "revision": repository.revision,
                "hash": repository.hash,
            }
            for repository in found
        ],
        contenders=abouts,
        machine=before,
        scored=[rows.row(row.hole, row.plain, scores(row.hole)) for row in asked],
    )


def _asked(plan: Plan, repository: Repository) -> list[Asked]:
    found: list[Asked] = []
    wanted = [one for one in repository.sources if plan.files is None or one.path in plan.files]
    for kind in plan.kinds:
        for hole in holes.choose(wanted, kind, plan.count, plan.seed):
            found.append(Asked(hole, repository, hole.id))
            if plan.slices and kind == "rest":
                blemished = (blemish(hole) for blemish in BLEMISHES.values())
                found += (Asked(other, repository, hole.id) for other in blemished if other)
    return found


async def _ask(
    plan: Plan,
    startup: Startup,
    contender: Contender,
    asked: Sequence[Asked],
    progress: Progress,
) -> dict[str, Answer]:
    """Every answer by the id of its hole; those that are stored are not asked for."""
    answers: dict[str, Answer] = {}
    stores: dict[str, Store] = {}
    with ExitStack() as stack:
        for number, row in enumerate(asked):
            progress(number, len(asked), contender.name)
            texts = row.repository.hash
            if texts not in stores:
                about = {"contender": contender.name, **contender.about, "texts": texts}
                stores[texts] = Store(startup.paths, about, plan.fresh)
                stack.callback(stores[texts].close)
            if (kept := stores[texts].find(row.hole.id)) is not None:
                answers[row.hole.id] = Answer(**kept)
                continue
            try:
                answer = await contender.answer(row.hole, row.repository)
            except EngineGone as error:
                kept = f"{number} of {len(asked)} answers of {contender.name} are kept"
                raise EngineGone(f"{error}; {kept}: run the same again to go on") from None
            stores[texts].keep(row.hole.id, asdict(answer))
            answers[row.hole.id] = answer
            # The search without a model never waits; an interrupt must still be heard.
            await asyncio.sleep(0)
    progress(len(asked), len(asked), contender.name)
    return answers
