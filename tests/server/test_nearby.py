"""Which other files a suggestion may be copied from."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from lsprotocol import types
from wicket.completion.copies import copies
from wicket.indexing import text as indexed
from wicket.server import index
from wicket.server.app import Startup
from wicket.server.documents import Documents
from wicket.server.nearby import INDEXED, Nearby, join
from wicket.server.settings import load

from .desk import Desk

LINE = "result = compute_everything(first, second)\n"


class Editor:
    """Open documents in one folder, whose index holds what `say` wrote."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.documents = Documents()
        self.documents.change_folders([desk.folder.as_uri()])
        self.effective = load(desk.paths, None, [])
        self.settings = self.effective.settings.completion
        self.nearby = Nearby(self.documents, lambda _file: self.settings, self.startup)

    def startup(self) -> Startup:
        return Startup(self.desk.paths, self.effective, "")

    def open(self, name: str, text: str) -> None:
        uri = (self.desk.folder / name).as_uri()
        self.documents.open(types.TextDocumentItem(uri, "python", 1, text))

    def say(self, **files: str) -> None:
        for name, text in files.items():
            (self.desk.folder / f"{name}.py").write_text(text)
        place = index.directory(self.desk.paths, self.desk.folder)
        place.mkdir(parents=True, exist_ok=True)
        indexed.write(place / "text", self.desk.folder, [f"{name}.py" for name in files])

    def sources(self, path: str = "a.py") -> list[str]:
        """Where the rest of LINE could be copied from."""
        found = copies(LINE[:20].encode(), self.nearby.texts(path))
        return [one.where for one in found]


@pytest.fixture
def editor(tmp_path: Path) -> Editor:
    editor = Editor(Desk(tmp_path))
    editor.open("a.py", "")
    return editor


def test_other_open_files(editor: Editor) -> None:
    assert editor.sources() == []
    editor.open("b.py", LINE)
    assert editor.sources() == ["b.py"]
    assert editor.sources("b.py") == []


@pytest.mark.parametrize("name", [".env", "id_rsa", "vendor/x.py"])
def test_what_gets_no_ghost_text_gives_none(editor: Editor, name: str) -> None:
    editor.settings = replace(editor.settings, exclude=("vendor/",))
    editor.open(name, LINE)
    assert editor.sources() == []


def test_files_of_the_index(editor: Editor) -> None:
    editor.say(c="other\n" * 9, b=LINE)
    assert editor.sources() == ["b.py"]
    # On the disk it has changed since, and the index has noticed.
    editor.say(c="other\n", b="gone\n")
    assert editor.sources() == []


def test_what_is_open_is_not_as_on_the_disk(editor: Editor) -> None:
    editor.say(a=LINE, b=LINE)
    assert editor.sources() == ["b.py"]
    editor.open("b.py", "nothing of the kind\n")
    assert editor.sources() == []


def test_without_context_there_is_only_the_file_itself(editor: Editor) -> None:
    editor.settings = replace(editor.settings, context=False)
    editor.say(b=LINE)
    editor.open("c.py", LINE)
    assert editor.nearby.texts("a.py") == []


@pytest.mark.parametrize("setting", ["index.enabled = false", "trusted = false"])
def test_an_index_that_is_not_wanted_gives_nothing(editor: Editor, setting: str) -> None:
    editor.say(b=LINE)
    assert editor.sources() == ["b.py"]
    editor.desk.paths.user_settings.write_text(setting)
    editor.effective = load(editor.desk.paths, None, [])
    assert editor.sources() == []


def sections(*files: tuple[str, str]) -> bytes:
    return b"".join(f"\0{path}\n{text}".encode() for path, text in files)


@pytest.mark.parametrize(
    ("data", "paths"),
    [
        (b"", []),
        (b"no index at all", []),
        (sections(("a.py", "x"), ("b.py", "y")), ["a.py", "b.py"]),
        (sections(("open.py", "x"), ("b.py", "y")), ["b.py"]),
        # The nearest stand last, and they stay.
        (sections(("far.py", "x" * INDEXED), ("near.py", "y")), ["near.py"]),
    ],
)
def test_texts_of_the_index_are_joined(data: bytes, paths: Sequence[str]) -> None:
    text = join(data, frozenset({"open.py"}))
    assert [path for _, path in text.parts] == paths if text else paths == []
    if text:
        assert all(text.path(at) == path for at, path in text.parts)
