"""Why a suggestion, as a person reads it."""

from dataclasses import replace
from pathlib import Path

from wicket.completion.complete import UNSURE
from wicket.completion.cursor import Cursor, Snippet, Suggestion
from wicket.completion.trim import RULES
from wicket.server.explanations import REFUSALS, Explanations, explain, page

CURSOR = Cursor("src/here.py", "python", "x = \n", 4)
COPY = Suggestion(
    "one(\n    two)",
    source="model-free",
    model="wicket-base",
    rules=("brackets", "lines"),
    chance=0.834,
    where="src/there.py",
    line=12,
    tokens={"prefill": 3, "decoded": 0},
    ms={"total": 4.5},
    context=(Snippet("lib/a.py", "…", (3, 9), "imported here"), Snippet("gone.py", "…")),
)


def pages(suggestion: Suggestion, *folders: Path) -> tuple[list[str], list[dict[str, object]]]:
    remembered = Explanations()
    number = remembered.remember(explain(CURSOR, suggestion))
    said = remembered.find(number)
    assert said
    made = page(said, folders)
    return made["lines"], made["links"]


def test_where_it_is_from_and_what_it_cost(tmp_path: Path) -> None:
    """Files of the folder can be gone to, each at its line."""
    for name in ("src/there.py", "lib/a.py"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("")
    lines, links = pages(COPY, Path("/nowhere"), tmp_path)
    assert lines == [
        "suggested    one(",
        "                 two)",
        "source       a copy; the same text stands before it there",
        "chance       83 % to be right",
        "copied from  src/there.py:12",
        "rules        brackets, lines",
        "model        wicket-base",
        "tokens       prefill 3, decoded 0",
        "ms           total 4.5",
        "context      lib/a.py:3  imported here",
        "             gone.py:1",
        "accepted     no",
    ]
    assert links == [
        {"text": "src/there.py:12", "path": str(tmp_path / "src/there.py"), "line": 12},
        {"text": "lib/a.py:3", "path": str(tmp_path / "lib/a.py"), "line": 3},
    ]
    assert all(any(str(link["text"]) in line for line in lines) for link in links)


def test_why_there_is_none() -> None:
    lines, links = pages(Suggestion("", filtered="completion.trigger is manual"))
    assert lines[0] == "nothing      completion.trigger is manual"
    assert "model        none was asked" in lines
    assert links == []
    assert not any(line.startswith("accepted") for line in lines)


def test_every_source_is_put_into_words() -> None:
    said = [pages(replace(COPY, source=s))[0][2] for s in ("model", "model-free", "cache", "mixed")]
    assert len(set(said)) == 4
    assert not any(line.endswith(("model-free", "cache", "mixed")) for line in said)


def test_every_rule_that_may_refuse_is_put_into_words() -> None:
    assert set(REFUSALS) == {*(rule.name for rule in RULES), UNSURE}
    lines, _ = pages(Suggestion("", filtered="syntax"))
    assert lines[0].endswith("than without [syntax]")
