"""The import that an accepted suggestion adds: which one, and when none."""

import json
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from lsprotocol import types
from wicket.indexing.memory import InMemory
from wicket.server.documents import Document
from wicket.server.imports import Offer, needed, standing

from .home import Home
from .test_lsp import Editor, starting

SHOP = {
    "shop/__init__.py": "from .store import Store, open_store\n",
    "shop/money.py": "LIMIT = 3\nrate = 2\ndef as_euros(cents): ...\ndef twice(): ...\n",
    "shop/store.py": "from .money import LIMIT\nclass Store: ...\ndef open_store(): ...\n",
    "shop/report.py": "import json\nfrom pathlib import Path\nfrom .money import as_euros\n",
    "shop/uses.py": "from . import bill\ndef looped(): ...\n",
    "shop/bill.py": "",
    "shop/hidden.py": "def secret(): ...\n",
    "shop/deep/__init__.py": "",
    "shop/deep/row.py": "from ..money import LIMIT\ndef as_row(): ...\ndef twice(): ...\n",
    "shop/_private.py": "def _inner(): ...\nclass Priced:\n    def price(self): ...\n",
    "tests/test_money.py": "import numpy as np\nfrom shop.money import as_euros\n",
    "tests/other.py": "import pandas as df\n",
    "tests/another.py": "import dask as df\n",
    "scripts/run.py": "import tool\n",
    "scripts/tool.py": "def work(): ...\n",
    "scripts/more.py": "def rest(): ...\n",
    "view/cart.ts": "export class Cart {}\nexport interface Line {}\nexport const total = 1;\n",
    "view/draw.tsx": "import { Cart } from './cart';\nexport default function draw() {}\n",
    "view/use.ts": "import React from 'react';\nimport type { Line } from './cart';\n",
    "view/rows/index.ts": "export function rows() {}\n",
    "view/old.js": "exports.old = function old() {};\n",
    "esm/a.ts": "import { b } from './b.js';\nexport function a() {}\n",
    "esm/b.ts": "export function b() {}\n",
    "lib/c.py": "def rows(): ...\n",
}  # fmt: skip
REPOSITORY = InMemory(SHOP)


def check(path: str, marked: str, *want: str, files: InMemory = REPOSITORY) -> None:
    """The lines that are added once what stands in `[[` and `]]` was accepted."""
    before, _, rest = dedent(marked).partition("[[")
    new, _, after = rest.partition("]]")
    text, place = before + new + after, (len(before), len(before + new))
    found = needed(files, path, text, *place, lambda path: "hidden" in path)
    assert (found.lines if found else ()) == want
    if found:
        made = text[: found.edit.start] + found.edit.text + text[found.edit.end :]
        assert len(want) > 1 or made.count(want[0].rstrip("\n")) == 1
        assert made.endswith(text[place[0] :])


