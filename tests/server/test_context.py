"""`wicket context` as a person meets it: an index on disk, a place, items with reasons."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ..indexing.questions import CLONES
from .home import Home

FILES = {
    "shop/store.py": "class Store:\n    def find(self, name: str) -> int: ...\n",
    "shop/secret.py": "from .store import Store\n\n\ndef hidden_away() -> None: ...\n",
    "shop/.env.py": "def never_seen(): ...\n",
    "shop/bill.py": "from .store import Store\n\n\ndef pay(store: Store):\n    store.\n",
    "notes.txt": "Store\n",
}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    for path, text in FILES.items():
        file = tmp_path / "repository" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (tmp_path / "repository" / ".git").mkdir()
    return made


def test_each_item_says_why(home: Home) -> None:
    assert home.wicket("index", "repository").returncode == 0
    done = home.wicket("context", "repository/shop/bill.py:5:11", "--json", "--budget", "200")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["path"] == "shop/bill.py"
    assert said["tokens"] == sum(item["tokens"] for item in said["items"]) <= 200
    (find,) = [item for item in said["items"] if item["name"] == "Store.find"]
    assert find["why"] == "member of store"
    assert (find["path"], find["lines"]) == ("shop/store.py", [2, 2])
    assert "never_seen" not in done.stdout
    people = home.wicket("context", "repository/shop/bill.py:5:11").stdout
    assert "def find(self, name: str) -> int:" in people
    assert "-- member of store" in people


@pytest.mark.parametrize(
    ("place", "code", "why"),
    [
        ("repository/shop/bill.py:5:11", 1, "has no index yet; `wicket index"),
        ("repository/shop/.env.py:1:1", 1, "the list of secret files excludes it"),
        ("repository/notes.txt:1:1", 1, "in no language that the index understands"),
        ("repository/shop/bill.py:99:1", 2, "line 99 is not one of them"),
        ("repository/none.py:1:1", 2, "cannot read"),
        ("nowhere", 2, "is not PATH:LINE:COL"),
        ("repository/shop:1:1", 2, "cannot read"),
        ("repository/shop/picture.py:1:1", 2, "is not UTF-8 text"),
        ("repository/shop/bill.py:0:1", 2, "line 0 is not one of them"),
        ("repository/shop/bill.py:1:0", 2, "columns count from 1"),
        ("repository/shop/bill.py:1:1 --budget 0", 2, "--budget counts tokens from 1"),
    ],
)
def test_what_is_not_there_is_one_line(home: Home, place: str, code: int, why: str) -> None:
    (home.folder / "repository/shop/picture.py").write_bytes(b"\x89PNG\xff\0")
    done = home.wicket("context", *place.split())
    assert done.returncode == code
    assert not done.stdout
    assert why in done.stderr
    assert done.stderr.count("\n") == 1


LIKE = """def {name}(order, ledger):
    entry = ledger.open_entry(order.number)
    entry.add_amount(order.total)
    {last}
