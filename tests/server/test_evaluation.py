"""The instrument proves itself: known engines get the figures that they must get."""

import json
import os
import pty
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import psutil
import pytest
from wicket.completion import holes
from wicket.completion.blemishes import BLEMISHES
from wicket.completion.client import EngineGone
from wicket.completion.holes import KINDS, Hole
from wicket.completion.local import LocalBackend
from wicket.completion.wire import Complete
from wicket.server.app import chosen_model
from wicket.server.evaluation import (
    comparison,
    contenders,
    figures,
    pages,
    picture,
    repositories,
)
from wicket.server.evaluation.contenders import EARLIER
from wicket.server.evaluation.repositories import NoRepository, Repository
from wicket.server.evaluation.run import Plan, Report

from .planted import (
    REPOSITORY,
    Planted,
    environment,
    means,
    measured,
    startup_in,
    wicket,
    without_times,
)

PLAN = Plan([REPOSITORY], count=25)
# A word that stands on one line of one file only.
UNUSUAL = re.compile(r"zq\d+x")


def oracle(request: Complete) -> str:
    """What was cut out, told by the two texts around it."""
    text = (REPOSITORY / request.path).read_text()
    return text[len(request.prefix) : len(text) - len(request.suffix)]


async def test_an_oracle_is_always_right(tmp_path: Path) -> None:
    """And trimming, which an oracle has to pass, takes nothing that was right."""
    report = await measured(tmp_path, Planted(oracle), PLAN)
    found = means(report, "planted")
    assert (found["exact"], found["raw"], found["similarity"], found["shown"]) == (1, 1, 1, 1)
    saved = sum(row.scores["planted"].saved for row in report.scored)
    assert saved == sum(row.length - 1 for row in report.scored)
    assert found["tokens"] == 8
    assert len(report.scored) > 60


async def test_an_engine_that_says_nothing_is_never_right(tmp_path: Path) -> None:
    report = await measured(tmp_path, Planted(lambda _request: ""), PLAN)
    found = means(report, "planted")
    assert [found[name] for name in ("shown", "exact", "raw", "similarity", "saved")] == [0] * 5
    assert means(report, EARLIER)["exact"] > 0


async def test_an_engine_that_is_wrong_gets_nothing_but_likeness(tmp_path: Path) -> None:
    report = await measured(tmp_path, Planted(lambda _request: "zzz = 1"), PLAN)
    found = means(report, "planted")
    assert (found["exact"], found["saved"]) == (0, 0)
    assert 0 < found["similarity"] < 0.4


def unusual_files(folder: Path) -> Path:
    """Files in which each line has a word of its own, and a copy of one of them."""
    number = 0
    for name in ("a.py", "b.py", "sub/c.py"):
        lines: list[str] = []
        for _ in range(12):
            lines.append(f"def work_{number}(value):")
            for _ in range(3):
                number += 1
                lines.append(f"    value.zq{number}x(value, zq{number}x)")
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("\n".join(lines) + "\n")
    (folder / "copy.py").write_text((folder / "b.py").read_text() + "# A copy.\n")
    return folder


async def check_nothing_is_visible(tmp_path: Path, plan: Plan, repository: Repository) -> None:
    """No word of the hidden text is in any request, nor in any text to look things up in."""
    spy = Planted(lambda _request: "")
    await measured(tmp_path, spy, plan)
    asked = [
        hole
        for kind in plan.kinds
        for hole in holes.choose(repository.sources, kind, plan.count, plan.seed)
    ]
    assert len(spy.requests) == len(asked)
    words = 0
    wanted = startup_in(tmp_path).effective.settings.completion
    async with contenders.without_model(wanted) as search:
        for hole, request in zip(asked, spy.requests, strict=True):
            assert hole.before.endswith(request.prefix)
            hidden = set(UNUSUAL.findall(hole.gold))
            # Half a word at the cursor may be completed from the half before it.
            hidden -= set(UNUSUAL.findall(hole.before + hole.gold.split("(")[0]))
            words += len(hidden)
            seen = json.dumps([request.path, request.prefix, request.suffix, request.context])
            others = b"".join(bytes(text.data[:]) for text in repository.others(hole)).decode()
            answer = await search.answer(hole, repository)
            for word in hidden:
                assert word not in seen
                assert word not in others
                assert word not in answer.raw
    assert words > 20


