"""The gate anchors by itself, and sends nothing where it could not for too long."""

import asyncio
import subprocess
from pathlib import Path

import pytest
from wicket.escalation.audit.anchors import NotAnchored, anchor, last_reached
from wicket.escalation.audit.errors import NotALog
from wicket.escalation.audit.log import AuditLog, Options
from wicket.escalation.audit.note import Checkpoint, Signer
from wicket.escalation.audit.reading import backwards, leaves
from wicket.escalation.audit.records import Anchor, Freeze, Open
from wicket.escalation.audit.verification import Expected, verify
from wicket.server.gate_anchoring import AGAIN_SECONDS, Anchoring
from wicket.server.launcher import permitted
from wicket.server.processes import command

from ..escalation.audit_world import StillClock, World
from ..escalation.provider import ProviderServer
from .gate_home import PROVIDER, Home
from .test_audit_gate import audit


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def remote(folder: Path) -> Path:
    subprocess.run(["git", "init", "-q", "--bare", str(folder)], check=True)
    return folder


def notes(repository: Path) -> dict[str, bytes]:
    """What a bare repository has now."""
    names = git(repository, "ls-tree", "-r", "--name-only", "HEAD").split()
    return {name: git(repository, "show", f"HEAD:{name}").encode() + b"\n" for name in names}


def settings(home: Home, server: ProviderServer, places: dict[str, Path | str], more: str) -> None:
    rows = "".join(f'{name} = "{place}"\n' for name, place in places.items())
    said = PROVIDER.format(port=server.port)
    home.says(f"{said}[audit]\n{more}\n[audit.anchor]\n{rows}")


async def test_it_anchors_in_a_directory_and_in_git(home: Home, server: ProviderServer) -> None:
    """At its start, by itself, in both places; on record; and what is there can be compared."""
    bare, other = remote(home.root / "bare.git"), home.root / "disk"
    other.mkdir()
    settings(home, server, {"vault": f"file://{bare}", "disk": other}, "")
    await home.start()
    assert (await home.post("/v1/send", await home.prepared())).status_code == 200
    records = await home.until("anchor", 2)
    assert {row["data"]["kind"] for row in records} == {"git", "directory"}
    assert {row["data"]["place"] for row in records} == {f"file://{bare}", str(other)}
    (directory,) = home.paths.audit.glob("*")
    held = notes(bare)
    for row in records:
        name = f"{directory.name}/{row['data']['size']:012}.note"
        copy = held[name] if row["data"]["kind"] == "git" else (other / name).read_bytes()
        report = verify(directory, (Expected("anchor", copy),), jobs=1)
        assert report.code == 0, report.findings
    code, _, verified = await audit(home, "verify")
    assert code == 0
    assert any(row["name"].startswith("anchors/") for row in verified["logs"][0]["checkpoints"])


async def test_what_was_not_anchored_for_too_long_is_not_sent(
    home: Home, server: ProviderServer
) -> None:
    """A place that cannot be reached closes the gate, with why; reached once, it opens."""
    place = home.root / "later.git"
    settings(home, server, {"vault": f"file://{place}"}, "refuse_after_unanchored_hours = 1")
    await home.start()
    for path, body in (("/v1/prepare", {}), ("/v1/send", {"digest": "x"})):
        answer = await home.post(path, {"kind": "explain", "instruction": "x"} | body)
        assert answer.status_code == 503
        assert "last anchored in vault never" in answer.json()["reason"]
        assert answer.json()["fix"] == "wicket audit anchor"
    assert server.requests == []
    assert home.records("intent") == []
    remote(place)
    code, said, _ = await audit(home, "anchor")
    assert (code, said) == (0, "")
    assert (await home.post("/v1/send", await home.prepared())).status_code == 200
    await home.stop()
    # Another gate remembers, although the place has gone again.
    place.rename(home.root / "gone")
    home.socket.unlink(missing_ok=True)
    await home.start()
    assert (await home.post("/v1/send", await home.prepared())).status_code == 200


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ("refuse_after_unanchored_hours = 1", "to be anchored, but nowhere"),
        ("refuse_after_unanchored_hours = 0", "in doubt"),
        ("anchor_minutes = 'often'", "in doubt"),
        ("anchor = { vault = 'relative/path' }", "in doubt"),
        ("anchor = { vault = '--upload-pack=touch x' }", "in doubt"),
    ],
)
async def test_settings_that_make_no_sense_close_it(
    home: Home, server: ProviderServer, more: str, reason: str
) -> None:
    home.says(PROVIDER.format(port=server.port) + f"[audit]\n{more}\n")
    await home.start()
    answer = await home.post("/v1/send", {"digest": "x"})
    assert (answer.status_code, reason in answer.json()["reason"]) == (503, True), answer.text


def test_the_launcher_starts_the_carrier_and_no_other_verb() -> None:
    assert permitted(command("audit", "anchor"))
    for words in (("audit", "anchor", "--to", "x"), ("audit", "erase"), ("audit", "anchor ", "")):
        assert not permitted(command(*words))


