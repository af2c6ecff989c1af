"""The flow: an index that says what the disk says, after anything that may happen to it."""

import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from wicket.indexing import build, text
from wicket.indexing.build import Cancelled, Failures, Interest, Progress, Workspace
from wicket.indexing.languages import language_of
from wicket.indexing.pool import Job, Parsed, Pool
from wicket.indexing.reader import Reader
from wicket.indexing.reconcile import by_nearness, reconcile
from wicket.indexing.store import Entry, Store

from .test_files import make, repository, run_git

# Parses as the real one does, but knows sources that harm a grammar.
WORKER = """
import os, sys, time
from wicket.indexing import parse, worker
def harmful(language, source, **how):
    if b"hang" in source:
        while True: pass
    if b"stuck" in source:
        time.sleep(600)
    if b"crash once" in source and not os.path.exists(sys.argv[1]):
        open(sys.argv[1], "w").close()
        os.abort()
    if b"crash always" in source:
        os.abort()
    if b"memory" in source:
        bytearray(1 << 31)
    if b"raise" in source:
        raise ImportError("no such grammar")
    if b"write" in source:
        with open(sys.argv[1], "w") as file:
            file.write("x")
    if b"fork" in source:
        os.fork()
    return parse.parse(language, source, **how)
worker.parse = harmful
if "free" not in sys.argv:
    worker.give_up_rights()
worker.serve(sys.stdin.buffer, sys.stdout.buffer, float(sys.argv[-1]))
"""


def pool(marker: Path, *more: str, size: int = 1, seconds: float = 0.3) -> Pool:
    return Pool([sys.executable, "-c", WORKER, str(marker), *more], size, seconds)


