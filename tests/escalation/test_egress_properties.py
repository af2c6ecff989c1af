"""What comes to a provider's socket, whatever is asked and however: no secret, in no form; and
what a person gets to read, however the answer is cut into pieces.

The bytes are those that the loopback provider received from the real SDK.
"""

import asyncio
import base64
import json
import random
import urllib.parse
from collections.abc import Callable, Coroutine, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from wicket.escalation.task import read

from . import anthropic_wire
from .gate_world import TASK, World, approved
from .planted_secrets import KINDS, LETTERS, clean_sources, of
from .provider import ANSWERS, USAGE, said

EXAMPLES = 12
SOURCES = [text for text in clean_sources() if text.isascii()][:20]
quick = settings(
    max_examples=EXAMPLES,
    deadline=None,
    # To make one smaller takes hundreds of requests.
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


class Bench:
    """A world whose loop is run an example at a time."""

    def __init__(self, root: Path, kind: str) -> None:
        self._loop = asyncio.new_event_loop()
        self.world = World(root)
        self.run(self.world.start(kind))
        self.world.server.answer = self.world.says("whole")

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(work)

    def captured(self) -> str:
        """Everything that came since the last time, and it as a program reads it."""
        server = self.world.server
        bodies = [json.loads(body) for _, body in server.requests]
        texts = [server.received.decode("utf-8", "replace"), *map(_texts, bodies)]
        server.received.clear()
        assert bodies, "it was sent"
        return "\n".join(texts)

    def send(self, task: Mapping[str, Any]) -> str:
        self.run(self.world.send(read(task)))
        return self.captured()

    def stop(self) -> None:
        self.run(self.world.stop())
        assert self.world.unrecorded == [], "bytes came without a durable intent"
        self._loop.close()


@pytest.fixture(params=["compatible", "anthropic"])
def bench(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
    made = Bench(tmp_path, request.param)
    yield made
    made.stop()


def _texts(value: object) -> str:
    """All texts in a JSON value, as their reader has them."""
    match value:
        case str():
            return value
        case list():
            return "\n".join(map(_texts, value))
        case dict():
            return "\n".join(map(_texts, value.values()))
        case _:
            return ""


def _is_in(secret: str, captured: str) -> bool:
    """A long secret is there, too, if a good part of it is."""
    lines = [line for line in secret.splitlines() if len(line) >= 24 and "-----" not in line]
    lines = lines or [secret]
    return any(line in captured for line in lines)


def _b64(value: str) -> str:
    return base64.b64encode(value.encode()).decode()


# How people write a value down, and what programs make of it.
FORMS: dict[str, Callable[[str], str]] = {
    "as it is": lambda value: value,
    "base 64": _b64,
    "base 64 for URLs": lambda v: base64.urlsafe_b64encode(v.encode()).decode().rstrip("="),
    "user and password": lambda v: _b64(f"ada:{v}"),
    "hexadecimal": lambda v: v.encode().hex(),
    "percent": lambda v: urllib.parse.quote(v, safe=""),
    "JSON": lambda v: json.dumps(v)[1:-1],
    "reversed": lambda v: v[::-1],
}


@st.composite
def known_secrets(draw: st.DrawFn) -> str:
    dice = random.Random(draw(st.integers(0, 1 << 30)))
    # What begins with a slash is taken for a path.
    return "k" + of(dice, LETTERS + "+/#%&!\"\\'", draw(st.integers(12, 60))) + "Q7z"


PLACES = ("document", "instruction", "question", "answer")


def _task(place: str, text: str, secrets: list[str]) -> dict[str, Any]:
    task = TASK | {"kind": "ask", "known_secrets": secrets}
    match place:
        case "document":
            return task | {"documents": [{"path": "src/a.py", "text": text}]}
        case "instruction":
            return task | {"instruction": text}
        case "question":
            return task | {"earlier": [{"question": text, "answer": "x"}]}
        case _:
            return task | {"earlier": [{"question": "x", "answer": text}]}


@quick
@given(
    secret=known_secrets(),
    form=st.sampled_from(sorted(FORMS)),
    place=st.sampled_from(PLACES),
    around=st.sampled_from(SOURCES),
    at=st.integers(0, 1 << 20),
)
def test_a_known_secret_in_any_form_in_any_place(
    bench: Bench, secret: str, form: str, place: str, around: str, at: int
) -> None:
    lines = around.splitlines(keepends=True)
    lines.insert(at % len(lines), f"value = '{FORMS[form](secret)}'\n")
    captured = bench.send(_task(place, "".join(lines), [secret]))
    for name, written in FORMS.items():
        assert written(secret) not in captured, name


@quick
@given(
    kind=st.sampled_from(sorted(KINDS)),
    seed=st.integers(0, 1 << 30),
    place=st.sampled_from(PLACES),
    around=st.sampled_from(SOURCES),
    at=st.integers(0, 1 << 20),
)
def test_a_secret_of_any_known_format(
    bench: Bench, kind: str, seed: int, place: str, around: str, at: int
) -> None:
    value = KINDS[kind](random.Random(seed))
    named = {"password": "db_password", "hex-key": "api_key", "aws-secret": "aws_secret_key"}
    lines = around.splitlines(keepends=True)
    lines.insert(at % len(lines), f'{named.get(kind, "x")} = "{value}"\n')
    assert not _is_in(value, bench.send(_task(place, "".join(lines), [])))


@quick
@given(
    kind=st.sampled_from(sorted(KINDS)),
    seed=st.integers(0, 1 << 30),
    around=st.sampled_from(SOURCES),
    at=st.integers(0, 1 << 20),
    cuts=st.sets(st.integers(1, 60), max_size=4),
    known=st.booleans(),
)
def test_a_secret_that_lies_across_pieces_of_a_file(
    bench: Bench, kind: str, seed: int, around: str, at: int, cuts: set[int], known: bool
) -> None:
    """Pieces that adjoin, cut before and behind the secret's lines and inside of them."""
    value = KINDS[kind](random.Random(seed))
    lines = around.splitlines(keepends=True)[:60]
    named = {"password": "db_password", "hex-key": "api_key", "aws-secret": "aws_secret_key"}
    lines.insert(at % len(lines), f'{named.get(kind, "x")} = "{value}"\n')
    lines = "".join(lines).splitlines(keepends=True)
    borders = [0, *sorted(cut for cut in cuts if cut < len(lines)), len(lines)]
    pieces = [
        {"path": "src/a.py", "text": "".join(lines[a:b]), "range": [a + 1, b]}
        for a, b in pairwise(borders)
    ]
    secrets = [value] if known else []
    captured = bench.send(TASK | {"documents": pieces, "known_secrets": secrets})
    assert not _is_in(value, captured)


@quick
@given(
    kind=st.sampled_from(sorted(KINDS)),
    seed=st.integers(0, 1 << 30),
    around=st.sampled_from(SOURCES),
    cut=st.integers(0, 1 << 20),
    known=st.booleans(),
)
def test_a_secret_in_what_two_tools_answered(
    bench: Bench, kind: str, seed: int, around: str, cut: int, known: bool
) -> None:
    """One after the other, so that neither sees the other's part of a key of many lines."""
    value = KINDS[kind](random.Random(seed))
    named = {"password": "db_password", "hex-key": "api_key", "aws-secret": "aws_secret_key"}
    text = f'{around[:300]}\n{named.get(kind, "x")} = "{value}"\n{around[300:600]}'
    lines = text.splitlines(keepends=True)
    border = cut % (len(lines) - 1) + 1
    parts = [(0, border), (border, len(lines))]
    task = TASK | {"kind": "ask", "tools": ["read"], "readable": ["**"]}
    task |= {"known_secrets": [value]} if known else {}
    world = bench.world
    world.server.script = [world.says("tools")] * 2

    async def converse() -> None:
        prepared = await world.gate.prepare(read(task))
        exchange = await world.gate.begin(prepared["digest"], approved(prepared))
        calls: asyncio.Queue[str] = asyncio.Queue()

        def emit(name: str, members: dict[str, Any]) -> None:
            if name == "tool":
                calls.put_nowait(members["id"])

        work = exchange.start(emit)
        for first, last in parts:
            document = {"path": "src/b.py", "text": "".join(lines[first:last])}
            document |= {"range": [first + 1, last]}
            answer = {"id": await calls.get(), "name": "read", "documents": [document]}
            await world.gate.answer(exchange.name, answer)
        await work

    bench.run(converse())
    assert len(world.server.requests) == 3
    assert not _is_in(value, bench.captured())


ALIKE = "".join(map(chr, (0x200B, 0x200D, 0x2060, 0xFEFF, 0x202E, 0xE0041, 0xAD)))


@quick
@given(
    secret=known_secrets(),
    hidden=st.sampled_from(ALIKE),
    places=st.sets(st.integers(1, 70), max_size=5),
)
def test_characters_that_nobody_sees_do_not_leave(
    bench: Bench, secret: str, hidden: str, places: set[int]
) -> None:
    """Nor do they hide a secret from the search, once they are gone."""
    text = "".join(hidden * (n in places) + c for n, c in enumerate(secret))
    captured = bench.send(_task("document", f"# {hidden}\nvalue = '{text}'\n", [secret]))
    joins = hidden in "\u200d\ufeff"
    assert joins or hidden not in captured, "one between letters may be part of a word"
    seen = captured.replace("\u200d", "").replace("\ufeff", "")
    assert secret not in seen
    assert json.dumps(secret)[1:-1] not in seen


@given(
    text=st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=80),
    cuts=st.sets(st.integers(1, 2000), max_size=30),
)
@quick
def test_an_answer_is_the_same_however_it_is_cut(bench: Bench, text: str, cuts: set[int]) -> None:
    """In the middle of a character, of an escape, of an event: at any byte."""
    world = bench.world
    halves = text[: len(text) // 2], text[len(text) // 2 :]
    if world.kind == "compatible":
        stream = said(halves[0]) + said(halves[1], "stop") + USAGE + b"data: [DONE]\n\n"
    else:
        stream = anthropic_wire.start() + anthropic_wire.text(0, *halves) + anthropic_wire.end()
    borders = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    pieces = [stream[a:b] for a, b in pairwise(borders)]
    ANSWERS["cut anywhere"] = [anthropic_wire.HEAD, *pieces]
    world.server.script = ["cut anywhere"]
    events = bench.run(world.send(read(TASK)))
    assert events[-1][1]["status"] == "ok"
    assert "".join(members["text"] for name, members in events if name == "text") == text
