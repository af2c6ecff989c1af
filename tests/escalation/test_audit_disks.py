"""Real disks that are full or read-only, and a log that is read while it is written."""

import asyncio
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from wicket.escalation.audit import verify as standalone
from wicket.escalation.audit.errors import NoSpace, Poisoned, Unusable
from wicket.escalation.audit.log import AuditLog, Options
from wicket.escalation.audit.records import Erasure, Freeze, Open, Outcome

from .audit_world import READER, World, intent


@pytest.fixture
def small(tmp_path: Path) -> Iterator[World]:
    """A world in a file system of its own, of one megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", str(place)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a small file system, and not in every container")
    try:
        yield World(place)
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_file_system(small: World) -> None:
    """Intents are refused, the outcome of what is under way fits, then nothing is lost."""
    opened = small.begin()
    [position] = small.write(opened, (intent(), b"on its way", None))
    filler = small.root / "filler"
    with filler.open("wb", buffering=0) as file:
        free = os.statvfs(small.root)
        file.write(bytes(free.f_bavail * free.f_frsize - 4096))
    assert [type(one) for one in small.write(opened, (intent(), b"x", None))] == [NoSpace]
    small.write(opened, (Outcome("ok"), b"answer", position.seq))
    # Not even the reserve is endless: then the writer is poisoned, and says why.
    many = [(Freeze(True, reason="x" * 1900), b"y" * 2000, None)] * 100
    with pytest.raises(Poisoned, match="No space left"):
        small.write(opened, *many)
    opened.release()
    small.check_nothing_lost()
    filler.unlink()
    small.check_sound()


def test_a_read_only_file_system(small: World) -> None:
    """Nothing can be written, which is said; what is there can still be verified."""
    opened = small.begin()
    small.exchange(opened)
    opened.writer.checkpoint()
    opened.release()
    remount = ["mount", "-o", "remount,ro", str(small.root)]
    subprocess.run(remount, check=True, capture_output=True)
    with pytest.raises(Unusable, match="Read-only"):
        small.begin()
    assert small.verify().code == 0


def test_an_erasure_that_was_not_carried_out(tmp_path: Path) -> None:
    """A crash between the record and the deed: incomplete, until it is done."""
    world = World(tmp_path)
    opened = world.begin()
    world.exchange(opened)
    world.write(opened, (Erasure("ada", "asked", (2,)), None, None))
    opened.writer.checkpoint()
    opened.release()
    report = world.verify()
    assert (report.code, report.findings[0].what, report.findings[0].seq) == (3, "erasure", 2)


async def test_verify_while_writing(tmp_path: Path) -> None:
    """A log that grows and rotates under the verifier gives it no reason to complain."""
    world = World(tmp_path)
    options = Options(
        recipients=(READER.public,), segment_bytes=20_000, reserve_bytes=1 << 16,
        checkpoint_leaves=16,
    )  # fmt: skip
    log = await AuditLog.open(world.directory, world.layout.head, Open("0.1.0"), options)
    done, codes, sizes = threading.Event(), set[int](), list[int]()

    def watch() -> None:
        while not done.is_set() or len(sizes) < 5:
            report = world.verify()
            codes.add(report.code)
            sizes.append(report.records)
            if report.code:
                print(report.findings)

    watching = asyncio.create_task(asyncio.to_thread(watch))

    async def caller() -> None:
        for _ in range(40):
            receipt = await log.intent(intent(), os.urandom(500))
            await log.outcome(receipt, Outcome("ok"), {"response": b"hello"})

    await asyncio.gather(*(caller() for _ in range(8)))
    done.set()
    await watching
    await log.close()
    assert codes == {0}
    assert sizes == sorted(sizes)
    assert world.verify().code == standalone.main([str(world.directory)]) == 0
    print(f"\n{len(sizes)} verifications while {log.size} records were written")
