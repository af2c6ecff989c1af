"""What is kept to undo edits is written back where it was, and nowhere else."""

from pathlib import Path

import pytest
from wicket.server import undo
from wicket.server.change import Change
from wicket.server.paths import Paths

BACK = Change("src/a.py", "after\n", "before\n")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path.resolve() / "repo"
    (made / "src").mkdir(parents=True)
    (made / "src/a.py").write_text("after\n")
    (made.parent / "elsewhere").mkdir()
    (made.parent / "elsewhere/a.py").write_text("after\n")
    return made


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("how", ["directory", "file", "dots", "absolute"])
def test_nothing_is_written_outside_of_the_folder(folder: Path, how: str, force: bool) -> None:
    """Also where a directory or a file became a link since, and what it leads to looks right."""
    other = folder.parent / "elsewhere"
    path = {"dots": "../elsewhere/a.py", "absolute": str(other / "a.py")}.get(how, "src/a.py")
    if how in ("directory", "file"):
        (folder / "src/a.py").unlink()
    if how == "directory":
        (folder / "src").rmdir()
        (folder / "src").symlink_to(other)
    elif how == "file":
        (folder / "src/a.py").symlink_to(other / "a.py")
    first = Change("b.py", "x", "y")
    (folder / "b.py").write_text("x")
    with pytest.raises(undo.Elsewhere):
        undo.write(folder, [first, Change(path, "after\n", "before\n")], force)
    assert (other / "a.py").read_text() == "after\n"
    assert (folder / "b.py").read_text() == "x", "all or nothing"


@pytest.mark.parametrize("name", ["n" * 255, "\N{SNAKE}" * 63])
def test_the_longest_names_are_written(folder: Path, name: str) -> None:
    (folder / name).write_text("x")
    undo.write(folder, [Change(name, "x", "y")])
    assert (folder / name).read_text() == "y"


@pytest.mark.parametrize("torn", [
    *(b"", b"{", b"null", b"{}", b"\xff", b'{"files": [3]}', b"[" * 100_000),
    b'{"exchange": "e", "digest": "d", "folder": "/", "files": '
    b'[{"path": "a", "before": null, "after": "x"}]}',
])  # fmt: skip
def test_what_a_crash_left_half_kept_is_passed_over(
    tmp_path: Path, folder: Path, torn: bytes
) -> None:
    paths = Paths.of({"HOME": str(tmp_path)})
    whole = undo.keep(paths, "e1", "d", folder, [BACK])
    later = undo.keep(paths, "e2", "d", folder, [BACK])
    later.place.write_bytes(torn)
    found = undo.latest(paths)
    assert found is not None
    assert (found.exchange, found.changes) == (whole.exchange, (BACK,))


@pytest.mark.parametrize(
    ("one", "other", "stand"),
    [("x", "p", "before"), ("y", "q", "after"), ("y", "p", "between"), ("x", "z", "other")],
)
def test_how_far_it_is_stands_in_its_name_and_on_the_disk(
    tmp_path: Path, folder: Path, one: str, other: str, stand: str
) -> None:
    paths = Paths.of({"HOME": str(tmp_path)})
    changes = [Change("a.py", "x", "y"), Change("b.py", "p", "q")]
    kept = undo.keep(paths, "e1", "d", folder, changes, by_editor=True)
    (folder / "a.py").write_text(one)
    (folder / "b.py").write_text(other)
    assert (kept.state, kept.stand) == ("applying", stand)
    for state in ("applied", "undoing"):
        kept = undo.marked(kept, state)
        assert undo.latest(paths) == kept
        assert (kept.state, kept.by_editor) == (state, True)
    kept.place.rename(folder / "elsewhere")
    assert undo.marked(kept, "applied").state == "applied", "a purge was quicker"
    (folder / "elsewhere").rename(kept.place)
    later = undo.keep(paths, "e0", "d", folder, changes)
    assert undo.latest(paths) == later, "the last one, wherever it was applied"
    (folder / ".a.py.wicket-new").write_text("y")
    undo.sweep(kept)
    assert not (folder / ".a.py.wicket-new").exists()
