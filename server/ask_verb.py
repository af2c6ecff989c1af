"""`wicket ask QUESTION`: ask a provider about the code here, and see first what would leave."""

import argparse
import asyncio
import contextlib
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console
from rich.live import Live
from rich.markdown import Markdown

from ..escalation.policy import STANDING
from . import approval
from .app import Startup, start
from .ask import Answer, NoAnswer, Piece, Question, Yes, ask
from .repositories import repository

RANGE = re.compile(r"(.+?)(?::(\d{1,9})(?:-(\d{1,9}))?)?")
FENCE = re.compile(r"^ {0,3}(```|~~~)", re.MULTILINE)
# Of what is being written, in a second.
PAINTS = 8
# Lines of a file that is named without any.
MOST_LINES = 2_000


class BadQuestion(Exception):
    """What was typed makes no sense; the message is one line."""


def run(arguments: argparse.Namespace) -> int:
    here = Path.cwd()
    try:
        files = [piece(said, here) for said in arguments.file or ()]
        if not arguments.question.strip():
            raise BadQuestion("say what you want to know")
    except BadQuestion as error:
        print(f"wicket ask: {error}", file=sys.stderr)
        return 2
    folder = repository(here / "x")
    question = Question(arguments.question, folder, tuple(files), prefer=arguments.provider)
    desk = Terminal(arguments.yes, arguments.show, arguments.json)
    try:
        return asyncio.run(_conversation(question, start(folders=[folder]), desk))
    except NoAnswer as error:
        print(f"wicket ask: {error}", file=sys.stderr)
        return 1


async def _conversation(question: Question, startup: Startup, desk: "Terminal") -> int:
    """The question, and what the person asks after the answer.  An exit code."""
    while True:
        try:
            answer = await ask(question, startup, desk)
        except Refused as error:
            print(f"wicket ask: {error}", file=sys.stderr)
            return 1
        finally:
            desk.still()
        if answer is None:
            return 0 if desk.only_shown else 1
        desk.finish(answer)
        if desk.json or answer.status != "ok" or not (more := await desk.ask_more()):
            return 0 if answer.status == "ok" else 1
        earlier = (*question.earlier, (question.text, answer.text))
        question = Question(
            more, question.folder, question.pieces, earlier, answer.documents,
            prefer=question.prefer,
        )  # fmt: skip


class Refused(Exception):
    """Nobody is there who could be asked."""


