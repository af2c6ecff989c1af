"""`wicket audit`: what it prints, what it exits with, what it leaves on the disk."""

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from wicket.escalation.audit.log import AuditLog, Options
from wicket.escalation.audit.records import Denied, Open, Outcome
from wicket.escalation.audit.verify import main
from wicket.server import audit_place, audit_verb
from wicket.server.__main__ import parser
from wicket.server.paths import Paths

from ..escalation.audit_world import intent
from .planted import wicket

SECRET = b"the secret of exchange %d"
Run = Callable[..., tuple[int, str]]


class House:
    """A user's home with one log: two exchanges, one of them denied."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.paths = Paths.of({"HOME": str(home)})
        self.key = audit_place.reader_key(self.paths, make=True)
        self.place = audit_place.current(self.paths)
        self.directory = self.place.directory
        asyncio.run(self.write())

    async def write(self, segment_bytes: int = 1 << 20) -> None:
        log = await self.open(segment_bytes)
        for number in range(3):
            receipt = await log.intent(
                intent(f"e{number}", model="=1+2"), SECRET % number, {"manifest": b"[]"}
            )
            await log.outcome(receipt, Outcome("ok"), {"response": b"answer"})
        who = intent().actor
        await log.note(Denied(who, "explain", intent().decision))
        await log.close()

    async def open(self, segment_bytes: int = 1 << 20) -> AuditLog:
        assert self.key
        assert self.place.head
        options = Options(recipients=(self.key.public,), segment_bytes=segment_bytes)
        return await AuditLog.open(self.directory, self.place.head, Open("0.1.0"), options)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    for name in list(os.environ):
        if name.startswith("XDG_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return House(tmp_path)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """The verb in this process: exit code, and everything it printed."""

    def call(*words: str) -> tuple[int, str]:
        code = audit_verb.run(parser().parse_args(["audit", *words]))
        said = capsys.readouterr()
        return code, said.out + said.err

    return call


def run_json(run: Run, *words: str) -> Any:
    code, said = run(*words, "--json")
    assert code == 0, said
    return json.loads(said)


def test_exit_codes_of_verify(house: House, tmp_path: Path) -> None:
    """0 whole, 1 tampered with, 2 usage, 3 incomplete or nothing there; from a shell."""
    assert wicket(tmp_path, "audit", "verify").returncode == 0
    assert wicket(tmp_path, "audit", "forge").returncode == 2
    assert wicket(tmp_path, "audit", "verify", "--dir", "elsewhere").returncode == 3
    copy = tmp_path / "copy" / house.directory.name
    shutil.copytree(house.directory, copy)
    assert wicket(tmp_path, "audit", "verify", "--dir", str(copy)).returncode == 0
    (copy / "checkpoint").unlink()
    assert wicket(tmp_path, "audit", "verify", "--dir", str(copy)).returncode == 3
    segment = copy / "seg-0000000001.jsonl"
    segment.chmod(0o600)
    segment.write_bytes(segment.read_bytes().replace(b"=1+2", b"=1+3", 1))
    done = wicket(tmp_path, "audit", "verify", "--dir", str(copy))
    assert done.returncode == 1
    assert "record 2, seg-0000000001.jsonl" in done.stdout


def test_verify_compares_with_what_was_kept_elsewhere(house: House, run: Run) -> None:
    Path("kept").write_bytes((house.directory / "checkpoint").read_bytes())
    assert run("verify", "--expect", "kept")[0] == 0
    assert run("verify", "--expect", "nowhere")[0] == 3
    shutil.rmtree(house.directory)
    code, said = run("verify")
    assert (code, "there is nothing here" in said) == (3, True)


def test_show_tail_and_search(house: House, run: Run) -> None:
    [shown] = run_json(run, "show", "2")["records"]
    assert (shown["type"], shown["data"]["exchange"]) == ("intent", "e0")
    assert "payload" not in shown
    [opened] = run_json(run, "show", "2", "--payload")["records"]
    assert opened["payload"]["request"] == (SECRET % 0).decode()
    last = [json.loads(line) for line in run("tail", "-n", "3", "--json")[1].splitlines()]
    assert [one["type"] for one in last] == ["open", "access", "close"], "reading is on record"
    assert last[1]["data"]["seqs"] == [2]
    found = run_json(run, "search", "type:intent", "e1")["records"]
    assert [one["data"]["exchange"] for one in found] == ["e1"]
    assert run("search", "nobody")[0] == 1
    assert "denied" in run("search", "type:denied")[1]
    projection = house.paths.cache / "audit" / f"{house.directory.name}.db"
    projection.write_bytes(b"")
    assert len(run_json(run, "search", "type:intent")["records"]) == 3
    assert run("show", "99")[0] == 1
    assert run("show", "x")[0] == 2
    assert run_json(run, "doctor")["logs"][0]["records"] > 9


def test_a_table_no_spreadsheet_runs(house: House, run: Run) -> None:
    _code, said = run("export", "--csv")
    assert "'=1+2" in said
    assert ",=1+2" not in said
    _code, native = run("export")
    on_disk = b"".join(p.read_bytes() for p in sorted(house.directory.glob("*.jsonl")))
    assert native.encode() == on_disk


def test_a_bundle_and_proofs(house: House, run: Run) -> None:
    assert run("export", "--bundle", "evidence.zip", "2", "3")[0] == 0
    program = house.paths.home / "verify.py"
    subprocess.run(["unzip", "-q", "evidence.zip", "verify.py"], check=True)
    done = subprocess.run(["python3", str(program), "evidence.zip"], check=False)
    assert done.returncode == 0
    assert run("prove", "2")[0] == 0
    assert Path("2.tlog-proof").read_text().startswith("c2sp.org/tlog-proof@v1\nindex 2\n")
    assert run("prove", "99")[0] == 1


def frames(house: House) -> bytes:
    return b"".join(p.read_bytes() for p in house.home.rglob("*") if p.is_file())


def test_erasure_leaves_nothing_and_breaks_no_proof(house: House, run: Run) -> None:
    """After it no byte of the frame is anywhere; bundle and anchor from before still hold."""
    run("export", "--bundle", "before.zip", "2")
    run("anchor", "--to", str(house.home))
    assert run_json(run, "show", "2", "--payload")["records"][0]["payload"]
    pay = json.loads(run("export", "2")[1])["pay"]
    file = house.directory / f"seg-{pay['seg']:010}.pay"
    frame = file.read_bytes()[pay["off"] : pay["off"] + pay["len"]]
    (house.home / "before.zip").rename(house.home.parent / "before.zip")
    assert frame in frames(house)
    before = run("export")[1]
    assert run("erase", "exchange:e0")[0] == 0
    assert frame in frames(house), "without --yes nothing is done"
    assert run("erase", "exchange:e0", "--yes")[0] == 1, "a reason is asked for"
    assert run("erase", "exchange:e0", "--yes", "--reason", "art. 17")[0] == 0
    left = frames(house)
    for start in range(0, len(frame) - 16, 16):
        assert frame[start : start + 16] not in left
    [shown] = run_json(run, "show", "2", "--payload")["records"]
    assert "erased" in shown["why"]
    assert run_json(run, "show", "4", "--payload")["records"][0]["payload"]
    code, said = run("verify")
    assert (code, "2 payloads erased" in said) == (0, True), said
    assert run("export")[1].startswith(before), "every record is as it was"
    assert main([str(house.home.parent / "before.zip")]) == 0
    assert main([str(house.directory)]) == 0


def test_a_hold_is_stronger_than_erasure_and_retention(house: House, run: Run) -> None:
    assert run("hold", "case-7", "2", "--yes", "--reason", "litigation")[0] == 0
    shown = run_json(run, "erase", "2", "4", "--yes", "--reason", "asked")
    assert (shown["erase"], shown["held"]) == ([4, 5], [2, 3])
    asyncio.run(house.write(segment_bytes=3000))
    shown = run_json(run, "retain", "--months", "0", "--yes", "--reason", "policy")
    held = json.loads(run("export", "2")[1])["pay"]["seg"]
    assert held not in shown["segments"]
    assert shown["segments"]
    code, said = run("verify")
    assert (code, f"{len(shown['segments'])} segments retired" in said) == (0, True), said
    assert run("hold", "case-7", "--lift", "--yes", "--reason", "settled")[0] == 0
    assert run_json(run, "hold")["holds"] == {}


def test_an_anchor_in_git_and_its_use(house: House, run: Run) -> None:
    for words in (["init", "-q", "--bare", "remote"], ["clone", "-q", "remote", "anchors"]):
        subprocess.run(["git", *words], check=True, capture_output=True)
    [shown] = run_json(run, "anchor", "--to", "anchors")["anchors"]
    assert (shown["kind"], shown["size"]) == ("git", 10)
    [remote] = run_json(run, "anchor", "--to", str(house.home / "remote"))["anchors"]
    assert remote["size"] > 10
    listed = subprocess.run(
        ["git", "-C", "remote", "ls-tree", "-r", "--name-only", "HEAD"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert len(listed.stdout.split()) == 2
    assert run("verify")[0] == 0
    assert run("anchor", "--to", "nowhere/at/all")[0] == 1


def test_while_the_gate_writes(house: House, run: Run) -> None:
    """Reading works on a live log; what changes it is refused, with what to do."""

    with asyncio.Runner() as gate:
        log = gate.run(house.open())
        assert run("verify")[0] == 0
        assert "not recorded" in run("show", "2", "--payload")[1]
        code, said = run("erase", "2", "--yes", "--reason", "asked")
        assert (code, "wicket stop gate" in said) == (1, True)
        gate.run(log.close())