class Carrier:
    """What `wicket audit anchor` would do: a note of each place, or a complaint."""

    def __init__(self) -> None:
        self.attempts: list[float] = []
        self.trouble = ""
        self.clock = 1_000_000.0
        self.anchoring = Anchoring(
            {"a": "/a", "b": "/b"}, 300.0, 3600.0, self.carry, self.now, look=0.001
        )

    def now(self) -> float:
        return self.clock

    async def carry(self) -> str:
        self.attempts.append(self.clock)
        if not self.trouble:
            for place in ("/a", "/b"):
                self.anchoring.heard(Anchor("directory", place, 1, "0"))
        return self.trouble


async def test_when_it_is_due() -> None:
    """News are anchored after the pause; silence is not; a failure is repeated after a minute."""
    world = Carrier()
    news = 0
    running = asyncio.ensure_future(world.anchoring.run(lambda: news))

    async def after(seconds: float, wants: bool = False) -> int:
        """Attempts made when so much time has passed and the timer has looked some times."""
        world.clock += seconds
        before = len(world.attempts)
        if wants:
            assert world.anchoring.hindrance() is not None
        for _ in range(30):
            await asyncio.sleep(0.002)
        return len(world.attempts) - before

    assert await after(0) == 1, "what the start finds is news"
    assert await after(1000) == 0, "nothing new"
    news = 1
    assert await after(0) == 1
    news = 2
    assert await after(200) == 0, "too early"
    world.trouble = "no network"
    assert await after(101) == 1
    assert await after(AGAIN_SECONDS / 2) == 0
    assert await after(AGAIN_SECONDS) == 1
    world.trouble = ""
    assert await after(AGAIN_SECONDS + 1) == 1
    assert world.anchoring.hindrance() is None
    assert await after(3601, wants=True) == 1, "who wants to send has it tried at once"
    assert world.anchoring.hindrance() is None
    world.anchoring.reached.pop("/b")
    closed = world.anchoring.hindrance()
    assert closed
    assert "last anchored in b never" in str(closed), "each place counts, not the best"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_the_log_tells_when_places_were_reached(tmp_path: Path) -> None:
    """Read from its end, over many segments, no further back than asked."""
    world, clock = World(tmp_path), StillClock()
    options = Options(level="metadata", segment_bytes=3000, reserve_bytes=1 << 16)
    log = await AuditLog.open(world.directory, world.layout.head, Open("0"), options, clock=clock)
    for number in range(60):
        await log.note(Freeze(True, reason="x" * number * 40))
        if number in (5, 20, 40):
            await log.note(Anchor("git", "a", number, ""))
            await log.note(Anchor("git", "b" if number < 30 else "c", number, ""))
        clock.wall, clock.mono = clock.wall + 1000, clock.mono + 1_000_000
    forwards = [one.tail.seq for one, _ in leaves(world.directory)]
    assert [one.tail.seq for one in backwards(world.directory)] == forwards[::-1]
    assert len(list(world.directory.glob("*.jsonl"))) > 3
    stamps = {one.data["size"]: one.tail.ts for one, _ in leaves(world.directory)
              if one.tail.type == "anchor"}  # fmt: skip
    for places, since, found in (
        ("abc", "", {"a": stamps[40], "b": stamps[20], "c": stamps[40]}),
        ("ab", stamps[40], {"a": stamps[40]}),
        ("a", "", {"a": stamps[40]}),
        ("d", "", {}),
        ("a", "9", {}),
    ):
        assert last_reached(world.directory, set(places), since) == found
    await log.close()
    every = [one.tail.seq for one in backwards(world.directory)]
    last = max(world.directory.glob("*.jsonl"))
    whole = last.read_bytes()
    # A last line without its end is being written, or torn; another must be a leaf.
    for content, found in ((whole + b'{"torn', every), (whole[:-1], every[1:])):
        last.write_bytes(content)
        assert [one.tail.seq for one in backwards(world.directory)] == found
    last.write_bytes(whole + b"x\n")
    with pytest.raises(NotALog):
        list(backwards(world.directory))


async def test_many_logs_in_one_repository(tmp_path: Path) -> None:
    """Also at once, from clones that are old; and a note that differs is a fork."""
    bare = remote(tmp_path / "bare.git")
    logs: list[Path] = []
    for number in range(4):
        name = f"{number}" * 32
        directory, head = tmp_path / f"{number}" / name, tmp_path / f"{number}" / "heads" / name
        log = await AuditLog.open(
            directory, head, Open("0"), Options(level="metadata", reserve_bytes=1 << 16)
        )
        await log.close()
        logs.append(directory)

    def carry(directory: Path) -> None:
        anchor(directory, str(bare), directory.parent / "clones")

    for _ in range(2):
        await asyncio.gather(*(asyncio.to_thread(carry, each) for each in logs))
    assert {name.split("/")[0] for name in notes(bare)} == {each.name for each in logs}
    assert len(notes(bare)) == 4
    name = f"wicket.audit/{logs[0].name}"
    size = int((logs[0] / "checkpoint").read_text().splitlines()[1])
    forked = Signer(name, bytes(32)).sign(Checkpoint(name, size, bytes(32)))
    (logs[0] / "checkpoint").write_bytes(forked)
    with pytest.raises(NotAnchored, match="forked log"):
        carry(logs[0])


@pytest.fixture(autouse=True)
def git_without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not those of who runs the tests."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