CASES: dict[str, tuple[str, ...]] = {
    "as the directory does": ("shop/bill.py", "[[as_euros(3)]]", "from .money import as_euros"),
    "absolute where the directory is": (
        "tests/test_more.py",
        "[[as_euros(3)]]",
        "from shop.money import as_euros",
    ),
    "absolute where the file is": (
        "shop/bill.py",
        "from shop.store import Store\nx = [[as_euros(3)]]",
        "from shop.money import as_euros",
    ),
    "nobody imports it yet": ("shop/bill.py", "[[as_row()]]", "from .deep.row import as_row"),
    "from a directory below": (
        "shop/deep/cell.py",
        "[[open_store()]]",
        "from ..store import open_store",
    ),
    "of a package that offers it": (
        "tests/test_more.py",
        "from shop import Store\nx = [[open_store()]]",
        "from shop.store import open_store",
    ),
    "a script beside it": (
        "scripts/run2.py",
        "[[work(rest())]]",
        "from tool import work",
        "from more import rest",
    ),
    "not a script elsewhere": ("tests/test_more.py", "[[work()]]"),
    "a module of the library": ("shop/bill.py", "x = [[json.dumps(1)]]", "import json"),
    "of a module of the library": (
        "shop/bill.py",
        "def f() -> [[Path: ...]]",
        "from pathlib import Path",
    ),
    "under its usual name": ("tests/t.py", "x = [[np.zeros(3)]]", "import numpy as np"),
    "a constant": ("shop/bill.py", "[[print(LIMIT)]]", "from .money import LIMIT"),
    "two names": (
        "shop/bill.py",
        "[[as_euros(LIMIT)]]",
        "from .money import as_euros",
        "from .money import LIMIT",
    ),
    "two definitions": ("shop/bill.py", "[[twice()]]"),
    "two modules": ("tests/t.py", "[[df.read()]]"),
    "a variable": ("shop/bill.py", "[[print(rate)]]"),
    "a private one": ("shop/bill.py", "[[_inner()]]"),
    "a member": ("shop/bill.py", "x = 1\n[[x.price(price)]]"),
    "bound here": ("shop/bill.py", "def as_euros(): ...\n[[as_euros(3)]]"),
    "bound in between": ("shop/bill.py", "[[for json in x:\n    json.dumps(1)]]"),
    "whatever a star brings": ("shop/bill.py", "from x import *\n[[as_euros(3)]]"),
    "of a file that is hidden": ("shop/bill.py", "[[secret()]]"),
    "a circle": ("shop/bill.py", "[[looped()]]"),
    "of another language": ("view/new.ts", "[[as_euros(3);]]"),
    "the same name in two languages": (
        "view/new.ts",
        "[[rows();]]",
        'import { rows } from "./rows";',
    ),
    "unknown": ("shop/bill.py", "[[nobody(3)]]"),
    "nothing that is used": ("shop/bill.py", "x = [[1 + 2]]"),
    "in TypeScript": ("view/new.ts", "let x = [[new Cart();]]", 'import { Cart } from "./cart";'),
    "a type as the file does": (
        "view/new.ts",
        "import type { Q } from './q';\nlet x: [[Line = 1;]]",
        "import type { Line } from './cart';",
    ),
    "by default": ("view/new.ts", "[[draw();]]", 'import draw from "./draw";'),
    "by default of a package": ("view/new.tsx", "[[React.x();]]", 'import React from "react";'),
    "from above": ("view/deep/a.ts", "[[new Cart();]]", 'import { Cart } from "../cart";'),
    "with an extension": (
        "esm/c.ts",
        "import { b } from './b.js';\n[[a();]]",
        "import { a } from './a.js';",
    ),
    "what code always has": ("view/new.ts", "[[new Map<string, Promise<void>>();]]"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_which_import(case: str) -> None:
    path, marked, *want = CASES[case]
    check(path, marked, *want)


def test_the_edit_is_above_what_was_accepted() -> None:
    """What stands below may be moved, by whole lines; nothing else changes."""
    text = "import os\n\n\ndef f():\n    return as_euros(3)\n"
    start = text.index("as_euros")
    found = needed(REPOSITORY, "shop/bill.py", text, start, start + 11, lambda _path: None)
    assert found
    made = text[: found.edit.start] + found.edit.text + text[found.edit.end :]
    assert made == (
        "import os\n\nfrom .money import as_euros\n\n\ndef f():\n    return as_euros(3)\n"
    )


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a = as_euros(3)\nb = 2\n", (4, 15)),
        ("a = as_euros(3))\nb = 2 # typed on\n", (4, 15)),
        ("a = as_euros\n", None),
        ("import x\na = as_euros(3)\nb = 2\n", None),
        ("", None),
    ],
)
def test_where_an_accepted_answer_stands(text: str, place: tuple[int, int] | None) -> None:
    document = Document("file:///a.py", "python", 1, "a = as\nb = 2\n")
    assert standing(Offer(document, 4, "as_euros(3)"), text) == place


def test_line_breaks_are_those_of_the_document() -> None:
    document = Document("file:///a.py", "python", 1, "x\r\n")
    assert standing(Offer(document, 0, "if a:\n    b"), "if a:\r\n    b\r\n") == (0, 12)


# In an editor

MONEY = "def as_euros(cents: int) -> str:\n    return str(cents / 100)\n"
REPORT = "from .money import as_euros\n\n\ndef report(cents: int) -> str:\n    label = as_euros(cents)\n    return label\n"  # noqa: E501
BILL = "def bill(cents: int) -> str:\n    label = as\n"
AT = types.Position(1, 14)


