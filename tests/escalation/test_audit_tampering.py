"""Whoever changes a log is found, and told where and what."""

import json
import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from wicket.escalation.audit import verify as standalone
from wicket.escalation.audit.errors import AuditError
from wicket.escalation.audit.leaf import NO_LEAF, Frame, Stamp, write
from wicket.escalation.audit.note import Checkpoint, Signer
from wicket.escalation.audit.opening import Accepted
from wicket.escalation.audit.records import Erasure, Freeze
from wicket.escalation.audit.tree import Span, leaf_hash
from wicket.escalation.audit.verification import Expected, verify

from .audit_world import LOG, World, world_in_memory

SEGMENT, PAYLOADS = "seg-0000000001.jsonl", "seg-0000000001.pay"


@pytest.fixture(scope="module")
def eight() -> Iterator[World]:
    """A closed log of eight records, two of them with payloads."""
    with world_in_memory() as world:
        opened = world.begin(segment_bytes=1 << 20)
        world.exchange(opened, b"x")
        for number in range(4):
            world.write(opened, (Freeze(number % 2 == 0), None, None))
        opened.writer.checkpoint()
        opened.release()
        report = world.verify()
        assert (report.code, report.records, report.payloads, report.signed) == (0, 8, 2, 8)
        yield world


def check(world: World, *kinds: str, seq: int | None = None, **options: object) -> None:
    """The log is found tampered with: one of `kinds` is said, at record `seq`."""
    report = world.verify(**options)
    assert report.code == 1, report
    found = {finding.what for finding in report.findings}
    assert found & set(kinds), report.findings
    if seq is not None:
        assert report.findings[0].seq == seq, report.findings
    with pytest.raises(AuditError):
        world.begin()


def edit(world: World, change: Callable[[list[bytes]], object], name: str = SEGMENT) -> None:
    path = world.directory / name
    lines = path.read_bytes().splitlines(keepends=True)
    change(lines)
    path.write_bytes(b"".join(lines))


