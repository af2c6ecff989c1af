"""The instrument proves itself: known engines get the figures that they must get."""

import json
import re
import subprocess
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from wicket.completion import holes
from wicket.completion.blemishes import BLEMISHES
from wicket.completion.client import EngineGone
from wicket.completion.decoding import Chosen, Greedy, Logits
from wicket.completion.holes import KINDS, Hole
from wicket.completion.local import LocalBackend
from wicket.server.app import chosen_model
from wicket.server.evaluation import comparison, contenders, repositories
from wicket.server.evaluation.contenders import EARLIER
from wicket.server.evaluation.repositories import NoRepository, Repository
from wicket.server.evaluation.run import Plan, Report

from .planted import (
    REPOSITORY,
    Planted,
    means,
    measured,
    oracle,
    startup_in,
    unusual_files,
    without_times,
)

PLAN = Plan([REPOSITORY], count=25)
# A word that stands on one line of one file only.
UNUSUAL = re.compile(r"zq\d+x")


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
            seen = json.dumps(asdict(request))
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

    def load(self, progress: Callable[[float], None]) -> None:
        super().load(progress)
        self._guides.greedy = Unconstrained(self._guides.words)


class Unconstrained(Greedy):
    def choose(self, logits: Logits, rest: bytes, rank: int, written: bytes) -> Chosen:
        return super().choose(logits, b"", rank, written)


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


async def test_a_blemish_is_compared_with_the_same_hole(tmp_path: Path) -> None:
    report = await measured(
        tmp_path, Planted(lambda _request: "x"), Plan([REPOSITORY], count=10, slices=True)
    )
    plain = {row.id for row in report.scored if row.slice == "plain"}
    others = [row for row in report.scored if row.slice != "plain"]
    assert {row.slice for row in others} == set(BLEMISHES)
    assert all(row.plain in plain for row in others)


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
