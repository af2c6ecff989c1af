"""The index's database: what is written is found, whatever happens to the file."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from wicket.indexing import schema
from wicket.indexing.facts import Definition, Facts, Reference, pack
from wicket.indexing.reader import Reader
from wicket.indexing.store import Entry, Store, StoreBroken, remove

RULES = "the rules"


def facts(*names: str, uses: tuple[str, ...] = ()) -> Facts:
    return Facts(
        "python",
        9,
        1.0,
        tuple(
            Definition(name, "function", -1, f"def {name}()", "", "", "", 0, 9, 0, 1, True)
            for name in names
        ),
        references=tuple(Reference(name, 1) for name in (*names, *uses)),
    )


def put(store: Store, path: str, said: Facts, content: bytes = b"") -> int:
    blob = store.put(content or os.fsencode(path), "python", 100, pack(said))
    store.point(path, 1, blob)
    return blob


class World:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "db"
        self.store = Store(self.path, RULES)
        self.reader = Reader(self.path)

    def again(self, rules: str = RULES) -> Store:
        self.store.close()
        self.store = Store(self.path, rules)
        return self.store


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_is_written_is_found_by_path_and_by_name(world: World) -> None:
    put(world.store, "a/b.py", facts("double", "halve", uses=("os",)))
    put(world.store, "a/c/d.py", facts("main", uses=("double",)))
    put(world.store, "e.py", facts())
    world.store.commit()
    reader = world.reader
    assert reader.facts("a/b.py") == facts("double", "halve", uses=("os",))
    assert reader.facts("none.py") is None
    assert reader.definers("double") == ("a/b.py",)
    assert set(reader.users("double")) == {"a/b.py", "a/c/d.py"}
    assert [reader.popularity(name) for name in ("double", "os", "none")] == [2, 1, 0]
    assert reader.defined_names("d") == ("double",)
    assert reader.named("d.py") == ("a/c/d.py",)
    assert [reader.inside(where) for where in ("", "a", "a/c", "none")] == [
        ("e.py",),
        ("a/b.py",),
        ("a/c/d.py",),
        (),
    ]
    assert reader.exists("e.py")
    assert reader.files() == 3


def test_a_directory_is_listed_past_what_lies_below_it(world: World) -> None:
    for name in ("a0", "b/x", "b/y/z", "b-", "b0", "c"):
        put(world.store, f"p/{name}.py", facts())
    for number in range(300):
        put(world.store, f"p/b/deep/{number}.py", facts())
    world.store.commit()
    assert world.reader.inside("p") == ("p/a0.py", "p/b-.py", "p/b0.py", "p/c.py")
    assert len(world.reader.inside("p/b/deep")) == 200


def test_nothing_is_seen_before_a_commit(world: World) -> None:
    put(world.store, "a.py", facts("one"))
    assert world.reader.definers("one") == ()
    world.store.commit()
    assert world.reader.definers("one") == ("a.py",)


def test_equal_contents_are_kept_once(world: World) -> None:
    blob = put(world.store, "a.py", facts("one"), b"same")
    assert world.store.holds(b"same", "python") == blob
    assert world.store.holds(b"same", "typescript") is None
    world.store.point("b.py", 2, blob)
    world.store.commit()
    assert set(world.reader.definers("one")) == {"a.py", "b.py"}
    assert world.store.measures().files == 2


def test_paths_and_names_need_not_be_text(world: World) -> None:
    path = os.fsdecode(b"d\xff/\xe9.py")
    put(world.store, path, facts("\udcffname"))
    world.store.commit()
    assert world.store.catalogue() == {path: Entry(1, 1, None)}
    assert world.reader.definers("\udcffname") == (path,)


def test_the_catalogue_of_some_paths(world: World) -> None:
    for path in ("a.py", "b/c.py", "b/d/e.py", "b.py", "b0.py"):
        put(world.store, path, facts())
    assert set(world.store.catalogue(["b", "a.py", "none"])) == {"a.py", "b/c.py", "b/d/e.py"}
    assert set(world.store.catalogue([])) == set()
    assert len(world.store.catalogue()) == 5


def test_a_name_no_person_wrote_is_not_kept(world: World) -> None:
    put(world.store, "a.py", facts("x" * 201, "y" * 200))
    world.store.commit()
    assert world.reader.definers("x" * 201) == ()
    assert world.reader.definers("y" * 200) == ("a.py",)


def test_contents_without_a_path_are_kept_for_a_while(world: World) -> None:
    """A switch of branches and back parses nothing; forgotten ones leave no trace."""
    for number in range(9):
        put(world.store, "a.py", facts(f"f{number}"), b"%d" % number)
    assert world.store.prune(kept=5) == 3
    assert [world.store.holds(b"%d" % n, "python") is None for n in range(9)] == [True] * 3 + [
        False
    ] * 6
    with sqlite3.connect(world.path) as database:
        (rows,) = database.execute("SELECT count(DISTINCT blob) FROM defined").fetchone()
    database.close()
    assert rows == 6
    assert world.reader.definers("f8") == ("a.py",)


def test_what_was_skipped_is_counted_by_its_reason(world: World) -> None:
    world.store.point("a.py", 1, None, "binary")
    world.store.point("b.py", 1, None, "binary")
    put(world.store, "c.py", facts("one", "two"))
    world.store.drop(["a.py"])
    measured = world.store.measures()
    assert (measured.files, measured.symbols, measured.skipped) == (1, 2, {"binary": 1})
    assert measured.stored >= 0


def test_a_store_goes_on_where_it_was_closed(world: World) -> None:
    put(world.store, "a.py", facts("one"))
    store = world.again()
    assert store.catalogue() == {"a.py": Entry(1, 1, None)}
    put(store, "b.py", facts("one", "two"))
    store.commit()
    assert set(world.reader.definers("one")) == {"a.py", "b.py"}


def _another_format(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    database.close()


def _truncate(path: Path) -> None:
    os.truncate(path, 6000)


def _scribble(path: Path) -> None:
    path.write_bytes(b"\0no database at all" * 1000)


def _another_program(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA application_id = 7")
    database.close()


@pytest.mark.parametrize("harm", [_another_format, _truncate, _scribble, _another_program])
def test_what_is_no_index_is_built_anew(world: World, harm: Callable[[Path], None]) -> None:
    put(world.store, "a.py", facts("one"))
    world.store.close()
    harm(world.path)
    assert world.reader.definers("one") == ()
    world.store = Store(world.path, RULES)
    assert world.store.catalogue() == {}
    put(world.store, "a.py", facts("one"))
    world.store.commit()
    assert world.reader.refresh()
    assert world.reader.definers("one") == ("a.py",)


def test_an_index_made_under_other_rules_is_thrown_away(world: World) -> None:
    """It could hold what is excluded now."""
    put(world.store, "a.py", facts("canary"))
    store = world.again("other rules")
    assert store.catalogue() == {}
    store.close()
    assert b"canary" not in world.path.read_bytes()


def test_harm_that_is_met_later_is_said_and_can_be_removed(world: World) -> None:
    for number in range(200):
        put(world.store, f"{number}.py", facts(f"name{number}"))
    world.store.close()
    world.store = Store(world.path, RULES)
    with open(world.path, "r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 16384)

    def write() -> None:
        for number in range(200):
            put(world.store, f"{number}b.py", facts(f"name{number}"))
            world.store.commit()

    with pytest.raises(StoreBroken, match="broken"):
        write()
    remove(world.path)
    assert Store(world.path, RULES).catalogue() == {}


def test_an_unclean_end_is_looked_into(world: World) -> None:
    """Only then is the whole file read at the start."""
    for number in range(300):
        put(world.store, f"{number}.py", facts(*(f"name{number}_{n}" for n in range(50))))
    world.store.close()
    for unclean in (False, True):
        if unclean:
            Store(world.path, RULES)  # Never closed: as if it were killed.
        with open(world.path, "r+b") as file:
            file.seek(world.path.stat().st_size - 8192)
            file.write(b"\xff" * 4096)
        store = Store(world.path, RULES)
        assert bool(store.catalogue()) != unclean
        store.close()


def test_only_the_user_may_read_it(world: World) -> None:
    put(world.store, "a.py", facts("one"))
    world.store.commit()
    files = list(world.path.parent.iterdir())
    assert len(files) == 3
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}


def test_a_reader_follows_where_the_file_is_replaced(world: World) -> None:
    put(world.store, "a.py", facts("old"))
    world.store.commit()
    assert world.reader.refresh()
    world.store.close()
    remove(world.path)
    assert not world.reader.refresh()
    assert world.reader.facts("a.py") is None
    put(World(world.path.parent).store, "a.py", facts("new"))
    assert world.reader.refresh()
    assert world.reader.definers("old") == ()


def test_what_is_packed_badly_is_no_fact(world: World) -> None:
    store = world.store
    store.point("a.py", 1, store.put(b"x", "python", 1, pack(facts("one"))[:-9]))
    store.commit()
    assert world.reader.facts("a.py") is None


def test_a_network_file_system_has_no_shared_memory(tmp_path: Path) -> None:
    """There the index is written with a rollback journal, and read all the same."""
    store = Store(tmp_path / "db", RULES, shared_memory=False)
    put(store, "a.py", facts("one"))
    store.commit()
    reader = Reader(tmp_path / "db")
    assert reader.definers("one") == ("a.py",)
    put(store, "b.py", facts("one"))
    store.commit()
    assert set(reader.definers("one")) == {"a.py", "b.py"}
    assert [file.name for file in tmp_path.iterdir() if "wal" in file.name] == []