class Terminal:
    """Standard output and input; questions and progress on standard error."""

    def __init__(self, yes: bool, show: bool, as_json: bool, verb: str = "ask") -> None:
        self.verb = verb
        self.only_shown, self.json = show, as_json
        self._yes, self._first = yes, ""
        self._out = Console(highlight=False)
        self._error = Console(stderr=True, highlight=False)
        self._rest = ""
        self._live: Live | None = None

    async def approve(self, prepared: Mapping[str, Any]) -> Yes:
        """Raises Refused where no terminal is there to ask."""
        if self.only_shown:
            self._plain(approval.exact(prepared["request_base64"]), self._out)
            return ""
        for line in approval.summary(prepared):
            self._plain(line, self._error)
        stands = str(prepared["rule"]).startswith(STANDING)
        # Without a terminal only the policy may say yes.
        if prepared["decision"] == "allow" and (sys.stdin.isatty() or not stands):
            return "auto"
        if not sys.stdin.isatty():
            raise Refused("nothing is sent without a terminal to ask in; --show shows it")
        # Said before anything was seen, it is a yes to the first provider, not to a further one.
        self._first = self._first or prepared["provider"]
        if self._yes and prepared["provider"] == self._first:
            return "user"
        while True:
            said = await typed(
                "send it? [y]es, [a]lways what is like it, [n]o, [s]how every byte: "
            )
            match said[:1]:
                case "s":
                    self._plain(approval.exact(prepared["request_base64"]), self._error)
                case "y":
                    return "user"
                case "a":
                    return "standing"
                case "n" | "":
                    return ""
                case _:
                    pass

    async def widen(self, why: str) -> bool:
        self.still()
        said = await typed(f"{approval.visible(why)}; send it all the same? [y]es, [n]o: ")
        return said in ("y", "yes")

    def hear(self, text: str) -> None:
        """Whole blocks are printed for good; the one that is being written is painted anew."""
        if self.json:
            return
        done, self._rest = whole_blocks(self._rest + text)
        if done:
            self.still()
            self._markdown(done)
        if self._out.is_terminal and self._rest.strip():
            if self._live is None:
                self._live = Live(console=self._out, transient=True, refresh_per_second=PAINTS)
                self._live.start()
            self._live.update(_rendered(self._rest))

    def still(self) -> None:
        """Take away what is being written; the terminal is as it was."""
        if self._live is not None:
            self._live.update("")
            self._live.stop()
            self._live = None

    def note(self, what: str) -> None:
        self.still()
        self._plain(f"  {approval.visible(what)}", self._error)

    def finish(self, answer: Answer) -> None:
        """The rest of the answer, and what left for it."""
        self.still()
        if self.json:
            print(json.dumps(as_json(answer), ensure_ascii=False))
            return
        self._markdown(self._rest)
        self._rest = ""
        for one in answer.places:
            self._plain(approval.visible(f"  {one.path}:{one.line}  {one.label}"), self._out)
        if answer.why:
            self._plain(f"wicket {self.verb}: {approval.visible(answer.why)}", self._error)
        sent = approval.size(sum(len(request) for request in answer.requests) * 3 // 4)
        numbers = " ".join(str(number) for number in answer.records)
        self._plain(
            f"{answer.status}: {sent} left in {approval.count(len(answer.requests), 'request')}; "
            f"what exactly: wicket audit show {numbers} --payload",
            self._error,
        )

    async def ask_more(self) -> str:
        if self._yes or not sys.stdin.isatty():
            return ""
        return await typed("ask again, or Enter to end: ", lower=False)

    def _markdown(self, text: str) -> None:
        if not text.strip():
            return
        if not self._out.is_terminal:
            self._plain(approval.visible(text.rstrip()), self._out)
            return
        self._out.print(_rendered(text))

    def _plain(self, text: str, console: Console) -> None:
        console.print(text, markup=False, emoji=False, soft_wrap=True)


def _rendered(text: str) -> Markdown:
    """Without links: where one leads could not be seen, and a picture could be fetched."""
    return Markdown(approval.visible(text), hyperlinks=False)


def whole_blocks(text: str) -> tuple[str, str]:
    """What of a growing Markdown text can be shown, and what may still change.  Pure.

    Blocks end at empty lines, but not inside of fences.
    """
    at = 0
    for found in re.finditer(r"\n[ \t]*\n", text):
        if len(FENCE.findall(text[: found.end()])) % 2 == 0:
            at = found.end()
    return text[:at], text[at:]


def piece(said: str, here: Path, folder: Path | None = None) -> Piece:
    """`PATH`, `PATH:A` or `PATH:A-B`, as the file has it.

    It lies in `folder`, or the repository around `here`.  Raises BadQuestion.
    """
    found = RANGE.fullmatch(said)
    assert found
    path = here / found[1]
    folder = folder or repository(here / "x")
    try:
        place = path.resolve().relative_to(folder).as_posix()
        text = path.read_bytes().decode()
    except ValueError as error:
        why = (
            "is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else f"is outside {folder}"
        )
        raise BadQuestion(f"{found[1]} {why}") from None
    except OSError as error:
        raise BadQuestion(f"cannot read {found[1]}: {error.strerror}") from None
    lines = text.split("\n")
    first = int(found[2] or 1)
    last = int(found[3] or (found[2] or min(len(lines), MOST_LINES)))
    if not 1 <= first <= last <= len(lines):
        raise BadQuestion(f"{found[1]} has {len(lines)} lines, not {first}-{last}")
    return Piece(place, "\n".join(lines[first - 1 : last]), first, last)


def as_json(answer: Answer) -> dict[str, Any]:
    prepared = answer.prepared
    return {
        "answer": answer.text,
        "status": answer.status,
        "why": answer.why,
        "provider": prepared["provider"],
        "model": prepared["model"],
        "exchange": answer.exchange,
        "records": answer.records,
        "questions": answer.questions,
        "tools": answer.tools,
        "requests": answer.requests,
        "places": [one._asdict() for one in answer.places],
        "usage": answer.usage,
        "first_ms": answer.first_ms,
        "context": [{"path": row["path"], "lines": row["range"]} for row in answer.documents],
    }


async def typed(prompt: str, *, lower: bool = True) -> str:
    """A line of the person's, empty at the end of the input."""
    with contextlib.suppress(EOFError):
        print(prompt, end="", file=sys.stderr, flush=True)
        await _readable(sys.stdin)
        said = sys.stdin.readline().strip()
        return said.lower() if lower else said
    return ""


async def _readable(file: TextIO) -> None:
    """Until something can be read from it: a thread that reads already cannot be interrupted."""
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    try:
        loop.add_reader(file, ready.set)
    except OSError:
        return  # A file, in which nobody has to be waited for.
    try:
        await ready.wait()
    finally:
        loop.remove_reader(file)