@pytest.mark.parametrize("name", [SEGMENT, PAYLOADS, "checkpoint"])
def test_every_bit_flipped(eight: World, name: str) -> None:
    """Leaves, payloads with their key slots, checkpoint: no flipped bit goes unseen."""
    whole = (eight.directory / name).read_bytes()
    found: Counter[str] = Counter()
    with world_in_memory(eight) as world:
        path, key = world.directory / name, world.verifier
        for bit in range(8 * len(whole)):
            flipped = bytearray(whole)
            flipped[bit // 8] ^= 1 << bit % 8
            path.write_bytes(flipped)
            # The log's own checkpoint is enough: the head would only be found wrong, too.
            report = verify(world.directory, (), key, name == PAYLOADS, jobs=1)
            assert report.code == 1, (bit, report)
            first = report.findings[0]
            found[first.what] += 1
            if name == SEGMENT:
                # The damage is where it is said to be, or in the newline before it.
                record = whole[: bit // 8].count(b"\n")
                assert first.seq in (record, None) or first.seq == record + 1, (bit, first)
    print(f"\n{name}: {8 * len(whole)} bits flipped, all found: {dict(found)}")


@pytest.mark.parametrize("number", range(8))
def test_records_moved(eight: World, number: int) -> None:
    """Deleted, duplicated, swapped, inserted: each found at its place."""

    def delete(lines: list[bytes]) -> None:
        del lines[number]

    def duplicate(lines: list[bytes]) -> None:
        lines.insert(number, lines[number])

    def swap(lines: list[bytes]) -> None:
        other = (number + 1) % 8
        lines[number], lines[other] = lines[other], lines[number]

    def insert(lines: list[bytes]) -> None:
        lines.insert(number, lines[3])

    for change in (delete, duplicate, swap, insert):
        with world_in_memory(eight) as world:
            edit(world, change)
            if change is duplicate and number == 7:
                # What was appended behind the signed end is nobody's loss: a start moves it
                # to quarantine, and says so.
                assert world.verify().findings[0].what == "repeated"
                world.check_sound()
                continue
            check(world, "missing", "repeated", "chain", "cut", "outcome", "genesis", "payload")


def test_a_record_spliced_from_another_log(eight: World) -> None:
    """Also a log with the same identifier and its own key cannot lend a record."""
    for number in range(1, 8):
        with world_in_memory(eight) as world, world_in_memory() as other:
            opened = other.begin(segment_bytes=1 << 20)
            for _ in range(8):
                other.write(opened, (Freeze(True), None, None))
            opened.release()
            foreign = (other.directory / SEGMENT).read_bytes().splitlines(keepends=True)
            edit(world, lambda lines, n=number, f=foreign: lines.__setitem__(n, f[n]))
            check(world, "chain", "group", "outcome", "payload", seq=number)


def rewrite(lines: list[bytes]) -> tuple[list[bytes], Checkpoint]:
    """Every record again with a right hash and chain: what a forger would do."""
    made, prev, span = [], NO_LEAF, Span()
    for line in lines:
        one = json.loads(line)
        pay = Frame(**one["pay"]) if one["pay"] else None
        stamp = Stamp(1_790_000_000_000, one["mono"], one["boot"], one["w"])
        data = json.dumps(one["data"], sort_keys=True, separators=(",", ":"))
        again, prev = write(
            LOG, len(made), prev, min(one["g"], len(made)), one["id"], one["type"], data, stamp,
            one["ref"], pay,
        )  # fmt: skip
        made.append(again + b"\n")
        span.add(leaf_hash(again))
    return made, Checkpoint(f"wicket.audit/{LOG}", len(made), span.root)


def test_a_forger_without_the_key(eight: World) -> None:
    """A log that is whole in itself disagrees with what was signed."""

    def forge(lines: list[bytes]) -> None:
        lines[4] = lines[4].replace(b'"frozen":true', b'"frozen":false')
        lines[:] = rewrite(lines)[0]

    with world_in_memory(eight) as world:
        edit(world, forge)
        check(world, "rewritten")


def test_a_forger_with_the_stolen_key(eight: World, tmp_path: Path) -> None:
    """Signed again with the real key, head and all: only an anchor tells, and it does."""
    anchor = Expected("anchor", (eight.directory / "checkpoint").read_bytes())
    with world_in_memory(eight) as world:
        signer = Signer.of(Path(world.layout.secrets).read_text().splitlines()[0])
        lines = (world.directory / SEGMENT).read_bytes().splitlines(keepends=True)
        lines[4] = lines[4].replace(b'"frozen":true', b'"frozen":false')
        made, checkpoint = rewrite(lines)
        (world.directory / SEGMENT).write_bytes(b"".join(made))
        for path in (world.directory / "checkpoint", world.layout.head):
            path.write_bytes(signer.sign(checkpoint))
        assert world.verify().code == 0, "nothing on this machine can tell"
        report = verify(world.directory, (anchor,), world.verifier, jobs=1)
        assert [finding.what for finding in report.findings] == ["rewritten"]


def test_the_tail_cut_at_every_record(eight: World) -> None:
    """Found with the log's own checkpoint, with the head, with an anchor; not without any."""
    anchor = Expected("anchor", (eight.directory / "checkpoint").read_bytes())
    for kept in range(1, 8):
        with world_in_memory(eight) as world:
            edit(world, lambda lines, n=kept: lines.__delitem__(slice(n, None)))
            left = (world.directory / SEGMENT).read_bytes().splitlines()
            pay = [json.loads(line)["pay"] for line in left]
            end = max((p["off"] + p["len"] for p in pay if p), default=0)
            payloads = world.directory / PAYLOADS
            payloads.write_bytes(payloads.read_bytes()[:end])
            check(world, "cut", seq=kept)
            (world.directory / "checkpoint").unlink()
            check(world, "cut")
            world.layout.head.unlink()
            report = verify(world.directory, (anchor,), world.verifier)
            assert report.code == 1
            # With every copy of the checkpoint gone, the log says that it is incomplete.
            assert verify(world.directory, (), world.verifier).code == 3


NONSENSE = (
    b"",
    b"\n",
    b"{}\n",
    b"[" * 60_000 + b"\n",
    b"\x00" * 99,
    b'{"data":{"key":5}}\n',
    b"null\n",
)


@pytest.mark.parametrize("content", NONSENSE, ids=lambda content: content[:9])
def test_nonsense_is_a_finding_and_never_an_exception(eight: World, content: bytes) -> None:
    """Whatever lies where a file of the log should be: both verifiers say so."""
    for name in (SEGMENT, PAYLOADS, "checkpoint"):
        with world_in_memory(eight) as world:
            (world.directory / name).write_bytes(content)
            codes = {world.verify().code, standalone.main([str(world.directory)])}
            assert codes <= {1, 3}, (name, codes)


def test_an_erasure_of_nothing(eight: World) -> None:
    with world_in_memory(eight) as world:
        opened = world.begin()
        world.write(opened, (Erasure("ada", "asked", (-1, 10**14)), None, None))
        opened.writer.checkpoint()
        opened.release()
        report = world.verify()
        assert (report.code, {one.what for one in report.findings}) == (1, {"erasure"})


def test_payloads_and_keys(eight: World) -> None:
    def wipe(world: World) -> None:
        path = world.directory / PAYLOADS
        path.write_bytes(bytes(path.stat().st_size))

    def remove(world: World) -> None:
        (world.directory / PAYLOADS).unlink()

    def grow(world: World) -> None:
        with (world.directory / PAYLOADS).open("ab") as file:
            file.write(b"more")

    for change, seq, code in ((wipe, 2, 1), (remove, 2, 1), (grow, None, 3)):
        with world_in_memory(eight) as world:
            change(world)
            report = world.verify()
            assert (report.code, report.findings[0].what) == (code, "payload")
            assert report.findings[0].seq == seq
    with world_in_memory(eight) as world, world_in_memory() as other:
        other.begin().release()
        report = verify(world.directory, (), other.verifier)
        assert report.code == 1
        assert {finding.what for finding in report.findings} == {"key", "checkpoint"}


def test_a_restored_backup_is_refused_and_can_be_accepted(tmp_path: Path) -> None:
    """The head knows better; going on takes a decision that is recorded."""
    world = World(tmp_path)
    opened = world.begin()
    world.exchange(opened)
    opened.writer.checkpoint()
    opened.release()
    shutil.copytree(world.directory, tmp_path / "backup")
    backed_up = dict(world.acked)
    opened = world.begin()
    world.exchange(opened)
    opened.writer.checkpoint()
    opened.release()
    shutil.rmtree(world.directory)
    shutil.copytree(tmp_path / "backup", world.directory)
    assert world.verify().findings[0].what == "cut"
    with pytest.raises(AuditError, match="accept-rollback"):
        world.begin()
    world.begin(accepted=Accepted("ada", "the disk died")).release()
    world.acked = backed_up
    world.check_sound()
    kinds = [one.tail.type for one, _line in world.leaves()]
    assert "rollback" in kinds


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    """In the same directory, and in a copy of it under the same head."""
    world = World(tmp_path)
    opened = world.begin()
    with pytest.raises(AuditError, match="another process writes"):
        world.begin()
    copy = World(tmp_path)
    copy.layout = type(world.layout)(tmp_path / "copy" / LOG, world.layout.head)
    shutil.copytree(world.directory, copy.directory)
    with pytest.raises(AuditError, match="another process writes"):
        copy.begin()
    # A head that moved although we hold its lock: a network file system without locks.
    world.layout.head.write_bytes(b"another's checkpoint")
    with pytest.raises(AuditError, match="only one may write"):
        opened.writer.checkpoint()
    with pytest.raises(AuditError):
        world.exchange(opened)
    opened.release()


@pytest.mark.parametrize("runs", [200, pytest.param(10_000, marks=pytest.mark.soak)])
def test_no_false_alarm(runs: int) -> None:
    """Random honest lives of a log: never a finding."""
    dice = random.Random(runs)
    with world_in_memory() as world:
        for run in range(runs):
            if run % 50 == 0:
                shutil.rmtree(world.root)
                world.root.mkdir()
                world.acked.clear()
            opened = world.begin(segment_bytes=dice.choice([2000, 20_000]))
            for _ in range(dice.randint(0, 3)):
                world.exchange(opened, dice.randbytes(dice.randint(1, 3000)))
            if dice.random() < 0.8:
                opened.writer.checkpoint()
            live = world.verify()
            opened.release()
            done = world.verify()
            assert (live.code, done.code) == (0, 0), (run, live.findings, done.findings)
            assert live.live
            assert not done.live
    print(f"\n{runs} runs, no false alarm")
