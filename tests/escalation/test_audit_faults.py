"""Every call to the disk fails in every way, and nothing acknowledged is lost."""

import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from wicket.escalation.audit.errors import AuditError, Poisoned
from wicket.escalation.audit.records import Freeze, Outcome

from .audit_world import World, intent, world_in_memory
from .faulty_disk import FAULTS, WRITES, FaultyDisk, Killed


def nothing(_world: World) -> None:
    """No log yet."""


def closed(world: World) -> None:
    """A log that was closed."""
    opened = world.begin()
    world.exchange(opened)
    opened.writer.checkpoint()
    opened.release()


def crashed(world: World) -> None:
    """A log whose writer was killed in the middle of a group, behind an open intent."""
    opened = world.begin(segment_bytes=1 << 20)
    world.exchange(opened)
    world.write(opened, (intent(), b"not answered", None))
    opened.release()
    segment = max(world.directory.glob("*.jsonl"))
    line = segment.read_bytes().splitlines()[-1]
    with segment.open("ab") as file:
        file.write(line[: len(line) // 2])
    with segment.with_suffix(".pay").open("ab") as file:
        file.write(b"half a frame")


def work(world: World, disk: FaultyDisk) -> None:
    """Open, recover, write groups, rotate, checkpoint, close."""
    opened = world.begin(disk)
    try:
        world.exchange(opened)
        world.write(opened, *((intent(f"e{n}"), b"x" * 700, None) for n in range(3)))
        opened.writer.checkpoint()
    finally:
        opened.release()


def run(world: World, disk: FaultyDisk) -> str:
    """Work on a failing disk; what came of it."""
    try:
        work(world, disk)
    except Killed:
        return "killed"
    except AuditError as error:
        return type(error).__name__
    return "unharmed"


@pytest.mark.parametrize("before", [nothing, closed, crashed], ids=lambda f: f.__name__)
def test_every_call_fails_in_every_way(before: Callable[[World], None]) -> None:
    """Create, open, recover, write, rotate, checkpoint: each call, each fault."""
    with world_in_memory() as base:
        before(base)
        with world_in_memory(base) as world:
            whole = FaultyDisk()
            assert run(world, whole) == "unharmed"
            assert len(set(whole.calls) & {"write", "sync_data", "rename", "truncate"}) >= 3
            assert len(list(world.directory.glob("*.jsonl"))) > 1, "it rotates"
        seen: Counter[str] = Counter()
        for fault in FAULTS:
            for at, call in enumerate(whole.calls):
                if fault in ("short", "torn") and call not in WRITES:
                    continue
                with world_in_memory(base) as world:
                    disk = FaultyDisk(at, fault, world.root)
                    seen[f"{fault}: {run(world, disk)}"] += 1
                    world.check_sound()
    print(f"\n{before.__doc__} {len(whole.calls)} calls, {sum(seen.values())} faults: {dict(seen)}")
    assert seen["kill: killed"] == len(whole.calls)


def test_a_poisoned_writer_stays_poisoned() -> None:
    """One failed sync: nothing more is written, whatever the disk says later."""
    with world_in_memory() as world:
        opened = world.begin(disk := FaultyDisk())
        world.exchange(opened)
        disk.at, disk.fault = len(disk.calls), "EIO"
        with pytest.raises(Poisoned):
            world.exchange(opened)
        before = [path.read_bytes() for path in sorted(world.directory.glob("seg-*"))]
        for attempt in (lambda: world.exchange(opened), opened.writer.checkpoint):
            with pytest.raises(Poisoned, match="Input/output error"):
                attempt()
        assert [p.read_bytes() for p in sorted(world.directory.glob("seg-*"))] == before
        opened.release()
        world.check_sound()


def test_truncation_at_every_byte() -> None:
    """Leaves cut anywhere: what is behind the signed head is mended, the rest is refused."""
    counts: Counter[str] = Counter()
    with world_in_memory() as base, world_in_memory() as refused:
        opened = base.begin(segment_bytes=1 << 20)
        base.write(opened, (Freeze(True), None, None))
        opened.writer.checkpoint()
        signed = (base.directory / "seg-0000000001.jsonl").stat().st_size
        base.write(opened, (Freeze(True), b"not signed", None), (Freeze(False), b"nor this", None))
        opened.release()
        whole = (base.directory / "seg-0000000001.jsonl").read_bytes()
        shutil.copytree(base.root, refused.root, dirs_exist_ok=True)
        for size in range(signed):
            (refused.directory / "seg-0000000001.jsonl").write_bytes(whole[:size])
            assert refused.verify().code == 1
            with pytest.raises(AuditError):
                refused.begin()
            counts["refused"] += 1
        for size in range(signed, len(whole)):
            with world_in_memory(base) as world:
                (world.directory / "seg-0000000001.jsonl").write_bytes(whole[:size])
                assert world.verify().code == 3
                # The cut took unacknowledged bytes only, as far as the head knows.
                world.acked = {seq: row for seq, row in world.acked.items() if seq < 3}
                world.check_sound()
                counts["mended"] += 1
    print(f"\ntruncation at {len(whole)} bytes: {dict(counts)}")


def test_a_full_disk_lets_open_calls_end(tmp_path: Path) -> None:
    """With the disk nearly full intents are refused and outcomes go to the reserve."""

    class Filling(FaultyDisk):
        left = 1 << 40

        def free(self, _descriptor: int) -> int:
            return self.left

    world, disk = World(tmp_path), Filling()
    opened = world.begin(disk)
    [position] = world.write(opened, (intent(), b"on its way", None))
    disk.left = 1000
    results = world.write(opened, (intent(), b"later", None), (intent(), b"later", None))
    assert [type(result).__name__ for result in results] == ["NoSpace", "NoSpace"]
    reserve = world.directory / "reserve"
    assert reserve.stat().st_size == 1 << 16
    mixed = world.write(
        opened, (intent(), b"later", None), (Outcome("ok"), b"answer", position.seq)
    )
    assert [type(result).__name__ for result in mixed] == ["NoSpace", "Position"]
    assert reserve.stat().st_size == 0
    disk.left = 1 << 40
    assert type(world.write(opened, (intent(), b"again", None))[0]).__name__ == "Position"
    assert reserve.stat().st_size == 1 << 16
    opened.release()
    world.check_sound()


def removed(path: Path) -> None:
    path.unlink()


def replaced(path: Path) -> None:
    Path(shutil.copy(path, f"{path}.copy")).rename(path)


def appended(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"x")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def linked(path: Path) -> None:
    path.symlink_to(path.rename(f"{path}.moved"))


@pytest.mark.parametrize("change", [removed, replaced, appended, cut, linked])
@pytest.mark.parametrize("suffix", ["jsonl", "pay"])
def test_a_file_that_changes_under_the_writer_is_noticed(
    change: Callable[[Path], None], suffix: str, tmp_path: Path
) -> None:
    """The next write refuses, and so does every later one."""
    world = World(tmp_path)
    opened = world.begin(segment_bytes=1 << 20)
    world.exchange(opened)
    change(max(world.directory.glob(f"seg-*.{suffix}")))
    for _ in range(2):
        with pytest.raises(Poisoned):
            world.exchange(opened)
    opened.release()
