"""The flow of one question: what is near it -> the yes -> the streamed answer and its tools.

The terminal and the editor are two desks at which the same question is asked.
"""

import asyncio
import os
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar

from ..completion.client import EngineGone
from ..escalation import policy
from ..escalation.client import Declined, GateClient, Lost
from ..escalation.kinds import KINDS
from ..escalation.tools import EDIT
from ..indexing.research import gather
from ..indexing.research.repository import Repository
from . import (
    ask_tools,
    asked,
    env_secrets,
    exclusions,
    folder_identity,
    gate_client,
    processes,
    spending,
)
from .app import Startup
from .ask_places import Place, places
from .paths import UnsafePath
from .repositories import Unsaved, opened
from .settings import for_folder

# Tokens of the pieces that are gathered for a question.
BUDGET = 6_000
T = TypeVar("T")
# What a person says: no, yes, yes and for all that is like it; or that nobody was asked.
Yes = Literal["", "user", "standing", "auto"]


class NoAnswer(Exception):
    """The question stays unanswered, in one line that says why and what to do."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Lines of a file that the question is about; 1-based, the end inclusive.

    `selection` are those of them that are to be edited.
    """

    path: str
    text: str
    first: int
    last: int
    selection: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """`earlier` are questions of this conversation with their answers; `pieces` what the
    user pointed at, and `kept` the documents that an earlier question took along."""

    text: str
    folder: Path
    pieces: tuple[Piece, ...] = ()
    earlier: tuple[tuple[str, str], ...] = ()
    kept: tuple[Mapping[str, Any], ...] = ()
    kind: str = "ask"
    prefer: str | None = None
    editor: tuple[str, str] = ("terminal", "")


class Desk(Protocol):
    """Where a person sits: asked before anything leaves, told what comes."""

    async def approve(self, prepared: Mapping[str, Any]) -> Yes:
        """Whether it may leave: auto, without a question, where the decision is allow."""
        ...

    async def widen(self, why: str) -> bool:
        """Whether what the approval does not cover may leave after all."""
        ...

    def hear(self, text: str) -> None: ...

    def note(self, what: str) -> None:
        """A tool is at work, or something is missing, as one line."""
        ...


@dataclass(slots=True)
class Answer:
    """What came of a question.  `requests` is every request as it left, base64; `records`
    are the numbers in the log, intents and outcomes by turns; `first_ms` is from the yes to
    the first piece of text."""

    documents: tuple[Mapping[str, Any], ...]
    prepared: Mapping[str, Any]
    text: str = ""
    status: str = "refused"
    finish: str | None = None
    why: str | None = None
    exchange: str = ""
    records: list[int] = field(default_factory=list[int])
    requests: list[str] = field(default_factory=list[str])
    usage: list[Mapping[str, int]] = field(default_factory=list[Mapping[str, int]])
    tools: list[str] = field(default_factory=list[str])
    places: tuple[Place, ...] = ()
    edits: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    # Why the last edits that were proposed could not be made.
    unfit: str | None = None
    questions: int = 1
    first_ms: int | None = None
    # Providers that may be asked after this one did not answer, the next first.
    others: tuple[str, ...] = ()


@dataclass(slots=True)
class Near:
    """The repository of a question, and the one thread that may look into its index."""

    repository: Repository | None
    thread: ThreadPoolExecutor

    async def run(self, function: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.thread, function, *arguments)


async def ask(
    question: Question,
    startup: Startup,
    desk: Desk,
    spawn: processes.Spawn = processes.spawn,
    unsaved: Unsaved = lambda _path: None,
) -> Answer | None:
    """The answer, or None where the person said no.

    Cancelling ends the exchange, and its outcome says so.  Raises NoAnswer.
    """
    wanted = for_folder(startup.effective, question.folder).settings
    if why := spending.refusal(wanted.gate, wanted.features, KINDS[question.kind].feature):
        raise NoAnswer(why)
    try:
        async with (
            connected(startup, spawn) as gate,
            _repositories(question, startup, unsaved) as near,
        ):
            if near.repository is None:
                desk.note(f"{question.folder} has no index; `wicket index` makes answers better")
            task = await near.run(_task, question, startup, near.repository)
            answer = await _asked(gate, task, startup, desk, near)
            while answer is not None and answer.others:
                # Another provider is another request, and another question.
                other, records = answer.others[0], answer.records
                desk.note(f"{answer.prepared['provider']}: {answer.why}; {other} could be asked")
                try:
                    again = await _asked(gate, {**task, "prefer": other}, startup, desk, near)
                except Declined as error:
                    desk.note(f"{other} is not asked: {error}")
                    break
                if again is None:
                    break
                answer = replace(again, records=[*records, *again.records])
            if answer is not None and near.repository is not None:
                answer.places = await near.run(places, answer.text, near.repository)
            return answer
    except (Declined, Lost, EngineGone, UnsafePath) as error:
        raise NoAnswer(str(error)) from None


