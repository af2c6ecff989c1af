"""The log while the gate writes it: owners and readers go on record all the same."""

import asyncio
import json
from typing import Any

from wicket.server import processes

from .gate_home import Home


async def audit(home: Home, *words: str) -> tuple[int, str, Any]:
    """`wicket audit` of this user: exit code, standard error, the JSON it printed."""
    done = await asyncio.create_subprocess_exec(
        *processes.command("audit", *words, "--json"),
        env=home.environment,
        cwd=home.root,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await done.communicate()
    assert b"Traceback" not in err
    return done.returncode or 0, err.decode(), json.loads(out) if out else None


async def test_owners_and_readers_go_on_record(home: Home) -> None:
    """Hold, access, erasure, retention, anchor: each by the gate, which goes on sending."""
    await home.start()
    for _ in range(2):
        assert (await home.post("/v1/send", await home.prepared())).status_code == 200
    first, second = (row["seq"] for row in home.records("intent"))
    why = ("--yes", "--reason", "asked")
    code, said, shown = await audit(home, "show", str(first), "--payload")
    assert (code, said) == (0, ""), said
    assert "messages" in shown["records"][0]["payload"]["request"]
    assert home.records("access")[0]["data"]["seqs"] == [first]
    code, said, _ = await audit(home, "hold", "case-7", str(second), *why)
    assert (code, said) == (0, ""), said
    code, said, shown = await audit(home, "erase", str(first), str(second), *why)
    assert (code, shown["erase"], shown["held"]) == (0, [first, first + 1], [second, second + 1])
    (home.root / "elsewhere").mkdir()
    code, said, shown = await audit(home, "anchor", "--to", str(home.root / "elsewhere"))
    assert (code, said, shown["anchors"][0]["kind"]) == (0, "", "directory")
    kinds = [row["type"] for row in home.records()]
    assert kinds.count("open") == 1, "one process writes"
    assert [kind for kind in kinds if kind in ("access", "hold", "erasure", "anchor")] == [
        *("access", "hold", "erasure", "anchor")
    ]
    _, _, shown = await audit(home, "show", str(first), "--payload")
    assert "erased" in shown["records"][0]["why"]
    assert (await home.post("/v1/send", await home.prepared())).status_code == 200
    code, _, verified = await audit(home, "verify")
    assert (code, verified["logs"][0]["erased"], verified["logs"][0]["live"]) == (0, 2, True)


DATA: dict[str, object] = {"who": "a", "text": "b", "verdict": None}
NOTE = {"kind": "annotation", "data": DATA, "ref": 0}


def one(**changes: object) -> list[dict[str, object]]:
    return [NOTE | changes]


NOTES = [
    (None, one(), 200),
    (None, [], 200),
    ("0" * 32, one(), 400),
    (None, one(kind="outcome"), 400),
    (None, one(kind="open"), 400),
    (None, one(kind=5), 400),
    (None, one(data={}), 400),
    (None, one(data=DATA | {"more": 1}), 400),
    (None, one(data=DATA | {"text": 1}), 400),
    (None, one(data=DATA | {"text": 0.5}), 400),
    (None, one(data=DATA | {"text": "\u202e<script>\x00"}), 200),
    (None, one(ref="0"), 400),
    (None, one(ref=True), 400),
    (None, one(ref=10**9), 503),
    (None, "notes", 400),
    (None, ["note"], 400),
    (5, one(), 400),
]


async def test_what_may_be_noted(home: Home) -> None:
    """Only what people do to a log, whole and in this log; nothing else is written."""
    await home.start()
    own = home.records()[0]["log"]
    for log, notes, status in NOTES:
        size = len(home.records())
        answer = await home.post("/v1/notes", {"log": own if log is None else log, "notes": notes})
        assert (answer.status_code, "Traceback" in answer.text) == (status, False), answer.text
        written = len(notes) if status == 200 else 0
        assert len(home.records()) == size + written, notes
    assert (await home.get("/v1/status")).json()["open"]


async def test_without_a_provider_notes_are_taken(home: Home) -> None:
    """Nothing can be sent, and the log is held: reading it is on record all the same."""
    home.says("")
    await home.start()
    assert not (await home.get("/v1/status")).json()["open"]
    code, said, _ = await audit(home, "hold", "case-1", "0", "--yes", "--reason", "r\udcff")
    assert (code, said) == (0, "")
    assert [row["data"]["reason"] for row in home.records("hold")] == ["r?"]