"""


def test_similar_code_and_names_alone(home: Home) -> None:
    """A window of another file says why it is there; of many names, most stand in a row."""
    shop = home.folder / "repository" / "shop"
    (shop / "tax.py").write_text(LIKE.format(name="tax_of", last="entry.close_with(order)"))
    (shop / "fee.py").write_text(LIKE.format(name="fee_of", last=""))
    rows = [f"def make_{n}(first: int, second: str): ...\n" for n in range(200)]
    (shop / "many.py").write_text("".join(rows))
    assert home.wicket("index", "repository").returncode == 0
    place = "repository/shop/fee.py:4:5"
    said = json.loads(home.wicket("context", place, "--json", "--budget", "600").stdout)
    (like,) = [one for one in said["items"] if one["why"] == "like the lines around the cursor"]
    assert (like["path"], like["lines"][0]) == ("shop/tax.py", 1)
    assert "entry.close_with(order)" in like["text"]
    assert said["tokens"] <= said["budget"] == 600
    few = json.loads(home.wicket("context", place, "--json", "--budget", "100").stdout)
    assert few["tokens"] <= 100
    assert len(few["items"]) < len(said["items"])
    people = home.wicket("context", place, "--budget", "600").stdout
    assert "-- like the lines around the cursor" in people
    assert [1 for line in people.split("\n") if line.count(", make_") > 10] == [1]
    assert "-- defined in the same directory" in people


def test_what_the_settings_exclude_is_in_no_context(home: Home) -> None:
    home.configure('[completion]\nexclude = ["secret.py"]\n')
    assert home.wicket("index", "repository").returncode == 0
    done = home.wicket("context", "repository/shop/bill.py:3:1", "--json")
    assert "hidden_away" not in done.stdout
    assert json.loads(done.stdout)["items"]


def complete(home: Home, *options: str) -> dict[str, Any]:
    done = home.wicket("complete", "repository/shop/bill.py:5:11", "--json", *options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_is_shown_to_the_model_is_told(home: Home) -> None:
    home.configure("[completion]\ncontext = true\n")
    assert complete(home)["context"] == []  # There is no index yet.
    assert home.wicket("index", "repository").returncode == 0
    said = complete(home)
    (store,) = [row for row in said["context"] if row["path"] == "shop/store.py"]
    assert store["lines"] == [1, 2]
    assert "member of store" in store["why"]
    assert store["tokens"] > 10
    assert said["ms"]["context"] > 0
    without = complete(home, "--no-context")
    assert without["context"] == []
    # It is in the prompt, not only in what is told of it.
    read = [sum(one["tokens"][n] for n in ("prefill", "reused")) for one in (said, without)]
    assert read[0] >= read[1] + store["tokens"] / 2
    paths = {row["path"] for row in said["context"]}
    assert "shop/.env.py" not in paths


@pytest.mark.parametrize(
    "settings",
    [
        "",  # The shipped model is too small for it.
        "[completion]\ncontext = false\n",
        "[completion]\ncontext = true\n[index]\nenabled = false\n",
    ],
)
def test_who_is_shown_nothing(home: Home, settings: str) -> None:
    assert home.wicket("index", "repository").returncode == 0
    home.configure(settings)
    assert complete(home)["context"] == []


def test_other_repositories_are_asked_as_well(home: Home, tmp_path: Path) -> None:
    for name in ("shopclient", "billing"):
        shutil.copytree(CLONES / name, tmp_path / name)
        (tmp_path / name / ".git").mkdir()
        assert home.wicket("index", name).returncode == 0
    rows = "".join(
        f'[[repository]]\npath = "{tmp_path / name}"\n'
        for name in ("billing", "shopclient", "orders", "nowhere")
    )
    home.configure(rows)
    (tmp_path / "orders").mkdir()
    place = "shopclient/src/shopclient/client.py:15:1"
    done = home.wicket("context", place, "--repos", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    uses = {(one["repository"], one["path"]) for one in said["repositories"]}
    assert uses == {("billing", f"billing/{name}.py") for name in ("app", "invoices", "reports")}
    assert all(one["why"] for one in said["repositories"])
    assert said["unindexed"] == [str(tmp_path / "orders")]
    people = home.wicket("context", "billing/billing/credit.py:7:1", "--repos").stdout
    assert "shopclient: src/shopclient/errors.py" in people
    assert "-- imported on line 5" in people
    assert "has no index yet; `wicket index" in people


def test_names_of_files_forge_no_line(home: Home) -> None:
    home.file("repository/shop/a\nb\x1b[2J.py", "def forged(name): ...\n")
    place = home.file("repository/shop/use.py", "forg\n") + ":1:5"
    assert home.wicket("index", "repository").returncode == 0
    shown = home.wicket("context", place).stdout
    assert "shop/a\\nb\\x1b[2J.py" in shown.split("\n")
    assert "\x1b" not in shown