async def _asked(
    gate: GateClient, task: Mapping[str, Any], startup: Startup, desk: Desk, near: Near
) -> Answer | None:
    """What one provider made of it; None where the person said no."""
    prepared = await gate.prepare(task)
    began = time.monotonic()
    granted = await desk.approve(prepared)
    if prepared["decision"] != "allow":
        asked.remember(startup, time.monotonic() - began, granted != "")
    if not granted:
        return None
    answer = Answer(tuple(task["documents"]), prepared)
    await _converse(gate, answer, desk, near, granted)
    return answer


async def _converse(gate: GateClient, answer: Answer, desk: Desk, near: Near, granted: Yes) -> None:
    """Send, hear, and run the tools that are asked for, until the exchange has ended."""
    prepared = answer.prepared
    names = ("digest", "provider", "model", "endpoint", "region")
    approval = {name: prepared[name] for name in names} | {"mode": granted}
    answer.requests.append(prepared["request_base64"])
    began = time.monotonic()
    work: set[asyncio.Task[None]] = set()
    events = gate.send(prepared["digest"], approval)
    try:
        async for name, members in events:
            match name:
                case "text":
                    if answer.first_ms is None:
                        answer.first_ms = round((time.monotonic() - began) * 1000)
                    answer.text += members["text"]
                    desk.hear(members["text"])
                case "tool":
                    answer.tools.append(members["name"])
                    desk.note(_said_of(members))
                    # Beside the stream: a person may be asked, and must be able to cancel.
                    work.add(asyncio.ensure_future(_tool(gate, answer, members, desk, near)))
                case "record":
                    answer.exchange = members.get("exchange", answer.exchange)
                    answer.records.append(members["seq"])
                    answer.requests += filter(None, [members.get("request_base64")])
                case "edit":
                    answer.edits.append(members)
                case "unfit":
                    answer.unfit = str(members["reason"])
                    desk.note(f"an edit does not fit: {answer.unfit[:400]}")
                case "usage":
                    answer.usage.append(members)
                case "retry":
                    reason = str(members["reason"])
                    desk.note(f"again in {members['seconds']:.0f} s, as {reason[:200]}")
                case "error":
                    answer.why = members["reason"]
                case "done":
                    answer.status, answer.finish = members["status"], members["finish"]
                    answer.others = tuple(members.get("others", ()))
                    if other := members.get("model"):
                        answered, wanted = str(other["answered"])[:80], other["wanted"]
                        desk.note(f"answered by {answered}, where {wanted} was asked for")
                case _:
                    pass
    finally:
        for task in work:
            task.cancel()
        await asyncio.gather(*work, return_exceptions=True)
        await events.aclose()


async def _tool(
    gate: GateClient,
    answer: Answer,
    call: Mapping[str, Any],
    desk: Desk,
    near: Near,
) -> None:
    """Run a tool and hand in what it said; outside the approval a person is asked again."""
    said: dict[str, Any] = {"id": call["id"], "name": call["name"]}
    if near.repository is None:
        said["text"] = "this folder has no index: nothing can be looked up"
    else:
        said |= await near.run(ask_tools.run, call["name"], call["arguments"], near.repository)
    try:
        await gate.answer(answer.exchange, said)
    except Declined as error:
        if error.status != 409:
            # Policy forbids it, and the gate has told the model; or the exchange has ended.
            desk.note(error.reason)
            return
        answer.questions += 1
        if await desk.widen(error.reason):
            wider = {**error.needs, "bytes_max": LARGEST_BODY, "turns_max": MOST_TURNS}
            await gate.answer(answer.exchange, said | {"approval": wider})
        else:
            await gate.answer(answer.exchange, said | {"declined": True})


