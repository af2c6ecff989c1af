"""The log as the gate uses it: receipts, groups, fail-closed, many processes, real kills."""

import asyncio
import dataclasses
import json
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from wicket.escalation.audit.entries import context
from wicket.escalation.audit.errors import (
    BadReceipt,
    NoKey,
    Poisoned,
    SecondWriter,
    Unusable,
    Unwritable,
)
from wicket.escalation.audit.files import Disk
from wicket.escalation.audit.frame import ReaderKey, unseal
from wicket.escalation.audit.log import AuditLog, Options, Receipt
from wicket.escalation.audit.records import (
    Actor,
    Decision,
    Denied,
    Freeze,
    Genesis,
    Open,
    Outcome,
    Source,
)
from wicket.escalation.audit.recovery import frame_bytes

from .audit_world import LOG, READER, StillClock, World, intent
from .faulty_disk import FaultyDisk

OPTIONS = Options(recipients=(READER.public,), reserve_bytes=1 << 16)
EXACT = b"POST /v1/messages\n\n{}"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World(tmp_path)
    yield made
    report = made.verify()
    assert report.code == 0, report.findings


async def opened(world: World, options: Options = OPTIONS, **more: object) -> AuditLog:
    return await AuditLog.open(world.directory, world.layout.head, Open("0.1.0"), options, **more)


async def test_a_receipt_is_good_once_for_its_bytes(world: World) -> None:
    log = await opened(world)
    receipt = await log.intent(intent(), EXACT)
    forged = Receipt(receipt.position, receipt.digest, b"x" * 32)
    other = dataclasses.replace(receipt, digest="0" * 64)
    for wrong, exact in ((forged, EXACT), (other, EXACT), (receipt, EXACT + b" ")):
        with pytest.raises(BadReceipt):
            log.redeem(wrong, exact)
    log.redeem(receipt, EXACT)
    with pytest.raises(BadReceipt, match="used before"):
        log.redeem(receipt, EXACT)
    await log.outcome(receipt, Outcome("ok"), {"response": b"hello"})
    with pytest.raises(BadReceipt, match="outcome already"):
        await log.outcome(receipt, Outcome("ok"))
    unsent = await log.intent(intent(), EXACT)
    await log.outcome(unsent, Outcome("refused", sent=0))
    with pytest.raises(BadReceipt):
        log.redeem(unsent, EXACT)
    await log.close()
    with pytest.raises(Poisoned, match="closed"):
        await log.intent(intent(), EXACT)


async def test_what_was_written_is_what_was_said(world: World) -> None:
    log = await opened(world)
    receipt = await log.intent(intent(model="claude-x"), EXACT, {"manifest": b"[]"})
    await log.outcome(receipt, Outcome("ok", sent=5), {"response": b"hello"})
    await log.close("test")
    found = [one for one, _line in world.leaves()]
    kinds = [one.tail.type for one in found]
    assert kinds == ["genesis", "open", "intent", "outcome", "close"]
    assert found[2].data["model"] == "claude-x"
    assert found[3].tail.ref == 2
    frame = frame_bytes(Disk(), world.layout, found[2].tail.pay)
    key, parts = unseal(frame, READER, context(LOG, found[2].tail.id))
    assert parts == {"request": EXACT, "manifest": b"[]"}
    assert key.commit(EXACT) == found[2].tail.pay.commit
    with pytest.raises(NoKey, match="other keys"):
        unseal(frame, ReaderKey.new(), context(LOG, found[2].tail.id))
    with pytest.raises(NoKey, match="changed"):
        unseal(frame, READER, context(LOG, found[3].tail.id))
    everything = b"".join(p.read_bytes() for p in world.root.rglob("*") if p.is_file())
    assert EXACT not in everything
    assert receipt.digest.encode() not in everything, "a bare hash of content is content"


async def test_many_callers_share_a_sync(world: World) -> None:
    disk = FaultyDisk()
    log = await opened(world, files=disk)
    before = disk.calls.count("sync_data")
    receipts = await asyncio.gather(*(log.intent(intent(f"e{n}"), EXACT) for n in range(100)))
    assert sorted(receipt.position.seq for receipt in receipts) == list(range(2, 102))
    assert disk.calls.count("sync_data") - before <= 6
    await asyncio.gather(*(log.outcome(receipt, Outcome("ok")) for receipt in receipts))
    await log.close()


