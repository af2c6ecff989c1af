"""A report as JSON, as tables and as pictures."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from wicket.server.evaluation import figures, pages, picture, repositories
from wicket.server.evaluation.contenders import EARLIER
from wicket.server.evaluation.run import Plan, Report

from .planted import REPOSITORY, Planted, measured, oracle, unusual_files


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
