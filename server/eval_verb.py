"""`wicket eval`: measure completions on one's own code; `compare`: which of two is better."""

import argparse
import asyncio
import importlib.util
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from rich.table import Table

from ..completion.client import EngineGone
from ..completion.holes import KINDS
from . import app, terminal
from .evaluation import comparison, engines, pages, picture
from .evaluation.comparison import Comparison, NotComparable
from .evaluation.repositories import NoRepository
from .evaluation.run import Plan, Report, evaluate
from .paths import UnsafePath


class BadArguments(Exception):
    """What was asked for makes no sense; the message is one line."""


def run(arguments: argparse.Namespace) -> int:
    what: list[str] = arguments.what
    if importlib.util.find_spec("numpy") is None:
        # It comes with the model in this process; a thin client has neither.
        print(
            "wicket eval: intervals need numpy, which is not installed; "
            f"{sys.executable} -m pip install numpy",
            file=sys.stderr,
        )
        return 1
    try:
        if what[:1] == ["compare"]:
            return compare(what[1:], as_json=arguments.json)
        return measure(arguments)
    except BadArguments as error:
        print(f"wicket eval: {error}", file=sys.stderr)
        return 2
    except (EngineGone, NoRepository, NotComparable, UnsafePath) as error:
        print(f"wicket eval: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"wicket eval: {where}{error.strerror or error}", file=sys.stderr)
        return 1


def measure(arguments: argparse.Namespace) -> int:
    plan = Plan(
        folders=[Path(name) for name in arguments.what or ["."]],
        models=list(dict.fromkeys(arguments.model or [None])),
        count=arguments.holes,
        seed=arguments.seed,
        kinds=[kind for kind in KINDS if kind in (arguments.kind or KINDS)],
        settings=_settings(arguments.set or []),
        commits=arguments.history,
        slices=arguments.slices,
        bits=arguments.bits,
        fresh=arguments.fresh,
    )
    if plan.count < 1 or plan.commits < 0:
        raise BadArguments("--holes and --history take a positive number")
    folders = [folder.resolve() for folder in plan.folders]
    variants = {name: app.start(said, folders) for name, said in plan.variants.items()}
    known = set(app.start(None, folders).effective.warnings)
    for startup in variants.values():
        if refused := set(startup.effective.warnings) - known:
            raise BadArguments(f"--set: {min(refused).removeprefix('the editor: ')}")
    with terminal.progress() as bar:
        tasks: dict[str, Any] = {}

        def progress(done: int, total: int, name: str) -> None:
            if name not in tasks:
                tasks[name] = bar.add_task(name, total=total)
            bar.update(tasks[name], completed=done)

        with engines.entered(variants, plan.models, plan.bits) as contenders:
            first = next(iter(variants.values()))
            report = asyncio.run(evaluate(plan, first, contenders, progress))
    if arguments.report:
        Path(arguments.report).write_text(pages.markdown(report), "utf-8")
    if arguments.pictures:
        folder = Path(arguments.pictures)
        folder.mkdir(parents=True, exist_ok=True)
        for name, drawn in picture.drawn(report).items():
            (folder / f"{name}.svg").write_text(drawn, "utf-8")
    if arguments.json:
        print(json.dumps(report.to_json(), ensure_ascii=False))
    else:
        show(report)
    return 0


def show(report: Report) -> None:
    console = terminal.tables()
    for table in pages.tables(report, pages.about):
        shown = Table(title=table.title, title_justify="left", box=None, padding=(0, 1, 0, 0))
        for number, name in enumerate(table.header):
            shown.add_column(name, justify="right" if number else "left", no_wrap=not number)
        for row in table.rows:
            shown.add_row(*row)
        console.print(shown, "")
    for fact in pages.facts(report):
        console.print(fact, markup=False)


def compare(names: list[str], *, as_json: bool) -> int:
    """1 where the second is worse and that is no noise, so that a script can tell."""
    if len(names) != 2:
        raise BadArguments("compare takes two reports, made with --json")
    found = comparison.compare(*(read(Path(name)) for name in names))
    if as_json:
        said = [asdict(one) | {"verdict": one.verdict} for one in found]
        print(json.dumps({"comparisons": said}))
    else:
        for one in found:
            print("\n".join(sentences(one)))
    return int(any(one.verdict == "worse" for one in found))


def sentences(one: Comparison) -> list[str]:
    name = one.after if one.before == one.after else f"{one.after} against {one.before}"
    verdict = {
        "better": "the second report is better",
        "worse": "the second report is worse",
        "alike": "no difference beyond noise",
    }[one.verdict]
    return [
        f"{name}, {one.holes} holes: {verdict}",
        *(
            f"  {label:18} {pages.points(value)} points, p {pages.chance(value)}"
            for label, value in (
                ("similarity", one.similarity),
                ("exact match", one.exact),
                ("characters saved", one.saved),
            )
        ),
        *(
            [f"  {'bits per byte':18} {pages.apart(one.bits)}, p {pages.chance(one.bits)}"]
            if one.bits
            else []
        ),
        f"  tokens per hole    {one.tokens[0]:.1f}, then {one.tokens[1]:.1f}",
        f"  ms, median         {one.ms[0]:.1f}, then {one.ms[1]:.1f}",
    ]


def read(path: Path) -> Report:
    """Raises BadArguments where the file is no report, OSError where it cannot be read."""
    try:
        said = json.loads(path.read_text("utf-8"))
        return Report.from_json(cast(dict[str, Any], said))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = str(error) if "report of version" in str(error) else "it is none"
        raise BadArguments(
            f"{path} cannot be read as a report: {why}; make one with `wicket eval --json`"
        ) from None


def _settings(said: list[str]) -> dict[str, list[Any]]:
    """`completion.lines=block` as an editor would say it; said again, it is one value more."""
    found: dict[str, list[Any]] = {}
    for one in said:
        name, equals, value = one.partition("=")
        if not equals:
            raise BadArguments(f"--set {one}: write NAME=VALUE")
        try:
            known = json.loads(value)
        except ValueError:
            known = value
        if known not in found.setdefault(name, []):
            found[name].append(known)
    return found