async def test_a_failed_sync_fails_every_caller_for_good(world: World) -> None:
    disk = FaultyDisk()
    log = await opened(world, files=disk)
    first = await log.intent(intent(), EXACT)
    disk.at, disk.fault = len(disk.calls) + 6, "EIO"
    calls = (log.intent(intent(), EXACT) for _ in range(20))
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(result) for result in results} == {Poisoned}
    with pytest.raises(Poisoned):
        log.redeem(first, EXACT)
    with pytest.raises(Poisoned):
        await log.outcome(first, Outcome("ok"))
    await log.close()
    again = await opened(world)
    answered = [one.data["status"] for one, _ in world.leaves() if one.tail.type == "outcome"]
    assert answered
    assert set(answered) == {"unknown_crash"}
    await again.close()


async def test_a_cancelled_caller_leaves_no_open_intent(world: World) -> None:
    log = await opened(world)
    for delay in (0, 0.0005, 0.005):
        task = asyncio.create_task(log.intent(intent(), EXACT))
        await asyncio.sleep(delay)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await asyncio.sleep(0.05)
    await log.close()
    found = [one for one, _line in world.leaves()]
    intents = {one.tail.seq for one in found if one.tail.type == "intent"}
    outcomes = [one for one in found if one.tail.type == "outcome"]
    assert intents == {one.tail.ref for one in outcomes}
    assert {(one.data["status"], one.data["sent"]) for one in outcomes} == {("cancelled", 0)}


async def test_closing_answers_what_is_open(world: World) -> None:
    """Nothing left where the receipt was not used; nobody can know where it was."""
    log = await opened(world)
    await log.intent(intent(), EXACT)
    log.redeem(await log.intent(intent(), EXACT), EXACT)
    await log.close()
    found = [one.data["status"] for one, _ in world.leaves() if one.tail.type == "outcome"]
    assert found == ["cancelled", "unknown_crash"]


async def test_long_lists_move_into_the_payload(world: World) -> None:
    log = await opened(world)
    sources = tuple(Source(log.pseudonym(f"{n}.py"), 1, 9, 100) for n in range(2000))
    receipt = await log.intent(intent(manifest=sources, tools=("read",)), EXACT)
    await log.outcome(receipt, Outcome("ok", error="x" * 100_000))
    with pytest.raises(Unwritable):
        await log.intent(intent(bytes=1 << 60), EXACT)
    with pytest.raises(Unwritable, match="by the log itself"):
        await log.note(Genesis("", ""))
    with pytest.raises(Unwritable, match="refer"):
        await log.note(Freeze(True), ref=99)
    await log.close()
    one = next(one for one, _line in world.leaves() if one.tail.type == "intent")
    assert one.data["manifest"]["count"] == 2000
    frame = frame_bytes(Disk(), world.layout, one.tail.pay)
    key, parts = unseal(frame, READER, context(LOG, one.tail.id))
    assert len(json.loads(parts["manifest"])) == 2000
    assert key.commit(parts["manifest"]) == one.data["manifest"]["commit"]


@pytest.mark.parametrize(
    ("level", "kept"), [("metadata", [[], []]), ("request", [["request"], []]),
                        ("full", [["request"], ["response"]])],
)  # fmt: skip
async def test_levels(world: World, level: str, kept: list[list[str]]) -> None:
    """Content is kept as the level says; the record and its commitment always are."""
    log = await opened(world, dataclasses.replace(OPTIONS, level=level))
    receipt = await log.intent(intent(), EXACT)
    await log.outcome(receipt, Outcome("ok"), {"response": b"hello"})
    await log.close()
    found = [one.tail for one, _line in world.leaves() if one.tail.pay]
    frames = [frame_bytes(Disk(), world.layout, one.pay) for one in found]
    opened_ = [unseal(f, READER, context(LOG, t.id)) for f, t in zip(frames, found, strict=True)]
    assert [list(parts) for _key, parts in opened_] == kept
    assert opened_[0][0].commit(EXACT) == found[0].pay.commit


async def test_content_without_anybody_to_read_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="recipients"):
        await opened(World(tmp_path), Options())


