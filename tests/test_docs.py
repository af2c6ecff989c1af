"""What is written about Wicket is what Wicket does."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_the_reference_is_up_to_date() -> None:
    """`make docs` would change nothing."""
    spec = importlib.util.spec_from_file_location("reference", ROOT / "docs/write_reference.py")
    assert spec
    assert spec.loader
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    for path, text in reference.written().items():
        assert path.read_text() == text, f"{path.name} is old: run `make docs`"


PAGES = [*ROOT.glob("*.md"), *sorted(ROOT.glob("docs/*.md")), *ROOT.glob("editors/*/README.md")]


def links(page: Path) -> list[tuple[Path, str]]:
    """Where a page points to in this repository, and to which heading there."""
    found = re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", page.read_text())
    return [(page.parent / path if path else page, heading) for path, heading in found]


def headings(page: Path) -> set[str]:
    """As links name them: lower case, words joined by dashes, without other signs."""
    text = re.sub(r"(?s)```.*?```", "", page.read_text())
    named = re.findall(r"(?m)^#+ (.*)$", text)
    return {re.sub(r"[^\w -]", "", name).strip().lower().replace(" ", "-") for name in named}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for target, heading in links(page):
        assert target.exists(), f"{page.name} points to {target}"
        assert not heading or heading in headings(target), f"{page.name}: {target}#{heading}"


def test_every_page_and_picture_is_shown_by_another() -> None:
    shown = {target.resolve() for page in PAGES for target, _ in links(page) if target != page}
    there = [*ROOT.glob("docs/*.md"), *ROOT.glob("docs/pictures/*")]
    assert [path.name for path in there if path not in shown] == []