class World:
    """A folder, its index, and who reads it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "r"
        self.root.mkdir()
        self.cache = folder / "cache"
        self.cache.mkdir()
        self.refuses: Callable[[str], str | None] = lambda _path: None
        self.most_files = 1000
        self.interest = Interest()
        self.pool = pool(folder / "marker", "free")
        self.skip = open(self.cache / "skip", "a+b")  # noqa: SIM115 - closed by the fixture
        self.store = Store(self.cache / "db", "rules")
        self.reader = Reader(self.cache / "db")
        # Contents in the order in which they were parsed, in all runs.
        self.parsed: list[str] = []
        self.progress: list[Progress] = []
        parse = self.pool.parse

        def noted(take: Callable[[], Job | None]) -> Iterator[Parsed]:
            for one in parse(take):
                self.parsed.append(one.job.path)
                yield one

        self.pool.parse = noted

    def refresh(
        self, only: list[str] | None = None, cancelled: Callable[[], bool] = lambda: False
    ) -> None:
        workspace = Workspace(self.root, self.refuses, language_of, self.most_files, 1 << 20)
        listed = build.list_files(workspace, only or ())
        build.refresh(
            workspace,
            listed,
            self.store,
            self.pool,
            Failures(self.skip),
            self.interest,
            only=only,
            progress=self.progress.append,
            cancelled=cancelled,
        )

    def check(self, **defined: str) -> None:
        """The index knows these names, each defined in one file, and no others."""
        assert set(self.reader.defined_names("")) >= set(defined)
        found = {name: self.reader.definers(name) for name in self.reader.defined_names("")}
        assert {name: paths for name, paths in found.items() if paths} == {
            name: (path,) for name, path in defined.items()
        }

    def say(self, path: str, name: str) -> None:
        make(self.root, path, content=f"def {name}(a, b):\n    return a\n")

    def skipped(self) -> dict[str, int]:
        return self.store.measures().skipped


@pytest.fixture
def world() -> Iterator[World]:
    with tempfile.TemporaryDirectory() as folder:
        made = World(Path(folder))
        yield made
        made.pool.close()
        made.store.close()
        made.reader.close()
        made.skip.close()


def test_every_change_is_found(world: World) -> None:
    world.say("a.py", "one")
    world.say("b/c.py", "two")
    world.refresh()
    world.check(one="a.py", two="b/c.py")
    world.say("a.py", "uno")
    world.refresh()
    world.check(uno="a.py", two="b/c.py")
    (world.root / "b").rename(world.root / "d")
    world.refresh()
    world.check(uno="a.py", two="d/c.py")
    (world.root / "a.py").unlink()
    world.refresh()
    world.check(two="d/c.py")


def test_only_what_a_hint_names_is_looked_at(world: World) -> None:
    for path, name in (("a.py", "one"), ("b/c.py", "two"), ("b/d.py", "three")):
        world.say(path, name)
    world.refresh()
    world.say("a.py", "uno")
    world.say("b/c.py", "due")
    (world.root / "b/d.py").unlink()
    world.say("b/new.py", "quattro")
    world.refresh(["b"])
    world.check(one="a.py", due="b/c.py", quattro="b/new.py")
    world.refresh(["a.py", "none.py"])
    world.check(uno="a.py", due="b/c.py", quattro="b/new.py")


def test_what_a_hint_names_may_be_ignored(world: World) -> None:
    (world.root / ".gitignore").write_text("build/\n")
    world.say("a.py", "one")
    world.say("build/b.py", "two")
    world.refresh()
    world.refresh(["build/b.py", "build"])
    world.check(one="a.py")


def test_a_switch_of_branches_parses_only_what_is_new(world: World) -> None:
    for number in range(20):
        world.say(f"{number}.py", f"name{number}")
    repository(world.root)
    world.refresh()
    assert len(world.parsed) == 20
    run_git(world.root, "checkout", "-q", "-b", "other")
    for number in range(5):
        world.say(f"{number}.py", f"other{number}")
    run_git(world.root, "mv", "19.py", "moved.py")
    run_git(world.root, "commit", "-q", "-a", "-m", "two")
    world.refresh()
    assert len(world.parsed) == 25
    assert world.reader.definers("name19") == ("moved.py",)
    for branch in ("-", "-", "-"):
        run_git(world.root, "checkout", "-q", branch)
        world.refresh()
    assert len(world.parsed) == 25
    assert world.reader.definers("name0") == ("0.py",)
    assert world.reader.definers("other0") == ()


def test_equal_files_are_parsed_once(world: World) -> None:
    for number in range(6):
        world.say(f"{number}.py", "same")
    world.refresh()
    # The next is in the pipe before the first is done.
    assert len(world.parsed) <= 2
    assert len(world.reader.definers("same")) == 6


def test_open_files_and_what_they_import_come_first(world: World) -> None:
    for number in range(30):
        world.say(f"far/{number}.py", f"far{number}")
        world.say(f"near/{number}.py", f"near{number}")
    make(world.root, "near/open.py", content="import os\nfrom far.last import x\nimport none\n")
    world.say("far/last.py", "last")
    world.interest = Interest(["near/open.py"])
    world.refresh()
    assert world.parsed[0] == "near/open.py"
    # Two were on their way already.
    assert "far/last.py" in world.parsed[:4]
    assert all(path.startswith("near/") for path in set(world.parsed[:30]) - {"far/last.py"})


def test_a_run_that_is_cancelled_keeps_what_it_has(world: World) -> None:
    for number in range(40):
        world.say(f"{number}.py", f"name{number}")
    with pytest.raises(Cancelled):
        world.refresh(cancelled=lambda: len(world.parsed) >= 10)
    assert world.reader.files() == 10
    world.refresh()
    assert world.reader.files() == 40
    assert len(world.parsed) == 40


def test_the_reasons_for_leaving_files_out_are_kept(world: World) -> None:
    world.say("a.py", "one")
    make(world.root, "b.py", content="# @generated\nx = 1\n")
    (world.root / "c.py").write_bytes(b"\0")
    (world.root / "d.py").write_bytes(b"#" * (2 << 20))
    make(world.root, "notes.txt")
    world.refresh()
    assert world.skipped() == {"binary": 1, "generated": 1, "large": 1}
    world.check(one="a.py")
    world.say("c.py", "two")
    world.refresh()
    assert world.skipped() == {"generated": 1, "large": 1}


def test_no_more_files_than_allowed_the_nearest_first(world: World) -> None:
    for number in range(20):
        world.say(f"far/{number}.py", f"far{number}")
    world.say("near/a.py", "near")
    world.interest = Interest(["near/open.py"])
    world.most_files = 6
    world.refresh()
    assert world.reader.files() == 6
    assert world.reader.definers("near") == ("near/a.py",)


def test_a_list_that_is_cut_takes_nothing_away(world: World) -> None:
    """A walk that took too long, say."""
    for number in range(5):
        world.say(f"{number}.py", f"name{number}")
    world.refresh()
    (world.root / "4.py").unlink()
    workspace = Workspace(world.root, world.refuses, language_of, 100, 1 << 20)
    listed = build.Listed(("0.py",), 0, whole=False)
    build.refresh(workspace, listed, world.store, world.pool, Failures(world.skip), world.interest)
    assert world.reader.files() == 4


HARM = {"hang": "slow", "crash always": "crashed"}


def test_a_source_that_fails_costs_no_process(world: World) -> None:
    make(world.root, "bad.py", content="'raise'\n")
    world.say("good.py", "good")
    world.refresh()
    assert world.skipped() == {"failed": 1}
    world.check(good="good.py")
    (worker,) = world.pool._workers
    assert worker.process.poll() is None
    assert (world.cache / "skip").read_bytes() == b""


@pytest.mark.parametrize("harm", HARM)
def test_what_harms_a_grammar_is_left_out_and_remembered(world: World, harm: str) -> None:
    make(world.root, "bad.py", content=f"'{harm}'\n")
    for number in range(8):
        world.say(f"{number}.py", f"name{number}")
    world.interest = Interest(["bad.py"])
    world.refresh()
    assert world.skipped() == {HARM[harm]: 1}
    assert world.reader.files() == 8
    parsed = len(world.parsed)
    # Under another name, in another run: known by its content.
    (world.root / "bad.py").rename(world.root / "worse.py")
    world.refresh()
    assert len(world.parsed) == parsed
    world.say("worse.py", "good")
    world.refresh()
    assert world.skipped() == {}
    assert world.reader.definers("good") == ("worse.py",)


def test_a_process_that_crashed_by_accident_costs_nothing(world: World) -> None:
    make(world.root, "a.py", content="'crash once'\ndef one(): pass\n")
    world.say("b.py", "two")
    world.refresh()
    world.check(one="a.py", two="b.py")


@pytest.mark.parametrize("harm", ["write", "fork", "memory"])
def test_a_process_that_parses_can_do_nothing_else(tmp_path: Path, harm: str) -> None:
    marker = tmp_path / "marker"
    # Root may make processes beyond the limit.
    if harm == "fork" and os.getuid() == 0:
        pytest.skip("not for root")
    confined = pool(marker)
    jobs = [Job("a.py", 0, b"", "python", harm.encode())]
    (parsed,) = confined.parse(lambda: jobs.pop() if jobs else None)
    confined.close()
    assert (parsed.packed, parsed.why) == (None, "failed")
    assert not marker.exists() or not marker.read_text()


def test_sources_of_all_sizes_pass_through_the_pipes(tmp_path: Path) -> None:
    """Requests and answers both larger than a pipe: nobody waits for the other."""
    sizes = [0, 1, 70_000, 300_000, 10, 1_000_000, 5]
    jobs = [Job(str(size), 0, b"", "python", (b"a%d = 1\n" % size) * (size // 8)) for size in sizes]
    waiting = list(jobs)
    free = pool(tmp_path / "marker", "free", size=2, seconds=20)
    found = list(free.parse(lambda: waiting.pop(0) if waiting else None))
    free.close()
    assert sorted(one.job.path for one in found) == sorted(map(str, sizes))
    assert all(one.packed for one in found)


def test_a_process_that_somebody_kills_is_replaced(world: World) -> None:
    for number in range(5):
        world.say(f"{number}.py", f"name{number}")
    world.refresh()
    (worker,) = world.pool._workers
    os.kill(worker.process.pid, signal.SIGKILL)
    world.say("a.py", "one")
    world.refresh()
    assert world.reader.definers("one") == ("a.py",)


def test_refused_files_are_in_no_index_and_no_text(world: World) -> None:
    for path in ("credentials.py", "secret/a.py", "open.py"):
        make(world.root, path, content="CANARY_7f3a = 'CANARY_91bc'\n")
    world.say("open.py", "fine")
    world.refuses = lambda path: "rule" if "secret" in path or "credentials" in path else None
    world.refresh()
    workspace = Workspace(world.root, world.refuses, language_of, 100, 1 << 20)
    listed = build.list_files(workspace)
    assert listed.excluded == 2
    text.write(world.cache / "text", world.root, listed.paths)
    world.store.close()
    for file in world.cache.iterdir():
        assert b"CANARY" not in file.read_bytes()
    world.store = Store(world.cache / "db", "rules")
    world.check(fine="open.py")


def test_files_that_vanish_while_they_are_read(world: World) -> None:
    for number in range(10):
        world.say(f"{number}.py", f"name{number}")
    world.refresh()

    def vanish(path: str) -> str | None:
        # The list is made; now a file goes and another one's directory becomes a link.
        (world.root / "3.py").unlink(missing_ok=True)
        return None

    world.refuses = vanish
    world.say("4.py", "four")
    world.refresh()
    assert world.reader.files() == 9
    assert world.reader.definers("name3") == ()


def test_a_plan_says_what_changed_and_what_is_gone() -> None:
    known = {path: Entry(1, 7, None) for path in ("a", "b/c", "b/d", "bb")}
    plan = reconcile(known, {"a": 7, "b/c": 8, "new": 1})
    assert plan == (["b/c", "new"], ["b/d", "bb"])


@pytest.mark.parametrize(
    ("near", "order"),
    [
        ([], ["x/y/a", "b", "x/c", "z/d"]),
        (["b"], ["b", "x/c", "z/d", "x/y/a"]),
        (["x/e"], ["x/c", "x/y/a", "b", "z/d"]),
        (["z/d", "x/y/q"], ["z/d", "x/y/a", "b", "x/c"]),
    ],
)
def test_the_nearest_come_first(near: list[str], order: list[str]) -> None:
    assert by_nearness(["x/y/a", "b", "x/c", "z/d"], near) == order


def test_the_text_holds_the_nearest_files_last(world: World) -> None:
    for path in ("a.py", "b/c.md", "b/d.py"):
        make(world.root, path, content=f"in {path}\n" * 10)
    (world.root / "binary").write_bytes(b"x\0y")
    target = world.cache / "text"
    assert text.write(target, world.root, ["b/d.py", "b/c.md", "binary", "gone", "a.py"]) == 3
    data = target.read_bytes()
    found = {s.path: data[s.start : s.end] for s in text.sections(data)}
    assert list(found) == ["a.py", "b/c.md", "b/d.py"]
    assert found["b/c.md"] == b"in b/c.md\n" * 10
    assert target.stat().st_mode & 0o777 == 0o600
    assert text.write(target, world.root, ["b/d.py", "a.py"], most=120) == 1
    assert [s.path for s in text.sections(target.read_bytes())] == ["b/d.py"]
    assert [file.name for file in world.cache.glob("text*")] == ["text"]
    assert list(text.sections(b"")) == []