async def test_what_is_hidden_is_visible_nowhere(tmp_path: Path) -> None:
    folder = unusual_files(tmp_path / "r")
    repository = repositories.read(folder)
    assert repository.left_out == {"a copy of another file": 1}
    await check_nothing_is_visible(tmp_path, Plan([folder], count=30), repository)


def git(folder: Path, *arguments: str) -> None:
    who = ("-c", "user.name=n", "-c", "user.email=e", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", folder, *who, *arguments], check=True, capture_output=True)


async def test_what_a_commit_added_was_not_there_before_it(tmp_path: Path) -> None:
    """Cursors from history: other files of the same commit name what is hidden, and are
    looked at as they were before."""
    folder = tmp_path / "r"
    folder.mkdir()
    git(folder, "init", "-q")
    old = "".join(f"def old_{n}(value):\n    return value.old_{n}\n\n" for n in range(20))
    for name in ("a.py", "b.py"):
        (folder / name).write_text(old)
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "old")
    added = "".join(f"def new_{n}(value):\n    return call(zq{n}x, value)\n\n" for n in range(20))
    (folder / "a.py").write_text(old[:300] + added + old[300:])
    (folder / "b.py").write_text(added + "x = 1\n" + old)
    git(folder, "commit", "-qam", "new")
    repository = repositories.read(folder, commits=1)
    assert "zq" not in "".join(repository.texts.values())
    plan = Plan([folder], count=60, commits=1)
    await check_nothing_is_visible(tmp_path, plan, repository)
    chosen = holes.choose(repository.sources, "line", 99, 1)
    assert chosen
    for hole in chosen:
        assert "old_" not in hole.gold
        assert "zq" not in hole.after