JUMPS = {
    "a year ahead": (365 * 86_400_000, 1000, False, True),
    "back": (-60_000, 1000, False, True),
    "asleep for a day": (86_400_000, 86_400_000_000, False, False),
    "drift": (4000, 1000, False, False),
    "later after a boot": (86_400_000, -500_000, True, False),
    "earlier after a boot": (-86_400_000, -500_000, True, True),
}


@pytest.mark.parametrize("case", JUMPS)
async def test_clock_jumps_are_recorded(world: World, case: str) -> None:
    wall, mono, boot, recorded = JUMPS[case]
    clock = StillClock()
    log = await opened(world, clock=clock)
    if boot:
        await log.close()
    clock.wall, clock.mono = clock.wall + wall, clock.mono + mono
    if boot:
        clock.name = "c" * 32
        log = await opened(world, clock=clock)
    await log.note(Freeze(True))
    await log.close()
    jumps = [one.data for one, _line in world.leaves() if one.tail.type == "clock"]
    assert [(jump["jump_ms"] > 0) == (wall > 0) for jump in jumps] == [True] * recorded


async def test_heartbeats_and_checkpoints_come_by_themselves(world: World) -> None:
    quick = dataclasses.replace(OPTIONS, heartbeat_seconds=0.05, checkpoint_seconds=0.01)
    log = await opened(world, quick)
    while log.size < 5:
        await asyncio.sleep(0.01)
    while b"\n2\n" in (world.directory / "checkpoint").read_bytes():
        await asyncio.sleep(0.01)
    assert {one.tail.type for one, _ in world.leaves()} == {"genesis", "open", "heartbeat"}
    await log.close()


async def test_pseudonyms_are_stable_and_keyed(world: World, tmp_path: Path) -> None:
    log = await opened(world)
    first = log.pseudonym("a/b.py")
    await log.close()
    log = await opened(world)
    other = await opened(elsewhere := World(tmp_path / "other"))
    assert log.pseudonym("a/b.py") == first != other.pseudonym("a/b.py")
    with pytest.raises(SecondWriter):
        await opened(elsewhere)
    for each in (log, other):
        await each.close()


async def test_denied_attempts_and_broken_text_are_recorded(world: World) -> None:
    log = await opened(world)
    nasty = "\u202e=cmd|'/c calc'!A0\x00\x1b[31m\u2028\U0001f600\udcff\x7f"
    await log.note(Denied(Actor(nasty, 1, "h"), "explain", Decision("0" * 64, "never", nasty)))
    await log.close()
    one = next(one for one, _line in world.leaves() if one.tail.type == "denied")
    assert one.data["actor"]["user"] == nasty.replace("\udcff", "?")


@pytest.mark.parametrize(
    ("processes", "records"),
    [(8, 500), pytest.param(32, 10_000, marks=pytest.mark.soak)],
)
async def test_many_processes_with_random_kills(world: World, processes: int, records: int) -> None:
    """One writer at a time, killed at any moment: one chain, and no lost acknowledgement."""
    program = str(Path(__file__).with_name("audit_writers.py"))
    dice, kills = random.Random(records), 0
    notes = [world.root / f"acknowledged-{n}" for n in range(processes)]

    def start(note: Path) -> subprocess.Popen[bytes]:
        place = [str(world.directory), str(world.layout.head), str(note)]
        return subprocess.Popen([sys.executable, program, *place, str(records)])

    running = {note: start(note) for note in notes}
    try:
        while running:
            await asyncio.sleep(dice.random() / 4)
            for note, process in list(running.items()):
                if process.poll() is not None:
                    assert process.returncode in (0, -signal.SIGKILL)
                    del running[note]
                    if process.returncode:
                        running[note] = start(note)
            if running and kills < 10 * processes:
                # The one that holds the log is the one worth killing; any may be it.
                for process in dice.sample(list(running.values()), min(3, len(running))):
                    process.kill()
                    process.wait()
                    kills += 1
    finally:
        for process in running.values():
            process.kill()
            process.wait()
    await (await opened(world)).close()
    chain = {one.tail.seq: one.tail.h for one, _line in world.leaves()}
    acked = [line.split() for note in notes for line in note.read_bytes().splitlines()]
    assert list(chain) == list(range(len(chain)))
    assert all(chain[int(seq)] == h.decode() for seq, h in acked)
    print(f"\n{processes} writers, {kills} kills: {len(acked)} acknowledged of {len(chain)}")