class Client(Editor):
    """An editor that makes the edits it is told to, unless it has gone on."""

    async def begin(self, folder: Path, edits: bool = True, **settings: object) -> "Client":
        self.told: list[types.ApplyWorkspaceEditParams] = []
        self.uri = (folder / "shop" / "bill.py").as_uri()

        @self.client.feature(types.WORKSPACE_APPLY_EDIT)
        def apply(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
            self.told.append(params)
            return types.ApplyWorkspaceEditResult(applied=True)

        workspace = types.WorkspaceClientCapabilities(
            apply_edit=True,
            workspace_edit=types.WorkspaceEditClientCapabilities(document_changes=edits),
        )
        params = types.InitializeParams(
            types.ClientCapabilities(workspace=workspace),
            workspace_folders=[types.WorkspaceFolder(folder.as_uri(), "shop")],
            initialization_options={"completion": settings},
        )
        await self.client.initialize_session(params)
        await self.until("ready")
        self.open(REPORT, (folder / "shop" / "report.py").as_uri())
        self.open(BILL, self.uri)
        return self

    async def accept(self, said: str = "_euros(cents)", inserted: bool = True) -> list[str]:
        """Take the first answer at AT; the texts of the edits that came of it."""
        item = (await self.ask_by_hand(AT, self.uri)).items[0]
        assert item.insert_text.startswith(said)
        if inserted:
            self.type(AT, item.insert_text, self.uri)
        assert item.command
        self.number: Any = item.command.arguments[0]
        taken = types.ExecuteCommandParams(item.command.command, item.command.arguments)
        await self.client.workspace_execute_command_async(taken)
        changes = [c for told in self.told for c in told.edit.document_changes or ()]
        for one in changes:
            assert isinstance(one, types.TextDocumentEdit)
            assert one.text_document.version == self.version
        return [e.new_text for c in changes for e in c.edits]  # type: ignore[union-attr]


@pytest.fixture(scope="module")
def place() -> Any:
    with tempfile.TemporaryDirectory(prefix="wi", dir="/tmp") as folder:
        home = Home(Path(folder))
        for name, text in {"__init__": "", "money": MONEY, "report": REPORT, "bill": BILL}.items():
            file = home.folder / "repository" / "shop" / f"{name}.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        (home.folder / "repository" / ".git").mkdir()
        assert home.wicket("index", "repository").returncode == 0
        yield home
        home.wicket("stop")


@pytest.fixture
async def editor(place: Home) -> AsyncIterator[Client]:
    client = await starting(str(place.folder)).start()
    yield Client(client)
    await client.shutdown_session()
    await client.stop()


async def test_accepting_adds_the_import(place: Home, editor: Client) -> None:
    await editor.begin(place.folder / "repository")
    assert await editor.accept() == ["from .money import as_euros\n\n\n"]
    why = await editor.explain(id=editor.number)
    assert "import       from .money import as_euros" in why.page.lines


@pytest.mark.parametrize("case", ["setting", "client", "not inserted"])
async def test_nothing_is_added(place: Home, editor: Client, case: str) -> None:
    """Where it is not wanted, cannot be done safely, or what was accepted is not there."""
    await editor.begin(
        place.folder / "repository", edits=case != "client", add_imports=case != "setting"
    )
    assert await editor.accept(inserted=case != "not inserted") == []


TYPED = {
    "a name that was only typed": (
        {"store": "def as_dollars(cents: int) -> str: ...\n"},
        "as_dollars",
        ["from shop.store import as_dollars\n\n\n"],
    ),
    "in a file that was never saved": (
        {"fresh": "def as_dollars(cents: int) -> str: ...\n"},
        "as_dollars",
        ["from shop.fresh import as_dollars\n\n\n"],
    ),
    "a name that was taken away": ({"money": "def other(): ...\n"}, "as_euros", []),
    "moved, both files open": (
        {"money": "x = 1\n", "store": MONEY, "report": REPORT.replace(".money", ".store")},
        "as_euros",
        ["from .store import as_euros\n\n\n"],
    ),
    "a name that is there twice now": ({"store": MONEY}, "as_euros", []),
}


@pytest.mark.parametrize("case", TYPED)
async def test_what_is_being_typed_counts(place: Home, editor: Client, case: str) -> None:
    """Open documents stand for their files: nothing of this was ever saved or indexed."""
    typed, name, want = TYPED[case]
    folder = place.folder / "repository"
    await editor.begin(folder)
    pattern = {"report": REPORT.replace("as_euros", name)} | typed
    for file, text in pattern.items():
        editor.open(text, (folder / "shop" / f"{file}.py").as_uri())
    if "report" not in typed:
        # What is copied from imports the name by no way of its own.
        shown = pattern["report"].split("\n\n\n")[1]
        editor.open(shown, (folder / "shop" / "report.py").as_uri())
    editor.open(BILL, editor.uri)
    assert await editor.accept(f"{name[2:]}(cents)") == want


def test_the_command_line_shows_it(place: Home) -> None:
    done = place.wicket("complete", "repository/shop/bill.py:2:15", "--json")
    said = json.loads(done.stdout)
    assert said["text"].startswith("_euros(cents)")
    assert said["import"] == ["from .money import as_euros"]
    place.configure("[completion]\nadd_imports = false\n")
    done = place.wicket("complete", "repository/shop/bill.py:2:15", "--json")
    place.configure("")
    assert json.loads(done.stdout)["import"] == []