@pytest.mark.parametrize(
    ("files", "commits", "said"),
    [
        ({}, 0, "holds no source files"),
        ({"a.txt": "text\n"}, 0, "holds no source files"),
        ({"a.py": "\0"}, 0, "holds no source files"),
        ({"a.py": "x = 1\n"}, 3, "has no history"),
    ],
)
def test_where_there_is_nothing_to_measure(
    tmp_path: Path, files: dict[str, str], commits: int, said: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(NoRepository, match=said):
        repositories.read(tmp_path, commits=commits)


def test_what_is_left_out_is_counted(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text("def area(width, height):\n    return width * height\n")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "table.py").write_text("rows = (\n" + "    (0, 1, 2, 3),\n" * 50 + ")\n")
    (tmp_path / "latin.py").write_bytes(b"name = '\xe9'\n")
    (tmp_path / "huge.py").write_text("name = other\n" * 40_000)
    (tmp_path / "credentials.py").write_text("password = lookup()\n")
    (tmp_path / "link.py").symlink_to("/etc/hostname")
    found = repositories.read(tmp_path)
    assert set(found.texts) == {"good.py"}
    assert found.left_out == {
        "empty, or data": 1,
        "not UTF-8 text": 1,
        "too large": 1,
        "excluded by the settings or secret": 1,
    }


async def test_a_run_that_was_broken_off_goes_on(tmp_path: Path) -> None:
    """What was answered is not asked again, and the report is as from one run."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    whole = await measured(tmp_path / "one", Planted(oracle), PLAN)
    with pytest.raises(EngineGone, match="planted engine fails"):
        await measured(tmp_path / "two", Planted(oracle, fails_at=20), PLAN)
    rest = Planted(oracle)
    again = await measured(tmp_path / "two", rest, PLAN)
    assert len(rest.requests) == len(whole.scored) - 20
    assert without_times(again.to_json()) == without_times(whole.to_json())
    more = Planted(oracle)
    await measured(tmp_path / "two", more, Plan([REPOSITORY], count=30))
    assert 0 < len(more.requests) <= 15
    fresh = Planted(oracle)
    await measured(tmp_path / "two", fresh, Plan([REPOSITORY], count=25, fresh=True))
    assert len(fresh.requests) == len(whole.scored)


async def test_other_weights_are_asked_anew(tmp_path: Path) -> None:
    plan = Plan([REPOSITORY], count=5)
    await measured(tmp_path, Planted(oracle), plan)
    other = Planted(oracle)
    await measured(tmp_path, other, plan, sha256="1")
    assert len(other.requests) == 15


class Unhealed(LocalBackend):
    """Half a word at the cursor is taken back, and then generated without a constraint."""

    def _choose_token(self, rest: bytes) -> tuple[int, float]:
        return super()._choose_token(b"")


async def test_a_known_regression_is_caught(tmp_path: Path) -> None:
    """And the same model measured again is no regression."""
    plan = Plan([REPOSITORY], count=25, kinds=["rest"], fresh=True)
    path = chosen_model(startup_in(tmp_path)).path
    sound = await measured(tmp_path, LocalBackend(path), plan)
    again = await measured(tmp_path, LocalBackend(path), plan)
    assert without_times(sound.to_json()) == without_times(again.to_json())
    assert verdicts(sound, again) == {"planted": "alike", EARLIER: "alike"}
    broken = await measured(tmp_path, Unhealed(path), plan)
    assert verdicts(sound, broken) == {"planted": "worse", EARLIER: "alike"}
    assert verdicts(broken, sound) == {"planted": "better", EARLIER: "alike"}


def verdicts(first: Report, second: Report) -> dict[str, str]:
    return {one.after: one.verdict for one in comparison.compare(first, second)}


async def test_a_report_comes_back_from_json_and_holds_no_code(tmp_path: Path) -> None:
    plan = Plan([REPOSITORY], count=10, slices=True)
    report = await measured(tmp_path, Planted(oracle), plan)
    said = json.dumps(report.to_json())
    assert Report.from_json(json.loads(said)).to_json() == json.loads(said)
    texts = repositories.read(REPOSITORY).texts.values()
    lines = {line.strip() for text in texts for line in text.splitlines() if len(line) > 20}
    assert len(lines) > 300
    assert not [line for line in lines if json.dumps(line)[1:-1] in said]


async def test_the_page_and_the_pictures_are_whole(tmp_path: Path) -> None:
    plan = Plan([REPOSITORY], count=10, slices=True)
    report = await measured(tmp_path, Planted(oracle), plan)
    page = pages.markdown(report)
    for said in (
        "`wicket eval repository --holes 10 --seed 1 --slices`",
        report.holes["hash"][:16],
        report.contenders["planted"]["prompts"][:16],
        "| planted or earlier | 100.0 [100.0, 100.0] |",
        *pages.SLICES.values(),
        *pages.KINDS.values(),
    ):
        assert said in page
    for row in page.splitlines():
        assert not row.startswith("|") or row.endswith("|")
    wanted = {
        "exact": {"planted", EARLIER, "planted or earlier", "repository", "100.0"},
        "precision": {"planted", EARLIER, *pages.KINDS.values()},
        "differences": {"planted or earlier against planted", "+0.0"},
        "slices": {f"planted: {said}" for said in pages.SLICES.values()},
    }
    drawn = picture.drawn(report)
    assert set(drawn) == set(wanted)
    for name, texts in wanted.items():
        document = ElementTree.fromstring(drawn[name])
        assert texts <= {text.text for text in document.iter("{http://www.w3.org/2000/svg}text")}
        assert "http" not in drawn[name].replace("http://www.w3.org/2000/svg", "")


@pytest.mark.parametrize(
    ("settings", "names", "command"),
    [
        ({}, [""], "wicket eval repository"),
        ({"completion.lines": ["line"]}, [""], "--set completion.lines=line"),
        (
            {"completion.lines": ["line", "block"], "completion.max_lines": [4]},
            ["lines line", "lines block"],
            "--set completion.lines=line --set completion.lines=block --set completion.max_lines=4",
        ),
        (
            {"completion.lines": ["line", "auto"], "completion.max_lines": [4, 5]},
            [f"lines {lines}, max_lines {most}" for lines in ("line", "auto") for most in (4, 5)],
            "--set completion.max_lines=4 --set completion.max_lines=5",
        ),
        ({"completion.exclude": [["a b"]]}, [""], """--set 'completion.exclude=["a b"]'"""),
    ],
)
def test_each_value_of_a_setting_is_a_variant(
    settings: dict[str, list[Any]], names: list[str], command: str
) -> None:
    plan = Plan([REPOSITORY], settings=settings)
    assert list(plan.variants) == names
    for chosen in plan.variants.values():
        assert all(chosen[name] in values for name, values in settings.items())
    assert command in plan.command


async def test_languages_are_told_apart(tmp_path: Path) -> None:
    """One table per language and kind; the planted engine knows one of the two only."""
    folder = unusual_files(tmp_path / "r")
    for number in range(6):
        body = "".join(f"  call(zq{number}{n}x, value);\n" for n in range(5))
        (folder / f"{number}.js").write_text(f"function work{number}(value) {{\n{body}}}\n")
    plan = Plan([folder], count=400, kinds=["line"])
    report = await measured(tmp_path, Planted(lambda _request: "x"), plan)
    found = {part.language: part for part in figures.parts(report.scored)}
    assert set(found) == {figures.ALL, "python", "javascript"}
    assert found["python"].count + found["javascript"].count == found[figures.ALL].count
    shown = {name: part.figures[0].shown.value for name, part in found.items()}
    assert (shown["python"], shown["javascript"]) == (1, 0)
    titles = [table.title for table in pages.tables(report, pages.about)]
    assert [title for title in titles if ", javascript: whole line" in title]
    assert "javascript" in picture.drawn(report)["exact"]


async def test_a_blemish_is_compared_with_the_same_hole(tmp_path: Path) -> None:
    report = await measured(
        tmp_path, Planted(lambda _request: "x"), Plan([REPOSITORY], count=10, slices=True)
    )
    plain = {row.id for row in report.scored if row.slice == "plain"}
    others = [row for row in report.scored if row.slice != "plain"]
    assert {row.slice for row in others} == set(BLEMISHES)
    assert all(row.plain in plain for row in others)


def test_the_command_line(tmp_path: Path) -> None:
    """The embedded model, twice: the same numbers, files written, no engine left behind."""
    few = ("--holes", "4", "--seed", "3", "--json")
    written = ("--report", "r.md", "--pictures", "drawn")
    first = wicket(tmp_path, "eval", str(REPOSITORY), *few, "--bits", *written)
    assert first.returncode == 0, first.stderr
    assert first.stderr == ""
    again = wicket(tmp_path, "eval", str(REPOSITORY), *few, "--bits", "--fresh")
    one: dict[str, Any] = json.loads(first.stdout)
    assert without_times(one) == without_times(json.loads(again.stdout))
    assert set(one["contenders"]) == {"wicket-base", EARLIER}
    assert one["contenders"]["wicket-base"]["memory"] > 10 << 20
    assert all(row["scores"]["wicket-base"]["bits"] > 0 for row in one["scored"])
    assert (tmp_path / "r.md").read_text().startswith("# Evaluation")
    drawn = {file.stem for file in (tmp_path / "drawn").glob("*.svg")}
    assert drawn == {"exact", "precision", "differences"}
    stored = list((tmp_path / ".cache/wicket/evaluation").iterdir())
    assert {file.stat().st_mode & 0o777 for file in stored} == {0o600}
    environments = [process.info["environ"] for process in psutil.process_iter(["environ"])]
    assert not [
        one for one in environments if "wicket-eval-" in str(one) and str(tmp_path) in str(one)
    ]
    (tmp_path / "a.json").write_text(first.stdout)
    (tmp_path / "b.json").write_text(again.stdout)
    compared = wicket(tmp_path, "eval", "compare", "a.json", "b.json")
    assert compared.returncode == 1
    assert "12 holes in common" in compared.stderr
    shown = wicket(tmp_path, "eval", str(REPOSITORY), "--holes", "4", "--seed", "3")
    assert "wicket-base or earlier" in shown.stdout
    assert "MB of memory" in shown.stdout
    assert one["holes"]["hash"][:16] in shown.stdout


def test_several_settings_in_one_run(tmp_path: Path) -> None:
    """Paired: the same holes, and a test of the second against the first."""
    settings = ("--set", "completion.lines=line", "--set", "completion.lines=block")
    few = ("--holes", "6", "--kind", "block", "--json", "--report", "r.md")
    done = wicket(tmp_path, "eval", str(REPOSITORY), *settings, *few)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    one, other = "wicket-base, lines line", "wicket-base, lines block"
    assert set(said["contenders"]) == {one, other, EARLIER}
    assert said["contenders"][one]["prompts"] != said["contenders"][other]["prompts"]
    page = (tmp_path / "r.md").read_text()
    assert f"| {one} | {other} |" in page
    assert "lines = line" in page


def test_a_terminal_is_shown_how_far_it_is(tmp_path: Path) -> None:
    master, terminal = pty.openpty()
    command = ("eval", str(REPOSITORY), "--holes", "3", "--json")
    done = subprocess.run(
        [sys.executable, "-I", "-m", "wicket.server", *command],
        env=environment(tmp_path) | {"TERM": "xterm", "COLUMNS": "80"},
        stdout=subprocess.DEVNULL,
        stderr=terminal,
        timeout=120,
        check=False,
    )
    os.close(terminal)
    shown = os.read(master, 1 << 16).decode()
    os.close(master)
    assert done.returncode == 0
    assert re.search(r"wicket-base.*100%", shown)
    assert re.search(rf"{EARLIER}.*100%", shown)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nowhere",), 1, "is not a folder"),
        ((".",), 1, "holds no source files"),
        (("compare", "a.json"), 2, "compare takes two reports"),
        (("compare", "a.json", "b.json"), 1, "a.json: No such file"),
        (("compare", "x.json", "x.json"), 2, "cannot be read as a report"),
        (("--holes", "0"), 2, "take a positive number"),
        (("--set", "nonsense"), 2, "write NAME=VALUE"),
        (("--set", "completion.fly=1"), 2, "completion.fly"),
        (("--set", "engine.threads=1"), 2, "engine.threads"),
        ((str(REPOSITORY), "--model", "nothing"), 1, "no model is called nothing"),
        ((str(REPOSITORY), str(REPOSITORY)), 1, "two folders have the same name"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, arguments: tuple[str, ...], code: int, said: str
) -> None:
    (tmp_path / "x.json").write_text("[]")
    done = wicket(tmp_path, "eval", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_holes_of_every_kind_are_in_the_plan(tmp_path: Path) -> None:
    """The fixed repository has enough of each for the tests above to mean something."""
    sources = repositories.read(REPOSITORY).sources
    chosen: list[Hole] = [h for kind in KINDS for h in holes.choose(sources, kind, 25, 1)]
    assert len(chosen) > 60


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "alike"), (1.05, "worse"), (0.95, "better")])
async def test_bits_see_what_no_answer_shows_yet(
    tmp_path: Path, factor: float, verdict: str
) -> None:
    """The same answers, the hidden text a little dearer or cheaper to the model."""
    report = await measured(tmp_path, Planted(oracle), PLAN)

    def priced(factor: float) -> Report:
        rows = [
            replace(
                row, scores={"m": replace(row.scores["planted"], bits=factor * row.bytes + n % 3)}
            )
            for n, row in enumerate(report.scored)
        ]
        return replace(report, scored=rows, contenders={"m": report.contenders["planted"]})

    (found,) = comparison.compare(priced(1.0), priced(factor))
    assert found.similarity.value == 0
    assert found.bits is not None
    assert found.bits.value == pytest.approx(factor - 1)
    assert found.verdict == verdict
