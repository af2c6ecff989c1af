"""The context of open documents: when it changes, what is never in it, and who waits for it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from lsprotocol import types
from wicket.completion.cursor import Cursor, Snippet
from wicket.completion.wire import State
from wicket.indexing.retrieval.freezing import PAUSE_MS
from wicket.server.app import Startup
from wicket.server.contexts import Contexts
from wicket.server.documents import Documents
from wicket.server.index import Index, order
from wicket.server.lookup import Edits
from wicket.server.settings import CompletionSettings, load

from .desk import Desk

FILES = {
    "store.py": "class Store:\n    def find(self, name: str) -> int: ...\n",
    "money.py": "def as_euros(cents: int) -> str: ...\n",
    "secret.py": "from store import Store\ndef hidden_away(store: Store): ...\n",
    ".env.py": "from store import Store\ndef never_seen(store: Store): ...\n",
}
BILL = (
    "from money import as_euros\nfrom store import Store\nfrom secret import hidden_away\n\n\n"
    "def pay(store: Store):\n    x = 1\n    $0\n\n\ndef owe():\n    y = 1\n"
)
LARGE = State(
    "m", "", "ready", family="wicket", context=4096, parameters=45_000_000, rates={"prefill": 9e4}
)


class World:
    """One editor with `bill.py` open in an indexed folder, and an engine that can be slow."""

    def __init__(self, folder: Path) -> None:
        self.desk = Desk(folder)
        for name, text in FILES.items():
            (self.desk.folder / name).write_text(text)
        self.documents = Documents()
        self.documents.change_folders([self.desk.folder.as_uri()])
        self.effective = load(self.desk.paths, None, [self.desk.folder])
        made = Index(order(self.startup(), self.desk.folder))
        made.refresh()
        made.close()
        self.state = LARGE
        self.read: list[Sequence[Snippet]] = []
        self.engine: Callable[[], Awaitable[bool]] = self.fast
        self.contexts = Contexts(self.documents, self.startup, self.warm)
        self.open("bill.py", BILL.replace("$0", ""))

    def startup(self) -> Startup:
        return Startup(self.desk.paths, self.effective, "")

    async def fast(self) -> bool:
        return True

    async def warm(
        self, _cursor: Cursor, _wanted: CompletionSettings, context: Sequence[Snippet]
    ) -> bool:
        self.read.append(context)
        return await self.engine()

    @property
    def wanted(self) -> CompletionSettings:
        return self.effective.settings.completion

    def open(self, name: str, text: str) -> None:
        uri = (self.desk.folder / name).as_uri()
        self.documents.open(types.TextDocumentItem(uri, "python", 1, text))

    def key(self, marked: str = BILL, name: str = "bill.py", typed: bool = True) -> list[str]:
        """A request at `$0`; the paths of what goes before its prompt."""
        before, after = marked.split("$0")
        self.open(name, before + after)
        cursor = Cursor(name, "python", before + after, len(before))
        return [s.path for s in self.contexts.of(cursor, self.wanted, self.state, typed)]

    async def settled(self) -> None:
        """Whatever was begun for a document is done, but for what a pause begins."""
        for frozen in self.contexts._of.values():
            if frozen.choosing:
                await asyncio.wait([frozen.choosing])

    async def pause(self) -> None:
        await asyncio.sleep(PAUSE_MS / 1000 + 0.05)
        await self.settled()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    made.contexts.close()


async def test_no_request_waits_for_a_context(world: World) -> None:
    assert world.key() == []
    await world.settled()
    assert world.key() == ["money.py", "secret.py", "store.py"]


async def test_it_stays_while_one_types_in_a_definition(world: World) -> None:
    world.key()
    await world.settled()
    shown = world.key()
    world.open("store.py", "class Store:\n    def get(self) -> str: ...\n")
    for typed in ("r", "re", "return as_euros(3)\n    "):
        assert world.key(BILL.replace("$0", f"{typed}$0")) == shown
        await world.settled()
    assert "find" in text_of(world)
    assert world.read == []


@pytest.mark.parametrize("why", ["pause", "saved", "another file"])
async def test_it_is_chosen_anew_and_read_ahead(world: World, why: str) -> None:
    """What is open counts as it is typed, not as the index has it."""
    world.key()
    await world.settled()
    world.open("store.py", "class Store:\n    def get(self) -> str: ...\n")
    if why == "saved":
        world.contexts.saved((world.desk.folder / "store.py").as_uri())
        world.contexts.saved((world.desk.folder / "bill.py").as_uri())
    elif why == "another file":
        world.key("x = $0", "money.py")
    world.key()
    await (world.pause() if why == "pause" else world.settled())
    assert "find" not in text_of(world)
    assert "get" in text_of(world)
    assert [snippet.path for snippet in world.read[-1]] == world.key()


async def test_nothing_goes_on_once_somebody_rests(world: World) -> None:
    world.key()
    await world.pause()
    reads = len(world.read)
    await world.pause()
    assert len(world.read) == reads


async def test_another_definition_and_what_stands_at_the_cursor(world: World) -> None:
    world.state = replace(LARGE, context=240)  # Room for little.
    world.key("from money import as_euros\nimport store\n\n\ndef pay():\n    $0")
    await world.settled()
    assert "find" not in text_of(world)
    world.key(
        "from money import as_euros\nimport store\n\n\ndef pay():\n    s: store.Store\n    s.$0"
    )
    await world.settled()
    assert "find" in text_of(world)


async def test_a_slow_machine_gets_it_read_before_it_counts(world: World) -> None:
    """The frozen one stays in force, and in the cache, until then."""
    world.state = replace(LARGE, rates={"prefill": 100.0})
    world.key()
    await world.settled()
    assert world.key() == []
    reading = asyncio.Event()

    async def slow() -> bool:
        reading.set()
        return await asyncio.sleep(3600, True)

    world.engine = slow
    await asyncio.wait_for(reading.wait(), 5)
    assert world.key() == []  # Which ends the reading.
    await world.settled()
    assert world.key() == []
    world.engine = world.fast
    await world.pause()
    assert world.key() == ["money.py", "secret.py", "store.py"]


async def test_what_is_only_thought_to_be_typed_begins_nothing(world: World) -> None:
    assert world.key(typed=False) == []
    world.key()
    await world.settled()
    assert world.key(typed=False) == world.key()


@pytest.mark.parametrize(
    "settings",
    [
        "completion.context = false",
        "index.enabled = false",
        "trusted = false",
    ],
)
async def test_settings_that_say_no(world: World, settings: str) -> None:
    world.key()
    await world.settled()
    assert world.key()
    world.desk.paths.user_settings.write_text(settings)
    world.effective = load(world.desk.paths, None, [world.desk.folder])
    assert world.key() == []


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        (LARGE, True),
        (replace(LARGE, parameters=44_999_999), False),
        (replace(LARGE, parameters=0), True),  # A server elsewhere does not say.
        (replace(LARGE, family="granite-4"), False),  # Knows no way to show another file.
        (replace(LARGE, state="loading", family="", context=0), False),
        (None, False),
    ],
)
async def test_which_models_are_shown_others(
    world: World, state: State | None, shown: bool
) -> None:
    world.state = state  # type: ignore[assignment]
    world.key()
    await world.settled()
    assert bool(world.key()) == shown


@pytest.mark.parametrize("opened", [False, True])
async def test_what_a_rule_excludes_is_never_shown(world: World, opened: bool) -> None:
    """Not even where the index was made before the rule, or the file is open."""
    if opened:
        for name in ("secret.py", ".env.py"):
            world.open(name, FILES[name] + "\n\n")
    world.desk.paths.user_settings.write_text("[completion]\nexclude = ['secret.py']")
    world.effective = load(world.desk.paths, None, [world.desk.folder])
    world.key()
    await world.settled()
    assert world.key() == ["money.py", "store.py"]
    assert "hidden_away" not in text_of(world)
    assert "never_seen" not in text_of(world)


def text_of(world: World) -> str:
    return "\n".join(s.text for s in world.contexts._of["bill.py"].snippets)


def test_edits_of_open_documents_are_seen() -> None:
    """Lines from 0, the latest first; what was only opened or closed is no edit."""
    edits = Edits()
    edits.see({"a.py": "x = 1\ny = 2\n", "b.py": "z\n"})
    assert not edits.places
    edits.see({"a.py": "x = 1\ny = 3\n", "b.py": "z\n"})
    edits.see({"a.py": "x = 0\ny = 3\n"})
    edits.see({"a.py": "x = 0\ny = 3\n", "b.py": "zz\n"})
    assert edits.places == {"a.py": [0, 1]}


async def test_similar_code_comes_from_the_folder_but_from_no_hidden_file(world: World) -> None:
    """What another file does with the same names, as it is on the disk or being typed."""
    same = "def {}(order, ledger):\n    entry = ledger.open_entry(order)\n    entry.{}(order)\n"
    for name, text in (
        ("tax.py", same.format("tax", "tax_it")),
        (".env.py", same.format("e", "e_it")),
    ):
        (world.desk.folder / name).write_text(text)
    made = Index(order(world.startup(), world.desk.folder))
    made.refresh()
    made.close()
    here = "def fee(order, ledger):\n    entry = ledger.open_entry(order)\n    $0\n"
    world.key(here)
    await world.settled()
    world.key(here)
    assert "entry.tax_it(order)" in text_of(world)
    assert "e_it" not in text_of(world).replace("tax_it", "")
    world.open("tax.py", same.format("tax", "typed_it"))
    world.contexts.saved((world.desk.folder / "bill.py").as_uri())
    world.key(here)
    await world.settled()
    world.key(here)
    assert "entry.typed_it(order)" in text_of(world)
    (tax,) = [one for one in world.contexts._of["bill.py"].snippets if one.path == "tax.py"]
    assert tax.why.endswith("; like the lines around the cursor")
    # The same place, once somebody was seen to change it.
    world.open("tax.py", same.format("tax", "edited_it"))
    world.contexts.saved((world.desk.folder / "bill.py").as_uri())
    world.key(here)
    await world.settled()
    world.key(here)
    (tax,) = [one for one in world.contexts._of["bill.py"].snippets if one.path == "tax.py"]
    assert tax.why.endswith("; edited lately and like the lines around the cursor")
    assert "entry.edited_it(order)" in tax.text