# What a second yes covers: another look at it would come with the next limit.
LARGEST_BODY, MOST_TURNS = 512 << 10, 30


def _task(question: Question, startup: Startup, near: Repository | None) -> dict[str, Any]:
    """What the gate is asked to prepare.  Raises NoAnswer."""
    wanted = for_folder(startup.effective, question.folder).settings
    exclude = startup.effective.settings.completion.exclude
    tools = near is not None and wanted.features.tools
    documents: list[Mapping[str, Any]] = [
        ask_tools.document(piece.path, piece.text, piece.first, piece.last)
        | ({"role": "edit", "selection": piece.selection} if piece.selection else {})
        for piece in question.pieces
    ]
    edited = {piece.path for piece in question.pieces if piece.selection}
    for piece in question.pieces:
        if rule := exclusions.excluded(piece.path, exclude):
            raise NoAnswer(f"{piece.path} may not be sent: {rule} excludes it")
    if question.kept:
        documents = list(question.kept)
    elif near is not None:
        focus = [piece.path for piece in question.pieces]
        found = gather.gather(question.text, [near], BUDGET, focus)
        # One file that stays here would keep the whole question here.
        stays = exclusions.policy(policy.globs(startup.effective.heard.policies, "this-machine"))
        rows = [row for row in ask_tools.of_passages(found) if stays(row["path"]) is None]
        # What was pointed at is not said twice.
        documents += [
            row
            for row in rows
            if row["path"] not in edited and not any(_holds(d, row) for d in documents)
        ]
    return {
        "kind": question.kind,
        "instruction": question.text,
        "documents": [d for d in documents if _is_sendable(d["path"])],
        "earlier": [{"question": q, "answer": a} for q, a in question.earlier],
        "tools": [*(ask_tools.TOOLS if tools else ()), *([EDIT] if edited else [])],
        "readable": ["**"] if tools else [],
        "budget": spending.tightened(wanted),
        "known_secrets": sorted(set(env_secrets.values(question.folder))),
        "prefer": question.prefer,
        "client": {"editor": question.editor[0], "version": question.editor[1]},
        "folder": os.path.realpath(question.folder),
        "identity": folder_identity.identity(question.folder),
    }


def _holds(whole: Mapping[str, Any], part: Mapping[str, Any]) -> bool:
    """Whether the lines of one document are among those of another."""
    (first, last), (start, end) = whole["range"], part["range"]
    return whole["path"] == part["path"] and first <= start and end <= last


def _is_sendable(path: str) -> bool:
    """A path is bytes on the disk; one that is no text cannot be named to anybody."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _said_of(call: Mapping[str, Any]) -> str:
    arguments = call["arguments"]
    about = arguments.get("path") or arguments.get("name") or arguments.get("text") or ""
    return f"looks at: {call['name']} {str(about)[:80]}".strip()


@asynccontextmanager
async def connected(
    startup: Startup, spawn: processes.Spawn = processes.spawn
) -> AsyncGenerator[GateClient, None]:
    """The gate, started if need be.  Raises EngineGone and UnsafePath."""
    starter = gate_client.starter(startup.paths, spawn)
    _reader, writer = await starter.connect()
    # Kept open until the first request is there, so that an idle gate does not leave.
    async with GateClient(starter.path) as gate:
        try:
            yield gate
        finally:
            writer.close()


@asynccontextmanager
async def _repositories(
    question: Question, startup: Startup, unsaved: Unsaved
) -> AsyncGenerator[Near, None]:
    """The folder's index, if it has one, in a thread of its own."""
    stack = ExitStack()

    def enter() -> Repository | None:
        found, _missing = stack.enter_context(opened(startup, question.folder, unsaved=unsaved))
        return found[0] if found else None

    with ThreadPoolExecutor(1, "ask") as thread:
        near = Near(None, thread)
        try:
            near.repository = await near.run(enter)
            yield near
        finally:
            thread.submit(stack.close)
