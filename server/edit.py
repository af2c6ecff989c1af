"""The flow of one edit: ask for it -> validate it as a whole -> offer it -> on record.

The question and its yes are those of `ask`; whoever calls shows the diff and applies it.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from ..completion.client import EngineGone
from ..escalation.client import Declined, Lost
from ..escalation.kinds import KINDS
from . import change, grammar, processes
from .app import Startup
from .ask import Answer, Desk, NoAnswer, Question, ask, connected
from .change import Change, Target
from .control_files import is_obeyed
from .paths import UnsafePath
from .repositories import Unsaved

# How providers say that an answer was cut off: then edits may be missing.
CUT_OFF = (
    "length",
    "max_tokens",
    "max_output_tokens",
    "incomplete",
    "model_context_window_exceeded",
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: a kind of `KINDS` that edits, and words, which a kind may bring."""

    targets: tuple[Target, ...]
    folder: Path
    kind: str = "refactor"
    words: str = ""
    prefer: str | None = None
    editor: tuple[str, str] = ("terminal", "")

    @property
    def question(self) -> Question:
        """Raises NoAnswer where nothing is asked for."""
        kind = KINDS[self.kind]
        text = "\n".join(filter(None, (kind.words, self.words.strip())))
        if not text:
            raise NoAnswer("say what is to be done")
        pieces = tuple(target.piece for target in self.targets)
        return Question(
            text, self.folder, pieces, kind=self.kind, prefer=self.prefer, editor=self.editor
        )


@dataclass(frozen=True, slots=True)
class Proposal:
    """Changes that fit all together, not made yet.  `broken` says that the grammar has more
    trouble with a file than before: only who insists applies that."""

    answer: Answer
    changes: tuple[Change, ...]
    broken: str | None

    @property
    def notes(self) -> list[str]:
        return [f"{one.path}: {note}" for one in self.changes for note in one.notes]

    @property
    def obeyed(self) -> list[str]:
        """Files of it that programs obey: each takes a second yes."""
        return [one.path for one in self.changes if is_obeyed(one.path)]


async def propose(
    wanted: Wanted,
    startup: Startup,
    desk: Desk,
    spawn: processes.Spawn = processes.spawn,
    unsaved: Unsaved = lambda _path: None,
) -> Proposal | None:
    """What a model would change, or None where the person said no to asking it.

    Its outcome is durable by then.  Cancelling ends the exchange.  Raises NoAnswer.
    """
    answer = await ask(wanted.question, startup, desk, spawn, unsaved)
    if answer is None:
        return None
    if answer.status != "ok":
        raise NoAnswer(answer.why or f"no answer came ({answer.status})")
    if answer.finish in CUT_OFF:
        raise NoAnswer("the answer was cut off, edits may be missing; ask for less at once")
    found = change.changes(wanted.targets, answer.edits)
    if not found:
        raise NoAnswer(_nothing(answer))
    broken = await asyncio.to_thread(change.worse, found, grammar.troubles_of)
    return Proposal(answer, tuple(found), broken)


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """Why a decision is not on record, in one line; `final` where asking again is no use."""

    why: str
    final: bool


async def record(
    proposal: Proposal, decision: str, startup: Startup, spawn: processes.Spawn = processes.spawn
) -> Unrecorded | None:
    """Put on record what became of a proposal."""
    return await recorded(
        proposal.answer.exchange, change.digest(proposal.changes), decision, startup, spawn
    )


async def recorded(
    exchange: str, digest: str, decision: str, startup: Startup,
    spawn: processes.Spawn = processes.spawn,
) -> Unrecorded | None:  # fmt: skip
    """`record` by the name of the exchange and the digest of the diff."""
    try:
        async with connected(startup, spawn) as gate:
            await gate.applied(exchange, decision, digest)
    except (Declined, Lost, EngineGone, UnsafePath) as error:
        final = isinstance(error, Declined) and error.status in (400, 404)
        return Unrecorded(f"that it was {decision} is not on record: {error}", final)
    return None


def _nothing(answer: Answer) -> str:
    """Why there is nothing to apply, with the model's own last words."""
    if answer.unfit:
        return f"no edit that fits was proposed: {answer.unfit}"
    words = " ".join(answer.text.split())[-200:]
    return "no edit was proposed" + (f"; it said: {words}" if words else "")
