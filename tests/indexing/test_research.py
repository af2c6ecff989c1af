"""Research: each function finds its own, says why, and stops at its bounds."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from wicket.indexing import files
from wicket.indexing.build import content_digest
from wicket.indexing.facts import pack
from wicket.indexing.languages import indexed_as
from wicket.indexing.parse import parse
from wicket.indexing.reader import Reader
from wicket.indexing.research import across, prose
from wicket.indexing.research.bodies import bodies
from wicket.indexing.research.gather import gather
from wicket.indexing.research.named import like
from wicket.indexing.research.outline import outline, ranked_files
from wicket.indexing.research.ranking import ranks
from wicket.indexing.research.references import references
from wicket.indexing.research.repository import Passage, Repository, words
from wicket.indexing.research.search import search
from wicket.indexing.retrieval.symbols import Symbol
from wicket.indexing.store import Store

from .questions import BUDGET, CLONES, DEVELOPMENT, HELD_OUT, shown

NAMES = ("orders", "billing", "shopclient")


def indexed(root: Path, place: Path, name: str) -> Repository:
    """A folder in an index of its own, as the index process would write it."""
    store = Store(place, "rules")
    for path in sorted(files.walk(root, 10_000).paths):
        if language := indexed_as(path):
            source, stamp = files.read(root, path, 1 << 20)
            digest = content_digest(source)
            blob = store.holds(digest, language)
            if blob is None:
                blob = store.put(digest, language, len(source), pack(parse(language, source)))
            store.point(path, stamp, blob)
    store.close()
    return Repository(name, Reader(place), lambda path: (root / path).read_bytes())


@pytest.fixture(scope="module")
def clones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Repository]]:
    place = tmp_path_factory.mktemp("indexes")
    found = {name: indexed(CLONES / name, place / name, name) for name in NAMES}
    yield found
    for repository in found.values():
        repository.index.close()


def from_here(clones: dict[str, Repository], name: str) -> list[Repository]:
    return [clones[name], *(clones[other] for other in NAMES if other != name)]


def symbol(repository: Repository, path: str, name: str) -> Symbol:
    facts = repository.facts(path)
    assert facts
    (number, *_more) = [n for n, one in enumerate(facts.definitions) if one.name == name]
    return Symbol(path, number)


@pytest.mark.parametrize(
    ("name", "question", "first"),
    [
        ("orders", "Where is the price of an order computed?", "price_order"),
        ("orders", "what does `earlier_answer` do", "earlier_answer"),
        ("billing", "How do I format amounts?", "format_amount"),
        ("shopclient", "Who raises ConflictError?", "ConflictError"),
    ],
)
def test_definitions_named_like_a_question(
    clones: dict[str, Repository], name: str, question: str, first: str
) -> None:
    found = like(clones[name], question)
    assert found[0].one.name == first
    assert found[0].why.startswith("named ")
    assert [one.value for one in found] == sorted((one.value for one in found), reverse=True)


def test_a_body_is_the_whole_text_of_a_definition(clones: dict[str, Repository]) -> None:
    (one,) = [
        one for one in like(clones["orders"], "`price_order`") if one.one.name == "price_order"
    ]
    (passage,) = bodies(clones["orders"], [one], 500)
    text = (CLONES / "orders/orders/pricing.py").read_text().split("\n")
    assert passage.text.split("\n") == text[passage.lines[0] - 1 : passage.lines[1]]
    assert passage.text.startswith("def price_order(")
    assert passage.text.rstrip().endswith("return order.total_cents")
    assert bodies(clones["orders"], [one], passage.tokens - 1) == []


def test_a_body_that_moved_away_is_left_out(clones: dict[str, Repository]) -> None:
    moved = Repository("orders", clones["orders"].index, lambda _path: b"\n" * 200)
    assert bodies(moved, like(moved, "`price_order`"), 5000) == []


def test_references_tell_the_definition_from_its_namesakes(clones: dict[str, Repository]) -> None:
    orders = clones["orders"]
    target = symbol(orders, "orders/pricing.py", "price_order")
    found = references(orders, "price_order", target)
    assert [(one.path, one.kind, one.inside, one.certain) for one in found] == [
        ("orders/handlers.py", "import", "", True),
        ("orders/handlers.py", "use", "create_order", True),
        ("orders/pricing.py", "definition", "", True),
        ("tests/test_pricing.py", "import", "", True),
        ("tests/test_pricing.py", "use", "test_small_orders_pay_shipping", True),
    ]
    # `cancel_order` of the handlers is not the method of the client.
    client = clones["shopclient"]
    method = symbol(client, "src/shopclient/client.py", "cancel_order")
    others = across.users(client, method.path, method.number, from_here(clones, "shopclient"))
    assert {(one.repository, one.path): one.certain for one in others} == {
        ("billing", "billing/credit.py"): False,
        ("orders", "orders/app.py"): False,
        ("orders", "orders/handlers.py"): False,
    }


def test_names_in_comments_and_strings_are_no_references(tmp_path: Path) -> None:
    (tmp_path / "r").mkdir()
    (tmp_path / "r/a.py").write_text("def f(): ...\n# f\nx = 'f'\nf()\n")
    repository = indexed(tmp_path / "r", tmp_path / "db", "r")
    found = references(repository, "f", Symbol("a.py", 0))
    assert [(one.line, one.kind) for one in found] == [(1, "definition"), (4, "use")]
    repository.index.close()


def test_who_uses_a_library_elsewhere(clones: dict[str, Repository]) -> None:
    client = clones["shopclient"]
    target = symbol(client, "src/shopclient/client.py", "OrderClient")
    found = across.users(client, target.path, target.number, from_here(clones, "shopclient"))
    assert {one.path for one in found if one.certain} == {
        "billing/app.py",
        "billing/invoices.py",
        "billing/reports.py",
    }
    uses = across.uses(clones["billing"], "billing/credit.py", list(clones.values()))
    assert {
        (one.exported.repository, one.exported.path, one.exported.one.name) for one in uses
    } == {
        ("shopclient", "src/shopclient/errors.py", "ConflictError"),
        ("shopclient", "src/shopclient/errors.py", "ShopError"),
    }
    names = {one.one.name for one in across.exported(client, ["src/shopclient/errors.py"])}
    assert names == {"ShopError", "ConflictError", "Unavailable", "raise_for"}


def test_a_module_of_the_standard_library_is_nobodys(tmp_path: Path) -> None:
    """`import json` does not mean the file json.py in somebody's package."""
    for path, text in {
        "a/lib/__init__.py": "",
        "a/lib/json.py": "def dumps(): ...\n",
        "b/use.py": "from json import dumps\nfrom lib.json import dumps as d\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    home = indexed(tmp_path / "a", tmp_path / "a.db", "a")
    other = indexed(tmp_path / "b", tmp_path / "b.db", "b")
    assert [one.line for one in across.uses(other, "use.py", [home])] == [2]
    home.index.close()
    other.index.close()


def test_the_map_shows_what_is_used_most_and_fits(clones: dict[str, Repository]) -> None:
    orders = clones["orders"]
    ranked = ranked_files(orders)
    assert sum(ranked.values()) == pytest.approx(1)
    assert max(ranked, key=lambda path: ranked[path]) == "orders/models.py"
    for budget in (0, 40, 200, 1000):
        passages = outline(orders, budget)
        assert sum(one.tokens for one in passages) <= budget + 1
    text = {one.path: one.text for one in outline(orders, 1000)}
    assert "class Order:" in text["orders/models.py"]
    assert "def price_order(order: Order) -> int" in text["orders/pricing.py"]
    focused = outline(orders, 120, focus=["orders/auth.py"])
    assert "orders/auth.py" in {one.path for one in focused}
    assert "orders/auth.py" not in {one.path for one in outline(orders, 120)}


def test_worth_flows_from_users_to_what_they_use() -> None:
    even = dict.fromkeys(range(4), 1.0)
    found = ranks([(0, 2, 1.0), (1, 2, 1.0), (2, 3, 1.0)], even)
    assert sum(found.values()) == pytest.approx(1)
    assert found[3] > found[2] > found[0] == found[1]
    near = ranks([(0, 2, 1.0), (1, 3, 1.0)], {0: 1.0, 1: 0.0})
    assert near[2] > 0
    assert near.get(3, 0) == 0
    assert ranks([], {}) == {}


@pytest.mark.parametrize(
    ("text", "options", "places"),
    [
        ("idempotency-key", {}, {"orders": 3, "shopclient": 2}),
        ("Idempotency-Key", {"globs": ["*.md"]}, {"orders": 1, "shopclient": 1}),
        ("NIGHTLY", {}, {}),
        ("def f(", {}, {}),
        ("", {}, {}),
        ("order.cancelled", {"around": 2}, {"orders": 1, "billing": 1}),
        ("self._token\n", {}, {}),
    ],
)
def test_a_text_is_found_wherever_it_stands(
    clones: dict[str, Repository], text: str, options: dict, places: dict[str, int]
) -> None:
    hits = search(clones.values(), text, **options)
    found: dict[str, int] = {}
    for one in hits.passages:
        found[one.repository] = found.get(one.repository, 0) + 1
        inside = one.text if text != text.lower() else one.text.lower()
        assert text in inside
        assert one.lines[1] - one.lines[0] <= 2 * options.get("around", 0)
    assert found == places
    assert hits.whole


def test_a_search_says_where_it_stopped(clones: dict[str, Repository]) -> None:
    hits = search(clones.values(), "order", most=5)
    assert len(hits.passages) == 5
    assert not hits.whole


def test_only_what_is_in_the_index_is_read(tmp_path: Path) -> None:
    """Whatever path somebody asks for: the policy decided when the index was made."""
    (tmp_path / "r").mkdir()
    (tmp_path / "r/a.py").write_text("x = 1\n")
    (tmp_path / "secret").write_text("s")
    repository = indexed(tmp_path / "r", tmp_path / "db", "r")
    assert repository.text("a.py") == "x = 1\n"
    for path in ("../secret", str(tmp_path / "secret"), "b.py", "", "a.py/../../secret"):
        assert repository.text(path) is None
    repository.index.close()


def test_documents_are_cut_at_their_headings() -> None:
    text = (
        "Before any heading there may be words of introduction, too.\n\n# Top\n\none two three"
        " four five six seven\n\n## Below `x`\n\n```\n# no heading, only a comment in code\n```\n"
        "\nSecond\n======\n\nalpha beta gamma delta epsilon zeta\n"
    )
    found = [(one.line, one.heading) for one in prose.sections("a.md", text)]
    assert found == [(0, ""), (2, "Top"), (6, "Top > Below `x`"), (12, "Second")]
    joined = "".join(one.text for one in prose.sections("a.md", text))
    assert all(word in joined for word in ("introduction", "seven", "comment", "zeta"))


def test_every_piece_of_prose_finds_itself(clones: dict[str, Repository]) -> None:
    """The trap of a broken ranking: a piece's own words must lead to it first."""
    pieces = [
        piece
        for repository in clones.values()
        for path in repository.index.paths()
        for piece in prose.sections(path, repository.text(path) or "")
        if path.endswith(".md")
    ]
    texts = [piece.text for piece in pieces]
    assert len(pieces) > 10
    for number, piece in enumerate(pieces):
        query = {word: 1.0 for word in words(piece.text)}
        scores = prose.bm25(texts, query)
        assert max(scores) == scores[number], piece.heading


def test_prose_answers_from_documents_and_docstrings(clones: dict[str, Repository]) -> None:
    found = prose.prose(clones.values(), "How often is a request that fails sent again?", 600)
    assert (found[0].repository, found[0].path) == ("shopclient", "README.md")
    assert "Retries" in found[0].why
    assert sum(one.tokens for one in found) <= 600
    lines = (CLONES / "shopclient/README.md").read_text().split("\n")
    a, b = found[0].lines
    assert "\n".join(lines[a - 1 : b]) == found[0].text
    code = prose.prose(clones.values(), "`earlier_answer` of requests by header, oldest", 600)
    assert "orders/idempotency.py" in {one.path for one in code}


def recall(clones: dict[str, Repository], asked: tuple) -> tuple[float, list[Passage]]:
    where, question, needed = asked
    passages = gather(question, from_here(clones, where), BUDGET)
    return len(needed & shown(passages)) / len(needed), passages


@pytest.mark.parametrize("asked", [*DEVELOPMENT, *HELD_OUT], ids=lambda asked: asked[1][:30])
def test_a_question_gets_passages_within_its_budget(
    clones: dict[str, Repository], asked: tuple
) -> None:
    _recall, passages = recall(clones, asked)
    assert sum(one.tokens for one in passages) <= BUDGET
    assert all(one.why for one in passages)
    assert all(one.repository in NAMES for one in passages)


def test_the_files_that_an_answer_needs_are_there(clones: dict[str, Repository]) -> None:
    found = [recall(clones, asked)[0] for asked in HELD_OUT]
    assert sum(found) / len(found) >= 0.8
